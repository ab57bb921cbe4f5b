"""Formats that hold logins: url, pgpass, netrc, cnf, and variable files for Docker.

The client libraries libpq and libmariadb are called in this process, for as many values as there
are; real servers then let in whoever has the right password.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import ctypes.util
import hmac
import json
import netrc
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from hashlib import pbkdf2_hmac, sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

from tests.engine import PYTHON
from tests.needs import need

from .case import Case, Readers, from_hex, run

MANY = 500  # entries in one file: a reader looks through all of them for each


def parts(entries: list[bytes]) -> Iterator[list[bytes]]:
    """`entries` in files that are read quickly."""
    for start in range(0, len(entries), MANY):
        yield entries[start : start + MANY]


# --- URLs


def read_urllib(part: str, data: bytes, _folder: Path) -> list[bytes]:
    """One part of each line's URL, as Python sees it."""
    found = []
    for line in data.decode("ascii").split("\n"):
        url = urlsplit(line)
        if part == "query":
            fields = dict(parse_qsl(url.query, True, errors="surrogateescape"))
            found.append(fields["application_name"].encode("utf-8", "surrogateescape"))
        else:
            text = url.path[1:] if part == "path" else getattr(url, part)
            found.append(unquote_to_bytes(text))
    return found


def read_node(part: str, data: bytes, _folder: Path) -> list[bytes]:
    """As the URL class of browsers and node.js sees it; it leaves the decoding to others."""
    script = """
        const part = {
            password: u => u.password, username: u => u.username, path: u => u.pathname.slice(1),
            query: u => u.search.match(/[?&]application_name=([^&]*)/)[1],
            fragment: u => u.hash.slice(1),
        }[process.argv[1]]
        for (const line of require('fs').readFileSync(0, 'latin1').split('\\n')) {
            const text = unescape(part(new URL(line)))
            console.log(Buffer.from(text, 'latin1').toString('hex'))
        }"""
    return from_hex(run(["node", "-e", script, part], data))


class Option(ctypes.Structure):
    """libpq's PQconninfoOption."""

    _fields_ = (
        *((name, ctypes.c_char_p) for name in ("keyword", "envvar", "compiled", "val", "label")),
        ("dispchar", ctypes.c_char_p),
        ("dispsize", ctypes.c_int),
    )


@lru_cache(maxsize=1)
def libpq() -> ctypes.CDLL:
    library = ctypes.CDLL(ctypes.util.find_library("pq"))
    library.PQconninfoParse.restype = ctypes.POINTER(Option)
    library.PQconnectStartParams.restype = ctypes.c_void_p
    library.PQpass.restype = ctypes.c_char_p
    for name in ("PQpass", "PQfinish", "PQconninfoFree"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    return library


def read_libpq(keyword: bytes, data: bytes, _folder: Path) -> list[bytes]:
    """What libpq takes from each line's URL for `keyword`."""
    found = []
    for line in data.split(b"\n"):
        error = ctypes.c_char_p()
        options = libpq().PQconninfoParse(line, ctypes.byref(error))
        assert options, error.value
        at = 0
        while options[at].keyword != keyword:
            at += 1
        found.append(options[at].val or b"")
        libpq().PQconninfoFree(options)
    return found


# --- HTTP


@contextlib.contextmanager
def proxy() -> Iterator[tuple[str, dict[int, bytes]]]:
    """An HTTP proxy that keeps, for each request of /N, the login that came with it."""
    logins: dict[int, bytes] = {}

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            kind, _, word = self.headers.get("Authorization", "").partition(" ")
            assert kind in ("Basic", "")
            logins[int(self.path.rpartition("/")[2])] = base64.b64decode(word)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", logins
        server.shutdown()


def curl(config: bytes, check: bool = True) -> dict[int, bytes]:
    """The logins that curl sends for the URLs in `config`, by the number in their path."""
    with proxy() as (address, logins):
        first = f"globoff\nproxy = {address}\n".encode()
        config = first + config.replace(b"\nnext\n", b"\nnext\n" + first)
        subprocess.run(
            [str(shutil.which("curl")), "-q", "--silent", "--show-error", "--config", "-"],
            input=config,
            capture_output=True,
            check=check,
            env={"PATH": "/nonexistent"},
        )
        return logins


def read_curl_url(data: bytes, _folder: Path) -> list[bytes]:
    """The passwords in the Basic authentication that curl makes of each line's URL."""
    lines = data.split(b"\n")
    logins = curl(b"".join(b'url = "%s"\n' % line for line in lines))
    return [logins[n].partition(b":")[2] for n in range(len(lines))]


def read_curl_netrc(what: str, data: bytes, folder: Path) -> list[bytes]:
    """The login or the password that curl finds for each machine hN."""
    found = []
    entries = [line for line in data.split(b"\n") if line[:1] == b"m"]
    for number, lines in enumerate(parts(entries)):
        path = folder / f"netrc{number}"
        path.write_bytes(b"\n".join(lines))
        urls = (f'url = "http://h{MANY * number + n}/{n}"\n' for n in range(len(lines)))
        logins = curl(f'netrc-file = "{path}"\n{"".join(urls)}'.encode())
        for n in range(len(lines)):
            login = logins[n]
            found.append(login[2:] if what == "password" else login[:-2])  # u:<<v>>, <<v>>:p
    return found


def read_netrc(what: str, data: bytes, folder: Path) -> list[bytes]:
    """The same by Python."""
    path = folder / "netrc"
    path.write_bytes(data)
    hosts = netrc.netrc(str(path)).hosts.values()
    return [(host[0] if what == "login" else host[2] or "").encode() for host in hosts]


# --- PostgreSQL


def passwords_by_libpq(
    path: Path, logins: list[tuple[bytes, bytes]], mode: int = 0o600
) -> list[bytes]:
    """What libpq finds in the password file at `path`, with `mode`, for each (host, user)."""
    path.chmod(mode)
    names = (b"host", b"hostaddr", b"port", b"dbname", b"user", b"passfile")
    keywords = (ctypes.c_char_p * 7)(*names, None)
    found = []
    for host, user in logins:
        values = (host, b"127.0.0.1", b"1", b"d", user, str(path).encode())
        connection = libpq().PQconnectStartParams(keywords, (ctypes.c_char_p * 7)(*values, None), 0)
        found.append(libpq().PQpass(connection) or b"")
        libpq().PQfinish(connection)
    return found


def read_pgpass(data: bytes, folder: Path) -> list[bytes]:
    """The passwords that libpq finds for host hN and user uN."""
    found = []
    for number, lines in enumerate(parts(data.split(b"\n"))):
        path = folder / "pgpass"
        path.write_bytes(b"\n".join(lines))
        numbers = range(MANY * number, MANY * number + len(lines))
        found += passwords_by_libpq(path, [(b"h%d" % n, b"u%d" % n) for n in numbers])
    return found


def read_pgpass_user(data: bytes, folder: Path) -> list[bytes]:
    """The users of hN:*:*:USER:N, for whom libpq finds the password N."""
    found = []
    for number, lines in enumerate(parts(data.split(b"\n"))):
        path = folder / "pgpass"
        path.write_bytes(b"\n".join(lines))
        numbers = range(MANY * number, MANY * number + len(lines))
        fields = (line.partition(b":*:*:")[2].rpartition(b":")[0] for line in lines)
        users = [re.sub(rb"(?s)\\(.)", rb"\1", field) for field in fields]
        logins = [(b"h%d" % n, user) for n, user in zip(numbers, users, strict=True)]
        assert [b"%d" % n for n in numbers] == passwords_by_libpq(path, logins)
        found += users
    return found


def role_password(password: bytes) -> bytes:
    """What CREATE ROLE is told: the password, or what SCRAM keeps of it (RFC 5803).

    The latter makes a login cheap, with one iteration. For what is not ASCII, SASLprep has a say:
    that is left to the server.
    """
    if not password.isascii():
        return b"E'%s'" % b"".join(b"\\x%02x" % byte for byte in password)
    salted = pbkdf2_hmac("sha256", password, b"salt", 1)
    client, server = (
        hmac.digest(salted, name, "sha256") for name in (b"Client Key", b"Server Key")
    )
    keys = (base64.b64encode(key) for key in (b"salt", sha256(client).digest(), server))
    return b"'SCRAM-SHA-256$1:%s$%s:%s'" % tuple(keys)


def free_port() -> int:
    """A port that no server has, below those that Linux gives to connections."""
    while True:
        port = Random().randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def postgres(passwords: list[bytes]) -> Iterator[dict[str, str]]:
    """A PostgreSQL with users u0, u1 ... and these passwords; gives the environment of its admin.

    Its encoding is SQL_ASCII, so that a password may be any bytes.
    """
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    path = os.pathsep.join([*map(str, folders[-1:]), os.environ["PATH"]])
    initdb, server = shutil.which("initdb", path=path), shutil.which("postgres", path=path)
    need("consumers", bool(initdb and server), "needs a PostgreSQL server")
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        as_user = ["setpriv", "--pdeathsig", "KILL"]
        if os.geteuid() == 0:  # which PostgreSQL refuses to run as
            shutil.chown(folder, "nobody")
            as_user += ["--reuid", "nobody", "--clear-groups"]
        data = f"{folder}/data"
        subprocess.run(
            [
                *(*as_user, str(initdb), "-D", data, "-U", "admin", "-E", "SQL_ASCII"),
                *("--locale=C", "--auth-local=trust", "--auth-host=scram-sha-256", "-N"),
            ],
            stdout=subprocess.DEVNULL,
            check=True,
            cwd=folder,
        )
        port = free_port()
        log = (Path(folder) / "log").open("wb")
        running = subprocess.Popen(
            [
                *(
                    *as_user,
                    str(server),
                    "-D",
                    data,
                    "-p",
                    str(port),
                    "-k",
                    folder,
                    "-c",
                    "fsync=off",
                ),
                *("-c", "listen_addresses=127.0.0.1", "-c", "password_encryption=scram-sha-256"),
            ],
            stderr=log,
            cwd=folder,
        )
        log.close()
        try:
            environment = {"PATH": path, "HOME": folder, "PGPORT": str(port), "PGHOST": folder}
            environment |= {"PGUSER": "admin", "PGDATABASE": "postgres"}
            wait_for(lambda: psql(environment, b"SELECT 1", check=False) == b"1\n", running)
            script = (
                b"CREATE ROLE u%d LOGIN PASSWORD %s;\n" % (n, role_password(password))
                for n, password in enumerate(passwords)
                if password  # with none, nobody is let in
            )
            psql(environment, b"".join(script))
            yield environment
        finally:
            running.terminate()
            running.wait()


def psql(environment: dict[str, str], script: bytes, check: bool = True) -> bytes:
    """What psql prints for `script`; it ends with the first error."""
    done = subprocess.run(
        [str(shutil.which("psql")), "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", "-"],
        input=script,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert not check or (done.returncode, done.stderr) == (0, b""), done.stderr[-500:]
    return done.stdout


def wait_for(ready: Callable[[], bool], server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert server.poll() is None
        assert time.monotonic() < deadline, "the server does not start"
        time.sleep(0.05)


def log_in(connect: list[bytes], passwords: list[bytes], passfile: str) -> None:
    """Logs in to a PostgreSQL as each user uN that has a password, by psql's ``\\c connect[N]``."""
    users = [n for n, password in enumerate(passwords) if password]
    with postgres(passwords) as environment:
        # SCRAM, and no other way in.
        stored = psql(environment, b"SELECT DISTINCT left(rolpassword, 14) FROM pg_authid")
        assert stored.split() == [b"SCRAM-SHA-256$"]
        script = (b"\\c '%s'\nSELECT current_user;\n" % connect[n] for n in users)
        said = psql(environment | {"PGPASSFILE": passfile}, b"".join(script))
    assert said.split() == [b"u%d" % n for n in users]


def login_by_pgpass(data: bytes, folder: Path) -> list[bytes]:
    """The passwords that libpq finds, each of which a real server accepts from psql."""
    passwords = read_pgpass(data, folder)
    path = folder / "pgpass"
    path.write_bytes(data)
    path.chmod(0o600)
    names = (b"host=h%d user=u%d" % (n, n) for n in range(len(passwords)))
    log_in([b"hostaddr=127.0.0.1 dbname=postgres " + name for name in names], passwords, str(path))
    return passwords


def login_by_url(data: bytes, folder: Path) -> list[bytes]:
    """The same, with a URL for each login."""
    passwords = read_libpq(b"password", data, folder)
    log_in(data.split(b"\n"), passwords, "/nonexistent")
    return passwords


# --- MySQL and MariaDB


def read_defaults(data: bytes, folder: Path) -> list[bytes]:
    """The passwords of groups g0, g1 ... by the function that MariaDB's own programs read with."""
    path = folder / "rendered.cnf"
    path.write_bytes(data)
    groups = [f"g{n}" for n in range(data.count(b"[g"))]
    found = []
    for start in range(0, len(groups), 2000):
        command = ["my_print_defaults", f"--defaults-file={path}", *groups[start : start + 2000]]
        printed = b"\n" + run(command, b"")[:-1]
        found += printed.split(b"\n--password=")[1:]
    return found


def native_hash(password: bytes) -> str:
    """What mysql_native_password keeps: "*" and the SHA-1 of the SHA-1; nothing for nothing."""
    return "*" + sha1(sha1(password).digest()).hexdigest() if password else ""  # noqa: S324


@contextlib.contextmanager
def mariadb(passwords: list[bytes]) -> Iterator[str]:
    """A MariaDB with users u0, u1 ... and these passwords; gives the path of its socket."""
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])
    server, install = shutil.which("mariadbd", path=path), shutil.which("mariadb-install-db")
    need("consumers", bool(server and install), "needs a MariaDB server")
    user = f"--user={'root' if os.geteuid() == 0 else os.environ.get('USER', '')}"
    with tempfile.TemporaryDirectory(prefix="maria-") as folder:
        subprocess.run(
            [
                *(str(install), "--no-defaults", user, f"--datadir={folder}/data"),
                *("--auth-root-authentication-method=normal", "--skip-test-db"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        log = (Path(folder) / "log").open("wb")
        running = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", str(server), "--no-defaults", user),
                *(f"--datadir={folder}/data", f"--socket={folder}/socket", "--skip-networking"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        log.close()
        try:
            admin = [str(shutil.which("mariadb")), "--no-defaults", f"--socket={folder}/socket"]
            ask = partial(subprocess.run, [*admin, "-uroot"], capture_output=True)
            wait_for(lambda: ask(input=b"SELECT 1").returncode == 0, running)
            script = (
                f"CREATE USER u{n}@localhost IDENTIFIED BY PASSWORD '{native_hash(password)}';"
                for n, password in enumerate(passwords)
            )
            ask(input="".join(script).encode(), check=True)
            yield f"{folder}/socket"
        finally:
            running.terminate()
            running.wait()


@lru_cache(maxsize=1)
def libmariadb() -> ctypes.CDLL:
    library = ctypes.CDLL(ctypes.util.find_library("mariadb"))
    library.mysql_init.restype = library.mysql_real_connect.restype = ctypes.c_void_p
    library.mysql_error.restype = ctypes.c_char_p
    library.mysql_options.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p]
    library.mysql_real_connect.argtypes = [
        *([ctypes.c_void_p] + [ctypes.c_char_p] * 4),
        *(ctypes.c_uint, ctypes.c_char_p, ctypes.c_ulong),
    ]
    for name in ("mysql_error", "mysql_close"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    return library


def login_by_cnf(data: bytes, folder: Path) -> list[bytes]:
    """The passwords that MariaDB's programs see, with which libmariadb is let in by a server.

    libmariadb has a reader of its own.
    """
    passwords = read_defaults(data, folder)
    entries = re.split(rb"\n(?=\[g)", data)
    with mariadb(passwords) as socket_path:
        for number, lines in enumerate(parts(entries)):
            path = folder / "rendered.cnf"
            path.write_bytes(b"\n".join(lines))
            for n in range(MANY * number, MANY * number + len(lines)):
                library, connection = libmariadb(), libmariadb().mysql_init(None)
                library.mysql_options(connection, 4, str(path).encode())  # READ_DEFAULT_FILE
                library.mysql_options(connection, 5, b"g%d" % n)  # READ_DEFAULT_GROUP
                user = (b"u%d" % n, None, None, 0, socket_path.encode(), 0)
                connected = library.mysql_real_connect(connection, None, *user)
                assert connected, (n, library.mysql_error(connection))
                library.mysql_close(connection)
    return passwords


# --- Docker


def read_docker_rules(data: bytes, _folder: Path) -> list[bytes]:
    """By the rules of docker/cli: no quotes, spaces dropped before the name and nowhere else."""
    lines = (line.removesuffix("\r").lstrip() for line in data.decode().split("\n"))
    return [line.partition("=")[2].encode() for line in lines if line and line[0] != "#"]


class Engine(BaseHTTPRequestHandler):
    """Answers the docker client just enough to hear which variables a container would get."""

    created: dict[str, list[str]]

    def answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Api-Version", "1.41")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_GET(self) -> None:
        self.answer(200, {"ApiVersion": "1.41"})

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.created["env"] = request["Env"]
        self.answer(500, {"message": "this is no engine"})

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def read_docker(data: bytes, folder: Path) -> list[bytes]:
    """The values that the docker client sends to an engine for `docker create --env-file`."""
    path = folder / "rendered.env"
    path.write_bytes(data)
    engine = type("Recording", (Engine,), {"created": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        subprocess.run(
            [str(shutil.which("docker")), "create", "--env-file", str(path), "image"],
            env={"DOCKER_HOST": f"tcp://127.0.0.1:{server.server_port}", "HOME": str(folder)},
            capture_output=True,
            check=False,
            timeout=60,
        )
        server.shutdown()
    return [entry.partition("=")[2].encode() for entry in engine.created["env"]]


def read_compose(data: bytes, folder: Path) -> list[bytes]:
    """By docker-compose 1.29's own code. What its `config` prints has lost U+0085 and the like."""
    path = folder / "rendered.env"
    path.write_bytes(data)
    script = """
import sys
from compose.config.environment import env_vars_from_file
for value in env_vars_from_file(sys.argv[1]).values():
    print(value.encode().hex())"""
    return from_hex(run([PYTHON, "-W", "ignore", "-c", script, str(path)], b""))


READERS: Readers = {
    **{f"urllib {part}": (None, partial(read_urllib, part)) for part in
       ("password", "username", "path", "query", "fragment")},
    **{f"node URL {part}": ("node", partial(read_node, part)) for part in
       ("password", "username", "path", "query", "fragment")},
    "libpq password": ("psql", partial(read_libpq, b"password")),
    "libpq user": ("psql", partial(read_libpq, b"user")),
    "libpq dbname": ("psql", partial(read_libpq, b"dbname")),
    "libpq query": ("psql", partial(read_libpq, b"application_name")),
    "curl URL": ("curl", read_curl_url),
    "PostgreSQL by URL": ("psql", login_by_url),
    "libpq .pgpass": ("psql", read_pgpass),
    "libpq .pgpass user": ("psql", read_pgpass_user),
    "PostgreSQL by .pgpass": ("psql", login_by_pgpass),
    "netrc login": (None, partial(read_netrc, "login")),
    "netrc password": (None, partial(read_netrc, "password")),
    "curl netrc login": ("curl", partial(read_curl_netrc, "login")),
    "curl netrc password": ("curl", partial(read_curl_netrc, "password")),
    "my_print_defaults": ("my_print_defaults", read_defaults),
    "MariaDB": ("mariadb", login_by_cnf),
    "docker rules": (None, read_docker_rules),
    "docker create": ("docker", read_docker),
    "docker-compose": ("docker-compose", read_compose),
}  # fmt: skip

_URL = ("libpq password", "node URL password", "PostgreSQL by URL")
_NETRC = {"read": "netrc password", "real": ("curl netrc password",)}
_DOCKER = {"read": "docker rules", "real": ("docker create",)}
_COMPOSE = {"read": "python-dotenv", "real": ("docker-compose",)}

CASES: tuple[Case, ...] = (
    Case("url", "password", "postgresql://u№:<<v>>@127.0.0.1/postgres", "urllib password", _URL),
    Case("url", "password in text", "http://u:a<<v>>~@h/№", "urllib password",
         ("curl URL", "node URL password"), around=("a", "~")),
    Case("url", "user", "postgresql://<<v>>:p@h/d", "urllib username",
         ("libpq user", "node URL username")),
    Case("url", "path", "postgresql://h/<<v>>", "urllib path", ("libpq dbname", "node URL path")),
    Case("url", "query", "postgresql://h/d?application_name=<<v>>&connect_timeout=9",
         "urllib query", ("libpq query", "node URL query")),
    Case("url", "fragment", "https://h/#<<v>>", "urllib fragment", ("node URL fragment",)),
    Case("pgpass", "password", "h№:*:*:u№:<<v>>", "libpq .pgpass", ("PostgreSQL by .pgpass",)),
    Case("pgpass", "password in text", "h№:*:*:u№:a <<v>>\\:b", "libpq .pgpass",
         (), around=("a ", ":b")),
    Case("pgpass", "user", "h№:*:*:<<v>>:№", "libpq .pgpass user", ()),
    Case("netrc", "bare", "machine h№ login u password <<v>>", **_NETRC),
    Case("netrc", "double", 'machine h№ login u password "<<v>>"', **_NETRC),
    Case("netrc", "double in text", 'machine h№ login u\tpassword "a \\"<<v>> b" # c', **_NETRC,
         between="\n# comment\n", around=('a "', " b")),
    Case("netrc", "word", "machine h№ login u password a-<<v>>", **_NETRC, around=("a-", "")),
    Case("netrc", "login", "machine h№ login <<v>> password p", "netrc login",
         ("curl netrc login",)),
    Case("cnf", "bare", "[g№]\npassword = <<v>>", "my_print_defaults",
         ("MariaDB",)),
    Case("cnf", "double", '[g№]\npassword = "<<v>>"', "my_print_defaults", ()),
    Case("cnf", "single in text", "[g№]\npassword='a\\t<<v>> '", "my_print_defaults",
         ("MariaDB",), around=("a\t", " ")),
    Case("cnf", "url part", "[g№]\npassword = p u:<<v|url>>@", "my_print_defaults",
         (), around=("p u:", "@"), url=True),
    Case("docker-env", "value", "K№=<<v>>", **_DOCKER),
    Case("docker-env", "value in text", "K№='a' <<v>>\t", **_DOCKER, around=("'a' ", "\t")),
    Case("compose-env", "bare", "K№=<<v>>", **_COMPOSE),
    Case("compose-env", "single", "K№='<<v>>'", **_COMPOSE),
    Case("compose-env", "double in text", 'K№="a <<v>> b" # c', **_COMPOSE, around=("a ", " b")),
    Case("compose-env", "url part", "K№=p://u:<<v|url>>@h", **_COMPOSE, around=("p://u:", "@h"),
         url=True),
)  # fmt: skip

"""The config files of servers: nginx, haproxy, httpd, redis.

The real servers read the rendered files and give the values back: as the body of an answer, as
the variables of a process, by a login. For random templates, which come one by one, directives.py
reads the same languages in this process; test_servers.py holds it against the servers.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from . import directives
from .case import Case, Readers

BATCH = 500  # requests or commands on their way at a time


@contextmanager
def serving(
    command: list[str], connect: Callable[[], socket.socket], log: Path
) -> Iterator[socket.socket]:
    """A server that runs, and a connection to it."""
    program = shutil.which(command[0])
    assert program is not None
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, *command[1:]], stdout=output, stderr=output, env={"PATH": "/bin"}
        )
    try:
        deadline = time.monotonic() + 60
        while True:
            with suppress(OSError):
                connection = connect()
                break
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.01)
        with connection:
            connection.settimeout(60)
            yield connection
    finally:
        process.kill()  # each is one process, with nothing to tidy up but its folder
        process.wait()


def unix(path: str) -> socket.socket:
    """A connection to the socket at `path`."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def ask(
    connection: socket.socket, requests: list[bytes], at_once: int = 1
) -> list[tuple[int, bytes]]:
    """Status and body of the answers to HTTP requests (lines and headers, no body).

    HAProxy may forget the last of several requests that are sent at once.
    """
    found = []
    with connection.makefile("rb") as stream:
        for start in range(0, len(requests), at_once):
            batch = requests[start : start + at_once]
            connection.sendall(b"".join(request + b"Host: h\r\n\r\n" for request in batch))
            for _ in batch:
                status = int(stream.readline().split(b" ")[1])
                length = 0
                while (header := stream.readline().lower()) != b"\r\n":
                    assert header
                    if header.startswith(b"content-length:"):
                        length = int(header.partition(b":")[2])
                found.append((status, stream.read(length)))
    return found


def get(connection: socket.socket, count: int, at_once: int = 1) -> list[bytes]:
    """The bodies of /0, /1 ..."""
    requests = [b"GET /%d HTTP/1.1\r\n" % number for number in range(count)]
    answers = ask(connection, requests, at_once)
    assert {status for status, _ in answers} <= {200}
    return [body for _, body in answers]


NGINX = """daemon off; master_process off; pid {0}/pid; error_log {0}/log;
events {{ worker_connections 64; }}
http {{
  access_log off; keepalive_requests 1000000; default_type text/plain;
  map_hash_max_size 65536; map_hash_bucket_size 4096; variables_hash_max_size 131072;
  client_body_temp_path {0}/1; proxy_temp_path {0}/2; fastcgi_temp_path {0}/3;
  uwsgi_temp_path {0}/4; scgi_temp_path {0}/5;
  include {0}/http;
}}
"""
# What an entry begins with, and the text before and behind all entries.
NGINX_MAP = (rb"/\d+ ", b"", b"server { include listen; return 200 $v; }")
NGINX_RETURN = (rb"location = /\d+ ", b"server { include listen;\n", b"}")
NGINX_GEO = (rb"geo \$g\d+ ", b"", b"server { include listen;\n%s }")


@contextmanager
def short_folder() -> Iterator[str]:
    """A folder for sockets, whose paths have at most 107 bytes, that servers may enter."""
    with tempfile.TemporaryDirectory(prefix="s", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield folder


@contextmanager
def nginx(http: bytes) -> Iterator[socket.socket]:
    """A connection to a real nginx with `http` in its http block, and there `include listen;`."""
    with short_folder() as folder:
        path = Path(folder)
        (path / "http").write_bytes(http)
        (path / "listen").write_text(f"listen unix:{folder}/s;")
        (path / "c").write_text(NGINX.format(folder))
        command = ["nginx", "-c", f"{folder}/c"]
        with serving(command, partial(unix, f"{folder}/s"), path / "log") as connection:
            yield connection


def read_nginx(entry: bytes, before: bytes, behind: bytes, data: bytes, _: Path) -> list[bytes]:
    """The values that a real nginx answers with for /0, /1 ..."""
    count = len(re.findall(b"^" + entry, data, re.MULTILINE))
    if b"%s" in behind:
        behind %= b"\n".join(b"location = /%d { return 200 $g%d; }" % (n, n) for n in range(count))
    with nginx(before + data + behind) as connection:
        return get(connection, count, BATCH)


HAPROXY = b"""global
  stats socket %s/a level admin
  maxconn 100
%s
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 60s
%s
frontend f
  bind unix@%s/s
  %s
"""


@contextmanager
def haproxy(environment: bytes, users: bytes, rules: bytes, name: str) -> Iterator[socket.socket]:
    """A connection to the socket `name` of a real HAProxy: "s" is HTTP, "a" its own commands."""
    with short_folder() as folder:
        path = Path(folder)
        parts = (folder.encode(), environment, users, folder.encode(), rules)
        (path / "c").write_bytes(HAPROXY % parts)
        command = ["haproxy", "-db", "-f", f"{folder}/c"]
        with serving(command, partial(unix, f"{folder}/{name}"), path / "log") as connection:
            yield connection


def read_haproxy_setenv(data: bytes, _folder: Path) -> list[bytes]:
    """The variables K0, K1 ... that a real HAProxy set."""
    rule = b"http-request return status 200"
    with haproxy(data + b"\nsetenv END 1", b"", rule, "a") as connection:
        connection.sendall(b"show env\n")
        with connection.makefile("rb") as stream:
            shown = stream.read().partition(b"\nEND=1\n")[0]
    parts = re.split(rb"(?:^|\n)K(\d+)=", shown)
    assert [int(number) for number in parts[1::2]] == list(range(len(parts) // 2))
    return parts[2::2]


def read_haproxy_words(data: bytes, _folder: Path) -> list[bytes]:
    """The bodies as directives.py reads them: a real HAProxy tries each rule for each request."""
    lines = directives.haproxy(data.decode("utf-8", "surrogateescape"))
    return [line[_RETURN.count(" ") + 1].encode("utf-8", "surrogateescape") for line in lines]


def read_haproxy_return(data: bytes, _folder: Path) -> list[bytes]:
    """The bodies that a real HAProxy answers with for /0, /1 ..."""
    with haproxy(b"", b"", data, "s") as connection:
        return get(connection, len(re.findall(rb"if \{ path /", data)))


def read_haproxy_login(data: bytes, _folder: Path) -> list[bytes]:
    """The passwords of u0, u1 ...: as directives.py reads them, if a real HAProxy lets them in."""
    rules = b"http-request auth unless { http_auth(l) }\n http-request return status 200"
    passwords = last_words(directives.haproxy, data)
    requests = []
    for number, password in enumerate(passwords):
        login = b64encode(b"u%d:" % number + password)
        requests.append(b"GET / HTTP/1.1\r\nAuthorization: Basic " + login + b"\r\n")
    with haproxy(b"", b"userlist l\n" + data, rules, "s") as connection:
        return let_in(passwords, [status == 200 for status, _ in ask(connection, requests)])


def last_words(reader: Callable[[str], list[list[str]]], data: bytes) -> list[bytes]:
    text = data.decode("utf-8", "surrogateescape")
    return [words[-1].encode("utf-8", "surrogateescape") for words in reader(text)]


def let_in(passwords: list[bytes], accepted: list[bool]) -> list[bytes]:
    return [
        password if good else b"(refused)"
        for password, good in zip(passwords, accepted, strict=True)
    ]


HTTPD = """ServerRoot {0}
PidFile {0}/pid
ErrorLog {0}/log
ServerName localhost
Listen 127.0.0.1:{1}
User nobody
Group nogroup
{2}
ScriptAlias /e {0}/e
Include {0}/v
"""
MODULES = ("mpm_prefork", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic")
MODULES += ("ldap", "authnz_ldap", "env", "cgi", "alias", "headers")


def read_httpd(data: bytes, _folder: Path) -> list[bytes]:
    """The variables or headers K0, K1 ... that a real httpd gives to a CGI program."""
    with httpd(data) as connection, connection.makefile("rb") as stream:
        connection.sendall(b"GET /e HTTP/1.0\r\n\r\n")
        head, _, body = stream.read().partition(b"\r\n\r\n")
    assert b" 200 " in head.partition(b"\r\n")[0]
    found = dict(pair.removeprefix(b"HTTP_").split(b"=", 1) for pair in body.split(b"\0")[:-1])
    return [found[b"K%d" % number] for number in range(sum(key[:1] == b"K" for key in found))]


@contextmanager
def httpd(data: bytes) -> Iterator[socket.socket]:
    """A connection to a real httpd whose /e prints its variables; `data` is included."""
    libraries = next(Path("/usr/lib").glob("apache2/modules"))
    with short_folder() as folder:
        path = Path(folder)
        (path / "v").write_bytes(data)
        (path / "e").write_text("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec env -0\n")
        (path / "e").chmod(0o755)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        modules = "\n".join(f"LoadModule {m}_module {libraries}/mod_{m}.so" for m in MODULES)
        (path / "c").write_text(HTTPD.format(folder, port, modules))
        command = ["apache2", "-X", "-f", f"{folder}/c"]
        connect = partial(socket.create_connection, ("127.0.0.1", port))
        with serving(command, connect, path / "out") as connection:
            yield connection


def read_redis(data: bytes, _folder: Path) -> list[bytes]:
    """The passwords of u0, u1 ..., as directives.py reads them, if a real redis lets them in."""
    passwords = [word.removeprefix(b">") for word in last_words(directives.redis, data)]
    with redis(data) as connection, connection.makefile("rb") as stream:
        accepted = []
        for start in range(0, len(passwords), BATCH):
            batch = list(enumerate(passwords))[start : start + BATCH]
            connection.sendall(b"".join(command(b"AUTH", b"u%d" % n, word) for n, word in batch))
            accepted += [stream.readline() == b"+OK\r\n" for _ in batch]
    return let_in(passwords, accepted)


def command(*words: bytes) -> bytes:
    """One command for redis (RESP)."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


@contextmanager
def redis(data: bytes) -> Iterator[socket.socket]:
    """A connection to a redis-server that reads `data` as its redis.conf."""
    with short_folder() as folder:
        path = Path(folder)
        (path / "c").write_bytes(data)
        options = ["--port", "0", "--unixsocket", f"{folder}/s", "--save", "", "--dir", folder]
        command = ["redis-server", f"{folder}/c", *options]
        with serving(command, partial(unix, f"{folder}/s"), path / "out") as connection:
            yield connection


READERS: Readers = {
    "nginx map": ("nginx", partial(read_nginx, *NGINX_MAP)),
    "nginx return": ("nginx", partial(read_nginx, *NGINX_RETURN)),
    "nginx geo": ("nginx", partial(read_nginx, *NGINX_GEO)),
    "haproxy words": (None, read_haproxy_words),
    "haproxy setenv": ("haproxy", read_haproxy_setenv),
    "haproxy return": ("haproxy", read_haproxy_return),
    "haproxy login": ("haproxy", read_haproxy_login),
    "httpd CGI": ("apache2", read_httpd),
    "redis login": ("redis-server", read_redis),
}

_MAP = {"head": 'map $uri $v {\ndefault "";\n', "tail": "\n}\n"}
_RETURN = "http-request return status 200 content-type text/plain string"

CASES: tuple[Case, ...] = (
    Case("nginx", "double", '/№ "<<v>>";', "nginx map", (), **_MAP),
    Case("nginx", "single", "/№ '<<v>>';", "nginx map", (), **_MAP),
    Case("nginx", "bare", "/№ <<v>>;", "nginx map", (), **_MAP),
    Case(
        "nginx",
        "url part",
        "/№ p://${arg_x}u:<<v|url>>@h;",
        "nginx map",
        (),
        around=("p://u:", "@h"),
        url=True,
        **_MAP,
    ),
    Case(
        "nginx",
        "double in text",
        'location = /№ { return 200 "a ${arg_x}<<v>> b"; }',
        "nginx return",
        (),
        around=("a ", " b"),
    ),
    Case("nginx", "geo", 'geo $g№ { default "<<v>>"; }', "nginx geo", ()),
    Case("haproxy", "double", 'setenv K№ "<<v>>"', "haproxy setenv", ()),
    Case("haproxy", "single", "setenv K№ '<<v>>'", "haproxy setenv", ()),
    Case("haproxy", "bare", "setenv K№ a\\ <<v>>'b'", "haproxy setenv", (), around=("a ", "b")),
    Case(
        "haproxy",
        "double in text",
        f'{_RETURN} "a <<v>> b" if {{ path /№ }}',
        "haproxy words",
        ("haproxy return",),
        around=("a ", " b"),
    ),
    Case(
        "haproxy",
        "log format",
        f'{_RETURN.replace("string", "lf-string")} "<<v>>" if {{ path /№ }}',
        "haproxy words",
        ("haproxy return",),
    ),
    Case("haproxy", "password", "user u№ insecure-password <<v>>", "haproxy login", ()),
    Case("httpd", "double", 'SetEnv K№ "<<v>>"', "httpd CGI", ()),
    Case("httpd", "single", "SetEnv K№ '<<v>>'", "httpd CGI", ()),
    Case("httpd", "bare", "SetEnv K№ <<v>>", "httpd CGI", ()),
    Case("httpd", "double in text", 'SetEnv K№ "a <<v>> b"', "httpd CGI", (), around=("a ", " b")),
    Case("httpd", "header", 'RequestHeader set K№ "<<v>>"', "httpd CGI", ()),
    Case("redis", "double", 'user u№ on ">a <<v>> b"', "redis login", (), around=("a ", " b")),
    Case("redis", "single", "user u№ on '><<v>>'", "redis login", ()),
    Case("redis", "bare", "user u№ on ><<v>>", "redis login", ()),
)

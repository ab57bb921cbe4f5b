"""--stdin and --fd: the process reads a secret from a descriptor, and from nowhere else."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.engine import Engine, engine
from tests.formats.credentials import postgres
from tests.needs import need_program, need_root
from tests.shim.conftest import Shim

__all__ = ["engine"]

MIB = 1 << 20
PROJECT = str(Path(__file__).parents[2] / "pyproject.toml")
CONTENTS = [b"x", b"line\n", b"line\r\n\n", bytes(range(256)), b"\0", os.urandom(MIB)]


def has_memory_files(shim: Shim) -> bool:
    """Whether the shim's Python can make them (3.8 can); else the process gets a pipe."""
    argv = [shim.python, "-c", "import os, sys; sys.exit(not hasattr(os, 'memfd_create'))"]
    return subprocess.run(argv, check=False).returncode == 0


@pytest.mark.parametrize("content", CONTENTS, ids=range(len(CONTENTS)))
def test_standard_input_is_the_file_byte_for_byte(every_shim: Shim, secret, content) -> None:
    """All of it, with its line ends and up to 1 MiB, and then the end."""
    secret("a", content)
    assert every_shim.output("--stdin", "a", "cat", input=b"of the container") == content
    assert every_shim.output("--fd", "A=a", "sh", "-c", 'cat "$A"') == content


def test_a_value_inside_a_secret_has_nothing_added(every_shim: Shim, secret) -> None:
    """A reference stands for what is written: a line end is there only if it is in the value."""
    secret("db", b'{"a": "x", "b": "x\\n", "c": "AAEK"}\n')
    words = ("--stdin", "db#/a", "--fd", "B=db#/b", "--fd", "C=db#/c|base64d")
    assert every_shim.output(*words, "sh", "-c", 'cat - "$B" "$C"') == b"xx\n\0\1\n"


def test_descriptors_count_from_3_and_no_other_is_open(
    every_shim: Shim, secret, tmp_path: Path
) -> None:
    """In the order they were named, whatever was open; an optional one that is missing has none."""
    for name in "abc":
        secret(name, name.encode())
    words = ["--fd=Z=a", "--fd=GONE=gone", "--optional=gone", "--fd=A=b", "--fd=M=c", "--"]
    script = "cat - <&3; cat <&4; cat <&5; echo; cat /proc/self/environ; echo; ls /proc/self/fd"
    with (tmp_path / "file").open("wb") as file:
        os.dup2(file.fileno(), 57)
        try:
            output = every_shim.output(
                *words, "sh", "-c", script, pass_fds=(file.fileno(), 57),
                env={b"SECRETKIT_STDIN": b"a"},
            )  # fmt: skip
        finally:
            os.close(57)
    contents, environ, *numbers = output.decode().splitlines()
    assert contents == "abc"
    variables = {"A=/dev/fd/4", "M=/dev/fd/5", "PATH=/usr/bin:/bin", "Z=/dev/fd/3"}
    assert {line for line in environ.split("\0") if not line.startswith("PWD=")} == {*variables, ""}
    # 6 is the one that lists the folder
    assert numbers == ["0", "1", "2", "3", "4", "5", "6"]


def test_closed_descriptors_are_no_trouble(every_shim: Shim, secret) -> None:
    """Started with 0 and 2 closed: standard input is the secret, standard error stays closed."""
    secret("a", b"1")
    secret("b", b"2")
    argv = [os.fsdecode(word) for word in every_shim.argv("--stdin", "a", "--fd", "B=b", "--")]
    script = 'exec "$@" sh -c "cat - \\$B; [ -e /proc/\\$\\$/fd/2 ] || echo closed" 0<&- 2>&-'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *argv], env=every_shim.environ, capture_output=True, check=True
    )
    assert done.stdout == b"12closed\n"


def test_another_user_reads_it_and_again_where_it_is_a_file(every_shim: Shim, secret) -> None:
    """--user: that user owns it, reads it by its number and, again and again, by its path."""
    need_root()
    secret("a", b"s3cret\n")
    script = 'stat -Lc "%F %a %u:%g" "$A"; cat "$A"; cat "$A"; cat <&3; echo x >"$A"'
    words = ("--fd", "A=a", "--user", "65534:65534", "sh", "-c", script)
    done = every_shim.run(*words)
    kind, *lines = done.stdout.decode().splitlines()
    if has_memory_files(every_shim):
        assert (kind, lines) == ("regular file 400 65534:65534", ["s3cret"] * 3)
        assert b"Permission denied" in done.stderr
    else:
        assert (kind, lines) == ("fifo 600 65534:65534", ["s3cret"])


PROBE = """
import ctypes, json, mmap, os
PATH = os.environ["A"]
number = int(PATH[8:])
found = {"link": os.readlink(PATH), "seals": __import__("fcntl").fcntl(number, 1034)}
found["mapped"] = mmap.mmap(number, 0, mmap.MAP_SHARED, mmap.PROT_READ)[:].decode()
found["environ"] = open("/proc/self/environ").read()
ctypes.CDLL(None).prctl(4, 0)  # PR_SET_DUMPABLE
found["not dumpable"] = open(PATH).read()
def refusal(function, *words):
    try:
        function(*words)
    except OSError as error:
        return error.strerror
found["write"] = refusal(os.write, number, b"x")
found["open"] = refusal(os.open, PATH, os.O_RDWR)
found["chmod"] = refusal(os.chmod, PATH, 0o700)
os.chmod(PATH, 0o600)
found["open, after chmod"] = refusal(os.truncate, PATH, 0)
print(json.dumps(found))
"""


def test_it_is_a_sealed_file_without_a_name(open_shim: Shim) -> None:
    """It cannot be changed, can be mapped, is read also by a process that is not dumpable."""
    (open_shim.mount / "a").write_bytes(b"s3cret")
    if not has_memory_files(open_shim):
        pytest.skip("needs a Python from 3.8 on that everybody may run")
    words = ("--fd", "A=a", "--user", "65534:65534", open_shim.python, "-ISc", PROBE)
    found = json.loads(open_shim.output(*words))
    assert found.pop("link") == "/memfd:secret (deleted)"
    assert found.pop("seals") & 0xF == 0xF
    assert "s3cret" not in found.pop("environ")
    assert found == {
        "mapped": "s3cret",
        "not dumpable": "s3cret",
        "write": "Bad file descriptor",
        "open": "Permission denied",
        "chmod": "Operation not permitted",
        "open, after chmod": "Operation not permitted",
    }


def test_without_memory_files_it_is_a_pipe(shim: Shim, secret, tmp_path: Path) -> None:
    """Where the kernel refuses memfd_create: the content comes once, up to what a pipe holds."""
    strace, trace = need_program("strace"), tmp_path / "trace"

    def run(content: bytes, *refused: str) -> subprocess.CompletedProcess[bytes]:
        secret("a", content)
        words = [f"--inject={call}" for call in refused]
        argv = shim.argv("--stdin", "a", "--fd", "A=a", "sh", "-c", 'cat; cat "$A"; cat "$A"')
        traced = [strace, "-o", str(trace), *words, *argv]
        return subprocess.run(traced, env=shim.environ, capture_output=True, check=False)

    # An older kernel, which does not know one of the flags.
    done = run(b"1", "memfd_create:error=EINVAL:when=1+2")
    assert (done.stdout, done.stderr) == (b"111", b"")
    content = os.urandom(MIB)
    done = run(content, "memfd_create:error=ENOSYS")
    assert (done.stdout == content * 2, done.stderr) == (True, b"")
    calls = [line for line in trace.read_text().splitlines() if line.startswith("fcntl(")]
    growing = next(index for index, line in enumerate(calls, 1) if "F_SETPIPE_SZ" in line)
    done = run(content, "memfd_create:error=ENOSYS", f"fcntl:error=EPERM:when={growing}")
    assert (done.returncode, done.stdout, done.stderr.decode()) == (
        125,
        b"",
        "secretkit-entrypoint: error: a secret of 1048576 bytes does not fit into a pipe (see "
        "/proc/sys/fs/pipe-max-size), and there is no memfd_create (Python 3.8 has it): use "
        "--render\n",
    )
    done = run(b"1", "memfd_create:error=ENOSYS", "pipe2:error=EMFILE")
    assert (done.returncode, done.stdout, done.stderr.decode()) == (
        125,
        b"",
        "secretkit-entrypoint: error: cannot hand over a secret as descriptor 0: Too many open "
        "files\n",
    )


def test_what_is_wrong_is_said_at_once(every_shim: Shim, secret) -> None:
    """Names are those of variables, secrets must be there and not empty; one variable, one way."""
    secret("a", b"1")
    secret("empty", b"\n")
    mount = every_shim.mount
    lines = every_shim.problems(
        "--stdin", "gone", "--fd", "1X=a", "--fd", "LD_PRELOAD=a", "--fd", "E=empty", "--env",
        "A=a", "--fd", "A=a", "true",
    )  # fmt: skip
    assert lines == [
        f"secret gone: no such file in {mount}; give it to the container, or say --optional gone",
        "--fd: what it names cannot be the name of a variable (letters, digits and _, not starting "
        "with a digit): name one with --env NAME=SECRET",
        "--fd: the variable LD_PRELOAD is refused, as it can change what the process runs: use "
        "another name, or permit it with --allow-name LD_PRELOAD",
        "secret empty is empty: give it a value, or say --optional empty",
        "the variable A is set by --env and by --fd: choose one",
    ]


def test_optional_secrets(shim: Shim, secret) -> None:
    """Missing: standard input is empty, and not the container's; the variable stays as it was."""
    words = ("--stdin", "gone", "--fd", "A=gone", "--optional", "gone")
    assert shim.output(*words, "sh", "-c", "cat; echo $A", input=b"x", env={b"A": b"old"}) == (
        b"old\n"
    )


def test_a_variable_of_fd_is_not_one_of_env_all(shim: Shim, secret) -> None:
    """--env-all leaves NAME to --fd, also where its content could be no variable."""
    secret("key", b"\0")
    secret("other", b"1")
    assert shim.variables("--env-all", "--fd", "KEY=key") == {b"KEY": b"/dev/fd/3", b"OTHER": b"1"}


def test_explain_and_check(shim: Shim, secret, tmp_path: Path) -> None:
    """--explain lists each place, and never a value given in place of a name; --check reads."""
    secret("a", b"1")
    secret("db", b'{"x": "2"}')
    config = tmp_path / "config.json"
    config.write_text('{"stdin": "a", "fd": {"X": "db#/x"}, "arg": ["a"], "allow_argv": true}')
    words = ("--config", str(config), "--", "cat", "<<a>>")
    lines = shim.output("--explain", *words).decode().splitlines()
    assert [re.split("  +", line) for line in lines[:4]] == [
        ["HANDED OVER", "SECRET", "FILE", "RULE"],
        ["standard input", "a", f"{shim.mount}/a", "--stdin"],
        ["/dev/fd/3", "db#/x", f"{shim.mount}/db", "--fd, named by X"],
        ["<<a>>", "a", f"{shim.mount}/a", "--arg"],
    ]
    assert shim.run("--check", *words).returncode == 0
    done = shim.run("--explain", "--arg", "hunter2", "--allow-argv", "--stdin", "hunter3 ")
    assert b"hunter" not in done.stdout


@pytest.mark.parametrize("limits", [["--user=65534:65534", "--cap-drop=ALL"], []], ids=repr)
def test_in_a_container(engine: Engine, open_shim: Shim, limits: list[str]) -> None:
    """Under Docker's filter of system calls, read-only, as root with --user and as nobody."""
    (open_shim.mount / "db").write_bytes(b'{"user": "app", "key": "s3cret"}')
    output = engine.docker(
        "run", "--rm", "--read-only", "--network=none", *limits,
        f"--volume={open_shim.launcher.parent}:/opt/secretkit:ro",
        f"--volume={open_shim.mount}:/run/secrets:ro",
        engine.image, "python3", "-ISB", "/opt/secretkit/secretkit-entrypoint",
        "--fd=KEY=db#/key", "--stdin=db#/user", "--arg=db#/user", "--allow-argv",
        "--user=65534:65534", "--",
        "sh", "-c", 'cat - "$KEY" "$KEY"; echo " $KEY $1"', "sh", "<<db#/user>>",
    )  # fmt: skip
    assert output == "apps3crets3cret /dev/fd/3 app"


PASSWORD = b"p w\"$`\\'#:"


@pytest.mark.parametrize("place", ["stdin", "fd:3", "file:/dev/fd/3"])
def test_openssl_takes_a_password(shim: Shim, secret, place: str) -> None:
    """`openssl -pass`: the same key as from the password itself."""
    openssl = [need_program("openssl"), "enc", "-aes-256-ctr", "-pbkdf2", "-nosalt", "-in", PROJECT]
    secret("pw", PASSWORD + b"\n")
    words = ("--stdin", "pw") if place == "stdin" else ("--fd", "P=pw")
    expected = subprocess.check_output([*openssl, "-pass", b"pass:" + PASSWORD])
    assert shim.output(*words, *openssl, "-pass", place) == expected


@pytest.mark.parametrize("words", [("--fd", "KEY=key"), ("--stdin", "key")])
def test_ssh_add_takes_a_key(shim: Shim, secret, tmp_path: Path, words) -> None:
    """ssh-add refuses a key that others may read; it takes this one, from either place."""
    for program in ("ssh-keygen", "ssh-agent", "ssh-add"):
        need_program(program)
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    secret("key", key.read_bytes())
    script = 'ssh-add -q "${KEY--}" && ssh-add -L'
    argv = ("--no-env", *words, "ssh-agent", "-a", str(tmp_path / "agent"), "sh", "-c", script)
    output = shim.output(*argv)
    assert output.split()[:2] == key.with_suffix(".pub").read_bytes().split()[:2]


def test_mysql_programs_take_an_options_file(shim: Shim, secret) -> None:
    """`--defaults-extra-file=/dev/fd/3`, read by MySQL's own reader."""
    need_program("my_print_defaults")
    secret("cnf", b'[client]\npassword="a#b;"\n')
    command = ("my_print_defaults", "--defaults-file=/dev/fd/3", "client")
    assert shim.output("--fd", "CNF=cnf", *command) == b"--password=a#b;\n"


def test_psql_takes_a_passfile(shim: Shim, secret) -> None:
    """libpq ignores a .pgpass that is no regular file or open to others; this one logs in."""
    need_program("psql")
    with postgres([PASSWORD]) as environment:
        secret("pgpass", b"*:*:*:*:" + PASSWORD.replace(b"\\", b"\\\\").replace(b":", b"\\:"))
        connection = f"hostaddr=127.0.0.1 port={environment['PGPORT']} dbname=postgres user=u0"
        command = ("--fd", "PGPASSFILE=pgpass", "psql", "-XqAtwc", "SELECT 1", connection)
        assert shim.output(*command) == b"1\n"
        secret("pgpass", b"*:*:*:*:wrong")
        assert b"password authentication failed" in shim.run(*command).stderr


class _Login(BaseHTTPRequestHandler):
    """Answers with the credentials of Basic authentication (RFC 7617)."""

    def do_GET(self) -> None:
        scheme, _, credentials = self.headers.get("Authorization", "none ").partition(" ")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(scheme.encode() + b" " + base64.b64decode(credentials))

    def log_message(self, *_words: object) -> None:
        """Nothing."""


@pytest.fixture
def login_server() -> Iterator[str]:
    """The URL of a server that tells who asks."""
    with HTTPServer(("127.0.0.1", 0), _Login) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_curl_takes_a_netrc_file(shim: Shim, secret, login_server: str) -> None:
    """`curl --netrc-file /dev/fd/3`."""
    need_program("curl")
    secret("netrc", b"machine 127.0.0.1 login app password s3cret\n")
    command = ("curl", "-qsS", "--netrc-file", "/dev/fd/3", login_server)
    assert shim.output("--fd", "N=netrc", *command) == b"Basic app:s3cret"

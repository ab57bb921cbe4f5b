"""redis.conf, read by a real redis-server: it is the only reader of this syntax."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from secretkit_entrypoint import formats
from secretkit_entrypoint.errors import ShimError
from secretkit_entrypoint.render import load

from tests.needs import need_program

from .cases import Content
from .values import values

NASTY = [b"p@ss&w/o\\r\"d's $x #1 % ", b"two\nlines\r\n", b" a ", b"\0\x00", b"\\", b"'", b'"']
NASTY += [b"\xff\xfe", "pässwörd ✓".encode(), b"\\x41\\n", b"{{ x }}<<s0>>", b"#", b"x" * 5000]

# How a word can hold a value: № is replaced by the number of the secret.
WORDS = {
    "bare": "<<s№|verbatim>>",
    "bare after text": "><<s№|verbatim>>",
    "double": '"<<s№|verbatim>>"',
    "double in text": '">a <<s№|verbatim>> b"',
    "single": "'<<s№|verbatim>>'",
    "single in text": "'>a <<s№|verbatim>> b'",
}


@contextmanager
def redis(config: bytes) -> Iterator[Callable[..., list[bytes]]]:
    """A redis-server that reads `config`; gives a function that sends one command.

    The function returns the bulk strings of the reply, whatever their nesting.
    """
    program = need_program("redis-server")
    # The path of a socket has at most 107 bytes, so it cannot be in pytest's folders.
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        path = f"{folder}/s"
        server = subprocess.Popen(
            [program, "-", "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert server.stdin
        server.stdin.write(config)
        server.stdin.close()
        try:
            with connect(path, server) as connection:
                yield lambda *words: ask(connection, words)
        finally:
            server.kill()
            server.wait()
            assert server.stdout
            server.stdout.close()


def connect(path: str, server: subprocess.Popen[bytes]) -> socket.socket:
    """A connection to the server, which may just be starting."""
    deadline = time.monotonic() + 20
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
            return connection
        except OSError:
            connection.close()
            if server.poll() is not None or time.monotonic() > deadline:
                assert server.stdout
                server.kill()
                raise AssertionError(server.stdout.read().decode(errors="replace")) from None
            time.sleep(0.01)


def ask(connection: socket.socket, words: tuple[bytes, ...]) -> list[bytes]:
    """Send one command, and return all strings of the reply (RESP, redis.io/docs/reference)."""
    connection.sendall(
        b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
    )
    stream = connection.makefile("rb")

    def reply() -> list[bytes]:
        line = stream.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"*":
            return [item for _ in range(int(rest)) for item in reply()]
        if kind == b"$" and rest != b"-1":
            return [stream.read(int(rest) + 2)[:-2]]
        return [rest]

    with stream:
        return reply()


def render(folder: Path, template: str, given: list[bytes]) -> bytes:
    """The template rendered by the shim, with `given` as the secrets s0, s1 ..."""
    source = folder / "redis.conf"
    source.write_text(template, newline="")
    content = Content({f"s{number}": value for number, value in enumerate(given)})
    return load(str(source), "/run/redis.conf", "redis").render(content, {})


def accepted(word: str, given: list[bytes]) -> list[bytes]:
    """The values that the format does not refuse there."""
    module = formats.module("redis")
    (place,) = module.places("requirepass " + word.replace("<<s№|verbatim>>", "\0"))
    found = []
    for value in given:
        with suppress(formats.RefusedError):
            module.encode(value, place)
            found.append(value)
    return found


@pytest.mark.parametrize("word", ["bare", "double", "single"])
def test_redis_has_the_very_bytes_of_the_secret(word: str, tmp_path: Path) -> None:
    """CONFIG GET gives each value back, and nothing that double quotes can hold is refused."""
    given = accepted(WORDS[word], NASTY)
    refused = {b"two\nlines\r\n", b"\0\x00", b"\\"} if word == "single" else set()
    assert set(NASTY) - refused == set(given)
    for value in given:
        config = render(tmp_path, f"requirepass {WORDS[word].replace('№', '0')}\n", [value])
        with redis(config) as send:
            assert send(b"AUTH", value) == [b"OK"]
            assert [b"requirepass", value] == send(b"CONFIG", b"GET", b"requirepass")


@pytest.mark.parametrize("word", WORDS)
def test_redis_reads_every_value(word: str, tmp_path: Path) -> None:
    """Two thousand values, each the password of a user, in one redis.conf."""
    text = WORDS[word]
    given = [value for value in values(seed=6, count=2500) if value] + NASTY
    given = accepted(text, given)
    assert len(given) > 2000
    passwords = given
    if " b" in text:
        passwords = [b"a " + value + b" b" for value in given]
    elif not text.strip("\"'").startswith(">"):
        # Without > in the template it must come from the value itself.
        passwords = given
        given = [b">" + value for value in given]
    lines = (f"user u{n} on {text.replace('№', str(n))}" for n in range(len(given)))
    with redis(render(tmp_path, "\n".join(lines), given)) as send:
        users = dict(
            line.split(b" ", 2)[1:] for line in send(b"ACL", b"LIST") if line[:6] == b"user u"
        )
    # ACL LIST shows the SHA-256 of a password.
    assert [sha256(password).hexdigest() for password in passwords] == [
        users[b"u%d" % n].partition(b"#")[2][:64].decode() for n in range(len(passwords))
    ]


# `@` is a placeholder, as in test_lexers.
PLACES = [
    ("requirepass @", ["bare"]),
    ("requirepass @\r\nmasterauth @ \n", ["bare", "bare"]),
    ('requirepass "@@"', ["inside double quotes"] * 2),
    ("requirepass 'it\\'s @'", ["inside single quotes"]),
    ("user a on >@ ~*", ["bare"]),
    ('user a on >"@" ~*', ["inside double quotes"]),
    ("rename-command CONFIG a@b@", ["part", "bare"]),
    ("requirepass #@ @", ["bare", "bare"]),
    ("# requirepass @", ["refused"]),
    (" \t# '@\nrequirepass @", ["refused", "bare"]),
    ("@ yes", ["refused"]),
    ('a@"@" @', ["refused", "refused", "bare"]),
    ('requirepass "\\@ \\x@"', ["refused", "refused"]),
    ('requirepass "\\x4@ \\\\@"', ["refused", "inside double quotes"]),
    ("requirepass '\\@'", ["refused"]),
    ('requirepass "@', ["refused"]),
    ("requirepass '@\\'", ["refused"]),
    ('requirepass "@"x @', ["refused", "refused"]),
    ('requirepass "@\n@"', ["refused", "refused"]),
]


@pytest.mark.parametrize(("template", "expected"), PLACES)
def test_the_lexer_tells_the_place(template: str, expected: list[str]) -> None:
    """Every placeholder gets the quoting around it, or is refused."""
    places = formats.module("redis").places(template.replace("@", "\0"))
    assert expected == [
        "refused" if isinstance(place, formats.RefusedError) else place for place in places
    ]


PIECES = (
    *('"', "'", "\\", "\\x4", "\\'", " ", " ", "\t", "#", "a", ">", " on ", '"<<v>>"', "'<<v>>'"),
    *("<<v>>", "<<v>>", '>"<<v>>"', "><<v>>", ' "> <<v>>"', " '><<v>> x'"),
)


def test_random_templates_are_refused_or_read_right(tmp_path: Path) -> None:
    """Whatever surrounds a placeholder: the words of that line hold the right values.

    redis-cli splits the lines of its input by the function that redis-server reads redis.conf
    with, so one run of it reads them all.
    """
    random = Random(7)
    attempts = []
    for _ in range(1500):
        first, *rest = "".join(random.choices(PIECES, k=random.randrange(1, 7))).split("<<v>>")
        body = first + "".join(f"<<s{n}|verbatim>>{text}" for n, text in enumerate(rest))
        tokens = [b"standin%dz" % n for n in range(len(rest))]
        given = random.choices(NASTY, k=len(rest))
        try:
            twin = render(tmp_path, f"RPUSH k x {body}", tokens)
            attempts.append((body, given, twin, render(tmp_path, f"RPUSH k x {body}", given)))
        except ShimError:
            continue
    wrong, same = [], 0
    with redis(b"") as send:
        path = send(b"CONFIG", b"GET", b"unixsocket")[1].decode()
        lines = [
            b"RPUSH %d%s" % (number, line.removeprefix(b"RPUSH k"))
            for number, line in enumerate(line for one in attempts for line in one[2:])
        ]
        subprocess.run(
            [need_program("redis-cli"), "-s", path],
            input=b"\n".join(lines) + b"\n",
            stdout=subprocess.DEVNULL,
            check=True,
        )
        for number, (body, given, *_) in enumerate(attempts):
            expected, actual = (
                send(b"LRANGE", b"%d" % key, b"0", b"-1") for key in (2 * number, 2 * number + 1)
            )
            for n, value in enumerate(given):
                expected = [word.replace(b"standin%dz" % n, value) for word in expected]
            if expected != actual:
                wrong.append((body, given, actual))
            # Where a list is empty, redis-cli could not read even the harmless line.
            same += len(expected) > 0 and len(given) > 0
    assert wrong == []
    assert same > 250

"""examples/redis: a real redis-server, logged in to with the real redis-cli."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.engine import Engine
from tests.needs import need, need_program

from .conftest import Example

FIRST = b"p@ss&w/o\\r\"d's $x #1 % `id` <<y>>"
SECOND = b"  two\nlines\t\\x41 \xc3\xa9 \xff "


def test_the_page_works_on_a_workstation(example: Callable[[str], Example]) -> None:
    """Every command above the container's part does what the page says."""
    need_program("redis-server")
    need_program("redis-cli")
    example("redis").run_page(upto="In a container")


def test_the_page_works_with_an_engine(example: Callable[[str], Example], engine: Engine) -> None:
    """Image, container, rotation and restart do what the page says."""
    need_redis(engine)
    example("redis").run_page_with(engine)


def need_redis(engine: Engine) -> None:
    """The image has redis-server if this machine has."""
    need_program("redis-server")
    need_program("redis-cli")
    script = "command -v redis-server"
    found = engine.docker("run", "--rm", engine.image, "sh", "-c", script, check=False)
    need("engine", bool(found), "needs redis-server in the image")


def test_a_rotation_reaches_redis(example: Callable[[str], Example]) -> None:
    """After a restart the first password is refused and the second accepted, and back again."""
    here = example("redis")
    here.create(redis_password=FIRST)
    with server(here) as login:
        assert (login(FIRST), login(b"other"), login(b"")) == ("PONG", REFUSED, REFUSED)
    here.run("secretkit", "rotate", "redis-password", "-", value=SECOND)
    with server(here) as login:
        assert (login(FIRST), login(SECOND)) == (REFUSED, "PONG")
    here.run("secretkit", "rollback", "redis-password")
    with server(here) as login:
        assert (login(FIRST), login(SECOND)) == ("PONG", REFUSED)


@pytest.mark.parametrize("value", [b"#", b'"', b"\\", b"'", b" ", b"$HOME", b"&/", b"\n.", b"\0"])
def test_every_value_is_a_password(example: Callable[[str], Example], value: bytes) -> None:
    """Redis takes what the secret holds, byte for byte."""
    here = example("redis")
    here.create(redis_password=value)
    with server(here) as login:
        assert (login(value), login(value + b"x")) == ("PONG", REFUSED)


def test_a_missing_password_starts_nothing(example: Callable[[str], Example]) -> None:
    """Without the secret, or with an empty one, there is no redis without a password."""
    need_program("redis-server")
    here = example("redis")
    mount = here.memory / "secrets"
    mount.mkdir()
    command = ("--secrets-dir", str(mount), "--render", f"redis.conf:{here.memory}/r,format=redis")
    here.run("secretkit", "shim", "export", "shim")
    shim = ("python3", "-ISB", "shim/secretkit-entrypoint", *command, "--", "redis-server", "r")
    assert "no secret for <<redis-password>>" in here.run(*shim, status=125)
    (mount / "redis-password").write_bytes(b"\n")
    assert "secret redis-password is empty" in here.run(*shim, status=125)
    assert not (here.memory / "r").exists()


REFUSED = "NOAUTH Authentication required."


@contextmanager
def server(here: Example) -> Iterator[Callable[[bytes], str]]:
    """redis-server behind the shim; gives a function that logs in and says what came of it."""
    need_program("redis-server")
    cli = need_program("redis-cli")
    # The path of a socket has at most 107 bytes, so it cannot be in pytest's folders.
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        path = f"{folder}/s"
        config = f"{here.memory}/redis.conf"
        render = f"redis.conf:{config},format=redis"
        table = (here.folder / "secretkit.toml").read_text()
        (here.folder / "secretkit.toml").write_text(table.partition("# /dev/shm")[0])
        command = ("secretkit", "run", "--render", render, "--", "redis-server", config)
        process = subprocess.Popen(
            [*command, "--port", "0", "--unixsocket", path],
            cwd=here.folder,
            env=here.environment,
            stdout=subprocess.DEVNULL,
        )

        def login(password: bytes) -> str:
            words = b"AUTH " + b'"%s"\nPING\n' % b"".join(b"\\x%02x" % byte for byte in password)
            done = subprocess.run([cli, "-s", path], input=words, capture_output=True, check=False)
            return done.stdout.decode().strip().splitlines()[-1]

        try:
            deadline = time.monotonic() + 20
            ping = [cli, "-s", path, "PING"]
            while subprocess.run(ping, capture_output=True, check=False).returncode:
                assert process.poll() is None and time.monotonic() < deadline, "no redis"
                time.sleep(0.1)
            yield login
        finally:
            process.terminate()
            assert process.wait(20) == 0

"""A rotation as it is watched: bars on a terminal, on a real swarm and with events made up."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from secrets import token_hex

import pexpect
import pytest

from tests.cli.program import EXECUTABLE, Program
from tests.engine import Engine, swarm

__all__ = ["swarm"]

PROGRAM = "import signal; signal.signal(15, lambda *_: exit()); signal.pause()"
MADE_UP = """
import time
from secretkit.cli.following import following
from secretkit.cli.output import Output
from secretkit.rotation.types import Event
with following(Output(), "rotating db") as show:
    show(Event(0.0, "journal", None, ""))
    odd = "one is [red]starting\\x1b[31m"
    show(Event(0.1, "verify", "api", odd, previous=3, ready=1, wanted=4))
    show(Event(0.1, "verify", "web", "waiting", previous=0, ready=0, wanted=0))
    time.sleep(1)
    show(Event(0.2, "verified", "api", ""))
    time.sleep(1)
"""


@pytest.fixture
def service(swarm: Engine, cli: Program) -> Iterator[str]:
    """A service with two tasks that uses db, on a real swarm."""
    name = f"watched-{token_hex(4)}"
    cli.environ |= {**swarm.environment(), "SECRETKIT_ENGINE": "swarm"}
    cli.create(name, b"first")
    cli.ok("push", name)
    swarm.docker(
        *("service", "create", "--quiet", "--name", name, "--replicas", "2", "--secret", name),
        *("--update-monitor", "1s", "--update-failure-action", "rollback"),
        *("--update-order", "start-first", swarm.image, "python3", "-c", PROGRAM),
    )
    yield name
    swarm.docker("service", "rm", name)


def screen_of(child: pexpect.spawn[bytes]) -> str:
    child.expect(pexpect.EOF)
    child.close()
    shown: bytes = child.before
    return shown.decode()


def terminal(cli: Program, *command: str, columns: int = 140) -> pexpect.spawn[bytes]:
    environ = {**cli.environ, "TERM": "xterm"}
    return pexpect.spawn(
        command[0],
        list(command[1:]),
        cwd=str(cli.folder),
        env=environ,
        timeout=60,
        dimensions=(24, columns),
    )


def test_bars(cli: Program) -> None:
    """A bar for each service, with tasks here and there; no word of an event steers anything."""
    child = terminal(cli, sys.executable, "-c", MADE_UP)
    screen = screen_of(child)
    assert child.exitstatus == 0, screen
    assert "rotating db" in screen
    assert "the rotation is recorded in the swarm" in screen
    assert "━" in screen
    assert "1/4" in screen
    assert "one is [red]starting\\x1b[31m" in screen
    assert "all its tasks run well with the next version" in screen


def test_bars_on_a_narrow_terminal(cli: Program) -> None:
    """What a service waits for gives way; numbers and headings do not."""
    screen = screen_of(terminal(cli, sys.executable, "-c", MADE_UP, columns=80))
    assert all(name in screen for name in ("SERVICE", "READY", "PREVIOUS", "TIME"))
    assert "one is [red]" in screen
    assert "next version" not in screen


def test_a_rotation_on_a_terminal(cli: Program, service: str) -> None:
    """It is drawn while it goes on, and the table stays at the end."""
    child = terminal(cli, EXECUTABLE, "rotate", service, "--generate", "pin")
    screen = screen_of(child)
    assert child.exitstatus == 0, screen
    assert f"rotating {service}" in screen
    assert "PREVIOUS" in screen
    assert f"{service} v2" in screen
    assert "completed" in screen.rpartition("OUTCOME")[2]


def test_services_are_watched(cli: Program, service: str) -> None:
    """It is drawn anew when something changes, until Ctrl-C, exit 0."""
    child = terminal(cli, EXECUTABLE, "services", service, "--watch")
    child.expect_exact(b"2/2")
    cli.ok("rotate", service, "--generate", "pin", "--quiet")
    child.expect_exact(b"v2")
    child.sendintr()
    assert "Traceback" not in screen_of(child)
    assert child.exitstatus == 0

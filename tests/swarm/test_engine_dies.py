"""An engine that loses its power in the middle of a rotation, and comes back with its data."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.program import EXECUTABLE, Program
from tests.engine import Daemon, Engine, image, named_engine, private_daemon
from tests.swarm.services import Services, started, until


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """A swarm of this test alone, which can be killed."""
    named_engine()  # says what is missing
    with private_daemon(swarm=True) as found, image(found.engine):
        yield found


@pytest.fixture
def swarm(daemon: Daemon) -> Engine:
    """Takes the place of the one that the other tests share."""
    return daemon.engine


def test_a_rotation_outlives_the_engine(
    secretkit: Program, services: Services, daemon: Daemon
) -> None:
    """dockerd and all tasks die in the rollout and start again: the rotation waits, and is done."""
    web = services.create("web", "--update-delay", "1s", replicas=2)
    command = [EXECUTABLE, "rotate", services.secret, "-"]
    with started(command, b"two", secretkit.environ, secretkit.folder) as rotation:
        until("the swap", lambda: services.references(web)[0][0] == "db-password-v2")
        daemon.kill()
        assert rotation.poll() is None
        daemon.start()
        _, said = rotation.communicate(timeout=60)
    if rotation.returncode:
        # The engine was away for longer than it waits: that is said, and the same command resumes.
        assert rotation.returncode == 5, said.decode()
        secretkit.ok("rotate", services.secret, "-", input=b"two")
    # A task that the engine had started twice over its death may still be ending.
    until("two tasks", lambda: services.running(web) == 2)
    assert services.values(web) == ["two", "two"]
    assert secretkit.ok("show", services.secret).out == b"two"
    assert services.journals() == []

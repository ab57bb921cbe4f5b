"""For each test: a project that uses the swarm, and services with names of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import bare, cli, memory
from tests.cli.program import Program
from tests.engine import Engine, engine, swarm
from tests.swarm.proxy import Proxy, proxied
from tests.swarm.services import Services, services_of

__all__ = ["bare", "cli", "engine", "memory", "swarm"]


@pytest.fixture
def services(swarm: Engine) -> Iterator[Services]:
    """What the test makes on the swarm is removed after it."""
    with services_of(swarm) as found:
        yield found


@pytest.fixture
def secretkit(cli: Program, swarm: Engine, services: Services) -> Program:
    """The program in a project on the swarm; version 1 of the secret is `one`, and pushed."""
    cli.environ |= {"SECRETKIT_ENGINE": "swarm", "DOCKER_HOST": swarm.host}
    cli.create(services.secret, b"one")
    cli.ok("push", services.secret)
    return cli


@pytest.fixture
def proxy(secretkit: Program, swarm: Engine, memory: Path) -> Iterator[Proxy]:
    """What secretkit talks to instead of the engine; the tests themselves go past it."""
    with proxied(swarm.host, memory / "proxy") as found:
        secretkit.environ["DOCKER_HOST"] = found.host
        yield found

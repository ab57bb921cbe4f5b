"""For each test: a project that uses the swarm, and services with names of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.program import Program
from tests.engine import Engine, swarm
from tests.swarm.proxy import Proxy, proxied
from tests.swarm.services import Services, operator, services_of

__all__ = ["swarm"]


@pytest.fixture
def services(swarm: Engine) -> Iterator[Services]:
    """What the test makes on the swarm is removed after it."""
    with services_of(swarm) as found:
        yield found


@pytest.fixture
def secretkit(services: Services) -> Iterator[Program]:
    """The program in a project on the swarm; version 1 of the secret is `one`, and pushed."""
    with operator(services) as program:
        yield program


@pytest.fixture
def proxy(secretkit: Program, services: Services) -> Iterator[Proxy]:
    """What secretkit talks to instead of the engine; the tests themselves go past it."""
    with proxied(services.engine.host, secretkit.folder / "proxy") as found:
        secretkit.environ["DOCKER_HOST"] = found.host
        yield found

"""Both grounds of the contract, and the engines that they need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine import Engine, engine, swarm
from tests.engines.ground import Ground, Memory, Real, real

__all__ = ["engine", "swarm"]


@pytest.fixture(params=["memory", "swarm"])
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """A swarm in memory, then a real one."""
    if request.param == "memory":
        yield Memory()
    else:
        with real(request.getfixturevalue("swarm")) as found:
            yield found


@pytest.fixture
def docker(swarm: Engine) -> Iterator[Real]:
    """The real one alone."""
    with real(swarm) as found:
        yield found

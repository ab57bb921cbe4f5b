"""The swarm, once by each docker client of this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engine import Engine, swarm
from tests.stack.clients import Stacks, clients, stacks_of, version

__all__ = ["swarm"]


@pytest.fixture(scope="module", params=clients(), ids=lambda one: ".".join(map(str, version(one))))
def stacks(request: pytest.FixtureRequest, swarm: Engine) -> Iterator[Stacks]:
    """What the tests of a module make on the swarm is removed after them."""
    with stacks_of(swarm, request.param) as found:
        yield found

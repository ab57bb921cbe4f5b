"""A project with the page's secrets, and a swarm to try it on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.conftest import bare, cli, memory
from tests.cli.program import Program
from tests.engine import Engine, left_as_it_was, swarm

__all__ = ["bare", "cli", "memory", "swarm"]


@pytest.fixture
def project(cli: Program, swarm: Engine) -> Iterator[Program]:
    """A project on the swarm; what the test makes there is removed after it."""
    cli.environ |= {"DOCKER_HOST": swarm.host}
    with left_as_it_was(swarm):
        yield cli

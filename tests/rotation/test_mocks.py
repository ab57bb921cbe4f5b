"""Mocks in rotations, at every moment at which a value could get to an engine."""

from __future__ import annotations

from typing import Any

import pytest

from secretkit.errors import MockError
from secretkit.mocks import Mock, mock_for
from secretkit.rotation import plan
from secretkit.rotation.usage import push
from secretkit.rotation.versions import ConfigVersions
from tests.engines.memory import MemorySwarm
from tests.rotation.conftest import Killed, Stage

MOCKS = [
    value
    for kind in (None, "uuid", "pin", "rsa", "tls")
    for value in mock_for("db-password", kind, Mock()).values()
]


def names(swarm: MemorySwarm) -> list[str]:
    return sorted(one.name for kind in ("secret", "config") for one in swarm.objects(kind))


@pytest.mark.parametrize("value", MOCKS)
@pytest.mark.parametrize("kill", [None, "journal", "stage", "create"])
def test_no_rotation_takes_one(stage: Stage, value: bytes, kill: str | None) -> None:
    """Neither the first time nor when one goes on that was killed, whose value may be missing."""
    stage.deploy("web")
    if kill is not None:
        with pytest.raises(Killed):
            stage.rotate(b"second", kill=kill)
    before = names(stage.swarm), stage.store.get("db-password").versions
    with pytest.raises(MockError):
        stage.rotate(value)
    assert (names(stage.swarm), stage.store.get("db-password").versions) == before
    assert stage.rotate(b"second").outcome == "completed"


def test_neither_push_nor_rollback_takes_one(stage: Stage) -> None:
    """A version that the store has is looked at before an engine is given it."""
    stage.deploy("web")
    stage.store.rotate("db-password", MOCKS[0])
    before = names(stage.swarm)
    for act in (
        lambda: push(stage.versions, stage.swarm, "db-password"),
        lambda: stage.rollback(2),
        lambda: plan(stage.versions, stage.swarm, "db-password", to=2),
    ):
        with pytest.raises(MockError) as caught:
            act()
        assert caught.value.what == "secret db-password v2"
        assert names(stage.swarm) == before
    assert stage.rotate(b"real").after == 3
    with pytest.raises(MockError):
        stage.rollback()
    assert stage.rollback(1).outcome == "completed"


@pytest.mark.parametrize("value", MOCKS)
def test_no_config_is_one(value: bytes) -> None:
    """Nor has one in it; a PIN alone is looked for as a whole value."""
    swarm = MemorySwarm()
    versions: Any = ConfigVersions(swarm)
    for content in (value, b"x: " + value if len(value) > 9 else value):
        with pytest.raises(MockError):
            versions.begin("app", content, "given")
    assert names(swarm) == []

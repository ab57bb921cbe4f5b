"""A rotation that is killed at any step is ended by the same command."""

from __future__ import annotations

import pytest

from secretkit.errors import ConflictError, RolloutFailedError, RotationInProgressError
from tests.rotation.conftest import Killed, Stage

FORWARD = (
    "journal", "stage", "create", "plan", "before", "swap", "verify", "verified", "settle",
    "commit", "release",
)  # fmt: skip
BACK = (*FORWARD[:7], "undo", "undone", "release")


@pytest.mark.parametrize("step", FORWARD)
def test_forward(stage: Stage, step: str) -> None:
    """Both services end on the next version, with no third one made and no journal left."""
    stage.deploy("api", "web")
    with pytest.raises(Killed):
        stage.rotate(b"second", kill=step)
    if step != "release":
        stage.rotate(b"second")
    assert stage.versions_used() == {"api": {"db-password-v2"}, "web": {"db-password-v2"}}
    assert stage.object_names() == ["db-password", "db-password-v2"]
    assert stage.store.get("db-password").versions == (1, 2)
    assert stage.store.get("db-password").current == 2
    assert stage.store.read("db-password") == b"second"
    assert stage.is_quiet()


@pytest.mark.parametrize("step", [step for step in FORWARD if step != "stage"])
def test_rollback(stage: Stage, step: str) -> None:
    """A rollback that was killed goes on as a rollback to the same version."""
    stage.deploy("api", "web")
    stage.rotate(b"second")
    with pytest.raises(Killed):
        stage.rollback(kill=step)
    if step != "release":
        stage.rollback()
    assert stage.versions_used() == {"api": {"db-password"}, "web": {"db-password"}}
    assert stage.store.get("db-password").current == 1
    assert stage.is_quiet()


@pytest.mark.parametrize("step", BACK)
@pytest.mark.parametrize("action", ["rollback", "pause", "continue"])
def test_a_bad_value(stage: Stage, step: str, action: str) -> None:
    """A failing rollout that was killed ends as it would have: all on the previous version."""
    stage.deploy("api", "web", failure_action=action)
    stage.swarm.behave(b"second", crashes=0.5)
    try:
        stage.rotate(b"second", kill=step, timeout=60)
    except Killed:
        if step != "release":
            with pytest.raises(RolloutFailedError):
                stage.rotate(b"second", timeout=60)
    except RolloutFailedError:
        assert action == "rollback"  # the engine took it back by itself
        assert step == "undo"
    assert stage.versions_used() == {"api": {"db-password"}, "web": {"db-password"}}
    assert stage.store.get("db-password").versions == (1, 2)
    assert stage.store.get("db-password").current == 1
    assert stage.is_quiet()


def test_the_engine_is_taking_it_back(stage: Stage) -> None:
    """Its own rollback of what this rotation did is no reason to refuse to go on with it."""
    stage.deploy("api", "web")
    stage.swarm.behave(b"second", crashes=0.5)
    with pytest.raises(Killed):
        stage.rotate(b"second", kill="verify")
    while stage.swarm.services()[0].update_state != "rollback_started":
        stage.swarm.sleep(0.05)
    with pytest.raises(RolloutFailedError):
        stage.rotate(b"second")
    assert stage.versions_used() == {"api": {"db-password"}, "web": {"db-password"}}
    assert stage.is_quiet()


@pytest.mark.parametrize("step", FORWARD[:-2])
def test_abort(stage: Stage, step: str) -> None:
    """What was interrupted before the commit can be ended by going back."""
    stage.deploy("api", "web")
    with pytest.raises(Killed):
        stage.rotate(b"second", kill=step)
    assert stage.abort().outcome == "aborted"
    assert stage.versions_used() == {"api": {"db-password"}, "web": {"db-password"}}
    assert stage.store.get("db-password").current == 1
    assert stage.is_quiet()


def test_another_value(stage: Stage) -> None:
    """A value that is not the staged one is refused; none, or a generated one, goes on."""
    stage.deploy("web")
    with pytest.raises(Killed):
        stage.rotate(b"second", kill="swap")
    with pytest.raises(ConflictError, match="v2 has another value") as caught:
        stage.rotate(b"other")
    assert "--abort" in str(caught.value.hint)
    assert stage.rotate(b"other", source="password:32").after == 2
    assert stage.store.read("db-password") == b"second"


def test_a_rollback_during_a_rotation(stage: Stage) -> None:
    """The other direction is refused, with what to do."""
    stage.deploy("web")
    with pytest.raises(Killed):
        stage.rotate(b"second", kill="swap")
    with pytest.raises(ConflictError, match="a rotation is under way, db-password to v2"):
        stage.rollback()
    assert stage.rotate(None).current == 2


def test_two_operators(stage: Stage) -> None:
    """While one is at it, another is told who, and changes nothing."""
    stage.deploy("web")
    seen: list[RotationInProgressError] = []

    def second() -> None:
        from secretkit.rotation import rotate

        with pytest.raises(RotationInProgressError, match="in progress, db-password to v2") as e:
            rotate(stage.versions, stage.swarm, "db-password", b"other")
        seen.append(e.value)

    stage.swarm.meddle("update", second)
    assert stage.rotate(b"second").current == 2
    assert len(seen) == 1
    assert stage.object_names() == ["db-password", "db-password-v2"]

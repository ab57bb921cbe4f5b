"""What becomes of services in a rotation: arrived, taken back, left alone, edited by others."""

from __future__ import annotations

import pytest

from secretkit.engines.spec import swapped
from secretkit.errors import (
    ConflictError,
    EngineUnreachableError,
    HookError,
    PreflightError,
    RolloutFailedError,
    ServiceNotFoundError,
)
from secretkit.rotation.hooks import Hooks
from secretkit.rotation.types import Report
from tests.rotation.conftest import Stage

FIVE = ("s1", "s2", "s3", "s4", "s5")


def report_of(error: RolloutFailedError) -> Report:
    assert isinstance(error.report, Report)
    return error.report


@pytest.mark.parametrize("at_once", [1, 5])
@pytest.mark.parametrize("action", ["rollback", "pause", "continue"])
def test_the_third_of_five_fails(stage: Stage, action: str, at_once: int) -> None:
    """All five end on the previous version, and the error says which one failed, and why."""
    stage.deploy("s1", "s2", "s4", "s5")
    stage.swarm.deploy("s3", "db-password", order="start-first", failure_action=action)
    stage.swarm.settle()
    stage.swarm.behave(b"second", crashes=3.0)
    with pytest.raises(RolloutFailedError, match="db-password v2 failed, s3: .*on v1") as caught:
        stage.rotate(b"second", max_parallel=at_once, timeout=60)
    assert set(stage.versions_used()) == set(FIVE)
    assert all(used == {"db-password"} for used in stage.versions_used().values())
    assert report_of(caught.value).outcome == "rolled back"
    assert stage.store.get("db-password").current == 1
    assert stage.is_quiet()


def test_a_crash_after_the_monitor_window(stage: Stage) -> None:
    """The engine says completed; the soak sees the task end, and all go back."""
    stage.deploy("web")
    stage.swarm.behave(b"second", crashes=4.0)
    with pytest.raises(RolloutFailedError):
        stage.rotate(b"second", soak=10.0)
    assert stage.versions_used() == {"web": {"db-password"}}


def test_stop(stage: Stage) -> None:
    """With on_failure=stop the failed service goes back alone; a rotation to go on with stays."""
    stage.deploy("api", "web")
    stage.swarm.behave(b"second", crashes=0.5)
    with pytest.raises(RolloutFailedError) as caught:
        stage.rotate(b"second", on_failure="stop")
    assert report_of(caught.value).outcome == "stopped"
    assert not stage.is_quiet()
    stage.swarm.behave(b"second")
    assert stage.rotate(None).current == 2
    assert stage.versions_used() == {"api": {"db-password-v2"}, "web": {"db-password-v2"}}


def test_somebody_else_edits(stage: Stage) -> None:
    """A label, a scale and an image set in the middle are there at the end."""
    stage.deploy("web")

    def edit() -> None:
        def change(spec: dict) -> None:  # type: ignore[type-arg]
            spec["Labels"]["who"] = "else"
            spec["Mode"]["Replicated"]["Replicas"] = 3
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = "app:2"

        stage.swarm.edit("web", change)

    stage.swarm.meddle("update", edit)
    assert stage.rotate(b"second").services[0].tasks == 3
    spec = stage.swarm.services()[0].spec
    assert spec["Labels"] == {"who": "else"}
    assert spec["TaskTemplate"]["ContainerSpec"]["Image"] == "app:2"
    assert stage.versions_used() == {"web": {"db-password-v2"}}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", ["update", "relabel", "create", "services", "tasks", "remove"])
def test_a_request_that_fails(stage: Stage, call: str, after: bool) -> None:
    """Whether it took effect or not, each is tried again or resumed; the end is the same."""
    stage.deploy("web")
    stage.swarm.fail(call, EngineUnreachableError("no manager answers"), after=after)
    try:
        stage.rotate(b"second")
    except EngineUnreachableError as error:
        assert "the same command goes on" in str(error.hint)
        stage._monkeypatch.setattr("secretkit.rotation.journal._is_gone", lambda process: True)
        stage.rotate(b"second")
    assert stage.versions_used() == {"web": {"db-password-v2"}}
    assert stage.object_names() == ["db-password", "db-password-v2"]
    assert stage.is_quiet()


def test_a_stalled_update(stage: Stage) -> None:
    """An update that stands still, as after the death of a node, is issued again."""
    stage.deploy("web", replicas=4)
    stage.swarm.stall("web")
    assert stage.rotate(b"second").outcome == "completed"
    assert any("stands still" in event.message for event in stage.events)


def test_replicas_zero_global_and_jobs(stage: Stage) -> None:
    """A service without tasks and a global one arrive; a job is left alone, and said."""
    stage.deploy("none", replicas=0)
    stage.deploy("everywhere", mode="Global")
    stage.deploy("job", mode="ReplicatedJob", replicas=1)
    report = stage.rotate(b"second")
    used = {service.name: service.references[0].object_name for service in stage.swarm.services()}
    assert used == {"none": "db-password-v2", "everywhere": "db-password-v2", "job": "db-password"}
    assert {one.service: one.outcome for one in report.services} == {
        "everywhere": "completed",
        "none": "completed",
        "job": "skipped",
    }


def test_two_targets(stage: Stage) -> None:
    """Both references change, and each comes back to what it was."""
    stage.swarm.create("secret", "db-password-v2", b"second", {})
    usual = {"order": "start-first", "monitor": 1.0, "failure_action": "pause"}
    stage.swarm.deploy("web", ("db-password", "a"), ("db-password-v2", "b"), **usual)
    stage.swarm.settle()
    stage.swarm.behave(b"third", crashes=0.5)
    with pytest.raises(RolloutFailedError):
        stage.rotate(b"third")
    found = {use.target: use.object_name for use in stage.swarm.services()[0].references}
    assert found == {"a": "db-password", "b": "db-password-v2"}
    stage.swarm.behave(b"third")
    assert stage.rotate(b"fourth").after == 4
    found = {use.target: use.object_name for use in stage.swarm.services()[0].references}
    assert found == {"a": "db-password-v4", "b": "db-password-v4"}


def test_preflight(stage: Stage) -> None:
    """A paused service refuses, and nothing was made; strict refuses warnings too."""
    stage.deploy("web", failure_action="pause")
    with pytest.raises(PreflightError, match="web: its update failure action is pause"):
        stage.rotate(b"second", strict=True)
    with pytest.raises(ServiceNotFoundError) as caught:
        stage.rotate(b"second", services=("wep",))
    assert caught.value.hint == "did you mean web?"
    assert stage.object_names() == ["db-password"]
    assert stage.store.get("db-password").versions == (1,)
    assert stage.is_quiet()


def test_hooks(stage: Stage) -> None:
    """`before` failing touches no service; `verify` failing takes all back; `after` comes last."""
    stage.deploy("web")
    with pytest.raises(HookError) as caught:
        stage.rotate(b"second", hooks=Hooks(before=("false",)))
    assert "no service was touched" in str(caught.value.hint)
    assert stage.swarm.calls["update"] == 0
    assert stage.is_quiet()
    with pytest.raises(RolloutFailedError, match="hook verify of db-password for web"):
        stage.rotate(b"third", hooks=Hooks(verify=("false",)))
    assert stage.versions_used() == {"web": {"db-password"}}
    assert stage.rotate(b"fourth", hooks=Hooks(after=("true",))).current == 4
    assert stage.steps()[-3:] == ["commit", "after", "release"]
    with pytest.raises(HookError) as caught:
        stage.rotate(b"fifth", hooks=Hooks(after=("false",)))
    assert "on v5, which is current; the same command tries" in str(caught.value.hint)
    assert stage.rotate(None, hooks=Hooks(after=("true",))).current == 5


def test_a_store_that_lags(stage: Stage) -> None:
    """A version made elsewhere is counted, learned, and not rolled back from by guess."""
    stage.deploy("web")
    made = stage.swarm.create("secret", "db-password-v2", b"elsewhere", {})
    first = stage.swarm.find("secret", "db-password")
    assert first is not None
    change = {first.id: (made.id, made.name)}
    stage.swarm.edit("web", lambda spec: spec.update(swapped(spec, "secret", change)))
    stage.swarm.settle()
    with pytest.raises(ConflictError, match="v1 is current here and services use v2"):
        stage.rollback()
    report = stage.rotate(b"third")
    assert (report.before, report.after) == (2, 3)
    assert stage.store.get("db-password").versions == (1, 2, 3)
    assert stage.rollback(to=2).current == 2
    assert stage.versions_used() == {"web": {"db-password-v2"}}


def test_what_it_costs(stage: Stage) -> None:
    """One request for all services and one for all tasks at each look: not one a service."""
    names = tuple(f"s{number}" for number in range(10))
    stage.deploy(*names)
    stage.swarm.calls.clear()
    stage.rotate(b"second", max_parallel=10)
    assert stage.swarm.calls["update"] == 10
    assert stage.swarm.calls["tasks"] < 40

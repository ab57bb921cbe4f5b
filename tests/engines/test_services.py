"""The contract of an engine's services, on a swarm in memory and on a real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from secretkit.engines import spec as specs
from secretkit.engines.protocol import EngineObject, Service
from secretkit.errors import EngineRefusedError, OutOfSequenceError, ServiceNotFoundError
from tests.engines.ground import (
    CRASHES,
    LATE,
    UNHEALTHY,
    Ground,
    ends,
    running,
    service_spec,
    started,
    until,
)


def swap(ground: Ground, service: Service, before: EngineObject, after: EngineObject) -> None:
    """Gives the service the other object."""
    spec = specs.swapped(service.spec, before.kind, {before.id: (after.id, after.name)})
    ground.engine.update(service, spec)


def used(service: Service) -> list[str]:
    return [use.object_id for use in service.references]


@contextmanager
def rolling(
    ground: Ground,
    content: bytes,
    *,
    check: bool = False,
    action: str = "rollback",
    replicas: int = 2,
) -> Iterator[tuple[Service, EngineObject, EngineObject]]:
    """A running service whose update to this content has just begun."""
    before, after = ground.object(b"1"), ground.object(content)
    spec = service_spec(ground, before, check=check, action=action, replicas=replicas)
    service = started(ground, spec)
    swap(ground, service, before, after)
    yield service, before, after


def test_a_swap_reaches_every_task(ground: Ground) -> None:
    """The spec before becomes the previous one; the state is absent, updating, completed; the
    tasks have the other object under the same target, and those that ended are still told of."""
    before, after = ground.object(b"1"), ground.object(b"2")
    service = started(ground, service_spec(ground, before, check=True))
    assert (service.update_state, service.previous_spec) == (None, None)
    assert (service.mode, service.replicas, service.is_job) == ("replicated", 2, False)
    assert ground.engine.has_health_check(service) is True
    swap(ground, service, before, after)
    assert ends(ground, service.id)[-2:] == ["updating", "completed"]
    found = ground.engine.service(service.id)
    assert found.previous_spec == service.spec
    assert found.references == (
        service.references[0]._replace(object_id=after.id, object_name=after.name),
    )
    assert found.references[0].target == before.name
    tasks = running(ground, service.id)
    assert [(task.slot, task.references) for task in tasks] == [
        (1, found.references),
        (2, found.references),
    ]
    ended = [task for task in ground.engine.tasks([service.id]) if not task.wanted]
    assert [task.references for task in ended] == [service.references] * 2
    assert found in ground.engine.services()


def test_an_index_that_is_not_the_last_is_refused(ground: Ground) -> None:
    """An update is a compare-and-swap of the whole spec."""
    before, after = ground.object(b"1"), ground.object(b"2")
    service = ground.engine.service(ground.make(service_spec(ground, before, replicas=0)))
    swap(ground, service, before, after)
    with pytest.raises(OutOfSequenceError):
        swap(ground, service, before, after)
    assert used(ground.engine.service(service.id)) == [after.id]


def test_what_no_service_may_be(ground: Ground) -> None:
    """Another name, an object that is not there, two objects under one target; nothing changes."""
    one, two = ground.object(b"1"), ground.object(b"2")
    service = ground.engine.service(ground.make(service_spec(ground, one, two, replicas=0)))
    missing = specs.swapped(service.spec, "secret", {one.id: ("0" * 25, "nosuch")})
    twice = specs.swapped(service.spec, "secret", {})
    for entry in twice["TaskTemplate"]["ContainerSpec"]["Secrets"]:
        entry["File"]["Name"] = "same"
    for spec in (missing, twice, {**service.spec, "Name": f"other-{ground.mark}"}):
        with pytest.raises(EngineRefusedError, match=f"cannot update service {service.name}"):
            ground.engine.update(service, spec)
    assert ground.engine.service(service.id) == service


def test_which_tasks_are_up_to_date(ground: Ground) -> None:
    """Those that ran before an update are not; after it those are that it made."""
    with rolling(ground, b"2") as (service, _, _):
        before = {task.id for task in running(ground, service.id)}
        assert not before & ground.engine.up_to_date([service.id])
        assert ends(ground, service.id)[-1] == "completed"
    until(ground, lambda: {task.id for task in running(ground, service.id)}.isdisjoint(before))
    after = {task.id for task in running(ground, service.id)}
    assert after == after & ground.engine.up_to_date([service.id])
    assert ground.engine.up_to_date([]) == frozenset()


def test_a_service_that_is_gone(ground: Ground) -> None:
    """It is not found; the tasks of others still are."""
    kept = started(ground, service_spec(ground, ground.object(b"1"), replicas=1))
    gone = ground.engine.service(ground.make(service_spec(ground, replicas=0)))
    ground.remove_service(gone.id)
    with pytest.raises(ServiceNotFoundError):
        ground.engine.service(gone.id)
    with pytest.raises(ServiceNotFoundError):
        ground.engine.update(gone, gone.spec)
    assert {task.service_id for task in ground.engine.tasks([gone.id, kept.id])} == {kept.id}
    assert ground.engine.tasks([]) == []


def test_any_write_takes_the_way_back(ground: Ground) -> None:
    """A label alone makes the previous spec equal to the one before it, and clears the state."""
    with rolling(ground, b"2") as (service, _, after):
        assert ends(ground, service.id)[-1] == "completed"
    found = ground.engine.service(service.id)
    ground.engine.update(found, {**found.spec, "Labels": {"team": "a"}})
    ground.sleep(1)
    last = ground.engine.service(service.id)
    assert last.previous_spec == found.spec
    assert (used(last), last.update_state) == ([after.id], None)
    assert last.spec == {**found.spec, "Labels": {"team": "a"}}


def test_nothing_to_update_has_no_state(ground: Ground) -> None:
    """Of a service without tasks the state stays absent."""
    before, after = ground.object(b"1"), ground.object(b"2")
    service = ground.engine.service(ground.make(service_spec(ground, before, replicas=0)))
    swap(ground, service, before, after)
    ground.sleep(1)
    assert ground.engine.service(service.id).update_state is None


@pytest.mark.parametrize(("content", "check"), [(CRASHES, False), (UNHEALTHY, True)])
def test_an_update_that_fails_goes_back(ground: Ground, content: bytes, check: bool) -> None:
    """By itself, to the previous spec, which is then gone."""
    with rolling(ground, content, check=check) as (service, before, after):
        assert ends(ground, service.id)[-1] == "rollback_completed"
    found = ground.engine.service(service.id)
    assert (used(found), found.previous_spec) == ([before.id], None)
    assert found.update_message == "rollback completed"
    until(ground, lambda: len(running(ground, service.id)) == 2)
    assert {task.references for task in running(ground, service.id)} == {service.references}
    tried = [
        task
        for task in ground.engine.tasks([service.id])
        if task.references[0].object_id == after.id
    ]
    # One that is unhealthy and, told to stop, leaves with status 0 may be "complete".
    word = "unhealthy" if check else "non-zero exit (1)"
    assert all(word in task.message for task in tried if task.state == "failed")
    assert tried
    assert not [task for task in tried if task.wanted]


def test_an_update_that_fails_may_pause(ground: Ground) -> None:
    """It stays without those tasks until somebody updates it again, which clears the state."""
    with rolling(ground, CRASHES, action="pause") as (service, before, after):
        assert ends(ground, service.id)[-1] == "paused"
    found = ground.engine.service(service.id)
    assert found.update_message.startswith("update paused due to failure or early termination")
    assert len(running(ground, service.id)) < 2
    swap(ground, found, after, before)
    assert ends(ground, service.id)[-1] == "completed"
    until(ground, lambda: len(running(ground, service.id)) == 2)
    assert {task.references for task in running(ground, service.id)} == {service.references}


def test_completed_is_not_healthy(ground: Ground) -> None:
    """A task that ends after the monitor time does not fail its update."""
    with rolling(ground, LATE) as (service, _, after):
        assert ends(ground, service.id)[-1] == "completed"
    until(ground, lambda: any(task.state == "failed" for task in ground.engine.tasks([service.id])))
    found = ground.engine.service(service.id)
    assert (found.update_state, used(found)) == ("completed", [after.id])


def test_a_second_update_in_flight(ground: Ground) -> None:
    """It is accepted; the way back is then to the spec that nobody had verified."""
    last = ground.object(b"3")
    with rolling(ground, b"2") as (service, _, after):
        until(ground, lambda: ground.engine.service(service.id).update_state == "updating")
        now = ground.engine.service(service.id)
        swap(ground, now, after, last)
        assert ends(ground, service.id)[-1] == "completed"
    found = ground.engine.service(service.id)
    assert (used(found), found.previous_spec) == ([last.id], now.spec)
    assert {task.references for task in running(ground, service.id)} == {found.references}


def test_a_way_back_whose_object_is_gone(ground: Ground) -> None:
    """No task runs. The automatic rollback pauses, or calls itself complete where the restart of
    the crashed task was quicker and left it nothing to update. (One task: a node that runs another
    with the object still knows it.)"""
    with rolling(ground, CRASHES, replicas=1) as (service, before, _):
        ground.engine.remove("secret", before.id)
        assert ends(ground, service.id)[-1] in ("rollback_paused", "rollback_completed")
    assert used(ground.engine.service(service.id)) == [before.id]
    assert not running(ground, service.id)


def test_no_node_for_a_task(ground: Ground) -> None:
    """An update has no time limit: it stays as it is."""
    before, after = ground.object(b"1"), ground.object(b"2")
    service = started(ground, service_spec(ground, before))
    spec = specs.swapped(service.spec, "secret", {before.id: (after.id, after.name)})
    spec["TaskTemplate"]["Placement"] = {"Constraints": ["node.labels.nosuch==1"]}
    ground.engine.update(service, spec)
    ground.sleep(6)
    assert ground.engine.service(service.id).update_state == "updating"
    pending = [task for task in ground.engine.tasks([service.id]) if task.state == "pending"]
    assert [task.message.startswith("no suitable node") for task in pending] == [True]
    assert len(running(ground, service.id)) == 1


def test_a_host_port_and_the_next_task_first(ground: Ground) -> None:
    """They wait for each other: the next task for the port, the previous one for the next task."""
    before, after = ground.object(b"1"), ground.object(b"2")
    port = {"TargetPort": 80, "PublishedPort": 20080, "PublishMode": "host", "Protocol": "tcp"}
    spec = service_spec(ground, before, replicas=1, order="start-first")
    service = started(ground, spec | {"EndpointSpec": {"Mode": "dnsrr", "Ports": [port]}})
    assert specs.host_ports(service.spec) == (("tcp", 20080),)
    swap(ground, service, before, after)
    ground.sleep(4)
    found = ground.engine.service(service.id)
    assert found.update_state == "updating"
    assert [task.references for task in running(ground, service.id)] == [service.references]
    swap(ground, found, after, before)
    until(ground, lambda: ground.engine.service(service.id).update_state != "updating")
    assert [task.references for task in running(ground, service.id)] == [service.references]


def test_a_global_service(ground: Ground) -> None:
    """It has a task on each node, in slot 0."""
    before, after = ground.object(b"1", "config"), ground.object(b"2", "config")
    service = started(ground, service_spec(ground, before, mode={"Global": {}}))
    assert (service.mode, service.replicas) == ("global", None)
    swap(ground, service, before, after)
    assert ends(ground, service.id)[-1] == "completed"
    (task,) = running(ground, service.id)
    assert (task.slot, task.references) == (0, ground.engine.service(service.id).references)


def test_a_job_runs_once_more(ground: Ground) -> None:
    """A swap is a reason to; there is no update state. A label is no reason."""
    before, after = ground.object(b"1"), ground.object(b"2")
    mode = {"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}}
    service = ground.engine.service(ground.make(service_spec(ground, before, mode=mode)))
    assert (service.mode, service.replicas, service.is_job) == ("replicated-job", 1, True)

    def done() -> int:
        return sum(task.state == "complete" for task in ground.engine.tasks([service.id]))

    until(ground, lambda: done() == 1)
    swap(ground, ground.engine.service(service.id), before, after)
    until(ground, lambda: done() == 2)
    assert ground.engine.service(service.id).update_state is None


def test_a_subscription_tells_of_services(ground: Ground) -> None:
    """`wait` ends as soon as one changed, and else when its time is over."""
    before, after = ground.object(b"1"), ground.object(b"2")
    service = ground.engine.service(ground.make(service_spec(ground, before, replicas=0)))
    with ground.engine.changes() as changes:
        until(ground, lambda: not changes.wait(0.5))
        begin = ground.time()
        assert changes.wait(0.3) is False
        assert ground.time() - begin == pytest.approx(0.3, abs=0.2)
        swap(ground, service, before, after)
        assert changes.wait(5) is True
        assert ground.time() - begin < 3

"""Services that somebody else gave their specs: when they have arrived, and when they have not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from secretkit.engines.spec import swapped
from secretkit.rotation.converge import converge, now
from secretkit.rotation.travel import Arrival
from secretkit.rotation.types import Event
from tests.engines.memory import MemorySwarm

USUAL = {"order": "start-first", "monitor": 1.0, "failure_action": "rollback"}


class Ground:
    """A swarm with one object of each content, and the deploys of a test."""

    def __init__(self) -> None:
        self.swarm = MemorySwarm()
        self.events: list[Event] = []
        for name in ("one", "two"):
            self.swarm.create("secret", name, name.encode(), {})

    def service(self, name: str, content: str = "one", **settings: Any) -> None:
        self.swarm.deploy(name, (content, "key"), **(USUAL | settings))

    def swap(self, name: str) -> None:
        """The spec that refers to `two` instead of `one`."""
        one, two = (self.swarm.find("secret", each) for each in ("one", "two"))
        assert one and two

        def change(spec: dict[str, Any]) -> None:
            spec.update(swapped(spec, "secret", {one.id: (two.id, two.name)}))

        self.swarm.edit(name, change)

    def deploy(self, act: Callable[[], object], **settings: Any) -> dict[str, Arrival]:
        """What became of the services, by name."""
        before = self.swarm.services()
        since = now(self.swarm, before)
        act()
        after = self.swarm.services()
        settings = {"on_event": self.events.append, **settings}
        found = converge(self.swarm, before, after, since=since, **settings)
        return {service.name: found[service.id] for service in after}


@pytest.fixture
def ground() -> Ground:
    return Ground()


def test_what_is_the_same_and_well_is_not_waited_for(ground: Ground) -> None:
    """No second passes for a service that keeps its spec and has its tasks."""
    ground.service("web")
    ground.swarm.deploy("agent", ("one", "key"), mode="Global")
    ground.service("off", replicas=0)
    ground.swarm.settle()
    found = ground.deploy(lambda: None)
    assert {name: (one.tasks, one.failure) for name, one in found.items()} == {
        "agent": (1, ""),
        "off": (0, ""),
        "web": (2, ""),
    }
    assert max(one.seconds for one in found.values()) == 0
    assert ground.events == []


def test_a_change_has_arrived_when_its_tasks_stay(ground: Ground) -> None:
    """All tasks are of the spec that was given, and have stayed for the monitor time."""
    ground.service("web")
    ground.swarm.settle()
    found = ground.deploy(lambda: ground.swap("web"))
    assert (found["web"].tasks, found["web"].failure) == (2, "")
    used = {use.object_name for task in ground.swarm.tasks(["service0003"]) for use in
            task.references if task.wanted}  # fmt: skip
    assert used == {"two"}
    assert [event.step for event in ground.events][-1] == "arrived"


def test_new_services_of_every_mode(ground: Ground) -> None:
    """They have no state of an update; a global one has no tasks at first either."""

    def act() -> None:
        ground.service("web")
        ground.service("off", replicas=0)
        ground.swarm.deploy("agent", ("one", "key"), mode="Global")
        ground.swarm.deploy("job", ("one", "key"), mode="ReplicatedJob")

    found = ground.deploy(act)
    assert not any(one.failure for one in found.values())
    assert (found["web"].tasks, found["agent"].tasks, found["off"].tasks) == (2, 1, 0)


def test_one_that_starts_late_because_another_does(ground: Ground) -> None:
    """Tasks that end and are started again are waited for while another service is on its way, and
    for some attempts more: a database may not be up yet."""
    ground.swarm.behave(b"one", crashes=0.2)
    ground.swarm.behave(b"two", healthy=200)

    def act() -> None:
        ground.service("api")
        ground.service("db", "two")

    def on_event(event: Event) -> None:
        if (event.step, event.service) == ("arrived", "db"):
            ground.swarm.behave(b"one")

    found = ground.deploy(act, on_event=on_event)
    assert (found["api"].failure, found["db"].failure) == ("", "")
    assert found["db"].seconds > 200


def test_one_that_never_works(ground: Ground) -> None:
    """The engine starts its tasks again for ever; that is not waited for till the time is over."""
    ground.swarm.behave(b"one", crashes=0.2)
    ground.swarm.behave(b"two", healthy=None)

    def act() -> None:
        ground.service("api")
        ground.swarm.deploy("agent", ("one", "key"), mode="Global")
        ground.service("db", "two")
        ground.service("off", replicas=0)

    found = ground.deploy(act)
    assert {name: one.failure for name, one in found.items()} == {
        "agent": "task after task fails: task: non-zero exit (1)",
        "api": "task after task fails: task: non-zero exit (1)",
        "db": "task after task fails: task: unhealthy container",
        "off": "",
    }
    assert all(60 <= found[name].seconds < 90 for name in ("agent", "api", "db"))


def test_one_that_starts_slowly_beside_those_that_fail(ground: Ground) -> None:
    """Failures of one slot are none of the other's, whose task may yet become healthy."""
    ground.swarm.behave(b"one", crashes=0.2)
    ground.swarm.behave(b"two", healthy=None, starts=500)

    def act() -> None:
        ground.service("api")
        ground.service("db", "two")

    found = ground.deploy(act, timeout=300)
    assert "300 s have passed: 0 of 2 tasks are on it, task: non-zero" in found["api"].failure


def test_one_whose_tasks_are_not_started_again(ground: Ground) -> None:
    """By its restart policy no task follows: there is nothing to wait for."""
    ground.swarm.behave(b"one", crashes=0.2)

    def act() -> None:
        ground.service("web", replicas=0)
        spec = copy.deepcopy(dict(ground.swarm.services()[0].spec))
        spec["TaskTemplate"]["RestartPolicy"] = {"Condition": "none"}
        ground.swarm.remove_service("web")
        ground.swarm.create_service({**spec, "Mode": {"Replicated": {"Replicas": 2}}})

    found = ground.deploy(act)
    assert found["web"].failure == "no task is started any more: task: non-zero exit (1)"
    assert found["web"].seconds < 30


def test_one_that_the_engine_takes_back(ground: Ground) -> None:
    """The reason is its task's last word; those beside it arrive."""
    ground.service("api")
    ground.service("web", "two")
    ground.swarm.settle()
    ground.swarm.behave(b"two", crashes=0.2)
    found = ground.deploy(lambda: ground.swap("api"))
    assert found["api"].failure == "task: non-zero exit (1)"
    assert not found["web"].failure


def test_one_that_was_taken_back_before_it_was_looked_at(ground: Ground) -> None:
    """The spec before, after an update that was rolled back, is no arrival."""
    ground.service("web")
    ground.swarm.settle()
    ground.swarm.behave(b"two", crashes=0.2)

    def act() -> None:
        ground.swap("web")
        ground.swarm.settle()

    assert ground.deploy(act)["web"].failure


def test_one_that_pauses(ground: Ground) -> None:
    """Its update goes on with nobody's help: it has failed."""
    ground.service("web", failure_action="pause")
    ground.swarm.settle()
    ground.swarm.behave(b"two", crashes=0.2)
    assert "non-zero exit" in ground.deploy(lambda: ground.swap("web"))["web"].failure


def test_one_that_somebody_else_changes_meanwhile(ground: Ground) -> None:
    """It does not have what it was given any more, and is left as it is."""
    ground.service("web")
    ground.swarm.settle()
    found = ground.deploy(
        lambda: (
            ground.swarm.meddle(
                "up_to_date",
                lambda: ground.swarm.meddle("services", lambda: ground.swap("web")),
            )
            or ground.swarm.edit("web", lambda spec: spec["Labels"].update(team="a"))
        )
    )
    assert found["web"].failure == "somebody else changed or removed it meanwhile"


def test_an_update_that_stands_still_is_started_again(ground: Ground) -> None:
    """As when a node dies: it is pushed on, and arrives."""
    ground.service("web")
    ground.swarm.settle()
    ground.swarm.stall("web")
    found = ground.deploy(lambda: ground.swap("web"))
    assert not found["web"].failure
    assert any("stands still" in event.message for event in ground.events)

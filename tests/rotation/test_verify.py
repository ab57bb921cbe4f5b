"""When a service has arrived, by looks at states that a real engine passes through quickly."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from secretkit.engines.protocol import Service, Task
from secretkit.rotation.verify import GIVEN_UP, Goal, Verifying

_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def _service(**changes: Any) -> Service:
    spec = {"TaskTemplate": {"RestartPolicy": {"Condition": "none"}}}
    it = Service(
        id="s1",
        name="migration",
        index=7,
        spec=spec,
        previous_spec=spec,
        update_state="paused",
        update_message="update paused due to early termination of task t1",
        references=(),
        previous_references=(),
        mode="replicated",
        replicas=1,
    )
    return it._replace(**changes)


def _task(**changes: Any) -> Task:
    task = Task("t1", "s1", 1, "n1", "complete", "running", "finished", (), _BEGAN)
    return task._replace(**changes)


def _verifying() -> Verifying:
    goal = Goal(is_met=lambda _: True, is_next=True, soak=0.0, since=_BEGAN, is_posted=True)
    return Verifying(goal)


def test_the_engine_pauses_an_update_before_it_lets_the_ended_task_go() -> None:
    verifying = _verifying()
    look = verifying.look(_service(), [_task()], 0.0)
    assert not look.failure
    assert not look.arrived
    assert look.again <= GIVEN_UP
    assert verifying.look(_service(), [_task(desired_state="shutdown")], 0.1).arrived


def test_a_task_that_is_never_let_go_is_a_failure() -> None:
    verifying = _verifying()
    verifying.look(_service(), [_task()], 0.0)
    look = verifying.look(_service(), [_task()], GIVEN_UP)
    assert look.failure == _service().update_message


def test_a_task_that_failed_is_not_waited_for() -> None:
    task = _task(state="failed", message="task: non-zero exit (3)")
    assert _verifying().look(_service(), [task], 0.0).failure == "task: non-zero exit (3)"

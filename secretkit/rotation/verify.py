"""Whether a service has arrived, by what its spec, its tasks and its update say. Pure.

The engine's word alone is not enough: `completed` does not mean healthy, and a service without
tasks says nothing at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from ..engines import spec as specs
from ..engines.protocol import Service, Task

STALL = 20.0  # seconds without a change, beyond the update's own delay and monitor
GIVEN_UP = 5.0  # seconds in which the engine makes no task where one is missing
# After this many tasks of each slot, and this long, without one that works and without another
# service of the rollout that arrives, more of the same is not waited for: the engine itself starts
# tasks again for ever.
ATTEMPTS, HOPE = 3, 60.0  # seconds
ENDED = ("complete", "shutdown", "failed", "rejected", "remove", "orphaned")
_BAD = ("failed", "rejected", "complete")  # a task that is stopped is "shutdown"


class Goal(NamedTuple):
    """Where a service is to go."""

    is_met: Callable[[Service | Task], bool]
    is_next: bool  # the next version, else back to what was before
    soak: float  # seconds that tasks must stay
    since: datetime  # when the rotation began, by the engine's clock
    is_posted: bool = False  # whether services have been given it before the first look


class Look(NamedTuple):
    """One look at a service on its way."""

    previous: int  # tasks running that are not there yet
    ready: int  # tasks running that are
    wanted: int  # tasks that should
    waits: str = ""  # for what, and why
    arrived: bool = False
    failure: str = ""  # it will not arrive: why
    swap: bool = False  # its spec has to be changed
    hopeless: str = ""  # its tasks fail again and again, by themselves: why
    push: bool = False  # its update stands still: any further update goes on with it
    again: float = 60.0  # seconds until another look is worth it, whatever happens


class Verifying:
    """One service on its way, looked at again and again. `now` is by any one clock, in seconds."""

    def __init__(self, goal: Goal) -> None:
        self._goal = goal
        self.posted = goal.is_posted  # our update was accepted, or its traces were seen
        self._picture: object = None
        self._moved = 0.0  # when the picture changed
        self._good_since: float | None = None
        self._completed = False
        self._bad: frozenset[str] | None = None  # tasks that had failed when all were good
        self._failed: dict[str, int | str] = {}  # tasks that failed before, with slot or node
        self._excused: frozenset[str] = frozenset()  # those that may have lacked another service
        self._hoped_since: float | None = None
        self._ran = False  # whether a task of before was stopped, and did not end

    def hope(self, now: float) -> None:
        """Another service has arrived, which may be what this one's tasks lacked."""
        self._excused, self._hoped_since = frozenset(self._failed), now

    def look(self, service: Service, tasks: Sequence[Task], now: float) -> Look:
        """What is so now."""
        on_goal = [task for task in tasks if self._goal.is_met(task)]
        # Another secret's rotation, or a restart, leaves tasks too: only those of this one count.
        recent = [task for task in on_goal if task.updated >= self._goal.since]
        self.posted = self.posted or bool(recent)
        # One whose tasks ran on until they were replaced is not there to come to an end.
        self._ran |= self._goal.is_next and any(
            task.state == "running"
            or (task.state == "shutdown" and task.updated >= self._goal.since)
            for task in tasks
            if not self._goal.is_met(task)
        )
        may_end = specs.may_end(service.spec) and not self._ran
        look = counted(service, tasks, on_goal, may_end=may_end)
        self._note_moves(service, tasks, now)
        bad = [task for task in recent if task.state in _BAD and not (may_end and _is_done(task))]
        why = _last_words(bad) if bad else ""
        if service.is_job:
            # Its tasks end by themselves: that it has the reference is all there is to see.
            met = self._goal.is_met(service)
            return look._replace(arrived=met, swap=not met)
        done = may_end and not any(task.wanted for task in tasks)
        if done and self._goal.is_met(service) and 0 < look.wanted <= look.ready:
            # The engine takes each end for a failure, and may have paused the update.
            return look._replace(arrived=True)
        # Its end and that no other task follows are written one after the other.
        ends = may_end and not bad and now - self._moved < GIVEN_UP
        if ends and service.update_state == "paused" and self._goal.is_met(service):
            return look._replace(waits=service.update_message, again=GIVEN_UP)
        return self._by_spec(service, look, why) or self._by_tasks(service, tasks, look, bad, now)

    def _note_moves(self, service: Service, tasks: Sequence[Task], now: float) -> None:
        picture = (service.update_state, {(task.id, task.state, task.wanted) for task in tasks})
        if picture != self._picture:
            self._picture, self._moved = picture, now

    def _by_spec(self, service: Service, look: Look, why: str) -> Look | None:
        """What the spec and the state of the update decide without looking at tasks."""
        state, met = service.update_state, self._goal.is_met(service)
        because = why or service.update_message or "the engine does not say why"
        if not met and self.posted and self._goal.is_next:
            if state == "rollback_started":
                return look._replace(waits=f"the engine takes it back: {because}")
            if state in ("rollback_completed", "rollback_paused"):
                return look._replace(failure=because)
        if not met:
            if state in ("updating", "rollback_started") and self._goal.is_next:
                return look._replace(waits="somebody else's update of it")
            return look._replace(swap=True)
        if state == "paused":
            if specs.update_config(service.spec).failure_action == "pause":
                return look._replace(failure=because)
            # Only a node that died and came back pauses such an update.
            return look._replace(push=True, waits=because)
        if state == "rollback_paused":
            return look._replace(push=True, waits=because)
        return None

    def _by_tasks(
        self,
        service: Service,
        tasks: Sequence[Task],
        look: Look,
        bad: Sequence[Task],
        now: float,
    ) -> Look:
        update = specs.update_config(service.spec)
        moving = service.update_state in ("updating", "rollback_started")
        good = look.ready >= look.wanted and not _others(tasks, self._goal)
        fresh = [task for task in bad if self._bad is not None and task.id not in self._bad]
        if fresh and self._goal.is_next and not moving:
            return look._replace(failure=_last_words(fresh))
        completed = service.update_state in ("completed", "rollback_completed")
        if good:
            # The engine says `completed` when it has watched the last task for its monitor time;
            # that time is not waited for twice. It does not watch if failures do not matter.
            watched = completed and not self._completed and update.failure_action != "continue"
            start = now - update.monitor if watched else now
            self._good_since = start if self._good_since is None else min(self._good_since, start)
        else:
            self._good_since = None
        if self._bad is None and (good or completed) and not moving:
            self._bad = frozenset(task.id for task in bad)
        self._completed = completed
        if moving and self._stands(tasks, look, now, update.delay + update.monitor):
            self._moved = now
            return look._replace(push=True, waits="its update stands still: it is started again")
        if self._good_since is None:
            if bad and self._goal.is_next and not moving and self._is_given_up(tasks, look, now):
                return look._replace(failure=f"no task is started any more: {_last_words(bad)}")
            if self._goal.is_next and not moving and self._is_hopeless(tasks, look, bad, now):
                look = look._replace(hopeless=f"task after task fails: {_last_words(bad)}")
            return look._replace(waits=_waits(tasks, look, bad), again=GIVEN_UP)
        if moving:
            return look._replace(waits="the engine watches its tasks")
        # Not by `wanted`: a global service that has just been made has no tasks yet.
        needed = 0.0 if service.replicas == 0 else max(update.monitor, self._goal.soak)
        left = needed - (now - self._good_since)
        if left > 0:
            return look._replace(waits=f"its tasks must stay up {left:.0f} s more", again=left)
        return look._replace(arrived=True)

    def _is_given_up(self, tasks: Sequence[Task], look: Look, now: float) -> bool:
        """Tasks are missing and none is made: by the service's restart policy, there will be none.

        A task that is to be restarted is there as soon as the one before it has ended.
        """
        live = sum(task.wanted for task in tasks)
        return live < look.wanted and now - self._moved > GIVEN_UP

    def _is_hopeless(
        self, tasks: Sequence[Task], look: Look, bad: Sequence[Task], now: float
    ) -> bool:
        """None works, in no slot, after enough attempts and time."""
        self._failed |= {task.id: _slot(task) for task in bad}
        since = self._hoped_since = now if self._hoped_since is None else self._hoped_since
        if look.ready or not bad or now - since < HOPE:
            return False
        counted = Counter(slot for key, slot in self._failed.items() if key not in self._excused)
        slots = {_slot(task) for task in tasks if task.wanted}
        return bool(slots) and min(counted[slot] for slot in slots) >= ATTEMPTS

    def _stands(self, tasks: Sequence[Task], look: Look, now: float, own: float) -> bool:
        """Every task that should runs, and still nothing has moved for longer than it may."""
        live = [task for task in tasks if task.wanted]
        running = len(live) >= look.wanted and all(task.state == "running" for task in live)
        return running and now - self._moved > STALL + own


def _others(tasks: Sequence[Task], goal: Goal) -> list[Task]:
    return [task for task in tasks if task.wanted and not goal.is_met(task)]


def counted(
    service: Service, tasks: Sequence[Task], on_goal: Sequence[Task], *, may_end: bool
) -> Look:
    """How many tasks there are; `on_goal` are those of them that are as they are wanted.

    If they `may_end`, those that ended by themselves, with status 0, count as ready.
    """
    live = [task for task in tasks if task.wanted]
    ready = [task for task in on_goal if task.wanted and task.state == "running"]
    running = [task for task in live if task.state == "running"]
    done: set[int | str] = set()
    if may_end:
        done = {_slot(task) for task in on_goal if _is_done(task)} - {_slot(task) for task in live}
    if service.replicas is not None and not service.is_job:
        wanted = service.replicas
    else:
        # One on each node that the engine has chosen; while they change, a node may have two.
        wanted = len({task.node_id or task.id for task in live}) + len(done)
    return Look(len(running) - len(ready), len(ready) + len(done), wanted)


def _is_done(task: Task) -> bool:
    """Whether it ended by itself, with status 0."""
    return task.state == "complete"


def _slot(task: Task) -> int | str:
    """Which of its service's tasks it is: in a global one, by its node."""
    return task.slot or task.node_id


def _last_words(ended: Sequence[Task]) -> str:
    """What the engine said of the task that ended last."""
    last = max(ended, key=lambda task: task.updated)
    if last.state == "complete":
        return "a task was stopped as unhealthy, or ended by itself without an error"
    return last.message or f"a task is {last.state}"


def _waits(tasks: Sequence[Task], look: Look, bad: Sequence[Task]) -> str:
    said = f"{look.ready} of {look.wanted} tasks are on it"
    slow = [task for task in tasks if task.wanted and task.state != "running"]
    if bad:
        said += f", {_last_words(bad)}"
    elif slow:
        latest = max(slow, key=lambda task: task.updated)
        said += f", one is {latest.state}"
        said += f": {latest.message}" if latest.state == "pending" and latest.message else ""
    return said

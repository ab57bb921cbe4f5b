"""How swarmkit runs a service's tasks, on a virtual clock: one generator for each thing that goes
on by itself. A generator yields the seconds until it looks again.

Follows swarmkit's manager/orchestrator/update/updater.go and restart/restart.go in what shows.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

from secretkit.engines import spec as specs

LOOK = 0.1  # seconds between two looks at a condition
KEPT = 5  # ended tasks of a slot that are remembered (TaskHistoryRetentionLimit)
LIVE = ("ready", "running")
ENDED = ("complete", "shutdown", "failed", "rejected", "remove", "orphaned")
Process = Iterator[float]


class Behaviour(NamedTuple):
    """What becomes of a task. Durations are seconds."""

    starts: float = 0.3  # from its creation to the start of its process
    healthy: float | None = 0.5  # from then to the first success of a health check; None: never
    crashes: float | None = None  # from then to exit status 1
    schedulable: bool = True  # whether any node takes it
    completes: float = 1.0  # from then to exit status 0, of a job


@dataclass(eq=False)
class MemoryTask:
    id: str
    service: MemoryService
    place: int | str  # the slot; in a global service, the node
    template: dict[str, Any]
    desired: str
    updated: float
    node: str = ""
    state: str = "new"
    message: str = ""
    ran: float | None = None  # when it was running first


@dataclass(eq=False)
class MemoryService:
    id: str
    spec: dict[str, Any]
    index: int = 0
    previous_spec: dict[str, Any] | None = None
    state: str | None = None
    message: str = ""
    tasks: list[MemoryTask] = field(default_factory=list)
    rollout: object = None  # of the update in flight: another one makes the processes of this end
    stalls_at: int | None = None  # the next rollout stops for ever after so many slots


class Orchestrator:
    """The tasks of all services. `now` is the virtual clock, in seconds."""

    def __init__(
        self,
        nodes: tuple[str, ...],
        behaviour: Callable[[dict[str, Any]], Behaviour],
        missing: Callable[[dict[str, Any]], str],
        wrote: Callable[[MemoryService], None],
    ) -> None:
        self.now = 0.0
        self.nodes = nodes
        self.services: dict[str, MemoryService] = {}
        self._behaviour = behaviour
        self._missing = missing  # the name of an object that a template needs and nobody has
        self._wrote = wrote
        self._ids = count(1)
        self._turns = count()
        self._processes: list[tuple[float, int, Process]] = []

    def step(self, until: float) -> bool:
        """Lets the next thing happen, unless it is later than `until`; whether one did."""
        if not self._processes or self._processes[0][0] > until:
            self.now = max(self.now, until)
            return False
        self.now, _, process = heapq.heappop(self._processes)
        for pause in process:
            self._go_on(process, pause)
            break
        return True

    def changed(self, service: MemoryService, template: dict[str, Any] | None) -> None:
        """A service has a new spec; `template` was that of its tasks before."""
        service.rollout = object()
        if specs.mode_of(service.spec)[0].endswith("-job"):
            if template != service.spec["TaskTemplate"]:
                for task in self._live(service):
                    self._shut_down(task)
                self._fill(service)
            return
        self._fill(service)
        if template is not None:
            self._go_on(self._update(service), LOOK)

    def remove(self, service: MemoryService) -> None:
        del self.services[service.id]
        service.rollout = object()
        for task in self._live(service):
            task.desired = "remove"

    def _go_on(self, process: Process, pause: float) -> None:
        heapq.heappush(self._processes, (self.now + pause, next(self._turns), process))

    # -- tasks ------------------------------------------------------------------------------

    def _places(self, service: MemoryService) -> list[int | str]:
        _, wanted = specs.mode_of(service.spec)
        return list(self.nodes) if wanted is None else list(range(1, wanted + 1))

    @staticmethod
    def _live(service: MemoryService, place: int | str | None = None) -> list[MemoryTask]:
        return [
            task for task in service.tasks if task.desired in LIVE and place in (None, task.place)
        ]

    def _fill(self, service: MemoryService) -> None:
        """As many tasks as the service wants."""
        places = self._places(service)
        for task in self._live(service):
            if task.place not in places:
                self._shut_down(task)
        for place in places:
            if not self._live(service, place):
                self._make(service, place)

    def _make(
        self, service: MemoryService, place: int | str, desired: str = "running", after: float = 0
    ) -> MemoryTask:
        template = service.spec["TaskTemplate"]
        task = MemoryTask(f"task{next(self._ids):04}", service, place, template, desired, self.now)
        service.tasks.append(task)
        ended = [old for old in service.tasks if old.place == place and old.state in ENDED]
        for old in ended[:-KEPT]:
            service.tasks.remove(old)
        self._go_on(self._life(task), after)
        return task

    def _set(self, task: MemoryTask, state: str, message: str = "") -> None:
        task.state, task.message, task.updated = state, message, self.now

    def _shut_down(self, task: MemoryTask) -> None:
        task.desired = "shutdown"
        if task.node:
            self._go_on(self._stop(task), LOOK)
        else:
            self._set(task, "shutdown")

    def _stop(self, task: MemoryTask) -> Process:
        if task.state not in ENDED:
            self._set(task, "shutdown", "shutdown")
        yield from ()

    def _life(self, task: MemoryTask) -> Process:
        job = specs.mode_of(task.service.spec)[0].endswith("-job")
        behaviour = self._behaviour(task.template)
        while not self._assign(task, behaviour):
            yield LOOK
            if task.desired not in LIVE:
                return
        while task.desired == "ready":
            yield LOOK
        if task.desired != "running":
            return
        if name := self._missing(task.template):
            self._set(task, "rejected", f"invalid reference to {name}")
            self._restart(task)
            return
        self._set(task, "preparing", "preparing")
        yield behaviour.starts
        started = self.now
        if specs.health_check({"TaskTemplate": task.template}) and task.desired == "running":
            self._set(task, "starting", "starting")
            yield min(
                (3.0 if behaviour.healthy is None else behaviour.healthy),
                (behaviour.crashes if behaviour.crashes is not None else 1e9),
            )
            if task.desired == "running" and behaviour.healthy is None:
                self._fail(task, "task: unhealthy container")
        if task.desired == "running" and task.state in ("preparing", "starting"):
            if behaviour.crashes is None or self.now < started + behaviour.crashes:
                self._set(task, "running", "started")
                task.ran = self.now
            if behaviour.crashes is not None:
                yield max(0, started + behaviour.crashes - self.now)
                self._fail(task, "task: non-zero exit (1)")
            elif job:
                yield behaviour.completes
                if task.desired == "running":
                    task.desired = "complete"
                    self._set(task, "complete", "finished")

    def _assign(self, task: MemoryTask, behaviour: Behaviour) -> bool:
        """Finds a node for the task: the one with the fewest tasks."""
        ports = set(specs.host_ports(task.service.spec))
        others = [
            other
            for service in self.services.values()
            for other in service.tasks
            if other.node and other.state not in ENDED
        ]
        nodes = self.nodes if behaviour.schedulable else ()
        placement = task.template.get("Placement") or {}
        if any(rule.startswith("node.labels.") for rule in placement.get("Constraints") or ()):
            nodes = ()  # no node here has a label
        if isinstance(task.place, str):
            nodes = tuple(node for node in nodes if node == task.place)
        free = [
            node
            for node in nodes
            if not any(
                other.node == node and ports & set(specs.host_ports(other.service.spec))
                for other in others
            )
        ]
        if not free and task.desired != "ready":
            self._set(task, "pending", "no suitable node")
            return False
        if free:
            task.node = min(free, key=lambda node: sum(other.node == node for other in others))
            self._set(task, "assigned")
        return bool(free)

    def _fail(self, task: MemoryTask, why: str) -> None:
        if task.desired == "running" and task.state not in ENDED:
            self._set(task, "failed", why)
            self._restart(task)

    def _restart(self, task: MemoryTask) -> None:
        """Another task for the slot, by the service's restart policy."""
        service = task.service
        policy = service.spec["TaskTemplate"].get("RestartPolicy") or {}
        task.desired = "shutdown"
        if service.id not in self.services or task.place not in self._places(service):
            return
        if (policy.get("Condition") or "any") == "none":
            return
        new = self._make(service, task.place, "ready")
        self._go_on(self._release(new), policy.get("Delay", 5_000_000_000) / 1e9)

    @staticmethod
    def _release(task: MemoryTask) -> Process:
        if task.desired == "ready":
            task.desired = "running"
        yield from ()

    # -- updates ----------------------------------------------------------------------------

    def _write(self, service: MemoryService, state: str, message: str) -> None:
        service.state, service.message = state, message
        self._wrote(service)

    def _update(self, service: MemoryService) -> Process:
        """One update, or automatic rollback, from its first task to its last word."""
        rollout = service.rollout
        back = service.state == "rollback_started"
        word = "rollback" if back else "update"
        config = specs.update_config(service.spec, "RollbackConfig" if back else "UpdateConfig")
        dirty = [
            place
            for place in self._places(service)
            if any(
                task.template != service.spec["TaskTemplate"] for task in self._live(service, place)
            )
        ]
        if not dirty and not back:
            return
        if not back:
            self._write(service, "updating", "update in progress")
        queue, made = deque(dirty), list[MemoryTask]()
        workers = [[True] for _ in range(min(config.parallelism or len(dirty), len(dirty)))]
        for busy in workers:
            self._go_on(self._replace(service, config, queue, made, busy), 0)
        quiet = self.now
        while any(busy[0] for busy in workers) or self.now < quiet + config.monitor:
            if any(busy[0] for busy in workers):
                quiet = self.now
            elif config.failure_action == "continue":
                break
            yield LOOK
            if service.rollout is not rollout:
                return
            failed = [task for task in made if self._failed(task, config.monitor)]
            if config.failure_action == "continue" or not failed:
                continue
            if len(failed) / len(dirty) <= config.max_failure_ratio:
                continue
            queue.clear()
            why = f"due to failure or early termination of task {failed[0].id}"
            if back or config.failure_action == "pause":
                state = "rollback_paused" if back else "paused"
                self._write(service, state, f"{word} paused {why}")
            elif service.previous_spec is not None:
                self._roll_back(service, f"update rolled back {why}")
            return
        self._write(service, "rollback_completed" if back else "completed", f"{word} completed")

    @staticmethod
    def _failed(task: MemoryTask, monitor: float) -> bool:
        """Whether it ended by itself, before it ran or within the monitor time of that."""
        ended = task.state in ("failed", "rejected", "complete")
        return ended and (task.ran is None or task.updated - task.ran <= monitor)

    def _roll_back(self, service: MemoryService, message: str) -> None:
        assert service.previous_spec is not None
        service.spec, service.previous_spec = service.previous_spec, None
        service.rollout = object()
        self._write(service, "rollback_started", message)
        self._fill(service)
        self._go_on(self._update(service), LOOK)

    def _replace(
        self,
        service: MemoryService,
        config: specs.UpdateConfig,
        queue: deque[int | str],
        made: list[MemoryTask],
        busy: list[bool],
    ) -> Process:
        """One worker of an update: slot by slot."""
        rollout = service.rollout
        while queue:
            if service.stalls_at is not None:
                if service.stalls_at <= 0:
                    while service.rollout is rollout:
                        yield LOOK
                    service.stalls_at = None
                    return
                service.stalls_at -= 1
            place = queue.popleft()
            previous = self._live(service, place)
            first = config.order == "start-first"
            task = self._make(service, place, "running" if first else "ready")
            made.append(task)
            if not first:
                for old in previous:
                    self._shut_down(old)
                while any(old.state not in ENDED for old in previous):
                    yield LOOK
                self._go_on(self._release(task), 0)
            while task.state not in ("running", *ENDED) and service.rollout is rollout:
                yield LOOK
            if first and task.state == "running":
                for old in previous:
                    self._shut_down(old)
            if service.rollout is not rollout:
                return
            yield config.delay if queue else 0
            if service.rollout is not rollout:
                return
        busy[0] = False

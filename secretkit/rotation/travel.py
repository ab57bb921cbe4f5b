"""Services on their way, several at once, in one thread: each is looked at, and nudged, in turn.

One request for the services and one for their tasks serves all that are under way, at each change
that the engine tells of and else ever more rarely: requests grow with services, not with tasks or
seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar, cast

from ..engines.protocol import Changes, Engine, Service, Task
from ..errors import (
    EngineRefusedError,
    EngineUnreachableError,
    HookError,
    OutOfSequenceError,
    ServiceNotFoundError,
)
from .verify import Goal, Look, Verifying

T = TypeVar("T")
# Seconds between two looks: a quarter of the time in which nothing was heard, so that requests grow
# with the logarithm of a rollout's length, and what is not told is seen a quarter late.
_SOONEST, _LATEST, _PART = 0.25, 5.0, 4


class Clock(NamedTuple):
    """Seconds, and waiting for some: the engine's own if it has them, else this machine's."""

    monotonic: Callable[[], float]
    sleep: Callable[[float], object]

    @classmethod
    def of(cls, engine: Engine) -> Clock:
        """The engine's clock, if it has one of its own."""
        return cls(
            cast("Callable[[], float]", getattr(engine, "monotonic", time.monotonic)),
            cast("Callable[[float], object]", getattr(engine, "sleep", time.sleep)),
        )


class Patience:
    """Tries again, ever more slowly, while the engine cannot be reached.

    For what may be done twice. After `seconds` in which nothing was reached, EngineUnreachableError
    goes through.
    """

    def __init__(self, clock: Clock, seconds: float, tell: Callable[[str], None]) -> None:
        self._clock = clock
        self._seconds = seconds
        self._tell = tell

    def __call__(self, act: Callable[[], T]) -> T:
        began, pause = self._clock.monotonic(), 0.25
        while True:
            try:
                return act()
            except EngineUnreachableError as error:
                if self._clock.monotonic() - began >= self._seconds:
                    raise
                self._tell(f"the engine cannot be reached, trying again: {error}")
                self._clock.sleep(pause)
                pause = min(2 * pause, 5.0)


class Way(NamedTuple):
    """How services get to their goal: forward, or back."""

    goal: Goal
    spec: Callable[[Service], dict[str, Any] | None]  # None: it does not use the secret any more
    swapped: str  # the step when a spec was changed
    arrived: str  # the step when a service has arrived
    verify: Callable[[Service], None]  # raises HookError
    look: Callable[[Collection[Service]], object] = lambda _: None  # reads more for the goal


class Arrival(NamedTuple):
    """What became of one service."""

    tasks: int
    seconds: float
    failure: str = ""
    gone: bool = False  # it was removed, or does not use the secret any more


class Traveller:
    """Takes services along a Way."""

    def __init__(
        self,
        engine: Engine,
        confirm: Callable[[], None],  # before a write: raises if it is not ours to make any more
        clock: Clock,
        changes: Changes,
        patient: Patience,
        tell: Callable[[str, str, str, Look | None], None],  # step, service, message, counts
    ) -> None:
        self._engine = engine
        self._confirm = confirm
        self._clock = clock
        self._changes = changes
        self._patient = patient
        self._tell = tell

    def go(
        self,
        services: Mapping[str, str],  # names by id, in order
        way: Way,
        *,
        at_once: int,
        timeout: float,
        halt: bool,  # start no other service after a failure
        abandon: bool = False,  # and leave those under way where they are
    ) -> dict[str, Arrival]:
        """What became of each that was started, by id."""
        queue = dict(services)
        rolling: dict[str, tuple[Verifying, float]] = {}
        done: dict[str, Arrival] = {}
        heard = self._clock.monotonic()
        while queue or rolling:
            failed = any(arrival.failure for arrival in done.values())
            if failed and halt:
                queue = {}
                if abandon:
                    break
            while queue and len(rolling) < at_once:
                service_id = next(iter(queue))
                del queue[service_id]
                heard = self._clock.monotonic()
                rolling[service_id] = Verifying(way.goal), heard
            again = 60.0
            hopeless: dict[str, Arrival] = {}
            found, tasks = self._read(rolling, way)
            for service_id, (verifying, began) in list(rolling.items()):
                now = self._clock.monotonic()
                service = found.get(service_id)
                if service is None:
                    done[service_id] = Arrival(0, now - began, gone=True)
                    del rolling[service_id]
                    continue
                mine = [task for task in tasks if task.service_id == service_id]
                look = verifying.look(service, mine, now)
                arrival = self._act(service, look, verifying, way)
                if arrival is None and now - began >= timeout:
                    arrival = Arrival(0, 0, failure=f"{timeout:.0f} s have passed: {look.waits}")
                if arrival is not None:
                    done[service_id] = arrival._replace(
                        tasks=look.ready, seconds=self._clock.monotonic() - began
                    )
                    del rolling[service_id]
                    if not arrival.failure and not arrival.gone:
                        self._tell(way.arrived, service.name, "", look)
                        hopeless.clear()
                        for other, _ in rolling.values():
                            other.hope(now)
                else:
                    if look.hopeless:
                        hopeless[service_id] = Arrival(0, now - began, look.hopeless)
                    again = min(again, look.again, max(began + timeout - now, 0.0))
            # One may lack another that is on its way: if none is any more, none is waited for.
            if len(hopeless) == len(rolling):
                done |= hopeless
                rolling.clear()
            if rolling:
                pause = max(_SOONEST, min((self._clock.monotonic() - heard) / _PART, _LATEST))
                if self._changes.wait(max(min(pause, again), 0.01)):
                    heard = self._clock.monotonic()
        return done

    def _read(self, rolling: Iterable[str], way: Way) -> tuple[dict[str, Service], list[Task]]:
        ids = list(rolling)
        if not ids:
            return {}, []
        # Tasks after services: a spec that is seen has no tasks that are older than it.
        services = self._patient(self._engine.services)
        found = {service.id: service for service in services if service.id in ids}
        self._patient(lambda: way.look(found.values()))
        tasks = self._patient(lambda: self._engine.tasks(ids))
        return found, tasks

    def _act(self, service: Service, look: Look, verifying: Verifying, way: Way) -> Arrival | None:
        """Does what the look asks for; the service's arrival, if that is it."""
        if look.failure:
            return Arrival(0, 0, failure=look.failure)
        if look.arrived:
            try:
                way.verify(service)
            except HookError as error:
                return Arrival(0, 0, failure=str(error))
            return Arrival(0, 0)
        if look.swap or look.push:
            spec = way.spec(service) if look.swap else _pushed(service)
            if spec is None:
                return Arrival(0, 0, gone=True)
            try:
                self._confirm()
                self._engine.update(service, spec)
            except OutOfSequenceError:
                return None  # somebody else was first: the next look sees what there is now
            except ServiceNotFoundError:
                return Arrival(0, 0, gone=True)
            except EngineUnreachableError as error:
                # It may have been done: the next look sees.
                self._tell("verify", service.name, f"trying again: {error}", look)
                return None
            except EngineRefusedError as error:
                return Arrival(0, 0, failure=str(error))
            verifying.posted = True
            if look.swap:
                self._tell(way.swapped, service.name, "", look)
                return None
        self._tell("verify", service.name, look.waits, look)
        return None


def _pushed(service: Service) -> dict[str, Any]:
    """The same spec, as something to update: the engine's own way to say so."""
    task = dict(service.spec["TaskTemplate"])
    task["ForceUpdate"] = task.get("ForceUpdate", 0) + 1
    return {**service.spec, "TaskTemplate": task}

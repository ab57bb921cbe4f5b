"""Services that were given their specs by somebody else, such as the docker client: waited for
until they have arrived, and judged as those of a rotation are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ..engines.protocol import Engine, Service, Task
from ..engines.spec import may_end
from .travel import Arrival, Clock, Patience, Traveller, Way
from .types import Event, OnEvent
from .verify import Goal, Look, counted

_UNDONE = ("rollback_started", "rollback_completed", "rollback_paused")


def now(engine: Engine, services: Sequence[Service]) -> datetime:
    """A time by the engine's clock: tasks of these services that change from now on are later."""
    tasks = engine.tasks([service.id for service in services])
    last = max((task.updated for task in tasks), default=datetime(1970, 1, 1, tzinfo=UTC))
    return last + timedelta(microseconds=1)


def converge(
    engine: Engine,
    before: Sequence[Service],
    after: Sequence[Service],
    *,
    since: datetime,
    soak: float = 0.0,
    timeout: float = 600.0,
    on_event: OnEvent | None = None,
) -> dict[str, Arrival]:
    """What became of each service of `after`, by id; durations are seconds.

    `before` and `after` are the services just before and after they were given their specs, and
    `since` is what `now` said before. All are looked at side by side, each for at most `timeout`;
    `soak` is how long tasks must stay well. One with the spec that it had, and all its tasks, is
    there already. Raises EngineError.
    """
    clock = Clock.of(engine)
    began = clock.monotonic()

    def tell(step: str, service: str | None, message: str = "", look: Look | None = None) -> None:
        if on_event is not None:
            counts = (look.previous, look.ready, look.wanted) if look else (0, 0, 0)
            on_event(Event(clock.monotonic() - began, step, service, message, *counts))

    patient = Patience(clock, timeout, lambda said: tell("verify", None, said))
    arrivals = _there_already(engine, before, after, patient)
    goal = _Goal(engine, after)
    way = Way(
        Goal(goal.is_met, is_next=True, soak=soak, since=since, is_posted=True),
        spec=lambda _: None,  # not ours to change: another one's is left alone
        swapped="swap",
        arrived="arrived",
        verify=lambda _: None,
        look=goal.look,
    )
    with engine.changes() as changes:
        traveller = Traveller(engine, lambda: None, clock, changes, patient, tell)
        todo = {service.id: service.name for service in after if service.id not in arrivals}
        found = traveller.go(todo, way, at_once=max(len(todo), 1), timeout=timeout, halt=False)
    return arrivals | {key: _of_others(arrival) for key, arrival in found.items()}


class _Goal:
    """Every service with the spec that it was given, and tasks as that wants them."""

    def __init__(self, engine: Engine, services: Sequence[Service]) -> None:
        self._engine = engine
        # One that the engine has begun to take back shows the spec before: not what it was given.
        self._specs: Mapping[str, Any] = {
            service.id: None if service.update_state in _UNDONE else _compared(service)
            for service in services
        }
        self._current: frozenset[str] = frozenset()
        self._met: Mapping[str, bool] = {}  # by service id

    def look(self, services: Collection[Service]) -> None:
        """Asks which tasks are as they are wanted."""
        self._met = {one.id: _compared(one) == self._specs[one.id] for one in services}
        self._current = self._engine.up_to_date(self._met)

    def is_met(self, one: Service | Task) -> bool:
        if isinstance(one, Service):
            return self._met[one.id]
        # Once the engine has taken the service back, those that are not as it is now were of this.
        return (one.id in self._current) == self._met[one.service_id]


def _compared(service: Service) -> dict[str, Any]:
    """A spec without what is counted up when an update that stands still is started again."""
    task = {**service.spec["TaskTemplate"], "ForceUpdate": 0}
    return {**service.spec, "TaskTemplate": task}


def _there_already(
    engine: Engine,
    before: Sequence[Service],
    after: Sequence[Service],
    patient: Callable[[Callable[[], Any]], Any],
) -> dict[str, Arrival]:
    """The services that nothing was changed of and that lack nothing."""
    had = {service.id: service.spec for service in before}
    same = [one for one in after if had.get(one.id) == one.spec and one.update_state is None]
    if not same:
        return {}
    ids = [service.id for service in same]
    tasks: list[Task] = patient(lambda: engine.tasks(ids))
    current = patient(lambda: engine.up_to_date(ids))
    arrivals = {}
    for service in same:
        mine = [task for task in tasks if task.service_id == service.id]
        on_goal = [task for task in mine if task.id in current]
        look = counted(service, mine, on_goal, may_end=may_end(service.spec))
        is_well = all(task in on_goal and task.state == "running" for task in mine if task.wanted)
        if service.is_job or (is_well and look.ready == look.wanted):
            arrivals[service.id] = Arrival(look.ready, 0.0)
    return arrivals


def _of_others(arrival: Arrival) -> Arrival:
    if arrival.gone:
        return arrival._replace(gone=False, failure="somebody else changed or removed it meanwhile")
    return arrival

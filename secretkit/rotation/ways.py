"""The two ways that services go: forward to the next version, back to what they had. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from ..engines import spec as specs
from ..engines.protocol import EngineObject, Reference, Service
from .journal import Journal
from .plan import Situation
from .travel import Way
from .types import Options
from .verify import Goal


def refers(references: Sequence[Reference], object_id: str) -> bool:
    """Whether one of them is to the object."""
    return any(use.object_id == object_id for use in references)


def forward(
    journal: Journal,
    situation: Situation,
    following: EngineObject,
    since: datetime,
    options: Options,
    verify: Callable[[Service], None],
) -> Way:
    """To the next version, whose object is `following`; tasks from `since` on are of this."""
    others = {found.id for found in situation.objects.values()} - {following.id}

    def is_met(references: Sequence[Reference]) -> bool:
        ids = {use.object_id for use in references}
        return following.id in ids and not ids & others

    def spec(service: Service) -> dict[str, Any] | None:
        uses = {use.object_id for use in service.references} & others
        if not uses:
            return None
        swapped = specs.swapped(
            service.spec, journal.kind, dict.fromkeys(uses, (following.id, following.name))
        )
        return specs.with_update_config(
            swapped,
            parallelism=options.parallelism,
            delay=options.delay,
            order=options.order,
            monitor=options.monitor,
            failure_action=options.failure_action,
        )

    goal = Goal(lambda one: is_met(one.references), is_next=True, soak=options.soak, since=since)
    return Way(goal, spec, "swap", "verified", verify)


def backward(journal: Journal, situation: Situation, following: EngineObject) -> Way:
    """To what each reference was before, by the journal."""
    default = situation.objects.get(journal.before or 0)

    def is_met(references: Sequence[Reference]) -> bool:
        return not refers(references, following.id)

    def spec(service: Service) -> dict[str, Any] | None:
        result = dict(service.spec)
        for was in journal.services.get(service.id, ()):
            result = specs.swapped(
                result,
                journal.kind,
                {following.id: (was.object_id, was.object_name)},
                target=was.target,
            )
        if default is not None:  # a reference that was not there before
            result = specs.swapped(result, journal.kind, {following.id: (default.id, default.name)})
        return None if result == service.spec else result

    goal = Goal(lambda one: is_met(one.references), is_next=False, soak=0.0, since=journal.since)
    return Way(goal, spec, "undo", "undone", lambda _: None)

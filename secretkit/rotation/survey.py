"""What is so before a rotation: read once from the versions and the engine."""

from __future__ import annotations

from collections.abc import Mapping

from ..engines.protocol import Engine
from ..errors import SecretNotFoundError
from . import journal as journals
from .objects import by_name, taken
from .plan import Situation
from .versions import Versions


def survey(
    versions: Versions, engine: Engine, name: str, health: Mapping[str, bool | None] | None = None
) -> Situation:
    """The situation; `health` is what an earlier one found. Raises SecretNotFoundError."""
    there = engine.objects(versions.kind)
    try:
        current, previous = versions.current(name), versions.previous(name)
        numbers = versions.numbers(name)
    except SecretNotFoundError as error:
        if name in by_name(there):
            error.hint = f"the engine has it: `secretkit adopt {name}` takes it as version 1"
        raise
    services = engine.services()
    situation = Situation(
        kind=versions.kind,
        name=name,
        current=current,
        previous=previous,
        numbers=numbers,
        # A secret that the store knows; a config is known by its objects.
        objects=by_name(there, (name,) if versions.kind == "secret" else ()).get(name, {}),
        taken=taken(there, name),
        services=tuple(services),
        health=health or {},
        # After the services: whoever has begun to change them is seen here.
        journal=journals.find(engine, versions.kind, name),
    )
    unknown = [service for service in situation.used if service.id not in situation.health]
    checked = {service.id: engine.has_health_check(service) for service in unknown}
    return situation._replace(health={**situation.health, **checked})

"""Checks of how a service is updated: what a rotation of its secrets goes through. Swarm only."""

from __future__ import annotations

from collections.abc import Iterator

from ..documents import flag, text
from ..findings import Finding, Place
from ..stack.model import ServiceEntry
from .scope import Scope, key_place, scalars


def rollout(scope: Scope) -> Iterator[Finding]:
    """What is wrong with services that use secrets or configs, where their image is named."""
    if not scope.swarm:
        return
    users = {use.service for use in scope.around.uses}
    for service in scope.stack.services.values():
        whole = scope.whole(service)
        place = _image(service)
        if service.name not in users or place is None or whole.find("extends"):
            continue
        if (_text(whole, "deploy", "mode") or "").endswith("-job"):
            continue  # a job is not updated, it runs again
        yield from _health(scope, whole, place)
        yield from _failure(whole, place)
        yield from _ports(whole)


def _image(service: ServiceEntry) -> Place | None:
    for document, node in service.layers:
        for key in ("image", "build"):
            if (place := key_place(document, node, key)) is not None:
                return place
    return None


def _text(service: ServiceEntry, *path: str) -> str | None:
    found = service.find(*path)
    return text(found[1]) if found else None


def _health(scope: Scope, service: ServiceEntry, place: Place) -> Iterator[Finding]:
    found = service.find("healthcheck")
    if found:
        document, node = found
        test = document.get(node, "test")
        off = flag(document.get(node, "disable")) or any(
            one.value == "NONE" for one in scalars(test)
        )
        if not off:
            return
        yield Finding(
            "no-health-check",
            document.place(node),
            f"the health check of {service.name} is turned off",
            "write one that asks what the secret is for: a query, a request that logs in",
        )
    elif not scope.health.get(service.name):
        known = service.name in scope.health
        yield Finding(
            "no-health-check",
            place,
            f"{service.name} has no health check"
            + ("" if known else " here, and its image may have none"),
            'healthcheck: {test: ["CMD", PROGRAM, …], interval: 5s, start_period: 30s}',
        )


def _failure(service: ServiceEntry, place: Place) -> Iterator[Finding]:
    found = service.find("deploy", "update_config", "failure_action")
    action = text(found[1]) if found else None
    if action == "rollback" or (action and "$" in action):
        return
    yield Finding(
        "failure-action",
        found[0].place(found[1]) if found else place,
        f"an update of {service.name} that fails "
        + ("goes on" if action == "continue" else "stops half way"),
        "deploy: {update_config: {failure_action: rollback}}, and `order: start-first` if two tasks"
        " may run at once",
    )


def _ports(service: ServiceEntry) -> Iterator[Finding]:
    if _text(service, "deploy", "update_config", "order") != "start-first":
        return
    found = service.find("ports")
    for item in found[0].items(found[1]) if found else ():
        if found and text(found[0].get(item, "mode")) == "host":
            yield Finding(
                "host-port",
                found[0].place(item),
                f"the next task of {service.name} waits for the port that the running one has",
                "order: stop-first, or more nodes than tasks, or `mode: ingress`",
            )

"""A service's spec, as the Engine API gives it, to references and back. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from .protocol import Kind, Reference

Spec = dict[str, Any]
Mode = Literal["replicated", "global", "replicated-job", "global-job"]

_SECOND = 1_000_000_000  # the API's durations are nanoseconds
# The field of ContainerSpec with a kind's references, and those of a reference with the object.
_FIELDS: Mapping[Kind, tuple[str, str, str]] = {
    "secret": ("Secrets", "SecretID", "SecretName"),
    "config": ("Configs", "ConfigID", "ConfigName"),
}
_MODES: Mapping[str, Mode] = {
    "Replicated": "replicated",
    "Global": "global",
    "ReplicatedJob": "replicated-job",
    "GlobalJob": "global-job",
}


class UpdateConfig(NamedTuple):
    """How the engine changes a service's tasks; the defaults are swarmkit's (api/defaults).

    Durations are seconds.
    """

    parallelism: int = 1  # tasks at a time; 0: all
    delay: float = 0.0  # after each
    order: Literal["start-first", "stop-first"] = "stop-first"
    monitor: float = 5.0  # a task that ends within this time has failed the update
    failure_action: Literal["pause", "continue", "rollback"] = "pause"
    max_failure_ratio: float = 0.0


def references(spec: Mapping[str, Any] | None) -> tuple[Reference, ...]:
    """The secrets and configs that a spec, of a service or a task's `{"TaskTemplate": …}`, uses."""
    return tuple(
        _reference(kind, entry, identity, title)
        for kind, (field, identity, title) in _FIELDS.items()
        for entry in _container(spec or {}).get(field) or ()
    )


def mode_of(spec: Mapping[str, Any]) -> tuple[Mode, int | None]:
    """A service's mode, and how many tasks it wants: None is one on every eligible node.

    Of a replicated job it is the number of completions.
    """
    mode: Mapping[str, Any] = spec.get("Mode") or {"Replicated": {"Replicas": 1}}
    word = next(word for word in _MODES if word in mode)
    counts = mode[word] or {}
    if word == "Replicated":
        return "replicated", int(counts.get("Replicas", 1))
    if word == "ReplicatedJob":
        # moby takes MaxConcurrent (1 if it is not there) for as many completions.
        return "replicated-job", int(counts.get("TotalCompletions", counts.get("MaxConcurrent", 1)))
    return _MODES[word], None


def swapped(
    spec: Mapping[str, Any],
    kind: Kind,
    objects: Mapping[str, tuple[str, str]],
    target: str | None = None,
) -> Spec:
    """A copy of the spec that refers to other objects; nothing else differs.

    `objects` maps the id of an object to the (id, name) of the one that takes its place, under
    every target, or under the given one alone. A reference's file name, uid, gid and mode stay.
    """
    result = copy.deepcopy(dict(spec))
    field, identity, title = _FIELDS[kind]
    container = _container(result)
    for entry in container.get(field) or ():
        elsewhere = target is not None and (entry.get("File") or {}).get("Name") != target
        if not elsewhere and (found := objects.get(entry[identity])):
            entry[identity], entry[title] = found
    if kind == "config" and target is None:
        # A credential spec (of Windows) names one of the configs by its id once more.
        credential = (container.get("Privileges") or {}).get("CredentialSpec") or {}
        if found := objects.get(credential.get("Config", "")):
            credential["Config"] = found[0]
    return result


def update_config(
    spec: Mapping[str, Any], part: Literal["UpdateConfig", "RollbackConfig"] = "UpdateConfig"
) -> UpdateConfig:
    """How the engine will update, or roll back, a service with this spec: defaults included."""
    given = spec.get(part)
    defaults = UpdateConfig()
    if given is None:
        return defaults
    monitor = given.get("Monitor") or 0
    return UpdateConfig(
        parallelism=given.get("Parallelism", 0),
        delay=given.get("Delay", 0) / _SECOND,
        order=given.get("Order") or defaults.order,
        monitor=monitor / _SECOND if monitor else defaults.monitor,
        failure_action=given.get("FailureAction") or defaults.failure_action,
        max_failure_ratio=given.get("MaxFailureRatio", 0.0),
    )


def with_update_config(
    spec: Mapping[str, Any],
    *,
    parallelism: int | None = None,
    delay: float | None = None,
    order: Literal["start-first", "stop-first"] | None = None,
    monitor: float | None = None,
    failure_action: Literal["pause", "continue", "rollback"] | None = None,
) -> Spec:
    """A copy of the spec with these fields of its update configuration; None leaves the field.

    delay and monitor are seconds.
    """
    result = copy.deepcopy(dict(spec))
    fields = {
        "Parallelism": parallelism,
        "Delay": None if delay is None else round(delay * _SECOND),
        "Order": order,
        "Monitor": None if monitor is None else round(monitor * _SECOND),
        "FailureAction": failure_action,
    }
    given = {field: value for field, value in fields.items() if value is not None}
    if given:
        # Without a configuration one task is updated at a time; with one, a parallelism that is
        # not there means all at once.
        result["UpdateConfig"] = (result.get("UpdateConfig") or {"Parallelism": 1}) | given
    return result


def health_check(spec: Mapping[str, Any]) -> bool | None:
    """Whether the spec has a health check, or switches the image's off; None: it says nothing."""
    return _has_test(_container(spec).get("Healthcheck"))


def image_health_check(image: Mapping[str, Any]) -> bool:
    """Whether an image, as `GET /images/NAME/json` gives it, has a health check."""
    return bool(_has_test((image.get("Config") or {}).get("Healthcheck")))


def may_end(spec: Mapping[str, Any]) -> bool:
    """Whether a task that ends with status 0 has done its work, as that of a migration.

    By its restart policy no other follows. One with a health check also ends so when it is stopped
    as unhealthy.
    """
    policy = (spec.get("TaskTemplate") or {}).get("RestartPolicy") or {}
    return policy.get("Condition") in ("none", "on-failure") and not health_check(spec)


def host_ports(spec: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """The (protocol, port) pairs that each task takes of its node: ports published in host mode."""
    ports = (spec.get("EndpointSpec") or {}).get("Ports") or ()
    return tuple(
        (port.get("Protocol") or "tcp", port["PublishedPort"])
        for port in ports
        if port.get("PublishMode") == "host" and port.get("PublishedPort")
    )


def image_of(spec: Mapping[str, Any]) -> str:
    """The image that the tasks run, as the spec names it; "" if they run none."""
    return str(_container(spec).get("Image") or "")


def _container(spec: Mapping[str, Any]) -> dict[str, Any]:
    # Absent where the tasks are plugins or network attachments.
    found: dict[str, Any] = (spec.get("TaskTemplate") or {}).get("ContainerSpec") or {}
    return found


def _reference(kind: Kind, entry: Mapping[str, Any], identity: str, title: str) -> Reference:
    file = entry.get("File")
    details: Mapping[str, Any] = file or {}
    return Reference(
        kind,
        object_id=entry[identity],
        object_name=entry.get(title, ""),
        target=details.get("Name", "") if file is not None else None,
        uid=details.get("UID", "0"),
        gid=details.get("GID", "0"),
        mode=details.get("Mode", 0),
    )


def _has_test(check: Mapping[str, Any] | None) -> bool | None:
    # An empty test inherits the image's (moby's api/types/container.HealthConfig).
    test = (check or {}).get("Test")
    return test[0] != "NONE" if test else None

"""What a deploy would change in the services of a stack, as far as this program can tell. Pure.

docker alone knows all of what a stack file becomes, and has no dry run. Compared are the secrets
and configs of each service, its image, its number of tasks, and its environment. No value of a
variable leaves this module.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from ...engines import spec as specs
from ...engines.protocol import Kind, Service
from ..documents import text
from .deploy import Plan
from .model import KINDS, ServiceEntry, Stack

COMPARED = "secrets, configs, image, replicas and environment"
_IMAGE = "com.docker.stack.image"  # docker's label: the image as the file names it


class Difference(NamedTuple):
    """One thing that a deploy would change."""

    service: str  # its whole name; "" for a version that would be made
    what: str
    before: str  # "": it is not there
    after: str  # "": it will not be there


def differences(stack: Stack, plan: Plan, services: Collection[Service]) -> tuple[Difference, ...]:
    """By service; `services` are those that the stack has now."""
    found = [
        Difference(
            "", f"{one.kind} {one.name}", f"v{one.before}" if one.before else "", f"v{one.after}"
        )
        for one in plan.choices.values()
        if one.makes or one.commits
    ]
    there = {one.name: one for one in services}
    for entry in stack.services.values():
        name = f"{plan.stack}_{entry.name}"
        service = there.pop(name, None)
        if service is None:
            found.append(Difference(name, "service", "", _image(stack, entry) or "new"))
        references = _references(stack, plan, entry.name)
        found += _of_references(name, service, references)
        if service is not None:
            found += _of_spec(stack, entry, service)
    found += [
        Difference(name, "service, with --prune", specs.image_of(one.spec), "")
        for name, one in there.items()
    ]
    return tuple(found)


def _references(stack: Stack, plan: Plan, service: str) -> dict[tuple[Kind, str], str]:
    """The object names that the files give a service, by kind and target."""
    return {
        (use.kind, use.target or use.source): plan.names[use.kind, use.source]
        for use in stack.uses
        if use.service == service
    }


def _of_references(
    name: str, service: Service | None, after: dict[tuple[Kind, str], str]
) -> Iterator[Difference]:
    before = {
        (use.kind, use.target): use.object_name
        for use in (service.references if service else ())
        if use.target is not None
    }
    for kind in KINDS:
        targets = {target for each, target in (*before, *after) if each == kind}
        for target in sorted(targets):
            first, last = before.get((kind, target), ""), after.get((kind, target), "")
            if first != last:
                yield Difference(name, f"{kind} {target}", first, last)


def _of_spec(stack: Stack, entry: ServiceEntry, service: Service) -> Iterator[Difference]:
    labels = service.spec.get("Labels") or {}
    image, running = _image(stack, entry), labels.get(_IMAGE) or specs.image_of(service.spec)
    if image and image != running:
        yield Difference(service.name, "image", running, image)
    if service.mode == "replicated":
        wanted = _scalar(stack, entry, "deploy", "replicas") or "1"
        if wanted.isdigit() and int(wanted) != service.replicas:
            yield Difference(service.name, "replicas", str(service.replicas), wanted)
    if entry.find("env_file") is None:
        yield from _of_environment(stack, entry, service)


def _of_environment(stack: Stack, entry: ServiceEntry, service: Service) -> Iterator[Difference]:
    container = (service.spec.get("TaskTemplate") or {}).get("ContainerSpec") or {}
    pairs = (each.partition("=") for each in container.get("Env") or ())
    before = {name: value for name, _, value in pairs}
    after = _environment(stack, entry)
    for name in sorted({*before, *after}):
        if name not in after:
            yield Difference(service.name, f"environment {name}", "set", "")
        elif name not in before:
            yield Difference(service.name, f"environment {name}", "", "set")
        elif before[name] != after[name]:
            yield Difference(service.name, f"environment {name}", "set", "another value")


def _environment(stack: Stack, entry: ServiceEntry) -> dict[str, str]:
    """As docker has it: one without a value is that of the client, and left out if unset."""
    found: dict[str, str | None] = {}
    for document, node in entry.layers:
        section = document.get(node, "environment")
        for one in document.entries(section):
            found[one.key] = stack.interpolated(document, one.value)
        for item in document.items(section):
            name, equals, value = (stack.interpolated(document, item) or "").partition("=")
            found[name] = value if equals else None
    variables = {name: stack.variables.get(name) for name in found}
    every = {name: variables[name] if value is None else value for name, value in found.items()}
    return {name: value for name, value in every.items() if value is not None}


def _image(stack: Stack, entry: ServiceEntry) -> str:
    return _scalar(stack, entry, "image") or ""


def _scalar(stack: Stack, entry: ServiceEntry, *path: str) -> str | None:
    found = entry.find(*path)
    if found is None or text(found[1]) is None:
        return None
    return stack.interpolated(*found)

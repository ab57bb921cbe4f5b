"""Which secret or config each definition of a stack is, and where its content comes from. Pure.

The names are those that `docker stack deploy` gives its objects (docker/cli, cli/compose/convert):
an external one has its `name:`, or else its key; another has its `name:`, or else `<stack>_<key>`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

from ...engines.protocol import Kind
from ...errors import InvalidNameError, UsageError
from ...naming import check_name
from ..documents import Document, MappingNode, Node, SequenceNode, text
from ..findings import Finding
from .model import KINDS, Definition, Stack

Names = Mapping[Kind, Collection[str]]
# known: a version of a secret or config that secretkit knows, its current one unless a rollout says
# otherwise. given: the stack brings its content, from which versions are made. docker: what docker
# makes of it itself, or an external object that secretkit does not know.
Becomes = Literal["known", "given", "docker"]
_SOURCES = ("file", "environment", "content", "driver")
_STACK = re.compile("[a-zA-Z0-9][a-zA-Z0-9_-]*")  # what a service's name may begin with (swarmkit)


class Source(NamedTuple):
    """Where the content of a given secret or config is: exactly one of these is not None."""

    path: str | None = None  # absolute
    variable: str | None = None
    content: str | None = None  # not for a message, as little as the file's

    def __repr__(self) -> str:
        return f"Source({self.path or self.variable or '…'})"


class Resolved(NamedTuple):
    """What one definition becomes."""

    definition: Definition
    becomes: Becomes
    name: str  # of the secret or config; for "docker", of the object
    source: Source | None = None  # of what is given, and of a file that docker reads itself


class Resolution(NamedTuple):
    """What becomes of all definitions of a stack."""

    stack: str  # the name it is deployed under
    definitions: tuple[Resolved, ...]
    findings: tuple[Finding, ...]  # by the file's order


def check_stack_name(name: str) -> None:
    """Raise UsageError for a name under which no service can be deployed."""
    if not _STACK.fullmatch(name):
        raise UsageError(
            "invalid stack name: only letters, digits, - and _, a letter or digit first",
            hint="give the NAME under which docker has the stack: services are called NAME_KEY",
        )


def resolve(stack: Stack, name: str, known: Names, objects: Names | None = None) -> Resolution:
    """What the definitions of a stack become under this name.

    `known` are the names of secrets and configs that have versions, `objects` all objects that the
    engine has, None if it was not asked. Raises UsageError, with the file, for what docker would
    refuse of the files' versions, and, with line and column, of `secrets:` and `configs:`.
    """
    check(stack)
    _check_versions(stack)
    _check_merges(stack)
    used = {(use.kind, use.source) for use in stack.uses}
    found: list[Resolved] = []
    findings: list[Finding] = []
    for one in stack.definitions.values():
        resolved = _resolve(stack, one, name, known.get(one.kind, ()), findings)
        found.append(resolved)
        # Docker does not look for one that no service uses.
        is_used = (one.kind, one.key) in used
        if objects is not None and is_used and _is_missing(resolved, objects):
            findings.append(
                Finding(
                    "missing-external",
                    one.place,
                    f"the {one.kind} {resolved.name} is external, and the engine has none",
                    f"secretkit create {resolved.name}, or correct its name"
                    if one.kind == "secret"
                    else f"secretkit config create {resolved.name} FILE, or correct its name",
                )
            )
    return Resolution(name, tuple(found), tuple(findings))


def _is_missing(one: Resolved, objects: Names) -> bool:
    is_external = one.becomes == "docker" and one.definition.origin == "external"
    return is_external and one.name not in objects.get(one.definition.kind, ())


def _resolve(
    stack: Stack, one: Definition, name: str, known: Collection[str], findings: list[Finding]
) -> Resolved:
    from ...rotation.objects import parse

    if one.origin == "external":
        called = one.name or one.key
        if called in known:
            return Resolved(one, "known", called)
        base, number = parse(called)
        if base not in known:
            return Resolved(one, "docker", called)
        findings.append(
            Finding(
                "pinned-version",
                one.place,
                f"it names version {number} of {base}, and the current one is deployed",
                f"name: {base}",
            )
        )
        return Resolved(one, "known", base)
    called = one.name or f"{name}_{one.key}"
    source = _source(stack, one)
    if one.origin in ("environment", "content"):
        _check_name(one, called)
    elif reason := _left(one, called):
        findings.append(
            Finding(
                "left-to-docker",
                one.place,
                f"the {one.kind} {one.key} is left to docker: {reason}",
                "a change of it needs another name: docker changes none",
            )
        )
        return Resolved(one, "docker", called, source)
    return Resolved(one, "given", called, source)


def _source(stack: Stack, one: Definition) -> Source | None:
    """Where the content of one that the stack brings is; None for what a driver has."""
    match one.origin:
        case "file":
            return Source(path=_absolute(stack, one.source))
        case "environment":
            return Source(variable=one.source)
        case "content":
            return Source(content=one.source)
    return None


def _absolute(stack: Stack, path: str) -> str:
    """As docker has it: `..` takes the folder's name away, also where that is a link."""
    if os.path.isabs(path):
        return path
    return os.path.normpath(os.path.join(stack.absolute_folder, path))


def _left(one: Definition, called: str) -> str:
    """Why docker makes an object itself; "" if it does not."""
    if one.origin == "driver" or one.document.get(one.node, "driver") is not None:
        return "its driver keeps the content"
    if one.template_driver and one.origin == "file":
        return "it has a template driver"
    try:
        check_name(called)
    except InvalidNameError as error:
        return error.reason
    return ""


def _check_name(one: Definition, called: str) -> None:
    """Docker takes no such definition, so there is nobody to leave it to."""
    try:
        check_name(called)
    except InvalidNameError as error:
        raise UsageError(f"{one.place}: {error}", hint=error.hint) from None


def check(stack: Stack) -> None:
    """Raise UsageError for the first thing that docker would refuse of secrets and configs."""
    for document in stack.documents:
        if not isinstance(document.root, MappingNode):
            raise UsageError(f"{document.path}: no stack file: its top is no mapping")
        for section in ("services", *(f"{kind}s" for kind in KINDS)):
            _check_mappings(document, section)
    for one in stack.definitions.values():
        _check_definition(one)
    for use in stack.uses:
        what = f"the {use.kind} of service {use.service}"
        if not use.source:
            raise UsageError(f"{use.place}: {what} has no source")
        if (use.kind, use.source) not in stack.definitions:
            raise UsageError(
                f"{use.place}: service {use.service} uses a {use.kind} that is not defined,"
                f" {use.source}",
                hint=f"name it under {use.kind}s: at the top of the file",
            )


def _check_versions(stack: Stack) -> None:
    """That all files have the same: docker merges no others (docker/cli, compose/loader)."""
    for first, document in zip(stack.documents, stack.documents[1:], strict=False):
        if _version(document) != _version(first):
            raise UsageError(
                f"{document.path}: its version: is another than that of {first.path}, and docker"
                " merges no such files",
                hint="give each file the same version:, or none of them any",
            )


def _version(document: Document) -> str | None:
    """As docker compares it: `3` is `3.0`."""
    version = text(document.get(document.root, "version"))
    return {"1": "1.0", "2": "2.0", "3": "3.0"}.get(version or "", version)


def _check_merges(stack: Stack) -> None:
    """That every docker reads the same of secrets and configs, and of who uses them."""
    for document in stack.documents:
        sections = [document.get(document.root, f"{kind}s") for kind in KINDS]
        services = document.get(document.root, "services")
        nodes = [document.root, services, *sections]
        nodes += [entry.value for each in (services, *sections) for entry in document.entries(each)]
        nodes += [
            item
            for service in document.entries(services)
            for kind in KINDS
            for item in document.items(document.get(service.value, f"{kind}s"))
        ]
        for node in nodes:
            if key := document.overridden(node):
                raise UsageError(
                    f"{document.place(key)}: a << behind this key has it too, and docker's versions"
                    " differ in which of them they take",
                    hint="put << first: then what is written here is what counts",
                )


def _check_mappings(document: Document, section: str) -> None:
    """That a section is a mapping of mappings, and a service's uses are lists."""
    found = document.get(document.root, section)
    if found is None:
        return
    _check_type(document, found, MappingNode, section, "a mapping")
    for entry in document.entries(found):
        what = f"{section}.{entry.key}"
        if not isinstance(entry.value, MappingNode):
            raise UsageError(f"{entry.place}: {what} must be a mapping")
        for kind in KINDS if section == "services" else ():
            uses = document.get(entry.value, f"{kind}s")
            if uses is not None:
                _check_type(document, uses, SequenceNode, f"{what}.{kind}s", "a list")


def _check_type(document: Document, node: Node, kind: type[Node], what: str, said: str) -> None:
    if not isinstance(node, kind):
        raise UsageError(f"{document.place(node)}: {what} must be {said}")


def _check_definition(one: Definition) -> None:
    what = f"{one.place}: the {one.kind} {one.key}"
    get = one.document.get
    given = [field for field in _SOURCES if get(one.node, field) is not None]
    if one.origin is None:
        raise UsageError(
            f"{what} has no content", hint="external: true, or file: and the path of one"
        )
    contents = [field for field in given if field != "driver"]
    if len(contents) > 1 or (one.origin != "external" and len(given) > 1):
        raise UsageError(f"{what} has {' and '.join(given)}", hint="one of them says what is in it")
    for field in ("name", *given):
        node = get(one.node, field)
        if node is not None and text(node) is None:
            raise UsageError(f"{one.document.place(node)}: {field} of {one.key} must be a text")
    if one.origin != "external" and not one.source:
        raise UsageError(f"{what} has an empty {one.origin}")
    if one.kind == "secret" and "content" in given:
        raise UsageError(
            f"{what} has its value in the file",
            hint="external: true and `secretkit create`, or file:, or environment:",
        )
    if one.template_driver and one.origin in ("environment", "content"):
        raise UsageError(
            f"{what} has a template driver, which goes with file: alone",
            hint="put the content into a file",
        )
    external = get(one.node, "external")
    if get(external, "name") is not None and get(one.node, "name") is not None:
        raise UsageError(f"{what} has two names", hint="name: alone is enough")

"""Checks of stack and compose files. Pure, but for files that they name, which are looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ...errors import UsageError
from ..documents import Document, Node, flag, text
from ..findings import Finding, Place
from ..stack.model import Stack
from ..stack.resolve import Names, check, check_stack_name, resolve
from .references import references
from .rollout import rollout
from .scope import Scope, Unset
from .values import values

_STACK = re.compile(r"(^|[/._-])(stack|swarm)([._-]|$)[^/]*$", re.IGNORECASE)
_POSITION = re.compile(r":(\d+)(?::(\d+))?: ")
_DOCKER_KEYS = (
    *("image", "build", "deploy", "extends", "environment", "secrets", "configs"),
    *("external", "file", "content"),
)
_SWARM_KEYS = ("update_config", "rollback_config", "placement", "endpoint_mode", "mode")


def findings_of_document(
    document: Document, siblings: Sequence[Document], swarm: bool | None
) -> list[Finding]:
    """What is wrong in one file, of whose variables nothing is known.

    `siblings` are those that may be taken together with it; swarm None: as the file looks.
    """
    around = Stack([document, *siblings], Unset())
    stack = Stack([document], around.variables)
    if swarm is None:
        swarm = is_for_swarm(around.documents)
    found: list[Finding] = []
    try:
        found = _findings(Scope(stack, around, swarm, {}))
        unknown = any("$" in use.source for use in around.uses)
        if not unknown and not any(one.get(one.root, "include") for one in around.documents):
            check(around)
    except UsageError as error:
        refused = refusal(error, around.documents)
        found = _with(found, [refused] if refused.place.path == document.path else [])
    return found


def findings_of_stack(
    stack: Stack, name: str, known: Names, objects: Names | None, health: Mapping[str, bool]
) -> list[Finding]:
    """What is wrong in the files of a stack that is called `name`, taken together.

    `known`: the names of secrets and configs that secretkit knows; `objects`: of all that the
    engine has, None if it was not asked; `health`: by service, whether it has a health check, as
    far as an engine knows. Raises UsageError for a variable that is required and not set, and for
    the name.
    """
    check_stack_name(name)
    found = _findings(Scope(stack, stack, True, health))
    try:
        return _with(found, resolve(stack, name, known, objects).findings)
    except UsageError as error:
        return _with(found, [refusal(error, stack.documents)])


def refusal(error: UsageError, documents: Sequence[Document]) -> Finding:
    """What docker would not read, from what the reader says: it names the place first."""
    said = str(error)
    path = next((one.path for one in documents if said.startswith(f"{one.path}:")), "")
    said = said.removeprefix(path)
    position = _POSITION.match(said)
    place = Place(path, int(position[1]), int(position[2] or 0)) if position else Place(path)
    message = said[position.end() :] if position else said.removeprefix(": ")
    return Finding("unreadable-file", place, message, error.hint or "")


def _findings(scope: Scope) -> list[Finding]:
    return _with({*values(scope), *references(scope), *rollout(scope)}, ())


def _with(found: Iterable[Finding], more: Iterable[Finding]) -> list[Finding]:
    """Both, by file and line; of what is told twice, the second."""
    more = list(more)
    told = {(one.rule, one.place[:2]) for one in more}
    kept = [one for one in found if (one.rule, one.place[:2]) not in told]
    errors = {one.place[:2] for one in kept if one.severity == "error"}
    kept += [one for one in more if one.rule != "unreadable-file" or one.place[:2] not in errors]
    return sorted(kept, key=lambda one: (one.place, one.rule, one.message))


def is_for_swarm(documents: Sequence[Document]) -> bool:
    """Whether files are for `docker stack deploy`, and not for compose.

    By the name, or by keys that compose ignores or refuses: external secrets, `deploy:` with
    `update_config`, `placement` and the like.
    """
    return any(_STACK.search(one.path) or any(_for_swarm(one)) for one in documents)


def _for_swarm(document: Document) -> Iterator[bool]:
    for section in ("secrets", "configs"):
        for entry in document.entries(document.get(document.root, section)):
            external = document.get(entry.value, "external")
            yield external is not None and (text(external) is None or flag(external))
    for entry in document.entries(document.get(document.root, "services")):
        deploy = document.get(entry.value, "deploy")
        yield any(document.get(deploy, key) is not None for key in _SWARM_KEYS)


def describes_services(document: Document) -> bool:
    """Whether a YAML file is a stack or compose file: other programs have a `services:` too."""
    found = [
        entry.value
        for key in ("services", "secrets", "configs")
        for entry in document.entries(document.get(document.root, key))
    ]
    return any(_is_of_docker(document, node) for node in found)


def _is_of_docker(document: Document, node: Node) -> bool:
    return any(document.get(node, key) is not None for key in _DOCKER_KEYS)

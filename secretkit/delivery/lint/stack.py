"""Checks of stack and compose files. Pure, but for files that they name, which are looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..documents import Document, Node, flag, text
from ..findings import Finding
from ..stack.model import Stack
from .references import references
from .rollout import rollout
from .scope import Facts, Scope, Unset
from .values import values

_STACK = re.compile(r"(^|[/._-])(stack|swarm)([._-]|$)[^/]*$", re.IGNORECASE)
_SWARM_KEYS = ("update_config", "rollback_config", "placement", "endpoint_mode", "mode")


def findings_of_stack(
    stack: Stack, *, swarm: bool, around: Stack | None = None, facts: Facts | None = None
) -> list[Finding]:
    """What is wrong in these files, by file and line.

    `around` is the stack with the files that go with them, if those are not checked now.
    Raises UsageError for a variable that is required and not set, and for a broken `$`.
    """
    scope = Scope(stack, around or stack, swarm, facts)
    found = {*values(scope), *references(scope), *rollout(scope)}
    return sorted(found, key=lambda one: (one.place, one.rule, one.message))


def findings_of_document(
    document: Document, siblings: Sequence[Document], swarm: bool | None
) -> list[Finding]:
    """What is wrong in one file, of whose variables nothing is known. Raises UsageError.

    `siblings` are those that may be taken together with it; swarm None: as the file looks.
    """
    variables = Unset()
    return findings_of_stack(
        Stack([document], variables),
        around=Stack([document, *siblings], variables),
        swarm=is_for_swarm([document, *siblings]) if swarm is None else swarm,
    )


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
    services = document.get(document.root, "services")
    return any(_is_service(document, entry.value) for entry in document.entries(services)) or any(
        document.entries(document.get(document.root, kind)) for kind in ("secrets", "configs")
    )


def _is_service(document: Document, node: Node) -> bool:
    return any(
        document.get(node, key) is not None
        for key in ("image", "build", "deploy", "extends", "environment", "secrets", "configs")
    )

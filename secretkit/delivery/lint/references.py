"""Checks of secrets and configs: what is defined, what is used, and under which targets."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from ..documents import Document, Node, ScalarNode, text
from ..findings import Finding
from ..stack.model import KINDS, Definition, Use
from .scope import Scope, key_place, scalars

_COMMON_MODES = {
    "400", "440", "444", "500", "550", "555", "600", "640", "644", "660", "664", "666", "700",
    "750", "755", "770", "775", "777",
}  # fmt: skip
_PINNED = re.compile(r"(?P<name>.+)-v\d+")
_SINCE = {"secrets": (3, 1), "configs": (3, 3)}


def references(scope: Scope) -> Iterator[Finding]:
    """What is wrong with secrets and configs."""
    included = any(one.get(one.root, "include") is not None for one in scope.around.documents)
    for use in scope.stack.uses:
        if use.source and "$" not in use.source and not included:
            yield from _undefined(scope, use)
        yield from _ignored(scope, use)
    built = _used_by_builds(scope)
    unknown = included or any("$" in use.source for use in scope.around.uses)
    used = {(use.kind, use.source) for use in scope.around.uses}
    for definition in scope.stack.definitions.values():
        if definition[:2] not in used and not unknown and definition.key not in built:
            yield Finding(
                "unused-secret",
                definition.place,
                f"no service uses the {definition.kind} {definition.key}",
                f"take it away, or write `{definition.kind}s: [{definition.key}]` in a service",
            )
        yield from _definition(scope, definition)
    yield from _collisions(scope.stack.uses)
    for _, document, node in scope.services():
        for kind in KINDS:
            for item in document.items(document.get(node, f"{kind}s")):
                yield from _mode(scope, document, document.get(item, "mode"))
    if scope.swarm:
        for document in scope.stack.documents:
            yield from _version(document)


def _undefined(scope: Scope, use: Use) -> Iterator[Finding]:
    if (use.kind, use.source) not in scope.around.definitions:
        yield Finding(
            "undefined-secret",
            use.place,
            f"{use.service} uses the {use.kind} {use.source}, which is not defined",
            f"at the top: `{use.kind}s: {{{use.source}: {{external: true}}}}`, or correct the name",
        )


def _definition(scope: Scope, one: Definition) -> Iterator[Finding]:
    if one.origin is None:
        yield Finding(
            "undefined-secret",
            one.place,
            f"the {one.kind} {one.key} does not say where its content comes from",
            "`external: true`, or `file: PATH`",
        )
    if one.origin == "file" and not _is_there(scope, one):
        yield Finding(
            "missing-file",
            one.place,
            f"the file of the {one.kind} {one.key} is not there",
            "correct the path, which is relative to the first of the files",
        )
    name = one.name or one.key
    if one.origin != "external" or not scope.swarm:
        return
    if (pinned := _PINNED.fullmatch(name)) is not None:
        yield Finding(
            "pinned-version",
            one.place,
            f"{name} is one version: deploying this file again takes a rotation back",
            f"`name: {pinned['name']}` and `secretkit stack deploy`, which takes the current one",
        )


def _is_there(scope: Scope, one: Definition) -> bool:
    """Whether the file of a definition is there, as far as this machine can tell.

    An absolute path is one of the machine that deploys, and a dev folder comes with `dev up`.
    """
    if "$" in one.source or one.source.startswith(("/", "~")) or "dev-secrets" in one.source:
        return True
    try:
        return Path(scope.stack.folder, one.source).exists()
    except (OSError, ValueError):
        return False


def _used_by_builds(scope: Scope) -> set[str]:
    return {
        node.value
        for service in scope.around.services.values()
        for document, layer in service.layers
        for node in scalars(document.get(layer, "build", "secrets"))
    }


def _ignored(scope: Scope, use: Use) -> Iterator[Finding]:
    definition = scope.around.definitions.get((use.kind, use.source))
    given = [key for key in ("uid", "gid", "mode") if getattr(use, key) is not None]
    if given and definition and definition.origin == "file" and not scope.swarm:
        yield Finding(
            "ignored-by-compose",
            use.place,
            f"compose ignores {', '.join(given)} of {use.source}, whose content is a file",
            "give the file itself this owner and mode, or let the shim render it:"
            " `secretkit-entrypoint --render SRC:DEST,mode=0400,owner=U:G`",
        )


def _collisions(uses: tuple[Use, ...]) -> Iterator[Finding]:
    taken: dict[tuple[str, str, str], Use] = {}
    for use in uses:
        base, target = "/" if use.kind == "config" else "/run/secrets", use.target or use.source
        if "$" in target:
            continue
        path = posixpath.normpath(posixpath.join(base, target))
        first = taken.setdefault((use.service, use.place.path, path), use)
        if first is not use:
            yield Finding(
                "same-target",
                use.place,
                f"{use.service} gets {first.source} (line {first.place.line}) and {use.source}"
                f" as {path}",
                "give one of them another `target:`",
            )


def _mode(scope: Scope, document: Document, node: Node | None) -> Iterator[Finding]:
    """docker/cli takes a number only, and reads 444 as YAML does: decimal, 0674."""
    if not isinstance(node, ScalarNode):
        return
    if node.style in ("'", '"'):
        if scope.swarm and "$" not in node.value:
            yield Finding(
                "wrong-mode",
                document.place(node),
                "the mode is a text, and docker takes a number only",
                f"mode: 0{node.value.lstrip('0o')}, without quotes",
            )
    elif node.value in _COMMON_MODES:
        yield Finding(
            "wrong-mode",
            document.place(node),
            f"the mode {node.value} is decimal, which is 0{int(node.value):o}",
            f"mode: 0{node.value}",
        )


def _version(document: Document) -> Iterator[Finding]:
    written = text(document.get(document.root, "version")) or ""
    place = key_place(document, document.root, "version")
    number = re.fullmatch(r"(\d+)(?:\.(\d+))?", written)
    if not number or place is None:
        return
    given = (int(number[1]), int(number[2] or 0))
    needs = [since for key, since in _SINCE.items() if _has(document, key) and given < since]
    named = any(
        document.get(entry.value, "name") is not None
        for kind in KINDS
        for entry in document.entries(document.get(document.root, f"{kind}s"))
    )
    needs += [(3, 5)] if named and given < (3, 5) else []
    if given < (3, 0):
        needs += [(3, 0)]
    if needs:
        major, minor = max(needs)
        yield Finding(
            "old-version",
            place,
            f"docker refuses this file: it needs version {major}.{minor} or later",
            'version: "3.8"',
        )


def _has(document: Document, key: str) -> bool:
    services = document.entries(document.get(document.root, "services"))
    return document.get(document.root, key) is not None or any(
        document.get(entry.value, key) is not None for entry in services
    )

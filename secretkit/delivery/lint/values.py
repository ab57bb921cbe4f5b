"""Checks of what services are told: secrets in plain text, and paths below /run/secrets."""

from __future__ import annotations

import posixpath
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from ..documents import Document, Node, SequenceNode, text
from ..findings import Finding, Place
from ..healthchecks import findings_of_check
from ..stack.model import KINDS, Use
from .context import is_secret_file
from .names import TYPO, credentials, is_plain, is_secret
from .scope import Scope, inside, pairs, scalars

_DEFAULT = re.compile(r"(?<!\$)\$\{(?P<name>\w+):?-(?P<default>[^{}]+)\}")
_PATH = re.compile(r"/run/secrets/(?P<name>[\w.-]*\w)(?![\w.${*?-]|\.)")
# Files that a script looks for, and does without if they are missing.
_TESTED = re.compile(r"-[defrs]\s+[\"']?/run/secrets/([\w.-]*\w)")
_COMMANDS = (("command",), ("entrypoint",), ("healthcheck", "test"))
_LARGEST = 1 << 20  # bytes of an env_file


def values(scope: Scope) -> Iterator[Finding]:
    """What is wrong with the values in the files, none of which is repeated."""
    for document in scope.stack.documents:
        yield from _typos(document)
        for entry in document.entries(document.get(document.root, "configs")):
            yield from _text(document, document.get(entry.value, "content"), "the content")
    given: dict[str, list[Use]] = {}
    for use in scope.around.uses:
        given.setdefault(use.service, []).append(use)
    for service, document, node in scope.services():
        yield from _environment(document, document.get(node, "environment"))
        yield from _exclusive(document, document.get(node, "environment"))
        yield from _build(document, document.get(node, "build", "args"))
        yield from _labels(document, document.get(node, "labels"))
        yield from _labels(document, document.get(node, "deploy", "labels"))
        for path in _COMMANDS:
            yield from _text(document, document.get(node, *path), f"`{path[0]}`")
        yield from _check(document, document.get(node, "healthcheck", "test"), service.name)
        yield from _env_files(scope, document, document.get(node, "env_file"))
        if scope.swarm:
            yield from _binds(scope, document, document.get(node, "volumes"))
        if not _mounts_its_own(scope, service.name):
            yield from _unmounted(service.name, given.get(service.name, []), document, node)


def _remedy(name: str) -> str:
    secret = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return (
        f"`secretkit create {secret}`, in the service `secrets: [{secret}]`, and {name}_FILE:"
        f" /run/secrets/{secret} if its image takes that; else `secretkit bake` it"
    )


def _plaintext(place: Place, what: str, name: str) -> Finding:
    return Finding("plaintext-secret", place, f"{what} in plain text", _remedy(name))


def _named(name: str) -> str:
    """A variable's name, if it is one: a line that was meant otherwise may hold a value."""
    return name if re.fullmatch(r"[\w.-]{1,100}", name) else "NAME"


def _environment(document: Document, node: Node | None) -> Iterator[Finding]:
    for name, value, where in pairs(document, node):
        written = (value or "").replace("$$", "_")
        if is_secret(name) and is_plain(written) and "/run/secrets/" not in written:
            what = "has a default that is" if "${" in written else "is"
        elif _hidden(value or ""):
            what = "has a secret that is"
        else:
            continue
        yield _plaintext(document.place(where), f"{_named(name)} {what}", _named(name))


def _build(document: Document, node: Node | None) -> Iterator[Finding]:
    for name, value, where in pairs(document, node):
        if not is_secret(name):
            continue
        if is_plain((value or "").replace("$$", "_")):
            what = f"the build argument {_named(name)} is"
            yield _plaintext(document.place(where), what, _named(name))
        else:
            yield Finding(
                "secret-build-argument",
                document.place(where),
                f"{_named(name)} is given to the build as an argument",
                "`build: {secrets: [NAME]}`, and RUN --mount=type=secret,id=NAME in the Dockerfile",
            )


def _labels(document: Document, node: Node | None) -> Iterator[Finding]:
    for name, value, where in pairs(document, node):
        if (is_secret(name) and is_plain(value or "")) or _hidden(value or ""):
            yield Finding(
                "plaintext-secret",
                document.place(where),
                f"the label {_named(name)} is in plain text",
                "whoever can ask the engine can read labels: give it to the program as a secret",
            )


def _text(document: Document, node: Node | None, what: str) -> Iterator[Finding]:
    """Credentials in a command or a text; a list is one command."""
    parts = document.items(node) if isinstance(node, SequenceNode) else [node]
    words = [text(part) or "" for part in parts]
    starts = [0, *accumulate(len(word) + 1 for word in words)]
    for at in _hidden(" ".join(words)):
        index = bisect_right(starts, at) - 1
        part = parts[index]
        if part is not None:
            place = inside(document, part, at - starts[index])
            yield Finding(
                "plaintext-secret",
                place,
                f"{what} has a secret in plain text",
                "let the program read a file below /run/secrets; `secretkit bake` makes files and"
                " variables of secrets",
            )


def _check(document: Document, node: Node | None, service: str) -> Iterator[Finding]:
    """What a health check prints: a text is for a shell, a list says what it is for."""
    written = text(node)
    listed = [text(one) or "" for one in document.items(node)]
    kind, *words = ["CMD-SHELL", written] if written else listed or ["NONE"]
    if node is not None and words and kind in ("CMD", "CMD-SHELL"):
        words = [one.replace("$$", "$") for one in words]
        given = words if kind == "CMD" else ["/bin/sh", "-c", *words]
        whose = f"the health check of {service}"
        yield from findings_of_check(given, whose, document.place(node))


def _hidden(written: str) -> list[int]:
    """Where a text has credentials, or a variable with a secret as its default."""
    defaults = (
        found.start()
        for found in _DEFAULT.finditer(written)
        if is_secret(found["name"]) and is_plain(found["default"])
    )
    return sorted({*credentials(written), *defaults})


def _typos(document: Document) -> Iterator[Finding]:
    for node in scalars(document.root):
        for found in TYPO.finditer(node.value):
            yield Finding(
                "run-secret-path",
                inside(document, node, found.start()),
                "/run/secret is no folder of secrets",
                "write /run/secrets",
            )


def _exclusive(document: Document, node: Node | None) -> Iterator[Finding]:
    """NAME and NAME_FILE: the entrypoints of official images refuse both (their file_env)."""
    there = {name: (value, where) for name, value, where in pairs(document, node)}
    for name, (value, where) in there.items():
        file, _ = there.get(f"{name}_FILE", (None, where))
        if value and file and (is_secret(name) or file.startswith("/run/secrets/")):
            yield Finding(
                "name-and-file",
                document.place(where),
                f"both {_named(name)} and its _FILE are set",
                f"take {_named(name)} away",
            )


def _env_files(scope: Scope, document: Document, node: Node | None) -> Iterator[Finding]:
    for item in document.items(node) or ([node] if node is not None else []):
        path = text(item) or text(document.get(item, "path"))
        if not path or "$" in path:
            continue
        try:
            file = Path(scope.stack.folder, path)
            if not file.is_file() or file.stat().st_size > _LARGEST:
                continue
            lines = file.read_text(errors="replace").splitlines()
        except (OSError, ValueError):
            continue
        named = [line.removeprefix("export ").strip().partition("=") for line in lines]
        found = [
            name.strip()
            for name, _, value in named
            if is_secret(name.strip()) and is_plain(value.strip(" \t\"'"))
        ]
        if found:
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            yield Finding(
                "env-file-secret",
                document.place(item),
                f"{path} gives the service {_named(found[0])}{more} in plain text",
                _remedy(_named(found[0])),
            )


def _binds(scope: Scope, document: Document, node: Node | None) -> Iterator[Finding]:
    for item in document.items(node):
        short = text(item)
        source = short.split(":")[0] if short else text(document.get(item, "source"))
        bound = (short or text(document.get(item, "type")) == "bind") and source
        if bound and source and source.startswith((".", "/", "~")) and "$" not in source:
            path = posixpath.normpath(source)
            if is_secret_file(path, Path(scope.stack.folder)):
                yield Finding(
                    "bind-mounted-secret",
                    document.place(item),
                    f"{source} is mounted from the node's disk",
                    "make it a secret: `secretkit create NAME FILE`, and `secrets: [NAME]`",
                )


def _mounts_its_own(scope: Scope, service: str) -> bool:
    """Whether what is in /run/secrets comes from elsewhere too, or is not all known here."""
    for document, node in scope.around.services[service].layers:
        if document.get(node, "extends") is not None:
            return True
        for key in ("volumes", "tmpfs"):
            if any("/run" in one.value for one in scalars(document.get(node, key))):
                return True
    return False


def _unmounted(
    service: str, uses: Sequence[Use], document: Document, node: Node
) -> Iterator[Finding]:
    """Paths below /run/secrets that the service does not get."""
    if any("$" in f"{one.source}{one.target}" for one in uses):
        return
    targets = {
        posixpath.join("/run/secrets" if one.kind == KINDS[0] else "/", one.target or one.source)
        for one in uses
    }
    whole = [
        (where, _PATH.fullmatch((value or "").removeprefix("file://")))
        for _, value, where in pairs(document, document.get(node, "environment"))
    ]
    found = [(where, match["name"]) for where, match in whole if match]
    for path in _COMMANDS:
        for part in scalars(document.get(node, *path)):
            tested = set(_TESTED.findall(part.value))
            names = {match["name"] for match in _PATH.finditer(part.value)}
            found += [(part, name) for name in sorted(names - tested)]
    for where, name in found:
        below = f"/run/secrets/{name}"
        if not any(one == below or one.startswith(f"{below}/") for one in targets):
            yield Finding(
                "secret-not-given",
                document.place(where),
                f"{below} is not there: {service} has no such secret",
                f"`secrets: [{name}]`, or {{source: …, target: {name}}}, in the service",
            )

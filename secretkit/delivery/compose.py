"""An override file for compose: secrets come from the dev folder, services say which versions.

Measured with docker-compose 1.29.2 and compose v2.40.3. A secret is a bind mount of its file, so a
container that runs keeps what it began with. Whether `up` recreates a service is decided by a hash
of its definition, which covers neither what is in the file nor (in v2) its path: hence the label.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import ConflictError, NotFoundError, SecretkitError, UsageError
from ..model import Secret
from ..rotation.objects import parse
from .documents import Document, Node, ScalarNode, read, text
from .findings import Finding
from .stack.model import Definition, ServiceEntry, Stack, Use

LABEL = "secretkit.versions"
# The first line of a file that is ours, and what else is at its head.
MARK = "# Written by `secretkit compose sync`, which replaces it: what you change here is lost."
_HEAD = f"""{MARK}
# The label is different when a secret is: `docker compose up -d` recreates the service.
"""
# What compose takes in a folder without -f, and adds to it (compose-go, cli/options.go).
_DEFAULTS = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_DEEPEST = 100  # files and services that lead to each other
_OVERRIDES = tuple(name.replace("compose.", "compose.override.") for name in _DEFAULTS)


class Override(NamedTuple):
    """What the override file says, and what there is to say of it."""

    secrets: Mapping[str, str]  # by key in the compose file: the secret
    services: Mapping[str, tuple[str, ...]]  # by service: the secrets that it uses, by name
    unknown: tuple[Definition, ...]  # used, and not a secret of the project
    findings: tuple[Finding, ...]
    text: str  # of the file


# -- which files ---------------------------------------------------------------------------------


def default_files(folder: Path, variables: Mapping[str, str]) -> tuple[Path, ...]:
    """The files that compose itself takes in `folder`: those of COMPOSE_FILE, else the nearest
    upwards of one of its names, with the override file beside it.

    Raises NotFoundError; UsageError if it depends on compose's version which file it takes.
    """
    if named := variables.get("COMPOSE_FILE"):
        separator = variables.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
        return tuple(folder / name for name in named.split(separator) if name)
    for place in (folder, *folder.parents):
        if base := _only(place, _DEFAULTS):
            return (*base, *_only(place, _OVERRIDES))
    raise NotFoundError(
        f"no compose file, in {folder} and above",
        hint="run it where the compose file is, or name it: secretkit compose sync -f FILE",
    )


def _only(folder: Path, names: Sequence[str]) -> list[Path]:
    found = [folder / name for name in names if (folder / name).is_file()]
    if len(found) > 1:
        raise UsageError(
            f"versions of compose differ in which they take, {' or '.join(map(str, found))}",
            hint=f"name it: secretkit compose sync -f {found[0].name}",
        )
    return found


def load(paths: Sequence[str], variables: Mapping[str, str]) -> Stack:
    """The project of these files and of those that they include. Raises UsageError."""
    read_so_far: set[str] = set()
    reader = Stack([], variables)
    return Stack([one for path in paths for one in _files(reader, path, read_so_far)], variables)


def _files(reader: Stack, path: str, read_so_far: set[str], depth: int = 0) -> Iterator[Document]:
    """A file's document, behind those that it includes: it may override what they say."""
    if (real := os.path.realpath(path)) in read_so_far:
        return
    read_so_far.add(real)
    document = read(path)
    for entry in document.items(document.get(document.root, "include")):
        for node in _paths(document, entry):
            name = reader.interpolated(document, node)
            if name and "://" not in name:  # what is not on this machine is compose's own matter
                _check_depth(document, node, depth)
                yield from _files(reader, _beside(document, name), read_so_far, depth + 1)
    yield document


def _check_depth(document: Document, node: Node, depth: int) -> None:
    if depth >= _DEEPEST:
        raise UsageError(
            f"{document.place(node)}: more than {_DEEPEST}, each of which names the next",
            hint="name fewer: compose reads them all, one in the other",
        )


def _beside(document: Document, name: str) -> str:
    return os.path.join(os.path.dirname(document.path), name)


def _paths(document: Document, entry: Node) -> list[Node]:
    """An entry of `include:` is a path, or a mapping whose `path:` is one or a list of them."""
    node = entry if isinstance(entry, ScalarNode) else document.get(entry, "path")
    return [node] if isinstance(node, ScalarNode) else document.items(node)


# -- what the override says ----------------------------------------------------------------------


def plan(stack: Stack, secrets: Mapping[str, Secret], folder: str, mode: int) -> Override:
    """The override for `stack`, of these secrets by name, whose files are in `folder`.

    `folder` is as compose is to read it: absolute, or relative to the first compose file; `mode`
    is that of its files. Raises NotFoundError if no service uses any of the secrets.
    """
    uses = _uses_by_service(stack)
    ours, unknown = known(stack, secrets)
    services = {
        service: tuple(sorted({ours[use.source] for use in all_of if use.source in ours}))
        for service, all_of in uses.items()
    }
    services = {service: names for service, names in services.items() if names}
    content = {
        "services": {
            service: {"labels": {LABEL: ",".join(_stamp(secrets[name]) for name in names)}}
            for service, names in services.items()
        },
        "secrets": {
            key: {"external": False, "file": f"{folder}/{name}".replace("$", "$$")}
            | _taken_away(stack, key)
            for key, name in ours.items()
        },
    }
    all_uses = [use for all_of in uses.values() for use in all_of if use.source in ours]
    # Each once: a service that is extended uses its secrets in several.
    found = tuple(dict.fromkeys(one for use in all_uses if (one := _ignored(use, mode))))
    return Override(ours, services, unknown, found, _HEAD + _yaml(content))


def known(
    stack: Stack, secrets: Collection[str]
) -> tuple[Mapping[str, str], tuple[Definition, ...]]:
    """What services of `stack` use: of these secrets, by key, and what is none of them.

    Raises NotFoundError if no service uses any of the secrets.
    """
    used = {use.source for all_of in _uses_by_service(stack).values() for use in all_of}
    definitions = [
        one for (kind, key), one in stack.definitions.items() if kind == "secret" and key in used
    ]
    ours = {one.key: name for one in definitions if (name := _secret(one, secrets))}
    unknown = tuple(one for one in definitions if one.key not in ours)
    if not ours:
        raise _none_of_ours(stack, unknown)
    return ours, unknown


def _uses_by_service(stack: Stack) -> dict[str, list[Use]]:
    return {name: _uses(stack, service, set()) for name, service in stack.services.items()}


def _secret(definition: Definition, secrets: Collection[str]) -> str | None:
    """The secret that a definition means: by its name, which may be that of a version, or key."""
    name = definition.name or definition.key
    return next((one for one in (name, parse(name)[0], definition.key) if one in secrets), None)


def _none_of_ours(stack: Stack, unknown: Sequence[Definition]) -> NotFoundError:
    files = ", ".join(document.path for document in stack.documents)
    hint = "a service has it under `secrets:`, and so has the file itself"
    if unknown:
        hint = f"`secretkit create {unknown[0].name or unknown[0].key}` makes one that is used"
    return NotFoundError(f"no service uses a secret of this project, {files}", hint=hint)


def _uses(
    stack: Stack, service: ServiceEntry, seen: set[tuple[str, str]], depth: int = 0
) -> list[Use]:
    """The secrets that a service uses, with those of the services that it extends."""
    uses = [one for one in stack.uses if one.service == service.name and one.kind == "secret"]
    for document, node in service.layers:
        extended = document.get(node, "extends")
        name = text(extended) or text(document.get(extended, "service"))
        file = stack.interpolated(document, document.get(extended, "file"))
        path = _beside(document, file) if file else document.path
        if extended is None or not name or (path, name) in seen:
            continue
        _check_depth(document, extended, depth)
        seen.add((path, name))
        there = load([path], stack.variables) if file else stack
        if name in there.services:
            uses += _uses(there, there.services[name], seen, depth + 1)
    return uses


def _stamp(secret: Secret) -> str:
    """What tells a value from every other: a secret made anew begins with version 1 again."""
    created = secret.created.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{secret.name}={secret.current}@{created}"


def _taken_away(stack: Stack, key: str) -> dict[str, object]:
    """What compose refuses beside `file:`, as far as a file has it for this secret.

    Of an empty driver it takes no notice. An `environment:` is gone only by a tag of v2, which
    1.29 cannot read; but that reads no file with `environment:` either.
    """
    nodes = [(one, one.get(one.root, "secrets", key)) for one in stack.documents]
    has = {entry.key for document, node in nodes for entry in document.entries(node)}
    away: dict[str, object] = {"driver": "", "template_driver": "", "environment": _RESET}
    return {name: value for name, value in away.items() if name in has}


def _ignored(use: Use, mode: int) -> Finding | None:
    """What a service asks for, where compose gives the container the file as it is."""
    asked = [name for name in ("uid", "gid", "mode") if getattr(use, name) is not None]
    if use.mode in (f"{mode:04o}", f"0o{mode:o}"):
        asked.remove("mode")
    if not asked:
        return None
    return Finding(
        "ignored-by-compose",
        use.place,
        f"compose ignores the {', '.join(asked)} of a secret, service {use.service}",
        f"the file is the dev folder's, {mode:04o} and yours; a swarm does what is asked for",
    )


class _Reset:
    """The value of a key that another file has, and that is to be gone."""


_RESET = _Reset()


def _yaml(content: object) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    Dumper.add_representer(_Reset, lambda self, _: self.represent_scalar("!reset", "null"))
    return yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1 << 16)


# -- the file ------------------------------------------------------------------------------------


def check_is_ours(path: Path) -> bytes | None:
    """What is at `path`; None if nothing is. Raises ConflictError if this has not written it."""
    if not os.path.lexists(path):
        return None
    try:
        before = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
    except OSError as error:
        raise _cannot_write(path, error) from None
    if not before.startswith(MARK.encode()):
        raise ConflictError(
            f"not written by secretkit, {path} is there already", hint="move it away"
        )
    return before


def _cannot_write(path: Path, error: OSError) -> SecretkitError:
    return SecretkitError(f"cannot write {path}: {(error.strerror or '').lower()}")


def write(path: Path, content: str) -> bool:
    """Put `content` at `path` in one rename; returns whether that changed anything.

    Raises ConflictError if another file is there than one that this has written.
    """
    if check_is_ours(path) == content.encode():
        return False
    try:
        staged = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
        try:
            staged.write_bytes(content.encode())
            staged.replace(path)
        finally:
            staged.unlink(missing_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from None
    return True

"""An override file for compose: secrets come from the dev folder, services say which versions.

Measured with docker-compose 1.29.2 and compose v2.40.3. A secret is a bind mount of its file, so a
container that runs keeps what it began with. Whether `up` recreates a service is decided by a hash
of its definition, which covers neither what is in the file nor (in v2) its path: hence the label.

A *live* service has the folder itself at /run/secrets instead, and so sees what is put into it. Its
own `secrets:` are taken away by `!reset`, as the mount of a file would hide the one in the folder.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ..errors import ConflictError, NotFoundError, SecretkitError, UsageError
from ..model import Secret
from ..mount.sources import Source
from ..rotation.objects import parse
from .compose_files import beside, check_depth, load
from .documents import text
from .findings import Finding
from .stack.model import Definition, ServiceEntry, Stack, Use

LABEL = "secretkit.versions"
FOLDER_LABEL = "secretkit.folder"
EVERY = "*"  # of services to make live: each that can be
_COMMAND = "secretkit compose sync"
_PLACE = "/run/secrets"
# How a file begins that is ours, and what else is at its head.
MARK = f"# Written by `{_COMMAND}"
_REPLACED = "which replaces it: what you change here is lost."
_HEAD = """\
# The label is different when a secret is: `docker compose up -d` recreates the service.
"""
_LIVE_HEAD = """\
# Needs docker compose 2.24 or later. What has the folder itself sees what is new without `up`.
"""


class Folder(NamedTuple):
    """The dev folder, as the override speaks of it."""

    path: str  # as compose is to read it: absolute, or relative to the first compose file
    mode: int  # of its files
    stamps: Mapping[str, str]  # by secret: what tells its content from all that it was before
    identity: str  # what tells the folder from the one that was there before it was wiped


class Override(NamedTuple):
    """What the override file says, and what there is to say of it."""

    secrets: Mapping[str, str]  # by key in the compose file: the secret
    services: Mapping[str, tuple[str, ...]]  # by service: the secrets that it uses, by name
    live: tuple[str, ...]  # services that have the folder itself
    not_live: Mapping[str, str]  # services that were to have it and cannot: why
    unknown: tuple[Definition, ...]  # used, and not a secret of the project
    findings: tuple[Finding, ...]
    text: str  # of the file


# -- what the override says ----------------------------------------------------------------------


def plan(stack: Stack, folder: Folder, live: Collection[str] = ()) -> Override:
    """The override for `stack`, of the secrets in `folder`.

    `live` are services that are to have the folder itself; with EVERY, those that can. Raises as
    `check` does.
    """
    uses = _uses_by_service(stack)
    ours, unknown = _known(stack, uses, folder.stamps)
    lives, not_live = _lives(uses, ours, live)
    services = {
        service: tuple(sorted({ours[use.source] for use in all_of if use.source in ours}))
        for service, all_of in uses.items()
    }
    services = {service: names for service, names in services.items() if names}
    content = {
        "services": {
            service: _live(folder)
            if service in lives
            else {"labels": {LABEL: ",".join(folder.stamps[name] for name in names)}}
            for service, names in services.items()
        },
        "secrets": {
            key: {"external": False, "file": f"{_escaped(folder.path)}/{name}"}
            | _taken_away(stack, key)
            for key, name in ours.items()
        },
    }
    all_uses = [use for all_of in uses.values() for use in all_of if use.source in ours]
    # Each once: a service that is extended uses its secrets in several.
    found = tuple(dict.fromkeys(one for use in all_uses if (one := _ignored(use, folder.mode))))
    options = "".join(" --live" if one == EVERY else f" --live={one}" for one in sorted(set(live)))
    head = f"{MARK}{options}`, {_REPLACED}\n"
    head += _HEAD if len(lives) < len(services) else ""
    head += _LIVE_HEAD if lives else ""
    return Override(ours, services, lives, not_live, unknown, found, head + _yaml(content))


def check(stack: Stack, live: Collection[str], secrets: Collection[str]) -> None:
    """Refuse what no override can be made of, with these secrets in the folder.

    Raises NotFoundError if no service uses any of them, or none of a name in `live` does;
    UsageError if one that `live` names cannot have the folder itself.
    """
    uses = _uses_by_service(stack)
    ours, _ = _known(stack, uses, secrets)
    _lives(uses, ours, live)


def _lives(
    uses: Mapping[str, Sequence[Use]], ours: Mapping[str, str], live: Collection[str]
) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """The services that have the folder itself; and those that it was not to be for: why."""
    reasons = {
        service: _not_live(all_of, ours)
        for service, all_of in uses.items()
        if any(use.source in ours for use in all_of)
    }
    for service in sorted(set(live) - {EVERY}):
        if service not in reasons:
            hint = f"services that do: {', '.join(reasons)}"
            raise NotFoundError("no service of that name uses a secret of this project", hint=hint)
        if reason := reasons[service]:
            raise UsageError(
                f"{reason}, so service {service} cannot have the folder itself",
                hint=f"take it out of --live, or give the service all secrets as {_PLACE}/NAME",
            )
    if EVERY not in live:
        return tuple(service for service in reasons if service in live), {}
    return (
        tuple(service for service, reason in reasons.items() if not reason),
        {service: reason for service, reason in reasons.items() if reason},
    )


def _live(folder: Folder) -> dict[str, object]:
    """What a service says that has the folder itself.

    The label is of the folder: a container keeps the one that it began with, also when that was
    wiped and made anew.
    """
    return {
        "labels": {FOLDER_LABEL: folder.identity},
        "secrets": _RESET,
        "volumes": [
            {
                "type": "bind",
                "source": _escaped(folder.path),
                "target": _PLACE,
                "read_only": True,
                "bind": {"create_host_path": False},
            }
        ],
    }


def _not_live(uses: Sequence[Use], ours: Mapping[str, str]) -> str | None:
    """Why a service cannot have the folder itself: it is to find something else than is there."""
    for use in uses:
        if use.source not in ours:
            return f"{use.place}: not in the dev folder"
        name = ours[use.source]
        if posixpath.join(_PLACE, use.target or use.source) != f"{_PLACE}/{name}":
            return f"{use.place}: {name} at another place"
    return None


def _escaped(path: str) -> str:
    return path.replace("$", "$$")


def _known(
    stack: Stack, uses: Mapping[str, Sequence[Use]], secrets: Collection[str]
) -> tuple[Mapping[str, str], tuple[Definition, ...]]:
    """What services of `stack` use: of these secrets, by key, and what is none of them.

    Raises NotFoundError if no service uses any of the secrets.
    """
    used = {use.source for all_of in uses.values() for use in all_of}
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
        path = beside(document, file) if file else document.path
        if extended is None or not name or (path, name) in seen:
            continue
        check_depth(document, extended, depth)
        seen.add((path, name))
        there = load([path], stack.variables) if file else stack
        if name in there.services:
            uses += _uses(there, there.services[name], seen, depth + 1)
    return uses


def stamps(secrets: Sequence[Secret], sources: Mapping[str, Source]) -> dict[str, str]:
    """By secret, what tells its content in the dev folder from every other; nothing of the content.

    `secrets` are those of the store, and `sources` where the files come from. A secret made anew
    begins with version 1 again; of an override it is which file it is and when it was changed, of
    a mock what it is made from, hashed as an override's size is no matter of who reads the label.
    """
    found = {}
    for one in secrets:
        created = one.created.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        found[one.name] = f"{one.name}={one.current}@{created}"
    for name, source in sources.items():
        if source.origin != "store":
            mark = sha256(source.mark.encode()).hexdigest()[:16]
            found[name] = f"{name}={source.origin}@{mark}"
    return found


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

    Dumper.add_representer(_Reset, lambda self, _: self.represent_sequence("!reset", [], True))
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


def outdated(path: Path) -> str | None:
    """The command that makes a file of ours anew after a rotation; None if it needs none.

    It needs none if all of its services are live.
    """
    try:
        content = path.read_text()
    except (OSError, UnicodeDecodeError):
        return None
    found = re.match(rf"{re.escape(MARK)}((?: --live(?:=[\w.-]+)?)*)`", content)
    return f"{_COMMAND}{found[1]}" if found and LABEL in content else None


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

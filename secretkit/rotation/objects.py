"""What objects in an engine say of themselves: labels, set when they are made."""

from __future__ import annotations

import os
import pwd
import re
import socket
from collections.abc import Collection, Iterable

from ..engines.protocol import Engine, EngineObject, Kind

NAME = "secretkit.name"
VERSION = "secretkit.version"
ROTATION = "secretkit.rotation"  # the id of the rotation that made it
FINGERPRINT = "secretkit.fingerprint"  # of the content: see Versions.fingerprint
STORE = "secretkit.store"  # the id of the store that has its value
SOURCE = "secretkit.source"  # a config's: where its content came from, as a store notes it
BY = "secretkit.by"  # user@machine
CURRENT = "secretkit.current"  # a config's: see ConfigVersions
NAMESPACE = "com.docker.stack.namespace"  # docker's own label of what belongs to a stack

_OBJECT_NAME = re.compile(r"(?P<name>.+)-v(?P<number>[1-9][0-9]*)")


def labels(
    name: str,
    number: int,
    *,
    fingerprint: str,
    store: str = "",
    rotation: str = "",
    source: str = "",
) -> dict[str, str]:
    """The labels of the object for version `number` of `name`; what is empty is left out."""
    said = {
        NAME: name,
        VERSION: str(number),
        ROTATION: rotation,
        FINGERPRINT: fingerprint,
        STORE: store,
        SOURCE: source,
        BY: author(),
    }
    return {label: text for label, text in said.items() if text}


def author() -> str:
    """Who acts, as others in the cluster read it: user@machine."""
    uid = os.geteuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return f"{user}@{socket.gethostname()}"


def parse(object_name: str) -> tuple[str, int]:
    """The secret and version that an object of this name is: the reverse of naming.object_name."""
    match = _OBJECT_NAME.fullmatch(object_name)
    if match and int(match["number"]) > 1:
        return match["name"], int(match["number"])
    return object_name, 1


def identity(found: EngineObject) -> tuple[str, int]:
    """The secret and version that an object is: by its labels, else by its name."""
    number = found.labels.get(VERSION, "")
    if NAME in found.labels and number.isascii() and number.isdigit() and int(number) > 0:
        return found.labels[NAME], int(number)
    return parse(found.name)


def is_ours(found: EngineObject) -> bool:
    """Whether secretkit made or adopted it, here or anywhere."""
    return NAME in found.labels and VERSION in found.labels


def is_other(one: str, another: str) -> bool:
    """Whether two fingerprints are of different contents; two under different keys say nothing."""
    same_key = one.partition(":")[0] == another.partition(":")[0]
    return bool(one and another) and same_key and one != another


def from_another_store(found: EngineObject) -> str:
    """What to say of an object whose value another store has."""
    return f"was made from another store, by {found.labels.get(BY, 'somebody')}"


def versions_of(engine: Engine, kind: Kind, name: str) -> dict[int, EngineObject]:
    """The objects of a secret or config, by version, ascending: see by_name."""
    return by_name(engine.objects(kind)).get(name, {})


def by_name(
    found: Iterable[EngineObject], known: Collection[str] = ()
) -> dict[str, dict[int, EngineObject]]:
    """The versions of every name among objects of one kind; `known` are names that have some.

    By label; an object without our labels counts if its name is exactly that of a version, and it
    is not another stack's (see owned). Where two claim a version, the one that has its object name
    is it.
    """
    names: dict[str, dict[int, EngineObject]] = {}
    for candidate in owned(found, known):
        name, number = identity(candidate)
        versions = names.setdefault(name, {})
        own = f"{name}-v{number}" if number > 1 else name
        if number not in versions or candidate.name == own:
            versions[number] = candidate
    return {name: dict(sorted(versions.items())) for name, versions in names.items()}


def owned(found: Iterable[EngineObject], known: Collection[str] = ()) -> list[EngineObject]:
    """Without what a stack has under a name like `db-v2` that is no version of our `db`.

    That is an object without our labels, with those of a stack that has brought none of what is
    ours of `db`, nor its version 1. Where nothing of `db` is ours and it is not `known`, nothing
    tells them apart, and each counts.
    """
    names: dict[str, list[EngineObject]] = {}
    for one in found:
        names.setdefault(identity(one)[0], []).append(one)
    result = []
    for name, group in names.items():
        anchors = [one for one in group if is_ours(one)] or [
            one for one in group if identity(one)[1] == 1 and NAMESPACE in one.labels
        ]
        stacks = {one.labels.get(NAMESPACE) for one in anchors} | {None}
        result += [
            one
            for one in group
            if not (anchors or name in known)
            or is_ours(one)
            or identity(one)[1] == 1
            or one.labels.get(NAMESPACE) in stacks
        ]
    return result


def taken(found: Iterable[EngineObject], name: str) -> frozenset[int]:
    """The numbers of `name` whose object names are in use, by whatever object."""
    parsed = (parse(one.name) for one in found)
    return frozenset(number for one, number in parsed if one == name)

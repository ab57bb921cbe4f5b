"""What objects in an engine say of themselves: labels, set when they are made."""

from __future__ import annotations

import os
import pwd
import re
import socket
from collections.abc import Iterable

from ..engines.protocol import Engine, EngineObject, Kind

NAME = "secretkit.name"
VERSION = "secretkit.version"
ROTATION = "secretkit.rotation"  # the id of the rotation that made it
FINGERPRINT = "secretkit.fingerprint"  # of the content: see Versions.fingerprint
STORE = "secretkit.store"  # the id of the store that has its value
SOURCE = "secretkit.source"  # a config's: where its content came from, as a store notes it
BY = "secretkit.by"  # user@machine
CURRENT = "secretkit.current"  # a config's: see ConfigVersions

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
    """The objects of a secret or config, by version, ascending.

    By label; an object without our labels counts if its name is exactly that of a version. Where
    two claim a version, the one that has its object name is it.
    """
    return by_name(engine.objects(kind)).get(name, {})


def by_name(found: Iterable[EngineObject]) -> dict[str, dict[int, EngineObject]]:
    """The same of every name among objects of one kind."""
    names: dict[str, dict[int, EngineObject]] = {}
    for candidate in found:
        name, number = identity(candidate)
        versions = names.setdefault(name, {})
        own = f"{name}-v{number}" if number > 1 else name
        if number not in versions or candidate.name == own:
            versions[number] = candidate
    return {name: dict(sorted(versions.items())) for name, versions in names.items()}

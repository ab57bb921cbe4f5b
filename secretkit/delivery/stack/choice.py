"""Which version of a secret or config a stack gets. Pure.

A deploy never takes back what somebody has rotated: not this project, and not another operator
whose store has versions that this one does not know.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from ...engines.protocol import EngineObject, Kind, Service
from ...errors import ConflictError
from ...naming import object_name
from ...rotation import objects


class Known(NamedTuple):
    """What the versions and the engine say of one name."""

    kind: Kind
    name: str
    current: int | None  # by the versions; None: they do not know the name, or none is current
    numbers: tuple[int, ...]  # that the versions know
    staged: tuple[int, ...]  # those of them that were never current
    objects: Mapping[int, EngineObject]  # that the engine has, by version
    used: frozenset[int]  # versions that services refer to
    store_id: str  # of the store that was asked; "" where there is none, and for configs


class Content(NamedTuple):
    """How what a stack file brings compares with the versions. The content itself is not in it."""

    equal: frozenset[int]  # versions with this content
    unknown: frozenset[int]  # versions whose content nobody knows here
    last: int | None  # the last version that was made from this source


class Choice(NamedTuple):
    """What becomes of one name."""

    kind: Kind
    name: str
    before: int | None  # the version that is current, 0 if none is; None: the name is not known yet
    after: int  # the one that is deployed
    adopts: bool = False  # what the engine has of it is taken into the versions first
    makes: bool = False  # `after` is a version that does not exist yet
    creates: bool = False  # the engine has no object of it yet
    warning: str = ""

    @property
    def object_name(self) -> str:
        """That of the version which is deployed."""
        return object_name(self.name, self.after)

    @property
    def commits(self) -> bool:
        """Whether the version becomes current, once its services have arrived."""
        return self.before is not None and self.after != self.before


def known(
    kind: Kind,
    name: str,
    found: Mapping[int, EngineObject],
    services: Collection[Service],
    *,
    current: int | None = None,
    numbers: tuple[int, ...] = (),
    staged: tuple[int, ...] = (),
    store_id: str = "",
) -> Known:
    """What is known, with the versions that services use looked up."""
    ids = {one.id: number for number, one in found.items()}
    uses = {use.object_id for service in services for use in service.references}
    used = frozenset(number for object_id, number in ids.items() if object_id in uses)
    return Known(kind, name, current, numbers, staged, found, used, store_id)


def choose(one: Known) -> Choice:
    """Of a secret or config that the stack names and does not bring: its current version.

    Raises ConflictError where there are several versions and nobody here knows which is current.
    """
    current, warning = _current(one)
    if current is None:
        versions = ", ".join(f"v{number}" for number in one.objects)
        raise ConflictError(
            f"which version of {one.kind} {one.name} is current is not known here:"
            f" the engine has {versions}",
            hint="run it in the project whose store has them, or name that with --project",
        )
    return Choice(
        one.kind,
        one.name,
        current,
        current,
        creates=current not in one.objects,
        warning=warning,
    )


def choose_for(one: Known, content: Content) -> Choice:
    """Of a secret or config whose content the stack brings.

    A content that has changed since the last version that was made from it is the next version.
    One that has not leaves what was rotated to, or rolled back to, since.
    """
    if not one.numbers and not one.objects:
        return Choice(one.kind, one.name, None, 1, makes=True, creates=True)
    adopts = not one.numbers or (
        one.kind == "config" and not all(map(objects.is_ours, one.objects.values()))
    )
    current, warning = _current(one)
    if not one.numbers:
        current = max(one.used or one.objects)
    since = [n for n in content.equal if content.last is None or n >= content.last]
    begun = [n for n in since if n in one.staged and n > (current or 0)]
    unsure = content.last is None and content.unknown and current not in content.unknown
    if begun:
        after = max(begun)  # an earlier deploy made it, and did not come to its end
    elif current is not None and (since or current in content.equal):
        after = current
    elif current is not None and unsure:
        after = current
        warning = (
            f"whether its content has changed since v{min(content.unknown)} is not known: v{after}"
            " stays"
        )
    else:
        after = max((*one.numbers, *one.objects)) + 1
    made = after not in one.numbers and after not in one.objects
    return Choice(
        *(one.kind, one.name, current if current is not None else 0, after),
        adopts=adopts,
        makes=made,
        creates=after not in one.objects,
        warning=warning,
    )


def _current(one: Known) -> tuple[int | None, str]:
    """The version that counts, and what to say of it; None: it cannot be told."""
    if one.current is None and one.numbers:
        return None, ""  # none has become current yet
    if one.current is None:
        sole = one.objects if len(one.objects) == 1 else one.used
        return (next(iter(sole)) if len(sole) == 1 else None), ""
    elsewhere = [
        number
        for number in one.used
        if number > one.current
        and one.objects[number].labels.get(objects.STORE, one.store_id) != one.store_id
    ]
    if elsewhere:
        number = max(elsewhere)
        by = one.objects[number].labels.get(objects.BY, "somebody")
        return number, f"v{number} was made elsewhere, by {by}, and services use it: it stays"
    return one.current, ""

"""Which version of a secret or config a stack gets. Pure.

A deploy never takes back what somebody has rotated: not this project, and not another operator
whose store has versions that this one does not know.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
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
    # By version: why an object is not the one of the version that the store made.
    foreign: Mapping[int, str] = MappingProxyType({})
    stacks: frozenset[str] = frozenset()  # other stacks that brought objects of the name
    taken: frozenset[int] = frozenset()  # numbers whose object names the engine has, of anybody


class Content(NamedTuple):
    """How what a stack file brings compares with the versions. The content itself is not in it."""

    equal: frozenset[int]  # versions with this content
    unknown: frozenset[int]  # versions that may have it: nobody knows here
    last: int | None  # the last version that a stack brought and that was ever current


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
    foreign: Mapping[int, str] = MappingProxyType({}),
    stacks: frozenset[str] = frozenset(),
    taken: frozenset[int] = frozenset(),
) -> Known:
    """What is known, with the versions that services use looked up."""
    ids = {one.id: number for number, one in found.items()}
    uses = {use.object_id for service in services for use in service.references}
    used = frozenset(number for object_id, number in ids.items() if object_id in uses)
    return Known(
        *(kind, name, current, numbers, staged, found, used, store_id, foreign, stacks, taken)
    )


def choose(one: Known) -> Choice:
    """Of a secret or config that the stack names and does not bring: its current version.

    Raises ConflictError where there are several versions and nobody here knows which is current,
    and where the object is not that of the version.
    """
    current, warning = _current(one)
    if current is None:
        versions = ", ".join(f"v{number}" for number in one.objects)
        raise ConflictError(
            f"which version of {one.kind} {one.name} is current is not known here:"
            f" the engine has {versions}",
            hint="run it in the project whose store has them, or name that with --project",
        )
    if current in one.foreign:
        raise _conflict(one, current)
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

    Unchanged is what the current version has, or what the last one has that a stack brought and
    that became current, or one after it: that leaves what was rotated to, or rolled back to, since.
    Any other content is the next version. Raises ConflictError if another stack brings the name
    with another content, and as `choose`.
    """
    if not one.numbers and not one.objects:
        return Choice(one.kind, one.name, None, 1, makes=True, creates=True)
    adopts = not one.numbers or (
        one.kind == "config" and not all(map(objects.is_ours, one.objects.values()))
    )
    current, warning = _current(one)
    if not one.numbers:
        current = max(one.used or one.objects)
    usable = content.equal - one.foreign.keys()
    since = [
        number
        for number in content.equal
        if number not in (*one.staged, current) and number >= (content.last or 0)
    ]
    begun = [n for n in usable if n in one.staged and n > (current or 0)]
    unsure = content.unknown - {current}
    if current is not None and (since or current in usable):
        after = current
        if since and current < max(since):
            warning = f"its content is that of v{max(since)}, which was rolled back: v{after} stays"
    elif one.stacks:
        stack = " and ".join(sorted(one.stacks))
        raise ConflictError(
            f"stack {stack} brings {one.kind} {one.name} too, with another content",
            hint="give it another name: with `name:`, or with another key",
        )
    elif begun:
        after = max(begun)  # an earlier deploy made it, and did not come to its end
    elif current is not None and unsure:
        after = current
        rotate = "config rotate" if one.kind == "config" else "rotate"
        warning = (
            f"whether its content has changed since v{min(unsure)} is not known: v{after} stays;"
            f" `secretkit {rotate} {one.name} FILE` takes that of its file"
        )
    else:
        after = max((*one.numbers, *one.objects, *one.taken)) + 1
    if after in one.foreign:
        raise _conflict(one, after)
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
        for number, found in one.objects.items()
        if number > one.current
        and objects.is_ours(found)
        and (
            number not in one.numbers  # the store is a copy of before it
            or found.labels.get(objects.STORE, one.store_id) != one.store_id
        )
    ]
    if not elsewhere or (one.used and one.used.isdisjoint(elsewhere)):
        return one.current, ""
    number = max(one.used.intersection(elsewhere) or elsewhere)
    theirs = one.objects[number].labels.get(objects.STORE, one.store_id) != one.store_id
    if theirs and one.objects.keys().isdisjoint({*one.numbers} - one.foreign.keys()):
        raise _conflict(one, number)  # no version in common: another secret of the same name
    by = one.objects[number].labels.get(objects.BY, "somebody")
    made = f"v{number} was made elsewhere, by {by}"
    if not one.used:
        raise ConflictError(
            f"which version of {one.kind} {one.name} is current is not known here: {made}, and no"
            " service uses any",
            hint=f"deploy where v{number} was made, or `docker {one.kind} rm"
            f" {one.objects[number].name}` if it is none to deploy",
        )
    return number, f"{made}, and services use it: it stays"


def _conflict(one: Known, number: int) -> ConflictError:
    """The object of a version is not the one that the store would make."""
    found = one.objects[number]
    why = one.foreign.get(number) or objects.from_another_store(found)
    return ConflictError(
        f"{one.kind} exists in the engine, {found.name} {why}",
        hint=f"give it another name here; if it is the same secret, `secretkit rm {one.name}"
        f" --engine local` and `secretkit adopt {one.name}` take the engine's",
    )

"""Secrets that `secretkit.toml` declares and the store lacks, made by their generators."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from ..errors import NotFoundError

if TYPE_CHECKING:
    from ..project import Declared, Project
    from ..store import NewSecret, Store


class Missing(NamedTuple):
    """One declaration, and the secrets of it that are not there yet."""

    declared: Declared
    names: tuple[str, ...]


def missing(
    project: Project,
    have: Collection[str],
    wanted: Collection[str] | None = None,
    overridden: Collection[str] = (),
    otherwise: str = "",
) -> list[Missing]:
    """What is declared and not among `have`; of `wanted` alone, if that is given.

    What has no generator may be `overridden`. Raises NotFoundError if it is not, with a hint that
    ends in `otherwise`, and for a pair of which half is there.
    """
    found = []
    for one in project.secrets.values():
        names = tuple(name for name in one.makes if name not in have)
        if not one.generate and set(names) <= set(overridden):
            continue
        if names and (wanted is None or set(names) & set(wanted)):
            found.append(Missing(one, names))
    without = [name for one in found if not one.declared.generate for name in one.names]
    if without:
        raise NotFoundError(
            f"declared without a generator and not created yet, {', '.join(without)}",
            hint=f"`secretkit create {without[0]}` asks for its value{otherwise}",
        )
    for declared, names in found:
        if len(names) < len(declared.makes):
            rest = next(name for name in declared.makes if name not in names)
            raise NotFoundError(
                f"half of the pair {declared.name} is missing, {names[0]}",
                hint="remove the other half and both are made anew: secretkit rm " + rest,
            )
    return found


def create(store: Store, found: Collection[Missing]) -> list[NewSecret]:
    """Makes them: all of it or nothing."""
    from ..generators import generate_for
    from ..store import NewSecret

    fresh = [
        NewSecret(name, value, kind, kind, declared.labels)
        for declared, _ in found
        if (kind := declared.generate)
        for name, value in generate_for(declared.name, kind).items()
    ]
    if fresh:
        store.create_many(fresh)
    return fresh

"""Where what a dev folder holds comes from: the store or mocks, and overrides, which win."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from .. import mocks
from ..errors import MountError, SecretNotFoundError
from ..generators import makes_pair
from ..mocks import Mock
from ..model import Secret
from ..project import load
from ..store import Store
from . import overrides
from .settings import Settings

Origin = Literal["store", "override", "mock"]
Result = TypeVar("Result")
_ATTEMPTS = 10


class Source(NamedTuple):
    """Where one file's content comes from. Equal sources have equal content."""

    origin: Origin
    version: int | None = None  # of the store's
    # Of an override the file's mark; of a mock all that it is made from.
    mark: str = ""


# An override that cannot be used: nothing is written in its place.
UNUSABLE = Source("override")


def plan(
    project: Path,
    secrets: Mapping[str, Secret],
    settings: Settings,
    overridden: Collection[str] | None = None,
) -> dict[str, Source]:
    """What a dev folder is to hold, by name. `secrets` are those of the store. Reads no value.

    `overridden` are the names of the overrides that it holds already: what cannot be used any more
    is then UNUSABLE, all of them if the folder of overrides cannot be looked at. Without it raises
    MountError. Raises InvalidProjectError, if there is need to know what secretkit.toml declares.
    """
    found = overrides.find(settings.overrides)
    if overridden is None:
        found.check()
        overridden = ()
    if settings.mock:
        wanted = dict(_mocks(project, secrets, settings.mock))
    else:
        wanted = {name: Source("store", one.current) for name, one in secrets.items()}
    for name, override in found.files.items():
        wanted[name] = Source("override", None, override.mark)
    return wanted | dict.fromkeys(overridden if found.trouble else found.unusable, UNUSABLE)


def _mocks(
    project: Path, secrets: Mapping[str, Secret], mock: Mock
) -> Iterator[tuple[str, Source]]:
    """A mock for every secret of the store and every one that secretkit.toml declares."""
    for name, one in secrets.items():
        kind = one.generator
        if kind and makes_pair(kind):
            base = name.removesuffix("-key" if name.endswith("-key") else "-cert")
            yield name, _mock(mock, base, kind) if base != name else _mock(mock, name, None)
        else:
            yield name, _mock(mock, name, kind)
    for declared in load(project).secrets.values():
        for name in declared.makes:
            yield name, _mock(mock, declared.name, declared.generate)


def _mock(mock: Mock, name: str, kind: str | None) -> Source:
    return Source("mock", None, f"{mock.style} {mock.seed} {name} {kind or ''}")


class Changed(MountError):  # noqa: N818 - it is no error yet: a plan has to be made again
    """What was planned cannot be read any more."""


def settled(attempt: Callable[[], Result]) -> Result:
    """What `attempt` returns, a plan and a reading of it. It is repeated while what was planned
    changes before it is read; raises Changed if that does not end.
    """
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(Changed):
            return attempt()
    return attempt()


def read(
    wanted: Mapping[str, Source], settings: Settings, store: Store | None
) -> dict[str, tuple[bytes, Source]]:
    """The contents, and what they come from as it was when they were read. One transaction of the
    store for all of its values. Raises Changed.
    """
    found: dict[str, tuple[bytes, Source]] = {}
    by_origin = {
        origin: [name for name, source in wanted.items() if source.origin == origin]
        for origin in ("store", "override", "mock")
    }
    if by_origin["override"]:
        files = overrides.find(settings.overrides).files
        for name in by_origin["override"]:
            got = overrides.read(files[name]) if name in files else None
            if got is None:
                raise Changed(f"cannot read the override of {name}, in {settings.overrides}")
            found[name] = got[0], Source("override", None, got[1])
    made: dict[str, dict[str, bytes]] = {}  # a pair is made once
    for name in by_origin["mock"]:
        source = wanted[name]
        if source.mark not in made:
            made[source.mark] = _make(source.mark)
        found[name] = made[source.mark][name], source
    if by_origin["store"] and store:
        try:
            values = store.read_all(by_origin["store"], action="mount")
        except SecretNotFoundError as error:  # removed by another process since we looked
            raise Changed(f"{error}: it was there a moment ago") from None
        found |= {name: (one, Source("store", one.version)) for name, one in values.items()}
    return found


def _make(mark: str) -> dict[str, bytes]:
    style, seed, name, kind = mark.split(" ", 3)
    mock = Mock("nasty" if style == "nasty" else "plain", int(seed))
    return mocks.mock_for(name, kind or None, mock)

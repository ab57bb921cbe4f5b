"""What is recorded of dev folders: which there are, and what was written there last.

The records lie beside the user's keys and never in the project: whoever can write to a project
could record there that anything is a dev folder.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InvalidNameError, MountError
from ..mocks import Mock
from ..naming import check_name
from ..project import LAYOUTS
from ..store import files
from . import private
from .layouts import Stamp
from .settings import Settings
from .sources import Source

_HOME = re.compile(r"/secretkit(-[0-9]+)?/[0-9a-f]{24}/secrets$")
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RecursionError, InvalidNameError)


class Entry(NamedTuple):
    """One file that secretkit wrote."""

    source: Source
    stamp: Stamp | None  # None while it is being written


class Pointer(NamedTuple):
    """That there is a dev folder, and how it is to be."""

    path: Path  # DIR, absolute
    home: Path | None  # the private folder in memory, None on disk
    settings: Settings


def folder_of(project: Path) -> Path:
    """Where the records of `project` are; need not exist yet."""
    return files.keys_folder().parent / "dev" / sha256(os.fsencode(project)).hexdigest()[:24]


def exist(project: Path) -> bool:
    """Whether there are any; raises StorePermissionError if others could have written them."""
    records = folder_of(project)
    if not os.path.isdir(records):
        return False
    for folder in (records.parent, records):
        files.check_private_folder(folder)
    return True


def key(project: Path, path: Path) -> str:
    """What the records of the dev folder at `path`, and its home in memory, are called."""
    return sha256(os.fsencode(project) + b"\0" + os.fsencode(path)).hexdigest()[:24]


@contextlib.contextmanager
def alone(project: Path) -> Iterator[None]:
    """One process at a time changes the dev folders of a project. An OSError becomes MountError."""
    records = folder_of(project)
    for folder in (records.parent, records):
        files.make_private_folder(folder)
    fd = private.open_private(records)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        private.remove_leftovers(records)
        yield
    except OSError as error:
        reason = (error.strerror or "I/O error").lower()
        place = Path(os.fsdecode(error.filename2 or error.filename or records))
        hint = None
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = f"make room in its file system: df {shlex.quote(str(place.parent))}"
        elif error.errno in (errno.EACCES, errno.EROFS):
            hint = f"you must be able to write in {place.parent}; DIR may be elsewhere"
        raise MountError(f"cannot write the dev folder, {place}: {reason}", hint=hint) from None
    finally:
        os.close(fd)


# -- pointers ------------------------------------------------------------------------------------


def pointers(project: Path) -> Iterator[Pointer]:
    """All that can be believed."""
    for place in folder_of(project).glob("*.json"):
        if found := _read_pointer(project, place):
            yield found


def others(project: Path) -> Iterator[tuple[Path, Pointer]]:
    """Those of all other projects of this user that can be believed, with the project."""
    own = folder_of(project)
    for place in own.parent.glob("*/*.json") if private.is_private(own.parent) else ():
        if place.parent == own or not private.is_private(place.parent):
            continue
        try:
            other = Path(json.loads(place.read_bytes())["project"])
            found = _read_pointer(other, place)
        except _UNREADABLE:
            continue
        if found:
            yield other, found


def read_pointer(project: Path, path: Path) -> Pointer | None:
    """That of `path`, if it can be believed."""
    return _read_pointer(project, _place(project, path, "json"))


def _read_pointer(project: Path, place: Path) -> Pointer | None:
    try:
        entry: Any = json.loads(place.read_bytes())
        path = Path(entry["folder"])
        home = Path(entry["home"]) if entry["home"] else None
        mode = int(entry["mode"], 8)
        layout = LAYOUTS[LAYOUTS.index(entry["layout"])]
        overrides = Path(entry["overrides"]) if entry["overrides"] else None
        style, seed = entry["mock"] or (None, 0)
        mock = Mock("nasty" if style == "nasty" else "plain", int(seed)) if style else None
        ours = place == _place(project, path, "json") and not mode & ~0o777
    except _UNREADABLE:
        return None
    # Nothing but a home that we would have made ourselves is ever written to or wiped.
    if home and not (home.name == place.stem and is_place(home / "secrets")):
        return None
    return Pointer(path, home, Settings(not home, mode, layout, overrides, mock)) if ours else None


def write_pointer(project: Path, pointer: Pointer) -> None:
    """Record that there is a dev folder."""
    settings = pointer.settings
    record = {
        "project": str(project),
        "folder": str(pointer.path),
        "home": str(pointer.home) if pointer.home else None,
        "mode": f"{settings.mode:04o}",
        "layout": settings.layout,
        "overrides": str(settings.overrides) if settings.overrides else None,
        "mock": settings.mock,
    }
    _write(_place(project, pointer.path, "json"), record)


def is_place(path: Path) -> bool:
    """Whether `path` is spelled as the place in memory of a dev folder."""
    return bool(_HOME.search(str(path)))


# -- entries -------------------------------------------------------------------------------------


def entries_exist(project: Path, path: Path) -> bool:
    """Whether the folder at `path` was ever filled."""
    return _place(project, path, "files").exists()


def read_entries(project: Path, path: Path) -> dict[str, Entry]:
    """What was written to the folder at `path` last; nothing if the record is not one."""
    try:
        found: Any = json.loads(_place(project, path, "files").read_bytes())
        return {check_name(name): _entry(**one) for name, one in found.items()}
    except (*_UNREADABLE, AttributeError):
        return {}


def _entry(origin: Any, version: Any, mark: Any, stamp: Any) -> Entry:
    known = origin in ("store", "override", "mock") and isinstance(mark, str)
    if not known or type(version) not in (int, type(None)):
        raise ValueError
    if stamp is None:
        return Entry(Source(origin, version, mark), None)
    if [type(number) for number in stamp] != [int] * 4:
        raise ValueError
    return Entry(Source(origin, version, mark), Stamp(*stamp))


def write_entries(project: Path, path: Path, entries: Mapping[str, Entry]) -> None:
    """Record what is in the folder at `path`."""
    record = {name: {**one.source._asdict(), "stamp": one.stamp} for name, one in entries.items()}
    _write(_place(project, path, "files"), record)


def remove(project: Path, path: Path) -> None:
    """There is no dev folder at `path` any more."""
    for kind in ("files", "json"):
        _place(project, path, kind).unlink(missing_ok=True)


def _place(project: Path, path: Path, kind: str) -> Path:
    return folder_of(project) / f"{key(project, path)}.{kind}"


def _write(place: Path, record: Mapping[str, Any]) -> None:
    private.write_file(place, json.dumps(record).encode(), 0o600)

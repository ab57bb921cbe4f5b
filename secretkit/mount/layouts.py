"""How the files of a dev folder lie there: plain, as in a swarm's task, or as the kubelet has them.

The kubelet's (kubernetes, pkg/volume/util/atomic_writer.go): the files are in a folder
`..<time>.<random>`, `..data` is a link to that, and every name a link to `..data/<name>`. Another
state is another folder, and one rename of `..data` shows all of it at once.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from ..errors import MountError
from ..project import Layout
from . import private

_DATA = "..data"
_STATE = re.compile(r"\.\.[0-9]{4}(_[0-9]{2}){5}\.[0-9]{10}")


class Stamp(NamedTuple):
    """What tells that a file is still the one that was written."""

    inode: int
    size: int  # bytes
    changed: int  # ns since 1970
    mode: int  # permission bits


def stamp(place: Path, name: str, layout: Layout) -> Stamp | None:
    """That of the file at `name`; None if there is none that lies as the layout has it."""
    path = place / name
    if layout == "kubernetes":
        if not _leads_to_data(path):
            return None
        path = place / _DATA / name
    with contextlib.suppress(OSError):
        found = path.lstat()
        return _stamp(found) if stat.S_ISREG(found.st_mode) else None
    return None


def put(
    place: Path,
    layout: Layout,
    mode: int,
    contents: Mapping[str, bytes],
    keep: Collection[str] = (),
    *,
    written: dict[str, Stamp] | None = None,
) -> None:
    """Write the files, each in one rename, and leave those of `keep` as they are.

    Whatever the layout was before: a reader finds each name all the time, with what was there or
    what is put there. `written` gets what is there to be read, also if that ends in an error.
    """
    written = {} if written is None else written
    if layout == "swarm":
        for name, content in contents.items():
            written[name] = _stamp(private.write_file(place / name, content, mode))
        if _current(place):
            (place / _DATA).unlink()
        return
    if os.path.lexists(place / _DATA) and not (place / _DATA).is_symlink():
        raise MountError(f"{place / _DATA} is not the kubelet's link", hint="move it away")
    state = place / _state_name()
    try:
        state.mkdir()
        state.chmod(0o755)
        for name in keep:
            (state / name).hardlink_to(place / _DATA / name)
        stamps = {
            name: _stamp(private.write_file(state / name, content, mode))
            for name, content in contents.items()
        }
        _link(place / _DATA, state.name)
    except BaseException:
        remove_leftovers(place)
        raise
    written |= stamps
    for name in contents:
        if not _leads_to_data(place / name):
            _link(place / name, f"{_DATA}/{name}")


def write_layout(
    place: Path, files: Mapping[str, bytes], mode: int, layout: Layout = "swarm"
) -> None:
    """Put `files` into the empty folder `place`, as the layout has them."""
    put(place, layout, mode, files)


def is_ours(place: Path, name: str, written: Stamp | None) -> bool:
    """Whether what is at `name` is what was `written` there, in either layout.

    None: it was being written, so it is.
    """
    plain = written is None or stamp(place, name, "swarm") == written
    return plain or _leads_to_data(place / name)


def is_made(place: Path, layout: Layout) -> bool:
    """Whether the folder has what the layout needs besides the files, and nothing of the other."""
    if layout == "kubernetes":
        return bool(_current(place)) and (place / _DATA).is_dir()
    return not _current(place)


def remove_leftovers(place: Path) -> None:
    """Remove the states before the current one, and what a process that was killed left."""
    private.remove_leftovers(place)
    current = _current(place)
    for path in place.glob("..[0-9]*"):
        ours = _STATE.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
        if ours and path.name != current:
            shutil.rmtree(path)


def is_leftover(place: Path, name: str) -> bool:
    """Whether what is at `name` is part of how files lie there, and goes with the last of them."""
    path = place / name
    if name == _DATA:
        return bool(_current(place))
    state = _STATE.fullmatch(name) and path.is_dir() and not path.is_symlink()
    return bool(state) or private.is_leftover(path)


def is_hidden(name: str) -> bool:
    """Whether `name` in a dev folder is part of how files lie there, and no secret's."""
    return name.startswith("..")


def _stamp(found: os.stat_result) -> Stamp:
    mode = stat.S_IMODE(found.st_mode)
    return Stamp(found.st_ino, found.st_size, found.st_mtime_ns, mode)


def _current(place: Path) -> str | None:
    """The name of the folder that `..data` leads to, if both are the kubelet's."""
    with contextlib.suppress(OSError):
        target = os.readlink(place / _DATA)
        return target if _STATE.fullmatch(target) else None
    return None


def _leads_to_data(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return os.readlink(path) == f"{_DATA}/{path.name}"
    return False


def _link(path: Path, target: str) -> None:
    """Make `path` a link to `target`, in one rename."""
    temporary = private.temporary(path)
    temporary.symlink_to(target)
    temporary.replace(path)


def _state_name() -> str:
    now = datetime.now(UTC)
    return f"..{now:%Y_%m_%d_%H_%M_%S}.{int.from_bytes(os.urandom(4), 'big'):010d}"

"""Dev folders of projects that were moved, removed or copied.

A record names the folder of its project. Once that is gone, nobody asks for what it is a record of:
what lies in memory is wiped, and a folder on disk that has moved with its project is taken over.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import SecretkitError, UsageError
from . import layouts, records
from .folder import DevFolder
from .records import Pointer


def settle(project: Path) -> tuple[DevFolder, ...]:
    """Wipe what projects that are gone have in memory, and take over what came here on disk.

    Returns what was wiped. A project is gone, too, whose file system is not mounted now: `dev up`
    makes again what it had in memory, and its folders on disk are left alone. What cannot be
    settled stays for the next time.
    """
    wiped: list[DevFolder] = []
    try:
        others = list(records.others(project))
    except UsageError:  # no home folder, and so no records
        return ()
    for other, pointer in others:
        if not _is_gone(other):
            continue
        with contextlib.suppress(OSError, SecretkitError):
            if pointer.home:
                wiped += _wipe(project, other, pointer)
            else:
                _take_over(project, other, pointer)
    return tuple(wiped)


def copies(project: Path) -> Iterator[tuple[Path, Path]]:
    """Folders of this project with the plaintext of another's dev folder, and that one.

    They are where that one is in its project, with all of its files, by their sizes.
    """
    ours = {pointer.path for pointer in records.pointers(project)}
    for other, pointer in records.others(project):
        here = _here(project, other, pointer.path)
        if here is None or here in ours or here.is_symlink() or not here.is_dir():
            continue
        sizes = {
            name: one.stamp.size
            for name, one in records.read_entries(other, pointer.path).items()
            if one.stamp
        }
        if sizes and all(_size(here / name) == size for name, size in sizes.items()):
            yield here, pointer.path


def _wipe(project: Path, other: Path, pointer: Pointer) -> Iterator[DevFolder]:
    folder = DevFolder(other, *pointer)
    with records.alone(other):
        if records.read_pointer(other, pointer.path) != pointer:
            return
        folder.remove_home()
        link = _here(project, other, pointer.path)
        for path in (pointer.path, link) if link else (pointer.path,):
            if path.is_symlink() and path.readlink() == folder.place:
                path.unlink()
        records.remove(other, pointer.path)
    yield folder


def _take_over(project: Path, other: Path, pointer: Pointer) -> None:
    here = _here(project, other, pointer.path)
    if here is None or here.parent.resolve() != here.parent or here.is_symlink():
        return
    entries = records.read_entries(other, pointer.path)
    settings = pointer.settings
    # An inode with the same size, time and mode is the same file: a copy has another.
    if not any(
        one.stamp and one.stamp == layouts.stamp(here, name, settings.layout)
        for name, one in entries.items()
    ):
        return
    if settings.overrides:
        moved = _here(project, other, settings.overrides)
        settings = settings._replace(overrides=moved or settings.overrides)
    with records.alone(project):
        if not records.read_pointer(project, here):
            records.write_entries(project, here, entries)
            records.write_pointer(project, Pointer(here, None, settings))
    with records.alone(other):
        records.remove(other, pointer.path)


def _here(project: Path, other: Path, path: Path) -> Path | None:
    """Where `path`, a place in the project `other`, is in `project`."""
    return project / path.relative_to(other) if path.is_relative_to(other) else None


def _is_gone(path: Path) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False


def _size(path: Path) -> int | None:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return None

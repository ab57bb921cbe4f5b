"""Dev folders: made, refreshed and wiped, with a record of which version lies where.

A dev folder in memory is a private *home* on tmpfs, `<base>/<id>/`, 0700, that holds the folder
`secrets` (0755, files 0444: inside a container any user may read them); DIR is a link to that. On
disk DIR is the folder itself. What is ours is recorded beside the user's keys and never in the
project: whoever can write to a project could record there that anything is.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..errors import ConflictError, InvalidNameError, MountError, SecretNotFoundError
from ..naming import check_name
from ..store import Store, files
from . import private

FILE_MODE = 0o444
_IGNORE = ".gitignore"
_IGNORE_ALL = b"*\n"
_KEEP = frozenset((_IGNORE,))
_HOME = re.compile(r"/secretkit(-[0-9]+)?/[0-9a-f]{24}/secrets$")
# What a file is when it is not written anew.
_LEAVE = ("same", "foreign")


@dataclass(frozen=True, slots=True)
class FileState:
    """One name in a dev folder, held against the store."""

    name: str
    mounted: int | None  # the version in the folder
    current: int | None  # the version that the store says
    state: str  # "same", "behind", "changed", "missing", "removed" or "foreign"


@dataclass(frozen=True, slots=True)
class DevFolder:
    """A folder of secret files that belongs to a project."""

    project: Path
    path: Path  # DIR, absolute
    home: Path | None  # the private folder in memory, None on disk
    mode: int  # of the files

    @property
    def on_disk(self) -> bool:
        return self.home is None

    @property
    def place(self) -> Path:
        """Where the files are: what DIR points to, or DIR itself."""
        return self.home / "secrets" if self.home else self.path

    @property
    def is_up(self) -> bool:
        """Whether the folder is there; one in memory is gone after a reboot."""
        return self._is_safe and self._is_linked and self._record.exists()

    @property
    def versions(self) -> Mapping[str, int]:
        """The version of each secret that was written last."""
        return {name: entry[0] for name, entry in self._entries().items() if entry[0]}

    def states(self, store: Store) -> tuple[FileState, ...]:
        """Every name in the folder or the store, by name; reads no value."""
        current = {secret.name: secret.current for secret in store.list()}
        entries = self._entries()
        found = {path.name for path in self.place.iterdir()} - _KEEP if self._is_safe else set()
        return tuple(
            FileState(
                name,
                entries[name][0] or None if name in entries else None,
                current.get(name),
                self._state(name, entries.get(name), current.get(name), name in found),
            )
            for name in sorted({*current, *entries, *found})
        )

    # -- what is written -------------------------------------------------------------------------

    @property
    def _record(self) -> Path:
        return _pointer(self.project, self.path).with_suffix(".files")

    @property
    def _is_safe(self) -> bool:
        """Whether `place` is a folder, no link, where nobody has put another since it was made."""
        if self.home:
            above = private.is_private(self.home.parent) and private.is_private(self.home)
            trusted = above and private.in_memory(self.home)
        else:
            trusted = self.path.parent.resolve() == self.path.parent
        return trusted and os.path.isdir(self.place) and not self.place.is_symlink()

    @property
    def _is_linked(self) -> bool:
        if not self.home:
            return True
        return self.path.is_symlink() and self.path.readlink() == self.place

    def _entries(self) -> dict[str, list[int]]:
        """By secret: version (0 while it is being written), inode, size, mtime in ns."""
        try:
            found = json.loads(self._record.read_bytes())
            shaped = isinstance(found, dict) and all(
                check_name(name)
                and isinstance(entry, list)
                and [type(number) for number in entry] == [int] * 4
                for name, entry in found.items()
            )
        except (OSError, ValueError, RecursionError, InvalidNameError):
            return {}
        return found if shaped else {}

    def _state(self, name: str, entry: list[int] | None, current: int | None, present: bool) -> str:
        if present and _is_folder(self.place / name):
            return "foreign"
        if present and entry is None:
            # In memory all is ours, and a record that was lost must not block the secret for ever.
            return "changed" if self.home and current else "foreign"
        if entry is None:
            return "missing"
        if not present:
            return "missing" if current else "removed"
        if current is None:
            return "removed"
        if _stamp(self.place / name) != entry[1:]:
            return "changed"
        return "same" if entry[0] == current else "behind"

    def _write(self, store: Store) -> None:
        """Bring the files to the store's current versions; one transaction for all values."""
        entries = self._entries()
        states = self.states(store)
        gone = [one.name for one in states if one.current is None and one.name in entries]
        wanted = [one.name for one in states if one.current and one.state not in _LEAVE]
        private.remove_leftovers(self.place)
        if not gone and not wanted and self._record.exists():
            return None
        for name in gone:
            self._remove(name, entries.pop(name))
        # First the names, so that a file is ours even if we are killed right after writing it.
        entries.update({name: [0, 0, 0, 0] for name in wanted})
        self._save(entries)
        try:
            values = store.read_all(wanted, action="mount")
        except SecretNotFoundError:  # removed by another process since we looked
            return self._write(store)
        for name, value in values.items():
            found = private.write_file(self.place / name, value, self.mode)
            entries[name] = [value.version, found.st_ino, found.st_size, found.st_mtime_ns]
        return self._save(entries)

    def _remove(self, name: str, entry: list[int]) -> None:
        """Delete the file of a secret; on disk only as we wrote it, not what a user put there."""
        path = self.place / name
        written = not entry[0] or _stamp(path) == entry[1:]
        if (self.home or written) and not _is_folder(path):
            path.unlink(missing_ok=True)

    def _save(self, entries: Mapping[str, list[int]]) -> None:
        private.write_file(self._record, json.dumps(entries).encode(), 0o600)


def _stamp(path: Path) -> list[int] | None:
    with contextlib.suppress(OSError):
        found = path.lstat()
        return [found.st_ino, found.st_size, found.st_mtime_ns]
    return None


def _is_folder(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return stat.S_ISDIR(path.lstat().st_mode)
    return False


def _records(project: Path) -> Path:
    """Where it is recorded which folders are dev folders of `project`; need not exist yet."""
    return files.keys_folder().parent / "dev" / sha256(os.fsencode(project)).hexdigest()[:24]


def _has_records(project: Path) -> bool:
    """Whether there are any; raises StorePermissionError if others could have written them."""
    records = _records(project)
    if not os.path.isdir(records):
        return False
    for folder in (records.parent, records):
        files.check_private_folder(folder)
    return True


def _pointer(project: Path, path: Path) -> Path:
    """The file that says that `path` is a dev folder of `project`."""
    return _records(project) / f"{_id(project, path)}.json"


def _id(project: Path, path: Path) -> str:
    return sha256(os.fsencode(project) + b"\0" + os.fsencode(path)).hexdigest()[:24]


@contextlib.contextmanager
def _alone(project: Path) -> Iterator[None]:
    """One process at a time changes the dev folders of a project."""
    records = _records(project)
    for folder in (records.parent, records):
        files.make_private_folder(folder)
    fd = private.open_private(records)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        private.remove_leftovers(records)
        yield
    except OSError as error:
        reason = (error.strerror or "I/O error").lower()
        raise MountError(f"cannot write the dev folder, {error.filename or ''}: {reason}") from None
    finally:
        os.close(fd)


def folders(project: Path) -> tuple[DevFolder, ...]:
    """The dev folders of a project, by path, up or gone."""
    if not _has_records(project):
        return ()
    found = (_read(project, path) for path in _records(project).glob("*.json"))
    return tuple(sorted((one for one in found if one), key=lambda one: one.path))


def locate(project: Path, path: Path) -> DevFolder | None:
    """The dev folder at `path`, if it is one of this project."""
    if not _has_records(project):
        return None
    return _read(project, _pointer(project, _absolute(path)))


def _read(project: Path, pointer: Path) -> DevFolder | None:
    try:
        entry: Any = json.loads(pointer.read_bytes())
        path = Path(entry["folder"])
        home = Path(entry["home"]) if entry["home"] else None
        mode = int(entry["mode"], 8)
        ours = pointer == _pointer(project, path) and not mode & ~0o777
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    # Nothing but a home that we would have made ourselves is ever written to or wiped.
    if home and not (home.name == pointer.stem and _HOME.search(f"{home}/secrets")):
        return None
    return DevFolder(project, path, home, mode) if ours else None


def _absolute(path: Path) -> Path:
    """`path` with its parents resolved, and its last part as it is: it may be our link."""
    absolute = Path(os.path.abspath(path))
    return absolute.parent.resolve() / absolute.name


def up(store: Store, path: Path, *, on_disk: bool = False, mode: int = FILE_MODE) -> DevFolder:
    """Make the dev folder `path`, or bring it up to date; returns it.

    `mode` is that of the files, 0 to 0777. `on_disk` writes a real folder instead of one in memory
    with a link to it; what a user put there at the name of a secret stays. Raises ConflictError if
    something that is not ours is at `path`, MountError if there is no memory file system or a
    place cannot be trusted.
    """
    path = _absolute(path)
    with _alone(store.folder):
        before = _read(store.folder, _pointer(store.folder, path))
        _check_free(path, before)
        if before and before.on_disk != on_disk:
            _wipe(before)
            _check_free(path, None)
        home = None if on_disk else private.base() / _id(store.folder, path)
        if before and before.home and before.home != home:
            _remove_home(before.home)
        if before and before.mode != mode:
            for name, entry in before._entries().items():
                before._remove(name, entry)
        folder = DevFolder(store.folder, path, home, mode & 0o777)
        record = {"folder": str(path), "home": str(home) if home else None, "mode": f"{mode:04o}"}
        private.write_file(_pointer(store.folder, path), json.dumps(record).encode(), 0o600)
        if home:
            private.make_private(home)
        _make(folder.place)
        if not home and not os.path.lexists(path / _IGNORE):
            private.write_file(path / _IGNORE, _IGNORE_ALL, 0o644)
        folder._write(store)
        if home and not folder._is_linked:
            if path.is_dir() and not path.is_symlink():
                path.rmdir()  # empty
            link = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
            link.symlink_to(folder.place)
            link.replace(path)
    return folder


def _check_free(path: Path, before: DevFolder | None) -> None:
    if not path.parent.is_dir():
        raise MountError(
            f"no such folder, {path.parent}", hint=f"make it first: mkdir -p {path.parent}"
        )
    if not os.path.lexists(path):
        return
    if before and before.on_disk and path.is_dir() and not path.is_symlink():
        return
    if before and before.home and path.is_symlink() and path.readlink() == before.place:
        return
    # Nothing is lost with a link to a dev folder that is gone, such as one that was committed; nor
    # with an empty folder, which docker makes where a folder to mount is missing.
    if path.is_symlink() and not path.exists() and _HOME.search(os.readlink(path)):
        return
    if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
        return
    raise ConflictError(
        f"not a dev folder of this project, {path} is there already",
        hint="move it away, or name another folder: secretkit dev up DIR",
    )


def _make(place: Path) -> None:
    """The folder that a container's user may look into: 0755 whatever the umask."""
    place.mkdir(mode=0o755, exist_ok=True)
    if place.is_symlink():
        raise MountError(f"not a folder, {place} is a symbolic link")
    place.chmod(0o755)


def refresh(store: Store) -> tuple[DevFolder, ...]:
    """Bring every dev folder of the project that is up to the store's current versions.

    Returns those. Raises MountError, after trying each, if one cannot be written.
    """
    if not _has_records(store.folder):
        return ()
    done = []
    with _alone(store.folder):
        for folder in folders(store.folder):
            if folder.is_up:
                folder._write(store)
                done.append(folder)
    return tuple(done)


def down(project: Path, path: Path | None = None) -> tuple[DevFolder, ...]:
    """Wipe the dev folder `path` (default: all of the project); returns those that were there.

    Calling it again is fine. Raises ConflictError if `path` is there and not ours; files in a
    folder on disk that secretkit did not write stay, and so does the folder then.
    """
    if path is not None:
        path = _absolute(path)
        if locate(project, path) is None:
            _check_free(path, None)
    if not _has_records(project):
        return ()
    with _alone(project):
        wanted = [one for one in folders(project) if path in (None, one.path)]
        for folder in wanted:
            _wipe(folder)
    return tuple(wanted)


def _wipe(folder: DevFolder) -> None:
    if folder.home:
        _remove_home(folder.home)
        if folder.path.is_symlink() and folder.path.readlink() == folder.place:
            folder.path.unlink()
    elif folder._is_safe:
        for name, entry in folder._entries().items():
            folder._remove(name, entry)
        private.remove_leftovers(folder.path)
        if {path.name for path in folder.path.iterdir()} <= _KEEP:
            ignore = folder.path / _IGNORE
            if ignore.is_file() and not ignore.is_symlink() and ignore.read_bytes() == _IGNORE_ALL:
                ignore.unlink()
            if not os.path.lexists(ignore):
                folder.path.rmdir()
    folder._record.unlink(missing_ok=True)
    _pointer(folder.project, folder.path).unlink(missing_ok=True)


def _remove_home(home: Path) -> None:
    if private.is_private(home) and private.in_memory(home):
        shutil.rmtree(home)

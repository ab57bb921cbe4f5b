"""Dev folders are made, refreshed and wiped."""

from __future__ import annotations

import contextlib
import os
import shlex
from pathlib import Path

from ..errors import ConflictError, MountError, SecretkitError
from ..store import Store
from . import moving, private, records, sources
from .folder import IGNORE, IGNORE_ALL, DevFolder
from .records import Pointer
from .settings import Settings
from .sources import Source


def folders(project: Path) -> tuple[DevFolder, ...]:
    """The dev folders of a project, by path, up or gone."""
    moving.settle(project)
    return _folders(project)


def _folders(project: Path) -> tuple[DevFolder, ...]:
    if not records.exist(project):
        return ()
    found = [DevFolder(project, *pointer) for pointer in records.pointers(project)]
    return tuple(sorted(found, key=lambda one: one.path))


def locate(project: Path, path: Path) -> DevFolder | None:
    """The dev folder at `path`, if it is one of this project."""
    moving.settle(project)
    if not records.exist(project):
        return None
    return _find(project, _absolute(path))


def _find(project: Path, path: Path) -> DevFolder | None:
    pointer = records.read_pointer(project, path)
    return DevFolder(project, *pointer) if pointer else None


def _absolute(path: Path) -> Path:
    """`path` with its parents resolved, and its last part as it is: it may be our link."""
    absolute = Path(os.path.abspath(path))
    return absolute.parent.resolve() / absolute.name


def contents(
    project: Path, settings: Settings | None = None, *, store: Store | None
) -> dict[str, bytes]:
    """What a dev folder would hold now, by name. Raises as `sources.plan` does."""
    settings = settings or Settings()
    moving.settle(project)

    def attempt() -> dict[str, tuple[bytes, Source]]:
        secrets = {one.name: one for one in store.list()} if store else {}
        return sources.read(sources.plan(project, secrets, settings), settings, store)

    return {name: content for name, (content, _) in sorted(sources.settled(attempt).items())}


def up(
    project: Path, path: Path, settings: Settings | None = None, *, store: Store | None
) -> DevFolder:
    """Make the dev folder `path`, or bring it up to date; returns it.

    Settings other than before are taken over in place: whoever reads meanwhile finds every file,
    as it was or as it is to be. They are recorded once the files are there: after an error the
    record says what lies there, and nothing is left of a folder that was not there before. Only
    from memory to disk and back the folder is wiped first. On disk, what a user put there at the
    name of a secret stays. Without a store nothing comes from it: mocks and overrides are left.

    Raises ConflictError if something that is not ours is at `path`, MountError if there is no
    memory file system or a place cannot be trusted.
    """
    settings = settings or Settings()
    path = _absolute(path)
    moving.settle(project)
    with records.alone(project):
        before = _find(project, path)
        _check_free(project, path, before)
        home = None
        if not settings.on_disk:
            # One that is there is kept, whatever the environment says now: it may be mounted.
            there = before.home if before and before.is_safe else None
            home = there or private.base() / records.key(project, path)
        if before and before.on_disk != settings.on_disk:
            if strays := before.strays():
                raise ConflictError(
                    f"cannot make it a link, {path} holds what secretkit did not write,"
                    f" {', '.join(strays)}",
                    hint=f"move that out of {path}, or let the folder be: secretkit dev up"
                    " --on-disk",
                )
            _wipe(before)
            _check_free(project, path, None)
            before = None
        if before and before.home != home:
            before.remove_home()
            before = None
        folder = DevFolder(project, path, home, settings)
        pointer = Pointer(path, home, settings)
        if not before:
            # First, so that there is nothing that is not recorded.
            records.write_pointer(project, pointer)
        try:
            _fill(folder, store)
        except BaseException:
            if not before:
                with contextlib.suppress(OSError, SecretkitError):
                    _wipe(folder)
            raise
        # Last, so that what is recorded is what lies there.
        records.write_pointer(project, pointer)
    return folder


def _fill(folder: DevFolder, store: Store | None) -> None:
    path = folder.path
    if folder.home:
        private.make_private(folder.home)
    _make(folder.place)
    if not folder.home and not os.path.lexists(path / IGNORE):
        private.write_file(path / IGNORE, IGNORE_ALL, 0o644)
    folder.write(store)
    if not folder.is_linked:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()  # empty
        link = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
        try:
            link.symlink_to(folder.place)
        except OSError as error:
            error.filename, error.filename2 = str(path), None
            raise
        link.replace(path)


def _check_free(project: Path, path: Path, before: DevFolder | None) -> None:
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
    # Nothing is lost with a link to a dev folder that is gone, such as one that was committed, or
    # that is another project's, of which this is a copy; nor with an empty folder, which docker
    # makes where a folder to mount is missing.
    place = path.readlink() if path.is_symlink() else None
    if place and records.is_place(place):
        own = place.parent.name == records.key(project, path)
        if not (own and path.exists()):
            return
    if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
        return
    for copy, original in moving.copies(project):
        if copy == path:
            raise _is_copy(copy, original)
    raise ConflictError(
        f"not a dev folder of this project, {path} is there already",
        hint="move it away, or name another folder: secretkit dev up DIR",
    )


def _is_copy(copy: Path, original: Path) -> ConflictError:
    return ConflictError(
        f"plaintext, {copy} is a copy of the dev folder {original}",
        hint=f"delete it: rm -r {shlex.quote(str(copy))}",
    )


def _make(place: Path) -> None:
    """The folder that a container's user may look into: 0755 whatever the umask."""
    place.mkdir(mode=0o755, exist_ok=True)
    if place.is_symlink():
        raise MountError(f"not a folder, {place} is a symbolic link")
    place.chmod(0o755)


def refresh(store: Store) -> tuple[DevFolder, ...]:
    """Bring every dev folder of the project that is up to what it is to hold, as it was made.

    Returns those. Raises MountError, after trying each, if one cannot be written.
    """
    moving.settle(store.folder)
    if not records.exist(store.folder):
        return ()
    failed: OSError | SecretkitError | None = None
    with records.alone(store.folder):
        done = tuple(folder for folder in _folders(store.folder) if folder.is_up)
        for folder in done:
            try:
                folder.write(store)
            except (OSError, SecretkitError) as error:
                failed = failed or error
        if failed:
            raise failed
    return done


def down(project: Path, path: Path | None = None) -> tuple[DevFolder, ...]:
    """Wipe the dev folder `path` (default: all of the project); returns those that were there.

    Calling it again is fine. With all go those in memory of projects that are gone. Raises
    ConflictError if `path` is there and not ours, or, after the rest, if one is a copy of another
    project's; files in a folder on disk that secretkit did not write stay, and so does the folder
    then.
    """
    gone = moving.settle(project)
    if path is not None:
        path = _absolute(path)
        if locate(project, path) is None:
            _check_free(project, path, None)
    wanted: list[DevFolder] = []
    if records.exist(project):
        with records.alone(project):
            wanted += [one for one in _folders(project) if path in (None, one.path)]
            for folder in wanted:
                _wipe(folder)
    if path is not None:
        return tuple(wanted)
    for copy, original in moving.copies(project):
        raise _is_copy(copy, original)
    return (*gone, *wanted)


def _wipe(folder: DevFolder) -> None:
    if folder.home:
        folder.remove_home()
        if folder.path.is_symlink() and folder.path.readlink() == folder.place:
            folder.path.unlink()
    elif folder.is_safe:
        folder.wipe_files()
        if not folder.strays():
            (folder.path / IGNORE).unlink(missing_ok=True)
            folder.path.rmdir()
    records.remove(folder.project, folder.path)

"""When to look at files again: inotify(7), by watchdog, wakes; what has changed, a look says.

So thousands of events are one look; an event that was lost, or that a file system does not give, is
made up for by the next; and it does not matter by which way an editor saves.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Collection, Iterator
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver, ObservedWatch

QUIET = 0.05  # seconds without an event after which a change is over
UNREST = 0.5  # seconds after which it is looked at all the same
_Identity = tuple[int, int]


class Sources(NamedTuple):
    """What is looked at."""

    top: Path  # the project; folders between it and what is looked at may come and go
    files: Collection[Path]  # need not exist
    folders: Collection[Path]  # with all files in them; need not exist


def fingerprint(sources: Sources) -> tuple[object, ...]:
    """What changes whenever one of the files does: identities, sizes, times and modes."""
    prints: list[object] = []
    for path in sources.files:
        prints.append((path, _stamp(path)))
    for folder in sources.folders:
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            prints.append((folder, error.errno))
        else:
            prints.extend((folder, name, _stamp(folder / name)) for name in names)
    return tuple(prints)


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError as error:
        return (error.errno or 0,)
    return (
        *(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns),
        *(found.st_mode, found.st_uid),  # who may read it
    )


def followed(sources: Sources) -> dict[str, _Identity]:
    """The folders in which something can happen to the sources, without links, by what they are.

    Those are the parents of each, and those above them up to the project, as far as they exist;
    elsewhere the nearest that exists.
    """
    found: dict[str, _Identity] = {}
    for path in {*sources.folders, *(path.parent for path in sources.files)}:
        for folder in (path, *path.parents):
            there = False
            with contextlib.suppress(OSError):
                status = folder.stat()
                there = stat.S_ISDIR(status.st_mode)
            if there:
                found[os.path.realpath(folder)] = (status.st_dev, status.st_ino)
            if folder == sources.top or (there and sources.top not in folder.parents):
                break
    return found


class Alarm:
    """Wakes one thread when something happens to Sources. A context manager."""

    def __init__(self) -> None:
        self._woken = threading.Event()
        self._watches: dict[str, tuple[_Identity, ObservedWatch]] = {}
        self._names: frozenset[str] = frozenset()
        self._folders: frozenset[str] = frozenset()
        self._observer: BaseObserver | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._observer:
            self._observer.stop()
            self._observer.join()

    def follow(self, sources: Sources) -> OSError | None:
        """From now on these. Returns why not all can be, if the machine has too many watches."""
        self._names = frozenset(_names(sources))
        self._folders = frozenset(os.path.realpath(folder) for folder in sources.folders)
        wanted = followed(sources)
        while True:
            trouble = self._schedule(wanted)
            before, wanted = wanted, followed(sources)
            if wanted == before or trouble:
                return trouble

    def _start(self) -> BaseObserver:
        import logging

        from watchdog.observers import Observer

        # A queue that runs over is no reason to write to stderr: the next look sees it all.
        logging.getLogger("watchdog").addHandler(logging.NullHandler())
        logging.getLogger("watchdog").propagate = False
        observer = Observer()
        observer.start()
        return observer

    def _schedule(self, wanted: dict[str, _Identity]) -> OSError | None:
        from watchdog.events import (
            DirCreatedEvent,
            DirDeletedEvent,
            DirMovedEvent,
            FileCreatedEvent,
            FileDeletedEvent,
            FileModifiedEvent,
            FileMovedEvent,
            FileSystemEvent,
            FileSystemEventHandler,
        )

        class Handler(FileSystemEventHandler):
            def on_any_event(_, event: FileSystemEvent) -> None:  # noqa: N805
                self._happened(event.src_path, event.dest_path)

        try:
            observer = self._observer = self._observer or self._start()
        except OSError as error:
            return error
        for path, (identity, watch) in list(self._watches.items()):
            if wanted.get(path) != identity:
                del self._watches[path]
                observer.unschedule(watch)
        trouble = None
        for path in wanted.keys() - self._watches.keys():
            try:
                watch = observer.schedule(
                    Handler(),
                    path,
                    # Not that a file is read, as we do; not that something is in a folder.
                    event_filter=[
                        *(DirCreatedEvent, DirDeletedEvent, DirMovedEvent),
                        *(FileCreatedEvent, FileDeletedEvent, FileModifiedEvent, FileMovedEvent),
                    ],
                )
            except (FileNotFoundError, NotADirectoryError):
                continue  # gone since it was looked for
            except OSError as error:
                trouble = error
            else:
                self._watches[path] = (wanted[path], watch)
        return trouble

    def _happened(self, *paths: bytes | str) -> None:
        for path in map(os.fsdecode, paths):
            if path in self._names or os.path.dirname(path) in self._folders:
                self._woken.set()

    def wait(self, seconds: float) -> bool:
        """Whether something happens, for so long; waits until that is over, at most UNREST."""
        if not self._woken.wait(seconds):
            return False
        until = monotonic() + UNREST
        self._woken.clear()
        while monotonic() < until and self._woken.wait(QUIET):
            self._woken.clear()
        return True


def _names(sources: Sources) -> Iterator[str]:
    """The sources and all that is above them, as events name them."""
    for source in (*sources.files, *sources.folders):
        for path in (source, *source.parents[:-1]):
            yield os.path.join(os.path.realpath(path.parent), path.name)

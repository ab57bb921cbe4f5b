"""A dev folder: what is in it, held against what it is to hold, and made so.

In memory it is a private *home* on tmpfs, `<base>/<id>/`, 0700, that holds the folder `secrets`
(0755, files 0444: inside a container any user may read them); DIR is a link to that. On disk DIR is
the folder itself.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..model import Secret
from ..store import Store
from . import layouts, private, records, sources
from .records import Entry
from .settings import Settings
from .sources import Origin, Source

IGNORE = ".gitignore"
IGNORE_ALL = b"*\n"
# What a file is when it is not written anew.
_LEAVE = ("same", "foreign", "removed", "unusable")


class FileState(NamedTuple):
    """One name in a dev folder, held against what the folder is to hold."""

    name: str
    origin: Origin | None  # of the file; of what is to be there, if there is none of ours
    mounted: int | None  # the store's version in the folder
    current: int | None  # the version that the store says
    state: str  # "same", "behind", "changed", "missing", "removed", "foreign" or "unusable"


class DevFolder(NamedTuple):
    """A folder of secret files that belongs to a project."""

    project: Path
    path: Path  # DIR, absolute
    home: Path | None  # the private folder in memory, None on disk
    settings: Settings

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
        return self.is_safe and self.is_linked and records.entries_exist(self.project, self.path)

    @property
    def is_safe(self) -> bool:
        """Whether `place` is a folder, no link, where nobody has put another since it was made."""
        if self.home:
            above = private.is_private(self.home.parent) and private.is_private(self.home)
            trusted = above and private.in_memory(self.home)
        else:
            trusted = self.path.parent.resolve() == self.path.parent
        return trusted and os.path.isdir(self.place) and not self.place.is_symlink()

    @property
    def is_linked(self) -> bool:
        """Whether DIR leads to `place`."""
        if not self.home:
            return True
        return self.path.is_symlink() and self.path.readlink() == self.place

    @property
    def sources(self) -> Mapping[str, Source]:
        """Where each file that was written last comes from."""
        return {name: entry.source for name, entry in self._entries().items() if entry.stamp}

    @property
    def versions(self) -> Mapping[str, int]:
        """The version of each secret of the store that was written last."""
        return {name: one.version for name, one in self.sources.items() if one.version}

    def states(self, store: Store | None) -> tuple[FileState, ...]:
        """Every name in the folder, the store or another source, by name; reads no value.

        Without a store nothing comes from it. Raises as `sources.plan` does.
        """
        secrets = {one.name: one for one in store.list()} if store else {}
        entries = self._entries()
        wanted = self._plan(secrets, entries)
        return tuple(
            FileState(
                name,
                entries[name].source.origin if name in entries else _origin(wanted.get(name)),
                entries[name].source.version if name in entries else None,
                secrets[name].current if name in secrets else None,
                state,
            )
            for name, state in self._states(wanted, entries).items()
        )

    def strays(self) -> tuple[str, ...]:
        """What stays in the folder when it is wiped, by name: what secretkit did not write."""
        if self.home or not self.is_safe:
            return ()
        entries = self._entries()
        return tuple(
            name
            for name in sorted(os.listdir(self.place))
            if not layouts.is_leftover(self.place, name)
            and not (name in entries and self._is_ours(name, entries[name]))
            and not (name == IGNORE and self.has_our_ignore())
        )

    def has_our_ignore(self) -> bool:
        """Whether there is a .gitignore as we make it."""
        path = self.place / IGNORE
        return path.is_file() and not path.is_symlink() and path.read_bytes() == IGNORE_ALL

    # -- what is written -------------------------------------------------------------------------

    def write(self, store: Store | None) -> None:
        """Bring the files to what they are to be; one transaction for all of the store's values."""
        sources.settled(lambda: self._write(store))

    def remove_home(self) -> None:
        """Remove the private folder in memory, if there is one that can be trusted."""
        if self.home and private.is_private(self.home) and private.in_memory(self.home):
            shutil.rmtree(self.home)

    def wipe_files(self) -> None:
        """Remove what secretkit wrote."""
        for name, entry in self._entries().items():
            self._remove(name, entry)
        layouts.put(self.place, "swarm", 0, {})  # the other layout's link goes
        layouts.remove_leftovers(self.place)

    def _write(self, store: Store | None) -> None:
        layout, mode = self.settings.layout, self.settings.mode
        secrets = {one.name: one for one in store.list()} if store else {}
        entries = self._entries()
        plan = self._plan(secrets, entries)
        states = self._states(plan, entries)
        gone = [name for name in entries if name not in plan]
        wanted = {name: plan[name] for name, state in states.items() if state not in _LEAVE}
        layouts.remove_leftovers(self.place)
        made = layouts.is_made(self.place, layout)
        if not gone and not wanted and made and records.entries_exist(self.project, self.path):
            return None
        read = sources.read(wanted, self.settings, store)
        # First the names, so that a file is ours even if we are killed right after writing it.
        begun = {
            name: entries.get(name) or Entry(source, None) for name, (_, source) in read.items()
        }
        self._save(entries | {name: one._replace(stamp=None) for name, one in begun.items()})
        contents = {name: content for name, (content, _) in read.items()}
        keep = [
            name
            for name, state in states.items()
            if state == "same" or (state == "unusable" and layouts.stamp(self.place, name, layout))
        ]
        stamps: dict[str, layouts.Stamp] = {}
        try:
            layouts.put(self.place, layout, mode, contents, keep, written=stamps)
            for name in gone:
                self._remove(name, entries.pop(name))
        finally:  # what is not written lies there as before
            entries |= {name: Entry(read[name][1], stamp) for name, stamp in stamps.items()}
            self._save(entries)
        return layouts.remove_leftovers(self.place)

    def _plan(
        self, secrets: Mapping[str, Secret], entries: Mapping[str, Entry]
    ) -> dict[str, Source]:
        overridden = [name for name, one in entries.items() if one.source.origin == "override"]
        return sources.plan(self.project, secrets, self.settings, overridden)

    def _entries(self) -> dict[str, Entry]:
        return records.read_entries(self.project, self.path)

    def _save(self, entries: Mapping[str, Entry]) -> None:
        records.write_entries(self.project, self.path, entries)

    def _states(self, wanted: Mapping[str, Source], entries: Mapping[str, Entry]) -> dict[str, str]:
        found = set(os.listdir(self.place)) - {IGNORE} if self.is_safe else set()
        found = {name for name in found if not layouts.is_hidden(name)}
        return {
            name: self._state(name, entries.get(name), wanted.get(name), name in found)
            for name in sorted({*wanted, *entries, *found})
        }

    def _state(self, name: str, entry: Entry | None, wanted: Source | None, present: bool) -> str:
        if present and _is_folder(self.place / name):
            return "foreign"
        if wanted == sources.UNUSABLE:
            return "unusable"
        if present and entry is None:
            # In memory all is ours, and a record that was lost must not block the secret for ever.
            return "changed" if self.home and wanted else "foreign"
        if entry is None:
            return "missing"
        if wanted is None:
            return "removed"
        if not present:
            return "missing"
        stamp = layouts.stamp(self.place, name, self.settings.layout)
        if stamp is None or stamp != entry.stamp:
            return "changed"
        same = entry.source == wanted and stamp.mode == self.settings.mode
        return "same" if same else "behind"

    def _remove(self, name: str, entry: Entry) -> None:
        """Delete the file of a secret; on disk only as we wrote it, not what a user put there."""
        if self._is_ours(name, entry):
            (self.place / name).unlink(missing_ok=True)

    def _is_ours(self, name: str, entry: Entry) -> bool:
        ours = self.home or layouts.is_ours(self.place, name, entry.stamp)
        return bool(ours) and not _is_folder(self.place / name)


def _origin(source: Source | None) -> Origin | None:
    return source.origin if source else None


def _is_folder(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return stat.S_ISDIR(path.lstat().st_mode)
    return False

"""Hand-made files that win over the store: one folder, one file per secret, its exact bytes."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..errors import InvalidNameError, MountError
from ..naming import VALUE_LENGTH, check_name

# Hidden files, and what editors have beside a file: Emacs and others, Emacs, JetBrains.
_LEFTOVER = re.compile(r"\..*|.*~|#.*#|.*___jb_(tmp|old)___")


class Override(NamedTuple):
    """One file of the folder."""

    path: Path
    size: int  # bytes
    mark: str  # another text when the file is another: mtime in ns, inode, size


class Overrides(NamedTuple):
    """What a folder of overrides holds.

    A file that cannot be used hides what the store has, as one that can: else a program that is
    meant for a local database gets the credentials of another.
    """

    folder: Path | None
    files: Mapping[str, Override] = {}  # by the name of the secret
    unusable: Mapping[str, str] = {}  # by the name of the secret: why
    passed_over: tuple[str, ...] = ()  # what no secret can be called: `<path>: <why>`
    trouble: str | None = None  # why the folder itself cannot be used, whatever is in it

    @property
    def complaints(self) -> tuple[str, ...]:
        """What cannot be used: `<path>: <why>`."""
        if self.folder is None:
            return ()
        if self.trouble:
            return (f"{self.folder}: {self.trouble}",)
        return tuple(f"{self.folder / name}: {why}" for name, why in self.unusable.items())

    def check(self) -> None:
        """Raises MountError if there is something that cannot be used."""
        if self.complaints:
            raise MountError(
                f"an override cannot be used, {'; '.join(self.complaints)}",
                hint="mend it, or delete it to have the store's value",
            )


def find(folder: Path | None) -> Overrides:
    """The files in `folder`, which need not exist. Reads no value."""
    if folder is None:
        return Overrides(None)
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            return Overrides(folder, trouble="not a folder")
        names = sorted(os.listdir(folder))
        within = folder.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError):
        return Overrides(folder)
    except OSError as error:
        return Overrides(folder, trouble=_reason(error))
    files: dict[str, Override] = {}
    unusable: dict[str, str] = {}
    passed_over = []
    for name in names:
        if _LEFTOVER.fullmatch(name):
            continue
        try:
            check_name(name)
        except InvalidNameError as error:
            passed_over.append(f"{folder / name}: not a name for a secret: {error.reason}")
            continue
        found = _look(within, name)
        if isinstance(found, Override):
            files[name] = found
        elif found:
            unusable[name] = found
    return Overrides(folder, files, unusable, tuple(passed_over))


def _look(folder: Path, name: str) -> Override | str | None:
    """The override at `name`; or why it cannot be used; None if it has gone."""
    try:
        path = (folder / name).resolve(strict=True)
        found = path.lstat()
    except FileNotFoundError:
        return "a link to nothing" if (folder / name).is_symlink() else None
    except (OSError, RuntimeError) as error:  # RuntimeError: a link to itself, before Python 3.13
        return _reason(error)
    if path.parent != folder:
        return "a link that leads out of the folder"
    if not stat.S_ISREG(found.st_mode):
        return "not a regular file"
    if not found.st_size:
        return "it is empty"
    if found.st_size > VALUE_LENGTH:
        return f"{found.st_size} bytes, at most {VALUE_LENGTH}"
    if not os.access(path, os.R_OK):
        return "permission denied"
    return Override(path, found.st_size, _mark(found))


def read(override: Override) -> tuple[bytes, str] | None:
    """The bytes of the file and its mark; None if it cannot be used any more."""
    try:
        fd = os.open(override.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            found = os.fstat(fd)
            content = file.read(VALUE_LENGTH + 1) if stat.S_ISREG(found.st_mode) else b""
    except OSError:
        return None
    return (content, _mark(found)) if 0 < len(content) <= VALUE_LENGTH else None


def is_line(override: Override) -> bool:
    """Whether the file is one line with its newline: an editor's, which few programs expect."""
    found = read(override)
    return found is not None and found[0].find(b"\n") == len(found[0]) - 1


def _mark(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns} {found.st_ino} {found.st_size}"


def _reason(error: OSError | RuntimeError) -> str:
    return ((isinstance(error, OSError) and error.strerror) or "a link to itself").lower()

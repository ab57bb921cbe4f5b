"""Which store a project folder has: kept beside the keys, so that another one is noticed.

A store that was swapped for one of another project, with a key that is in reach, is sound in
itself. Only its place says that it is the wrong one.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ..errors import StoreTamperedError
from . import crypto, files


def check(folder: Path, store_id: bytes) -> None:
    """Raise StoreTamperedError if `folder` had another store before; remember it if it had none."""
    try:
        known = _path(folder).read_text()
    except OSError:
        bind(folder, store_id)
        return
    if known != store_id.hex():
        raise StoreTamperedError(
            f"another store than before is in {folder}",
            hint="if you put it there yourself: secretkit restore --accept-rollback",
        )


def bind(folder: Path, store_id: bytes) -> None:
    """Remember the store of `folder`. Where that cannot be written, nothing is remembered."""
    path = _path(folder)
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    with contextlib.suppress(OSError):
        files.make_private_folder(path.parent)
        files.write_new(temporary, store_id.hex().encode(), 0o600)
        temporary.rename(path)


def _path(folder: Path) -> Path:
    name = crypto.digest(os.fsencode(folder)).hex()
    return files.keys_folder().parent / "projects" / name

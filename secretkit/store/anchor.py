"""The anchor: how far the store had come, kept beside the key and outside the store's folder.

Somebody who can put an older copy of the whole store in place can not change this file, so the
older copy is noticed. The record has a fixed size below one sector and is overwritten in place
under a lock, after the store's own commit: it may lag behind the store (a crash between the two;
the store's audit chain must then contain it) and is never ahead of it. That is why it needs no
fsync of its own: a lost update is a lag.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import NamedTuple

from ..errors import StoreRolledBackError
from . import files

_MARK = "secretkit-anchor-1"
_LENGTH = len(_MARK) + 1 + 32 + 1 + 20 + 1 + 64 + 1


class Mark(NamedTuple):
    """A generation of the store, and the head of its audit chain at that generation."""

    generation: int
    head: bytes


def anchor_path(store_id: bytes) -> Path:
    return files.keys_folder() / f"{store_id.hex()}.anchor"


class Anchor:
    """The anchor of one store, held open."""

    def __init__(self, store_id: bytes) -> None:
        """Raises StoreRolledBackError if there is none, StorePermissionError if it is unsafe."""
        self._store_id = store_id
        self.path = anchor_path(store_id)
        try:
            files.check_private_file(self.path)
            self._fd = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise StoreRolledBackError(
                f"no anchor for this store, {self.path} is not there",
                hint="put it back; if the store was moved here on purpose:"
                " secretkit restore --accept-rollback",
            ) from None
        except OSError as error:
            raise files.write_error(self.path, error) from None

    @classmethod
    def create(cls, store_id: bytes, mark: Mark) -> Anchor:
        """Write the anchor anew, durably."""
        path = anchor_path(store_id)
        files.make_private_folder(path.parent)
        path.unlink(missing_ok=True)
        files.write_new(path, _record(store_id, mark), 0o600)
        return cls(store_id)

    def read(self) -> Mark:
        """The mark; raises StoreRolledBackError if the record is damaged."""
        fcntl.flock(self._fd, fcntl.LOCK_SH)
        try:
            record = os.pread(self._fd, _LENGTH + 1, 0)
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        return self._parse(record)

    def advance(self, mark: Mark) -> None:
        """Move the anchor to `mark`, unless another process has moved it further."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            if self._parse(os.pread(self._fd, _LENGTH + 1, 0)).generation < mark.generation:
                os.pwrite(self._fd, _record(self._store_id, mark), 0)
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Closing twice is fine."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _parse(self, record: bytes) -> Mark:
        try:
            mark, store, generation, head = record.decode("ascii").rstrip("\n").split(" ")
            if len(record) != _LENGTH or mark != _MARK or store != self._store_id.hex():
                raise ValueError
            return Mark(int(generation), bytes.fromhex(head))
        except ValueError:
            raise StoreRolledBackError(
                f"damaged anchor, {self.path}",
                hint="if the store is known to be the latest: secretkit restore --accept-rollback",
            ) from None


def _record(store_id: bytes, mark: Mark) -> bytes:
    return f"{_MARK} {store_id.hex()} {mark.generation:020} {mark.head.hex()}\n".encode()

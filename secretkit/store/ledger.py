"""The connection of an open store: begins, commits, and tells after a failure what happened."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from ..errors import ConflictError, SecretkitError, StoreIOError, StoreTamperedError, UsageError
from . import crypto, database, files
from .anchor import Anchor
from .transaction import Transaction, read_slots, slots_digest


class Ledger:
    """One connection to a store, with its keys. Not for another thread, nor past a fork."""

    def __init__(
        self, path: Path, keys: crypto.Keys, connection: sqlite3.Connection, slots: bytes
    ) -> None:
        """`slots` is the digest of the slots that the keys came from."""
        self.path = path
        self.keys = keys
        self.anchor = Anchor(keys.store_id)
        self._connection = connection
        self._slots = slots
        self._folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._alone = False
        self._owner = (os.getpid(), threading.get_ident())

    def close(self) -> None:
        """Closing twice is fine."""
        self._connection.close()
        self.anchor.close()
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    @contextlib.contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A consistent, verified view; writes nothing and records nothing."""
        with self._locked(), self._begun("BEGIN") as transaction:
            yield transaction

    @contextlib.contextmanager
    def writing(self) -> Iterator[Transaction]:
        """All of it or nothing: committed durably when the block ends without an exception."""
        with self._locked(), self._begun("BEGIN IMMEDIATE") as transaction:
            yield transaction
            final = transaction.replacement or transaction
            final.finish()
            self._commit(final)

    @contextlib.contextmanager
    def destroying(self) -> Iterator[Transaction]:
        """As `writing`, and nothing of what it removes or replaces stays in the store's files."""
        with database.destroying(self._connection), self.writing() as transaction:
            yield transaction

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else writes, opens or restores the store meanwhile."""
        with self._locked(exclusive=True):
            self._alone = True
            try:
                yield
            finally:
                self._alone = False

    @contextlib.contextmanager
    def _locked(self, *, exclusive: bool = False) -> Iterator[None]:
        if self._alone:
            yield
            return
        files.lock(self._folder, self.path, exclusive=exclusive)
        try:
            yield
        finally:
            fcntl.flock(self._folder, fcntl.LOCK_UN)

    def copy_to(self, target: sqlite3.Connection) -> None:
        """SQLite's online backup of the whole file."""
        self._connection.backup(target)

    @contextlib.contextmanager
    def _begun(self, statement: str) -> Iterator[Transaction]:
        if self._owner != (os.getpid(), threading.get_ident()):
            raise UsageError(
                "a Store belongs to the process and thread that opened it; open another"
            )
        # Before the transaction: whatever is committed later can only be further than this.
        anchored = self.anchor.read()
        try:
            database.check_journal(self.path)
            self._connection.execute(statement)
            transaction = self._verified()
            transaction.check_anchor(self.path, anchored)
            yield transaction
        except database.FAILURES as error:
            raise database.translate(error, self.path) from None
        finally:
            with contextlib.suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _verified(self) -> Transaction:
        try:
            transaction = Transaction.verified(self._connection, self.keys, self.path)
        except StoreTamperedError:
            if slots_digest(read_slots(self._connection)) != self._slots:
                raise ConflictError(
                    f"the keys of the store were changed since it was opened, {self.path}",
                    hint="run it again",
                ) from None
            raise
        self._slots = transaction.head.slots
        return transaction

    def _commit(self, transaction: Transaction) -> None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            # An I/O error at the last step can come back although the commit is on disk.
            if not self._was_committed(transaction):
                raise database.translate(error, self.path) from None
        self.keys = transaction.keys
        self._slots = transaction.head.slots
        # The commit stands, whatever becomes of this: an anchor that lags is accepted.
        with contextlib.suppress(OSError):
            self.anchor.advance(transaction.head.mark)

    def _was_committed(self, transaction: Transaction) -> bool:
        """Look again, with a fresh connection, whether the operation is in the store."""
        self._connection.close()
        try:
            self._connection = database.open_existing(self.path)
            row = self._connection.execute(
                "SELECT mac FROM audit WHERE id = ?", (transaction.head.generation,)
            ).fetchone()
        except (sqlite3.Error, SecretkitError) as error:
            raise StoreIOError(
                f"the disk failed while the store was written, {self.path}",
                hint="the change is there or not, never half of it: `secretkit check` tells",
            ) from error
        # The chain's MAC covers the operation's random id: equal means it is this very act.
        return row is not None and crypto.same(row[0], transaction.head.audit)

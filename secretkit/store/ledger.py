"""The connection of an open store: begins, commits, and tells after a failure what happened."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from ..errors import SecretkitError, StoreIOError, UsageError
from . import crypto, database
from .anchor import Anchor
from .transaction import Transaction


class Ledger:
    """One connection to a store, with its keys. Not for another thread, nor past a fork."""

    def __init__(self, path: Path, keys: crypto.Keys, connection: sqlite3.Connection) -> None:
        self.path = path
        self.keys = keys
        self.anchor = Anchor(keys.store_id)
        self._connection = connection
        self._owner = (os.getpid(), threading.get_ident())

    def close(self) -> None:
        self._connection.close()
        self.anchor.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A consistent, verified view; writes nothing and records nothing."""
        with self._begun("BEGIN") as transaction:
            yield transaction

    @contextlib.contextmanager
    def writing(self) -> Iterator[Transaction]:
        """All of it or nothing: committed durably when the block ends without an exception."""
        with self._begun("BEGIN IMMEDIATE") as transaction:
            yield transaction
            final = transaction.replacement or transaction
            final.finish()
            self._commit(final)

    @contextlib.contextmanager
    def destroying(self) -> Iterator[Transaction]:
        """As `writing`, and nothing of what it removes or replaces stays in the store's files."""
        with database.destroying(self._connection), self.writing() as transaction:
            yield transaction

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
            self._connection.execute(statement)
            transaction = Transaction.verified(self._connection, self.keys, self.path)
            transaction.check_anchor(self.path, anchored)
            yield transaction
        except sqlite3.Error as error:
            raise database.translate(error, self.path) from None
        finally:
            with contextlib.suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _commit(self, transaction: Transaction) -> None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            # An I/O error at the last step can come back although the commit is on disk.
            if not self._was_committed(transaction):
                raise database.translate(error, self.path) from None
        self.keys = transaction.keys
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

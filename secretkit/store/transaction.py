"""Rows and what proves them: the directory of leaves, the head, the audit chain, the anchor.

Every row of `record` is named, by its index and its digest, in one of 128 sealed leaves; the head
holds the digest of every leaf and of the slots under one MAC, together with the end of the audit
chain; the anchor outside holds how long that chain was. So a read proves what it touches with the
head, one leaf and the row, whatever the number of versions, and nothing can be swapped, renamed,
dropped or brought back without one of the three saying so.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import (
    StoreIOError,
    StoreRolledBackError,
    StoreTamperedError,
)
from . import crypto
from .anchor import Mark
from .codec import number, pack, unpack
from .slots import Slot

SECRET, VERSION = 1, 2  # kinds of record
LEAVES = 128
_EMPTY = bytes(crypto.DIGEST_BYTES)
_ROW_BYTES = 6
_ENTRY = 1 + crypto.INDEX_BYTES + _ROW_BYTES + crypto.DIGEST_BYTES
_CHAIN_START = bytes(crypto.MAC_BYTES)
NO_PRIOR = bytes(8 + crypto.MAC_BYTES)


class Entry(NamedTuple):
    """One line of a leaf: a record's kind, its index, its row, and the digest of that row."""

    kind: int
    place: bytes  # the record's index
    row: int
    digest: bytes

    def packed(self) -> bytes:
        row = self.row.to_bytes(_ROW_BYTES, "big")
        return bytes((self.kind,)) + self.place + row + self.digest

    @classmethod
    def parse(cls, data: bytes) -> Entry:
        end = 1 + crypto.INDEX_BYTES
        row = int.from_bytes(data[end : end + _ROW_BYTES], "big")
        return cls(data[0], data[1:end], row, data[end + _ROW_BYTES :])


class Head:
    """The one row that binds everything else."""

    def __init__(
        self, generation: int, audit: bytes, prior: bytes, leaves: bytearray, slots: bytes
    ) -> None:
        self.generation = generation
        self.audit = audit
        self.prior = prior  # generation and audit head before the last key rotation
        self.leaves = leaves
        self.slots = slots

    def mac(self, keys: crypto.Keys) -> bytes:
        fields = (self.generation, self.audit, self.prior, bytes(self.leaves), self.slots)
        return crypto.mac(keys.integrity, crypto.context(keys.store_id, "head", *fields))

    @property
    def mark(self) -> Mark:
        return Mark(self.generation, self.audit)


class Event(NamedTuple):
    """What the audit log records of one act: a fixed list of fields, never a value."""

    operation: bytes
    time: int  # ms since 1970, UTC
    action: str
    name: str
    version: int  # 0: the secret as a whole
    uid: int

    def packed(self) -> bytes:
        return pack(self.operation, self.time, self.action, self.name, self.version, self.uid)

    @classmethod
    def parse(cls, data: bytes) -> Event:
        operation, when, action, name, version, uid = unpack(data)
        return cls(
            operation, number(when), action.decode(), name.decode(), number(version), number(uid)
        )


class Transaction:
    """Reads and writes of records inside one SQLite transaction, each one proven."""

    def __init__(self, connection: sqlite3.Connection, keys: crypto.Keys, head: Head) -> None:
        self.keys = keys
        self.head = head
        self.replacement: Transaction | None = None
        self._connection = connection
        self._operation = os.urandom(8)
        self._now = time.time_ns() // 1_000_000
        self._opened: dict[int, bytes] = {}
        self._changed: set[int] = set()
        self._indexes: dict[tuple[str | int, ...], bytes] = {}

    @classmethod
    def verified(cls, connection: sqlite3.Connection, keys: crypto.Keys, path: Path) -> Transaction:
        """On the store as it is, its head proven; raises StoreTamperedError."""
        return cls(connection, keys, _read_head(connection, keys, path))

    @classmethod
    def empty(cls, connection: sqlite3.Connection, keys: crypto.Keys, prior: bytes) -> Transaction:
        """On a store without records or events: the beginning, and the target of `key rotate`."""
        leaves = bytearray(LEAVES * crypto.DIGEST_BYTES)
        transaction = cls(connection, keys, Head(0, _CHAIN_START, prior, leaves, b""))
        transaction._opened = dict.fromkeys(range(LEAVES), b"")
        transaction._changed = set(range(LEAVES))
        return transaction

    def successor(self, keys: crypto.Keys) -> Transaction:
        """An empty transaction under other keys, committed in place of this one.

        The caller reads every record and event here and puts them there.
        """
        self._connection.execute("DELETE FROM audit")
        prior = self.head.generation.to_bytes(8, "big") + self.head.audit
        self.replacement = Transaction.empty(self._connection, keys, prior)
        return self.replacement

    @property
    def now(self) -> int:
        """Milliseconds since 1970, UTC: the time of everything this transaction writes."""
        return self._now

    # -- the head, the slots and the anchor -----------------------------------------------------

    def check_anchor(self, path: Path, anchored: Mark) -> None:
        """Raise StoreRolledBackError unless the store has come at least as far as its anchor."""
        head = self.head
        if anchored == head.mark:
            return
        if anchored.generation < head.generation:
            row = self._connection.execute(
                "SELECT mac FROM audit WHERE id = ?", (anchored.generation,)
            ).fetchone()
            if row is not None and row[0] == anchored.head:
                return
            if head.prior == anchored.generation.to_bytes(8, "big") + anchored.head:
                return
        raise StoreRolledBackError(
            f"the store is not the latest, {path} is at generation {head.generation},"
            f" its anchor at {anchored.generation}",
            hint="somebody put an older copy in place; if that was you, on purpose:"
            " secretkit restore --accept-rollback",
        )

    def slots(self) -> list[Slot]:
        return read_slots(self._connection)

    def put_slot(self, slot: Slot) -> None:
        """Add a slot; the head's MAC will cover it."""
        self._connection.execute(
            "INSERT INTO slot (id, header, wrapped) VALUES (?, ?, ?)",
            (slot.number, slot.header, slot.wrapped),
        )
        self.head.slots = slots_digest(self.slots())

    def delete_slot(self, slot: Slot) -> None:
        """Drop a slot."""
        self._connection.execute("DELETE FROM slot WHERE id = ?", (slot.number,))
        self.head.slots = slots_digest(self.slots())

    # -- records ----------------------------------------------------------------------------------

    def index(self, kind: int, *fields: str | int) -> bytes:
        """Where a record is found: a keyed hash of what it is called."""
        called = (kind, *fields)
        if called not in self._indexes:
            message = crypto.context(self.keys.store_id, "index", *called)
            self._indexes[called] = crypto.mac(self.keys.index, message)[: crypto.INDEX_BYTES]
        return self._indexes[called]

    def get(self, index: bytes) -> bytes | None:
        """The content of the record at `index`, or None if there is none."""
        entry = self.find(index)
        return None if entry is None else self.open(entry)

    def open(self, entry: Entry) -> bytes:
        """The content of the record that a leaf's entry names."""
        row = self._connection.execute(
            "SELECT box FROM record WHERE id = ?", (entry.row,)
        ).fetchone()
        if row is None or not isinstance(row[0], bytes) or crypto.digest(row[0]) != entry.digest:
            raise StoreTamperedError(
                "a row of the store was changed, removed or replaced by an older one",
                hint="`secretkit check` says how much is affected; restore a backup",
            )
        return crypto.unseal(
            self.keys.values, self._record_context(entry.kind, entry.place), row[0]
        )

    def put(self, kind: int, index: bytes, content: bytes, row: int | None = None) -> None:
        """Write the record at `index`, in place of the one that may be there.

        `row` names a row to overwrite. What was written is read back and decrypted.
        """
        before = self.find(index)
        box = crypto.seal(self.keys.values, self._record_context(kind, index), content)
        row = before.row if before else row
        cursor = self._connection.execute("REPLACE INTO record (id, box) VALUES (?, ?)", (row, box))
        entry = Entry(kind, index, cursor.lastrowid or 0, crypto.digest(box))
        self._replace(index, before, entry)
        if not crypto.same(self.open(entry), content):
            raise StoreIOError("a row did not read back as it was written; nothing was changed")

    def delete(self, index: bytes) -> None:
        """Remove the record at `index`; SQLite overwrites it with zeros (secure_delete)."""
        entry = self.find(index)
        if entry is not None:
            self._connection.execute("DELETE FROM record WHERE id = ?", (entry.row,))
            self._replace(index, entry, None)

    def entries(self, kind: int) -> Iterator[Entry]:
        """Every entry of one kind, in no order that means anything."""
        for leaf in range(LEAVES):
            data = self._leaf(leaf)
            for at in range(0, len(data), _ENTRY):
                if data[at] == kind:
                    yield Entry.parse(data[at : at + _ENTRY])

    def _record_context(self, kind: int, index: bytes) -> bytes:
        return crypto.context(self.keys.store_id, "record", kind, index)

    def _leaf(self, leaf: int) -> bytes:
        if leaf not in self._opened:
            row = self._connection.execute("SELECT box FROM leaf WHERE id = ?", (leaf,)).fetchone()
            box = b"" if row is None else row[0]
            at = leaf * crypto.DIGEST_BYTES
            expected = self.head.leaves[at : at + crypto.DIGEST_BYTES]
            if not isinstance(box, bytes) or (crypto.digest(box) if box else _EMPTY) != expected:
                raise StoreTamperedError(
                    "the store's directory was changed", hint="restore a backup"
                )
            self._opened[leaf] = (
                self.keys.directory.unseal(self._leaf_context(leaf), box) if box else b""
            )
        return self._opened[leaf]

    def _leaf_context(self, leaf: int) -> bytes:
        return crypto.context(self.keys.store_id, "leaf", leaf)

    def find(self, index: bytes) -> Entry | None:
        """The entry at `index`, from its proven leaf."""
        data = self._leaf(index[0] % LEAVES)
        at = data.find(index)
        while at >= 0:
            if at % _ENTRY == 1:
                return Entry.parse(data[at - 1 : at - 1 + _ENTRY])
            at = data.find(index, at + 1)
        return None

    def _replace(self, index: bytes, before: Entry | None, after: Entry | None) -> None:
        leaf = index[0] % LEAVES
        data = self._leaf(leaf)
        packed = after.packed() if after else b""
        if before is None:
            self._opened[leaf] = data + packed
        else:
            at = data.index(before.packed())
            self._opened[leaf] = data[:at] + packed + data[at + _ENTRY :]
        self._changed.add(leaf)

    # -- the audit chain --------------------------------------------------------------------------

    def record(self, action: str, name: str = "", version: int = 0) -> None:
        """Add one entry to the audit chain; it commits together with what it records."""
        event = Event(self._operation, self._now, action, name, version, os.getuid())
        self.append(event.packed())

    def append(self, event: bytes) -> None:
        head = self.head
        generation = head.generation + 1
        box = self.keys.audit.seal(self._event_context(generation), event)
        head.audit = self._chained(generation, head.audit, box)
        head.generation = generation
        self._connection.execute(
            "INSERT INTO audit (id, box, mac) VALUES (?, ?, ?)", (generation, box, head.audit)
        )

    def events(self) -> Iterator[tuple[int, Event]]:
        """Every entry of the chain, oldest first, each proven; raises StoreTamperedError."""
        chained, last = _CHAIN_START, 0
        for row, box, expected in self._connection.execute(
            "SELECT id, box, mac FROM audit ORDER BY id"
        ):
            last += 1
            intact = row == last and isinstance(box, bytes) and isinstance(expected, bytes)
            chained = self._chained(last, chained, box) if intact else b""
            if not intact or not crypto.same(chained, expected):
                raise StoreTamperedError(f"the audit log was changed at entry {last}")
            yield row, Event.parse(self.keys.audit.unseal(self._event_context(row), box))
        if (last, chained) != (self.head.generation, self.head.audit):
            raise StoreTamperedError(f"the audit log was cut after entry {last}")

    def _event_context(self, generation: int) -> bytes:
        return crypto.context(self.keys.store_id, "audit", generation)

    def _chained(self, generation: int, before: bytes, box: bytes) -> bytes:
        fields = crypto.context(self.keys.store_id, "chain", generation, before, box)
        return crypto.mac(self.keys.chain, fields)

    # -- the end ----------------------------------------------------------------------------------

    def finish(self) -> None:
        """Write leaves and head; read the leaves back and decrypt them."""
        for leaf in sorted(self._changed):
            box = b""
            if self._opened[leaf]:
                box = self.keys.directory.seal(self._leaf_context(leaf), self._opened[leaf])
                self._connection.execute("REPLACE INTO leaf (id, box) VALUES (?, ?)", (leaf, box))
            else:
                self._connection.execute("DELETE FROM leaf WHERE id = ?", (leaf,))
            at = leaf * crypto.DIGEST_BYTES
            self.head.leaves[at : at + crypto.DIGEST_BYTES] = crypto.digest(box) if box else _EMPTY
        self._write_head()
        for leaf in self._changed:
            expected = self._opened.pop(leaf)
            if self._leaf(leaf) != expected:
                raise StoreIOError("a row did not read back as it was written; nothing was changed")

    def _write_head(self) -> None:
        head = self.head
        fields = (head.generation, head.audit, head.prior, bytes(head.leaves), head.mac(self.keys))
        self._connection.execute(
            "REPLACE INTO head (id, store, generation, audit, prior, leaves, mac)"
            " VALUES (1, ?, ?, ?, ?, ?, ?)",
            (self.keys.store_id, *fields),
        )

    def rows(self) -> int:
        """How many rows of records there are, known to the directory or not."""
        count: int = self._connection.execute("SELECT count(*) FROM record").fetchone()[0]
        return count

    def strays(self) -> int:
        """How many rows there are that the head and the directory do not know."""
        leaves = bytes(self.head.leaves)
        size = crypto.DIGEST_BYTES
        filled = sum(leaves[at : at + size] != _EMPTY for at in range(0, len(leaves), size))
        known = sum(len(self._leaf(leaf)) // _ENTRY for leaf in range(LEAVES)) + filled + 1
        count: int = self._connection.execute(
            "SELECT (SELECT count(*) FROM record) + (SELECT count(*) FROM leaf)"
            " + (SELECT count(*) FROM head)"
        ).fetchone()[0]
        return count - known

    def sqlite_problems(self) -> list[str]:
        """What SQLite's own integrity check says; empty when all is well."""
        rows = self._connection.execute("PRAGMA integrity_check(10)").fetchall()
        return [str(row[0]) for row in rows if row[0] != "ok"]


def _read_head(connection: sqlite3.Connection, keys: crypto.Keys, path: Path) -> Head:
    row = connection.execute(
        "SELECT store, generation, audit, prior, leaves, mac FROM head WHERE id = 1"
    ).fetchone()
    tampered = StoreTamperedError(
        f"the store was changed by somebody without its key, {path}",
        hint="`secretkit check` says where; restore a backup",
    )
    if row is None or [type(field) for field in row] != [bytes, int, *[bytes] * 4]:
        raise tampered
    store, generation, audit, prior, leaves, expected = row
    if store != keys.store_id or generation < 0:
        raise tampered
    if len(leaves) != LEAVES * crypto.DIGEST_BYTES:
        raise tampered
    head = Head(generation, audit, prior, bytearray(leaves), slots_digest(read_slots(connection)))
    if not crypto.same(head.mac(keys), expected):
        raise tampered
    return head


def slots_digest(slots: list[Slot]) -> bytes:
    """What the head's MAC covers of the slots: all of them, in order."""
    rows = [field for slot in slots for field in (slot.number, slot.header, slot.wrapped)]
    return crypto.digest(pack(*rows))


def read_slots(connection: sqlite3.Connection) -> list[Slot]:
    """The slots, unproven: what they hold is sealed, and the head's MAC covers their digest."""
    rows = connection.execute("SELECT id, header, wrapped FROM slot ORDER BY id").fetchall()
    for row in rows:
        if [type(field) for field in row] != [int, bytes, bytes]:
            raise StoreTamperedError("damaged key slot in the store")
    return [Slot(*row) for row in rows]

"""Change a store without its key, in every way: no wrong value, no traceback may come of it.

`flips`: every byte of the file, one bit each. `rows`: every row of every table deleted, given
another row's content, given its own content from every earlier moment, moved, and doubled.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from secretkit.errors import SecretkitError
from secretkit.store import Store
from secretkit.store.anchor import anchor_path

VALUES = {
    "db-password": (b"first", b"second", b"third"),
    "api-key": (b"key one", b"key two", b"key three"),
}
TABLES = {
    "record": ("box",),
    "leaf": ("box",),
    "audit": ("box", "mac"),
    "slot": ("header", "wrapped"),
    "head": ("store", "generation", "audit", "prior", "leaves", "mac"),
}


class Victim:
    """A small store with its history: a copy of the file after every write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / ".secretkit" / "store.db"
        self.moments: list[bytes] = []
        with Store.init(folder) as store:
            self._remember()
            store.add_passphrase(b"leaked passphrase")
            self._remember()
            store.remove_key(2)
            self._remember()
            for name, (first, *rest) in VALUES.items():
                # A first life with other values, so that rows of the same name and number exist.
                store.create(name, b"WRONG " + first)
                self._remember()
                store.rotate(name, b"WRONG " + rest[0])
                self._remember()
                store.remove(name)
                self._remember()
                store.create(name, first)
                self._remember()
                for value in rest:
                    store.rotate(name, value)
                    self._remember()
            store.rollback("db-password", to=2)
            self._remember()
            store.rollback("api-key", to=2)
            store.learn("api-key", 5)
            self._remember()
            store.learn("api-key", 5, b"the value of 5")
            store.stage("api-key", b"never current")
            self.anchor = anchor_path(bytes.fromhex(store.id))
        self._remember()
        self.anchored = self.anchor.read_bytes()
        self.put(self.moments[-1])
        assert self.verdict() == "harmless"  # the control: nothing was changed

    def _remember(self) -> None:
        self.moments.append(self.file.read_bytes())

    def put(self, content: bytes) -> None:
        """Place a changed file, with the anchor as it was after the last write.

        A new inode, as an attacker's copy would be; the reads of a verdict move the anchor.
        """
        self.anchor.write_bytes(self.anchored)
        self.file.unlink()
        self.file.with_name("store.db-journal").unlink(missing_ok=True)
        self.file.write_bytes(content)
        self.file.chmod(0o600)

    def verdict(self) -> str:
        """What a reader gets of the store as it is now: `harmless`, `read`, `check` or `WRONG`."""
        seen = wrong = False
        for name, values in VALUES.items():
            for number in (None, 1, 2, 3):
                current = 2
                expected = values[(number or current) - 1] if (number or 0) <= len(values) else None
                try:
                    with Store.open(self.folder) as store:
                        value = store.read(name, number)
                    wrong |= value != expected
                except SecretkitError:
                    seen |= expected is not None
        if wrong:
            return "WRONG"
        if seen:
            return "read"
        try:
            with Store.open(self.folder) as store:
                return "harmless" if store.check().ok else "check"
        except SecretkitError:
            return "check"


def flips(victim: Victim, every: int, seed: int) -> Iterator[tuple[str, str]]:
    """One bit of each `every`-th byte; yields (where, verdict)."""
    rng = random.Random(seed)
    content = victim.moments[-1]
    for at in range(seed % every, len(content), every):
        changed = bytearray(content)
        changed[at] ^= 1 << rng.randrange(8)
        victim.put(bytes(changed))
        yield f"byte {at}", victim.verdict()


def rows(victim: Victim) -> Iterator[tuple[str, str]]:
    """Every row attack; yields (what was done, verdict). None of them is harmless."""
    latest = victim.moments[-1]

    def attacked(what: str, *statements: tuple[str, tuple[object, ...]]) -> tuple[str, str]:
        victim.put(latest)
        with contextlib.closing(sqlite3.connect(victim.file)) as connection:
            for statement, arguments in statements:
                connection.execute(statement, arguments)
            connection.commit()
        return what, victim.verdict()

    with _snapshot(latest) as connection:
        now = {table: _rows(connection, table) for table in TABLES}
    past: dict[str, set[tuple[object, ...]]] = {table: set() for table in TABLES}
    for moment in victim.moments:
        with _snapshot(moment) as connection:
            for table, known in past.items():
                known.update(_rows(connection, table))
    for table, columns in TABLES.items():
        fields = ", ".join(columns)
        marks = ", ".join("?" * (len(columns) + 1))
        put = f"REPLACE INTO {table} (id, {fields}) VALUES ({marks})"  # noqa: S608 - our tables
        drop = f"DELETE FROM {table} WHERE id = ?"  # noqa: S608
        ids = [row[0] for row in now[table]]
        for row in now[table]:
            yield attacked(f"{table} {row[0]} deleted", (drop, (row[0],)))
            yield attacked(f"{table} {row[0]} doubled", (put, (999, *row[1:])))
            yield attacked(f"{table} {row[0]} moved", (drop, (row[0],)), (put, (999, *row[1:])))
            for other in now[table]:
                if other[0] < row[0]:
                    first, second = (row[0], *other[1:]), (other[0], *row[1:])
                    what = f"{table} {row[0]} and {other[0]} swapped"
                    yield attacked(what, (put, first), (put, second))
        for row in sorted(past[table] - set(now[table]), key=repr):
            action = "replayed" if row[0] in ids else "brought back"
            yield attacked(f"{table} {row[0]} {action}", (put, row))
    for age, moment in enumerate(victim.moments[:-1]):
        victim.put(moment)
        yield f"the whole store of moment {age}", victim.verdict()
        with _snapshot(moment) as connection:
            for several in (("record", "leaf"), ("record", "leaf", "head"), ("slot", "head")):
                statements: list[tuple[str, tuple[object, ...]]] = []
                for table in several:
                    marks = ", ".join("?" * (len(TABLES[table]) + 1))
                    statements.append((f"DELETE FROM {table}", ()))  # noqa: S608
                    statements += [
                        (f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608
                        for row in _rows(connection, table)
                    ]
                what = f"{' and '.join(several)} of moment {age}"
                if any(set(_rows(connection, table)) != set(now[table]) for table in several):
                    yield attacked(what, *statements)


def _rows(connection: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    columns = ", ".join(("id", *TABLES[table]))
    return connection.execute(f"SELECT {columns} FROM {table} ORDER BY id").fetchall()  # noqa: S608


@contextlib.contextmanager
def _snapshot(content: bytes) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(content)
        yield connection


@contextlib.contextmanager
def private_home() -> Iterator[Path]:
    """A folder on tmpfs with a home of its own: nothing here is about durability."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="secretkit-tampering-", dir=base))
    before = os.environ.get("XDG_CONFIG_HOME")
    os.environ["XDG_CONFIG_HOME"] = str(folder / "config")
    try:
        yield folder
    finally:
        if before is None:
            del os.environ["XDG_CONFIG_HOME"]
        else:
            os.environ["XDG_CONFIG_HOME"] = before
        shutil.rmtree(folder)


def main(argv: list[str] | None = None) -> int:
    """Both attacks on one small store; prints how each was noticed; 1 if a wrong value came."""
    parser = argparse.ArgumentParser(prog="tampering", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="flip a bit in every Nth byte only")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    failed = False
    with private_home() as home:
        folder = home / "project"
        folder.mkdir()
        victim = Victim(folder)
        size = len(victim.moments[-1])
        attacks = {
            f"one bit flipped in each of {-(-size // options.every)} bytes": flips(
                victim, options.every, options.seed
            ),
            "rows deleted, doubled, moved, swapped, replayed": rows(victim),
        }
        for title, attack in attacks.items():
            verdicts = Counter(verdict for _, verdict in attack)
            failed |= verdicts["WRONG"] > 0
            print(
                f"{title}: {verdicts.total()} attacks;"
                f" {verdicts['read']} noticed by a read, {verdicts['check']} more by check,"
                f" {verdicts['harmless']} without effect, {verdicts['WRONG']} wrong values"
            )
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())

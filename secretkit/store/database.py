"""The SQLite file: opened with the settings the promises rest on, its errors made ours."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ..errors import (
    SecretkitError,
    StoreError,
    StoreIOError,
    StoreTamperedError,
)
from . import files

STORE_FOLDER = ".secretkit"
DATABASE = "store.db"
# What a damaged file makes of a statement: sqlite3 decodes SQLite's message, which quotes the file.
FAILURES = (sqlite3.Error, UnicodeDecodeError)
# https://www.sqlite.org/fileformat.html, "The Rollback Journal"
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
APPLICATION_ID = 0x534B4954  # "SKIT", in SQLite's header at offset 68

SCHEMA = {
    "audit": "CREATE TABLE audit (id INTEGER PRIMARY KEY, box BLOB NOT NULL, mac BLOB NOT NULL)",
    "head": (
        "CREATE TABLE head (id INTEGER PRIMARY KEY, store BLOB NOT NULL,"
        " generation INTEGER NOT NULL, audit BLOB NOT NULL, prior BLOB NOT NULL,"
        " leaves BLOB NOT NULL, mac BLOB NOT NULL)"
    ),
    "leaf": "CREATE TABLE leaf (id INTEGER PRIMARY KEY, box BLOB NOT NULL)",
    "record": "CREATE TABLE record (id INTEGER PRIMARY KEY, box BLOB NOT NULL)",
    "slot": (
        "CREATE TABLE slot (id INTEGER PRIMARY KEY, header BLOB NOT NULL, wrapped BLOB NOT NULL)"
    ),
}

# Not WAL: deleted rows stay readable in the log, and SQLite 3.7.0 to 3.51.2 has the WAL-reset
# bug. PERSIST ends a commit by overwriting the journal's header, synced from FULL on: what was
# acknowledged cannot be rolled back by a journal that a power loss brought back, and no sync has to
# write the size of a file. The journal then holds pages from before; see `destroying`.
_PRAGMAS = (
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    "PRAGMA mmap_size=0",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA secure_delete=ON",
    "PRAGMA journal_mode=PERSIST",
    "PRAGMA synchronous=EXTRA",
)


def connect(path: Path) -> sqlite3.Connection:
    """A connection with all settings; raises what `translate` makes of SQLite's errors."""
    try:
        connection = sqlite3.connect(
            f"file:{_quoted(path)}?mode=rw",
            uri=True,
            timeout=files.BUSY_SECONDS,
            isolation_level=None,
            cached_statements=64,
        )
    except FAILURES as error:
        raise translate(error, path) from None
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except FAILURES as error:
        connection.close()
        raise translate(error, path) from None
    return connection


@contextlib.contextmanager
def destroying(connection: sqlite3.Connection) -> Iterator[None]:
    """For transactions after which something must be gone: their commit empties the journal."""
    connection.execute("PRAGMA journal_mode=TRUNCATE")
    try:
        yield
    finally:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("PRAGMA journal_mode=PERSIST")


def open_existing(path: Path) -> sqlite3.Connection:
    """Check the file and its journal, connect, and check that it is a store of this format."""
    try:
        files.check_private_file(path)
    except FileNotFoundError:
        raise StoreTamperedError(
            f"the store's file is gone, {path}", hint="restore a backup"
        ) from None
    check_journal(path)
    connection = connect(path)
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        schema = connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
        expected = [("table", name, sql) for name, sql in SCHEMA.items()]
        as_expected = sorted(schema, key=repr) == sorted(expected, key=repr)
        if application != APPLICATION_ID or (version == 1 and not as_expected):
            raise StoreTamperedError(f"{path} is not a store, or its tables were changed")
        if version != 1:
            raise StoreError(
                f"{path} has format {version}, this secretkit reads format 1",
                hint="use the version of secretkit that wrote it",
            )
    except FAILURES as error:
        connection.close()
        raise translate(error, path) from None
    except BaseException:
        connection.close()
        raise
    return connection


def check_journal(path: Path) -> None:
    """Raise unless the journal beside `path` is none, or one that we could have written.

    A journal that ends with the name of a super-journal makes SQLite delete the file of that
    name; ours never does, as a transaction here is in one file.
    """
    journal = path.with_name(path.name + "-journal")
    try:
        info = journal.lstat()
    except FileNotFoundError:
        return
    files.check_private_file(journal, info)
    with journal.open("rb") as file:
        file.seek(max(0, info.st_size - len(_JOURNAL_MAGIC)))
        if file.read() == _JOURNAL_MAGIC:
            raise StoreTamperedError(
                f"not a journal of ours, {journal} names another file",
                hint="somebody put it there: look at it, and restore a backup",
            )


def create(path: Path) -> sqlite3.Connection:
    """A new, empty store file, 0600 whatever the umask."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    path.chmod(0o600)
    connection = connect(path)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute("PRAGMA user_version=1")
    for statement in SCHEMA.values():
        connection.execute(statement)
    connection.execute("COMMIT")
    return connection


def translate(error: Exception, path: Path) -> SecretkitError:
    """SQLite's error as one of ours. SQLite's own messages hold no value, but are not shown."""
    name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return files.busy(path)
    if name.startswith("SQLITE_FULL"):
        return StoreIOError(
            f"no space left for the store, {path}", hint="nothing was changed; make room"
        )
    if name.startswith("SQLITE_READONLY"):
        return StoreIOError(
            f"cannot write the store, {path} is read-only",
            hint="reading a value is recorded, so it needs a writable store too",
        )
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return StoreIOError(f"the disk refused the store, {path} ({name})")
    return StoreTamperedError(
        f"the store is damaged, {path} ({name})", hint="restore a backup: secretkit restore FILE"
    )


def _quoted(path: Path) -> str:
    """A path for SQLite's URI form (https://www.sqlite.org/uri.html)."""
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")

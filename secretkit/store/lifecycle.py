"""A store's beginning, opening, copy and return: init, open, backup, restore."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import (
    ConflictError,
    NotFoundError,
    ProjectExistsError,
    SecretkitError,
    StoreError,
    StoreNotFoundError,
    StoreRolledBackError,
    StoreTamperedError,
    UsageError,
)
from . import binding, crypto, database, files, slots
from .anchor import Anchor, Mark, anchor_path
from .ledger import Ledger
from .transaction import NO_PRIOR, Transaction, read_slots, slots_digest

_BUILDING = f"{database.STORE_FOLDER}.building-"


def store_folder(folder: Path) -> Path:
    """Where the store of a project folder is."""
    return folder / database.STORE_FOLDER


def store_path(folder: Path) -> Path:
    """The SQLite file of a project folder's store."""
    return store_folder(folder) / database.DATABASE


def create(folder: Path, key_path: Path | None, passphrase: bytes | None) -> Ledger:
    """Build the store in a folder beside, then rename that to `.secretkit`: all or nothing."""
    if key_path is not None and passphrase is not None:
        raise UsageError("a store begins with a key file or with a passphrase, not with both")
    if passphrase is not None:
        slots.check_passphrase(passphrase)
    store_id = os.urandom(16)
    keys = crypto.Keys(os.urandom(crypto.KEY_BYTES), store_id)
    made = [anchor_path(store_id)]
    try:
        with _building(folder) as building:
            if os.path.lexists(store_folder(folder)):
                raise _exists(folder)
            if passphrase is None:
                key_file = slots.new_key_file(key_path or slots.default_key_path(store_id))
                made += slots.write_key_file(store_id, key_file)
                slot = slots.wrap_for_key_file(store_id, 1, key_file, keys.root)
            else:
                slot = slots.wrap_for_passphrase(store_id, 1, passphrase, keys.root)
            connection = database.create(building / database.DATABASE)
            with contextlib.closing(connection):
                connection.execute("BEGIN IMMEDIATE")
                transaction = Transaction.empty(connection, keys, NO_PRIOR)
                transaction.put_slot(slot)
                transaction.record("init")
                transaction.finish()
                connection.execute("COMMIT")
            Anchor.create(store_id, transaction.head.mark).close()
            _publish(building, folder)
            made.clear()  # from here on the store is there, and so must its key be
            binding.bind(folder, store_id)
        files.sync_folder(folder)
    except BaseException as error:
        for path in made:
            path.unlink(missing_ok=True)
        raise _translated(error, store_path(folder)) from None
    path = store_path(folder)
    return Ledger(path, keys, database.open_existing(path), transaction.head.slots)


def open_ledger(folder: Path, ask: slots.Passphrase | None) -> Ledger:
    """Open the store of `folder` with the first key in reach; proves nothing but the key yet."""
    path = store_path(folder)
    if not os.path.lexists(path.parent):
        raise StoreNotFoundError(str(folder))
    files.check_private_folder(path.parent)
    files.check_local_filesystem(path.parent)
    with files.locked(path.parent, exclusive=False):
        connection, keys, slots_ = _unlocked(path, ask)
    try:
        binding.check(folder, keys.store_id)
        return Ledger(path, keys, connection, slots_)
    except BaseException:
        connection.close()
        raise


def _unlocked(
    path: Path, ask: slots.Passphrase | None
) -> tuple[sqlite3.Connection, crypto.Keys, bytes]:
    """The open database, its keys, and the digest of the slots that they came from."""
    connection = database.open_existing(path)
    try:
        row = connection.execute("SELECT store FROM head WHERE id = 1").fetchone()
        if row is None or not isinstance(row[0], bytes) or len(row[0]) != 16:
            raise StoreTamperedError(f"the store was changed, {path}", hint="restore a backup")
        present = read_slots(connection)
        root = slots.unlock(row[0], present, ask)
        return connection, crypto.Keys(root, row[0]), slots_digest(present)
    except BaseException as error:
        connection.close()
        raise _translated(error, path) from None


def backup(ledger: Ledger, path: Path) -> None:
    """Copy with SQLite's online backup, open the copy and prove all of it, then name it."""
    if os.path.lexists(path):
        raise ConflictError(f"the file exists, {path}", hint="a backup never replaces a file")
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    with ledger.writing() as transaction:
        transaction.record("backup")
    try:
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with contextlib.closing(sqlite3.connect(temporary)) as copy:
            ledger.copy_to(copy)
        with contextlib.closing(database.open_existing(temporary)) as copy:
            _prove(Transaction.verified(copy, ledger.keys, path))
        os.link(temporary, path)  # unlike rename(2), it never replaces a file
        temporary.unlink()
        files.sync_folder(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        raise _translated(error, path) from None


def restore(
    folder: Path, backup: Path | None, accept_rollback: bool, ask: slots.Passphrase | None
) -> Ledger:
    """Prove the backup, record the restore in it, put it in place, and set the anchor to it."""
    if backup is None and not accept_rollback:
        raise UsageError(
            "nothing to restore from",
            hint="name a backup; to trust the store as it is: secretkit restore --accept-rollback",
        )
    path = store_path(folder)
    lock: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    ask = functools.cache(ask) if ask else None  # asked once, although opened twice
    if os.path.lexists(path.parent):
        files.check_private_folder(path.parent)
        lock = files.locked(path.parent, exclusive=True)
    try:
        with lock:
            store_id = _restored(folder, path, backup, accept_rollback, ask)
            binding.bind(folder, store_id)
    except (OSError, *database.FAILURES) as error:
        raise _translated(error, path) from None
    return open_ledger(folder, ask)


def _restored(
    folder: Path,
    path: Path,
    backup: Path | None,
    accept_rollback: bool,
    ask: slots.Passphrase | None,
) -> bytes:
    """Put the store in place and set its anchor; returns its id."""
    if backup is None:
        mark, keys = _accepted(path, True, "accept-rollback", ask)
    else:
        with _building(folder) as building:
            copy = building / database.DATABASE
            _copy_in(backup, copy)
            mark, keys = _accepted(copy, accept_rollback, "restore", ask)
            if os.path.lexists(path.parent):
                _replace(path, copy, keys.store_id)
            else:
                _publish(building, folder)
                files.sync_folder(folder)
    Anchor.create(keys.store_id, mark).close()
    return keys.store_id


def _accepted(
    path: Path, accept_rollback: bool, action: str, ask: slots.Passphrase | None
) -> tuple[Mark, crypto.Keys]:
    """Prove the store at `path`, hold it against the anchor, and record `action` in it."""
    connection, keys, _ = _unlocked(path, ask)
    with contextlib.closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        transaction = Transaction.verified(connection, keys, path)
        _prove(transaction)
        if not accept_rollback and anchor_path(keys.store_id).exists():
            with contextlib.closing(Anchor(keys.store_id)) as anchor:
                mark = anchor.read()
            try:
                transaction.check_anchor(path, mark)
            except StoreRolledBackError:
                raise StoreRolledBackError(
                    f"the backup is older than the store: it has {transaction.head.generation}"
                    f" audit entries, the store had {mark.generation}",
                    hint="what came after it would be lost; if that is meant: --accept-rollback",
                ) from None
        transaction.record(action)
        transaction.finish()
        connection.execute("COMMIT")
    return transaction.head.mark, keys


def _prove(transaction: Transaction) -> None:
    from . import checking

    findings = checking.prove(transaction)[1]
    if findings:
        raise StoreTamperedError(findings[0].what, hint=findings[0].hint)


def _copy_in(backup: Path, copy: Path) -> None:
    """A private copy of the backup: what is proven is then what is used."""
    try:
        fd = os.open(backup, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFoundError(f"no such backup, {backup}") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise UsageError(f"not a backup, {backup} is not a regular file")
    with os.fdopen(fd, "rb") as source:
        files.write_new(copy, b"", 0o600)
        from shutil import copyfileobj

        with copy.open("r+b") as target:
            copyfileobj(source, target)
            os.fsync(target.fileno())


def _replace(path: Path, copy: Path, store_id: bytes) -> None:
    """Copy over the store that is there, inside its own transaction, so that others see it."""
    files.check_private_folder(path.parent)
    try:
        with contextlib.closing(database.open_existing(path)) as target:
            row = target.execute("SELECT store FROM head WHERE id = 1").fetchone()
            if row is not None and row[0] != store_id:
                raise ConflictError(
                    f"the backup is of another store, {store_id.hex()}",
                    hint=f"restore it in a folder of its own, or move {path.parent} away first",
                )
            source = contextlib.closing(database.open_existing(copy))
            with source as connection, database.destroying(target):
                connection.backup(target)
    except (StoreError, *database.FAILURES):
        # Too damaged for SQLite: nobody can be using it.
        path.with_name(path.name + "-journal").unlink(missing_ok=True)
        copy.replace(path)
        files.sync_folder(path.parent)


@contextlib.contextmanager
def _building(folder: Path) -> Iterator[Path]:
    """A private folder beside the store's place, for one process at a time.

    The lock is on the project folder and ends with the process, so what lies there of earlier
    builders is of killed ones.
    """
    from shutil import rmtree

    files.check_local_filesystem(folder)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        for stale in folder.glob(f"{_BUILDING}*"):
            rmtree(stale)
        building = folder / f"{_BUILDING}{os.urandom(8).hex()}"
        files.make_private_folder(building)
        try:
            files.write_new(building / ".gitignore", b"*\n", 0o600)
            yield building
        finally:
            rmtree(building, ignore_errors=True)
    finally:
        os.close(fd)


def _publish(building: Path, folder: Path) -> None:
    final = store_folder(folder)
    files.sync_folder(building)
    building.rename(final)


def _exists(folder: Path) -> ProjectExistsError:
    return ProjectExistsError(
        f"there is a store already, {store_folder(folder)}", hint="`secretkit ls` lists its secrets"
    )


def _translated(error: BaseException, path: Path) -> BaseException:
    if isinstance(error, database.FAILURES):
        return database.translate(error, path)
    if isinstance(error, OSError) and not isinstance(error, SecretkitError):
        return files.write_error(error.filename or path, error)
    return error

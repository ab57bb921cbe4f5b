"""Several processes that replace keys or the whole store at once."""

from __future__ import annotations

import contextlib
import multiprocessing
import shutil
import sqlite3
import struct
from pathlib import Path

import pytest

from secretkit.errors import (
    ConflictError,
    SecretkitError,
    StoreRolledBackError,
    StoreTamperedError,
    UsageError,
)
from secretkit.store import Store


def _rotate_key(folder: Path) -> None:
    with contextlib.suppress(ConflictError), Store.open(folder) as store:
        store.rotate_key()


def _create(folder: Path, name: str) -> None:
    with Store.open(folder) as store:
        store.create(name, b"acknowledged")


def _restore(folder: Path, backup: Path) -> None:
    with contextlib.suppress(StoreRolledBackError):
        Store.restore(folder, backup).close()


def _together(*calls: tuple[object, ...]) -> list[int]:
    """Run each (function, arguments…) in a process of its own; their exit codes."""
    context = multiprocessing.get_context("fork")
    running = [context.Process(target=call[0], args=call[1:]) for call in calls]  # type: ignore[arg-type]
    for process in running:
        process.start()
    for process in running:
        process.join()
    return [process.exitcode or 0 for process in running]


def test_key_rotations_at_once(store: Store, project: Path, home: Path) -> None:
    """One wins or all take turns; the store opens afterwards with the key that is there."""
    store.create("large", b"x" * 300_000)
    store.close()
    for _ in range(4):
        assert _together(*[(_rotate_key, project)] * 3) == [0, 0, 0]
        with Store.open(project) as opened:
            assert opened.check().ok
            assert opened.read("large") == b"x" * 300_000
        assert sorted(path.suffix for path in home.iterdir()) == [".anchor", ".key"]


def test_a_write_during_a_restore_is_kept_or_the_restore_is_refused(
    store: Store, project: Path, tmp_path: Path
) -> None:
    """What was acknowledged is there, unless it was the restore that came first."""
    for number in range(8):
        with Store.open(project) as opened:
            backup = tmp_path / f"backup-{number}"
            opened.backup(backup)
        codes = _together((_restore, project, backup), (_create, project, f"s{number}"))
        with Store.open(project) as opened:
            assert codes[0] == 0
            assert opened.check().ok
            if codes[1] == 0:
                assert opened.read(f"s{number}") == b"acknowledged"


def test_keys_changed_under_an_open_store_are_a_conflict(store: Store, project: Path) -> None:
    """Not a forgery: an open store says that it must be opened again."""
    store.create("a", b"1")
    with Store.open(project) as other:
        store.rotate_key()
        with pytest.raises(ConflictError, match="the keys of the store were changed"):
            other.read("a")
    with Store.open(project) as other:
        other.add_passphrase(b"p")
        assert store.read("a") == b"1"


def test_a_half_written_next_key_is_passed_over(store: Store, project: Path, home: Path) -> None:
    """What a kill inside `key rotate` left does not stop the next one."""
    store.create("a", b"1")
    (home / f"{store.id}.key.next").write_bytes(b"secretkit-key-1:")
    (home / f"{store.id}.key.next").chmod(0o600)
    with Store.open(project) as opened:
        opened.rotate_key()
        assert opened.read("a") == b"1"


def test_a_key_file_that_ends_in_next_is_refused(project: Path, tmp_path: Path) -> None:
    """`key rotate` would take it for its own; nothing is made."""
    (tmp_path / "my").write_bytes(b"precious")
    with pytest.raises(UsageError, match="a key file is not called"):
        Store.init(project, key_file=tmp_path / "my.next")
    assert list(project.iterdir()) == []
    assert (tmp_path / "my").read_bytes() == b"precious"


def test_a_journal_that_names_a_file_is_refused(
    store: Store, project: Path, tmp_path: Path
) -> None:
    """SQLite would delete the file that a planted super-journal record names."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    name = str(victim).encode()
    magic = bytes.fromhex("d9d505f920a163d7")
    header = magic + struct.pack(">IIIII", 0, 1, 1, 512, 4096)
    record = struct.pack(">I", (1 << 30) // 4096 + 1) + name
    record += struct.pack(">II", len(name), sum(name) & 0xFFFFFFFF) + magic
    journal = store.path.with_name("store.db-journal")
    journal.write_bytes(header.ljust(512, b"\0") + record)
    journal.chmod(0o600)
    for act in (store.list, lambda: Store.open(project).close()):
        with pytest.raises(StoreTamperedError, match="not a journal of ours"):
            act()
    assert victim.read_bytes() == b"precious"


def test_a_trigger_with_the_name_of_a_table_is_refused(store: Store, project: Path) -> None:
    """Any object that is not one of the five tables is noticed, whatever it is called."""
    store.create("a", b"1")
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        connection.execute(
            "CREATE TRIGGER audit BEFORE DELETE ON record BEGIN"
            " INSERT INTO leaf (id, box) VALUES (1000 + OLD.id, OLD.box); END"
        )
        connection.commit()
    with pytest.raises(StoreTamperedError, match="its tables were changed"):
        Store.open(project)


def test_the_store_of_another_project_is_noticed(
    store: Store, project: Path, tmp_path: Path
) -> None:
    """Sound in itself, its key in reach, in the wrong place: refused until said to be meant."""
    store.create("a", b"ours")
    other = tmp_path / "other"
    other.mkdir()
    with Store.init(other) as opened:
        opened.create("a", b"theirs")
    shutil.rmtree(project / ".secretkit")
    shutil.copytree(other / ".secretkit", project / ".secretkit")
    with pytest.raises(StoreTamperedError, match="another store than before"):
        Store.open(project)
    with Store.restore(project, accept_rollback=True) as accepted:
        assert accepted.read("a") == b"theirs"
    Store.open(project).close()


def test_no_home(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home folder there is no place for keys: one line, nothing made."""
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "~nobody-of-that-name")
    with pytest.raises(SecretkitError):
        Store.init(project)
    assert list(project.iterdir()) == []

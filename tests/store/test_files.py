"""Stores that cannot be used as they are: each gets its own error, and nothing is changed."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from secretkit.errors import (
    ConflictError,
    NotFoundError,
    ProjectExistsError,
    StoreBusyError,
    StoreIOError,
    StoreNotFoundError,
    StorePermissionError,
    StoreRolledBackError,
    StoreTamperedError,
    UsageError,
)
from secretkit.store import Store, files
from tests.needs import need, need_root


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A small tmpfs at `folder`."""
    need_root()
    folder.mkdir(exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        check=False,
        capture_output=True,
    )
    need("root", made.returncode == 0, "needs to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_everything_is_private_whatever_the_umask(project: Path, home: Path) -> None:
    """0600 in 0700 with a umask that would open all of it, and with one that would close it."""
    for umask in (0, 0o777):
        folder = project / f"{umask:o}"
        folder.mkdir()
        before = os.umask(umask)
        try:
            with Store.init(folder) as store:
                store.create("a", b"1")
        finally:
            os.umask(before)
        modes = {p.name: p.stat().st_mode & 0o777 for p in (folder / ".secretkit").iterdir()}
        assert modes == {"store.db": 0o600, "store.db-journal": 0o600, ".gitignore": 0o600}
        assert (folder / ".secretkit").stat().st_mode & 0o777 == 0o700
        assert (home / f"{store.id}.anchor").stat().st_mode & 0o777 == 0o600


def test_git_ignores_the_store(store: Store, project: Path) -> None:
    """The store's folder ignores itself."""
    assert (project / ".secretkit" / ".gitignore").read_bytes() == b"*\n"


def test_no_project(tmp_path: Path) -> None:
    """A folder without a store says how to make one."""
    with pytest.raises(StoreNotFoundError, match="there is no store yet in") as caught:
        Store.open(tmp_path)
    assert caught.value.hint is not None
    assert "`secretkit init` makes an empty one" in caught.value.hint


def test_second_init(store: Store, project: Path, home: Path) -> None:
    """A second init is refused and leaves store, key and anchor as they are."""
    before = sorted(path.name for path in home.iterdir())
    with pytest.raises(ProjectExistsError, match="there is a store already"):
        Store.init(project)
    assert sorted(path.name for path in home.iterdir()) == before


def test_inits_at_once(project: Path, home: Path) -> None:
    """Of eight inits at the same moment one succeeds; no key of the others stays behind."""
    outcomes: list[str] = []
    gate = threading.Barrier(8)

    def init() -> None:
        gate.wait()
        try:
            Store.init(project).close()
            outcomes.append("made")
        except ProjectExistsError:
            outcomes.append("refused")

    threads = [threading.Thread(target=init) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made"] + ["refused"] * 7
    assert sorted(path.suffix for path in home.iterdir()) == [".anchor", ".key"]
    assert [path.name for path in project.iterdir()] == [".secretkit"]
    with Store.open(project) as store:
        assert store.check().ok


@pytest.mark.parametrize("part", ["store.db", "."])
def test_symlinks_are_refused(store: Store, project: Path, part: str) -> None:
    """Neither the folder nor the file may be a link, also to the real one."""
    path = (project / ".secretkit" / part).resolve()
    moved = path.rename(project / "elsewhere")
    path.symlink_to(moved)
    with pytest.raises(StorePermissionError, match="is a symbolic link"):
        Store.open(project)


def test_open_to_others(store: Store, project: Path) -> None:
    """World- or group-readable files are refused with the command that mends them."""
    for path, bad, good in ((store.path, 0o644, "600"), (store.path.parent, 0o750, "700")):
        before = path.stat().st_mode
        path.chmod(bad)
        with pytest.raises(StorePermissionError, match=f"is open to others, mode {bad:04o}") as e:
            Store.open(project)
        assert e.value.hint == f"chmod {good} {path}"
        path.chmod(before)


def test_hard_links_and_other_files(store: Store, project: Path, tmp_path: Path) -> None:
    """A second name for the file, or something that is no file, is refused."""
    os.link(store.path, tmp_path / "second name")
    with pytest.raises(StorePermissionError, match="has 2 hard links"):
        Store.open(project)
    store.path.unlink()
    os.mkfifo(store.path, 0o600)
    with pytest.raises(StorePermissionError, match="is not a regular file"):
        Store.open(project)
    store.path.unlink()
    with pytest.raises(StoreTamperedError, match="the store's file is gone"):
        Store.open(project)


def test_foreign_owner(store: Store, project: Path) -> None:
    """A store of another user is refused, also for root."""
    need_root()
    os.chown(store.path, 12345, -1)
    with pytest.raises(StorePermissionError, match="belongs to uid 12345, you are uid 0") as raised:
        Store.open(project)
    assert raised.value.hint == (
        f"run secretkit as uid 12345; if it is to be yours: chown -R 0 {store.path}"
    )


def test_network_filesystems(store: Store, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The filesystem that the kernel names for the store is looked up; network ones are refused."""
    kind = subprocess.run(
        ["stat", "-f", "-c", "%T", str(project)], capture_output=True, text=True, check=True
    ).stdout.strip()
    own = {"ext2/ext3": "ext4", "overlayfs": "overlay"}.get(kind, kind)
    monkeypatch.setattr(files, "NETWORK_FILESYSTEMS", frozenset({own}))
    with pytest.raises(StorePermissionError, match=f"on a network filesystem, {own}"):
        Store.open(project)
    with pytest.raises(StorePermissionError, match="on a network filesystem"):
        Store.init(project / "..")


def test_read_only_disk(tmp_path: Path) -> None:
    """Reads of values need a writable store, because they are recorded; listing does not."""
    with mounted(tmp_path / "disk", "size=2m,mode=700") as disk:
        with Store.init(disk) as store:
            store.create("a", b"1")
        (disk / "sub").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with Store.open(disk) as store:
            assert [secret.name for secret in store.list()] == ["a"]
            for act in (lambda: store.read("a"), lambda: store.rotate("a", b"2")):
                with pytest.raises(StoreIOError, match="cannot write the store, .* is read-only"):
                    act()
        with pytest.raises(StoreIOError, match="cannot write .*: read-only file system"):
            Store.init(disk / "sub")


def test_full_disk(tmp_path: Path) -> None:
    """A write that does not fit is refused; what was there before is there after."""
    with mounted(tmp_path / "disk", "size=400k,mode=700") as disk:
        with Store.init(disk) as store:
            store.create("a", b"1")
            with pytest.raises(StoreIOError, match="no space left for the store"):
                for number in range(100):
                    store.rotate("a", b"%d" % number * 20_000)
            assert store.check().ok
            current = store.get("a").current
        (disk / "ballast").write_bytes(b"")
        with Store.open(disk) as store:
            assert store.get("a").current == current


def test_busy(store: Store, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process's lock is waited for, then named."""
    monkeypatch.setattr(files, "BUSY_SECONDS", 0.2)
    with Store.open(project) as waiting, store._ledger.writing() as transaction:
        transaction.record("read")
        with pytest.raises(StoreBusyError, match="another process held the store"):
            waiting.create("a", b"1")
    assert store.check().ok


def test_an_older_copy_is_noticed(store: Store, project: Path, tmp_path: Path) -> None:
    """The whole folder put back as it was: refused, with the way out; and the way out works."""
    store.create("a", b"1")
    shutil.copytree(project / ".secretkit", tmp_path / "older")
    store.rotate("a", b"2")
    store.close()
    shutil.rmtree(project / ".secretkit")
    shutil.copytree(tmp_path / "older", project / ".secretkit")
    with (
        Store.open(project) as opened,
        pytest.raises(StoreRolledBackError, match="is at generation 2, its anchor at 3"),
    ):
        opened.read("a")
    with pytest.raises(UsageError, match="nothing to restore from"):
        Store.restore(project)
    with Store.restore(project, accept_rollback=True) as accepted:
        assert accepted.read("a") == b"1"
        assert [entry.action for entry in accepted.audit()][-2:] == ["accept-rollback", "read"]


def test_a_lost_or_damaged_anchor_is_noticed(store: Store, project: Path, home: Path) -> None:
    """Without its anchor a store is not trusted, unless somebody says so."""
    store.create("a", b"1")
    store.close()
    (anchor,) = home.glob("*.anchor")
    good = anchor.read_bytes()
    for bad in (good[:40], good.replace(b"anchor-1", b"anchor-2"), good + b"x", b""):
        anchor.write_bytes(bad)
        with (
            Store.open(project) as opened,
            pytest.raises(StoreRolledBackError, match="damaged anchor"),
        ):
            opened.read("a")
    anchor.unlink()
    with pytest.raises(StoreRolledBackError, match="no anchor for this store"):
        Store.open(project)
    with Store.restore(project, accept_rollback=True) as accepted:
        assert accepted.read("a") == b"1"


def test_an_anchor_that_lags_is_accepted(store: Store, project: Path, home: Path) -> None:
    """A crash between commit and anchor leaves the anchor behind: the chain still contains it."""
    (anchor,) = home.glob("*.anchor")
    store.create("a", b"1")
    for act in (lambda: store.rotate("a", b"2"), store.rotate_key):
        before = anchor.read_bytes()
        act()
        anchor.write_bytes(before)
        with Store.open(project) as opened:
            assert opened.read("a") == b"2"


def test_backup_and_restore(store: Store, project: Path, tmp_path: Path) -> None:
    """A backup is a whole store without its key; older than the store, it takes a word to use."""
    store.create("a", b"1")
    backup = tmp_path / "backup.db"
    store.backup(backup)
    assert backup.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConflictError, match="the file exists"):
        store.backup(backup)
    store.rotate("a", b"2")
    with pytest.raises(StoreRolledBackError, match="3 audit entries, the store had 4"):
        Store.restore(project, backup)
    assert store.read("a") == b"2"
    Store.restore(project, backup, accept_rollback=True).close()
    with Store.open(project) as restored:
        assert restored.read("a") == b"1"
        assert restored.check().ok
        assert [entry.action for entry in restored.audit()][-2:] == ["restore", "read"]


def test_restore_where_there_is_no_store(store: Store, project: Path, tmp_path: Path) -> None:
    """A lost project folder comes back from a backup and the key."""
    store.create("a", b"1")
    store.backup(tmp_path / "backup.db")
    store.close()
    shutil.rmtree(project / ".secretkit")
    with Store.restore(project, tmp_path / "backup.db") as restored:
        assert restored.read("a") == b"1"


def test_restore_over_a_damaged_store(store: Store, project: Path, tmp_path: Path) -> None:
    """A store that SQLite cannot read any more is replaced."""
    store.create("a", b"1")
    store.backup(tmp_path / "backup.db")
    store.close()
    damaged = bytearray(store.path.read_bytes())
    damaged[:4096] = os.urandom(4096)
    store.path.write_bytes(damaged)
    with pytest.raises(StoreTamperedError, match="the store is damaged"):
        Store.open(project)
    with Store.restore(project, tmp_path / "backup.db") as restored:
        assert restored.read("a") == b"1"


def test_restore_refuses_what_is_not_a_backup_of_this(
    store: Store, project: Path, tmp_path: Path
) -> None:
    """No file, another kind of file, a changed backup, another store's: nothing is changed."""
    store.create("a", b"1")
    backup = tmp_path / "backup.db"
    store.backup(backup)
    with pytest.raises(NotFoundError, match="no such backup"):
        Store.restore(project, tmp_path / "none")
    with pytest.raises(UsageError, match="is not a regular file"):
        Store.restore(project, tmp_path)
    (tmp_path / "text").write_bytes(b"hello\n" * 1000)
    with pytest.raises(StoreTamperedError, match="the store is damaged"):
        Store.restore(project, tmp_path / "text", accept_rollback=True)
    with contextlib.closing(sqlite3.connect(backup)) as changed:
        changed.execute("UPDATE record SET box = zeroblob(200) WHERE id = 2")
        changed.commit()
    with pytest.raises(StoreTamperedError, match="a v1: a row of the store was changed"):
        Store.restore(project, backup, accept_rollback=True)
    (tmp_path / "other").mkdir()
    with Store.init(tmp_path / "other") as other:
        other.backup(tmp_path / "other.db")
    with pytest.raises(ConflictError, match="the backup is of another store"):
        Store.restore(project, tmp_path / "other.db", accept_rollback=True)
    assert store.read("a") == b"1"
    assert store.check().ok


def test_killed_inits_leave_nothing_that_stays(project: Path) -> None:
    """What a killed init left is removed by the next one; that of a running one is not."""
    (project / ".secretkit.building-0123").mkdir(mode=0o700)
    (project / ".secretkit.building-0123" / "store.db").write_bytes(b"half")
    Store.init(project).close()
    assert [path.name for path in project.iterdir()] == [".secretkit"]


def test_a_schema_that_is_not_text(store: Store, project: Path) -> None:
    """SQLite's message would quote the damaged file; neither it nor a traceback comes out."""
    store.close()
    content = store.path.read_bytes()
    assert content.count(b"CREATE TABLE audit") == 1
    for damage in (b"\xc1REATE TABLE audit", b"CREATE\xffTABLE audit", b"CREATE TABLE audi\xf4"):
        store.path.write_bytes(content.replace(b"CREATE TABLE audit", damage))
        with pytest.raises(StoreTamperedError):
            Store.open(project)

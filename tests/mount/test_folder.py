"""Dev folders from Python: without the command line, at any moment killed, and fast."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from secretkit import mount
from secretkit.errors import ConflictError
from secretkit.mount import Settings
from secretkit.store import NewSecret, Store


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A private XDG_RUNTIME_DIR on tmpfs, and a config folder."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with tempfile.TemporaryDirectory(prefix="secretkit-test-", dir="/dev/shm") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "project").mkdir()
    with Store.init(tmp_path / "project") as store:
        yield store


def test_up_refresh_down(store: Store) -> None:
    """The whole life of a folder, through the public functions."""
    store.create("a", b"1")
    store.create("b", b"2")
    path = store.folder / "dev"
    folder = mount.up(store.folder, path, store=store)
    assert folder.is_up
    assert dict(folder.versions) == {"a": 1, "b": 1}
    store.rotate("a", b"3")
    assert [one.state for one in folder.states(store)] == ["behind", "same"]
    assert mount.refresh(store) == (folder,)
    assert dict(folder.versions) == {"a": 2, "b": 1}
    assert mount.locate(store.folder, path) == folder
    assert mount.folders(store.folder) == (folder,)
    assert mount.down(store.folder) == (folder,)
    assert mount.down(store.folder) == ()
    assert mount.refresh(store) == ()
    assert not os.path.lexists(path)


def test_only_what_changed_is_read_and_written(store: Store) -> None:
    """A refresh touches the files of changed secrets only; the others keep their inode."""
    for name in ("a", "b"):
        store.create(name, b"1")
    folder = mount.up(store.folder, store.folder / "dev", store=store)
    inodes = {name: (folder.place / name).stat().st_ino for name in ("a", "b")}
    reads = sum(entry.action == "mount" for entry in store.audit())
    store.rotate("a", b"2")
    mount.refresh(store)
    assert (folder.place / "a").stat().st_ino != inodes["a"]
    assert (folder.place / "b").stat().st_ino == inodes["b"]
    assert sum(entry.action == "mount" for entry in store.audit()) == reads + 1


def test_two_hundred_secrets_are_written_in_one_go(store: Store) -> None:
    """200 secrets cost a fraction of a second: one transaction, no wait for a disk in between."""
    store.create_many([NewSecret(f"secret-{n}", b"x" * 32) for n in range(200)])
    start = time.perf_counter()
    folder = mount.up(store.folder, store.folder / "dev", store=store)
    assert time.perf_counter() - start < 2
    assert len(list(folder.place.iterdir())) == 200


def test_killed_at_any_moment(store: Store, memory: Path) -> None:
    """After a SIGKILL during `up` the next `up` repairs, and `down` leaves nothing."""
    store.create_many([NewSecret(f"secret-{n}", bytes([n]) * 50) for n in range(40)])
    code = (
        "import sys; from pathlib import Path; from secretkit import mount\n"
        "from secretkit.store import Store\n"
        "with Store.open(sys.argv[1]) as store:\n"
        "    print('ready', flush=True)\n"
        "    mount.up(store.folder, store.folder / 'dev', store=store)\n"
    )
    for step in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(store.folder)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(step * 0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        folder = mount.up(store.folder, store.folder / "dev", store=store)
        assert {p.name: p.read_bytes() for p in folder.place.iterdir()} == {
            f"secret-{n}": bytes([n]) * 50 for n in range(40)
        }
        mount.down(store.folder)
        assert [path for path in memory.rglob("*") if path.is_file()] == []


def test_changes_from_several_processes(store: Store) -> None:
    """Rotations at once from four processes: the folder ends at the store's current versions."""
    for name in "abcd":
        store.create(name, b"0")
    mount.up(store.folder, store.folder / "dev", store=store)
    code = (
        "import sys; from secretkit import mount; from secretkit.store import Store\n"
        "with Store.open(sys.argv[1]) as store:\n"
        "    for n in range(10):\n"
        "        store.rotate(sys.argv[2], str(n).encode()); mount.refresh(store)\n"
    )
    words = [sys.executable, "-c", code, str(store.folder)]
    processes = [subprocess.Popen([*words, name]) for name in "abcd"]
    assert [process.wait() for process in processes] == [0] * 4
    (folder,) = mount.folders(store.folder)
    assert {path.name: path.read_bytes() for path in folder.place.iterdir()} == dict.fromkeys(
        "abcd", b"9"
    )
    assert {one.state for one in folder.states(store)} == {"same"}


def test_a_planted_record_wipes_nothing(store: Store, tmp_path: Path) -> None:
    """A record that names a folder which secretkit did not make is not believed."""
    victim = tmp_path / "victim"
    (victim / "secrets").mkdir(parents=True)
    (victim / "secrets" / "kept").write_text("x")
    store.create("a", b"1")
    folder = mount.up(store.folder, store.folder / "dev", store=store)
    (pointer,) = (tmp_path / "config" / "secretkit" / "dev").rglob("*.json")
    pointer.write_text(pointer.read_text().replace(str(folder.home), str(victim)))
    assert mount.folders(store.folder) == ()
    mount.down(store.folder)
    assert (victim / "secrets" / "kept").exists()


def test_a_damaged_record_is_passed_over(store: Store, tmp_path: Path) -> None:
    """Nonsense in a record is no traceback; what is at DIR is then not ours."""
    store.create("a", b"1")
    folder = mount.up(store.folder, store.folder / "dev", store=store)
    (pointer,) = (tmp_path / "config" / "secretkit" / "dev").rglob("*.json")
    for text in ("", "[]", "{}", '{"folder": 1, "home": null, "mode": "x"}', "\xff"):
        pointer.write_text(text, encoding="latin-1")
        assert mount.folders(store.folder) == ()
        with pytest.raises(ConflictError):
            mount.up(store.folder, folder.path, store=store)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "[" * 100_000,
        '{"../../victim": [1, 0, 0, 0]}',
        '{"/etc/passwd": [1, 0, 0, 0]}',
        '{"a": [1, 0, 0]}',
        '{"a": [true, 0, 0, 0]}',
        '{"a": "1234"}',
    ],
)
def test_malformed_entries_are_none(store: Store, tmp_path: Path, text: str) -> None:
    """Entries of another shape, or names that no secret has, count as nothing recorded."""
    (tmp_path / "victim").write_text("kept")
    store.create("a", b"1")
    folder = mount.up(store.folder, store.folder / "dev", Settings(on_disk=True), store=store)
    (record,) = (tmp_path / "config" / "secretkit" / "dev").rglob("*.files")
    record.write_text(text)
    assert dict(folder.versions) == {}
    assert mount.refresh(store) == (folder,)
    mount.down(store.folder)
    assert (tmp_path / "victim").read_text() == "kept"
    assert [path.name for path in sorted(folder.path.iterdir())] == [".gitignore", "a"]


def test_a_record_with_another_mode_is_passed_over(store: Store, tmp_path: Path) -> None:
    """No file is ever made setuid: a mode above 0777 is not believed."""
    mount.up(store.folder, store.folder / "dev", store=store)
    (pointer,) = (tmp_path / "config" / "secretkit" / "dev").rglob("*.json")
    pointer.write_text(pointer.read_text().replace("0444", "4444"))
    assert mount.folders(store.folder) == ()

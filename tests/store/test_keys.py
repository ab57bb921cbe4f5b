"""Slots: key files, passphrases, credentials; adding, dropping and rotating keys."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from secretkit.errors import (
    ConflictError,
    NotFoundError,
    StoreKeyError,
    StorePermissionError,
    StoreTamperedError,
    UsageError,
)
from secretkit.store import Store, slots
from secretkit.store.codec import pack


def key_path(keys: Path) -> Path:
    (path,) = keys.glob("*.key")
    return path


def test_the_key_is_outside_the_project_and_private(store: Store, home: Path) -> None:
    """The default key is <store-id>.key, 0400 in 0700, and opens the store without a question."""
    path = home / f"{store.id}.key"
    assert (path.stat().st_mode & 0o7777, home.stat().st_mode & 0o7777) == (0o400, 0o700)
    assert [(slot.number, slot.kind) for slot in store.keys()] == [(1, "key-file")]


def test_missing_wrong_and_damaged_keys(store: Store, project: Path, home: Path) -> None:
    """Each is told apart, names the file, and says what to do; nothing is read."""
    path = key_path(home)
    good = path.read_bytes()
    path.unlink()
    with pytest.raises(StoreKeyError, match="no key for this store") as missing:
        Store.open(project)
    assert missing.value.hint is not None
    assert "SECRETKIT_KEY_FILE" in missing.value.hint
    (project / "other").mkdir()
    Store.init(project / "other", key_file=path).close()
    with pytest.raises(StoreKeyError, match="wrong key, .* does not open this store"):
        Store.open(project)
    path.unlink()
    for damaged in (
        good[:-10],
        b"",
        b"\xff\0",
        good.replace(b"key-1", b"key-2"),
        good[:-3] + b"!\n",
    ):
        path.write_bytes(damaged)
        path.chmod(0o400)
        with pytest.raises(StoreKeyError, match="is not a secretkit key file, or is damaged"):
            Store.open(project)
        path.unlink()
    # The right slot, another key: what a flipped bit in the key would be.
    mark, uid, _ = good.split(b":")
    path.write_bytes(b":".join((mark, uid, b"A" * 43 + b"=\n")))
    path.chmod(0o400)
    with pytest.raises(StoreKeyError, match="does not open slot 1"):
        Store.open(project)


def test_unsafe_key_files_are_refused(store: Store, project: Path, home: Path) -> None:
    """A key that others can read is not used, and the remedy is one command."""
    path = key_path(home)
    path.chmod(0o440)
    with pytest.raises(StorePermissionError, match="is open to others, mode 0440") as caught:
        Store.open(project)
    assert caught.value.hint == f"chmod 600 {path}"


def test_a_chosen_key_file(project: Path, tmp_path: Path, home: Path) -> None:
    """`init --key-file` puts the key there, and a link to it where keys are looked for."""
    chosen = tmp_path / "stick" / "my.key"
    chosen.parent.mkdir()
    with Store.init(project, key_file=chosen) as store:
        store.create("a", b"1")
    assert key_path(home).readlink() == chosen
    with Store.open(project) as store:
        assert store.read("a") == b"1"
        store.rotate_key()
        assert store.read("a") == b"1"
    assert chosen.stat().st_mode & 0o777 == 0o400
    with Store.open(project) as store:
        assert store.read("a") == b"1"
    with pytest.raises(ConflictError, match="the key file exists"):
        Store.init(tmp_path, key_file=chosen)


def test_passphrase(
    project: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store without a key file opens with its passphrase, asked for or from a file."""
    Store.init(project, passphrase=b"correct horse").close()
    assert list(home.glob("*.key")) == []
    with pytest.raises(StoreKeyError, match="the store needs its passphrase"):
        Store.open(project)
    with pytest.raises(StoreKeyError, match="wrong key, the passphrase does not open slot 1"):
        Store.open(project, passphrase=lambda: b"wrong")
    with Store.open(project, passphrase=lambda: b"correct horse") as store:
        store.create("a", b"1")
    (tmp_path / "pass").write_bytes(b"correct horse\n")
    monkeypatch.setenv("SECRETKIT_PASSPHRASE_FILE", str(tmp_path / "pass"))
    with Store.open(project) as store:
        assert store.read("a") == b"1"
    for bad in (b"", b"x" * 1025):
        with pytest.raises(UsageError, match="the passphrase is"):
            Store.init(tmp_path, passphrase=bad)


def test_argon2_bounds_are_checked_before_deriving() -> None:
    """A header that asks for too little or too much is refused without doing the work."""
    for cost in ((1, 4, 65536), (3, 4, 1024), (11, 4, 65536), (3, 17, 65536), (3, 4, 1 << 21)):
        header = pack("passphrase", b"u" * 8, 1, b"s" * 16, *cost)
        with pytest.raises(StoreTamperedError, match="outside the allowed bounds"):
            slots.open_with_passphrase(b"i" * 16, slots.Slot(1, header, b"x" * 120), b"p")


def test_credentials_directory(
    store: Store, project: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key handed over by systemd opens the store, also read-only and readable by the group."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    with pytest.raises(NotFoundError, match=r"no credential, secretkit\.key is not in"):
        store.add_credential()
    store.add_key_file(credentials / "secretkit.key")
    store.remove_key(1)
    (credentials / "secretkit.key").chmod(0o440)
    key_path(home).unlink()
    with Store.open(project) as opened:
        opened.create("a", b"1")
        assert [slot.number for slot in opened.keys()] == [2]


def test_slots_are_added_and_dropped(store: Store, project: Path, tmp_path: Path) -> None:
    """Any slot opens the store; the last one stays; a dropped one opens it no more."""
    store.create("a", b"1")
    store.add_passphrase(b"second way")
    with Store.open(project, passphrase=lambda: b"not needed") as opened:
        assert opened.read("a") == b"1"
    store.remove_key(1)
    with pytest.raises(ConflictError, match="key 2 is the last one"):
        store.remove_key(2)
    with pytest.raises(NotFoundError, match="no such key, 7"):
        store.remove_key(7)
    with pytest.raises(StoreKeyError, match="wrong key"):
        Store.open(project)
    with Store.open(project, passphrase=lambda: b"second way") as opened:
        assert [entry.action for entry in opened.audit()] == [
            *("init", "create", "key-add", "read", "key-rm"),
        ]


def test_key_rotate_seals_everything_anew(store: Store, project: Path, home: Path) -> None:
    """Every row changes, every value stays, the previous key opens nothing any more."""
    for number in range(3):
        store.create(f"s{number}", b"value %d" % number, labels={"n": str(number)})
        store.rotate(f"s{number}", b"next %d" % number)
    before, key_before = store.path.read_bytes(), key_path(home).read_bytes()
    listed, history = store.list(), list(store.audit())
    steps: list[tuple[int, int]] = []
    store.rotate_key(progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (6, 9)
    assert store.list() == listed
    assert list(store.audit())[:-1] == history
    assert [bytes(store.read(f"s{n}", 1)) for n in range(3)] == [b"value 0", b"value 1", b"value 2"]
    assert store.check().ok
    after = store.path.read_bytes()
    sealed = [before[at : at + 32] for at in range(4096, len(before), 32)]
    assert not [box for box in sealed if bytes(4) not in box and box in after]
    key = key_path(home)
    assert key.read_bytes() != key_before
    key.unlink()
    key.write_bytes(key_before)
    key.chmod(0o400)
    with pytest.raises(StoreKeyError, match="wrong key"):
        Store.open(project)


def test_key_rotate_locks_nobody_out(store: Store, home: Path, tmp_path: Path) -> None:
    """A slot whose key is not in reach stops the rotation before anything is changed."""
    elsewhere = tmp_path / "second.key"
    store.add_key_file(elsewhere)
    moved = elsewhere.rename(tmp_path / "on another machine")
    before = store.path.read_bytes(), key_path(home).read_bytes()
    with pytest.raises(ConflictError, match=r"key 2 \(key-file\) is not in reach") as caught:
        store.rotate_key()
    assert caught.value.hint is not None
    assert "secretkit key rm 2" in caught.value.hint
    assert (store.path.read_bytes(), key_path(home).read_bytes()) == before
    os.environ["SECRETKIT_KEY_FILE"] = str(moved)
    try:
        store.rotate_key()
    finally:
        del os.environ["SECRETKIT_KEY_FILE"]
    assert store.check().ok


def test_key_rotate_with_a_passphrase(store: Store, project: Path) -> None:
    """A passphrase slot goes along; a wrong passphrase stops it."""
    store.add_passphrase(b"p")
    with pytest.raises(StoreKeyError, match="the passphrase does not open slot 2"):
        store.rotate_key(lambda: b"wrong")
    store.rotate_key(lambda: b"p")
    store.remove_key(1)
    with Store.open(project, passphrase=lambda: b"p") as opened:
        assert opened.check().ok


def test_a_key_that_cannot_be_put_in_place_is_used_where_it_lies(
    store: Store, project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rotation is committed then; a failing rename changes nothing of that."""

    def refuse(path: Path, target: Path) -> Path:
        raise OSError(errno.EIO, "injected", str(path), None, str(target))

    store.create("a", b"1")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuse)
        store.rotate_key()
        with Store.open(project) as opened:
            assert opened.read("a") == b"1"
    assert sorted(path.suffix for path in home.iterdir()) == [".anchor", ".key", ".next"]
    Store.open(project).close()
    assert sorted(path.suffix for path in home.iterdir()) == [".anchor", ".key"]


def test_an_interrupted_key_rotate_is_completed(store: Store, project: Path, home: Path) -> None:
    """After the commit the next key waits as .next; opening the store puts it in place."""
    key = key_path(home)
    before = key.read_bytes()
    store.rotate_key()
    after = key.read_bytes()
    key.rename(key.with_name(key.name + ".next"))
    key.write_bytes(before)
    key.chmod(0o400)
    with Store.open(project) as opened:
        assert opened.check().ok
    assert key.read_bytes() == after
    assert sorted(path.suffix for path in home.iterdir()) == [".anchor", ".key"]
    # Before the commit it is rubbish, and does no harm.
    shutil.copy(key, key.with_name(key.name + ".next"))
    with Store.open(project) as opened:
        opened.rotate_key()
        assert opened.check().ok

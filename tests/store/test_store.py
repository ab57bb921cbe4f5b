"""Secrets and their versions through the public API."""

from __future__ import annotations

import copy
import os
import pickle
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secretkit.errors import (
    InvalidNameError,
    InvalidValueError,
    SecretExistsError,
    SecretInUseError,
    SecretNotFoundError,
    UsageError,
    VersionNotFoundError,
)
from secretkit.naming import VALUE_LENGTH
from secretkit.store import NewSecret, Store


def test_create_rotate_read(store: Store) -> None:
    """A value comes back byte for byte, the current one by default, any version by number."""
    assert store.create("db-password", b"\0first\xff\n").number == 1
    assert store.rotate("db-password", b"second").number == 2
    assert store.read("db-password") == b"second"
    assert store.read("db-password", 1) == b"\0first\xff\n"
    assert [(v.number, v.size, v.source) for v in store.history("db-password")] == [
        (1, 8, "given"),
        (2, 6, "given"),
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(values=st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=4))
def test_any_bytes_come_back(store: Store, values: list[bytes]) -> None:
    """Every value of every length is kept exactly, also those that look like padding."""
    name = f"s{os.urandom(6).hex()}"
    store.create(name, values[0])
    for value in values[1:]:
        store.rotate(name, value)
    assert [bytes(store.read(name, n + 1)) for n in range(len(values))] == values


def test_largest_value(store: Store) -> None:
    """511 999 bytes are taken, one more is refused and leaves nothing behind."""
    store.create("large", b"x" * VALUE_LENGTH)
    assert len(store.read("large")) == VALUE_LENGTH
    with pytest.raises(InvalidValueError, match="512000 bytes, at most 511999"):
        store.create("larger", b"x" * (VALUE_LENGTH + 1))
    with pytest.raises(InvalidValueError, match="it is empty"):
        store.create("empty", b"")
    assert [secret.name for secret in store.list()] == ["large"]


def test_create_many_is_all_or_nothing(store: Store) -> None:
    """One name that exists keeps the others from being made."""
    store.create("b", b"1")
    with pytest.raises(SecretExistsError, match="secret exists, b"):
        store.create_many([NewSecret("a", b"1"), NewSecret("b", b"2")])
    assert [secret.name for secret in store.list()] == ["b"]
    with pytest.raises(InvalidNameError):
        store.create_many([NewSecret("c", b"1"), NewSecret("d-v2", b"2")])
    assert [secret.name for secret in store.list()] == ["b"]


def test_rollback_moves_the_pointer_only(store: Store) -> None:
    """Rollback makes an earlier version current; the next rotation takes the next number."""
    store.create("a", b"1")
    store.rotate("a", b"2")
    store.rotate("a", b"3")
    assert store.rollback("a").number == 2
    assert store.rollback("a").number == 1
    with pytest.raises(VersionNotFoundError, match="no such version, a before v1"):
        store.rollback("a")
    assert store.rollback("a", to=3).number == 3
    store.rollback("a", to=1)
    assert store.rotate("a", b"4").number == 4
    assert [bytes(store.read("a", n)) for n in (1, 2, 3, 4)] == [b"1", b"2", b"3", b"4"]


def test_prune_keeps_the_newest_and_the_used(store: Store) -> None:
    """Prune never destroys the current version, nor one that is in use."""
    store.create("a", b"1")
    for number in range(2, 8):
        store.rotate("a", str(number).encode())
    store.rollback("a", to=2)
    assert store.prune("a", keep=2, in_use=[4]) == (1, 3, 5)
    assert store.get("a").versions == (2, 4, 6, 7)
    with pytest.raises(VersionNotFoundError, match="no such version, a v5"):
        store.read("a", 5)
    with pytest.raises(UsageError, match="at least one version"):
        store.prune("a", keep=0)


def test_destroyed_versions_leave_nothing(store: Store) -> None:
    """Not even the ciphertext of a pruned or removed version stays in the store's files."""
    store.create("a", b"1" * 3000)
    store.create("b", b"2" * 3000)
    for number in range(6):
        store.rotate("a", b"%d" % number * 3000)
    with sqlite3.connect(store.path) as connection:
        before = [row[0] for row in connection.execute("SELECT box FROM record")]
    store.prune("a", keep=1)
    store.remove("b")
    connection.close()
    with sqlite3.connect(store.path) as connection:
        kept = {row[0] for row in connection.execute("SELECT box FROM record")}
    connection.close()
    left = b"".join(path.read_bytes() for path in store.path.parent.iterdir())
    gone = [box for box in before if box not in kept]
    assert len(gone) >= 8
    pieces = [box[at : at + 32] for box in gone for at in range(0, len(box) - 32, 32)]
    assert [piece for piece in pieces if piece in left] == []


def test_numbers_are_not_used_again(store: Store) -> None:
    """After a version is removed, its number stays taken."""
    store.create("a", b"1")
    store.rotate("a", b"2")
    store.rollback("a")
    store.remove("a", 2)
    assert store.rotate("a", b"3").number == 3
    with pytest.raises(SecretInUseError, match="version in use, a v3 is the current one"):
        store.remove("a", 3)


def test_remove_and_create_again(store: Store) -> None:
    """A removed secret is gone with all versions; its name is free."""
    store.create("a", b"1", labels={"team": "web"}, generator="hex:32")
    assert (store.get("a").labels, store.get("a").generator) == ({"team": "web"}, "hex:32")
    store.remove("a")
    with pytest.raises(SecretNotFoundError):
        store.read("a")
    store.create("a", b"again")
    assert (store.read("a"), store.get("a").versions) == (b"again", (1,))
    assert store.check().ok


def test_unknown_names_suggest_a_near_one(store: Store) -> None:
    """A typo is answered with the name that was probably meant."""
    store.create("db-password", b"1")
    with pytest.raises(SecretNotFoundError, match="no such secret, db-pasword") as caught:
        store.read("db-pasword")
    assert caught.value.hint == "did you mean db-password?"


def test_read_all_is_one_transaction(store: Store) -> None:
    """All current values by name, each recorded under the action it was read for."""
    for name in ("a", "b", "c"):
        store.create(name, name.encode())
    assert store.read_all(["a", "c"], action="dev-up") == {"a": b"a", "c": b"c"}
    assert list(store.read_all()) == ["a", "b", "c"]
    assert [(e.action, e.name) for e in store.audit()][-5:] == [
        ("dev-up", "a"),
        ("dev-up", "c"),
        ("read", "a"),
        ("read", "b"),
        ("read", "c"),
    ]


def test_a_read_is_recorded_before_it_is_shown(store: Store) -> None:
    """The audit log names who read which version and when, never a value."""
    store.create("a", b"canary-value")
    store.read("a")
    entries = list(store.audit())
    assert [(e.number, e.action, e.name, e.version) for e in entries] == [
        (1, "init", None, None),
        (2, "create", "a", 1),
        (3, "read", "a", 1),
    ]
    assert {e.uid for e in entries} == {os.getuid()}
    assert "canary" not in repr(entries)


def test_values_do_not_show_themselves(store: Store) -> None:
    """A value has no readable repr, is not formatted, pickled or copied, and compares as bytes."""
    store.create("db-password", b"canary")
    value = store.read("db-password")
    assert (repr(value), str(value), f"{value!r}") == ("<secret db-password v1>",) * 3
    with pytest.raises(TypeError, match="cannot be formatted"):
        f"{value}"
    for leak in (pickle.dumps, copy.deepcopy, copy.copy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            leak(value)
    assert value == b"canary"
    assert value != b"other"
    assert {b"canary": 1}[value] == 1


def test_stores_do_not_cross_threads_or_forks(store: Store) -> None:
    """A connection used in another thread or after a fork is refused, not corrupted."""
    caught: list[BaseException] = []

    def use() -> None:
        try:
            store.list()
        except UsageError as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert len(caught) == 1
    child = os.fork()
    if child == 0:
        use()
        os._exit(len(caught))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2


def test_open_finds_the_store_of_a_folder(store: Store, project: Path) -> None:
    """Two connections to one store see each other's commits."""
    store.create("a", b"1")
    with Store.open(project) as other:
        assert other.id == store.id
        other.rotate("a", b"2")
    assert store.read("a") == b"2"

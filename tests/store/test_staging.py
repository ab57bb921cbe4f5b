"""Versions that are not current yet, versions of unknown value, and fingerprints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from secretkit.errors import (
    ConflictError,
    InvalidNameError,
    InvalidValueError,
    SecretInUseError,
    SecretNotFoundError,
    UnknownValueError,
    UsageError,
    VersionNotFoundError,
)
from secretkit.store import Store


def acts(store: Store) -> list[tuple[str, str | None, int | None]]:
    """The audit log since `init`."""
    return [(entry.action, entry.name, entry.version) for entry in store.audit()][1:]


def test_a_staged_version_is_not_current(store: Store) -> None:
    """It has a number and a value, and the current version stays what it was until it is made."""
    store.create("a", b"1")
    assert store.stage("a", b"2", source="hex:32") == store.history("a")[1]
    assert (store.get("a").current, store.get("a").staged) == (1, (2,))
    assert (store.read("a"), store.read("a", 2)) == (b"1", b"2")
    assert store.make_current("a", 2, "rotate").source == "hex:32"
    assert (store.get("a").current, store.get("a").staged) == (2, ())
    assert store.read("a") == b"2"
    assert acts(store) == [
        *[("create", "a", 1), ("stage", "a", 2), ("read", "a", 1), ("read", "a", 2)],
        *[("rotate", "a", 2), ("read", "a", 2)],
    ]
    assert store.check().findings == ()


def test_staging_again(store: Store) -> None:
    """The same value for a number is fine and recorded once; another is a conflict."""
    store.create("a", b"1")
    first = store.stage("a", b"2", 2)
    assert store.stage("a", b"2", 2) == first
    assert store.stage("a", b"1", 1).number == 1
    with pytest.raises(ConflictError, match="^version exists with another value, a v2$") as caught:
        store.stage("a", b"other", 2)
    assert caught.value.hint == "the next one is v3"
    assert acts(store) == [("create", "a", 1), ("stage", "a", 2)]


def test_numbers_may_be_left_out_and_never_come_again(store: Store) -> None:
    """A number above what an engine knows is taken; one that was given before is refused."""
    store.create("a", b"1")
    assert store.stage("a", b"5", 5).number == 5
    assert store.get("a").versions == (1, 5)
    for number in (2, 4):
        with pytest.raises(ConflictError, match=f"^number was used before, a v{number}$"):
            store.stage("a", b"x", number)
    store.destroy("a", [5])
    with pytest.raises(ConflictError, match="^number was used before, a v5$"):
        store.stage("a", b"5", 5)
    assert (store.stage("a", b"6").number, store.rotate("a", b"7").number) == (6, 7)


def test_what_cannot_be_staged(store: Store) -> None:
    """An unknown secret, an empty value, a number that no object name could hold."""
    with pytest.raises(SecretNotFoundError):
        store.stage("a", b"1")
    store.create("a" * 58, b"1")
    with pytest.raises(InvalidValueError, match="it is empty"):
        store.stage("a" * 58, b"")
    with pytest.raises(InvalidNameError, match="its version 123456 would need 66 characters"):
        store.stage("a" * 58, b"2", 123456)
    assert store.get("a" * 58).versions == (1,)


def test_previous_is_one_that_was_current(store: Store) -> None:
    """After a rotation that failed, going back means the version before, not the failed one."""
    store.create("a", b"1")
    store.stage("a", b"failed")
    store.make_current("a", store.stage("a", b"3").number, "rotate")
    assert (store.get("a").current, store.get("a").previous) == (3, 1)
    assert store.rollback("a").number == 1


def test_prune_drops_what_failed_and_keeps_what_is_on_its_way(store: Store) -> None:
    """Versions that never were current do not count as the newest; one above the current stays."""
    store.create("a", b"1")
    store.rotate("a", b"2")
    store.stage("a", b"failed")
    store.rotate("a", b"4")
    store.stage("a", b"on its way")
    assert store.get("a").staged == (3, 5)
    assert store.prune("a", keep=2) == (1, 3)
    assert store.get("a").versions == (2, 4, 5)
    assert store.get("a").staged == (5,)


def test_make_current_again_is_not_recorded(store: Store) -> None:
    """A rotation that is resumed after its commit commits once."""
    store.create("a", b"1")
    store.stage("a", b"2")
    assert store.make_current("a", 2, "rotate") == store.make_current("a", 2, "rotate")
    assert acts(store) == [("create", "a", 1), ("stage", "a", 2), ("rotate", "a", 2)]
    with pytest.raises(VersionNotFoundError, match="^no such version, a v3$"):
        store.make_current("a", 3, "rotate")


def test_destroy_is_all_or_nothing(store: Store) -> None:
    """One version that is current or not there keeps the others."""
    store.create("a", b"1")
    store.rotate("a", b"2")
    store.rotate("a", b"3")
    with pytest.raises(SecretInUseError, match="^version in use, a v3 is the current one$"):
        store.destroy("a", [1, 3])
    with pytest.raises(VersionNotFoundError, match="^no such version, a v9$"):
        store.destroy("a", [1, 9])
    assert store.get("a").versions == (1, 2, 3)
    store.destroy("a", [1, 2], "prune")
    assert acts(store)[-2:] == [("prune", "a", 1), ("prune", "a", 2)]


def test_a_version_of_unknown_value(store: Store) -> None:
    """It is there with its number; no reader ever gets its bytes, and no read is recorded."""
    store.create("a", b"1")
    store.create("b", b"b")
    learned = store.learn("a", 3)
    assert (learned.is_known, learned.size, learned.source) == (False, 0, "engine")
    assert (store.get("a").current, store.get("a").versions, store.get("a").staged) == (
        *(1, (1, 3)),
        (),
    )
    assert [version.is_known for version in store.history("a")] == [True, False]
    store.make_current("a", 3, "rotate")
    before = acts(store)
    for read in (
        lambda: store.read("a"),
        lambda: store.read("a", 3),
        store.read_all,
        lambda: store.read_all(["b", "a"]),
    ):
        with pytest.raises(UnknownValueError) as caught:
            read()
        assert str(caught.value) == ("value unknown, a v3 was made by somebody else in the engine")
        assert "secretkit adopt a --value FILE" in (caught.value.hint or "")
    assert acts(store) == before
    assert (store.read("a", 1), store.rotate("a", b"4").number) == (b"1", 4)
    assert (store.get("a").previous, store.check().ok, store.check().unknown) == (3, True, 1)


def test_learning_a_secret_that_is_not_there(store: Store) -> None:
    """The secret is made with that version, current; with or without its value."""
    store.learn("a", 1)
    store.learn("b", 7, b"seven")
    assert (store.get("a").current, store.get("a").versions) == (1, (1,))
    assert (store.read("b"), store.get("b").versions, store.history("b")[0].source) == (
        *(b"seven", (7,)),
        "given",
    )
    assert acts(store)[:2] == [("learn", "a", 1), ("learn", "b", 7)]
    with pytest.raises(InvalidNameError):
        store.learn("a-v2", 1)
    with pytest.raises(UsageError, match="^a version has a number from 1, not 0$"):
        store.learn("a", 0)


def test_learning_the_value_later(store: Store) -> None:
    """An unknown value can be given, once; what is known is never changed by learning."""
    store.learn("a", 1)
    assert store.learn("a", 1).is_known is False
    store.learn("a", 1, b"one")
    assert store.read("a") == b"one"
    assert store.learn("a", 1).is_known is True
    assert store.learn("a", 1, b"one").size == 3
    with pytest.raises(ConflictError, match="^version exists with another value, a v1$"):
        store.learn("a", 1, b"two")
    assert [act[0] for act in acts(store)] == ["learn", "learn", "read"]


def test_learning_a_gap(store: Store) -> None:
    """Versions of somebody else may lie between and below ours; numbers go on above all."""
    store.create("a", b"1")
    store.stage("a", b"6", 6)
    for number in (4, 3, 5):
        store.learn("a", number)
    assert (store.get("a").versions, store.get("a").staged) == ((1, 3, 4, 5, 6), (6,))
    assert store.stage("a", b"7").number == 7


def test_fingerprints(store: Store, tmp_path: Path) -> None:
    """Equal for equal values of one secret, and otherwise for name, value, store and key."""
    one = store.fingerprint("a", b"value")
    assert re.fullmatch("[0-9a-f]{16}:[0-9a-f]{64}", one)
    assert store.fingerprint("a", b"value") == one
    (tmp_path / "other").mkdir()
    with Store.init(tmp_path / "other") as other:
        others = [
            *(store.fingerprint("b", b"value"), store.fingerprint("a", b"valuf")),
            *(store.fingerprint("av", b"alue"), other.fingerprint("a", b"value")),
        ]
    store.rotate_key()
    others.append(store.fingerprint("a", b"value"))
    assert len({one, *others}) == 6
    assert [each.partition(":")[0] == one.partition(":")[0] for each in others] == [
        *(True, True, True),
        *(False, False),
    ]


def test_staged_and_unknown_survive_a_new_key_and_a_backup(store: Store, tmp_path: Path) -> None:
    """`key rotate`, `backup` and `restore` carry both as they are."""
    store.create("a", b"1")
    store.stage("a", b"2")
    store.learn("a", 3)
    store.rotate_key()
    store.backup(tmp_path / "backup")
    folder = store.folder
    store.close()
    with Store.restore(folder, tmp_path / "backup", accept_rollback=True) as restored:
        assert (restored.get("a").staged, restored.check().unknown) == ((2,), 1)
        assert restored.read("a", 2) == b"2"
        with pytest.raises(UnknownValueError):
            restored.read("a", 3)

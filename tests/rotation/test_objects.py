"""Labels and names: which object is which version of what."""

from __future__ import annotations

import pytest

from secretkit import naming
from secretkit.rotation import objects
from tests.engines.memory import MemorySwarm


def labels(name: str, number: int) -> dict[str, str]:
    """The labels of an object that secretkit makes."""
    return objects.labels(name, number, fingerprint="key:hash")


def test_labels_say_what_there_is_to_say() -> None:
    """Name, version, fingerprint and author always; store and rotation where there is one."""
    made = objects.labels("a", 2, fingerprint="key:hash", store="5" * 32, rotation="r1")
    assert made == {
        "secretkit.name": "a",
        "secretkit.version": "2",
        "secretkit.rotation": "r1",
        "secretkit.fingerprint": "key:hash",
        "secretkit.store": "5" * 32,
        "secretkit.by": objects.author(),
    }
    assert set(made) - set(labels("a", 2)) == {"secretkit.rotation", "secretkit.store"}


@pytest.mark.parametrize("number", [1, 2, 10, 9999])
def test_parse_is_the_reverse_of_object_name(number: int) -> None:
    """Every object name leads back to its secret and version."""
    assert objects.parse(naming.object_name("db-password", number)) == ("db-password", number)


@pytest.mark.parametrize("name", ["db-v1", "db-v0", "db-v02", "v2", "-v2", "a-vx"])
def test_what_is_no_version_is_a_name(name: str) -> None:
    """A suffix that secretkit would not write belongs to the name."""
    assert objects.parse(name) == (name, 1)


def test_versions_are_found_by_label_or_exact_name() -> None:
    """Not by a common beginning; labels win over names, and an object's own name over another's."""
    swarm = MemorySwarm()
    swarm.create("secret", "db", b"1", {"theirs": "kept"})
    swarm.create("secret", "db-v2", b"2", labels("db", 2))
    swarm.create("secret", "called-otherwise", b"3", labels("db", 3))
    swarm.create("secret", "also-v2", b"x", labels("db", 2))
    swarm.create("secret", "db-v4", b"4", labels("other", 1))
    swarm.create("secret", "db-password", b"5", {})
    swarm.create("secret", "db-v5", b"5", {"secretkit.name": "db", "secretkit.version": "five"})
    swarm.create("config", "db-v6", b"6", labels("db", 6))
    found = objects.versions_of(swarm, "secret", "db")
    assert {number: one.name for number, one in found.items()} == {
        **{1: "db", 2: "db-v2", 3: "called-otherwise"},
        **{5: "db-v5"},
    }
    assert objects.versions_of(swarm, "secret", "none") == {}


def test_another_stack_has_a_version_s_name() -> None:
    """It is no version of what is ours or known; the stack's own ones are, and version 1 is."""
    swarm = MemorySwarm()
    shop, other = ({objects.NAMESPACE: stack} for stack in ("shop", "other"))
    for name, said in {
        **{"db": shop, "db-v2": shop, "db-v3": other, "db-v4": {}},
        **{"key": labels("key", 1), "key-v2": other},
        **{"alone-v2": other, "new": {}, "new-v2": shop},
    }.items():
        swarm.create("secret", name, b"x", said)
    assert [*objects.versions_of(swarm, "secret", "db")] == [1, 2, 4]
    assert [*objects.versions_of(swarm, "secret", "key")] == [1]
    assert [*objects.versions_of(swarm, "secret", "new")] == [1, 2]
    assert [*objects.versions_of(swarm, "secret", "alone")] == [2]
    found = swarm.objects("secret")
    assert "alone" not in objects.by_name(found, ["alone"])
    assert objects.taken(found, "db") == {1, 2, 3, 4}


def test_fingerprints_differ_only_under_one_key() -> None:
    """Two under different keys, or one that is not there, tell nothing."""
    assert objects.is_other("k:1", "k:2") is True
    for one, another in (("k:1", "k:1"), ("k:1", "l:2"), ("", "k:1"), ("k:1", "")):
        assert objects.is_other(one, another) is False

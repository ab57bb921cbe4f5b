"""One contract for both who know versions: the store, and an engine with its configs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secretkit.errors import (
    ConflictError,
    InvalidValueError,
    SecretNotFoundError,
    UnknownValueError,
    VersionNotFoundError,
)
from secretkit.naming import CONFIG_LENGTH
from secretkit.rotation import objects
from secretkit.rotation.versions import ConfigVersions, StoreVersions, Versions
from secretkit.store import Store
from tests.engines.memory import MemorySwarm

Begin = Callable[[str, bytes], Versions]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store with keys of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with Store.init(tmp_path) as opened:
        yield opened


@pytest.fixture
def swarm() -> MemorySwarm:
    return MemorySwarm()


@pytest.fixture(params=["secret", "config"])
def begin(request: pytest.FixtureRequest, store: Store, swarm: MemorySwarm) -> Begin:
    """Makes version 1, current."""

    def make(name: str, content: bytes) -> Versions:
        if request.param == "secret":
            store.create(name, content)
            return StoreVersions(store)
        versions = ConfigVersions(swarm)
        versions.stage(name, 1, content, "given")
        versions.commit(name, 1, "rotate")
        return versions

    return make


def test_stage_and_commit(begin: Begin) -> None:
    """A staged version is there with its content, and current only once it is committed."""
    versions = begin("app.conf", b"one")
    versions.stage("app.conf", 2, b"two", "given")
    assert (versions.current("app.conf"), versions.numbers("app.conf")) == (1, (1, 2))
    assert [versions.content("app.conf", number) for number in (1, 2)] == [b"one", b"two"]
    versions.commit("app.conf", 2, "rotate")
    versions.commit("app.conf", 2, "rotate")
    assert (versions.current("app.conf"), versions.previous("app.conf")) == (2, 1)
    versions.commit("app.conf", 1, "rollback")
    assert (versions.current("app.conf"), versions.previous("app.conf")) == (1, None)


def test_staging_again(begin: Begin) -> None:
    """The same content is fine; another is a conflict, and nothing changes."""
    versions = begin("a", b"one")
    versions.stage("a", 4, b"four", "given")
    versions.stage("a", 4, b"four", "given")
    with pytest.raises(ConflictError, match="exists with another"):
        versions.stage("a", 4, b"other", "given")
    assert (versions.numbers("a"), versions.content("a", 4)) == ((1, 4), b"four")


def test_what_failed_is_neither_previous_nor_newest(begin: Begin) -> None:
    """A version that never was current is passed over by rollback, and pruned first."""
    versions = begin("a", b"1")
    versions.stage("a", 2, b"failed", "given")
    versions.stage("a", 3, b"3", "given")
    versions.commit("a", 3, "rotate")
    versions.stage("a", 4, b"on its way", "given")
    assert (versions.previous("a"), versions.beyond("a", 2), versions.beyond("a", 1)) == (
        *(1, (2,)),
        (1, 2),
    )


def test_what_is_not_there(begin: Begin) -> None:
    """A name and a version that are not there are said to be so."""
    versions = begin("a", b"1")
    for look in (versions.current, versions.numbers, versions.previous):
        with pytest.raises(SecretNotFoundError, match="no such (secret|config), b"):
            look("b")
    with pytest.raises(VersionNotFoundError, match="^no such version, a v2$"):
        versions.content("a", 2)
    with pytest.raises(VersionNotFoundError, match="^no such version, a v2$"):
        versions.commit("a", 2, "rotate")


def test_fingerprints_are_of_one_key(begin: Begin) -> None:
    """Equal contents have equal fingerprints, other contents have others that compare."""
    versions = begin("a", b"1")
    one, other = versions.fingerprint("a", b"1"), versions.fingerprint("a", b"2")
    assert one == versions.fingerprint("a", b"1")
    assert objects.is_other(one, other) is True


def test_a_learned_secret_has_no_content(store: Store) -> None:
    """What somebody else made is known by number alone."""
    versions = StoreVersions(store)
    versions.learn("a", 3)
    assert (versions.current("a"), versions.numbers("a")) == (3, (3,))
    with pytest.raises(UnknownValueError):
        versions.content("a", 3)


def test_configs_are_in_the_engine_alone(swarm: MemorySwarm) -> None:
    """Another operator, without anything of ours, reads the same; their labels stay."""
    first, second = ConfigVersions(swarm), ConfigVersions(swarm)
    first.stage("a", 1, b"1", "given")
    assert second.current("a") is None
    first.commit("a", 1, "rotate")
    second.stage("a", 2, b"2", "given")
    second.commit("a", 2, "rotate")
    assert (first.current("a"), first.previous("a")) == (2, 1)
    one = swarm.find("config", "a-v2")
    assert one is not None
    assert one.labels == {
        **{"secretkit.name": "a", "secretkit.version": "2", "secretkit.current": "2"},
        "secretkit.fingerprint": first.fingerprint("a", b"2"),
        "secretkit.by": objects.author(),
    }


def test_a_config_that_was_there_before_us(swarm: MemorySwarm) -> None:
    """It is version 1, current until a rotation makes the next one so, and then the previous."""
    swarm.create("config", "a", b"theirs", {"team": "web"})
    versions = ConfigVersions(swarm)
    assert (versions.current("a"), versions.content("a", 1)) == (1, b"theirs")
    versions.stage("a", 2, b"ours", "given")
    assert (versions.current("a"), versions.previous("a")) == (1, None)
    versions.commit("a", 2, "rotate")
    assert (versions.current("a"), versions.previous("a")) == (2, 1)


def test_the_size_of_a_config(swarm: MemorySwarm) -> None:
    """Up to 1 023 999 bytes; more, or nothing, is refused before the engine is asked."""
    versions = ConfigVersions(swarm)
    versions.stage("a", 1, b"x" * CONFIG_LENGTH, "given")
    for content, message in ((b"", "it is empty"), (b"x" * (CONFIG_LENGTH + 1), "1024000 bytes")):
        with pytest.raises(InvalidValueError, match=message):
            versions.stage("a", 2, content, "given")
    assert swarm.calls["create"] == 1

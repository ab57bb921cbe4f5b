"""Objects outside a rotation: push, adopt, uses, prune, remove."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from secretkit.errors import (
    ConflictError,
    InvalidNameError,
    ObjectNotFoundError,
    OutOfSequenceError,
    RotationInProgressError,
    SecretInUseError,
    SecretNotFoundError,
    UnknownValueError,
    UsageError,
    VersionNotFoundError,
)
from secretkit.rotation import journal, objects, rotate, usage
from secretkit.rotation.versions import ConfigVersions, StoreVersions
from secretkit.store import Store
from tests.engines.memory import MemorySwarm


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty store with keys of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with Store.init(tmp_path) as opened:
        yield opened


@pytest.fixture
def versions(store: Store) -> StoreVersions:
    return StoreVersions(store)


@pytest.fixture
def swarm() -> MemorySwarm:
    return MemorySwarm()


def names(swarm: MemorySwarm) -> list[str]:
    """The secrets in the engine."""
    return [one.name for one in swarm.objects("secret")]


def labels_of(swarm: MemorySwarm, name: str) -> dict[str, str]:
    """The labels of a secret in the engine."""
    found = swarm.find("secret", name)
    assert found is not None
    return dict(found.labels)


def under_way(swarm: MemorySwarm, name: str, after: int) -> None:
    """Somebody has begun a rotation."""
    begun = journal.draft("secret", name, "rotate", after - 1, after)
    swarm.create("config", journal.journal_name("secret", name), b"x", journal._labels(begun))


def swap(swarm: MemorySwarm, service: str, name: str) -> None:
    """Gives a service another object under the same targets."""
    found = swarm.find("secret", name)
    assert found is not None

    def change(spec: dict[str, object]) -> None:
        for use in spec["TaskTemplate"]["ContainerSpec"]["Secrets"]:  # type: ignore[index]
            use |= {"SecretID": found.id, "SecretName": found.name}

    swarm.edit(service, change)
    swarm.settle()


# -- push -------------------------------------------------------------------------------------


def test_push_creates_the_current_version(
    store: Store, versions: StoreVersions, swarm: MemorySwarm
) -> None:
    """Under its object name, with labels that say what it is, and only once."""
    store.create("db", b"1")
    store.rotate("db", b"2")
    store.stage("db", b"3")
    made = usage.push(versions, swarm, "db")
    assert (names(swarm), made.name) == (["db-v2"], "db-v2")
    assert dict(made.labels) == {
        "secretkit.name": "db",
        "secretkit.version": "2",
        "secretkit.fingerprint": store.fingerprint("db", b"2"),
        "secretkit.store": store.id,
        "secretkit.by": objects.author(),
    }
    assert usage.push(versions, swarm, "db") == made
    assert swarm.calls["update"] == swarm.calls["relabel"] == 0


def test_push_after_the_answer_was_lost(
    store: Store, versions: StoreVersions, swarm: MemorySwarm
) -> None:
    """The engine has created it and did not answer: pushing again finds it."""
    store.create("db", b"1")
    swarm.fail("create", ConnectionError(), after=True)
    with pytest.raises(ConnectionError):
        usage.push(versions, swarm, "db")
    assert usage.push(versions, swarm, "db").name == "db"


def test_push_after_a_new_key(store: Store, versions: StoreVersions, swarm: MemorySwarm) -> None:
    """Fingerprints under two keys do not contradict each other."""
    store.create("db", b"1")
    made = usage.push(versions, swarm, "db")
    store.rotate_key()
    assert usage.push(versions, swarm, "db") == made


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"secretkit.name": ""}, "was not made by secretkit"),
        ({"secretkit.version": "7"}, "is v7 of db"),
        ({"secretkit.store": "0" * 32}, "was made from another store, by ann@laptop"),
        ({"secretkit.fingerprint": "other"}, "has another content"),
    ],
)
def test_push_refuses_what_is_something_else(
    change: dict[str, str],
    what: str,
    store: Store,
    versions: StoreVersions,
    swarm: MemorySwarm,
) -> None:
    """Not ours, another version, another store, another value: said, with the way out."""
    store.create("db", b"1")
    if "secretkit.fingerprint" in change:
        change = {"secretkit.fingerprint": store.fingerprint("db", b"not 1")}
    labels = objects.labels("db", 1, fingerprint=store.fingerprint("db", b"1"), store=store.id)
    labels |= {"secretkit.by": "ann@laptop", **change}
    swarm.create("secret", "db", b"x", {key: text for key, text in labels.items() if text})
    with pytest.raises(ConflictError) as caught:
        usage.push(versions, swarm, "db")
    assert str(caught.value) == f"secret exists in swarm, db {what}"
    assert "secretkit rotate db" in (caught.value.hint or "")


def test_push_of_an_unknown_value(versions: StoreVersions, swarm: MemorySwarm) -> None:
    """There is nothing to push."""
    versions.learn("db", 1)
    with pytest.raises(UnknownValueError):
        usage.push(versions, swarm, "db")
    assert names(swarm) == []


# -- adopt ------------------------------------------------------------------------------------


def test_adopt_without_a_value(store: Store, versions: StoreVersions, swarm: MemorySwarm) -> None:
    """Version 1 of unknown value; the object keeps its own labels and says what it is."""
    swarm.create("secret", "db", b"1", {"team": "web"})
    assert usage.adopt(versions, swarm, "db", None) == ("db", 1, (1,), False)
    assert labels_of(swarm, "db") == {
        **{"team": "web", "secretkit.name": "db", "secretkit.version": "1"},
        "secretkit.by": objects.author(),
    }
    assert (store.get("db").current, store.history("db")[0].is_known) == (1, False)


def test_adopt_with_a_value(store: Store, versions: StoreVersions, swarm: MemorySwarm) -> None:
    """The store has it, and the object says which store that is."""
    swarm.create("secret", "db", b"1", {})
    assert usage.adopt(versions, swarm, "db", b"1") == ("db", 1, (1,), True)
    assert (store.read("db"), usage.push(versions, swarm, "db").name) == (b"1", "db")
    assert labels_of(swarm, "db")["secretkit.store"] == store.id


def test_adopt_takes_what_services_use(
    store: Store, versions: StoreVersions, swarm: MemorySwarm
) -> None:
    """Several versions of somebody else: the one in use is current, the others are there."""
    for number in (1, 2, 3):
        labels = objects.labels("db", number, fingerprint="k:1", store="0" * 32)
        swarm.create("secret", "db" if number == 1 else f"db-v{number}", b"x", labels)
    swarm.deploy("web", "db-v2")
    before = labels_of(swarm, "db-v2")
    assert usage.adopt(versions, swarm, "db", None) == ("db", 2, (1, 2, 3), False)
    assert (store.get("db").current, store.get("db").previous) == (2, 1)
    assert labels_of(swarm, "db-v2") == before


def test_the_value_can_be_given_later(
    store: Store, versions: StoreVersions, swarm: MemorySwarm
) -> None:
    """Adopting once more with a value gives it; after that the secret is known."""
    swarm.create("secret", "db", b"1", {})
    usage.adopt(versions, swarm, "db", None)
    usage.adopt(versions, swarm, "db", b"1")
    assert store.read("db") == b"1"
    for content in (None, b"1", b"2"):
        with pytest.raises(ConflictError, match="^secret is known already, db v1$"):
            usage.adopt(versions, swarm, "db", content)


def test_adopt_refuses(store: Store, versions: StoreVersions, swarm: MemorySwarm) -> None:
    """A name that is known, that the engine does not have, that is no name; nothing is changed."""
    store.create("known", b"1")
    swarm.create("secret", "known", b"1", {})
    with pytest.raises(ConflictError, match="^secret is known already, known v1$"):
        usage.adopt(versions, swarm, "known", None)
    with pytest.raises(ObjectNotFoundError, match="^no such secret in swarm, none$"):
        usage.adopt(versions, swarm, "none", None)
    with pytest.raises(InvalidNameError, match="it looks like the object name of a version"):
        usage.adopt(versions, swarm, "db-v2", None)
    assert swarm.calls["relabel"] == 0
    assert [secret.name for secret in store.list()] == ["known"]


def test_adopt_checks_a_fingerprint(
    store: Store, versions: StoreVersions, swarm: MemorySwarm
) -> None:
    """What our own store made once, and has lost since, is only adopted with its own value."""
    store.create("db", b"1")
    usage.push(versions, swarm, "db")
    store.remove("db")
    with pytest.raises(ConflictError, match="^not the value of db in swarm$"):
        usage.adopt(versions, swarm, "db", b"2")
    assert usage.adopt(versions, swarm, "db", b"1").is_known is True


def test_two_adopt_at_once(versions: StoreVersions, swarm: MemorySwarm) -> None:
    """The second is refused by the engine, and its store knows nothing; again, it adopts."""
    swarm.create("secret", "db", b"1", {})
    found = swarm.find("secret", "db")
    assert found is not None
    swarm.meddle("relabel", lambda: swarm.relabel(found, {"secretkit.name": "db"}))
    with pytest.raises(OutOfSequenceError):
        usage.adopt(versions, swarm, "db", None)
    with pytest.raises(SecretNotFoundError):
        versions.current("db")
    assert usage.adopt(versions, swarm, "db", None).versions == (1,)


def test_adopt_goes_on_after_a_crash(versions: StoreVersions, swarm: MemorySwarm) -> None:
    """Labelled, and not yet in the store: adopting again ends it."""
    swarm.create("secret", "db", b"1", objects.labels("db", 1, fingerprint=""))
    assert usage.adopt(versions, swarm, "db", b"1") == ("db", 1, (1,), True)


def test_adopt_configs(swarm: MemorySwarm) -> None:
    """Their contents are known; what is used is current, what was before can be gone back to."""
    for name in ("app.conf", "app.conf-v2"):
        swarm.create("config", name, name.encode(), {})
    swarm.deploy("web", "app.conf-v2")
    versions = ConfigVersions(swarm)
    with pytest.raises(UsageError, match="a config's content is in the engine"):
        usage.adopt(versions, swarm, "app.conf", b"x")
    assert usage.adopt(versions, swarm, "app.conf", None) == ("app.conf", 2, (1, 2), True)
    assert (versions.current("app.conf"), versions.previous("app.conf")) == (2, 1)
    with pytest.raises(ConflictError, match="^config is known already, app.conf$"):
        usage.adopt(versions, swarm, "app.conf", None)


def test_another_stack_s_config_is_none_of_ours(swarm: MemorySwarm) -> None:
    """One that is called like the next version: neither adopted nor rotated; its number is left."""
    other = {objects.NAMESPACE: "other"}
    versions = ConfigVersions(swarm)
    versions.begin("conf", b"1", "given")
    swarm.create("config", "conf-v2", b"theirs", other)
    swarm.create("config", "alien-v2", b"theirs", other)
    swarm.create("config", "plain", b"p", {objects.NAMESPACE: "shop"})
    swarm.create("config", "plain-v2", b"theirs", other)
    assert (versions.numbers("conf"), versions.current("conf")) == ((1,), 1)
    with pytest.raises(ConflictError, match="^config is known already, conf$"):
        usage.adopt(versions, swarm, "conf", None)
    assert rotate(versions, swarm, "conf", b"2").current == 3
    assert usage.adopt(versions, swarm, "plain", None).versions == (1,)
    assert usage.adopt(versions, swarm, "alien", None).versions == (2,)
    found = swarm.find("config", "conf-v2")
    assert found is not None and found.labels == other


# -- uses -------------------------------------------------------------------------------------


def test_uses(store: Store, versions: StoreVersions, swarm: MemorySwarm) -> None:
    """Every service and target, with its tasks; what is not ours only if it is asked for."""
    store.create("db", b"1")
    usage.push(versions, swarm, "db")
    swarm.create("secret", "theirs", b"x", {})
    swarm.deploy("web", ("db", "db"), ("db", "other"), replicas=3)
    swarm.deploy("agent", "db", mode="Global", replicas=None)
    swarm.deploy("idle", "db", replicas=0)
    swarm.deploy("alone", "theirs")
    swarm.settle()
    found = usage.uses(swarm, currents={"db": 1})
    assert [(use.service, use.target, use.ready, use.wanted, use.drift) for use in found] == [
        ("agent", "db", 1, 1, ()),
        ("idle", "db", 0, 0, ()),
        ("web", "db", 3, 3, ()),
        ("web", "other", 3, 3, ()),
    ]
    assert {(use.name, use.object_name, use.version, use.by) for use in found} == {
        ("db", "db", 1, objects.author())
    }
    assert [(use.service, use.drift) for use in usage.uses(swarm, name="theirs")] == [
        ("alone", ("not made by secretkit",))
    ]
    assert usage.uses(swarm, name="none") == ()


def test_drift(store: Store, versions: StoreVersions, swarm: MemorySwarm) -> None:
    """Another version than the current one, several at once, a rotation under way: each is said."""
    store.create("db", b"1")
    usage.push(versions, swarm, "db")
    store.rotate("db", b"2")
    usage.push(versions, swarm, "db")
    swarm.deploy("behind", "db")
    swarm.deploy("mixed", ("db", "a"), ("db-v2", "b"))
    swarm.deploy("right", "db-v2")
    swarm.settle()
    drift = {(use.service, use.target): use.drift for use in usage.uses(swarm, currents={"db": 2})}
    assert drift == {
        ("behind", "db"): ("v2 is current",),
        ("mixed", "a"): ("v2 is current", "uses several versions, v1, v2"),
        ("mixed", "b"): ("uses several versions, v1, v2",),
        ("right", "db-v2"): (),
    }
    under_way(swarm, "db", 3)
    found = usage.uses(swarm, currents={"db": 2})
    assert {use.drift[-1] for use in found} == {"a rotation to v3 is under way"}


def test_tasks_that_lag_behind(store: Store, versions: StoreVersions, swarm: MemorySwarm) -> None:
    """During an update, and when one has stalled, it is said which versions tasks still run on."""
    store.create("db", b"1")
    usage.push(versions, swarm, "db")
    swarm.deploy("web", "db", replicas=2)
    swarm.settle()
    store.rotate("db", b"2")
    made = usage.push(versions, swarm, "db")
    swarm.stall("web", after=1)

    def change(spec: dict[str, object]) -> None:
        for use in spec["TaskTemplate"]["ContainerSpec"]["Secrets"]:  # type: ignore[index]
            use |= {"SecretID": made.id, "SecretName": made.name}

    swarm.edit("web", change)
    swarm.sleep(120)
    (use,) = usage.uses(swarm, currents={"db": 2})
    assert (use.version, use.ready, use.wanted, use.state) == (2, 1, 2, "updating")
    assert use.drift == ("tasks still on v1",)


def test_uses_asks_the_engine_a_fixed_number_of_times(
    store: Store, versions: StoreVersions, swarm: MemorySwarm
) -> None:
    """However many services there are."""
    store.create("db", b"1")
    usage.push(versions, swarm, "db")
    for number in range(20):
        swarm.deploy(f"web{number}", "db")
    swarm.calls.clear()
    assert len(usage.uses(swarm)) == 20
    assert swarm.calls == {"objects": 2, "services": 1, "tasks": 1}


# -- prune and remove -------------------------------------------------------------------------


@pytest.fixture
def five(store: Store, versions: StoreVersions, swarm: MemorySwarm) -> StoreVersions:
    """Five versions of db in the store and in the engine, the fifth current."""
    store.create("db", b"1")
    usage.push(versions, swarm, "db")
    for number in range(2, 6):
        store.rotate("db", str(number).encode())
        usage.push(versions, swarm, "db")
    return versions


def test_prune(five: StoreVersions, swarm: MemorySwarm) -> None:
    """What nothing needs is gone from both; what is kept is kept for a reason."""
    swarm.deploy("web", "db-v2")
    swarm.settle()
    assert usage.prune(five, swarm, "db") == (
        (1, 3),
        (
            (2, "web uses it, a task of web runs on it"),
            (4, "it is among the newest 2"),
            (5, "it is the current one"),
        ),
    )
    assert (names(swarm), five.numbers("db")) == (["db-v2", "db-v4", "db-v5"], (2, 4, 5))


def test_prune_keeps_what_a_service_would_roll_back_to(
    five: StoreVersions, swarm: MemorySwarm
) -> None:
    """An engine would let the object of a PreviousSpec go, and then has nothing to go back to."""
    swarm.deploy("web", "db")
    swarm.settle()
    swap(swarm, "web", "db-v5")
    swarm.sleep(60)
    found = usage.prune(five, swarm, "db")
    assert found.destroyed == (2, 3)
    assert found.kept[0] == (1, "web would roll back to it")


def test_prune_leaves_what_is_not_ours(store: Store, swarm: MemorySwarm) -> None:
    """Neither an object without our labels, nor a version that our store does not know."""
    versions = StoreVersions(store)
    swarm.create("secret", "db", b"theirs", {})
    store.create("db", b"1")
    for number in range(2, 6):
        store.rotate("db", b"%d" % number)
    swarm.create("secret", "db-v9", b"9", objects.labels("db", 9, fingerprint="k:9"))
    assert usage.prune(versions, swarm, "db", keep=1) == (
        (2, 3, 4),
        (
            (1, "not made by secretkit"),
            (5, "it is the current one"),
            (9, "not known to this store"),
        ),
    )
    assert names(swarm) == ["db", "db-v9"]


def test_prune_meets_a_service_that_comes(five: StoreVersions, swarm: MemorySwarm) -> None:
    """A service deployed between the look and the removal keeps its object and our version."""
    swarm.meddle("remove", lambda: swarm.deploy("late", "db"))
    assert usage.prune(five, swarm, "db").kept[0] == (1, "a service uses it")
    assert five.numbers("db") == (1, 4, 5)


def test_prune_goes_on_after_a_crash(five: StoreVersions, swarm: MemorySwarm) -> None:
    """An object that is gone already does not keep its version in the store."""
    found = swarm.find("secret", "db")
    assert found is not None
    swarm.remove("secret", found.id)
    assert usage.prune(five, swarm, "db").destroyed == (1, 2, 3)


def test_not_during_a_rotation(five: StoreVersions, swarm: MemorySwarm) -> None:
    """Prune and remove wait for a rotation to end: it may need any object."""
    under_way(swarm, "db", 6)
    with pytest.raises(RotationInProgressError, match="^a rotation of db is under way, by "):
        usage.prune(five, swarm, "db")
    with pytest.raises(RotationInProgressError):
        usage.remove(five, swarm, ["db"])
    assert len(names(swarm)) == 5
    with pytest.raises(UsageError, match="^prune keeps at least one version, not 0$"):
        usage.prune(five, swarm, "db", keep=0)


def test_remove(five: StoreVersions, store: Store, swarm: MemorySwarm) -> None:
    """All of a secret, in the engine and in the store, and nothing of another."""
    store.create("db-password", b"1")
    usage.push(five, swarm, "db-password")
    assert usage.remove(five, swarm, ["db"]) == ("db", "db-v2", "db-v3", "db-v4", "db-v5")
    assert names(swarm) == ["db-password"]
    assert [secret.name for secret in store.list()] == ["db-password"]


def test_remove_one_version(five: StoreVersions, swarm: MemorySwarm) -> None:
    """One that is there and not current."""
    assert usage.remove(five, swarm, ["db"], version=2) == ("db-v2",)
    assert five.numbers("db") == (1, 3, 4, 5)
    with pytest.raises(SecretInUseError, match="^version in use, db v5 is the current one$"):
        usage.remove(five, swarm, ["db"], version=5)
    with pytest.raises(VersionNotFoundError, match="^no such version, db v2$"):
        usage.remove(five, swarm, ["db"], version=2)


def test_remove_refuses_while_in_use(five: StoreVersions, store: Store, swarm: MemorySwarm) -> None:
    """It names the services; of several secrets none is removed."""
    store.create("free", b"1")
    usage.push(five, swarm, "free")
    swarm.deploy("web", "db-v5")
    with pytest.raises(SecretInUseError) as caught:
        usage.remove(five, swarm, ["free", "db"])
    assert str(caught.value) == "secret in use, db-v5: web uses it, a task of web runs on it"
    with pytest.raises(SecretNotFoundError, match="no such secret, none"):
        usage.remove(five, swarm, ["free", "none"])
    assert len(names(swarm)) == 6
    assert five.numbers("free") == (1,)

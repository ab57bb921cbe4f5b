"""The life of a secret's and a config's objects, on a swarm in memory and on a real one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest

from secretkit.errors import ConflictError, SecretInUseError
from secretkit.rotation import objects, usage
from secretkit.rotation.versions import ConfigVersions, StoreVersions
from secretkit.store import Store
from tests.engines.conftest import engine, ground, swarm
from tests.engines.ground import Ground, service_spec

__all__ = ["engine", "ground", "swarm"]
LIMIT = 60.0  # seconds


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoreVersions]:
    """Those of an empty store with keys of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with Store.init(tmp_path) as opened:
        yield StoreVersions(opened)


@pytest.fixture
def name(ground: Ground) -> Iterator[str]:
    """A name of this test's own, of which nothing is left in the engine."""
    found = f"db-{ground.mark}"
    yield found
    for service in ground.engine.services():
        if any(objects.parse(use.object_name)[0] == found for use in service.references):
            ground.remove_service(service.id)
    for kind in ("secret", "config"):
        for one in objects.versions_of(ground.engine, kind, found).values():
            ground.engine.remove(kind, one.id)


def running(ground: Ground, name: str) -> usage.Use:
    """The use of the one service, when all its tasks run."""
    deadline = ground.time() + LIMIT
    while True:
        (use,) = usage.uses(ground.engine, name=name, currents={name: 2})
        if use.ready == use.wanted and not any("tasks" in why for why in use.drift):
            return use
        assert ground.time() < deadline, use
        ground.sleep(0.2)


def test_a_secret_from_its_adoption_to_its_end(
    ground: Ground, versions: StoreVersions, name: str
) -> None:
    """Adopted, seen in use, pushed, drifted, swapped, pruned, and removed once it is free."""
    on = ground.engine
    made = ground.object(b"1", name=name)
    service = ground.make(service_spec(ground, made))
    assert usage.adopt(versions, on, name, b"1") == (name, 1, (1,), True)
    versions.store.rotate(name, b"2")
    pushed = usage.push(versions, on, name)
    assert usage.push(versions, on, name).id == pushed.id
    before = running(ground, name)
    assert (before.version, before.wanted, before.drift) == (1, 2, ("v2 is current",))
    with pytest.raises(SecretInUseError, match=f"^secret in use, {name}: "):
        usage.remove(versions, on, [name])

    found = on.service(service)
    spec = copy.deepcopy(dict(found.spec))
    for use in spec["TaskTemplate"]["ContainerSpec"]["Secrets"]:
        use |= {"SecretID": pushed.id, "SecretName": pushed.name}
    on.update(found, spec)
    after = running(ground, name)
    assert (after.version, after.target, after.drift) == (2, before.target, ())
    destroyed, kept = usage.prune(versions, on, name, keep=1)
    assert (destroyed, [number for number, _ in kept]) == ((), [1, 2])
    assert "would roll back to it" in kept[0][1]

    ground.remove_service(service)
    deadline = ground.time() + LIMIT
    while on.tasks([service]):
        assert ground.time() < deadline
        ground.sleep(0.2)
    assert usage.prune(versions, on, name, keep=1).destroyed == (1,)
    assert usage.remove(versions, on, [name]) == (pushed.name,)
    assert objects.versions_of(on, "secret", name) == {}


def test_configs_are_their_own_record(ground: Ground, name: str) -> None:
    """Staged, committed and gone back to, by what the engine has alone."""
    versions = ConfigVersions(ground.engine)
    versions.stage(name, 1, b"one", "given")
    versions.commit(name, 1, "rotate")
    versions.stage(name, 2, b"two", "given")
    versions.stage(name, 2, b"two", "given")
    with pytest.raises(ConflictError, match="^config exists with another content"):
        versions.stage(name, 2, b"other", "given")
    assert (versions.current(name), versions.content(name, 2)) == (1, b"two")
    versions.commit(name, 2, "rotate")
    assert (versions.current(name), versions.previous(name)) == (2, 1)
    versions.commit(name, 1, "rollback")
    assert (versions.current(name), versions.numbers(name)) == (1, (1, 2))
    assert usage.remove(versions, ground.engine, [name], version=2) == (f"{name}-v2",)
    assert usage.prune(versions, ground.engine, name).kept == ((1, "it is the current one"),)

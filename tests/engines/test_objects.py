"""The contract of an engine's secrets and configs, on a swarm in memory and on a real one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from secretkit.engines import spec as specs
from secretkit.engines.protocol import EngineObject, Kind
from secretkit.errors import (
    EngineRefusedError,
    ObjectExistsError,
    ObjectInUseError,
    ObjectNotFoundError,
    OutOfSequenceError,
)
from tests.engines.ground import Ground, service_spec

KINDS: tuple[Kind, ...] = ("secret", "config")
kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
def test_an_object_is_found_as_it_was_made(ground: Ground, kind: Kind) -> None:
    """By its exact name and by all of its labels; not by the beginning of its name."""
    name = f"db-password-{ground.mark}"
    labels = {"secretkit.name": name, "empty": ""}
    # The longer name is there first: it would be the first match of a prefix.
    other = ground.engine.create(kind, f"{name}-v2-{ground.mark}", b"2", {"empty": ""})
    assert ground.engine.find(kind, name) is None
    made = ground.engine.create(kind, name, b"1", labels)
    assert (made.kind, made.name, made.labels) == (kind, name, labels)
    assert ground.engine.find(kind, name) == made
    assert ground.engine.objects(kind, {"secretkit.name": name}) == [made]
    assert ground.engine.objects(kind, labels) == [made]
    assert ground.engine.objects(kind, {"secretkit.name": "db"}) == []
    both = ground.engine.objects(kind, {"empty": ""})
    assert [each for each in both if ground.mark in each.name] == [made, other]
    mine = [each for each in ground.engine.objects(kind) if ground.mark in each.name]
    assert mine == [made, other]
    ground.engine.remove(kind, other.id)
    assert ground.engine.find(kind, other.name) is None


@kinds
def test_what_an_engine_refuses_to_keep(ground: Ground, kind: Kind) -> None:
    """Names outside its grammar or longer than 64, no content, and too much of it."""
    limit = {"secret": 512_000, "config": 1_024_000}[kind]
    for name, content in (
        ("-a", b"1"),
        ("a.", b"1"),
        ("a b", b"1"),
        ("a" * 65, b"1"),
        (f"a-{ground.mark}", b""),
        (f"a-{ground.mark}", b"\0" * limit),
    ):
        with pytest.raises(EngineRefusedError, match=f"cannot create {kind} "):
            ground.engine.create(kind, name, content, {})
    full = f"{'a' * 55}-{ground.mark}"
    assert len(full) == 64
    made = ground.engine.create(kind, full, b"\0" * (limit - 1), {})
    assert ground.engine.find(kind, full) == made


@kinds
def test_a_name_is_taken_once(ground: Ground, kind: Kind) -> None:
    """Of six who make it at the same moment, exactly one succeeds."""

    def attempt(number: int) -> EngineObject | None:
        try:
            return ground.engine.create(kind, f"lock-{ground.mark}", b"%d" % number, {})
        except ObjectExistsError:
            return None

    with ThreadPoolExecutor(6) as threads:
        made = [each for each in threads.map(attempt, range(6)) if each is not None]
    assert made == [ground.engine.find(kind, f"lock-{ground.mark}")]


def test_a_configs_content_can_be_read(ground: Ground) -> None:
    """Byte for byte; of one that is not there, an error."""
    content = bytes(range(256))
    made = ground.object(content, "config")
    assert ground.engine.content(made.id) == content
    with pytest.raises(ObjectNotFoundError):
        ground.engine.content("0" * 25)


@kinds
def test_labels_change_by_compare_and_swap(ground: Ground, kind: Kind) -> None:
    """All of them at once, with a new index; whoever read an earlier index is too late."""
    made = ground.object(b"1", kind)
    first = ground.engine.relabel(made, {"owner": "a"})
    assert first == made._replace(index=first.index, labels={"owner": "a"})
    assert first.index > made.index
    with pytest.raises(OutOfSequenceError):
        ground.engine.relabel(made, {"owner": "b"})
    assert ground.engine.find(kind, made.name) == first
    ground.engine.remove(kind, made.id)
    with pytest.raises(ObjectNotFoundError):
        ground.engine.relabel(first, {})
    with pytest.raises(ObjectNotFoundError):
        ground.engine.remove(kind, made.id)


@kinds
def test_only_a_current_spec_keeps_an_object(ground: Ground, kind: Kind) -> None:
    """What a service refers to cannot be removed; what its PreviousSpec refers to can."""
    before, after = ground.object(b"1", kind), ground.object(b"2", kind)
    service = ground.engine.service(ground.make(service_spec(ground, before, replicas=0)))
    with pytest.raises(ObjectInUseError):
        ground.engine.remove(kind, before.id)
    swap = {before.id: (after.id, after.name)}
    ground.engine.update(service, specs.swapped(service.spec, kind, swap))
    ground.engine.remove(kind, before.id)
    found = ground.engine.service(service.id)
    assert [use.object_id for use in found.references] == [after.id]
    assert [use.object_id for use in found.previous_references] == [before.id]

"""Which version of a secret or config a stack gets: as tables, without an engine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from secretkit.delivery.stack.choice import Choice, Content, Known, choose, choose_for
from secretkit.engines.protocol import EngineObject
from secretkit.errors import ConflictError
from secretkit.rotation import objects

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def one(number: int, store: str = "mine", ours: bool = True) -> EngineObject:
    labels = objects.labels("key", number, fingerprint="f:1", store=store) if ours else {}
    return EngineObject("secret", f"id{number}", f"key-v{number}", 1, labels, NOW)


def known(
    current: int | None,
    numbers: tuple[int, ...] = (),
    found: dict[int, EngineObject] | None = None,
    used: tuple[int, ...] = (),
    staged: tuple[int, ...] = (),
) -> Known:
    there = {number: one(number) for number in numbers} if found is None else found
    return Known("secret", "key", current, numbers, staged, there, frozenset(used), "mine")


def content(
    equal: tuple[int, ...] = (), unknown: tuple[int, ...] = (), last: int | None = None
) -> Content:
    return Content(frozenset(equal), frozenset(unknown), last)


def test_the_current_version_is_deployed() -> None:
    """Also where services are on another one, by hand or by a plain deploy."""
    found = choose(known(2, (1, 2, 3), used=(1, 3)))
    assert (found.after, found.object_name, found.creates, found.commits) == (
        2,
        "key-v2",
        False,
        False,
    )


def test_an_object_that_is_not_there_is_created() -> None:
    assert choose(known(2, (1, 2), found={1: one(1)})).creates


def test_what_another_store_rotated_to_stays() -> None:
    """If services use it: somebody may have made one and given it up."""
    theirs = {1: one(1), 2: one(2), 3: one(3, store="theirs")}
    assert choose(known(2, (1, 2), found=theirs, used=(3,))).after == 3
    assert "made elsewhere" in choose(known(2, (1, 2), found=theirs, used=(3,))).warning
    assert choose(known(2, (1, 2), found=theirs, used=(2,))).after == 2


def test_what_a_copy_of_the_store_does_not_know_stays() -> None:
    """One that was restored from before a rotation: services are not taken back."""
    later = {1: one(1), 2: one(2)}
    assert choose(known(1, (1,), found=later, used=(2,))).after == 2
    assert choose_for(known(1, (1,), found=later, used=(2,)), content((1,), last=1)).after == 2
    assert choose(known(1, (1, 2), found=later, used=(2,), staged=(2,))).after == 1


def test_what_secretkit_did_not_make_is_no_version_that_was_rotated_to() -> None:
    """Also where services use it, or nobody does; its number is not used."""
    theirs = {1: one(1), 2: one(2, ours=False)}
    for used in ((), (2,), (1, 2)):
        so = known(1, (1,), found=theirs, used=used)
        assert (choose(so).after, choose(so).warning) == (1, "")
        assert choose_for(so, content((1,), last=1)).after == 1
        assert choose_for(so, content(last=1)).after == 3
    taken = known(1, (1,))._replace(taken=frozenset((1, 2, 3)))
    assert choose_for(taken, content(last=1)).after == 4


def test_what_nobody_uses_and_this_store_does_not_know_is_not_passed_over() -> None:
    """After `docker stack rm` nothing tells which version is current: that is refused."""
    for later in (one(2), one(2, store="theirs")):
        so = known(1, (1,), found={1: one(1), 2: later})
        for choosing in (choose, lambda one: choose_for(one, content((1,), last=1))):
            with pytest.raises(ConflictError, match="v2 was made elsewhere, by .*no service uses"):
                choosing(so)
    assert choose(known(1, (1, 2), staged=(2,))).after == 1


def test_without_a_record_what_services_use_counts() -> None:
    """One version is it; of several the one in use; else nobody knows, and nothing is guessed."""
    assert choose(known(None, found={4: one(4)})).after == 4
    assert choose(known(None, found={1: one(1), 2: one(2)}, used=(2,))).after == 2
    for used in ((), (1, 2)):
        with pytest.raises(ConflictError, match="the engine has v1, v2"):
            choose(known(None, found={1: one(1), 2: one(2)}, used=used))


CASES: list[tuple[str, Known, Any, tuple[int | None, int, bool, bool]]] = [
    # what is so, how the content compares, (before, after, makes, commits)
    ("nothing is known", known(None, found={}), content(), (None, 1, True, False)),
    ("unchanged", known(1, (1,)), content((1,), last=1), (1, 1, False, False)),
    ("changed", known(1, (1,)), content(last=1), (1, 2, True, True)),
    ("rotated, unchanged", known(2, (1, 2)), content((1,), last=1), (2, 2, False, False)),
    ("rotated, then changed", known(2, (1, 2)), content(last=1), (2, 3, True, True)),
    ("rolled back, unchanged", known(1, (1, 2)), content((2,), last=2), (1, 1, False, False)),
    ("as it was before the last", known(2, (1, 2)), content(last=2), (2, 3, True, True)),
    (
        "interrupted",
        known(1, (1, 2), staged=(2,), found={1: one(1)}),
        content((2,), last=1),
        (1, 2, False, True),
    ),
    (
        "failed, and changed back",
        known(1, (1, 2), staged=(2,)),
        content((1,), last=1),
        (1, 1, False, False),
    ),
    (
        "failed, rotated since",
        known(3, (1, 2, 3), staged=(2,)),
        content((2,), last=1),
        (3, 4, True, True),
    ),
    (
        "failed, rotated since, changed back",
        known(3, (1, 2, 3), staged=(2,)),
        content((1,), last=1),
        (3, 3, False, False),
    ),
    (
        "failed, rotated since, failed again",
        known(3, (1, 2, 3, 4), staged=(2, 4)),
        content((2, 4), last=1),
        (3, 4, False, True),
    ),
    (
        "a rotation to what the file has failed",
        known(2, (1, 2, 3), staged=(3,)),
        content((1, 3), last=1),
        (2, 2, False, False),
    ),
    (
        "rotated, and what the file made is pruned",
        known(3, (2, 3)),
        content(unknown=(1,)),
        (3, 3, False, False),
    ),
    (
        "what another store made since may be what the file has",
        known(4, (1, 2, 3, 4)),
        content(unknown=(3,), last=2),
        (4, 4, False, False),
    ),
    ("what another store made is current", known(3, (1, 2, 3)), content(unknown=(3,), last=2),
        (3, 4, True, True)),
    ("made by hand, the same", known(1, (1,)), content((1,)), (1, 1, False, False)),
    ("made by hand, another", known(1, (1,)), content(), (1, 2, True, True)),
    (
        "adopted, unknown",
        known(None, found={1: one(1, ours=False)}),
        content(unknown=(1,)),
        (1, 2, True, True),
    ),
    (
        "adopted, rotated: not known whether it changed",
        known(2, (1, 2)),
        content(unknown=(1,)),
        (2, 2, False, False),
    ),
    (
        "none is current yet",
        known(None, (1,), staged=(1,)),
        content((1,)),
        (0, 1, False, True),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("so", "compared", "expected"), [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])  # fmt: skip
def test_what_a_stack_brings(
    so: Known, compared: Content, expected: tuple[int | None, int, bool, bool]
) -> None:
    """Only a content that changed since the last version from it makes a version."""
    found: Choice = choose_for(so, compared)
    assert (found.before, found.after, found.makes, found.commits) == expected


def test_what_was_rolled_back_is_told() -> None:
    """A file that was changed back and forth is not told from one that was not."""
    found = choose_for(known(1, (1, 2)), content((2,), last=2))
    assert found.warning == "its content is that of v2, which was rolled back: v1 stays"
    assert choose_for(known(2, (1, 2)), content((1,), last=1)).warning == ""


def test_another_stack_brings_the_name() -> None:
    """The same content is the same secret; another is refused, whatever was made of it before."""
    for current, compared in ((1, content((1,), last=1)), (2, content((1,), last=1))):
        so = known(current, (1, 2))._replace(stacks=frozenset({"other"}))
        assert choose_for(so, compared).after == current
    staged = known(1, (1, 2), staged=(2,))
    for so, compared in (
        (known(1, (1,)), content(last=1)),
        (known(2, (1, 2)), content((1,), last=2)),
        (staged, content((2,), last=1)),
        (known(2, (1, 2)), content(unknown=(1,))),
        (known(None, found={1: one(1, ours=False)}), content(unknown=(1,))),
    ):
        with pytest.raises(ConflictError, match="stack other brings secret key too"):
            choose_for(so._replace(stacks=frozenset({"other"})), compared)


WHY = "was made from another store, by ann@host"


def test_an_object_that_is_not_the_version_is_not_deployed() -> None:
    """An external secret is refused; one that the stack brings gets the next number."""
    so = known(1, (1,), found={1: one(1, store="theirs")})._replace(foreign={1: WHY})
    with pytest.raises(ConflictError, match=f"key-v1 {WHY}"):
        choose(so)
    assert choose_for(so, content((1,), last=1)).after == 2
    rotated = known(2, (1, 2))._replace(foreign={2: WHY})
    with pytest.raises(ConflictError, match=f"key-v2 {WHY}"):
        choose_for(rotated, content((1,), last=1))


def test_what_another_store_rotated_to_is_of_the_same_secret() -> None:
    """Only where a version is in common; else it is another secret that has the name too."""
    theirs = {1: one(1, store="theirs"), 2: one(2, store="theirs")}
    for so in (
        known(1, (1,), found=theirs, used=(2,))._replace(foreign={1: WHY}),
        known(1, (1,), found={2: theirs[2]}, used=(2,)),
    ):
        for choosing in (choose, lambda one: choose_for(one, content((1,), last=1))):
            with pytest.raises(ConflictError, match="key-v2 was made from another store"):
                choosing(so)
    mine = known(1, (1,), found={2: one(2)}, used=(2,))  # of the same store, restored from before
    assert choose(mine).after == 2
    assert choose(known(1, (1,), found=theirs, used=(2,))).after == 2  # v1 was adopted

"""Names of secrets, object names and variables."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretkit.errors import InvalidNameError, InvalidValueError
from secretkit.naming import (
    NAME_LENGTH,
    OBJECT_NAME_LENGTH,
    VALUE_LENGTH,
    check_name,
    check_value,
    object_name,
    variable_name,
)

# Swarm's grammar, spelled here once more so that a change of the code is noticed.
SWARM = re.compile(r"^[a-zA-Z0-9]+(?:[a-zA-Z0-9-_.]*[a-zA-Z0-9])?$")


@pytest.mark.parametrize(
    "name",
    ["a", "7", "db-password", "DB_PASSWORD", "a.b-c_d", "a" * NAME_LENGTH, "v2", "x-v", "a-v2b"],
)
def test_accepted(name: str) -> None:
    """What Swarm takes and what is no object name is a secret's name."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "it is empty"),
        ("-a", "letters, digits"),
        ("a-", "letters, digits"),
        ("a b", "letters, digits"),
        ("a\n", "letters, digits"),
        ("../a", "letters, digits"),
        ("a/b", "letters, digits"),
        ("ä", "letters, digits"),
        ("٣", "letters, digits"),
        ("a\x00b", "letters, digits"),
        ("db-v2", "it looks like the object name of a version of db"),
        ("db-v10-v2", "it looks like the object name of a version of db-v10"),
        ("a" * (NAME_LENGTH + 1), "59 characters, at most 58"),
    ],
)
def test_refused(name: str, reason: str) -> None:
    """Each refusal says why, in one line, and holds the name as data."""
    with pytest.raises(InvalidNameError) as caught:
        check_name(name)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.name == name


@given(st.text(alphabet="aZ9-_.v2 \n/ä", max_size=12))
def test_accepted_names_are_swarms(name: str) -> None:
    """No accepted name is outside Swarm's grammar, and none reads as an object name."""
    try:
        check_name(name)
    except InvalidNameError:
        return
    assert SWARM.fullmatch(name)
    assert not re.search(r"-v[0-9]+$", name)


@given(
    st.from_regex(r"\A[a-z0-9]+(-[a-z0-9]+)*\Z").filter(lambda n: len(n) <= NAME_LENGTH),
    st.integers(1, 9999),
)
def test_object_names_fit(name: str, number: int) -> None:
    """Every version of an accepted name has an object name that an engine takes."""
    try:
        check_name(name)
    except InvalidNameError:
        return
    made = object_name(name, number)
    assert made == (name if number == 1 else f"{name}-v{number}")
    assert len(made) <= OBJECT_NAME_LENGTH
    assert SWARM.fullmatch(made)


def test_a_version_whose_object_name_is_too_long() -> None:
    """Version 10 000 of the longest name is refused, not cut."""
    with pytest.raises(InvalidNameError, match="version 10000 would need 65 characters"):
        object_name("a" * NAME_LENGTH, 10_000)


@pytest.mark.parametrize("size", [1, VALUE_LENGTH])
def test_values_of_every_allowed_size(size: int) -> None:
    """1 to 511 999 bytes are a value."""
    check_value("db", b"x" * size)


@pytest.mark.parametrize(
    ("size", "reason"), [(0, "it is empty"), (VALUE_LENGTH + 1, "512000 bytes, at most 511999")]
)
def test_values_outside_the_limits(size: int, reason: str) -> None:
    """An empty or too large value is refused, with its size and never its bytes."""
    with pytest.raises(InvalidValueError) as caught:
        check_value("db", b"x" * size)
    assert str(caught.value) == f"cannot store this value for db: {reason}"


@pytest.mark.parametrize(
    ("name", "variable"), [("db-password", "DB_PASSWORD"), ("a.b", "A_B"), ("X_y", "X_Y")]
)
def test_variables(name: str, variable: str) -> None:
    """The variable of a secret: upper case, `-` and `.` become `_`."""
    assert variable_name(name) == variable

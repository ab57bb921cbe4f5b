"""Values come back from the readers of a format exactly as they went in."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given

from tests.needs import need_program

from .cases import CASES, READERS, Case
from .values import strategy, values

IN_PROCESS = [case for case in CASES if READERS[case.read][0] is None]
BATCHES = [(case, reader) for case in CASES for reader in dict.fromkeys((case.read, *case.real))]


@pytest.mark.parametrize("case", IN_PROCESS, ids=lambda case: case.id)
@given(value=strategy)
@example(value=b"")
@example(value=b"\xff")
@example(value=b"p@ss&w/o\\r\"d's $ #1 %")
def test_a_value_is_read_back_or_refused(case: Case, value: bytes) -> None:
    """Any bytes are either refused with a reason or read back unchanged by a parser."""
    if case.refusal(value) is None:
        with tempfile.TemporaryDirectory() as folder:
            read = READERS[case.read][1](case.render(Path(folder), [value]), Path(folder))
        assert [case.expected(value)] == read


@pytest.mark.parametrize(
    ("case", "reader"), BATCHES, ids=[f"{case.id}-{reader}" for case, reader in BATCHES]
)
def test_the_real_consumer_reads_every_value(case: Case, reader: str, tmp_path: Path) -> None:
    """What is not refused is read by the program that the format is for, in one run."""
    program, read = READERS[reader]
    if program:
        need_program(program)
    accepted = [value for value in values(seed=1, count=500) if case.refusal(value) is None]
    assert len(accepted) > 150
    expected = [case.expected(value) for value in accepted]
    assert expected == read(case.render(tmp_path, accepted), tmp_path)


# What a format, or one case, may refuse at most, of the same values: all that it cannot hold.
FORBIDDEN = {
    "yaml": lambda value: not _is_utf8(value) or len(value) > 80,  # keys
    "json": lambda value: not _is_utf8(value),
    "properties": lambda value: not _is_utf8(value),
    "xml": lambda value: not _is_utf8(value) or _has_control(value),
    "shell": lambda value: b"\0" in value,
    "toml": lambda value: not _is_utf8(value),
    "html": lambda value: not _is_utf8(value) or re.search("[\0\x80-\x9f]", value.decode()),
    "php": lambda value: False,
    "python": lambda value: not _is_utf8(value),
    "js": lambda value: not _is_utf8(value),
    "nginx": lambda value: b"\0" in value or b"$" in value,
    "haproxy": lambda value: b"\0" in value or value == b"",
    "haproxy-log-format": lambda value: b"\0" in value or value == b"" or b"%" in value,
    "httpd": lambda value: b"\0" in value or b"\n" in value or b"${" in value,
    "httpd-header": lambda value: set(b"\0\n\\%") & set(value) or b"${" in value,
    "redis": lambda value: False,
}


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.format in FORBIDDEN and "single" not in case.context],
    ids=lambda case: case.id,
)
def test_only_what_a_format_cannot_hold_is_refused(case: Case) -> None:
    """Values are refused for NUL, control characters or bad UTF-8 where the format forbids them."""
    refused = [value for value in values(seed=2, count=2000) if case.refusal(value)]
    allowed = [b""] if case.url else []
    assert [
        v
        for v in refused
        if not FORBIDDEN.get(case.id, FORBIDDEN[case.format])(v) and v not in allowed
    ] == []


def test_no_spelling_of_what_a_variable_file_refuses_is_read_alike(tmp_path: Path) -> None:
    """For refused values dash and python-dotenv disagree about every way to quote them."""
    need_program("dash")
    bare = next(case for case in CASES if case.id == "env-bare")
    refused = [
        value
        for value in values(seed=3, count=1500)
        if bare.refusal(value) and _is_utf8(value) and not set(b"\0\r\n") & set(value)
    ]
    assert len(refused) > 50
    found = []
    for value in refused:
        for spelled in _spellings(value):
            try:
                read = [
                    READERS[reader][1](b"K0=" + spelled + b"\n", tmp_path)
                    for reader in ("python-dotenv", "dash .")
                ]
            except (AssertionError, OSError, ValueError):
                continue
            except Exception as error:
                if type(error).__name__ != "CalledProcessError":
                    raise
                continue
            if read == [[value], [value]]:
                found.append((value, spelled))
    # `${` without `}` would be read alike; one rule for all of them is easier to understand.
    assert [(v, s) for v, s in found if b"${" not in v] == []


def _spellings(value: bytes) -> list[bytes]:
    def escape(text: bytes, characters: bytes) -> bytes:
        return b"".join(b"\\" * (char in characters) + bytes([char]) for char in text)

    return [
        value,
        b"'" + value + b"'",
        b"'" + value.replace(b"'", b"'\\''") + b"'",
        b"'" + escape(value, b"\\'") + b"'",
        b'"' + value + b'"',
        b'"' + escape(value, b'\\"') + b'"',
        b'"' + escape(value, b'\\"$`') + b'"',
    ]


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _has_control(value: bytes) -> bool:
    return any((c < " " and c not in "\t\n\r") or c in "\ufffe\uffff" for c in value.decode())

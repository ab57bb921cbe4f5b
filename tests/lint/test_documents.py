"""YAML files that cannot be read: what is said of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from secretkit.delivery.documents import read
from secretkit.errors import UsageError


@pytest.mark.parametrize(
    "text", ["a: [b", "a: {b", "a: *hunter2", "a: !<x", "a: 1\na: 2", "- a\nb"]
)
def test_what_is_no_yaml_is_told_to_the_end(text: str) -> None:
    """The reader's sentence stays whole, without what it quotes of the file, and has a hint."""
    with pytest.raises(UsageError) as caught:
        read("f.yml", text.encode())
    assert not str(caught.value).endswith(("expected", "the"))
    assert "hunter2" not in str(caught.value)
    assert caught.value.hint


def test_what_is_no_file(tmp_path: Path) -> None:
    """Nothing hangs: a pipe that a project brings is refused, one that the shell made is read."""
    pipe = tmp_path / "f.yml"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, tmp_path / "absent.yml", Path("nul\0")):
        with pytest.raises(UsageError, match="cannot be read") as caught:
            read(str(path))
        assert caught.value.hint
    ours, theirs = os.pipe()
    os.write(theirs, b"a: 1")
    os.close(theirs)
    try:
        assert read(f"/dev/fd/{ours}").root is not None
    finally:
        os.close(ours)

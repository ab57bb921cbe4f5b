"""A small version of the leaks campaign in every test run."""

from __future__ import annotations

from pathlib import Path

from tests.campaigns.leaks import Hunt, forms, hunt


def test_a_value_is_nowhere_but_where_it_belongs(tmp_path: Path) -> None:
    """No output, argument, environment, file or traceback of any command shows the canary."""
    result = hunt(tmp_path)
    assert result.found == []
    assert result.commands > 60
    assert result.scans > 0


def test_the_hunt_finds_what_it_looks_for(tmp_path: Path) -> None:
    """Each form of the canary, where it is planted, is found."""
    (tmp_path / "project").mkdir()
    here = Hunt(tmp_path / "project")
    for form, planted in forms(here.value).items():
        here.found.clear()
        here.search("planted", b"before" + planted + b"after")
        assert f"planted: {form}" in here.found
    here.found.clear()
    (tmp_path / "project" / "left").write_bytes(here.value)
    here.search_files()
    assert "project/left: raw" in here.found

"""A project for each test, with a home and a memory folder of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.program import Program, environment
from tests.mount.person import person, with_view
from tests.needs import need_namespaces, need_root


@pytest.fixture
def memory() -> Iterator[Path]:
    """A private folder on tmpfs, as $XDG_RUNTIME_DIR is."""
    folder = Path(tempfile.mkdtemp(prefix="secretkit-test-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def bare(tmp_path: Path, memory: Path) -> Program:
    """The program in an empty folder."""
    home = tmp_path / "home"
    home.mkdir()
    folder = tmp_path / "project"
    folder.mkdir()
    return Program(folder, environment(home, memory))


@pytest.fixture
def cli(bare: Program) -> Program:
    """The program in a fresh project."""
    bare.ok("--quiet", "init")
    return bare


@pytest.fixture
def user() -> Iterator[Program]:
    """The program in a project of a user without privileges."""
    with person() as program:
        program.ok("--quiet", "init")
        yield program


@pytest.fixture(params=["user", "root"])
def anyone(request: pytest.FixtureRequest) -> Program:
    """The program as a user without privileges, and as root."""
    if request.param == "user":
        found: Program = request.getfixturevalue("user")
        return found
    need_root()
    need_namespaces()
    found = request.getfixturevalue("cli")
    return replace(found, before=with_view(uid=0))

"""What happens to a dev folder that fails, moves, or has something else in it; on real disks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.program import Program


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("mock", [(), ("--mock",)])
@pytest.mark.parametrize("layout", ["swarm", "kubernetes"])
def test_to_memory_with_a_users_file(cli: Program, layout: str, mock: tuple[str, ...]) -> None:
    """A folder on disk with a file of the user's stays as it is: refused before all else."""
    cli.create("db")
    folder = cli.folder / "dev-secrets"
    cli.ok("dev", "up", "--on-disk", "--layout", layout)
    (folder / "notes.txt").write_text("mine")
    before = sorted(os.listdir(folder))
    done = cli("dev", "up", *mock)
    assert done.code == 4
    assert done.lines == [
        f"secretkit: error: cannot make it a link, {folder} holds what secretkit did not write,"
        " notes.txt",
        f"hint: move that out of {folder}, or let the folder be: secretkit dev up --on-disk",
    ]
    assert sorted(os.listdir(folder)) == before
    assert (folder / "db").read_bytes() == b"v1"
    (status,) = cli.ok("dev", "status", "--json").json
    assert status["up"]
    assert {one["name"]: one["state"] for one in status["secrets"]} == {
        "db": "same",
        "notes.txt": "foreign",
    }
    (folder / "notes.txt").unlink()
    cli.ok("dev", "up", *mock)
    assert folder.is_symlink()

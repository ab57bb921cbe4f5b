"""A wrong secretkit.toml stops every change before it begins."""

from __future__ import annotations

import pytest

from .program import Program

WRONG = {
    'engine = "nomad"\n': "no such engine",
    'engin = "local"\n': "unknown key engin",
    "engine = \n": "invalid value",
}
COMMANDS = (
    *("create new -", "rotate db -", "rotate db --dry-run", "rollback db", "prune --keep 1"),
    *("rm db", "rm db --version 1", "dev up", "run -- true"),
)


@pytest.mark.parametrize("content", WRONG)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_project_file_stops_every_change(cli: Program, content: str, command: str) -> None:
    """Exit 2 with the file, line and reason; the store is as it was, and can still be read."""
    cli.create("db", b"first")
    cli.ok("rotate", "db", "-", input=b"second")
    before = cli.ok("inspect", "db", "--json").json
    (cli.folder / "secretkit.toml").write_text(content)
    done = cli(*command.split(), input=b"third")
    assert (done.code, done.out) == (2, b"")
    assert f"{cli.folder / 'secretkit.toml'}:1" in done.lines[0]
    assert WRONG[content].lower() in done.lines[0].lower()
    assert cli.ok("show", "db").out == b"second"
    (cli.folder / "secretkit.toml").write_text("")
    assert cli.ok("inspect", "db", "--json").json == before


def test_inspect_names_the_generator_that_rotate_will_use(cli: Program) -> None:
    """secretkit.toml's generator goes before the one a secret was created with."""
    cli.ok("create", "db", "--generate", "hex:16")
    assert "Generator:    hex:16\n" in cli.ok("inspect", "db").text
    (cli.folder / "secretkit.toml").write_text('[secrets.db]\ngenerate = "password:40"\n')
    assert "Generator:    password:40\n" in cli.ok("inspect", "db").text
    assert cli.ok("inspect", "db", "--json").json["generator"] == "password:40"
    cli.ok("rotate", "db")
    assert len(cli.ok("show", "db").out) == 40

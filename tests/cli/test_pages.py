"""The reference pages name every command, option, key and generator, and no others."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click

from secretkit import project
from secretkit.cli.command import shared_options
from secretkit.generators import KINDS
from secretkit.project.reading import ENTRYPOINT
from tests.cli.test_contract import ALL

DOCS = Path(__file__).parents[2] / "docs"
COMMANDS = (DOCS / "commands.md").read_text()
FILE = (DOCS / "secretkit-toml.md").read_text()


def usages() -> dict[str, str]:
    """By command, the part of the page that begins with its usage line."""
    found = {}
    for path in ALL:
        name = " ".join(path)
        start = re.search(rf"(?:^|· )`(?:secretkit )?{name}[ `]", COMMANDS, re.MULTILINE)
        assert start, f"docs/commands.md has no usage of {name}"
        end = COMMANDS.find("\n## ", start.start())
        found[name] = COMMANDS[start.start() : end if end > 0 else None]
    return found


def test_every_option_is_described() -> None:
    """Each command's own options stand in its part of the page; the shared ones at the head."""
    shared = {name for option in shared_options() for name in option.opts}
    head = COMMANDS[: COMMANDS.index("\n## init")]
    assert [name for name in sorted(shared) if f"`{name}" not in head] == []
    for name, text in usages().items():
        for parameter in ALL[tuple(name.split())].params:
            if isinstance(parameter, click.Option):
                own = set(parameter.opts) - shared
                assert [option for option in own if option not in text] == [], name


def test_no_option_is_made_up() -> None:
    """An option in the page is one that a command has, or the shim."""
    known = {"--help", "--version", "--env", "-h", "-q"}
    for command in ALL.values():
        known |= {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z0-9-]+[a-z0-9]", COMMANDS)) - known == set()


def test_every_generator_is_described() -> None:
    """The table of generators has a row for each kind, in the code's order."""
    part = COMMANDS[COMMANDS.index("### Generators") :]
    assert re.findall(r"^\| `([a-z0-9-]+)", part, re.MULTILINE)[: len(KINDS)] == list(KINDS)


def test_every_key_of_the_file_is_described() -> None:
    """The page has every key of [entrypoint], and its example is a valid file."""
    part = FILE[FILE.index("### `[entrypoint]`") :]
    assert set(re.findall(r"^\| `([a-z_]+)`", part, re.MULTILINE)) == set(ENTRYPOINT)
    example = FILE.split("```toml\n", 1)[1].split("```", 1)[0]
    assert set(tomllib.loads(example)) == {"engine", "secrets", "entrypoint", "dev"}


def test_the_example_is_accepted(tmp_path: Path) -> None:
    """The page's example is read without complaint."""
    example = FILE.split("```toml\n", 1)[1].split("```", 1)[0]
    (tmp_path / "secretkit.toml").write_text(example)
    assert list(project.load(tmp_path).secrets) == ["db-password", "web", "smtp-password"]

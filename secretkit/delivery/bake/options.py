"""Options of the shim, and the files that they and `[entrypoint]` ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from secretkit.errors import UsageError
from secretkit.project.reading import ENTRYPOINT, takes_argument

from ..shim import command

_HINT = "`secretkit run --help` has all of them"
# How the shim speaks of what is wrong in every container.
_WRONG = re.compile(
    r" takes (?:[A-Z]{2}|seconds|restart)|names no |cannot be the name of|cannot be one: it"
    r"|is refused|is not one: write|unknown format|it needs a password|of which type|--allow-argv"
)
_NO_COMMAND = "/secretkit-no-such-command"
NAMES = sorted(
    f"--{key.replace('_', '-')}" for key in {*ENTRYPOINT, "config", "allow_name"} - {"allow_names"}
)
FILES = ("render", "keystore")  # the keys whose entries are written at a start


class Option(NamedTuple):
    """One option of the shim as somebody wrote it."""

    name: str  # "--env"
    argument: str | None

    @property
    def words(self) -> tuple[str, ...]:
        """As it stands in an ENTRYPOINT."""
        return (self.name,) if self.argument is None else (self.name, self.argument)


def split(words: Sequence[str]) -> tuple[list[str], list[Option]]:
    """Takes the options of the shim out of a command line: the other words, and they.

    They are told by their names; what follows `--` is left alone.
    """
    rest: list[str] = []
    found: list[Option] = []
    left = iter(words)
    for word in left:
        name, equals, argument = word.partition("=")
        if word == "--":
            rest += [word, *left]
        elif name not in NAMES:
            rest.append(word)
        elif not takes_argument(name):
            if equals:
                raise UsageError(f"{name} takes no argument")
            found.append(Option(name, None))
        else:
            argument = argument if equals else next(left, "")
            if not argument:
                raise UsageError(f"{name} needs an argument", hint=_HINT)
            found.append(Option(name, argument))
    return rest, found


def check(options: Sequence[Option], table: Mapping[str, Any]) -> None:
    """Lets the shim read options and `[entrypoint]`, together.

    Raises UsageError with what it says of them. What else it says is about a start, which this is
    not: there are no secrets, and no users and folders of the image.
    """
    import json
    import subprocess
    import tempfile

    if table and any(option.name == "--config" for option in options):
        raise UsageError(
            "--config and --from-project exclude each other",
            hint="[entrypoint] becomes the shim's config file",
        )
    prefixes = [one.argument or "" for one in options if one.name == "--env-prefix"]
    for prefix in (*prefixes, str(table.get("env_prefix", ""))):
        if prefix and not re.fullmatch(r"(?a:[A-Za-z_]\w*)", prefix):
            raise UsageError(
                f"no name of a variable can begin with --env-prefix {prefix!r}",
                hint="letters, digits and _, not starting with a digit, for example APP_",
            )
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as beside:
        config = Path(beside, "entrypoint.json")
        config.write_text(json.dumps(table))
        words = [word for option in options for word in option.words if option.name != "--config"]
        given = [*command(), "--explain", "--config", str(config), *words]
        # The last thing that it says is of this command, if it came that far.
        given += ["--secrets-dir", folder, "--allow-disk", "--", _NO_COMMAND]
        done = subprocess.run(  # noqa: S603 - an argv of ours
            given, env={}, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
    said = done.stderr.decode(errors="replace").replace(f"config {config}", "[entrypoint]")
    said = said.replace(folder, "the mount")
    for line in said.splitlines() or ["it says nothing"]:
        if _NO_COMMAND not in said or _WRONG.search(line):
            reason = line.removeprefix("secretkit-entrypoint: error: ")
            raise UsageError(f"the shim refuses its options: {reason}", hint=_HINT)


class Entry(NamedTuple):
    """One file to write at a start, of an option or of `[entrypoint]`."""

    source: str | None  # the template; None: a keystore has none
    destination: str


def entries(options: Sequence[Option], table: Mapping[str, Any]) -> Iterator[Entry]:
    """All files that a start writes."""
    for option in options:
        if option.name[2:] in FILES:
            yield _entry(option)
    for key in FILES:
        for one in table.get(key, ()):
            yield Entry(one.get("source"), one["destination"])


def with_files(
    options: Sequence[Option], table: Mapping[str, Any], files: Mapping[Entry, Entry]
) -> tuple[list[Option], dict[str, Any]]:
    """Options and table with other paths for their files."""
    replaced = []
    for option in options:
        if option.name[2:] in FILES and option.argument is not None:
            _, comma, settings = option.argument.partition(",")
            paths = [path for path in files[_entry(option)] if path is not None]
            option = option._replace(argument=":".join(paths) + comma + settings)  # noqa: PLW2901
        replaced.append(option)
    changed = dict(table)
    for key in set(FILES) & table.keys():
        rows = []
        for one in table[key]:
            found = files[Entry(one.get("source"), one["destination"])]
            rows.append(one | {name: at for name, at in found._asdict().items() if at is not None})
        changed[key] = rows
    return replaced, changed


def _entry(option: Option) -> Entry:
    files = (option.argument or "").partition(",")[0]
    if option.name == "--keystore":
        return Entry(None, files)
    source, _, destination = files.partition(":")
    return Entry(source, destination)

"""A script and the table that it is converted to start the program with the same things."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from secretkit.delivery.scripts.conversion import Conversion, toml
from secretkit.delivery.scripts.convert import convert
from secretkit.delivery.shim import command
from secretkit.errors import UsageError
from secretkit.project import entrypoint_json, load
from tests.needs import need_program

from .scripts import ARGUMENTS, GIVEN, SCRIPTS, SECRETS, Given

# What the program was started with goes to files in $OUT. A shell adds to the environment what is
# left out here.
PROBE = """#!/bin/sh
printf '%s\\n' "$@" > "$OUT/argv"
cat /proc/$$/environ > "$OUT/environ"
[ "$1" != stdin ] || cat > "$OUT/stdin"
"""
SHELLS_OWN = {"PWD", "OLDPWD", "SHLVL", "_", "OUT", "APP", "PATH"}
NASTY = b"p&w/o \\1 \\n \"x\" 'y' $HOME `id` $(id) * ; \xff\n two\n\n"


# The scripts that set variables and do nothing else with a secret.
CONVERTED = {name: convert("entrypoint.sh", text) for name, text in SCRIPTS.items()}
VARIABLES = [n for n, one in CONVERTED.items() if one.env and not one.renderings and not one.arg]
VARIABLES.remove("json-and-base64")  # which knows what is in its secrets


class Seen(NamedTuple):
    """What the program was started with, and the files in /app."""

    argv: str
    environ: dict[str, bytes]
    files: dict[str, bytes]
    stdin: bytes


class Ground:
    """A mount with secrets and an /app, for one script or its table."""

    def __init__(self, folder: Path, given: Given, secrets: dict[str, bytes]) -> None:
        self.folder = folder
        self.given = given
        self.mount, self.app, self.out = (folder / name for name in ("secrets", "app", "out"))
        for one in (self.mount, self.app, self.out, folder / "bin"):
            one.mkdir(parents=True)
        for name, value in secrets.items():
            (self.mount / name).write_bytes(value)
        for name, text in given.files:
            (self.app / name).write_text(text)
        probe = folder / "bin" / "probe"
        probe.write_text(PROBE)
        probe.chmod(0o755)

    def local(self, text: str) -> str:
        """A text with the folders of this ground instead of a container's."""
        text = text.replace("/run/secrets", str(self.mount))
        return text.replace("/app/", f"{self.app}/")

    def run(self, words: Sequence[str]) -> Seen:
        environ = {name: self.local(value) for name, value in self.given.environ}
        path = f"{self.folder / 'bin'}:/usr/bin:/bin"
        done = subprocess.run(
            list(words),
            cwd=self.folder,
            env={"PATH": path, "OUT": str(self.out), **environ},
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        block = (self.out / "environ").read_bytes().split(b"\0")[:-1]
        pairs = dict(entry.split(b"=", 1) for entry in block)
        stdin = self.out / "stdin"
        return Seen(
            (self.out / "argv").read_text(),
            {k.decode(): v for k, v in pairs.items() if k.decode() not in SHELLS_OWN},
            {one.name: one.read_bytes() for one in self.app.iterdir() if one.is_file()},
            stdin.read_bytes() if stdin.exists() else b"",
        )

    def original(self, text: str) -> Seen:
        """The script itself."""
        script = self.folder / "entrypoint.sh"
        script.write_text(self.local(text))
        script.chmod(0o755)
        return self.run([str(script), *ARGUMENTS])

    def converted(self, made: Conversion, more: str = "") -> Seen:
        """The table, as secretkit.toml, by the shim; templates changed as is said."""
        (self.folder / "secretkit.toml").write_text(self.local(toml(made)) + more)
        for name, text in made.templates.items():
            (self.folder / name).write_text(text)
        for name, change in made.replacements:
            path = Path(self.local(name))
            path.write_text(path.read_text().replace(change.written, change.write))
        config = self.folder / "entrypoint.json"
        config.write_bytes(entrypoint_json(load(self.folder), absolute=True))
        options = ["--config", str(config), "--secrets-dir", str(self.mount), "--allow-disk", "--"]
        assert made.command is not None
        arguments = ARGUMENTS if made.arguments else ()
        return self.run([*command(sys.executable), *options, *made.command, *arguments])


def said(made: Conversion) -> tuple[int, ...]:
    found = [one.place.line for one in made.findings if one.rule == "not-translated"]
    return tuple(dict.fromkeys(found))


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_table_does_what_the_script_does(tmp_path: Path, name: str) -> None:
    """Arguments, environment, files and standard input of the program are the same.

    What is not translated is said with its line; nothing else is.
    """
    text, given = SCRIPTS[name], GIVEN.get(name, Given())
    if "envsubst" in text:
        need_program("envsubst")
    made = convert("entrypoint.sh", text)
    assert given.said == said(made), made.findings
    before = Ground(tmp_path / "before", given, SECRETS).original(text)
    after = Ground(tmp_path / "after", given, SECRETS).converted(made)
    untranslated = {"URL", "LANG_"} if given.said else set()
    kept = {k: v for k, v in before.environ.items() if k not in untranslated}
    assert (before.argv, kept, before.stdin) == (after.argv, after.environ, after.stdin)
    templates = {path.removeprefix("/app/") for path, _ in made.replacements}
    templates -= {one.destination.removeprefix("/app/") for one in made.renderings}
    files = {k: v for k, v in before.files.items() if k not in templates}
    assert files == {k: v for k, v in after.files.items() if k not in templates}


@pytest.mark.parametrize("name", VARIABLES)
def test_any_value_reaches_the_variable(tmp_path: Path, name: str) -> None:
    """Whatever is in a value, the variables have all of it, but for one newline at its end."""
    made = CONVERTED[name]
    secrets = dict.fromkeys(SECRETS, NASTY)
    seen = Ground(tmp_path, GIVEN.get(name, Given()), secrets).converted(made)
    present = {k for k, secret in made.env.items() if secret in SECRETS}
    assert {k: seen.environ[k] for k in present} == dict.fromkeys(present, NASTY[:-1])


def test_any_value_reaches_the_file(tmp_path: Path) -> None:
    """With the format that the file has, a program reads what the secret holds."""
    value = NASTY.decode(errors="ignore").rstrip("\n")
    given = Given(files=(("whoami.conf", 'password: "<<db_password_value>>"\n'),))
    made = convert("entrypoint.sh", SCRIPTS["sed-i"])
    ground = Ground(tmp_path, given, {"db_password": value.encode()})
    seen = ground.converted(made, 'format = "yaml"\n')
    assert yaml.safe_load(seen.files["whoami.conf"]) == {"password": value}


@pytest.mark.parametrize(
    ("text", "said"),
    {
        "": "empty",
        " \n": "empty",
        "#!/usr/bin/python3\n": "no script",
        "\x7fELF\0": "no script",
    }.items(),
    ids=repr,
)
def test_what_is_no_script_is_one_error(text: str, said: str) -> None:
    """An empty file, a binary and another language are refused, with a hint."""
    with pytest.raises(UsageError, match=said) as caught:
        convert("e.sh", text)
    assert caught.value.hint


def test_the_user_is_the_shims(tmp_path: Path) -> None:
    """su-exec and gosu become `user`; what follows them is the program."""
    made = convert("e.sh", 'exec su-exec app:app "$@"')
    assert (made.user, made.command, made.arguments) == ("app:app", [], True)
    made = convert("e.sh", "exec gosu app probe -x\n")
    assert (made.user, made.command, made.arguments) == ("app", ["probe", "-x"], False)
    (tmp_path / "secretkit.toml").write_text(toml(made))
    assert load(tmp_path).entrypoint == tomllib.loads(toml(made))["entrypoint"]


DOUBTFUL = (
    'if [ "$1" = app ]; then shift; fi\nexec "$@"',
    'set -- app "$@"\nexec "$@"',
    'if [ -f /run/secrets/a ]; then exec a; fi\n[ "$X" ] && exec b',
    "exit 0\nexec app &",
    "app &\nwait",
    'exec app "${@:2}"',
    'exec app "$*"',
    'exec app --port "$PORT"',
    "exec app *.conf",
    "run() { app; }\nrun now",
    "exec 2>&1",
    "trap stop TERM\nsleep 5",
    "exec app > /log",
    "exec app --password=hunter2hunter2",
)


@pytest.mark.parametrize("text", DOUBTFUL)
def test_no_program_is_guessed(text: str) -> None:
    """Where the arguments or the program depend on the run, none is named, and that is said."""
    made = convert("e.sh", text)
    assert made.command is None
    assert made.instructions == []
    assert said(made)


@pytest.mark.parametrize(
    "text",
    [
        'X=$(cat /run/secrets/a)\nif [ "$E" ]; then X=$(cat /run/secrets/b); fi\nexport X',
        "case $1 in a) X=$(cat /run/secrets/a);; esac\nexport X",
        'PW=$(cat /run/secrets/a)\nexport X="${PW:-none}"',
        "export X=$(cat /run/secrets/a | cut -c1-8)",
        "export X=$(head -n1 /run/secrets/a)",
        "for i in 1 2; do export X=$(cat /run/secrets/a); done",
        "export $NAME=$(cat /run/secrets/a)",
        'while read -r l; do export X="$l"; done < /run/secrets/a',
        "for f in /run/secrets/*; do export $(basename $f)=$(cat $f); done",
        'sed -i "s/^password=.*/password=$(cat /run/secrets/a)/" /app/x',
        'sed -i "/x/s/y/$(cat /run/secrets/a)/" /app/x',
        'echo "password=$(cat /run/secrets/a)" >> /app/x',
        "cat > /app/x <<E\n<<not_mine>> $(cat /run/secrets/a)\nE",
        'cat > "/app/$1" <<E\n$(cat /run/secrets/a)\nE',
    ],
)
def test_what_is_not_certain_is_not_translated(text: str) -> None:
    """It is said, and no variable and no file comes of it."""
    made = convert("e.sh", text + "\nexec app")
    assert said(made)
    assert made.table == {"no_env": True}
    assert made.renderings == []


@pytest.mark.parametrize(
    "text",
    [
        "X=plain\n[ -f /run/secrets/a ] && X=$(cat /run/secrets/a)\nexport X",
        "[ -f /run/secrets/a ] && export X=$(cat /run/secrets/a)\nX=$(cat /run/secrets/b)",
        "X=$(cat /run/secrets/a)\nunset X\nexport Y=$X",
        "set -a\nX=$(cat /run/secrets/a)\nreadonly X=plain",
    ],
)
def test_a_variable_with_two_values_is_left_to_the_user(text: str) -> None:
    """Which value it has depends on what is mounted, or on the order: none is chosen."""
    made = convert("e.sh", text + "\nexec app")
    assert said(made)
    assert made.env == {}


def test_a_file_gets_no_value_that_is_set_later() -> None:
    """A variable that the script sets only after it wrote the file is not taken for a secret."""
    text = 'echo "p=$X" > /app/e\nexport X=$(cat /run/secrets/a)\nexec app'
    made = convert("e.sh", text)
    assert (said(made), made.renderings) == ((1,), [])

"""What holds for every command: help, options, errors, streams, exit codes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from secretkit import errors
from secretkit.cli import COMMANDS, root
from secretkit.cli.command import Command, Group
from secretkit.cli.exits import EXITS, code_of
from tests.cli.program import EXECUTABLE, Program

FORBIDDEN = ("cryptography", "docker", "jinja2", "sqlite3", "rich", "json", "secretkit.store")
FORBIDDEN += ("secretkit.engines", "secretkit.rotation")


def commands(
    group: click.Command = root, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Every command and subcommand, with its path."""
    assert isinstance(group, Group)
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, Group):
            yield from commands(command, (*path, name))
        else:
            assert isinstance(command, Command)
            yield (*path, name), command


ALL = dict(commands())
PATHS = [pytest.param(path, id=" ".join(path)) for path in ALL]


def test_the_commands_are_those_of_the_contract() -> None:
    """No command is listed that this version does not have, and none is missing."""
    plain = "init create ls inspect show rotate rollback prune rm run render check backup restore"
    plain += " audit doctor completion help push adopt services bake lint"
    grouped = {
        "key": "ls add rm rotate",
        "dev": "overrides up down status run watch compose",
        "shim": "export convert",
    }
    grouped["compose"] = "sync"
    grouped["stack"] = "deploy diff env lint"
    grouped["config"] = "create rotate rollback prune ls inspect show"
    expected = [(name,) for name in plain.split()]
    expected += [(group, name) for group, names in grouped.items() for name in names.split()]
    assert sorted(ALL) == sorted(expected)


@pytest.mark.parametrize("path", PATHS)
def test_help_has_an_example_that_parses(path: tuple[str, ...], bare: Program) -> None:
    """`--help` ends in a worked example, and the command takes the example's arguments."""
    done = bare.ok(*path, "--help")
    assert done.err == ""
    example = done.text.split("Example:\n", 1)[1]
    line = next(line for line in example.splitlines() if line.strip().startswith("$ "))
    words = shlex.split(line.strip().removeprefix("$ "), comments=True)
    words = words[: next((i for i, word in enumerate(words) if word in "|>"), len(words))]
    assert words[: len(path) + 1] == ["secretkit", *path]
    arguments = words[len(path) + 1 :]
    ALL[path].make_context(" ".join(path), arguments, parent=click.Context(root))


@pytest.mark.parametrize("path", PATHS)
def test_the_listed_line_is_the_commands_own(path: tuple[str, ...], bare: Program) -> None:
    """What a group's help says of a command is there, and every option has a text."""
    listed = bare.ok(*path[:-1], "--help").text.split("Commands:\n", 1)[1]
    assert re.search(rf"^  {path[-1]} +\S", listed, re.MULTILINE)
    assert "..." not in listed
    for parameter in ALL[path].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path}: {parameter.opts}"


@pytest.mark.parametrize("path", PATHS)
def test_no_option_takes_a_value(path: tuple[str, ...]) -> None:
    """No option is there to hold a secret's value or a passphrase."""
    for parameter in ALL[path].params:
        if isinstance(parameter, click.Option) and not parameter.is_flag:
            assert not re.search("value|password|secret|passphrase", " ".join(parameter.opts)) or (
                parameter.metavar == "FILE|-"  # adopt --value: where it is
            )


def test_alone_it_shows_its_help(bare: Program) -> None:
    """`secretkit` and `secretkit dev` show what there is, as `--help` does."""
    assert bare.ok().out == bare.ok("--help").out == bare.ok("help").out
    assert bare.ok("dev").out == bare.ok("dev", "-h").out == bare.ok("help", "dev").out


def test_help_imports_nothing_heavy() -> None:
    """`secretkit --help` loads no store, no cryptography, no command."""
    code = (
        "import sys; from secretkit.cli import run; run(['--help']);"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert [name for name in FORBIDDEN if name in loaded] == []
    modules = {entry[0].partition(":")[0] for entry in COMMANDS.values()}
    assert {f"secretkit.cli.{name}" for name in modules} & loaded == set()


def test_show_imports_nothing_that_it_does_not_need(cli: Program) -> None:
    """`secretkit show` loads neither TOML, JSON, rich, generators nor dev folders."""
    cli.create("db")
    code = (
        "import sys; from secretkit.cli import run; run(['show', 'db']);"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=cli.folder,
        env=cli.environ,
    )
    unwanted = {"json", "tomllib", "rich", "jinja2", "secretkit.mount", "secretkit.generators"}
    unwanted |= {"docker", "secretkit.engines", "secretkit.rotation"}
    assert set(done.stderr.split()) & unwanted == set()
    assert done.stdout == "v1"


def test_the_exit_codes_are_one_table(bare: Program) -> None:
    """`help exit-codes` prints the table from which errors are mapped."""
    assert bare.ok("help", "exit-codes").text == (
        "CODE   WHEN\n"
        "0      done\n"
        "1      any other error; interrupted\n"
        "2      usage, invalid name, invalid project file\n"
        "3      secret, version, service, project or dev folder not found\n"
        "4      conflict: exists, in use, rotation in progress, concurrent change\n"
        "5      engine unreachable, refused, or cannot do it\n"
        "6      a rollout failed; the message says what was rolled back\n"
        "7      the store is locked by a wrong key, tampered with, or damaged\n"
    )
    assert bare.ok("--json", "help", "exit-codes").json == [
        {"code": code, "when": when} for code, when, _ in EXITS
    ]


def test_every_error_has_its_code() -> None:
    """Each class of error maps to the code of its family."""

    def family(kind: type[BaseException]) -> Iterator[type[BaseException]]:
        yield kind
        for child in kind.__subclasses__():
            yield from family(child)

    expected = {
        errors.UsageError: 2,
        errors.NotFoundError: 3,
        errors.ConflictError: 4,
        errors.EngineError: 5,
        errors.NamespaceError: 5,
        errors.RolloutFailedError: 6,
        errors.StoreError: 7,
    }
    for kind in family(errors.SecretkitError):
        bases = [code for base, code in expected.items() if issubclass(kind, base)]
        assert [code_of(kind.__new__(kind))] == (bases or [1]), kind


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["shw"], "no such command, shw", "did you mean show? `secretkit --help` shows how"),
        (
            ["dev", "upp"],
            "no such command, upp",
            "did you mean up? `secretkit dev --help` shows how",
        ),
        (
            ["help", "shw"],
            "no such command, shw",
            "did you mean show? `secretkit --help` shows how",
        ),
        (
            ["ls", "--jsn"],
            "no such option, --jsn",
            "did you mean --json? `secretkit ls --help` shows how",
        ),
        (["c4n4ry"], "no such command", "`secretkit --help` shows how"),
        (["help", "c4n4ry"], "no such command", "`secretkit --help` shows how"),
        (["create", "db", "--c4n4ry"], "no such option", "`secretkit create --help` shows how"),
        (["create", "db", "--canary"], "no such option", "`secretkit create --help` shows how"),
        (
            ["ls", "--engine", "c4n4ry"],
            "invalid value for '--engine': not local or swarm",
            "`secretkit ls --help` shows how",
        ),
        (
            ["completion", "c4n4ry"],
            "invalid value for '{bash|zsh|fish}': not bash or zsh or fish",
            "`secretkit completion --help` shows how",
        ),
        (
            ["create", "c4n4ry!"],
            "invalid secret name: letters, digits, '-', '_' and '.' only, and a letter or digit at"
            " both ends",
            "for example db-password",
        ),
        (["create"], "missing argument 'NAME'", "`secretkit create --help` shows how"),
        (["rm"], "missing argument 'NAME...'", "`secretkit rm --help` shows how"),
        (
            ["show", "db", "--version", "c4n4ry"],
            "invalid value for '--version': not a number from 1",
            "`secretkit show --help` shows how",
        ),
        (
            ["ls", "c4n4ry", "b"],
            "too many arguments for `secretkit ls`, 2 more than it takes",
            "`secretkit ls --help` shows how",
        ),
        (
            ["create", "db", "--value", "c4n4ry"],
            "no such option, --value",
            'a value is never an argument: name a file, or printf %s "$VALUE" |'
            " secretkit create NAME -",
        ),
        (
            ["rotate", "db", "--password=c4n4ry"],
            "no such option, --password",
            'a value is never an argument: name a file, or printf %s "$VALUE" |'
            " secretkit rotate NAME -",
        ),
        (
            ["create", "db", "-pc4n4ry"],
            "no such option, -p",
            'a value is never an argument: name a file, or printf %s "$VALUE" |'
            " secretkit create NAME -",
        ),
        (["create", "db", "--C4n4ry"], "no such option", "`secretkit create --help` shows how"),
        (
            ["create", "db", "c4n4ry"],
            "no such file, and what follows the name is a file's",
            'a value is never an argument: name a file, or printf %s "$VALUE" |'
            " secretkit create db -",
        ),
        (
            ["create", "db", "c4n4ry" * 1000],
            "no such file, and what follows the name is a file's",
            'a value is never an argument: name a file, or printf %s "$VALUE" |'
            " secretkit create db -",
        ),
        (
            ["create", "db", "-", "c4n4ry"],
            "too many arguments for `secretkit create`, 1 more than it takes",
            "`secretkit create --help` shows how",
        ),
        (
            ["create", "db", "--generate", "c4n4ry"],
            "no such generator",
            "generators: password, password-symbols, hex, base64, urlsafe, uuid, pin, ed25519, rsa,"
            " tls, jwt-key, fernet",
        ),
        (
            ["create", "db", "--label", "c4n4ry", "--generate", "pin"],
            "a label is K=V",
            "for example --label team=core",
        ),
        (
            ["--engine", "nomad", "ls"],
            "invalid value for '--engine': not local or swarm",
            "`secretkit --help` shows how",
        ),
        (
            ["--json", "completion", "bash"],
            "`secretkit completion` has no --json",
            "`secretkit completion --help` shows how",
        ),
        (["dev", "up", "--mode", "0777"], "--mode is for reading only", "0444, 0440 or 0400"),
        (["dev", "up", "--mode", "c4n4ry"], "--mode is for reading only", "0444, 0440 or 0400"),
        (["key", "add"], "which key", "give --key-file PATH, --passphrase or --credential"),
        (
            ["rm", "a", "b", "--version", "1"],
            "--version is for one secret",
            "remove them one by one",
        ),
        (["run"], "no command to run", "secretkit run -- COMMAND"),
        (
            ["render"],
            "nothing to render",
            "name SRC:DEST, or write [[entrypoint.render]] in the file",
        ),
        (["render", "a"], "a rendering is SRC:DEST", "for example app.conf:/run/app.conf"),
        (
            ["restore"],
            "nothing to restore from",
            "name a backup; to trust the store as it is: secretkit restore --accept-rollback",
        ),
    ],
)
def test_usage_errors(cli: Program, arguments: list[str], message: str, hint: str) -> None:
    """A wrong line is answered by one line and a hint, exit 2, and nothing of it that may be a
    value is repeated."""
    done = cli(*arguments)
    assert done.code == 2
    assert done.lines == [f"secretkit: error: {message}", f"hint: {hint}"]
    assert done.out == b""
    assert "c4n4ry" not in done.err.lower()


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "../a", "db-v2", "a" * 59, "ä", "a\nb"])
def test_invalid_names(cli: Program, name: str) -> None:
    """A name that no secret can have is refused with exit 2 on one line."""
    done = cli("create", "--generate", "pin", "--", name)
    assert done.code == 2
    assert done.lines[0].startswith("secretkit: error: invalid secret name")
    assert len(done.lines) <= 2
    assert cli.ok("ls", "--json").json == []


@pytest.mark.parametrize(
    "arguments",
    [["show"], ["inspect"], ["rotate", "--generate", "pin"], ["rollback"], ["rm"], ["prune"]],
)
def test_a_secret_that_is_not_there(cli: Program, arguments: list[str]) -> None:
    """Exit 3, with the nearest name."""
    cli.create("db-password")
    done = cli(arguments[0], "db-pasword", *arguments[1:])
    assert done.code == 3
    assert done.lines == [
        "secretkit: error: no such secret, db-pasword",
        "hint: did you mean db-password?",
    ]


def test_a_backup_that_is_not_there_is_not_repeated(cli: Program) -> None:
    """Exit 3; what was given may be a value."""
    done = cli("restore", "c4n4ry")
    assert done.code == 3
    assert done.lines == [
        "secretkit: error: no such file, and what follows `restore` is a backup's"
    ]


@pytest.mark.parametrize("command", ["show", "rotate", "rollback", "prune", "rm", "inspect"])
def test_a_name_that_is_not_unicode(cli: Program, command: str) -> None:
    """Bytes that no name can have are an invalid name."""
    done = cli(command, os.fsdecode(b"a\xff"))
    assert done.code == 2
    assert done.lines[0].startswith("secretkit: error: invalid secret name: ")


@pytest.mark.parametrize(
    ("words", "found"),
    [("secretkit help e", ["exit-codes"]), ("secretkit help key a", ["add"])],
)
def test_help_topics_are_completed(bare: Program, words: str, found: list[str]) -> None:
    """Commands, their subcommands and `exit-codes` follow `help`."""
    done = bare.ok(
        _SECRETKIT_COMPLETE="bash_complete",
        COMP_WORDS=words,
        COMP_CWORD=str(words.count(" ")),
    )
    assert done.text.splitlines() == [f"plain,{word}" for word in found]


def test_completing_by_hand(cli: Program) -> None:
    """The variable of the completion scripts alone is a usage error."""
    done = cli(_SECRETKIT_COMPLETE="bash_complete")
    assert done.code == 2
    assert done.lines[1] == "hint: it is for the scripts of `secretkit completion`: unset it"


def test_nobody_hears_the_error(cli: Program) -> None:
    """With stderr full the exit code is the same."""
    for command, code in (("show db --version 99", 3), ("create a! -", 2)):
        done = subprocess.run(
            ["/bin/sh", "-c", f"{EXECUTABLE} {command} 2> /dev/full"],
            cwd=cli.folder,
            env=cli.environ,
            check=False,
        )
        assert done.returncode == code


def test_interrupted_while_it_loads(bare: Program) -> None:
    """Ctrl-C before the program has read itself is one line too."""
    code = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'click': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "import secretkit.cli\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "secretkit: error: interrupted\n")


INTERRUPTED = """
import sys
class Interrupts:
    def __set_name__(self, owner, name): raise KeyboardInterrupt
class Interrupted:
    def find_spec(self, name, *_):
        if name == '{}': type('Made', (), {{'it': Interrupts()}})
sys.meta_path.insert(0, Interrupted())
from secretkit.cli import main
sys.argv = ['secretkit', 'ls']
main()
"""


@pytest.mark.parametrize("module", ["click", "secretkit.cli.command", "secretkit.cli.listing"])
def test_interrupted_while_a_class_is_made(module: str, cli: Program) -> None:
    """What Python makes of Ctrl-C there (before 3.12 RuntimeError) is no defect."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(module)],
        cwd=cli.folder,
        env=cli.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "secretkit: error: interrupted\n")


def test_nothing_slow_goes_before_the_program(cli: Program) -> None:
    """Ctrl-C is one line from `secretkit.cli` on; what is loaded before it is next to nothing."""
    code = "import secretkit, sys; print('typing' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-Sc", code],
        env=cli.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


def test_too_little_memory(cli: Program) -> None:
    """However little there is (RLIMIT_AS), it is said, and is no defect."""
    said = set()
    for size in range(16, 128, 3):
        done = subprocess.run(
            ["prlimit", f"--as={size << 20}", EXECUTABLE, "ls"],
            cwd=cli.folder,
            env=cli.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "defect" not in done.stderr, size
        said.add(done.stderr)
        if done.returncode == 0:
            break
    assert done.returncode == 0
    assert "secretkit: error: not enough memory\n" in said


def test_a_home_inside_the_project(bare: Program) -> None:
    """No key goes into the project, nor to a place that depends on the current folder."""
    environ = {"HOME": str(bare.folder), "XDG_CONFIG_HOME": ""}
    done = bare("init", **environ)
    assert done.code == 2
    assert done.lines[0].startswith("secretkit: error: the key would be inside the project, ")
    done = bare("init", HOME="here", XDG_CONFIG_HOME="")
    assert done.code == 2
    assert done.lines[0].startswith("secretkit: error: no place for the key, HOME is not absolute")
    assert list(bare.folder.iterdir()) == []
    bare.ok("init", "--key-file", "../key", **environ)


def test_without_a_project(bare: Program) -> None:
    """Exit 3, with the folder where the search began."""
    done = bare("ls")
    assert done.code == 3
    assert done.lines == [
        f"secretkit: error: no secretkit project in {bare.folder} or above it",
        "hint: `secretkit init` makes one here; --project DIR names another",
    ]


def test_a_folder_that_is_named_is_not_looked_above(cli: Program) -> None:
    """The message says so; a name that is empty is a usage error."""
    below = cli.folder / "below"
    below.mkdir()
    named = "names the project's own folder; `secretkit init` makes a project"
    for done, by in (
        (cli("--project", str(below), "ls"), "--project"),
        (cli("ls", SECRETKIT_PROJECT=str(below)), "SECRETKIT_PROJECT"),
    ):
        assert done.code == 3
        assert done.lines == [
            f"secretkit: error: no secretkit project in {below}",
            f"hint: {by} {named}",
        ]
    done = cli("ls", "--project", "")
    assert (done.code, done.lines) == (2, ["secretkit: error: --project names no folder"])


def test_shared_options_before_and_after(cli: Program) -> None:
    """--project, --json, --quiet stand before the command or after it."""
    elsewhere = cli.folder.parent
    project = ["--project", str(cli.folder)]
    for arguments in (
        [*project, "--json", "ls"],
        [*project, "ls", "--json"],
        ["ls", *project, "--json"],
    ):
        assert cli.ok(*arguments, folder=elsewhere).json == []
    assert cli.ok("key", "--json", "ls", *project, folder=elsewhere).json[0]["number"] == 1
    assert cli.ok("ls", "--json", folder=elsewhere, SECRETKIT_PROJECT=str(cli.folder)).json == []
    assert cli("ls", "--project", str(elsewhere)).code == 3


def test_found_from_below(cli: Program) -> None:
    """From a folder below, the project above is meant."""
    below = cli.folder / "a" / "b"
    below.mkdir(parents=True)
    assert cli.ok("ls", "--json", folder=below).json == []


def test_quiet_silences_talk_only(cli: Program) -> None:
    """--quiet leaves stdout and errors."""
    loud = cli.ok("create", "a", "-", input=b"x\n")
    quiet = cli.ok("create", "b", "-", "--quiet", input=b"x\n")
    assert loud.lines == ["secretkit: dropped one newline at the end (--keep-newline keeps it)"]
    assert (quiet.text, quiet.err) == ("b v1\n", "")
    assert cli("-q", "show", "c").lines[0] == "secretkit: error: no such secret, c"


def test_an_unknown_engine_in_the_environment(cli: Program) -> None:
    """Production is never guessed: an engine that is not there is refused before anything."""
    done = cli("create", "a", "--generate", "pin", SECRETKIT_ENGINE="nomad")
    assert done.code == 2
    assert done.lines == [
        "secretkit: error: no such engine, from SECRETKIT_ENGINE",
        "hint: engines of this version: local, swarm",
    ]
    assert cli.ok("ls", "--json").json == []


def test_a_closed_stdout(cli: Program) -> None:
    """Nothing is done if its result could not be said."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"{EXECUTABLE} create a --generate pin >&-"],
        cwd=cli.folder,
        env=cli.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "secretkit: error: stdout is closed"
    assert cli.ok("ls", "--json").json == []


def test_closed_stdin_and_stderr(cli: Program) -> None:
    """A closed stdin or stderr harms nothing: no file is opened in its place."""
    for redirection in ("2>&-", "<&-", "<&- 2>&-"):
        done = subprocess.run(
            ["/bin/sh", "-c", f"{EXECUTABLE} ls --json {redirection}"],
            cwd=cli.folder,
            env=cli.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "[]\n")
    assert cli.ok("check", "--json").json["ok"] is True


def test_a_reader_that_stops(cli: Program) -> None:
    """A closed pipe ends the program quietly."""
    for number in range(3):
        cli.create(f"secret-{number}")
    done = subprocess.run(
        ["/bin/bash", "-c", f"for i in 1 2 3; do {EXECUTABLE} ls; sleep 0.1; done | head -c 1"],
        cwd=cli.folder,
        env=cli.environ,
        capture_output=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == (b"N", b"")


def test_a_full_disk_on_stdout(cli: Program) -> None:
    """What could not be written is an error."""
    cli.create("db")
    for command in ("ls", "show db", "audit --json"):
        done = subprocess.run(
            ["/bin/sh", "-c", f"{EXECUTABLE} {command} > /dev/full"],
            cwd=cli.folder,
            env=cli.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (1, "secretkit: error: no space left on device\n")


def test_debug_shows_frames_and_no_values(cli: Program) -> None:
    """--debug shows where an error came from; messages of foreign exceptions are withheld."""
    done = cli("--debug", "show", "nothing")
    assert done.code == 3
    assert "in find" in done.err
    assert done.lines[-2:] == [
        "secretkit: error: no such secret, nothing",
        "hint: `secretkit ls` lists the secrets",
    ]


def test_a_defect_is_said_without_its_message(cli: Program) -> None:
    """An exception that nobody expected is named by its type only, with --debug too."""
    code = (
        "import secretkit.cli, secretkit.cli.listing as listing, sys\n"
        "def broken(self): raise KeyError('c4n4ry')\n"
        "secretkit.cli.App.store = broken\n"
        "sys.exit(secretkit.cli.run(['--debug', 'ls']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cli.folder,
        env=cli.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "c4n4ry" not in done.stderr.replace(code, "")
    assert done.stderr.splitlines()[-3:] == [
        "KeyError (message withheld)",
        "secretkit: error: a defect of secretkit, KeyError",
        "hint: please report it, with what `--debug` shows; it shows no value",
    ]


def test_control_characters_do_not_reach_the_terminal(cli: Program) -> None:
    """A label or path with an escape sequence is shown escaped, on one line."""
    cli.ok("create", "a", "--generate", "pin", "--label", "k=\x1b[31mred\nline")
    assert "k=\\x1b[31mred\\nline" in cli.ok("ls").text
    done = cli("create", "b", "no\x1b[31m")
    assert "\x1b" not in done.err
    done = cli("--project", "/no\x1b[31m", "ls")
    assert done.lines[0] == "secretkit: error: no secretkit project in /no\\x1b[31m"


def test_version(bare: Program) -> None:
    """--version names the program and its version."""
    assert re.fullmatch(r"secretkit \d+\.\d+\.\d+\n", bare.ok("--version").text)


def test_files_stay_small() -> None:
    """A module can be read at a sitting."""
    folder = Path(__file__).parents[2] / "secretkit"
    for path in [*folder.glob("cli/*.py"), *folder.glob("mount/*.py"), *folder.glob("*.py")]:
        assert len(path.read_text().splitlines()) <= 400, path.name

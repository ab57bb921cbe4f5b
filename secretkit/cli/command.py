"""What every command has in common: the shared options, an example, an argument that stays unsaid.

The table `COMMANDS` lets `secretkit --help` list what it does not import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .output import Output

if TYPE_CHECKING:
    from pathlib import Path

    from ..engines.protocol import Engine
    from ..project import Project
    from ..store import Store

LOCAL = "local"
Callback = Callable[..., Any]


class App:
    """One run of the program: what the shared options say, and what they lead to."""

    def __init__(self) -> None:
        self.out = Output()
        self.debug = False
        self.engine: str | None = None
        self.chosen: str | None = None  # --project
        self._project: Project | None = None
        self._passphrase: bytes | None = None

    @property
    def folder(self) -> Path:
        """The project folder: `--project`, SECRETKIT_PROJECT, or upwards from here."""
        from pathlib import Path

        from ..errors import ProjectNotFoundError
        from ..project import FILE, STORE_FOLDER, find_folder

        if self.chosen is None:
            return find_folder()
        folder = Path(self.chosen).resolve()
        if not ((folder / FILE).exists() or (folder / STORE_FOLDER).exists()):
            raise ProjectNotFoundError(str(folder), named="--project")
        return folder

    @property
    def project(self) -> Project:
        """What `secretkit.toml` says; read once, with the engine checked."""
        if self._project is None:
            from ..project import load

            self._project = load(self.folder)
            self.check_engine()
        return self._project

    def reload(self) -> None:
        """Read `secretkit.toml` again.

        Raises InvalidProjectError if it is wrong: then what it said before still counts.
        """
        from ..project import load

        self._project = load(self.folder)

    def check_project(self) -> None:
        """Refuse a `secretkit.toml` that is wrong, and an engine that is not there."""
        _ = self.project

    def check_engine(self) -> str | None:
        """The engine that --engine or SECRETKIT_ENGINE names; refuses one that is not there."""
        import os

        from ..project import ENGINES

        engine = self.engine or os.environ.get("SECRETKIT_ENGINE")
        if engine and engine not in ENGINES:
            raise UsageError(
                "no such engine, from SECRETKIT_ENGINE",
                hint=f"engines of this version: {', '.join(ENGINES)}",
            )
        return engine

    @property
    def engine_name(self) -> str:
        """Where services run: --engine, SECRETKIT_ENGINE, or what `secretkit.toml` says."""
        return self.check_engine() or self.project.engine

    def connect(self, command: str) -> Engine:
        """The engine. Raises UsageError if it is the local one, which `command` cannot use."""
        if self.engine_name == LOCAL:
            raise UsageError(
                f"{command} needs an engine, and this project's is local",
                hint='--engine swarm, or in secretkit.toml: engine = "swarm"',
            )
        from ..engines import load
        from ..errors import ProjectNotFoundError

        try:
            hosts = self.project.hosts
        except ProjectNotFoundError:  # docker's own settings lead to the engine
            hosts = ()
        return load(self.engine_name, hosts=hosts)

    def store(self) -> Store:
        """The project's store, open; asks for its passphrase only if no key file opens it."""
        from .hardening import harden

        harden()
        self.check_engine()
        from ..store import Store

        return Store.open(self.folder, passphrase=self._ask_passphrase)

    def _ask_passphrase(self) -> bytes:
        """Asks once: who opens the store again and again need not type it again and again."""
        from .prompt import ask_passphrase

        if self._passphrase is None:
            self._passphrase = ask_passphrase()
        return self._passphrase


pass_app = click.make_pass_decorator(App)


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Put a shared option where every command finds it, wherever it was written."""
    app = context.find_object(App)
    if app is None or value in (None, False):
        return
    if parameter.name in ("json", "quiet"):
        setattr(app.out, parameter.name, value)
    elif parameter.name == "project":
        if not value:
            raise UsageError("--project names no folder")
        app.chosen = value
    else:
        setattr(app, str(parameter.name), value)


def shared_options(*, reports: bool = True) -> list[click.Option]:
    """The options that are understood before and after a command's name."""
    json = ["--json"], "Report as one JSON document."
    flags = [
        *([json] if reports else []),
        (["-q", "--quiet"], "Say only warnings and errors."),
        (["--debug"], "Show where an error came from, without values."),
    ]
    return [
        click.Option(
            ["--project"],
            metavar="DIR",
            help="The project's folder, instead of the nearest upwards.",
            expose_value=False,
            callback=_remember,
        ),
        click.Option(
            ["--engine"],
            type=click.Choice([LOCAL, "swarm"]),
            help="Where services run; default: as secretkit.toml says, else local.",
            expose_value=False,
            callback=_remember,
        ),
        *(
            click.Option(names, is_flag=True, help=text, expose_value=False, callback=_remember)
            for names, text in flags
        ),
    ]


class Number(click.ParamType[int]):
    """A whole number. What was given instead is not repeated: it may be a value."""

    name = "number"

    def __init__(self, least: int = 1) -> None:
        self.least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        right = text.isascii() and text.isdigit() and 0 < len(text) < 10
        if not right or int(text) < self.least:
            self.fail(f"not a number from {self.least}", param, ctx)
        return int(text)


NUMBER = Number()


class Command(click.Command):
    """A command with the shared options and a worked example."""

    def __init__(self, *args: Any, example: str = "", reports: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += shared_options(reports=reports)
        self.example = example
        self.reports = reports

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        with formatter.section("Example"):
            for line in self.example.strip().splitlines():
                formatter.write(f"  {line.strip()}\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, self._with_defaults(args))
        if rest and not ctx.resilient_parsing:
            raise click.UsageError(self.refusal(ctx, len(rest)), ctx)
        return rest

    def refusal(self, ctx: click.Context, extra: int) -> str:
        """What is said of too many arguments. click would repeat them; one may be a value."""
        return f"too many arguments for `{ctx.command_path}`, {extra} more than it takes"

    def _with_defaults(self, args: list[str]) -> list[str]:
        """An option whose argument may be left out takes it after `=` alone, as getopt_long(3) has
        it: in `--mock DIR` DIR is another argument.
        """
        defaults = {
            name: one.flag_value
            for one in self.params
            if isinstance(one, click.Option) and not one.is_flag and isinstance(one.flag_value, str)
            for name in one.opts
        }
        end = args.index("--") if "--" in args else len(args)
        options = [f"{word}={defaults[word]}" if word in defaults else word for word in args[:end]]
        return [*options, *args[end:]]

    def invoke(self, ctx: click.Context) -> Any:
        app = ctx.find_object(App)
        if app is not None and app.out.json and not self.reports:
            raise click.UsageError(f"`{ctx.command_path}` has no --json", ctx)
        return super().invoke(ctx)


class Launcher(Command):
    """A command that starts another: all that stands after `--`, its parameter `command`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        ctx.params["command"] = tuple(args[end + 1 :])
        return super().parse_args(ctx, args[:end])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "-- COMMAND..."]

    def refusal(self, ctx: click.Context, extra: int) -> str:
        if "command" in ctx.params and not ctx.params["command"]:
            return f"what to start stands after `--`: {ctx.command_path} -- COMMAND"
        return super().refusal(ctx, extra)


@click.pass_context
def _show_help(context: click.Context) -> None:
    app = context.find_object(App)
    if context.invoked_subcommand is None and app is not None:
        app.out.text(context.get_help() + "\n")


class Group(click.Group):
    """A group of commands; `table` names those that are imported only when they are used."""

    command_class = Command

    def __init__(
        self, *args: Any, table: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any
    ) -> None:
        # Alone, a group shows its help.
        kwargs |= {"callback": _show_help, "invoke_without_command": True}
        super().__init__(*args, **kwargs)
        self.params += shared_options()
        self.table = table or {}

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [*self.commands, *self.table]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.table[cmd_name][0].partition(":")
        command: click.Command = getattr(
            import_module(f"secretkit.cli.{module}"), attribute or cmd_name
        )
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, one.get_short_help_str(200)) for name, one in self.commands.items()]
        rows += [(name, text) for name, (_, text) in self.table.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


_VALUE_OPTIONS = frozenset(
    ("--value", "--password", "--secret", "--data", "--from-literal", "--passphrase", "-p", "-v")
)


def usage_message(error: click.UsageError) -> tuple[str, str]:
    """A usage error of click in our words: (message, hint). Never repeats a possible value."""
    path = error.ctx.command_path if error.ctx else "secretkit"
    message = error.format_message()
    hint = f"`{path} --help` shows how"
    if isinstance(error, click.NoSuchOption):
        option = error.option_name
        known = option in _VALUE_OPTIONS or error.possibilities
        message = f"no such option, {option}" if known else "no such option"
        if option in _VALUE_OPTIONS:
            takes = path.endswith(("create", "rotate"))
            hint = value_hint(f"{path if takes else 'secretkit create'} NAME")
        elif error.possibilities:
            hint = f"did you mean {error.possibilities[0]}? {hint}"
    elif isinstance(error, click.BadParameter) and error.param and _choices(error.param):
        place = error.param.get_error_hint(error.ctx)
        message = f"invalid value for {place}: not {_choices(error.param)}"
    elif message.startswith("No such command"):
        message, hint = _no_such_command(error, hint)
    message = " ".join(message.split()).removesuffix(".")
    return message[:1].lower() + message[1:], hint


def _choices(parameter: click.Parameter) -> str:
    kind = parameter.type
    return " or ".join(map(str, kind.choices)) if isinstance(kind, click.Choice) else ""


def _no_such_command(error: click.UsageError, hint: str) -> tuple[str, str]:
    from difflib import get_close_matches

    context = error.ctx
    assert context is not None  # noqa: S101 - click resolves commands in a context
    given = getattr(error, "command_name", None) or error.format_message().split("'")[1]
    known = context.command.list_commands(context) if isinstance(context.command, Group) else []
    near = get_close_matches(given, known, 1)
    if near:
        return f"no such command, {given}", f"did you mean {near[0]}? {hint}"
    return "no such command", hint


def value_hint(command: str) -> str:
    """How to give a value, which is never an argument; `command` is all before the file's name."""
    return f'a value is never an argument: name a file, or printf %s "$VALUE" | {command} -'

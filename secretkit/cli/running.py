"""`run`: a command on this machine, through the shim, with the store's current values."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..errors import SecretkitError, UsageError
from .command import App, Command, pass_app


class _Passing(Command):
    """Passes every argument on to the shim; only --help is for us."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [one for one in self.params if isinstance(one, click.Argument)]

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The shim's own list of its options follows."""
        import subprocess

        from ..delivery.shim import command

        super().format_help(ctx, formatter)
        shim = subprocess.run(  # noqa: S603 - an argv of ours
            [*command(), "--help"], stdout=subprocess.PIPE, text=True, check=True
        )
        formatter.write_paragraph()
        formatter.write(shim.stdout.partition("\n\nEach option is")[0] + "\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args[:1] in (["--help"], ["-h"]):
            return super().parse_args(ctx, args)
        ctx.params["arguments"] = args
        ctx.args = []
        return []


@click.command(
    cls=_Passing,
    reports=False,
    example="""
    $ secretkit run --env DB_PASSWORD=db-password -- ./app
    """,
)
@click.argument("arguments", metavar="[SHIM OPTIONS] -- COMMAND...", nargs=-1)
@pass_app
def run(app: App, arguments: list[str]) -> None:
    """Run COMMAND through the shim, with the current values and [entrypoint] of secretkit.toml.

    This process becomes COMMAND, with its exit status and signals. The values are in a private
    folder in memory until COMMAND starts. Unless [entrypoint] or an option says otherwise, every
    secret becomes a variable. Everything after `run` is for the shim (--env, --env-all, --render,
    --user and so on); --project and the like go before `run`.
    """
    if not arguments:
        raise UsageError("no command to run", hint="secretkit run -- COMMAND")
    if watches(arguments) or os.environ.get("SECRETKIT_WATCH") in ("1", "true"):
        raise UsageError(
            "run cannot watch: its folder is gone when COMMAND starts",
            hint="secretkit dev watch -- COMMAND",
        )
    from ..delivery.shim import command
    from ..project import entrypoint_json
    from .contained import own_environment
    from .hardening import allow_cores

    config = entrypoint_json(app.project, absolute=True)
    with current_values(app) as folder:
        write_private(folder / "entrypoint.json", config)
        words = [*command(), "--secrets-dir", str(folder / "secrets"), *arguments]
        # An option of the user's goes before what is in the file, and so does a file of theirs.
        environ = {
            "SECRETKIT_CONFIG": str(folder / "entrypoint.json"),
            "SECRETKIT_WATCH": "0",  # the folder is gone when COMMAND starts
            **own_environment(),
        }
        allow_cores()
        try:
            os.execve(words[0], words, environ)  # noqa: S606 - no shell is what is wanted
        except OSError as error:
            reason = str(error.strerror).lower()
            raise SecretkitError(f"cannot start {words[0]}, {reason}") from None


def watches(arguments: list[str]) -> bool:
    """Whether --watch is among the options of the shim, which end at `--` or at COMMAND."""
    from ..project.reading import takes_argument

    words = iter(arguments)
    for word in words:
        if word == "--watch":
            return True
        if word == "--" or not word.startswith("-"):
            break
        if takes_argument(word):
            next(words, None)
    return False


@contextmanager
def current_values(app: App) -> Iterator[Path]:
    """A private folder in memory whose subfolder `secrets` holds the current values.

    It is removed at the end of the block, or when this process has become another.
    """
    from ..mount import ephemeral

    # Before the store is open: the folder's janitor is a fork of this process.
    with ephemeral() as folder:
        with app.store() as store:
            values = store.read_all(action="run")
        secrets = folder / "secrets"
        secrets.mkdir(mode=0o700)
        for name, value in values.items():
            write_private(secrets / name, value)
        yield folder


def write_private(path: Path, content: bytes) -> None:
    """A new file that only we can read."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
    except OSError as error:
        error.filename = str(path)  # write(2) knows none
        raise

"""`stack`: stack files, with the versions of secrets and configs that are current."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from ..errors import UsageError
from .command import App, Group

if TYPE_CHECKING:
    from ..delivery.stack.model import Stack

stack = Group(
    "stack",
    table={
        "deploy": ("deploying", "Deploy stack files, and see that their services run."),
        "diff": ("deploying", "Show what a deploy would change."),
        "lint": ("lint:stack_lint", "Check the files of a stack, with the engine and the store."),
        "env": ("exporting", "Print current versions, for plain `docker stack deploy`."),
    },
    help="Stack files, with the current versions of secrets and configs.",
)

files_option = click.option(
    "-c",
    "--compose-file",
    "files",
    metavar="FILE|-",
    type=click.Path(),
    multiple=True,
    required=True,
    help="A stack file; repeatable, the last one wins.",
)
env_file_option = click.option(
    "--env-file",
    metavar="FILE",
    type=click.Path(),
    help="Variables for the files, as docker compose reads them; those that are set go first.",
)


def variables_of(env_file: str | None) -> dict[str, str]:
    """The variables for `${NAME}` in the files: this process's, and those of a file."""
    from ..delivery.envfile import read

    return {**(read(env_file, os.environ) if env_file else {}), **os.environ}


def read_stack(app: App, files: Sequence[str], variables: Mapping[str, str]) -> Stack:
    """The stack of these files; warns of variables that only an .env beside them has."""
    from ..delivery.envfile import read
    from ..delivery.stack.model import load
    from ..delivery.stack.variables import unset

    stdin = None
    if "-" in files:
        if sys.stdin is None:
            raise UsageError("stdin is closed", hint="name a file, or pipe one into -c -")
        stdin = sys.stdin.buffer.read()
    found = load(files, variables, stdin)
    beside = os.path.join(found.folder, ".env")
    missing = unset(found)
    if missing and os.path.isfile(beside):
        with contextlib.suppress(UsageError):
            for name in missing:
                if name in read(beside, os.environ):
                    app.out.warn(
                        f"{name} is not set, and only {beside} has it, which docker stack deploy"
                        f" does not read: --env-file {beside}"
                    )
    return found

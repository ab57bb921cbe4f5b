"""`show`: a value comes out. Imports as little as it can, for scripts that call it often."""

from __future__ import annotations

import sys

import click

from ..errors import UsageError
from ..naming import check_name
from .command import NUMBER, App, Command, pass_app
from .completing import complete_names


@click.command(
    cls=Command,
    example="""
    $ secretkit show db-password | psql-login
    """,
)
@click.argument("name", type=check_name, shell_complete=complete_names)
@click.option("--version", "version", type=NUMBER, help="This version, not the current one.")
@click.option("--reveal", is_flag=True, help="Also on a terminal.")
@pass_app
def show(app: App, name: str, version: int | None, reveal: bool) -> None:
    """Write the exact bytes of a value to stdout.

    Nothing is added, not even a newline. On a terminal only with --reveal. With --json, the value
    is in base64. Every reading is in the audit log.
    """
    if sys.stdout.isatty() and not reveal:
        raise UsageError(
            f"stdout is a terminal, not showing {name}",
            hint=f"pipe it where it belongs, or: secretkit show --reveal {name}",
        )
    with app.store() as store:
        value = store.read(name, version)
    if app.out.json:
        from base64 import b64encode

        encoded = b64encode(value).decode()
        app.out.document({"name": name, "version": value.version, "value": encoded})
    else:
        app.out.raw(value)

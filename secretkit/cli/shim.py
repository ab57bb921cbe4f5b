"""`shim export`: the entrypoint shim, as files for an image."""

from __future__ import annotations

from pathlib import Path

import click

from .command import App, Group, pass_app

shim = Group("shim", help="The entrypoint shim, as files.")


@shim.command(
    example="""
    $ secretkit shim export build/shim
    build/shim/secretkit-entrypoint
    """,
)
@click.argument("directory", metavar="DIR", type=click.Path())
@click.option("--force", is_flag=True, help="Replace files that differ.")
@pass_app
def export(app: App, directory: str, force: bool) -> None:
    """Copy the shim into DIR: a launcher and its package, for `COPY` in a Dockerfile.

    Prints the launcher's path. The shim needs Python 3.6 or later, and nothing else.
    """
    from ..delivery.shim import export as copy

    paths = copy(Path(directory), force=force)
    app.out.say(f"{len(paths)} files in {directory}")
    if app.out.json:
        app.out.document([str(path) for path in paths])
    else:
        app.out.data(str(paths[0]))

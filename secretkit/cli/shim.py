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
@click.option("--with-jinja2", is_flag=True, help="Add Jinja2, for templates with blocks.")
@pass_app
def export(app: App, directory: str, force: bool, with_jinja2: bool) -> None:
    """Copy the shim into DIR: a launcher and its package, for `COPY` in a Dockerfile.

    Prints the launcher's path. The shim needs Python 3.6 or later, and nothing else; Jinja2 only
    for templates *.j2 that have more than {{ name }}.
    """
    from ..delivery.shim import export as copy
    from ..delivery.shim import jinja2_version

    paths = copy(Path(directory), force=force, with_jinja2=with_jinja2)
    added = f", with Jinja2 {jinja2_version()}" if with_jinja2 else ""
    app.out.say(f"{len(paths)} files in {directory}{added}")
    if app.out.json:
        app.out.document([str(path) for path in paths])
    else:
        app.out.data(str(paths[0]))

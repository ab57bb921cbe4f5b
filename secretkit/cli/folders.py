"""`dev status`: what is in the dev folders, held against what they are to hold."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from .command import App, Command, pass_app
from .dev import options_of

if TYPE_CHECKING:
    from ..mount import DevFolder, FileState


@click.command(
    cls=Command,
    example="""
    $ secretkit dev status
    /home/ada/app/dev-secrets: up, in memory
    NAME          FROM       MOUNTED   CURRENT   STATE
    api-key       override   -         v1        same
    db-password   store      v2        v2        same
    """,
)
@pass_app
def status(app: App) -> None:
    """Show the dev folders: where each file is from, its version, and what is to be written anew.

    States: same; behind (there is another version, or the override has changed); changed (not what
    was written); missing; removed (nothing has it any more); foreign (not written by secretkit);
    unusable (an override that cannot be read, or is empty). `dev up` repairs all but the last two.
    """
    from .. import mount
    from ..project import STORE_FOLDER

    with app.store() if (app.folder / STORE_FOLDER).exists() else nullcontext() as store:
        found = [
            (folder, folder.states(store) if folder.is_up else ())
            for folder in mount.folders(app.folder)
        ]
    if app.out.json:
        app.out.document([_document(folder, states) for folder, states in found])
        return
    if not found:
        app.out.say("no dev folder is up; `secretkit dev up` makes one")
    for folder, states in found:
        _show(app, folder, states)


def _document(folder: DevFolder, states: Sequence[FileState]) -> dict[str, Any]:
    return {
        "folder": str(folder.path),
        "place": str(folder.place),
        "on_disk": folder.on_disk,
        "up": folder.is_up,
        "layout": folder.settings.layout,
        "mock": folder.settings.mock and folder.settings.mock._asdict(),
        "secrets": [
            {
                "name": one.name,
                "from": one.origin,
                "mounted": one.mounted,
                "current": one.current,
                "state": one.state,
            }
            for one in states
        ],
    }


def _show(app: App, folder: DevFolder, states: Sequence[FileState]) -> None:
    where = "on disk" if folder.on_disk else "in memory"
    if folder.settings.layout != "swarm":
        where += f", layout {folder.settings.layout}"
    if folder.settings.mock:
        where += ", mock values"
    if not folder.is_up:
        again = f"secretkit dev up{options_of(folder.settings)}"
        app.out.data(f"{folder.path}: gone, {where}; `{again}` makes it again")
        return
    app.out.data(f"{folder.path}: up, {where}")
    rows = [
        (one.name, one.origin or "-", _version(one.mounted), _version(one.current), one.state)
        for one in states
    ]
    app.out.table(("NAME", "FROM", "MOUNTED", "CURRENT", "STATE"), rows)


def _version(number: int | None) -> str:
    return f"v{number}" if number else "-"

"""`dev overrides`: a folder of hand-made files that win over the store, on this machine alone."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import click

from ..errors import MountError
from .command import App, Command, pass_app


@click.command(
    cls=Command,
    example="""
    $ secretkit dev overrides
    NAME     SIZE   WINS OVER
    db-url   25     v3
    """,
)
@pass_app
def overrides(app: App) -> None:
    """Show the files that win over the store, and make the folder for them if it is missing.

    It is ./dev-secrets.local if secretkit.toml names no other: one file for each secret, called as
    the secret is, with its exact bytes. A file for which the store has no secret is one more secret
    of this machine. Dev folders take them over with `dev up`, and whatever else refreshes them.
    """
    from .. import mount
    from ..project import STORE_FOLDER
    from .dev import warn_of_overrides

    folder = app.project.dev_overrides
    made = _make(folder)
    with app.store() if (app.folder / STORE_FOLDER).exists() else nullcontext() as store:
        current = {one.name: one.current for one in store.list()} if store else {}
    found = mount.find_overrides(folder)
    warn_of_overrides(app, found)
    for one in found.complaints:
        app.out.warn(f"an override that cannot be used hides the store's value, {one}")
    if app.out.json:
        rows = [
            {"name": name, "size": one.size, "wins_over": current.get(name)}
            for name, one in found.files.items()
        ]
        app.out.document({"folder": str(folder), "made": made, "overrides": rows})
        return
    if made:
        app.out.say(f"made {folder}, where a file called as a secret is wins over the store")
    elif not found.files and not found.complaints:
        app.out.say(f"no override in {folder}")
    if found.files:
        app.out.table(
            ("NAME", "SIZE", "WINS OVER"),
            [
                (name, str(one.size), f"v{current[name]}" if name in current else "nothing")
                for name, one in found.files.items()
            ],
        )


def _make(folder: Path) -> bool:
    """Make the folder, closed to others and to git, unless something is there."""
    try:
        folder.mkdir(mode=0o700)
        (folder / ".gitignore").write_text("*\n")
    except FileExistsError:
        return False
    except OSError as error:
        reason = (error.strerror or "I/O error").lower()
        raise MountError(f"cannot make the folder of overrides, {folder}: {reason}") from None
    return True

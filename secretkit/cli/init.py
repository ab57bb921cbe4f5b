"""`init`: a project, a store and a key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import NotFoundError, UsageError
from ..project import FILE, STORE_FOLDER
from .command import App, Command, pass_app
from .hardening import harden

if TYPE_CHECKING:
    from ..store import Store

_TEMPLATE = """\
# What this project needs of secretkit. It belongs into version control; values never stand here.
# Reference: docs/secretkit-toml.md in secretkit's own repository.

engine = "local"

# [secrets.db-password]
# generate = "password:32"
# description = "PostgreSQL role 'app'"

# [entrypoint]
# env = { DB_PASSWORD = "db-password" }
"""


@click.command(
    cls=Command,
    example="""
    $ secretkit init
    secretkit: made secretkit.toml and .secretkit in /home/ada/app
    """,
)
@click.option("--passphrase", is_flag=True, help="Ask for a passphrase, and make no key file.")
@click.option("--key-file", metavar="PATH", help="Where the key goes, outside the project.")
@pass_app
def init(app: App, passphrase: bool, key_file: str | None) -> None:
    """Make a project of the current folder (or --project): secretkit.toml, a store and its key.

    The key goes to $XDG_CONFIG_HOME/secretkit/keys, so that no prompt is needed; keep a copy of it
    somewhere else. A secretkit.toml that is there is kept.
    """
    if passphrase and key_file:
        raise UsageError("--passphrase and --key-file exclude each other")
    app.check_engine()
    folder = Path(app.chosen or os.environ.get("SECRETKIT_PROJECT") or ".").resolve()
    if not folder.is_dir():
        raise NotFoundError(f"no such folder, {folder}", hint=f"make it first: mkdir {folder}")
    if key_file and Path(key_file).resolve().is_relative_to(folder):
        raise UsageError(
            f"the key would be inside the project, {key_file}",
            hint="whoever gets the folder would get the key with it: put it elsewhere",
        )
    secret = None
    if passphrase and not os.path.lexists(folder / STORE_FOLDER):
        harden()
        from .prompt import ask_new_passphrase

        secret = ask_new_passphrase()
    with make(folder, key_file=key_file, passphrase=secret) as store:
        key = None if passphrase else _key_path(store, key_file)
        app.out.say(f"made {FILE} and {STORE_FOLDER} in {folder}")
        if key:
            app.out.say(f"the key is {key}: without it nobody reads the secrets, keep a copy")
        if app.out.json:
            app.out.document(
                {"project": str(folder), "store": store.id, "key": str(key) if key else None}
            )


def make(folder: Path, *, key_file: str | None = None, passphrase: bytes | None = None) -> Store:
    """The store and, if there is none, the `secretkit.toml` of a project; all of it or nothing."""
    harden()
    from ..project import load
    from ..store import Store

    load(folder)
    if not key_file and passphrase is None and not os.path.lexists(folder / STORE_FOLDER):
        _check_keys_are_elsewhere(folder)
    written = not os.path.lexists(folder / STORE_FOLDER) and _write_template(folder / FILE)
    try:
        return Store.init(folder, key_file=key_file, passphrase=passphrase)
    except BaseException:
        if written:
            (folder / FILE).unlink(missing_ok=True)
        raise


def _check_keys_are_elsewhere(folder: Path) -> None:
    from ..store.files import keys_folder

    keys = keys_folder()
    if not keys.is_absolute():
        raise UsageError(
            f"no place for the key, HOME is not absolute, {keys}",
            hint="set HOME or XDG_CONFIG_HOME to an absolute path, or say --key-file PATH",
        )
    if keys.resolve().is_relative_to(folder):
        raise UsageError(
            f"the key would be inside the project, {keys}",
            hint="make the project in another folder, or say --key-file PATH outside of it",
        )


def _write_template(path: Path) -> bool:
    """Write the file if there is none; returns whether."""
    try:
        with path.open("x") as file:
            file.write(_TEMPLATE)
    except FileExistsError:
        return False
    return True


def _key_path(store: Store, key_file: str | None) -> Path:
    from ..store.files import keys_folder

    return Path(key_file).absolute() if key_file else keys_folder() / f"{store.id}.key"

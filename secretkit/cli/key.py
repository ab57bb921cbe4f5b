"""`key ls|add|rm|rotate`: the ways to open the store."""

from __future__ import annotations

import click

from ..errors import UsageError
from . import shapes
from .command import NUMBER, App, Group, pass_app
from .output import ago

key = Group("key", help="The keys that open the store: key files, credentials and passphrases.")


@key.command(
    example="""
    $ secretkit key ls
    NUMBER   KIND       CREATED
    1        key-file   2 hours ago
    """,
)
@pass_app
def ls(app: App) -> None:
    """List the keys. Each alone opens the store."""
    with app.store() as store:
        slots = store.keys()
    if app.out.json:
        app.out.document([shapes.key(one) for one in slots])
    else:
        app.out.table(
            ("NUMBER", "KIND", "CREATED"),
            [(str(one.number), one.kind, ago(one.created)) for one in slots],
        )


@key.command(
    example="""
    $ secretkit key add --passphrase
    2
    """,
)
@click.option("--key-file", metavar="PATH", help="Write a new key file there.")
@click.option("--passphrase", is_flag=True, help="Ask for a passphrase.")
@click.option(
    "--credential",
    is_flag=True,
    help="Take the key file secretkit.key in $CREDENTIALS_DIRECTORY (systemd).",
)
@pass_app
def add(app: App, key_file: str | None, passphrase: bool, credential: bool) -> None:
    """Add one more key; prints its number. Give one of the three options."""
    if (key_file is not None) + passphrase + credential != 1:
        raise UsageError("which key", hint="give --key-file PATH, --passphrase or --credential")
    with app.store() as store:
        if passphrase:
            from .prompt import ask_new_passphrase

            slot = store.add_passphrase(ask_new_passphrase())
        elif credential:
            slot = store.add_credential()
        else:
            slot = store.add_key_file(key_file)
    if app.out.json:
        app.out.document(shapes.key(slot))
    else:
        app.out.data(str(slot.number))


@key.command(
    example="""
    $ secretkit key rm 2
    """,
)
@click.argument("number", type=NUMBER)
@pass_app
def rm(app: App, number: int) -> None:
    """Drop a key. The last one cannot be dropped.

    Whoever has the key and an older copy of the store can still open that copy: `key rotate`.
    """
    with app.store() as store:
        store.remove_key(number)
    app.out.say(f"key {number} opens the store no more; a key file stays where it is")
    if app.out.json:
        app.out.document({"number": number})


@key.command(
    example="""
    $ secretkit key rotate
    """,
)
@pass_app
def rotate(app: App) -> None:
    """Seal the whole store anew, under a new root key and new key files.

    Passphrases stay as they are and are asked for. A backup from before needs the key from before.
    """
    from .prompt import ask_passphrase

    with app.store() as store, app.out.progress("sealing anew") as progress:
        store.rotate_key(ask_passphrase, progress)
        slots = store.keys()
    app.out.say("the store is sealed anew; keep a copy of its new key")
    if app.out.json:
        app.out.document([shapes.key(one) for one in slots])

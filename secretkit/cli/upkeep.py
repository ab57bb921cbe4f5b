"""`check`, `backup`, `restore` and `audit`: the store as a whole."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

import click

from ..errors import NotFoundError, StoreTamperedError
from . import shapes
from .command import NUMBER, App, Command, pass_app
from .exits import code_of
from .output import counted, iso
from .steps import refresh_steps


@click.command(
    cls=Command,
    example="""
    $ secretkit check
    sound: 12 secrets, 31 versions, 96 audit entries
    """,
)
@pass_app
def check(app: App) -> int:
    """Prove every row of the store, its audit log, its anchor and the files' permissions.

    Repairs nothing. Lists everything that is wrong, and exits with 7 then.
    """
    with app.store() as store, app.out.progress("checking") as progress:
        report = store.check(progress)
    counts = (
        f"{counted(report.secrets, 'secret')}, {counted(report.versions, 'version')},"
        f" {report.audit_entries} audit entries"
    )
    if app.out.json:
        app.out.document(shapes.check(report))
    elif report.ok:
        app.out.data(f"sound: {counts}")
    for finding in report.findings:
        app.out.error(finding.what, finding.hint)
    return 0 if report.ok else code_of(StoreTamperedError(""))


@click.command(
    cls=Command,
    example="""
    $ secretkit backup /mnt/backup/app.secretkit
    """,
)
@click.argument("file", type=click.Path())
@pass_app
def backup(app: App, file: str) -> None:
    """Copy the store to FILE, which must not exist, and verify the copy.

    The copy is sealed as the store is. It needs the key, which is not in it.
    """
    path = Path(file).absolute()
    if not path.parent.is_dir():
        raise NotFoundError(f"no such folder, {path.parent}")
    with app.store() as store:
        store.backup(path)
    app.out.say(f"backed up to {path}; the key is not in it")
    if app.out.json:
        app.out.document({"file": str(path), "size": path.stat().st_size})


@click.command(
    cls=Command,
    example="""
    $ secretkit restore /mnt/backup/app.secretkit
    """,
)
@click.argument("file", type=click.Path(), required=False)
@click.option(
    "--accept-rollback",
    is_flag=True,
    help="Also if it is older than the store was; without FILE, trust the store as it is.",
)
@pass_app
def restore(app: App, file: str | None, accept_rollback: bool) -> None:
    """Put a backup in the store's place. The backup is proven first.

    A backup older than the store is refused: what came after it would be lost.
    """
    from ..store import Store
    from .hardening import harden
    from .prompt import ask_passphrase

    if file and not os.path.lexists(file):
        # Not repeated: somebody may have written a value there.
        raise NotFoundError("no such file, and what follows `restore` is a backup's")
    harden()
    restored = Store.restore(
        app.folder,
        Path(file).absolute() if file else None,
        accept_rollback=accept_rollback,
        passphrase=ask_passphrase,
    )
    with restored as store:
        secrets = len(store.list())
        for step in refresh_steps(app, store):
            step.act()
    app.out.say(f"restored, {counted(secrets, 'secret')}")
    if app.out.json:
        app.out.document({"secrets": secrets})


@click.command(
    cls=Command,
    example="""
    $ secretkit audit --last 2
    TIME                       USER   ACTION   NAME          VERSION
    2026-11-21T01:53:58.123Z   ada    create   db-password   v1
    2026-11-21T01:54:02.871Z   ada    read     db-password   v1
    """,
)
@click.option("--last", type=NUMBER, help="Only this many, the newest.")
@pass_app
def audit(app: App, last: int | None) -> None:
    """List who did what to which version, and when; oldest first. Never a value."""
    with app.store() as store:
        entries = list(deque(store.audit(), maxlen=last) if last else store.audit())
    if app.out.json:
        app.out.document([shapes.audit(one) for one in entries])
        return
    app.out.table(
        ("TIME", "USER", "ACTION", "NAME", "VERSION"),
        [
            (
                iso(one.time),
                one.user,
                one.action,
                one.name or "",
                f"v{one.version}" if one.version else "",
            )
            for one in entries
        ],
    )

"""`ls` and `inspect`: what there is, never a value."""

from __future__ import annotations

import click

from ..naming import check_name
from . import shapes
from .command import App, Command, pass_app
from .completing import complete_names
from .output import ago, iso


@click.command(
    cls=Command,
    example="""
    $ secretkit ls
    NAME          CURRENT   VERSIONS   CREATED       UPDATED         LABELS
    db-password   v2        2          2 hours ago   5 minutes ago   team=core
    """,
)
@pass_app
def ls(app: App) -> None:
    """List the secrets. With --quiet, only their names."""
    with app.store() as store:
        secrets = store.list()
    if app.out.json:
        app.out.document([shapes.secret(one) for one in secrets])
    elif app.out.quiet:
        for one in secrets:
            app.out.data(one.name)
    else:
        app.out.table(
            ("NAME", "CURRENT", "VERSIONS", "CREATED", "UPDATED", "LABELS"),
            [
                (
                    one.name,
                    f"v{one.current}",
                    str(len(one.versions)),
                    ago(one.created),
                    ago(one.updated),
                    ",".join(f"{key}={value}" for key, value in sorted(one.labels.items())),
                )
                for one in secrets
            ],
        )


@click.command(
    cls=Command,
    example="""
    $ secretkit inspect db-password
    """,
)
@click.argument("name", type=check_name, shell_complete=complete_names)
@pass_app
def inspect(app: App, name: str) -> None:
    """Show everything about a secret and its versions but their values.

    USED BY says which dev folders hold a version.
    """
    from .. import mount

    with app.store() as store:
        secret = store.get(name)
        history = store.history(name)
        folders = [one for one in mount.folders(store.folder) if one.is_up]
    declared = app.project.declared(name)
    description = declared.description if declared else None
    generator = (declared and declared.generate) or secret.generator
    users: dict[int, list[str]] = {}
    for folder in folders:
        if number := folder.versions.get(name):
            users.setdefault(number, []).append(str(folder.path))
    if app.out.json:
        versions = [
            {**shapes.version(one), "used_by": users.get(one.number, [])} for one in history
        ]
        facts = {"versions": versions, "description": description, "generator": generator}
        document = shapes.secret(secret) | facts
        app.out.document(document)
        return
    lines = {
        "Name": name,
        "Description": description,
        "Current": f"v{secret.current}",
        "Previous": f"v{secret.previous}" if secret.previous else "none",
        "Generator": generator or "none",
        "Labels": ", ".join(f"{key}={value}" for key, value in sorted(secret.labels.items())),
    }
    for fact, text in lines.items():
        if text:
            app.out.data(f"{fact + ':':<13} {text}")
    app.out.data("")
    app.out.table(
        ("VERSION", "CREATED", "SIZE", "SOURCE", "USED BY"),
        [
            (
                f"v{one.number}" + (" *" if one.number == secret.current else ""),
                iso(one.created),
                f"{one.size} B",
                one.source,
                ", ".join(users.get(one.number, [])),
            )
            for one in history
        ],
    )

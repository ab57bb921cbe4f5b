"""`ls` and `inspect`: what there is, never a value."""

from __future__ import annotations

import click

from ..naming import check_name
from . import shapes
from .command import LOCAL, App, Command, pass_app
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

    USED BY says which dev folders hold a version and, with --engine swarm, which services use it.
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
    makers: dict[int, str] = {}
    if app.engine_name != LOCAL:
        makers = _in_the_engine(app, name, users)
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
                f"{one.size} B" if one.is_known else "unknown",
                one.source if one.is_known else f"engine, by {makers.get(one.number, 'unknown')}",
                ", ".join(users.get(one.number, [])),
            )
            for one in history
        ],
    )


def _in_the_engine(app: App, name: str, users: dict[int, list[str]]) -> dict[int, str]:
    """Adds the services that use a version to `users`; returns who made the objects."""
    from ..rotation.objects import BY, versions_of
    from ..rotation.usage import uses

    engine = app.connect("inspect")
    for use in uses(engine, name=name):
        places = users.setdefault(use.version, [])
        if use.service not in places:
            places.append(use.service)
    found = versions_of(engine, "secret", name)
    return {number: one.labels[BY] for number, one in found.items() if BY in one.labels}

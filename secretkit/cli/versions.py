"""`rollback`, `prune` and `rm`: which versions there are, and which is current."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ..errors import SecretInUseError, UsageError, VersionNotFoundError
from ..naming import check_name
from . import shapes
from .command import LOCAL, NUMBER, App, Command, pass_app
from .completing import complete_names
from .pruning import prune_on_engine, remove_on_engine, report_gone
from .rolling import roll_back_secret
from .rollout import Rollout, rollout_options
from .steps import Step, perform, refresh_steps

_dry_run = click.option("--dry-run", is_flag=True, help="Print the steps, and take none.")


@click.command(
    cls=Command,
    example="""
    $ secretkit rollback db-password --to 1
    db-password v1
    """,
)
@click.argument("name", type=check_name, shell_complete=complete_names)
@click.option("--to", type=NUMBER, help="This version; default: the one before the current.")
@_dry_run
@rollout_options()
@pass_app
def rollback(app: App, name: str, to: int | None, dry_run: bool, rollout: Rollout) -> None:
    """Make an earlier version current again. No version is rewritten.

    Dev folders that are up are refreshed. With --engine swarm, the services go back first, as
    `rotate` lets them go on.
    """
    if app.engine_name == LOCAL:
        rollout.refuse()
    with app.store() as store:
        if app.engine_name != LOCAL:
            roll_back_secret(app, store, name, to, rollout, dry_run=dry_run)
            return
        secret = store.get(name)
        number = to or secret.previous
        if number is None:
            raise VersionNotFoundError(name, f"before v{secret.current}")
        if number not in secret.versions:
            raise VersionNotFoundError(name, f"v{number}")
        step = Step(
            f"make {name} v{number} current, instead of v{secret.current}",
            lambda: [store.rollback(name, number)],
        )
        made = perform(app, [step, *refresh_steps(app, store, [name])], dry_run=dry_run)
        pair = _other_half(name, secret.generator)
        if made and pair and any(one.name == pair for one in store.list()):
            app.out.warn(
                f"{pair} is the other half of {name} and was left as it is:"
                f" secretkit rollback {pair}"
            )
    if made is None:
        return
    if app.out.json:
        app.out.document([shapes.version(one) for one in made])
    else:
        app.out.data(f"{name} v{number}")


def _other_half(name: str, generator: str | None) -> str | None:
    from ..generators import makes_pair

    if not generator or not makes_pair(generator):
        return None
    if name.endswith("-key"):
        return name.removesuffix("-key") + "-cert"
    return name.removesuffix("-cert") + "-key"


@click.command(
    cls=Command,
    example="""
    $ secretkit prune db-password --keep 2
    db-password v1
    """,
)
@click.argument(
    "names", type=check_name, metavar="[NAME]...", nargs=-1, shell_complete=complete_names
)
@click.option(
    "--keep", type=NUMBER, default=2, show_default=True, help="How many of the newest stay."
)
@_dry_run
@pass_app
def prune(app: App, names: tuple[str, ...], keep: int, dry_run: bool) -> None:
    """Destroy versions beyond the newest --keep; of every secret if none is named.

    What is current stays, what a dev folder holds, and what `stack deploy` compares a file with.
    With --engine swarm, also what a service refers to, would roll back to, or has a task on; the
    objects in the swarm go too.
    """
    with app.store() as store:
        from ..rotation.versions import StoreVersions, brought

        records = StoreVersions(store)
        if app.engine_name != LOCAL:
            chosen = dict.fromkeys(names) or [secret.name for secret in store.list()]
            app.check_project()
            engine = app.connect("prune")
            prune_on_engine(app, records, engine, chosen, keep, dry_run)
            return
        secrets = [store.get(name) for name in dict.fromkeys(names)] if names else store.list()
        steps = []
        for secret in secrets:
            used = {*_mounted(app, secret.name), brought(records, secret.name) or secret.current}
            kept = {secret.current, *secret.versions[-keep:], *used}
            gone = [number for number in secret.versions if number not in kept]

            def act(name: str = secret.name, used: Sequence[int] = tuple(used)) -> Sequence[Any]:
                return [(name, number) for number in store.prune(name, keep, used)]

            if gone:
                shown = ", ".join(f"v{number}" for number in gone)
                steps.append(Step(f"destroy {secret.name} {shown}", act))
        made = perform(app, steps, dry_run=dry_run)
    if made is not None:
        report_gone(app, made)


@click.command(
    cls=Command,
    example="""
    $ secretkit rm api-key
    api-key
    """,
)
@click.argument(
    "names",
    type=check_name,
    metavar="NAME...",
    nargs=-1,
    required=True,
    shell_complete=complete_names,
)
@click.option("--version", type=NUMBER, help="Only this version of one secret.")
@_dry_run
@pass_app
def rm(app: App, names: tuple[str, ...], version: int | None, dry_run: bool) -> None:
    """Destroy secrets with all their versions, or one version of one secret.

    A version that is current or that a dev folder holds is in use and is not destroyed alone. A
    whole secret is also taken out of the dev folders that are up. With --engine swarm, the objects
    in the swarm go too, and what a service or task needs is in use.
    """
    if version is not None and len(set(names)) > 1:
        raise UsageError("--version is for one secret", hint="remove them one by one")
    with app.store() as store:
        steps = []
        pairs = {}
        for name in dict.fromkeys(names):
            secret = store.get(name)
            pairs[name] = _other_half(name, secret.generator)
            if version is None:
                shown = ", ".join(f"v{number}" for number in secret.versions)
                text = f"destroy {name} with {shown}"
            else:
                if version not in secret.versions:
                    raise VersionNotFoundError(name, f"v{version}")
                text = f"destroy {name} v{version}"
                _check_unused(app, name, version, secret.current)

            def act(name: str = name) -> Sequence[Any]:
                store.remove(name, version)
                return [(name, version)]

            steps.append(Step(text, act))
        if app.engine_name != LOCAL and not dry_run:
            from ..rotation.versions import StoreVersions

            engine = app.connect("rm")
            remove_on_engine(app, StoreVersions(store), engine, list(pairs), version)
            perform(app, refresh_steps(app, store, list(pairs)), dry_run=False)
            return
        made = perform(app, [*steps, *refresh_steps(app, store, list(pairs))], dry_run=dry_run)
        if made and version is None:
            left = {one.name for one in store.list()}
            for name, pair in pairs.items():
                if pair in left:
                    app.out.warn(
                        f"{pair} is the other half of {name} and is still there:"
                        f" secretkit rm {pair}"
                    )
    if made is not None:
        report_gone(app, made)


def _check_unused(app: App, name: str, version: int, current: int) -> None:
    if version == current:
        raise SecretInUseError(
            f"version in use, {name} v{version} is the current one",
            hint=f"rotate or roll back first, or remove all of it: secretkit rm {name}",
        )
    if places := _mounted(app, name).get(version):
        raise SecretInUseError(
            f"version in use, {name} v{version} is in {', '.join(places)}",
            hint="`secretkit dev up` brings the folder to the current version",
        )


def _mounted(app: App, name: str) -> dict[int, list[str]]:
    """The dev folders, by the version of `name` that they hold."""
    from .. import mount

    found: dict[int, list[str]] = {}
    for folder in mount.folders(app.folder):
        number = folder.versions.get(name)
        if number and folder.is_up:
            found.setdefault(number, []).append(str(folder.path))
    return found

"""`stack env`: current versions as variables, for plain `docker stack deploy`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from .command import LOCAL, App, Command, pass_app
from .stack import env_file_option, read_stack, variables_of

if TYPE_CHECKING:
    from ..delivery.stack.variables import Current


@click.command(
    cls=Command,
    example="""
    $ secretkit stack env
    export DB_PASSWORD_SECRET=db-password-v2
    """,
)
@click.option(
    "-c",
    "--compose-file",
    "files",
    metavar="FILE|-",
    type=click.Path(),
    multiple=True,
    help="Print the variables that this stack file uses; repeatable.",
)
@env_file_option
@pass_app
def env(app: App, files: tuple[str, ...], env_file: str | None) -> None:
    """Print variables with the object names of current versions, for plain `docker stack deploy`.

    A stack file names an external secret as ${DB_PASSWORD_SECRET:-db-password}. With -c, the
    variables are those that the `name:` entries of these files use; without, each secret has one,
    as DB_PASSWORD_SECRET, and with an engine each config, as APP_CONFIG. `eval "$(secretkit stack
    env)"` sets them in a shell.
    """
    from ..delivery.stack.variables import of_all, of_stack, without_variable

    current = _current(app)
    if files:
        stack = read_stack(app, files, variables_of(env_file))
        found, unknown = of_stack(stack, current)
        without = [
            f"{one.place}: no {one.kind} of the project is meant by the name of {one.key}"
            for one in unknown
        ] + [
            f"{one.place}: the {one.kind} {one.key} has no variable, so docker deploys"
            f" {one.name or one.key} whichever version is current: write `{remedy}`"
            for one, remedy in without_variable(stack, current)
        ]
    else:
        found, names = of_all(current)
        without = [f"no variable can have a name made of {name}" for name in names]
    for said in without:
        app.out.warn(said)
    if app.out.json:
        app.out.document(found)
        return
    for variable, name in found.items():
        app.out.data(f"export {variable}={shlex.quote(name)}")


def _current(app: App) -> Current:
    """The object names of current versions: secrets by the store, configs by the engine."""
    from ..naming import object_name

    with app.store() as store:
        secrets = {one.name: object_name(one.name, one.current) for one in store.list()}
    if app.engine_name == LOCAL:
        return {"secret": secrets}
    from ..rotation.objects import NAME, is_ours
    from ..rotation.versions import ConfigVersions

    engine = app.connect("stack env")
    versions = ConfigVersions(engine)
    names = sorted({one.labels[NAME] for one in engine.objects("config") if is_ours(one)})
    current = ((name, versions.current(name)) for name in names)
    configs = {name: object_name(name, number) for name, number in current if number}
    return {"secret": secrets, "config": configs}

"""`push` and `adopt`: what the store has goes into an engine, and the other way round."""

from __future__ import annotations

import click

from ..naming import check_name
from . import shapes
from .command import App, Command, pass_app
from .completing import complete_names
from .source import Given, read, warn_of_mock


@click.command(
    cls=Command,
    example="""
    $ secretkit push db-password --engine swarm
    db-password
    """,
)
@click.argument("name", type=check_name, shell_complete=complete_names)
@pass_app
def push(app: App, name: str) -> None:
    """Create the current version of a secret in the engine, and print its object name.

    Touches no service: name the object in `docker service create --secret`. What is there already
    is fine, if secretkit made it from the same value.
    """
    from ..rotation.usage import push as push_object
    from ..rotation.versions import StoreVersions

    app.check_project()
    engine = app.connect("push")
    with app.store() as store:
        found = push_object(StoreVersions(store), engine, name)
    if app.out.json:
        app.out.document(shapes.engine_object(found))
    else:
        app.out.data(found.name)


@click.command(
    cls=Command,
    example="""
    $ secretkit adopt db-password --value password.txt --engine swarm
    db-password v1
    """,
)
@click.argument("name", type=check_name)
@click.option(
    "--value",
    "file",
    metavar="FILE|-",
    type=click.Path(),
    help="Where its value is; without it, the value stays unknown.",
)
@click.option("--strip-newline", is_flag=True, help="Drop one newline at a FILE's end too.")
@click.option("--keep-newline", is_flag=True, help="Keep the newline at the end of stdin.")
@pass_app
def adopt(app: App, name: str, file: str | None, strip_newline: bool, keep_newline: bool) -> None:
    """Take a secret that the engine has already into the store, under its versions there.

    An engine gives no value back: give it with --value, or let it stay unknown. An unknown value
    cannot be shown, and is rotated as any other. Its value can be given later in the same way.
    """
    from ..rotation.usage import adopt as adopt_objects
    from ..rotation.versions import StoreVersions

    given = Given(file, keep_newline, strip_newline, f"secretkit adopt {name} --value")
    given.check(None)
    app.check_project()
    engine = app.connect("adopt")
    with app.store() as store:
        content = None if file is None else read(name, given, app.out)
        adopted = adopt_objects(StoreVersions(store), engine, name, content)
        warn_of_mock(app.out, name, content)
    if app.out.json:
        app.out.document(
            {
                "name": adopted.name,
                "current": adopted.current,
                "versions": list(adopted.versions),
                "known": adopted.is_known,
            }
        )
    else:
        app.out.data(f"{adopted.name} v{adopted.current}")
        if not adopted.is_known:
            app.out.say(
                f"the value is unknown: secretkit adopt {name} --value FILE gives it, and"
                f" secretkit rotate {name} makes the next version"
            )

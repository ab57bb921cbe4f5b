"""`config`: docker configs, versioned and rotated as secrets are. The engine is their record."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ..errors import SecretkitError, UsageError
from ..naming import CONFIG_LENGTH, check_name
from . import shapes
from .command import NUMBER, App, Group, pass_app
from .completing import complete_configs
from .output import iso
from .rolling import carry_out, previous, say_resumed, show_plan
from .rollout import Rollout, rollout_options
from .source import Given, read

if TYPE_CHECKING:
    from ..engines.protocol import Engine
    from ..rotation.types import OnEvent, Report
    from ..rotation.versions import ConfigVersions

config = Group("config", help="Docker configs: versioned and rotated as secrets are.")

_name = click.argument("name", type=check_name, shell_complete=complete_configs)
_file = click.argument("file", metavar="FILE|-", type=click.Path())
_dry_run = click.option("--dry-run", is_flag=True, help="Print the steps, and take none.")


def _versions(app: App) -> tuple[Engine, ConfigVersions]:
    from ..rotation.versions import ConfigVersions

    engine = app.connect("config")
    return engine, ConfigVersions(engine)


def _content(app: App, name: str, file: str, command: str) -> bytes:
    """Byte for byte, from stdin too: the newline at a text's end belongs to it."""
    given = Given(file, keep_newline=True, strip_newline=False, command=f"secretkit {command}")
    if file == "-" and sys.stdin.isatty():
        raise UsageError(
            "stdin is a terminal", hint=f"name a file, or pipe it into {given.command} -"
        )
    content = read(name, given, app.out, limit=CONFIG_LENGTH)
    if not content:
        raise UsageError(f"cannot make a config of nothing, {name}")
    return content


@config.command(
    example="""
    $ secretkit config create app-config app.yaml --engine swarm
    app-config v1
    """,
)
@click.argument("name", type=check_name)
@_file
@pass_app
def create(app: App, name: str, file: str) -> None:
    """Make a config in the engine: its version 1, of FILE's bytes or stdin's, below 1000 KiB."""
    _, versions = _versions(app)
    versions.begin(name, _content(app, name, file, f"config create {name}"), "given")
    _said(app, name, 1)


@config.command(
    example="""
    $ secretkit config rotate app-config app.yaml --engine swarm
    app-config v2
    """,
)
@_name
@click.argument("file", metavar="[FILE|-]", type=click.Path(), required=False)
@_dry_run
@rollout_options(abort=True)
@pass_app
def rotate(app: App, name: str, file: str | None, dry_run: bool, rollout: Rollout) -> None:
    """Make the next version of a config, and bring every service that uses it to that.

    The services are watched and go back on failure, as `secretkit rotate` does. FILE may be left
    out to go on with a rotation that was interrupted.
    """
    from ..rotation import abort, plan, under_way
    from ..rotation import rotate as rotate_versions

    engine, versions = _versions(app)
    options = rollout.options()
    if rollout.abort:
        if file is not None or dry_run:
            raise UsageError("--abort takes no FILE and no --dry-run", hint="give the name alone")

        def end(on_event: OnEvent) -> Report:
            return abort(versions, engine, name, options=options, on_event=on_event)

        _carry_out(app, name, end, f"config rotate {name} --abort")
        return
    going_on = under_way(engine, "config", name)
    if file is None and not going_on:
        raise UsageError("no content", hint=f"secretkit config rotate {name} FILE")
    if dry_run:
        found = plan(versions, engine, name, options=options)
        show_plan(app, found, options, {}, file if file and file != "-" else "stdin")
        return
    versions.numbers(name)
    content = _content(app, name, file, f"config rotate {name}") if file else None
    say_resumed(app, going_on, "rotate")

    def begin(on_event: OnEvent) -> Report:
        return rotate_versions(versions, engine, name, content, options=options, on_event=on_event)

    _carry_out(app, name, begin, f"config rotate {name}" + (f" {file}" if file else ""))


@config.command(
    example="""
    $ secretkit config rollback app-config --engine swarm
    app-config v1
    """,
)
@_name
@click.option("--to", type=NUMBER, help="This version; default: the one before the current.")
@_dry_run
@rollout_options()
@pass_app
def rollback(app: App, name: str, to: int | None, dry_run: bool, rollout: Rollout) -> None:
    """Make an earlier version of a config current again, and bring its services to that."""
    from ..rotation import plan, under_way
    from ..rotation import rollback as roll_back_versions

    engine, versions = _versions(app)
    options = rollout.options()
    if dry_run:
        target = to or previous(versions, name)
        found = plan(versions, engine, name, to=target, options=options)
        show_plan(app, found, options, {}, "the engine")
        return
    say_resumed(app, under_way(engine, "config", name), "rollback")

    def begin(on_event: OnEvent) -> Report:
        return roll_back_versions(versions, engine, name, to, options=options, on_event=on_event)

    _carry_out(app, name, begin, f"config rollback {name}" + (f" --to {to}" if to else ""))


def _carry_out(app: App, name: str, start: Callable[[OnEvent], Report], command: str) -> None:
    carry_out(
        app,
        name,
        start,
        title=name,
        again=f"secretkit {command}",
        back=f"secretkit config rotate {name} --abort",
    )


@config.command(
    example="""
    $ secretkit config prune app-config --keep 2 --engine swarm
    app-config v1
    """,
)
@click.argument(
    "names", type=check_name, metavar="[NAME]...", nargs=-1, shell_complete=complete_configs
)
@click.option(
    "--keep", type=NUMBER, default=2, show_default=True, help="How many of the newest stay."
)
@_dry_run
@pass_app
def prune(app: App, names: tuple[str, ...], keep: int, dry_run: bool) -> None:
    """Destroy versions beyond the newest --keep that no service and no task needs."""
    from .pruning import prune_on_engine

    engine, versions = _versions(app)
    prune_on_engine(app, versions, engine, dict.fromkeys(names) or _names(engine), keep, dry_run)


@config.command(
    example="""
    $ secretkit config ls --engine swarm
    NAME         CURRENT   VERSIONS
    app-config   v2        2
    """,
)
@pass_app
def ls(app: App) -> None:
    """List the configs that secretkit made or adopted. With --quiet, only their names."""
    engine, versions = _versions(app)
    found = [(name, versions.current(name), versions.numbers(name)) for name in _names(engine)]
    if app.out.json:
        app.out.document(
            [
                {"name": name, "current": current, "versions": list(numbers)}
                for name, current, numbers in found
            ]
        )
    elif app.out.quiet:
        for name, _, _ in found:
            app.out.data(name)
    else:
        app.out.table(
            ("NAME", "CURRENT", "VERSIONS"),
            [
                (name, f"v{current}" if current else "none", str(len(numbers)))
                for name, current, numbers in found
            ],
        )


@config.command(
    example="""
    $ secretkit config inspect app-config --engine swarm
    """,
)
@_name
@pass_app
def inspect(app: App, name: str) -> None:
    """Show the versions of a config: who made them, when, and which services use them."""
    from ..rotation.objects import BY, versions_of
    from ..rotation.usage import uses

    engine, versions = _versions(app)
    current = versions.current(name)
    users: dict[int, list[str]] = {}
    for use in uses(engine, "config", name):
        users.setdefault(use.version, []).append(use.service)
    found = versions_of(engine, "config", name)
    if app.out.json:
        rows = [
            {**shapes.engine_object(one), "version": number, "used_by": users.get(number, [])}
            for number, one in found.items()
        ]
        app.out.document({"name": name, "current": current, "versions": rows})
        return
    app.out.data(f"Name:     {name}")
    app.out.data(f"Current:  {f'v{current}' if current else 'none'}")
    app.out.data("")
    app.out.table(
        ("VERSION", "CREATED", "BY", "USED BY"),
        [
            (
                f"v{number}" + (" *" if number == current else ""),
                iso(one.created),
                one.labels.get(BY, ""),
                ", ".join(users.get(number, [])),
            )
            for number, one in found.items()
        ],
    )


@config.command(
    reports=False,
    example="""
    $ secretkit config show app-config --engine swarm
    """,
)
@_name
@click.option("--version", type=NUMBER, help="This version, not the current one.")
@pass_app
def show(app: App, name: str, version: int | None) -> None:
    """Write the exact bytes of a config to stdout, on a terminal too: a config is no secret."""
    _, versions = _versions(app)
    number = version or versions.current(name)
    if number is None:
        raise SecretkitError(
            f"no version of {name} is current", hint="--version N names the one to show"
        )
    app.out.raw(versions.content(name, number))


def _names(engine: Engine) -> list[str]:
    """The configs that secretkit made or adopted; a rotation's journal is none."""
    from ..rotation.objects import NAME, is_ours

    return sorted({one.labels[NAME] for one in engine.objects("config") if is_ours(one)})


def _said(app: App, name: str, number: int) -> None:
    if app.out.json:
        app.out.document([{"name": name, "version": number}])
    else:
        app.out.data(f"{name} v{number}")

"""`lint` and `stack lint`: checks of the files that a project's images and services are made of."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..delivery.findings import RULES
from ..errors import ProjectNotFoundError, StoreNotFoundError, UsageError
from .command import LOCAL, App, Command, pass_app
from .findings import report_options, show_findings
from .output import counted
from .stack import env_file_option, files_option, read_stack, variables_of

if TYPE_CHECKING:
    from ..engines.protocol import Engine, Kind


@click.command(
    cls=Command,
    example="""
    $ secretkit lint . --strict
    """,
)
@click.argument("paths", metavar="[PATH]...", type=click.Path(), nargs=-1)
@click.option(
    "--as",
    "form",
    type=click.Choice(["stack", "compose"]),
    help="What YAML files are for; default: as each file looks.",
)
@report_options
@click.option("--rules", is_flag=True, help="List the rules, and check nothing.")
@pass_app
def lint(
    app: App,
    paths: tuple[str, ...],
    form: str | None,
    strict: bool,
    ignore: tuple[str, ...],
    sarif: bool,
    rules: bool,
) -> None:
    """Check Dockerfiles, stack and compose files and entrypoint scripts. No value is printed.

    PATH is a file, or a folder with all that is below it; default: the current folder.
    """
    if rules:
        if paths:
            raise UsageError("--rules takes no PATH", hint="secretkit lint --rules")
        _show_rules(app)
        return
    from ..delivery.lint.checking import check

    swarm = None if form is None else form == "stack"
    found, checked = check(paths or ["."], swarm=swarm, ignore=ignore)
    if not sarif:
        app.out.say(f"{counted(checked, 'file')} checked")
    show_findings(app, found, strict=strict, as_sarif=sarif)


def _show_rules(app: App) -> None:
    if app.out.json:
        app.out.document([{"rule": name, **rule._asdict()} for name, rule in RULES.items()])
        return
    rows = [(name, rule.severity, rule.title) for name, rule in RULES.items()]
    app.out.table(("RULE", "SEVERITY", "FINDS"), rows)


@click.command(
    "lint",
    cls=Command,
    example="""
    $ secretkit stack lint -c stack.yml shop --engine swarm
    """,
)
@files_option
@env_file_option
@click.argument("name", metavar="[NAME]", required=False)
@report_options
@pass_app
def stack_lint(
    app: App,
    files: tuple[str, ...],
    env_file: str | None,
    name: str | None,
    strict: bool,
    ignore: tuple[str, ...],
    sarif: bool,
) -> None:
    """Check the files of a stack, taken together as `stack deploy` does.

    With an engine, also whether it or the store has what is external, and with the NAME under
    which the stack is deployed, whether its services have a health check.
    """
    from ..delivery.lint.checking import without
    from ..delivery.lint.stack import findings_of_stack

    stack = read_stack(app, files, variables_of(env_file))
    engine = _engine(app)
    known, objects, health = _ask(app, engine, name) if engine else ({}, None, {})
    if engine is None and not sarif:
        app.out.say("no engine was asked: --engine swarm")
    found = findings_of_stack(stack, name or "NAME", known, objects, health)
    contents = {one.path: _content(one.path) for one in stack.documents}
    show_findings(app, without(found, ignore, contents), strict=strict, as_sarif=sarif)


def _engine(app: App) -> Engine | None:
    """The engine, if one is named here."""
    try:
        return None if app.engine_name == LOCAL else app.connect("stack lint")
    except ProjectNotFoundError:
        return None


def _ask(
    app: App, engine: Engine, name: str | None
) -> tuple[dict[Kind, set[str]], dict[Kind, set[str]], dict[str, bool]]:
    """What secretkit knows, what the engine has, and which services have a health check."""
    from ..delivery.stack.model import KINDS
    from ..rotation.objects import NAME, is_ours

    found = {kind: engine.objects(kind) for kind in KINDS}
    known = {kind: {one.labels[NAME] for one in found[kind] if is_ours(one)} for kind in KINDS}
    with contextlib.suppress(ProjectNotFoundError, StoreNotFoundError):
        known["secret"] |= {
            each for one in app.project.secrets.values() if one.generate for each in one.makes
        }
        with app.store() as store:
            known["secret"] |= {one.name for one in store.list()}
    health = {}
    for service in engine.services() if name else ():
        if service.name.startswith(f"{name}_"):
            has = engine.has_health_check(service)
            if has is not None:
                health[service.name.removeprefix(f"{name}_")] = has
    objects = {kind: {one.name for one in found[kind]} for kind in KINDS}
    return known, objects, health


def _content(path: str) -> bytes:
    """A file once more, for the comments in it; what came from stdin has none."""
    return b"" if path == "-" else Path(path).read_bytes()

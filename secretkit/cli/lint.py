"""`lint`: checks of the files that a project's images and services are made of."""

from __future__ import annotations

import click

from ..delivery.findings import RULES
from ..errors import UsageError
from .command import App, Command, pass_app
from .findings import report_options, show_findings
from .output import counted


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

"""How findings are shown, and the exit code that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..delivery.findings import RULES
from ..errors import SecretkitError, UsageError
from .command import App
from .output import counted

if TYPE_CHECKING:
    from ..delivery.findings import Finding


def _rule(given: str) -> str:
    """One of RULES. What was given instead is not repeated: it may be a value."""
    from difflib import get_close_matches

    if given not in RULES:
        near = get_close_matches(given, RULES, 1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise UsageError("no such rule", hint=f"{meant}`secretkit lint --rules` lists them")
    return given


def _complete_rules(
    _context: click.Context, _option: click.Parameter, incomplete: str
) -> list[str]:
    return [name for name in RULES if name.startswith(incomplete)]


ignore_option = click.option(
    "--ignore",
    metavar="RULE",
    multiple=True,
    type=_rule,
    shell_complete=_complete_rules,
    help="Not this rule. Repeatable.",
)


def report_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that check files."""
    for option in (
        click.option("--sarif", is_flag=True, help="Report as SARIF 2.1.0, for code review."),
        ignore_option,
        click.option("--strict", is_flag=True, help="Warnings fail too."),
    ):
        function = option(function)
    return function


def show_findings(
    app: App,
    found: Sequence[Finding],
    *,
    strict: bool = False,
    as_sarif: bool = False,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Print findings on stdout, in the order given: they are what a check was asked for.

    With `about`, its keys stand beside `findings` in the JSON document, which else is a list.
    Raises SecretkitError (exit code 1) if one is an error, or with `strict` a warning.
    """
    if as_sarif and app.out.json:
        raise UsageError("--sarif and --json at once", hint="SARIF is JSON: leave --json away")
    if as_sarif:
        app.out.document(_sarif(found))
    elif app.out.json:
        from .shapes import finding

        shapes = [finding(one) for one in found]
        app.out.document(shapes if about is None else {**about, "findings": shapes})
    else:
        for line in lines_of(found):
            app.out.data(line)
    errors = sum(one.severity == "error" for one in found)
    warnings = sum(one.severity == "warning" for one in found)
    said = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}"
    if errors or (strict and warnings):
        raise SecretkitError(f"the check found {said}")
    if not app.out.json:
        app.out.say(said)


def lines_of(found: Sequence[Finding]) -> Iterator[str]:
    """Findings as text."""
    for one in found:
        yield f"{one.place}: {one.severity}: {one.message} [{one.rule}]"
        if one.remedy:
            yield f"    {one.remedy}"


def _sarif(found: Sequence[Finding]) -> dict[str, Any]:
    from importlib.metadata import version
    from pathlib import Path

    from ..delivery.lint.sarif import sarif

    return sarif(found, version("secretkit"), Path.cwd())

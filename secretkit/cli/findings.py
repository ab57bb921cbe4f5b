"""How findings are shown, and the exit code that they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import SecretkitError
from .command import App
from .output import counted

if TYPE_CHECKING:
    from ..delivery.findings import Finding


def show_findings(app: App, found: Sequence[Finding], *, strict: bool = False) -> None:
    """Print findings, worst place by place, on stdout: they are what a check was asked for.

    Raises SecretkitError (exit code 1) if one is an error, or with `strict` a warning.
    """
    from .shapes import finding

    if app.out.json:
        app.out.document([finding(one) for one in found])
    for one in found if not app.out.json else ():
        app.out.data(f"{one.place}: {one.severity}: {one.message} [{one.rule}]")
        if one.remedy:
            app.out.data(f"    {one.remedy}")
    errors = sum(one.severity == "error" for one in found)
    warnings = sum(one.severity == "warning" for one in found)
    said = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}"
    if errors or (strict and warnings):
        raise SecretkitError(f"the check found {said}")
    if not app.out.json:
        app.out.say(said)

"""What baking would do to an image, and what would go wrong: `bake --check`, and before a build."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import SecretkitError
from .command import App
from .findings import lines_of, show_findings
from .output import counted

if TYPE_CHECKING:
    from ..delivery.bake.checking import Facts
    from ..delivery.findings import Finding


def show(app: App, facts: Facts, found: Sequence[Finding]) -> None:
    """Print both on stdout. Raises SecretkitError if a finding is an error."""
    from ..delivery.bake.checking import plan

    lines = plan(facts)
    if not app.out.json:
        for what, how in lines:
            app.out.data(f"{what}: {how}")
    told = {
        "image": facts.image.name,
        "plan": [{"what": what, "how": how} for what, how in lines],
    }
    show_findings(app, found, about=told)


def refuse(app: App, facts: Facts, found: Sequence[Finding]) -> None:
    """Raises SecretkitError if the image cannot be baked so, or if a finding is an error."""
    if facts.refused is not None:
        raise facts.refused
    errors = [one for one in found if one.severity == "error"]
    for line in lines_of(errors):
        app.out.say(line)
    if errors:
        raise SecretkitError(
            f"{facts.image.name} has {counted(len(errors), 'error')}",
            hint="mend it, or say --ignore RULE; --check tells warnings as well",
        )

"""`bake --check`: what baking would do to an image, and what would go wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import SecretkitError
from .command import App

if TYPE_CHECKING:
    from ..delivery.bake.recipe import Wish
    from ..engines.images import Images


def check(app: App, images: Images, name: str, wish: Wish, templates: Path) -> None:
    """Print both on stdout. `templates` is the folder that they are in.

    Raises SecretkitError if a finding is an error.
    """
    from ..delivery.bake import context
    from ..delivery.bake.checking import findings_of_image, plan
    from ..delivery.bake.looking import look
    from .findings import show_findings

    facts = look(images, name, wish)
    if facts.recipe:
        try:
            context.read_templates(templates, facts.recipe.templates)
        except SecretkitError as error:
            facts = facts._replace(refused=error)
    lines = plan(facts)
    if not app.out.json:
        for what, how in lines:
            app.out.data(f"{what}: {how}")
    told = {"image": name, "plan": [{"what": what, "how": how} for what, how in lines]}
    show_findings(app, findings_of_image(facts), about=told)

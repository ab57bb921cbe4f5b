"""examples/book-secrets-demo: from an entrypoint script with mistakes to a service on the swarm."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.engine import Engine, swarm

from .conftest import Example

__all__ = ["swarm"]


def test_the_page_works_on_a_swarm(example: Callable[[str], Example], swarm: Engine) -> None:
    """Script, table, image and service do what the page says."""
    example("book-secrets-demo").run_page_with(swarm)


def test_the_page_shows_the_script(example: Callable[[str], Example]) -> None:
    """What the page calls the script is the file."""
    here = example("book-secrets-demo")
    (text,) = re.findall(r"```sh\n(.*?)```", (here.folder / "README.md").read_text(), re.DOTALL)
    assert (here.folder / "entrypoint.sh").read_text() == text

"""examples/shop: five services and their secrets on a real swarm, as the page says.

tests/stack/test_shop.py looks closer at what each step changes and leaves alone.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.engine import Engine, swarm
from tests.needs import need_program
from tests.stack.shop import remove

from .conftest import Example

__all__ = ["swarm"]


def test_the_page_works(example: Callable[[str], Example], swarm: Engine) -> None:
    """Deploy, rotations, a key that does not fit, deploy again and the way back."""
    need_program("openssl")
    try:
        example("shop").run_page_with(swarm)
    except BaseException:
        remove(swarm, "1")
        raise

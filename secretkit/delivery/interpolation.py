"""`$NAME` and `${NAME:-default}` in stack and compose files, as docker's own reader has them.

Source: docker/cli, cli/compose/template/template.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_PART = re.compile(
    r"""\$(?:
        (?P<escaped>\$)
      | (?P<named>[_a-zA-Z][_a-zA-Z0-9]*)
      | \{(?P<braced>[_a-zA-Z][_a-zA-Z0-9]*)(?:(?P<operator>:?[-?+])(?P<operand>[^}]*))?\}
      | (?P<invalid>)
    )""",
    re.VERBOSE,
)


class InterpolationError(ValueError):
    """A text that cannot be interpolated; the message repeats no value."""


def interpolate(
    text: str, variables: Mapping[str, str], unset: Callable[[str], None] = lambda _: None
) -> str:
    """`text` with its variables in place. One that is not set is empty, and `unset` hears of it.

    Raises InterpolationError for a `$` that begins nothing, and for a variable that is required.
    """

    def one(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        name, operator = match["named"] or match["braced"], match["operator"] or ""
        if name is None:
            raise InterpolationError("a $ that begins no variable; a plain one is written $$")
        value = variables.get(name)
        there = bool(value) if operator.startswith(":") else value is not None
        if operator.endswith("-"):
            return value if there and value is not None else match["operand"]
        if operator.endswith("+"):
            return match["operand"] if there else ""
        if operator.endswith("?") and not there:
            raise InterpolationError(f"the variable {name} is required and not set")
        if value is None:
            unset(name)
        return value or ""

    return _PART.sub(one, text)


def names(text: str) -> tuple[str, ...]:
    """The variables that a text uses, in order, each once."""
    found = (match["named"] or match["braced"] for match in _PART.finditer(text))
    return tuple(dict.fromkeys(name for name in found if name))

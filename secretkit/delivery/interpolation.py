"""`$NAME` and `${NAME:-default}` in stack files, as `docker stack deploy` has them.

Source: docker/cli, cli/compose/template/template.go; the same in 20.10 and 28.2. What surprises in
it is kept: without braces a default goes on to the next `}`, or to the end of the text; what is in
a default stays as it is written; `${NAME:+text}` is none of it. One thing is not: docker forgets
an error when a variable follows that has none. compose knows more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

# Go's (?i) takes two letters beyond ASCII for an s and a k.
_NAME = "[_a-zA-Z\u017f\u212a][_a-zA-Z0-9\u017f\u212a]*"
_WORD = rf"{_NAME}(?::?[-?][^}}]*)?"
_PART = re.compile(
    rf"\$(?:(?P<escaped>\$)|(?P<named>{_WORD})|\{{(?P<braced>{_WORD})\}}|(?P<invalid>))"
)
# What follows a name, in the order in which docker looks for it: `${A?b:-c}` has a default.
_OPERATORS = (":-", "-", ":?", "?")


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
        if match["invalid"] is not None:
            raise InterpolationError("a $ that begins no variable; a plain one is written $$")
        name, operator, operand = _split(match["named"] or match["braced"])
        value = variables.get(name)
        if value or (value is not None and not operator.startswith(":")):
            return value
        if operator.endswith("-"):
            return operand
        if operator:
            raise InterpolationError(f"the variable {_first(name)} is required and not set")
        if value is None:
            unset(name)
        return ""

    return _PART.sub(one, text)


def names(text: str) -> tuple[str, ...]:
    """The variables that a text uses, in order, each once."""
    found = (match["named"] or match["braced"] for match in _PART.finditer(text))
    return tuple(dict.fromkeys(_first(word) for word in found if word))


def sole(text: str) -> tuple[str, str] | None:
    """The variable and its default (or "") of a text that is one variable and nothing else."""
    match = _PART.fullmatch(text)
    word = match and (match["named"] or match["braced"])
    if not word:
        return None
    name, operator, operand = _split(word)
    return (_first(name), operand if operator.endswith("-") else "")


def _split(word: str) -> tuple[str, str, str]:
    """`NAME:-default` as name, operator and operand."""
    for operator in _OPERATORS:
        name, found, operand = word.partition(operator)
        if found:
            return name, operator, operand
    return word, "", ""


def _first(word: str) -> str:
    """The name that a word begins with."""
    match = re.match(_NAME, word)
    return match[0] if match else word

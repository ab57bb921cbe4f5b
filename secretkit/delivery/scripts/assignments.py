"""Words of a special form: `NAME=value` as an argument, and `"$@"`."""

from __future__ import annotations

import re

from .model import Text, Variable, Word

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL | re.ASCII)


def is_arguments(word: Word) -> bool:
    """Whether it is `"$@"`, the arguments of the script, one by one and as they are."""
    return word.parts == (Variable("@", "", quoted=True),)


def begins_with_arguments(word: Word) -> bool:
    """Whether the script's arguments come first in it, in whatever form."""
    first = word.parts[0] if word.parts else None
    return isinstance(first, Variable) and first.name in ("@", "*")


def split_assignment(word: Word) -> tuple[str, Word] | None:
    """The name and value of a word such as export takes: `X=…`."""
    first = word.parts[0] if word.parts else None
    found = _ASSIGNMENT.match(first.text) if isinstance(first, Text) else None
    if not found or not isinstance(first, Text):
        return None
    rest = (Text(found[2], first.quoted),) if found[2] else ()
    return found[1], Word((*rest, *word.parts[1:]), word.line)

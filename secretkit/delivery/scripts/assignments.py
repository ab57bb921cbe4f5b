"""Words of a special form: `NAME=value` as an argument, and `"$@"`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from .model import Text, Variable, Word, inside, words_of

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


def refers(words: Iterable[Word], names: Collection[str]) -> bool:
    """Whether one of the variables is put into a word: a shell does that before it assigns any."""
    for word in words:
        for part in word.parts:
            if isinstance(part, Variable):
                used = {part.name, *re.findall(r"\w+", part.operator)}
                if not used.isdisjoint(names):
                    return True
        if any(refers(words_of(command), names) for command in inside(word)):
            return True
    return False

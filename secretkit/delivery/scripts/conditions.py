"""What a script asks of its secrets before it goes on: `[ -f /run/secrets/x ]` and the like."""

from __future__ import annotations

from .forms import variable
from .model import Block, Command, Simple
from .values import FOLDER, Values, is_null

_FILES = ("-f", "-e", "-r", "-s")
_ENDS = {"[": ["]"], "[[": ["]]"], "test": []}
FOLDER_ITSELF = "*"


def asked(command: Command, values: Values) -> tuple[bool, str] | None:
    """Whether it is asked that a secret is there (or that it is missing), and which it is.

    `$X` stands for the file that X_FILE names, `*` for the folder of secrets. None if something
    else is asked.
    """
    if isinstance(command, Block) and command.kind == "!" and len(command.body) == 1:
        found = asked(command.body[0], values)
        return (not found[0], found[1]) if found else None
    if isinstance(command, Simple) and command.name in _ENDS and not command.assignments:
        return _test(command, values) if all(map(is_null, command.redirects)) else None
    return None


def asks(command: Command) -> bool:
    """Whether it is a condition, of whatever."""
    if isinstance(command, Block) and command.kind == "!":
        return True
    return isinstance(command, Simple) and command.name in _ENDS


def _test(command: Simple, values: Values) -> tuple[bool, str] | None:
    words = list(command.words[1:])
    for end in _ENDS[str(command.name)]:
        if not words or words.pop().literal != end:
            return None
    there = True
    while words and words[0].literal == "!":
        there, words = not there, words[1:]
    if len(words) != 2:
        return None
    sign, word = words[0].literal, words[1]
    reading = values.reading(word)
    bare = [part for part in word.parts if not getattr(part, "quoted", False)]
    if sign in ("-n", "-z") and reading:  # without quotes, an empty value is no word at all
        return None if bare and command.name != "[[" else (there == (sign == "-n"), reading.name)
    if sign == "-d":
        return (there, FOLDER_ITSELF) if FOLDER.match(values.text(word) or "") else None
    name = values.file(word) if sign in _FILES else None
    if name:
        return there, name
    named = variable(word)
    if bare or not there or not named.endswith("_FILE") or named in values.assigned:
        return None
    return (True, f"${named.removesuffix('_FILE')}") if sign in (*_FILES, "-n") else None

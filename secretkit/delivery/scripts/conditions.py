"""What a script asks of its secrets before it goes on: `[ -f /run/secrets/x ]` and the like."""

from __future__ import annotations

from .forms import variable
from .model import AndOr, Block, Command, Simple
from .values import FOLDER, Values

_ASKED = ("-f", "-e", "-r", "-s", "-n", "-z", "-d")


def asked(command: Command, values: Values) -> tuple[bool, set[str]] | None:
    """Whether it is asked that secrets are there (or that they are missing), and which they are.

    `$X` stands for the file that X_FILE names. None if something else is asked.
    """
    if isinstance(command, Block) and command.kind == "!":
        found = asked(command.body[0], values)
        return (not found[0], found[1]) if found else None
    if isinstance(command, AndOr) and command.operator == "&&":
        left, right = asked(command.left, values), asked(command.right, values)
        return (True, left[1] | right[1]) if left and right and left[0] and right[0] else None
    if isinstance(command, Simple) and command.name in ("[", "[[", "test"):
        return _test(command, values)
    return None


def _test(command: Simple, values: Values) -> tuple[bool, set[str]] | None:
    bracket, *words = [word for word in command.words if word.literal not in ("]", "]]")]
    for at, word in enumerate(words):
        if word.literal == "&&":
            left = command._replace(words=(bracket, *words[:at]))
            right = command._replace(words=(bracket, *words[at + 1 :]))
            return asked(AndOr(left, "&&", right, command.line), values)
    there = True
    while words and words[0].literal == "!":
        there, words = not there, words[1:]
    if len(words) != 2 or words[0].literal not in _ASKED:
        return None
    sign, word = words[0].literal, words[1]
    there = there != (sign == "-z")
    if sign == "-d":
        return (there, set()) if FOLDER.match(values.text(word) or "") else None
    reading = values.reading(word) if sign in ("-n", "-z") else None
    name = reading.secret if reading else values.file(word)
    if name:
        return there, {name}
    named = variable(word)
    return (
        (True, {f"${named.removesuffix('_FILE')}"}) if named.endswith("_FILE") and there else None
    )

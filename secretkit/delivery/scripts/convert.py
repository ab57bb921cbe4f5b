"""An entrypoint script to the `[entrypoint]` table that does the same. Pure."""

from __future__ import annotations

import re

from ...errors import UsageError
from ..lint.script import findings_of_script, is_script
from .conversion import Conversion
from .model import Command, Simple, Variable, every, words_of
from .reading import ScriptError, read
from .translator import Translator

_DASH = re.compile(r"#!\s*(?:/\S*/)?(?:env\s+)?(?:da|a)?sh\b")
_EXPORTS = re.compile(r"#!.*\s-\w*a")
_BASH = {"[[", "declare", "typeset", "source", "let"}


def convert(path: str, text: str) -> Conversion:
    """What the script `text`, which the user knows as `path`, becomes.

    Raises UsageError if it is no script of a shell, empty, or cannot be read.
    """
    if not text.strip() or "\0" in text or not is_script(text):
        what = "empty" if not text.strip() else "no script of sh or bash"
        raise UsageError(f"cannot convert {path}, {what}", hint="name the script of ENTRYPOINT")
    try:
        commands = read(text)
        made = Translator(path, commands, exports=bool(_EXPORTS.match(text))).script()
    except ScriptError as error:
        raise UsageError(
            f"cannot convert {path}:{error.line}, {error.reason}", hint="see what `sh -n` says"
        ) from None
    for line in sorted(_of_bash(commands)) if _DASH.match(text) else ():
        message = "this is bash's: dash, which is sh in Debian, does something else"
        made.note(line, message, "it matters if the image's sh is not bash")
    found = [*findings_of_script(path, text), *made.findings]
    made.findings = sorted(dict.fromkeys(found), key=lambda one: one.place.line)
    return made


def _of_bash(commands: tuple[Command, ...]) -> set[int]:
    """The lines with what POSIX's shell does not know, such as `[[`, `$(< file)`, `${x^^}`."""
    lines: set[int] = set()
    for one in every(commands):
        reads = isinstance(one, Simple) and not (one.words or one.assignments)
        if (isinstance(one, Simple) and one.name in _BASH) or (reads and one.redirects):
            lines.add(one.line)
        for word in words_of(one):
            operators = [part.operator for part in word.parts if isinstance(part, Variable)]
            if any(re.match(r"[\^,/]|:\d", operator) for operator in operators):
                lines.add(word.line)
    return lines

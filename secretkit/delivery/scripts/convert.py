"""An entrypoint script to the `[entrypoint]` table that does the same. Pure."""

from __future__ import annotations

from ...errors import UsageError
from ..lint.script import findings_of_script, is_script
from .conversion import Conversion
from .reading import ScriptError, read
from .translator import Translator


def convert(path: str, text: str) -> Conversion:
    """What the script `text`, which the user knows as `path`, becomes.

    Raises UsageError if it is no script of a shell, empty, or cannot be read.
    """
    if not text.strip() or "\0" in text or not is_script(text):
        what = "empty" if not text.strip() else "no script of sh or bash"
        raise UsageError(f"cannot convert {path}, {what}", hint="name the script of ENTRYPOINT")
    try:
        made = Translator(path, read(text)).script()
    except ScriptError as error:
        raise UsageError(
            f"cannot convert {path}:{error.line}, {error.reason}", hint="see what `sh -n` says"
        ) from None
    found = [*findings_of_script(path, text), *made.findings]
    made.findings = sorted(dict.fromkeys(found), key=lambda one: one.place.line)
    return made

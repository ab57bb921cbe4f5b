"""Files of `NAME=value` lines that say what variables are, as compose reads its `.env`.

What readers of such files agree about is taken; a `$` that they take for different things is an
error. `docker stack deploy` itself reads none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import UsageError
from .findings import Place

LARGEST = 1 << 20  # bytes
_HINT = "name a file of NAME=value lines; its path is relative to the current folder"
_SETTING = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*
    (?:'(?P<literal>[^']*)' | "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<bare>[^'"\n][^\n]*)?)
    [ \t]*(?:(?<=[ \t'"])\#[^\n]*)?(?:\n|$)""",
    re.VERBOSE | re.DOTALL,
)
_NOTHING = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|$)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_VARIABLE = re.compile(
    r"\\\$|\$(?:\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}$]*))?\})?"
)


def read(path: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What a file sets; `environ` is for `${NAME}` in it. Raises UsageError, which names the line.

    No message repeats what may be a value.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise UsageError(f"{path}: larger than {LARGEST >> 20} MiB", hint=_HINT)
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
        if "\0" in text:
            raise ValueError
    except OSError as error:
        reason = (error.strerror or "I/O error").lower()
        raise UsageError(f"{path}: cannot be read, {reason}", hint=_HINT) from None
    except ValueError:  # of the decoder too
        raise UsageError(f"{path}: not a text in UTF-8", hint=_HINT) from None
    return parse(path, text, environ)


def parse(path: str, text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The same of a text."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        if nothing := _NOTHING.match(text, at):
            at = nothing.end()
            continue
        match = _SETTING.match(text, at)
        if not match:
            raise _wrong(path, text, at, "not NAME=value", "a value with quotes goes into '…'")
        try:
            value = _value(match, lambda name: environ.get(name, found.get(name, "")))
        except ValueError:
            raise _wrong(
                *(path, text, at, "a $ that is read differently by different programs"),
                "a plain $ goes into '…', a variable is written ${NAME}",
            ) from None
        found[match["name"]] = value
        at = match.end()
    return found


def _wrong(path: str, text: str, at: int, what: str, hint: str) -> UsageError:
    line = text.count("\n", 0, at) + 1
    return UsageError(f"{Place(path, line)}: {what}", hint=hint)


def _value(match: re.Match[str], known: Callable[[str], str]) -> str:
    """Raises ValueError for a `$` that is neither escaped nor a variable in braces."""
    if match["literal"] is not None:
        return match["literal"]

    def one(found: re.Match[str]) -> str:
        if found[0] == r"\$":
            return "$"
        if not found["name"]:
            raise ValueError
        return known(found["name"]) or found["default"] or ""

    if match["quoted"] is None:
        bare = re.split(r"[ \t]#", match["bare"] or "", maxsplit=1)[0]
        return _VARIABLE.sub(one, bare).strip()
    parts = re.split(r"(\\.)", match["quoted"], flags=re.DOTALL)
    return "".join(
        _ESCAPES.get(part[1], part[1]) if part.startswith("\\") else _VARIABLE.sub(one, part)
        for part in parts
    )

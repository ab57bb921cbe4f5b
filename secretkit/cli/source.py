"""Where a value comes from: a file, stdin, a prompt, or a generator. Never an argument."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO, NamedTuple

from ..errors import InvalidValueError, UsageError
from ..naming import VALUE_LENGTH
from .command import value_hint
from .output import Output

GIVEN = "given"


class Given(NamedTuple):
    """What a command line says about where the value is."""

    file: str | None  # a path, "-" for stdin, or None
    keep_newline: bool
    strip_newline: bool
    command: str  # "secretkit create db-password", for hints

    def check(self, generate: str | None) -> None:
        """Raise UsageError if the options exclude each other."""
        if self.file is not None and generate is not None:
            raise UsageError("FILE and --generate exclude each other", hint="give one of them")
        if self.keep_newline and self.strip_newline:
            raise UsageError("--keep-newline and --strip-newline exclude each other")


def read(name: str, given: Given, out: Output, limit: int = VALUE_LENGTH) -> bytes:
    """The value for `name` from FILE, stdin or the terminal.

    Raises UsageError for what cannot be read, InvalidValueError for more than `limit` bytes: never
    more than that is read.
    """
    if given.file not in (None, "-"):
        return _from_file(name, str(given.file), given, out, limit)
    if sys.stdin is not None and sys.stdin.isatty():
        from .prompt import ask_twice

        return ask_twice(f"value of {name}")
    if given.file is None or sys.stdin is None:
        raise UsageError(
            f"no value for {name}",
            hint=f"`{given.command} -` reads stdin, --generate password makes one",
        )
    value = _bounded(name, sys.stdin.buffer, limit)
    return value if given.keep_newline else _without_newline(value, out)


def warn_of_mock(out: Output, name: str, value: bytes | None) -> None:
    """Say what will not work with a mock, which this machine may well keep."""
    from ..mocks import is_mock

    if value is not None and is_mock(value):
        out.warn(f"the value of {name} is a mock: no engine and no image will be given it")


def _from_file(name: str, path: str, given: Given, out: Output, limit: int) -> bytes:
    if not os.path.lexists(path):
        # Not repeated: somebody may have written the value there.
        raise UsageError(
            "no such file, and what follows the name is a file's",
            hint=value_hint(given.command),
        )
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - pathlib adds nothing here
            value = _bounded(name, file, limit)
    except OSError as error:
        raise UsageError(f"cannot read {path}, {(error.strerror or 'I/O error').lower()}") from None
    if given.strip_newline:
        return _without_newline(value, out)
    if value.endswith(b"\n") and not given.keep_newline:
        out.say(f"kept the newline at the end of {path} (--strip-newline drops it)")
    return value


def _bounded(name: str, file: BinaryIO, limit: int) -> bytes:
    """All of `file`, if it is not larger; two bytes more may be a newline."""
    most = limit + 2
    parts, size = [], 0
    while size <= most and (part := file.read(most + 1 - size)):
        parts.append(part)
        size += len(part)
    if size > most:
        raise InvalidValueError(name, f"more than {limit} bytes")
    return b"".join(parts)


def _without_newline(value: bytes, out: Output) -> bytes:
    for end in (b"\r\n", b"\n"):
        if value.endswith(end):
            out.say("dropped one newline at the end (--keep-newline keeps it)")
            return value.removesuffix(end)
    return value

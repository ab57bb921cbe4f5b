"""What is printed, and where. Only this module prints, and `following` draws.

- stdout is data: what was asked for, and nothing else. A value's bytes leave through `raw`.
- stderr is talk: one line each. `--quiet` silences it, but not warnings and errors.
- An error is `secretkit: error: <what>, <name>`, then `hint: <what to do>`: lower case, no final
  period. A warning is `secretkit: warning: …`.
- No control character of a name, path or label reaches the terminal: they are escaped.
- Tables are aligned by spaces, with a header in capitals; times in them are relative, as docker's.
  `--json` gives the same as one JSON document, times in ISO 8601, UTC.
- Progress is drawn (rich) on a terminal only, and only for work that takes longer than a second;
  elsewhere it is a plain line every ten seconds.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from datetime import datetime

PROGRAM = "secretkit"
Progress = Callable[[int, int], None]


class Output:
    """The two streams, and what the user wants on them."""

    def __init__(self) -> None:
        self.json = False
        self.quiet = False

    def data(self, text: str) -> None:
        """One line on stdout."""
        _write(sys.stdout, escaped(text) + "\n")

    def text(self, text: str) -> None:
        """Several lines on stdout, as they are: help, a completion script."""
        _write(sys.stdout, text)

    def raw(self, content: bytes) -> None:
        """Exact bytes on stdout."""
        sys.stdout.flush()
        view = memoryview(content)
        while view:
            view = view[os.write(sys.stdout.fileno(), view) :]

    def document(self, content: object) -> None:
        """One JSON document on stdout."""
        import json

        _write(sys.stdout, json.dumps(content, indent=2) + "\n")

    def line(self, content: object) -> None:
        """One JSON document on one line of stdout, at once: for what is followed by a machine."""
        import json

        _write(sys.stdout, json.dumps(content) + "\n")
        sys.stdout.flush()

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Aligned columns on stdout, three spaces apart."""
        for line in aligned(headers, rows):
            _write(sys.stdout, line + "\n")

    def summary(self, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Aligned columns on stderr, which end what was said while it was done."""
        for line in aligned(headers, rows):
            _talk(line)

    def say(self, text: str) -> None:
        """One line of talk on stderr."""
        if not self.quiet:
            _talk(f"{PROGRAM}: {escaped(text)}")

    def warn(self, text: str) -> None:
        """One line on stderr that `--quiet` does not silence."""
        _talk(f"{PROGRAM}: warning: {escaped(text)}")

    def error(self, message: str, hint: str | None = None) -> None:
        """What went wrong, and what to do."""
        _talk(f"{PROGRAM}: error: {escaped(message)}")
        if hint:
            _talk(f"hint: {escaped(hint)}")

    @contextlib.contextmanager
    def progress(self, what: str) -> Iterator[Progress | None]:
        """A callback for long work: (done, all)."""
        if self.quiet:
            yield None
            return
        with contextlib.ExitStack() as stack:
            yield _on_terminal(what, stack) if sys.stderr.isatty() else _as_lines(what, self.say)


def _on_terminal(what: str, stack: contextlib.ExitStack) -> Progress:
    start = time.monotonic()
    draw: list[Progress] = []

    def step(done: int, whole: int) -> None:
        if not draw and time.monotonic() - start > 1:
            from rich.console import Console
            from rich.progress import Progress as Bar

            bar = stack.enter_context(Bar(console=Console(stderr=True), transient=True))
            task = bar.add_task(what, total=whole)
            draw.append(lambda done, whole: bar.update(task, completed=done, total=whole))
        if draw:
            draw[0](done, whole)

    return step


def _as_lines(what: str, say: Callable[[str], None]) -> Progress:
    last = [time.monotonic()]

    def step(done: int, whole: int) -> None:
        if time.monotonic() - last[0] > 10:
            last[0] = time.monotonic()
            say(f"{what}: {done} of {whole}")

    return step


def aligned(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table: columns three spaces apart, control characters escaped."""
    cells = [list(headers), *([escaped(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers))]
    return [
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def escaped(text: str) -> str:
    """`text` on one line, without control characters, which could steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quoted(text: str) -> str:
    """`text` as one word on one line for a shell. A control character is written as in $'\\012'
    (POSIX.1-2024, Shell Command Language, 2.2.4), which bash, zsh and busybox know.
    """
    from shlex import quote

    if text.isprintable():
        return quote(text)
    return "$'" + "".join(f"\\{c}" if c in "\\'" else _octal(c) for c in text) + "'"


def _octal(c: str) -> str:
    return c if c.isprintable() else "".join(f"\\{byte:03o}" for byte in os.fsencode(c))


def _talk(line: str) -> None:
    """A line on stderr. If nobody can hear it, what is done and the exit code stay the same."""
    with contextlib.suppress(OSError):
        _write(sys.stderr, line + "\n")


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:  # the locale has no such letter
        stream.write(text.encode("ascii", "backslashreplace").decode())


def counted(number: int, thing: str) -> str:
    """`1 secret`, `2 secrets`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def ago(moment: datetime) -> str:
    """How long ago, in the unit that says most: `2 hours ago`."""
    seconds = max(0, int(time.time() - moment.timestamp()))
    for unit, size in (("year", 31_536_000), ("month", 2_592_000), ("week", 604_800)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}s ago"
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def elapsed(seconds: float) -> str:
    """A duration as docker writes them: `0.4s`, `12s`, `1m30s`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return "".join(
        f"{number}{unit}"
        for number, unit in ((hours, "h"), (minutes, "m"), (rest, "s"))
        if number or unit == "s"
    )


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond: `2026-11-21T01:53:58.123Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def traceback(error: BaseException) -> None:
    """The frames of `error` and of what caused it, for `--debug`.

    No values: no local variables, and the message only of our own exceptions, which never carry
    one; of a foreign exception, the type.
    """
    from traceback import format_tb

    from ..errors import SecretkitError

    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        traceback(cause)
        sys.stderr.write("\nwhich led to:\n\n")
    sys.stderr.write("".join(format_tb(error.__traceback__)))
    message = f": {escaped(str(error))}" if isinstance(error, SecretkitError) else ""
    withheld = "" if message else " (message withheld)"
    sys.stderr.write(f"{type(error).__qualname__}{message}{withheld}\n")

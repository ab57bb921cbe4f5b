"""A diff of rendered files that shows no value, neither of the current ones nor of what was there.

The template is rendered twice: with the values, and with a mark in place of each. What the second
rendering shows outside the marks is the template's own text; only that is ever printed. A line of
either file that does not fit a line of the template is masked as a whole.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Protocol

_MASKED = "<masked: not a line of the template>"


class _Destination(Protocol):
    @property
    def destination(self) -> str: ...


class Mask:
    """Marks for a set of secrets."""

    def __init__(self, names: Iterable[str]) -> None:
        # Letters and digits only: every format writes them as they are.
        self._prefix = f"MASK{os.urandom(8).hex()}"
        self._marks = {f"{self._prefix}{i:06d}E": name for i, name in enumerate(names)}
        self._mark = re.compile(f"{self._prefix}[0-9]{{6}}E")

    @property
    def values(self) -> Mapping[str, bytes]:
        """What to render in place of the values: a mark by name."""
        return {name: mark.encode() for mark, name in self._marks.items()}

    def diff(self, one: _Destination, before: bytes, after: bytes, masked: bytes) -> list[str]:
        """The unified diff from `before` to `after`, empty if they are equal."""
        from difflib import unified_diff

        lines = list(
            unified_diff(
                _lines(before), _lines(after), one.destination, one.destination, lineterm=""
            )
        )
        shown = self._patterns(_lines(masked))
        return [
            line if number < 2 or line.startswith("@@") else line[0] + self._show(line[1:], shown)
            for number, line in enumerate(lines)
        ]

    def _patterns(self, masked: list[str]) -> list[tuple[re.Pattern[str], str]]:
        """For each line of the template: what it looks like with any values, and how to show it."""
        found = []
        for line in sorted(set(masked), key=lambda line: -len(self._mark.sub("", line))):
            literal = [re.escape(part) for part in self._mark.split(line)]
            shown = self._mark.sub(lambda mark: f"<{self._marks[mark[0]]}>", line)
            found.append((re.compile(".*".join(literal), re.DOTALL), shown))
        return found

    def _show(self, line: str, patterns: list[tuple[re.Pattern[str], str]]) -> str:
        return next((shown for pattern, shown in patterns if pattern.fullmatch(line)), _MASKED)


def _lines(content: bytes) -> list[str]:
    return content.decode(errors="surrogateescape").splitlines()

"""A diff of rendered files that shows no value, neither of the current ones nor of what was there.

Only lines of the template's source are ever printed: a line of either file is shown as the source
line that it fits, and as masked if it fits none. So it does not matter what an expression prints,
a secret, a part of one or a variable. In a template with blocks even which of its lines appear can
depend on a value, so nothing of it is shown.
"""

from __future__ import annotations

import re
from itertools import islice

_MASKED = "<masked: not a line of the template>"
_BLOCK = "{%"
# What stands for something else: a placeholder, an expression of Jinja2, a comment of Jinja2. One
# that goes over several lines is not found, and what it prints is masked.
_HOLE = re.compile(r"<<[^<>\s]+>>|\{\{.*?\}\}|\{#.*?#\}")


def masked_diff(destination: str, source: bytes, before: bytes, after: bytes) -> list[str]:
    """The unified diff from `before` to `after`, empty if they are equal.

    `after` is what the template `source` was rendered to.
    """
    from difflib import unified_diff

    text = _lines(source)
    holed = [] if any(_BLOCK in line for line in text) else [(_HOLE.split(t), t) for t in text]
    # The line that says most first.
    holed.sort(key=lambda one: -sum(map(len, one[0])))
    lines = unified_diff(_lines(before), _lines(after), destination, destination, lineterm="")
    headers = list(islice(lines, 2))
    return headers + [
        line if line.startswith("@@") else line[0] + _shown(line[1:], holed) for line in lines
    ]


def _shown(line: str, holed: list[tuple[list[str], str]]) -> str:
    return next((source for parts, source in holed if _fits(line, parts)), _MASKED)


def _fits(line: str, parts: list[str]) -> bool:
    """Whether `line` is `parts` with anything in between."""
    first, *rest = parts
    if not rest:
        return line == first
    *middle, last = rest
    if len(line) < len(first) + len(last) or not line.startswith(first) or not line.endswith(last):
        return False
    at, end = len(first), len(line) - len(last)
    for part in middle:
        found = line.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _lines(content: bytes) -> list[str]:
    return content.decode(errors="surrogateescape").splitlines()

"""What a check found: which rule, where, and what mends it. The rules are one table, RULES."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "note"]


class Rule(NamedTuple):
    """Something that checks look for. Its name is what users see, and what SARIF calls ruleId."""

    severity: Severity
    title: str  # what is wrong, in a few words, for a list of rules
    why: str  # what comes of it, in a sentence


RULES: Mapping[str, Rule] = {}


class Place(NamedTuple):
    """Where: a file as the user named it, or an image or service; lines and columns from 1."""

    path: str
    line: int = 0  # 0: the whole of it
    column: int = 0

    def __str__(self) -> str:
        parts = [self.path, *(str(number) for number in (self.line, self.column) if number)]
        return ":".join(parts)


class Finding(NamedTuple):
    """One thing that a check found. Neither text ever repeats what may be a value."""

    rule: str  # a key of RULES
    place: Place
    message: str  # what is wrong here: lower case, no final period, one line
    remedy: str  # what to do about it: the line to write, where there is one

    @property
    def severity(self) -> Severity:
        """That of its rule."""
        return RULES[self.rule].severity

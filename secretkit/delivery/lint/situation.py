"""A stage of a Dockerfile, with what it inherits from the stages before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..dockerfiles import Instruction, Stage
from ..findings import Finding, Place


class Situation(NamedTuple):
    """Where checks of one stage look."""

    path: str
    stage: Stage
    line_of: Sequence[Stage]  # the stages that it is built from, itself the last

    def finding(self, rule: str, at: Instruction, message: str, remedy: str) -> Finding:
        return Finding(rule, Place(self.path, at.line), message, remedy)

    def last(self, word: str) -> tuple[Instruction | None, int]:
        """The instruction of this kind that counts, and how many stages back it stands."""
        for back, stage in enumerate(reversed(self.line_of)):
            found = stage.last(word)
            if found:
                return found, back
        return None, 0

"""Dockerfiles as the builder reads them: instructions with their lines, and the stages. Pure."""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_KNOWN = {
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
    "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}  # fmt: skip
_DIRECTIVE = re.compile(r"#\s*([a-z]+)\s*=\s*(.*?)\s*$", re.IGNORECASE)
_DOCUMENT = re.compile(r"""(?:^|\s)\d*<<(-?)(["']?)([A-Za-z_]\w*)\2(?=\s|$)""")
_FLAG = re.compile(r"--[a-z][a-z-]*(?:=\S*)?(?=\s|$)")
_WORD = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\]|["'\\])+""", re.DOTALL)


class Instruction(NamedTuple):
    """One instruction. Continued lines are joined in its text; here-documents follow as lines."""

    word: str  # in capitals: RUN
    flags: tuple[str, ...]  # such as --from=build
    text: str  # what stands after word and flags
    starts: tuple[tuple[int, int], ...]  # (offset in the text, line of the file), ascending

    @property
    def line(self) -> int:
        """Where its text begins."""
        return self.starts[0][1]

    def line_at(self, offset: int) -> int:
        """The line where this letter of the text stands."""
        return self.starts[bisect_right(self.starts, offset, key=lambda one: one[0]) - 1][1]

    @property
    def arguments(self) -> str:
        """The text without here-documents."""
        return self.text.partition("\n")[0]

    @property
    def command(self) -> str:
        """The arguments, of a HEALTHCHECK what stands after its CMD."""
        return (
            re.sub(r"^CMD\s+", "", self.arguments) if self.word == "HEALTHCHECK" else self.arguments
        )

    @property
    def listed(self) -> list[str] | None:
        """The words of the exec form, a JSON list of texts; None for all else: the shell form."""
        try:
            words, _ = json.JSONDecoder().raw_decode(self.command)
        except (ValueError, RecursionError):
            return None
        good = isinstance(words, list) and all(isinstance(word, str) for word in words)
        return words if good else None

    @property
    def words(self) -> list[str]:
        """The words of either form, without their quotes."""
        listed = self.listed
        return [unquoted(word) for word in _words(self.command)] if listed is None else listed

    @property
    def pairs(self) -> list[tuple[str, str | None, int]]:
        """What ENV, ARG or LABEL set: (name, value, offset); None where an ARG has no default."""
        found = [(one.group(), one.start()) for one in _WORD.finditer(self.arguments)]
        if self.word != "ARG" and found and "=" not in found[0][0]:  # ENV NAME all of the rest
            name, value = [*self.arguments.split(None, 1), ""][:2]
            return [(name, value, 0)]
        return [
            (unquoted(name), unquoted(value) if equals else None, offset)
            for word, offset in found
            for name, equals, value in [word.partition("=")]
        ]

    def flag(self, name: str) -> list[str]:
        """The values of a flag, in order."""
        return [flag.partition("=")[2] for flag in self.flags if flag.split("=")[0] == name]


class Stage(NamedTuple):
    """A stage: from its FROM to the next."""

    name: str  # lower case, or its number
    base: str  # as written
    instructions: tuple[Instruction, ...]

    def all(self, *words: str) -> list[Instruction]:
        """Its instructions of these kinds, in order."""
        return [one for one in self.instructions if one.word in words]

    def last(self, word: str) -> Instruction | None:
        """The one that counts of an instruction of which only the last does."""
        found = self.all(word)
        return found[-1] if found else None


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile, as BuildKit's parser takes them apart."""
    # Not splitlines(), which knows more ends of a line than the builder.
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    escape = _escape(lines)
    ends = _Ends(lines)
    number = 0
    while number < len(lines):
        first = number
        logical, starts, number = _logical(lines, number, escape)
        if not logical.strip():
            continue
        word = logical.split(None, 1)[0]
        at = logical.index(word) + len(word)
        flags = []
        while True:
            at += len(logical[at:]) - len(logical[at:].lstrip())
            found = _FLAG.match(logical, at)
            if not found:
                break
            flags.append(found.group())
            at = found.end()
        rest = logical[at:].rstrip()
        places = [(max(0, start - at), line) for start, line in starts]
        if word.upper() in ("RUN", "COPY", "ADD"):
            rest, places, number = _documents(rest, places, ends, number)
        before = [line for start, line in places if start == 0] or [first + 1]
        after = [place for place in places if place[0] > 0]
        if word.upper() in _KNOWN:  # what else stands there may be anything, and stops a build
            yield Instruction(word.upper(), tuple(flags), rest, ((0, before[-1]), *after))


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile. What stands before the first FROM is in none.

    A part of one, without any FROM, is one stage.
    """
    found: list[tuple[str, str, list[Instruction]]] = []
    before: list[Instruction] = []
    for one in instructions(text):
        if one.word == "FROM":
            words = one.arguments.split()
            named = words[2] if len(words) > 2 and words[1].lower() == "as" else str(len(found))
            found.append((named.lower(), words[0] if words else "", []))
        elif found:
            found[-1][2].append(one)
        else:
            before.append(one)
    if before and not found:
        found = [("0", "", before)]
    return [Stage(name, base, tuple(held)) for name, base, held in found]


def parents(all_stages: Sequence[Stage]) -> list[int | None]:
    """By stage, the number of the one that it is built from; None: an image that is none of them.

    Only a stage above has a name already.
    """
    known: dict[str, int] = {}
    found: list[int | None] = []
    for number, stage in enumerate(all_stages):
        found.append(known.get(stage.base.lower()))
        known[stage.name] = number
    return found


def lineage(all_stages: Sequence[Stage], above: Sequence[int | None], number: int) -> list[Stage]:
    """The stages that one is built from, with their parents in `above`; itself the last."""
    found: list[Stage] = []
    at: int | None = number
    while at is not None:
        found.append(all_stages[at])
        at = above[at]
    return found[::-1]


def shipped(all_stages: Sequence[Stage]) -> set[int]:
    """The stages whose layers somebody gets: those that no other takes files from, and their bases.

    One that others only copy from leaves its layers in the builder's cache.
    """
    above = parents(all_stages)
    copied = {source.lower() for stage in all_stages for source in _sources(stage)}
    chosen: set[int] = set()
    for number, stage in enumerate(all_stages):
        used = number in above or not copied.isdisjoint((stage.name, str(number)))
        at = number if not used or number == len(all_stages) - 1 else None
        while at is not None and at not in chosen:
            chosen.add(at)
            at = above[at]
    return chosen


def unquoted(word: str) -> str:
    """A word without the quotes around its parts; variables in it stay as they are written."""

    def part(found: re.Match[str]) -> str:
        piece = found.group()
        if piece[0] == "'":
            return piece[1:-1]
        return re.sub(r"\\(.)", r"\1", piece[1:-1] if piece[0] == '"' else piece)

    return re.sub(r""""(?:[^"\\]|\\.)*"|'[^']*'|\\.""", part, word, flags=re.DOTALL)


def _words(text: str) -> list[str]:
    return [one.group() for one in _WORD.finditer(text)]


def _sources(stage: Stage) -> Iterator[str]:
    for one in stage.all("COPY", "ADD", "RUN"):
        yield from one.flag("--from")
        for mount in one.flag("--mount"):
            yield from (part[5:] for part in mount.split(",") if part.startswith("from="))


def _escape(lines: list[str]) -> str:
    """The letter that continues a line: directives stand before all else, each once."""
    for line in lines:
        found = _DIRECTIVE.match(line)
        if not found:
            break
        if found[1].lower() == "escape" and found[2] in ("\\", "`"):
            return found[2]
    return "\\"


def _logical(lines: list[str], number: int, escape: str) -> tuple[str, list[tuple[int, int]], int]:
    """A line with those that continue it: its text, where each begins, the number of the next.

    Comments and empty lines do not end it.
    """
    ends = re.compile(re.escape(escape) + r"[ \t]*$")
    text, starts = "", []
    while number < len(lines):
        line = lines[number]
        number += 1
        if line.lstrip().startswith("#") or (text and not line.strip()):
            if not text:
                return "", [], number
            continue
        starts.append((len(text), number))
        found = ends.search(line)
        if not found:
            return text + line, starts, number
        text += line[: found.start()]
    return text, starts, number


class _Ends:
    """The lines of a file, and where one that ends a here-document stands next."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at: dict[str, list[int]] | None = None

    def after(self, number: int, end: str, *, tabs: bool) -> int | None:
        """The first line from `number` on that is `end`, with tabs before it if they may be."""
        if self.at is None:
            self.at = {}
            for at, line in enumerate(self.lines):
                self.at.setdefault(line.lstrip("\t"), []).append(at)
        found = self.at.get(end, [])
        for at in found[bisect_left(found, number) :]:
            if tabs or self.lines[at] == end:
                return at
        return None


def _documents(
    text: str, starts: list[tuple[int, int]], ends: _Ends, number: int
) -> tuple[str, list[tuple[int, int]], int]:
    """`text` with its here-documents after it; one without an end is none."""
    parts, length, places = [text], len(text), list(starts)
    for tabs, _, end in _DOCUMENT.findall(text):
        last = ends.after(number, end, tabs=bool(tabs))
        if last is None:
            break
        for at in range(number, last):
            line = ends.lines[at].lstrip("\t") if tabs else ends.lines[at]
            places.append((length + 1, at + 1))
            parts.append(line)
            length += len(line) + 1
        number = last + 1
    return "\n".join(parts), places, number

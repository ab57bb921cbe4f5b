"""Dockerfiles as the builder reads them: instructions with their lines, and the stages. Pure."""

from __future__ import annotations

import json
import re
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
        return max(line for start, line in self.starts if start <= offset)

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
            rest, places, number = _documents(rest, places, lines, number)
        before = [line for start, line in places if start == 0] or [first + 1]
        after = [place for place in places if place[0] > 0]
        if word.upper() in _KNOWN:  # what else stands there may be anything, and stops a build
            yield Instruction(word.upper(), tuple(flags), rest, ((0, before[-1]), *after))


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile. What stands before the first FROM is in none."""
    found: list[tuple[str, str, list[Instruction]]] = []
    for one in instructions(text):
        if one.word == "FROM":
            words = one.arguments.split()
            named = words[2] if len(words) > 2 and words[1].lower() == "as" else str(len(found))
            found.append((named.lower(), words[0] if words else "", []))
        elif found:
            found[-1][2].append(one)
    return [Stage(name, base, tuple(held)) for name, base, held in found]


def shipped(all_stages: Sequence[Stage]) -> list[Stage]:
    """The stages whose layers somebody gets: those that no other takes files from, and their bases.

    One that others only copy from leaves its layers in the builder's cache.
    """
    names = {stage.name: stage for stage in all_stages}
    names |= {str(number): stage for number, stage in enumerate(all_stages)}
    copied = {source.lower() for stage in all_stages for source in _sources(stage)}
    based = {stage.base.lower() for stage in all_stages}
    chosen: list[Stage] = []
    for number, stage in enumerate(all_stages):
        if {stage.name, str(number)} & (copied | based) and stage is not all_stages[-1]:
            continue
        at: Stage | None = stage
        while at is not None and at not in chosen:
            chosen.append(at)
            at = names.get(at.base.lower())
    return [stage for stage in all_stages if stage in chosen]


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


def _documents(
    text: str, starts: list[tuple[int, int]], lines: list[str], number: int
) -> tuple[str, list[tuple[int, int]], int]:
    """`text` with its here-documents after it; one without an end is none."""
    for tabs, _, end in _DOCUMENT.findall(text):
        rest = [line.lstrip("\t") if tabs else line for line in lines[number:]]
        if end not in rest:
            break
        for line in rest[: rest.index(end)]:
            number += 1
            starts = [*starts, (len(text) + 1, number)]
            text += f"\n{line}"
        number += 1
    return text, starts, number

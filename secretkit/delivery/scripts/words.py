"""The words of a shell script: quotes, `$`, backticks, comments, and where lines go on."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import NoReturn

from .model import Command, Opaque, Part, Substitution, Text, Variable, Word

_PARAMETER = re.compile(r"[A-Za-z_]\w*|[0-9]|[@*#?$!-]", re.ASCII)
_BRACED = re.compile(r"#?(?:[A-Za-z_]\w*|[0-9]+|[@*#?$!-])|!\w+", re.ASCII)
_BLANKS = re.compile(r"(?:[ \t]|\\\n)*")
_PLAIN = re.compile(r"[^\s;&|<>()'\"\\$`]+")
_BARE = re.compile(r"[^\s;&|<>()'\"\\$`]+")
_QUOTED = re.compile(r'[^"\\$`]+')
_DOCUMENT = re.compile(r"[^\\$`]+")


class Words:
    """A cursor over a script. `skips` leads from the end of a line past its here-documents."""

    def __init__(self, text: str, line: int) -> None:
        self.text = text
        self.at = 0
        self.first = line
        self.ends = [found.start() for found in re.finditer("\n", text)]
        self.skips: dict[int, int] = {}

    @property
    def line(self) -> int:
        return self.line_at(self.at)

    def line_at(self, position: int) -> int:
        return self.first + bisect_left(self.ends, position)

    def refuse(self, reason: str) -> NoReturn:
        raise NotImplementedError

    def substitution(self) -> tuple[Command, ...]:
        raise NotImplementedError

    def nested(self, text: str, line: int) -> tuple[Command, ...]:
        raise NotImplementedError

    # -- between words ------------------------------------------------------------------------

    def blanks(self) -> None:
        """Past spaces, continued lines, and a comment."""
        found = _BLANKS.match(self.text, self.at)
        self.at = found.end() if found else self.at
        before = self.text[self.at - 1 : self.at]
        if self.text.startswith("#", self.at) and (not before or before in " \t\n;&|()"):
            end = self.text.find("\n", self.at)
            self.at = end if end >= 0 else len(self.text)

    def lines(self) -> None:
        """Past blanks and ends of lines, with the here-documents that follow them."""
        self.blanks()
        while self.text.startswith("\n", self.at):
            self.at = self.skips.get(self.at, self.at + 1)
            self.blanks()

    def plain(self) -> str:
        """Takes a word without quotes, such as a name."""
        word = self.next_word()
        self.at += len(word)
        return word

    def next_word(self) -> str:
        """The word without quotes that comes next; it is not taken. Empty if there is none."""
        self.blanks()
        found = _PLAIN.match(self.text, self.at)
        if not found:
            return ""
        after = self.text[found.end() : found.end() + 1]
        return found[0] if not after or after in " \t\n;&|<>()\\" else ""

    # -- words --------------------------------------------------------------------------------

    def word(self) -> Word | None:
        """The next word, taken; None if an operator or the end of the line comes next."""
        self.blanks()
        line, parts = self.line, list[Part]()
        while self.at < len(self.text):
            char = self.text[self.at]
            if self.text.startswith(("<(", ">("), self.at) and not parts:
                self.at += 2
                self.substitution()
                parts.append(Opaque())
            elif char == "'":
                parts.append(Text(self.until("'", 1), quoted=True))
            elif char == '"':
                self.at += 1
                parts += self.quoted(_QUOTED, '"')
                self.at += 1
            elif self.text.startswith(("$'", '$"'), self.at):
                self.at += 1
                if self.text[self.at] == "'":
                    self.escaped_string()
                    parts.append(Opaque(quoted=True))
            elif self.text.startswith("\\\n", self.at):
                self.at += 2
            elif char == "\\":
                parts.append(Text(self.text[self.at + 1 : self.at + 2], quoted=True))
                self.at += 2
            elif char in "$`":
                parts.append(self.expansion(quoted=False))
            elif found := _BARE.match(self.text, self.at):
                parts.append(Text(found[0]))
                self.at = found.end()
            else:
                break
        return Word(tuple(parts), line) if parts else None

    def until(self, end: str, skip: int) -> str:
        """Text from `skip` characters ahead to `end`, which is taken too."""
        start = self.at + skip
        stop = self.text.find(end, start)
        if stop < 0:
            self.refuse("a quote that is not closed")
        self.at = stop + len(end)
        return self.text[start:stop]

    def escaped_string(self) -> None:
        """Past `'…'` of `$'…'`, where a backslash takes the next character along."""
        found = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL).match(self.text, self.at)
        if not found:
            self.refuse("a quote that is not closed")
        self.at = found.end()

    def quoted(self, plain: re.Pattern[str], end: str) -> list[Part]:
        """Parts up to `end`, which is not taken, by the rules of double quotes."""
        parts: list[Part] = []
        escapes = f"$`\\{end}"
        while self.at < len(self.text) and (not end or self.text[self.at] != end):
            char = self.text[self.at]
            if self.text.startswith("\\\n", self.at):
                self.at += 2
            elif char == "\\":
                after = self.text[self.at + 1 : self.at + 2]
                parts.append(
                    Text(after if after and after in escapes else f"\\{after}", quoted=True)
                )
                self.at += 2
            elif char in "$`":
                parts.append(self.expansion(quoted=True))
            elif found := plain.match(self.text, self.at):
                parts.append(Text(found[0], quoted=True))
                self.at = found.end()
        if end and self.at >= len(self.text):
            self.refuse("a quote that is not closed")
        return parts or [Text("", quoted=True)]

    def expansion(self, *, quoted: bool) -> Part:
        """What `$` or a backtick begins."""
        text, at = self.text, self.at
        if text[at] == "`":
            line = self.line
            found = re.compile(r"`((?:[^`\\]|\\.)*)`", re.DOTALL).match(text, at)
            if not found:
                self.refuse("a backtick that is not closed")
            self.at = found.end()
            return Substitution(self.nested(re.sub(r"\\([`\\$])", r"\1", found[1]), line), quoted)
        if text.startswith("$((", at) and (end := self.balanced(at + 1)):
            self.at = end
            return Opaque(quoted, text[at:end])
        if text.startswith("$(", at):
            self.at += 2
            return Substitution(self.substitution(), quoted)
        if text.startswith("${", at):
            return self.braced(quoted)
        found = _PARAMETER.match(text, at + 1)
        if not found:
            self.at += 1
            return Text("$", quoted)
        self.at = found.end()
        return Variable(found[0], quoted=quoted)

    def braced(self, quoted: bool) -> Part:
        """`${…}`; what stands behind the name is kept as text."""
        start = self.at + 2
        found = _BRACED.match(self.text, start)
        stop = found.end() if found else start
        end, depth = stop, 1
        while end < len(self.text):
            char = self.text[end]
            if char == "\\":
                end += 1
            elif char in "{}":
                depth += 1 if char == "{" and self.text[end - 1] == "$" else -(char == "}")
                if not depth:
                    break
            end += 1
        if end >= len(self.text):
            self.refuse("a ${ that is not closed")
        self.at = end + 1
        if not found or (found[0][0] in "#!" and len(found[0]) > 1):
            return Opaque(quoted)
        return Variable(found[0], self.text[stop:end], quoted)

    def balanced(self, start: int) -> int:
        """Where `((…))` that begins at `start` ends; 0 if it is no arithmetic."""
        depth = 0
        for at in range(start, len(self.text)):
            depth += {"(": 1, ")": -1}.get(self.text[at], 0)
            if not depth:
                return at + 1 if self.text[at - 1] == ")" else 0
        return 0

    def document(self, delimiter: str, *, tabs: bool, literal: bool) -> Word:
        """The here-document of `<<delimiter`, which begins after the end of this line.

        The cursor stays; `skips` leads it past the document later. The word's line is that of
        the document's first line.
        """
        end = self.at
        while (end := self.text.find("\n", end)) >= 0 and self.text[end - 1] == "\\":
            end += 1
        if end < 0:
            self.refuse("a here-document without content")
        start = stop = self.skips.get(end, end + 1)
        lines: list[str] = []
        goes_on = False  # the line before ends in a backslash
        while stop < len(self.text):
            after = self.text.find("\n", stop) + 1 or len(self.text)
            row = self.text[stop:after]
            stop = after
            row = row.lstrip("\t") if tabs and not goes_on else row
            if row.rstrip("\n") == delimiter and not goes_on:
                break
            lines.append(row)
            bare = row.rstrip("\n")
            goes_on = not literal and (len(bare) - len(bare.rstrip("\\"))) % 2 == 1
        self.skips[end] = stop
        first = self.line_at(start)
        content = "".join(lines)
        if literal:
            return Word((Text(content, quoted=True),), first)
        return Word(tuple(self.inside(content, first)), first)

    def inside(self, content: str, line: int) -> list[Part]:
        """The parts of a here-document's content."""
        other = type(self)(content, line)
        return other.quoted(_DOCUMENT, "")

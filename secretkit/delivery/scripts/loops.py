"""The loop that makes a variable of every secret."""

from __future__ import annotations

import re

from .forms import is_exit, is_quiet
from .model import AndOr, Block, Command, Pipeline, Simple, Substitution, Text, Variable, Word
from .templates import Unclear
from .values import FOLDER, Values

_UPPER = (
    ["tr", "a-z", "A-Z"],
    ["tr", "[a-z]", "[A-Z]"],
    ["tr", "[:lower:]", "[:upper:]"],
)
_DASHES = (
    ["tr", "-", "_"],
    ["tr", "--", "-", "_"],
    ["tr", ".-", "__"],
    ["tr", "-.", "__"],
    ["sed", "s/-/_/g"],
)
_BOTH = (["tr", "a-z-", "A-Z_"], ["tr", "a-z.-", "A-Z__"], ["tr", "a-z-.", "A-Z__"])
_PREFIX = re.compile(r"([A-Z_][A-Z0-9_]*)?")
_REMEDY = "env_all = true sets DB_PASSWORD for db-password, always in upper case"


def env_all(loop: Block, values: Values) -> str | None:
    """The prefix of the names, if the loop does what `env_all` does; None if it is another loop.

    Raises Unclear if its names are not those of `env_all`.
    """
    if loop.kind != "for" or len(loop.words) != 1 or loop.redirects or not loop.words[0].parts:
        return None
    last = loop.words[0].parts[-1]
    if not isinstance(last, Text) or last.quoted:  # "/run/secrets/*" is one word, with a star
        return None
    text = "".join(
        part.text if isinstance(part, Text) else values.text(Word((part,), 1)) or "?"
        for part in loop.words[0].parts
    )
    if not text.endswith("/*") or not FOLDER.match(text[:-2]):
        return None
    names = _Names(loop.name)
    for command in loop.body:
        names.step(command)
    if names.prefix is None or not _PREFIX.fullmatch(names.prefix):
        raise Unclear(_REMEDY)
    return names.prefix


class _Names:
    """How the loop makes a variable's name of a file's."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.names: dict[str, bool] = {}  # whether in upper case
        self.values: set[str] = set()
        self.prefix: str | None = None  # once the variable is exported

    def step(self, command: Command) -> None:
        """One command of the body: those known, and none other. Raises Unclear."""
        if is_quiet(command) and not is_exit(command):
            return
        if self.prefix is not None:
            raise Unclear(_REMEDY)
        if isinstance(command, AndOr) and self.is_there(command.left):
            skips = isinstance(command.right, Simple) and command.right.name == "continue"
            if command.operator == "&&":
                self.step(command.right)
                return
            if skips:  # [ -f "$f" ] || continue
                return
        if self.is_guard(command) and isinstance(command, Block):
            for one in command.body:
                self.step(one)
            return
        if not isinstance(command, Simple) or command.redirects:
            raise Unclear(_REMEDY)
        if command.assignments and not command.words:
            for name, value in command.assignments:
                self.assign(name, value)
        elif command.name == "export" and len(command.words) == 2 and not command.assignments:
            self.prefix = self.exported(command.words[1])
        else:
            raise Unclear(_REMEDY)

    def is_guard(self, command: Command) -> bool:
        """`if [ -f "$f" ]; then …; fi`."""
        if not isinstance(command, Block) or command.kind != "if" or len(command.condition) != 1:
            return False
        alone = not (command.otherwise or command.redirects)
        return alone and self.is_there(command.condition[0])

    def is_there(self, command: Command) -> bool:
        """`[ -f "$f" ]`, for the file that the loop is at."""
        if not isinstance(command, Simple) or command.redirects or command.assignments:
            return False
        words = [word.literal for word in command.words]
        sign = words[1] if len(words) > 2 else ""
        closing = {"[": ["]"], "[[": ["]]"], "test": []}.get(command.name or "")
        files = sign in ("-f", "-e", "-r") and words[3:] == closing
        return files and self.is_file(command.words[2])

    def exported(self, word: Word) -> str:
        parts = list(word.parts)
        prefix = ""
        if parts and isinstance(parts[0], Text):
            first = parts.pop(0)
            prefix = first.text if isinstance(first, Text) else ""
        name = parts.pop(0) if parts else None
        equals = parts.pop(0) if parts else None
        upper = name is not None and self.is_upper(Word((name,), 1))
        sign = isinstance(equals, Text) and equals.text == "="
        if not (upper and sign and self.is_value(Word(tuple(parts), 1))):
            raise Unclear(_REMEDY)
        return prefix

    def assign(self, name: str, value: Word) -> None:
        content, upper = self.is_value(value), self.is_upper(value)
        self.values.discard(name)
        self.names.pop(name, None)
        if name == self.file or (upper is None and not content):
            raise Unclear(_REMEDY)
        if upper is None:
            self.values.add(name)
        else:
            self.names[name] = upper

    def is_value(self, word: Word) -> bool:
        """Whether it is the content of the loop's file."""
        (part,) = word.parts if len(word.parts) == 1 else (None,)
        if isinstance(part, Variable):
            return part.name in self.values and not part.operator
        if not isinstance(part, Substitution) or len(part.body) != 1:
            return False
        (command,) = part.body
        if not isinstance(command, Simple) or command.name not in ("cat", ""):
            return False
        if command.assignments or any(one.operator != "<" for one in command.redirects):
            return False
        files = [*command.words[1:], *(one.target for one in command.redirects)]
        return len(files) == 1 and self.is_file(files[0])

    def is_file(self, word: Word) -> bool:
        (part,) = word.parts if len(word.parts) == 1 else (None,)
        return isinstance(part, Variable) and part.name == self.file and not part.operator

    def is_upper(self, word: Word) -> bool | None:
        """Whether it is the file's name in upper case, perhaps with _ for -; None: no such name."""
        (part,) = word.parts if len(word.parts) == 1 else (None,)
        if isinstance(part, Variable):
            if part.name == self.file:
                return False if part.operator == "##*/" else None
            upper = self.names.get(part.name)
            known = part.operator in ("", "^^", "//-/_", "//[-.]/_")
            return upper or part.operator == "^^" if upper is not None and known else None
        if not isinstance(part, Substitution) or len(part.body) != 1:
            return None
        (command,) = part.body
        first, *filters = command.commands if isinstance(command, Pipeline) else (command,)
        upper = self.source(first)
        for one in filters:
            words = _plain_words(one)
            if upper is None or words not in (*_UPPER, *_DASHES, *_BOTH):
                return None
            upper |= words in (*_UPPER, *_BOTH)
        return upper

    def source(self, command: Command) -> bool | None:
        """Whether the name that a command prints is in upper case; None if it prints another."""
        words = _plain_words(command)
        if not isinstance(command, Simple) or len(words) < 2:
            return None
        if command.name == "basename" and len(words) == 2:
            return False if self.is_file(command.words[1]) else None
        told = words[:-1] in (["echo"], ["printf", "%s"], ["printf", "%s\\n"])
        return self.is_upper(command.words[-1]) if told else None


def _plain_words(command: Command) -> list[str]:
    """The words of a command without assignments and redirects; empty for those of a run."""
    if not isinstance(command, Simple) or command.redirects or command.assignments:
        return []
    return [word.literal or "" for word in command.words]

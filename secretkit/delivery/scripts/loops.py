"""The loop that makes a variable of every secret."""

from __future__ import annotations

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
_REMEDY = "env_all = true sets DB_PASSWORD for db-password, always in upper case"


def env_all(loop: Block, values: Values) -> str | None:
    """The prefix of the names, if the loop does what `env_all` does; None if it is another loop.

    Raises Unclear if its names are not those of `env_all`.
    """
    if len(loop.words) != 1 or loop.redirects:
        return None
    text = "".join(
        part.text if isinstance(part, Text) else values.text(Word((part,), 1)) or "?"
        for part in loop.words[0].parts
    )
    if not text.endswith("/*") or not FOLDER.match(text[:-2]):
        return None
    names = _Names(loop.name)
    for command in loop.body:
        prefix = names.step(command)
        if prefix is not None:
            if not names.upper:
                raise Unclear(_REMEDY)
            return prefix
    raise Unclear(_REMEDY)


class _Names:
    """How the loop makes a variable's name of a file's."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.names: set[str] = set()
        self.values: set[str] = set()
        self.upper = False

    def step(self, command: Command) -> str | None:
        """One command of the body. The prefix, once a variable is exported; raises Unclear."""
        if isinstance(command, AndOr):  # [ -f "$f" ] || continue
            return self.step(command.right) if command.operator == "&&" else None
        if isinstance(command, Block) and command.kind == "if" and not command.otherwise:
            steps = [self.step(one) for one in command.body]
            return next((one for one in steps if one is not None), None)
        if not isinstance(command, Simple):
            raise Unclear(_REMEDY)
        if command.name in ("continue", "[", "test"):
            return None
        for name, value in command.assignments:
            self.assign(name, value)
        if command.assignments and not command.words:
            return None
        if command.name != "export" or len(command.words) != 2:
            raise Unclear(_REMEDY)
        return self.exported(command.words[1])

    def exported(self, word: Word) -> str:
        parts = list(word.parts)
        prefix = ""
        if parts and isinstance(parts[0], Text):
            first = parts.pop(0)
            prefix = first.text if isinstance(first, Text) else ""
        name = parts.pop(0) if parts else None
        equals = parts.pop(0) if parts else None
        named = name is not None and self.is_name(Word((name,), 1))
        sign = isinstance(equals, Text) and equals.text == "="
        if not (named and sign and self.is_value(Word(tuple(parts), 1))):
            raise Unclear(_REMEDY)
        return prefix

    def assign(self, name: str, value: Word) -> None:
        if self.is_value(value):
            self.values.add(name)
        elif self.is_name(value):
            self.names.add(name)
        else:
            raise Unclear(_REMEDY)

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
        files = [*command.words[1:], *(one.target for one in command.redirects)]
        return len(files) == 1 and self.is_file(files[0])

    def is_file(self, word: Word) -> bool:
        (part,) = word.parts if len(word.parts) == 1 else (None,)
        return isinstance(part, Variable) and part.name == self.file and not part.operator

    def is_name(self, word: Word) -> bool:
        """Whether it is the file's name, perhaps in upper case and with _ for -."""
        (part,) = word.parts if len(word.parts) == 1 else (None,)
        if isinstance(part, Variable):
            if part.operator == "##*/" and part.name == self.file:
                return True
            if part.name not in self.names or part.operator not in ("", "^^", "//-/_", "//[-.]/_"):
                return False
            self.upper |= part.operator == "^^"
            return True
        if not isinstance(part, Substitution) or len(part.body) != 1:
            return False
        (command,) = part.body
        steps = command.commands if isinstance(command, Pipeline) else (command,)
        first, *filters = steps
        return self.is_source(first) and all(map(self.is_filter, filters))

    def is_source(self, command: Command) -> bool:
        if not isinstance(command, Simple) or not command.words:
            return False
        words = command.words
        if command.name == "basename" and len(words) == 2:
            return self.is_file(words[1])
        return command.name in ("echo", "printf") and self.is_name(words[-1])

    def is_filter(self, command: Command) -> bool:
        words = (
            [word.literal or "" for word in command.words] if isinstance(command, Simple) else []
        )
        self.upper |= words in (*_UPPER, *_BOTH)
        return words in (*_UPPER, *_DASHES, *_BOTH)

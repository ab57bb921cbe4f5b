"""A shell script as a tree: commands made of words, words made of parts; lines count from 1.

The terms are those of POSIX, "Shell Command Language". Only what a check or a translation asks
about is kept: arithmetic, globs and the operators of `${x…}` stay text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias


class Text(NamedTuple):
    """Literal characters, without their quotes; `quoted` if they had any."""

    text: str
    quoted: bool = False


class Variable(NamedTuple):
    """`$name`, or `${name…}` with the rest as `operator`, such as `:-default`."""

    name: str
    operator: str = ""
    quoted: bool = False


class Substitution(NamedTuple):
    """`$(…)`, or the same in backticks: what its commands print."""

    body: tuple[Command, ...]
    quoted: bool = False


class Opaque(NamedTuple):
    """What is not looked into: arithmetic (its `text`), `<(…)`."""

    quoted: bool = False
    text: str = ""


Part: TypeAlias = Text | Variable | Substitution | Opaque


class Word(NamedTuple):
    parts: tuple[Part, ...]
    line: int

    @property
    def literal(self) -> str | None:
        """Its text, if that is known without running anything."""
        texts = [part.text for part in self.parts if isinstance(part, Text)]
        return "".join(texts) if len(texts) == len(self.parts) else None


class Redirect(NamedTuple):
    """`2>file` and the like; for `<<` and `<<-`, `target` is the here-document's content."""

    operator: str
    target: Word
    descriptor: str = ""
    literal: bool = False  # a here-document whose delimiter is quoted


class Simple(NamedTuple):
    """Assignments, then a command's name and arguments. `[[ … ]]` is one, too."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]
    line: int

    @property
    def name(self) -> str | None:
        """The command's name if it is known: without its folder; empty if there is none."""
        if not self.words:
            return ""
        text = self.words[0].literal
        return None if text is None else text.rpartition("/")[2]


class Pipeline(NamedTuple):
    commands: tuple[Command, ...]
    line: int


class AndOr(NamedTuple):
    """`left && right` or `left || right`."""

    left: Command
    operator: str
    right: Command
    line: int


class Block(NamedTuple):
    """Any compound command: what it is, what it asks, and what it runs.

    `if` and `elif` have a condition, a body and an `otherwise`; `while`, `until` a condition;
    `for` a name and words (none: the arguments); `case` its word, and its arms as one body;
    `function` a name; `{`, `(`, `!` and `&` (in the background) a body alone.
    """

    kind: str
    body: tuple[Command, ...]
    line: int
    condition: tuple[Command, ...] = ()
    otherwise: tuple[Command, ...] = ()
    name: str = ""
    words: tuple[Word, ...] = ()
    redirects: tuple[Redirect, ...] = ()


Command: TypeAlias = Simple | Pipeline | AndOr | Block


def every(commands: tuple[Command, ...]) -> Iterator[Simple | Block]:
    """Every command that is simple or a block, those inside others and inside words too.

    In the order in which they run, but for a block, which comes before what it holds.
    """
    for command in commands:
        if isinstance(command, Pipeline):
            yield from every(command.commands)
        elif isinstance(command, AndOr):
            yield from every((command.left, command.right))
        else:
            for word in words_of(command):
                yield from inside(word)
            yield command
            if isinstance(command, Block):
                yield from every((*command.condition, *command.body, *command.otherwise))


def simples(commands: tuple[Command, ...]) -> Iterator[Simple]:
    """The simple ones of every()."""
    return (command for command in every(commands) if isinstance(command, Simple))


def inside(word: Word) -> Iterator[Simple | Block]:
    """The commands of the substitutions in a word."""
    for part in word.parts:
        if isinstance(part, Substitution):
            yield from every(part.body)


def words_of(command: Simple | Block) -> tuple[Word, ...]:
    """All words of a command: values of assignments, arguments, targets of redirects."""
    values = command.assignments if isinstance(command, Simple) else ()
    targets = (one.target for one in command.redirects)
    return (*(word for _, word in values), *command.words, *targets)


def words_within(commands: tuple[Command, ...]) -> Iterator[Word]:
    """All words of every command."""
    return (word for command in every(commands) for word in words_of(command))

"""What a command that is not understood may have changed, so that none of it is taken for known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .model import Block, Command, Opaque, Simple, Variable, Word, every, words_of

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SET = re.compile(r"([A-Za-z_]\w*)(?:\[[^]]*\])?\+?=", re.ASCII)
_COUNTS = re.compile(r"=|\+\+|--")
# Their arguments are names of variables that they set.
_SETTERS = {
    "read", "unset", "export", "declare", "typeset", "local", "readonly", "getopts", "mapfile",
    "readarray", "let", "printf", "wait",
}  # fmt: skip
_ENDS = {"exec", "exit", "return", "break", "continue", "kill"}
# They change no content of the files that they name.
_LOOKS = {"chmod", "chown", "chgrp", "test", "[", "[[", "ls", "mkdir", "exec", "cat"}
_ANYTHING = {"eval", ".", "source", "alias", "builtin", "command", "enable", "shopt", "trap"}


@dataclass
class Effects:
    """Variables by the line that sets them, and words that may name files, and what else."""

    names: dict[str, int] = field(default_factory=dict)
    words: list[Word] = field(default_factory=list)
    ends: bool = False  # what follows may not run
    everything: bool = False  # any variable may be another
    arguments: bool = False  # "$@" may be another
    options: bool = False  # `set` may export from here on what is assigned
    moves: bool = False  # into another folder


def effects(command: Command, functions: Mapping[str, Block]) -> Effects:
    """What may have changed once `command` has run, with the functions that it calls."""
    found = Effects()
    for one in _every(command, functions, set()):
        words = words_of(one)
        found.words += () if one.name in _LOOKS and not one.redirects else words
        for word in words:
            found.names.update(dict.fromkeys(_names(word), word.line))
        if isinstance(one, Simple):
            _simple(one, found)
        elif one.kind in ("for", "select"):
            found.names[one.name] = one.line
    return found


def _every(
    command: Command, functions: Mapping[str, Block], seen: set[str]
) -> Iterator[Simple | Block]:
    for one in every((command,)):
        yield one
        name = one.name or ""
        if isinstance(one, Simple) and name in functions and name not in seen:
            seen.add(name)
            yield from _every(functions[name], functions, seen)


def _simple(command: Simple, found: Effects) -> None:
    name = command.name
    found.names.update((variable, value.line) for variable, value in command.assignments)
    for word in command.words:
        text = word.literal if word.literal is not None else getattr(word.parts[0], "text", "")
        if (pair := _SET.match(text)) or (name in _SETTERS and _NAME.fullmatch(text)):
            found.names[pair[1] if pair else text] = word.line
    found.everything |= name is None or name in _ANYTHING
    found.ends |= name is None or name in _ENDS | {"eval", ".", "source", "command", "builtin"}
    found.arguments |= name in ("set", "shift")
    found.options |= name == "set"
    found.moves |= name in ("cd", "pushd", "popd")


def _names(word: Word) -> Iterator[str]:
    """Variables that are set because the word is put in: `${X:=y}`, `$((X++))`."""
    for part in word.parts:
        if isinstance(part, Variable) and re.match(":?=", part.operator):
            yield part.name
        elif isinstance(part, Opaque) and _COUNTS.search(part.text):
            yield from _NAME.findall(part.text)

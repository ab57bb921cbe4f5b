"""What the variables of a script hold: a text that it gave them, or the content of a secret."""

from __future__ import annotations

import re
from typing import NamedTuple

from .model import (
    AndOr,
    Command,
    Part,
    Pipeline,
    Simple,
    Substitution,
    Text,
    Variable,
    Word,
    inside,
)

_SECRET = re.compile(r"(?:/var)?/run/secrets?/+([\w.-]+)\Z")
FOLDER = re.compile(r"(?:/var)?/run/secrets?/*\Z")
_DEFAULT = re.compile(r":?[-=](.*)", re.DOTALL)


class Reading(NamedTuple):
    """A secret's content as a script has it."""

    secret: str  # its name in the mount
    line: int
    guarded: bool = False  # nothing goes wrong here if the file is missing


class Values:
    """The variables as the script goes on: `texts` that it sets, `secrets` that it reads."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.secrets: dict[str, Reading] = {}
        self.assigned: set[str] = set()

    def assign(self, name: str, value: Word) -> Reading | None:
        """Note what `name=value` makes of the variable; the secret, if it is one."""
        self.assigned.add(name)
        self.texts.pop(name, None)
        reading = self.reading(value)
        if reading:
            self.secrets[name] = reading
        else:
            self.secrets.pop(name, None)
            text = self.text(value)
            if text is not None:
                self.texts[name] = text
        return reading

    def text(self, word: Word) -> str | None:
        """A word's text, with what the script set put in; None if only a run can tell it."""
        texts = [self._text(part) for part in word.parts]
        known = [text for text in texts if text is not None]
        return "".join(known) if len(known) == len(texts) else None

    def _text(self, part: Part) -> str | None:
        if isinstance(part, Text):
            return part.text
        if not isinstance(part, Variable):
            return None
        default = _DEFAULT.match(part.operator)
        if part.name in self.texts and (not part.operator or default):
            return self.texts[part.name]
        if default and part.name not in self.secrets and not re.search(r"[$`\\]", default[1]):
            return default[1].strip("\"'")
        return None

    def file(self, word: Word) -> str | None:
        """The secret whose file a word names."""
        found = _SECRET.match(self.text(word) or "")
        return found[1] if found else None

    def reading(self, word: Word) -> Reading | None:
        """The secret that a word is, and nothing else."""
        parts = [part for part in word.parts if part != Text("", quoted=True)]
        if len(parts) != 1:
            return None
        (part,) = parts
        if isinstance(part, Variable) and part.name in self.secrets:
            plain = not part.operator or part.operator.startswith((":?", "?"))
            return self.secrets[part.name] if plain else None
        if isinstance(part, Substitution) and len(part.body) == 1:
            (command,) = part.body
            guarded = isinstance(command, AndOr) and _does_nothing(command.right)
            if isinstance(command, AndOr) and guarded and command.operator == "||":
                command = command.left
            secret = self.printed(command)
            return Reading(secret, word.line, guarded) if secret else None
        return None

    def printed(self, command: Command) -> str | None:
        """The secret that a command prints, without changing more than the line end."""
        if isinstance(command, Pipeline):
            first, *filters = command.commands
            return self.printed(first) if all(map(strips_newlines, filters)) else None
        if not isinstance(command, Simple) or command.assignments:
            return None
        files = list(command.words[1:])
        for one in command.redirects:
            if one.operator == "<":
                files.append(one.target)
            elif one.descriptor != "2":
                return None
        name = command.name
        if strips_newlines(command) and command.redirects:
            return self.file(command.redirects[0].target)
        return self.file(files[0]) if name in ("cat", "") and len(files) == 1 else None

    def used(self, word: Word) -> list[str]:
        """The secrets that are put into a word, by variables or by commands in it."""
        found = [
            self.secrets[part.name].secret
            for part in word.parts
            if isinstance(part, Variable) and part.name in self.secrets
        ]
        for command in inside(word):
            secret = self.printed(command)
            found += [secret] if secret else []
        return found


def _does_nothing(command: Command) -> bool:
    """Whether it prints nothing or an empty line, whatever went before."""
    if not isinstance(command, Simple):
        return False
    words = [word.literal for word in command.words]
    return words in (["true"], [":"], ["echo"], ["echo", ""])


def strips_newlines(command: Command) -> bool:
    """Whether it only takes line ends away: `tr -d '\\n'`."""
    words = [word.literal for word in command.words] if isinstance(command, Simple) else []
    return words[:2] == ["tr", "-d"] and words[2:] in (["\\n"], ["\n"], ["\\r\\n"], ["\\n\\r"])

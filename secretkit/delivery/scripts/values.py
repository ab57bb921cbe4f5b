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
_KEYS = re.compile(r"(\.[A-Za-z_]\w*)+", re.ASCII)
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
        reading, text = self.reading(value), self.text(value)
        self.forget(name)
        if reading:
            self.secrets[name] = reading
        elif text is not None:
            self.texts[name] = text
        return reading

    def forget(self, name: str) -> None:
        """Note that the variable holds something that only a run can tell."""
        self.assigned.add(name)
        self.texts.pop(name, None)
        self.secrets.pop(name, None)

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
        """The secret that a command prints, or a value in one (`db#/user`, `key|base64d`).

        None if it changes more than the line end.
        """
        if isinstance(command, Pipeline):
            first, *filters = command.commands
            secret = self.printed(first)
            for one in filters:
                added = "" if strips_newlines(one) else _filter(one)
                secret = None if secret is None or added is None else secret + added
            return secret
        if not isinstance(command, Simple) or command.assignments:
            return None
        words = list(command.words[1:])
        words += [one.target for one in command.redirects if one.operator == "<"]
        if any(one.operator != "<" and one.descriptor != "2" for one in command.redirects):
            return None
        name = command.name
        if name in ("jq", "base64", "tr") and words:
            secret = self.file(words.pop())
            bare = command._replace(words=(command.words[0], *words))
            added = "" if strips_newlines(command) else _filter(bare)
            return None if secret is None or added is None else secret + added
        return self.file(words[0]) if name in ("cat", "") and len(words) == 1 else None

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


def _filter(command: Command) -> str | None:
    """What a reference of the shim has for `base64 -d` and `jq -r .key`."""
    words = [word.literal or "" for word in command.words] if isinstance(command, Simple) else []
    if words in (["base64", "-d"], ["base64", "--decode"]):
        return "|base64d"
    if words[:2] == ["jq", "-r"] and _KEYS.fullmatch("".join(words[2:])):
        return "#" + words[2].replace(".", "/")
    return None


def strips_newlines(command: Command) -> bool:
    """Whether it only takes line ends away: `tr -d '\\n'`."""
    words = [word.literal for word in command.words] if isinstance(command, Simple) else []
    return words[:2] == ["tr", "-d"] and words[2:] in (["\\n"], ["\n"], ["\\r\\n"], ["\\n\\r"])

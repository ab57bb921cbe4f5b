"""What the variables of a script hold: a text that it gave them, or the content of a secret."""

from __future__ import annotations

import re
from typing import NamedTuple

from .model import (
    AndOr,
    Command,
    Part,
    Pipeline,
    Redirect,
    Simple,
    Substitution,
    Text,
    Variable,
    Word,
    inside,
)
from .templates import Piece

_SECRET = re.compile(r"(?:/var)?/run/secrets?/+([\w.-]*\w[\w.-]*)\Z")
FOLDER = re.compile(r"(?:/var)?/run/secrets?/*\Z")
_KEYS = re.compile(r"(\.[A-Za-z_]\w*)+", re.ASCII)
_DEFAULT = re.compile(r":?[-=](.*)", re.DOTALL)
_EXPANDED = re.compile(r"[*?\[\]~{}]")  # what a shell expands in a word without quotes
SAFE = re.compile(r"[\w./:@%+,-]+", re.ASCII)  # what it leaves alone where it splits a value
_LONGEST = 4096  # characters of a variable: no path and no option is longer
_LONGEST_WORD = 1 << 16  # characters that variables bring into a word


class Reading(NamedTuple):
    """A secret's content as a script has it."""

    secret: str  # its name in the mount, or a value in one (`db#/user`, `key|base64d`)
    line: int
    guarded: bool = False  # nothing goes wrong here if the file is missing

    @property
    def name(self) -> str:
        """The name of its file in the mount."""
        return re.split("[#|]", self.secret)[0]


class Values:
    """The variables as the script goes on: `texts` that it sets, `secrets` that it reads.

    With `likely`, a default counts and quotes do not: what a script does most of the time, which
    is what a check wants to know, where a translation has to be certain.
    """

    def __init__(self, *, likely: bool = False) -> None:
        self.likely = likely
        self.texts: dict[str, str] = {}
        self.secrets: dict[str, Reading] = {}
        self.composed: dict[str, tuple[Piece, ...]] = {}  # of a secret and other text
        self.expanding: dict[str, None] = {}  # hold what is in the file that X_FILE names
        self.exported: dict[str, None] = {}
        self.settled: dict[str, str] = {}  # secrets of exported variables, before all was forgotten
        self.assigned: dict[str, int] = {}  # by name, the first line
        self.unknown = False  # any variable may have been set

    def assign(self, name: str, value: Word, *, split: bool = False) -> Reading | None:
        """Note what `name=value` makes of the variable; the secret, if it is one."""
        reading, text = self.reading(value), self.text(value, split=split)
        self.forget(name, value.line)
        if reading:
            self.secrets[name] = reading
        elif text is not None and len(text) <= _LONGEST:
            self.texts[name] = text
        return reading

    def forget(self, name: str, line: int) -> None:
        """Note that the variable holds something that only a run can tell."""
        self.assigned.setdefault(name, line)
        for known in (self.texts, self.secrets, self.composed, self.expanding, self.settled):
            known.pop(name, None)

    def forget_all(self) -> None:
        """Note that any variable may hold something else from here on."""
        exported = self.exported.keys() & self.secrets.keys()
        self.settled |= {name: self.secrets[name].secret for name in exported}
        for known in (self.texts, self.secrets, self.composed, self.expanding):
            known.clear()
        self.unknown = True

    def text(self, word: Word, *, split: bool = True) -> str | None:
        """A word's text, with what the script set put in; None if only a run can tell it.

        `split` says whether a shell splits variables without quotes there.
        """
        texts: list[str] = []
        put = 0
        for part in word.parts:
            text = self._text(part, split)
            if text is None:
                return None
            texts.append(text)
            put += len(text) if isinstance(part, Variable) else 0
            if put > _LONGEST_WORD:
                return None
        return "".join(texts)

    def _text(self, part: Part, split: bool) -> str | None:
        if isinstance(part, Text):
            plain = part.quoted or self.likely or not _EXPANDED.search(part.text)
            return part.text if plain else None
        if not isinstance(part, Variable):
            return None
        text, default = self.texts.get(part.name), _DEFAULT.match(part.operator)
        if self.likely and not text and default and part.name not in self.secrets:
            return None if re.search(r"[$`\\]", default[1]) else default[1].strip("\"'")
        if text is None or (part.operator and not (default and text)):
            return None
        whole = part.quoted or self.likely or not split or SAFE.fullmatch(text)
        return text if whole else None

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
            found = self.secrets[part.name]
            insists = part.operator.startswith((":?", "?")) and not found.guarded
            return found if insists or part.operator in ("", ":-", "-") else None
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
                secret = _joined(secret, added)
            return secret
        if not isinstance(command, Simple) or command.assignments:
            return None
        read = [one for one in command.redirects if one.operator == "<"]
        if any(one.descriptor for one in read) or not all(
            one in read or is_null(one, "2") for one in command.redirects
        ):
            return None
        words = [*command.words[1:], *(one.target for one in read)]
        name = command.name
        if name in ("jq", "base64", "tr") and words and (name != "tr" or read):
            secret = self.file(words.pop())
            bare = command._replace(words=(command.words[0], *words), redirects=())
            added = "" if strips_newlines(bare) else _filter(bare)
            return _joined(secret, added)
        if len(words) != 1 or name not in ("cat", "") or (name == "" and not read):
            return None
        return self.file(words[0])

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


def is_null(redirect: Redirect, descriptor: str = "") -> bool:
    """`2>/dev/null`; without a descriptor asked for, of any."""
    null = redirect.operator in (">", ">>") and redirect.target.literal == "/dev/null"
    return null and descriptor in ("", redirect.descriptor)


def _does_nothing(command: Command) -> bool:
    """Whether it prints nothing or an empty line, whatever went before."""
    if not isinstance(command, Simple) or command.redirects or command.assignments:
        return False
    words = [word.literal for word in command.words]
    return words in (["true"], [":"], ["echo"], ["echo", ""])


def _words(command: Command) -> list[str | None]:
    """The words of a command of a pipe; none if it has assignments or redirects."""
    if not isinstance(command, Simple) or command.redirects or command.assignments:
        return []
    return [word.literal for word in command.words]


def _filter(command: Command) -> str | None:
    """What a reference of the shim has for `base64 -d` and `jq -r .key`."""
    words = [word or "" for word in _words(command)]
    if words in (["base64", "-d"], ["base64", "--decode"]):
        return "|base64d"
    if words[:2] == ["jq", "-r"] and len(words) == 3 and _KEYS.fullmatch(words[2]):
        return "#" + words[2].replace(".", "/")
    return None


def _joined(secret: str | None, added: str | None) -> str | None:
    """A reference has one pointer and then one filter."""
    if secret is None or added is None:
        return None
    after = {"#": "[#|]", "|": "[|]"}.get(added[:1], "$^")
    return None if re.search(after, secret) else secret + added


def strips_newlines(command: Command) -> bool:
    """Whether it only takes line ends away: `tr -d '\\n'`."""
    return _words(command) in (["tr", "-d", "\\n"], ["tr", "-d", "\n"])

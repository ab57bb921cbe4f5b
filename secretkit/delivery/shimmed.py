"""An ENTRYPOINT that has the shim in it, taken apart; and commands sent through that shim. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from ..project.reading import takes_argument
from .lint.names import is_secret
from .shim import LAUNCHER

_WORD = re.compile(r"(?<!\w)[A-Za-z_]\w*(?!\w)")
_FILLED = re.compile(r"""(?<![\w$])([A-Za-z_]\w*)=["']?(?:\$\(|`)""")
# What says what a secret is for, so that --env-all is not the default.
_PURPOSES = {"--env", "--expand-file", "--render", "--keystore", "--stdin", "--fd", "--arg"}
_NAME = r"\$\{?[A-Za-z_]\w*\}?"
# A word that is a variable, an option, a path, an address, an operator, a short number or lower
# case letters: what else stands in a command may be a value.
_PLAIN = re.compile(
    rf"""["']?(?:-[A-Za-z]{{1,3}}=?|--[a-z][a-z-]*=?)?
    (?:{_NAME}|/[\w./-]*|https?://[\w.:-]+(?:/[\w./-]*)?|[a-z_-]{{1,20}}|\d{{1,5}}|[|&<>;!]+|2>&1)?
    ["']?;?""",
    re.VERBOSE,
)
_ASKS = re.compile(r"-[apwP]\S*|--\S*(?:pass|pw|token|secret|key|auth)\S*", re.IGNORECASE)


class Shimmed(NamedTuple):
    """A command line of the shim."""

    start: tuple[str, ...]  # the interpreter and the launcher
    options: tuple[tuple[str, str], ...]  # (--name, argument or "")
    ended: bool  # by `--`
    command: tuple[str, ...]

    @property
    def names(self) -> frozenset[str]:
        """The options' names."""
        return frozenset(name for name, _ in self.options)

    @property
    def variables(self) -> dict[str, str]:
        """The variables that options set: name to the option that sets it again."""
        return {
            argument.partition("=")[0]: f"{name} {argument}"
            for name, argument in self.options
            if name in ("--env", "--expand-file") and argument
        }

    @property
    def files(self) -> list[str]:
        """The files that --render and --keystore write."""
        return [
            argument.partition(",")[0].rpartition(":")[2]
            for name, argument in self.options
            if name in ("--render", "--keystore") and argument
        ]

    @property
    def all(self) -> bool:
        """Whether every secret becomes a variable, as far as the options say."""
        return "--env-all" in self.names or self.all_by_default

    @property
    def all_by_default(self) -> bool:
        """Whether that is so because nothing says which secret goes where; a config file may."""
        return not self.names & (_PURPOSES | {"--no-env", "--env-all", "--config"})

    def missed(self, texts: Sequence[str], others: Collection[str]) -> list[str]:
        """The variables of the shim, and `others`, that a command or a program may read.

        Whatever stands there as a word may be read, by a shell or by os.environ["NAME"], if it is
        not filled there itself, NAME=$(…).
        """
        text = "\n".join(texts)
        names = set(_WORD.findall(text)) - set(_FILLED.findall(text))
        return sorted(
            name
            for name in names
            if name in self.variables
            or name in others
            or (self.all and name.isupper() and is_secret(name))
        )


def shimmed(words: Sequence[str]) -> Shimmed | None:
    """The parts of a command line that starts the shim; None if it does not."""
    at = next((at for at, word in enumerate(words) if word.split("/")[-1] == LAUNCHER), None)
    if at is None:
        return None
    start, rest = tuple(words[: at + 1]), list(words[at + 1 :])
    options: list[tuple[str, str]] = []
    while rest and rest[0].startswith("-") and rest[0] != "--":
        name, equals, argument = rest.pop(0).partition("=")
        if not equals and takes_argument(name) and rest:
            argument = rest.pop(0)
        options.append((name, argument))
    ended = rest[:1] == ["--"]
    return Shimmed(start, tuple(options), ended, tuple(rest[ended:]))


def through(shim: Shimmed, words: Sequence[str], variables: Sequence[str]) -> str:
    """The CMD of a health check that has these variables of the shim: one line of a Dockerfile.

    Of the shim's options only those that it needs: what renders has done so already. A command that
    may hold a value is not repeated: COMMAND stands in its place.
    """
    ways = [shim.variables.get(name, "--env-all").split(" ", 1) for name in variables]
    options = [word for way in dict.fromkeys(map(tuple, ways)) for word in way]
    where = [
        word for name, path in shim.options if name == "--secrets-dir" for word in (name, path)
    ]
    said = list(words) if is_repeatable(words) else [*words[:-1], "COMMAND"]
    return f"CMD {json.dumps([*shim.start, *where, *options, '--', *said], ensure_ascii=False)}"


def is_repeatable(words: Sequence[str]) -> bool:
    """Whether nothing in a command can be a value: then a message may show it."""
    text = " ".join(words).split()
    return all(_PLAIN.fullmatch(word) for word in text) and not any(
        _ASKS.fullmatch(option) and "$" not in option + word
        for option, word in zip(text, [*text[1:], ""], strict=True)
    )


def ends_in_exec(text: str) -> bool:
    """Whether the last command of a shell's text takes the shell's place."""
    return re.search(r"(?:^|&&|;)\s*exec\s[^;&|]*$", text) is not None

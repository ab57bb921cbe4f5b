"""Commands by their form: those that only talk, that end the script, that read `$X_FILE`."""

from __future__ import annotations

import re

from .assignments import is_arguments, split_assignment
from .model import Block, Command, Simple, Substitution, Variable, Word

_QUIET = {"echo", "printf", "true", "hash", "set", "sleep"}

# Built into the shell: what they get is in no process's arguments.
BUILT_IN = {
    "", "echo", "printf", "export", "set", "test", "[", "[[", ":", "read", "local", "readonly",
    "declare", "typeset", "eval", "unset", "return", "exit", "shift", "cd", "true", "false",
    "wait", "trap", "umask", "ulimit", "source", ".", "break", "continue", "hash", "type",
    "command", "getopts", "alias", "let", "kill", "pwd", "exec", "file_env",
}  # fmt: skip
# They end at once, so that a script which ends in one starts no service.
_SHORT = {
    "rm", "mkdir", "chmod", "chown", "cp", "mv", "ln", "cat", "sed", "touch", "install", "sleep",
    "env", "id", "ls", "date", "awk", "grep", "tee", "mktemp",
}  # fmt: skip


def starts_program(command: Simple) -> bool:
    """Whether it is `"$@"` or a program that may be a service."""
    if command.words and is_arguments(command.words[0]):
        return True
    return bool(command.name) and command.name not in BUILT_IN | _SHORT


def is_exit(command: Command) -> bool:
    """Whether it ends the script, with or without a word about it."""
    if isinstance(command, Block) and command.kind == "{":
        return is_quiet(command) and any(map(is_exit, command.body))
    return isinstance(command, Simple) and command.name in ("exit", "return")


def is_quiet(command: Command) -> bool:
    """Whether it only talks, does nothing, or ends the script."""
    if isinstance(command, Block) and command.kind == "{":
        return all(map(is_quiet, command.body))
    if not isinstance(command, Simple) or command.name not in (*_QUIET, ":", "exit", "return"):
        return False
    return all(
        one.operator == ">&" or one.target.literal in ("/dev/null", "/dev/stderr")
        for one in command.redirects
    )


def variable(word: Word) -> str:
    (part,) = word.parts if len(word.parts) == 1 else (None,)
    plain = isinstance(part, Variable) and re.fullmatch(r"(:?-)?", part.operator)
    return part.name if isinstance(part, Variable) and plain else ""


def variable_of_file(value: Word) -> str:
    """X, if the value is `$(cat "$X_FILE")`."""
    (part,) = value.parts if len(value.parts) == 1 else (None,)
    if not isinstance(part, Substitution) or len(part.body) != 1:
        return ""
    (command,) = part.body
    words = command.words if isinstance(command, Simple) and command.name in ("cat", "") else ()
    files = [*words[1:], *(one.target for one in getattr(command, "redirects", ()))]
    name = variable(files[0]) if len(files) == 1 else ""
    return name.removesuffix("_FILE") if name.endswith("_FILE") else ""


def from_file(command: Command) -> str:
    """X, if the command is `export X="$(cat "$X_FILE")"` or the same without export."""
    if not isinstance(command, Simple):
        return ""
    pairs = list(command.assignments)
    pairs += [pair for word in command.words[1:] if (pair := split_assignment(word))]
    (pair,) = pairs if len(pairs) == 1 else (None,)
    return pair[0] if pair and variable_of_file(pair[1]) == pair[0] else ""


def names_only(command: Command) -> bool:
    """`export X` and `unset X_FILE`."""
    return (
        isinstance(command, Simple)
        and command.name in ("export", "unset")
        and all((word.literal or "=").isidentifier() for word in command.words[1:])
    )

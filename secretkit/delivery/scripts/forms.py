"""Commands by their form: those that only talk, that end the script, that read `$X_FILE`."""

from __future__ import annotations

import re

from .assignments import begins_with_arguments, split_assignment
from .model import (
    Block,
    Command,
    Pipeline,
    Redirect,
    Simple,
    Substitution,
    Text,
    Variable,
    Word,
    words_within,
)
from .values import is_null

_QUIET = {"echo", "printf", "true", ":"}
# They only print, so that `echo "$(date)"` does nothing but talk.
_PRINTS = {"date", "hostname", "id", "whoami", "uname", "cat", "basename", "dirname", "pwd"}
ASSIGNS = {"export", "readonly", "local", "declare", "typeset"}

# Built into the shell: what they get is in no process's arguments.
BUILT_IN = {
    "", "echo", "printf", "export", "set", "test", "[", "[[", ":", "read", "local", "readonly",
    "declare", "typeset", "eval", "unset", "return", "exit", "shift", "cd", "true", "false",
    "wait", "trap", "umask", "ulimit", "source", ".", "break", "continue", "hash", "type",
    "command", "getopts", "alias", "let", "kill", "pwd", "exec", "file_env", "time", "builtin",
    "coproc", "shopt", "enable", "mapfile", "readarray", "pushd", "popd", "jobs", "fg", "bg",
}  # fmt: skip
# They end at once, so that a script which ends in one starts no service.
_SHORT = {
    "rm", "mkdir", "chmod", "chown", "cp", "mv", "ln", "cat", "sed", "touch", "install", "sleep",
    "env", "id", "ls", "date", "awk", "grep", "tee", "mktemp",
}  # fmt: skip


# A script that has its own of these does something else with them than is known.
KNOWN = BUILT_IN - {"", "file_env"} | _SHORT | {
    "base64", "jq", "tr", "envsubst", "basename", "dirname", "gosu", "su-exec", "tini", "dumb-init",
}  # fmt: skip


def starts_program(command: Simple) -> bool:
    """Whether it is `"$@"` or a program that may be a service."""
    if command.words and begins_with_arguments(command.words[0]):
        return True
    return bool(command.name) and command.name not in BUILT_IN | _SHORT


def is_exit(command: Command, *, failed: bool = False) -> bool:
    """Whether it ends the script as failed, with or without a word about it.

    `failed` says that the command before it has failed: then a bare `exit` does so, too.
    """
    if isinstance(command, Block) and command.kind == "{":
        return is_quiet(command) and any(map(is_exit, command.body))
    if not isinstance(command, Simple) or command.name != "exit":
        return False
    bare = len(command.words) == 1 and not command.redirects and not command.assignments
    return is_quiet(command) or (bare and failed)


def is_quiet(command: Command) -> bool:
    """Whether it only talks, does nothing, or ends the script as failed."""
    if isinstance(command, Block):
        return command.kind == "{" and not command.redirects and all(map(is_quiet, command.body))
    if not isinstance(command, Simple) or command.assignments:
        return False
    if not all(is_talk(one) for one in command.redirects):
        return False
    words = command.words[1:]
    if command.name == "exit":
        code = words[0].literal if len(words) == 1 else None
        return re.fullmatch(r"0*[1-9]\d?", code or "") is not None
    if command.name == "printf" and (not words or (words[0].literal or "").startswith("-")):
        return False
    return command.name in _QUIET and all(map(_is_harmless, words))


def is_talk(redirect: Redirect) -> bool:
    """`>&2` and the like: to where a container talks, or to nowhere."""
    to = redirect.target.literal or ""
    if redirect.operator == ">&":
        return to in ("1", "2")
    return is_null(redirect) or (redirect.operator in (">", ">>") and to == "/dev/stderr")


def _is_harmless(word: Word) -> bool:
    """Whether nothing happens when a shell puts in what the word asks for."""
    return all(map(_changes_nothing, word.parts))


def _changes_nothing(part: object) -> bool:
    if isinstance(part, Variable):
        return re.match(r"(:?[-+]|[#%])|$", part.operator) is not None and not re.search(
            r"[$`]", part.operator
        )
    if isinstance(part, Substitution):
        return all(map(_only_prints, part.body))
    return isinstance(part, Text)


def _only_prints(command: Command) -> bool:
    if isinstance(command, Pipeline):
        return all(map(_only_prints, command.commands))
    return (
        isinstance(command, Simple)
        and command.name in _PRINTS
        and not command.assignments
        and all(one.operator == "<" or is_talk(one) for one in command.redirects)
        and all(map(_is_harmless, command.words))
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
    if not isinstance(command, Simple) or command.assignments or command.name not in ("cat", ""):
        return ""
    if any(one.operator != "<" or one.descriptor for one in command.redirects):
        return ""
    files = [*command.words[1:], *(one.target for one in command.redirects)]
    name = variable(files[0]) if len(files) == 1 else ""
    return name.removesuffix("_FILE") if name.endswith("_FILE") else ""


def from_file(command: Command) -> str:
    """X, if the command is `export X="$(cat "$X_FILE")"` or the same without export."""
    if not isinstance(command, Simple) or command.name not in ("", "export") or command.redirects:
        return ""
    pairs = [split_assignment(word) for word in command.words[1:]]
    pairs += command.assignments
    (pair,) = pairs if len(pairs) == 1 else (None,)
    return pair[0] if pair and variable_of_file(pair[1]) == pair[0] else ""


def names_only(command: Command) -> bool:
    """`export X` and `unset X_FILE`."""
    return (
        isinstance(command, Simple)
        and command.name in ("export", "unset")
        and not command.redirects
        and all((word.literal or "=").isidentifier() for word in command.words[1:])
    )


def is_file_env(function: Block) -> bool:
    """Whether it is the `file_env` of the official images, by what it has to do with X_FILE."""
    texts = [
        text
        for word in words_within((function,))
        for part in word.parts
        for text in (getattr(part, "text", ""), getattr(part, "operator", ""))
    ]
    return any("_FILE" in text for text in texts) and not any("/run/" in text for text in texts)

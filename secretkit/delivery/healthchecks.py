"""What health checks print. Pure.

The engine keeps the output of the last five runs of a check, standard error too, and `docker
inspect` shows it as State.Health.Log (moby, daemon/health.go): a value that is printed is public.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from .findings import Finding, Place
from .lint.names import is_secret
from .scripts.model import (
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
    words_of,
)
from .scripts.reading import ScriptError, read
from .shimmed import shimmed

_PRINTS = {
    "cat", "head", "tail", "tac", "nl", "more", "less", "od", "xxd", "hexdump", "strings", "base64",
    "base32", "sed", "awk", "gawk", "mawk", "cut", "tr", "sort", "uniq", "rev", "fold", "fmt",
    "paste", "tee", "dd", "jq", "yq", "grep", "egrep", "fgrep", "envsubst", "column", "diff",
}  # fmt: skip
_SAYS = {"echo", "printf", "eval"}
# They show all variables, with these options at most.
_DUMPS = {"env": "-0", "printenv": "-0", "export": "-p", "set": "", "declare": "-px"}
_SHELLS = {"sh", "bash", "ash", "dash", "ksh", "zsh"}
_CODE = {"python", "python3", "node", "ruby", "perl", "php"}
# They run the command in their arguments.
_WRAPPERS = {
    "env", "exec", "command", "timeout", "nice", "nohup", "time", "busybox", "sudo", "gosu",
    "su-exec", "setpriv", "tini", "dumb-init",
}  # fmt: skip
_QUIET = re.compile(r"-[A-Za-z]*[qclL][A-Za-z]*|--(quiet|silent|count|files-with.*)")  # of grep
_VERBOSE = re.compile(r"-[A-Za-z]*v[A-Za-z]*|--(verbose|trace.*)")  # curl then shows headers
# Where values are: the mount, and the variables of a process.
_FOLDER = re.compile(r"(?:/var)?/run/secrets(?:/|\Z)|/proc/[^/\s]+/environ\b")
# A program's text: its print of what it reads from a secret's file.
_PRINTED = re.compile(
    r"""\b(?:print|puts|log|write|echo|say)\b[^;\n]{0,200}?"""
    r"""(?:open|read\w*|file_get_contents)\s*\(?\s*["'](?:/var)?/run/secrets/"""
)
# The same of a variable: os.environ["X"], getenv("X"), process.env.X, ENV["X"].
_PRINTED_VARIABLE = re.compile(
    r"""\b(?:print|puts|log|write|echo|say)\b[^;\n]{0,200}?"""
    r"""(?:environ(?:\.get)?|getenv|process\.env|\bENV)[\[({.'"\s]{1,4}(\w+)"""
)
_ONWARD = re.compile(r"/dev/(?:std|fd/|tty)|/proc/\w+/fd/")


# In place of the line that puts the shim before a check: it would print values.
MEND_FIRST = "first mend what else is said of it here: through the shim, it may print the value"


def findings_of_check(
    words: Sequence[str],
    whose: str,
    place: Place,
    files: Collection[str] = (),
    variables: Collection[str] = (),
) -> Iterator[Finding]:
    """What is wrong with the output of a health check.

    `words` are its command line: of the shell form, the shell, -c and the text. `files` hold
    values, besides those in /run/secrets; so do `variables`, besides those with the name of a
    secret.
    """
    shim = shimmed(words)
    try:
        one = _Check(files, {*variables, *(shim.variables if shim else ())})
        printed = one.runs(list(shim.command if shim else words))
    except ScriptError as error:
        message = f"{whose} cannot be read: {error.reason}"
        yield Finding("unread-script", place, message, "see what `sh -n` says of it")
        return
    if printed:
        yield Finding(
            "secret-in-health-log",
            place,
            f"{whose} prints a secret{', or all variables' if one.dumped else ''}, "
            "and docker inspect shows what it prints",
            "`test -s FILE` prints nothing; send what another program prints to /dev/null",
        )


class _Check:
    """One check, from its first command to its last: which variables hold values, or paths."""

    def __init__(self, files: Collection[str], variables: Collection[str]) -> None:
        self.files = files
        self.values = set(variables)
        self.paths = set[str]()
        self.inside = False  # the current folder is that of the secrets
        self.traced = False
        self.leaked = False  # by set -x
        self.dumped = False  # a command shows all variables

    def runs(self, words: Sequence[str]) -> bool:
        """Whether this command line prints a value."""
        parts = tuple(Word((Text(word, quoted=True),), 1) for word in words)
        return self.prints(Simple((), parts, (), 1)) or self.leaked

    def prints(self, command: Command, given: bool = False) -> bool:
        """Whether a value gets to the output; `given`: whether one comes in."""
        if isinstance(command, Pipeline):
            for one in command.commands:
                given = self.prints(one, given)
            return given
        if isinstance(command, AndOr):
            return self.any((command.left, command.right), given)
        for redirect in command.redirects:
            if redirect.operator == "<":
                given = self.names(redirect.target)
            elif redirect.operator.startswith("<<"):
                given = self.holds(redirect.target)
        if self.traced and any(map(self.holds, words_of(command))):
            self.leaked = True
        if isinstance(command, Simple):
            printed = self.simple(command, given)
        else:
            if any(map(self.names, command.words)):  # for FILE in /run/secrets/*
                self.paths.add(command.name)
            printed = self.any((*command.condition, *command.body, *command.otherwise), given)
        return printed and _is_kept(command.redirects)

    def any(self, commands: Sequence[Command], given: bool) -> bool:
        """The same of several, one after the other."""
        printed = [self.prints(one, given) for one in commands]
        return any(printed)

    def simple(self, command: Simple, given: bool) -> bool:
        for name, value in command.assignments:
            self.assign(name, value)
        words = list(command.words)
        while _name(words) in _WRAPPERS and not _dumps(words):
            known = _PRINTS | _SAYS | set(_DUMPS) | _SHELLS | _CODE | _WRAPPERS
            starts = [at for at in range(1, len(words)) if _name(words[at:]) in known]
            words = words[starts[0] :] if starts else []
        name, arguments = _name(words), words[1:]
        if name == "xargs":
            runs = {_name(words[at:]) for at in range(1, len(words))}
            return given and bool(runs & (_SAYS | _PRINTS))
        if name == "cd":
            self.inside = any(map(self.names, arguments))
        if name == "set":
            self.traced |= any(re.match(r"-\w*x|xtrace", _text(one)) for one in arguments)
        if name in ("export", "local", "readonly", "declare", "typeset"):
            for word in arguments:
                self.assign(_text(word).partition("=")[0], word)
        if name == "read" and given:
            self.values |= {_text(one) for one in arguments}
        if _dumps(words):
            self.dumped = True
            return True
        if name == "printenv":
            return any(self.is_value(_text(one)) for one in arguments)
        if name in _SHELLS | _CODE:
            return self.code(name, arguments, given)
        if name.endswith("grep") and any(_QUIET.fullmatch(_text(one)) for one in arguments):
            return False
        held = any(map(self.holds, arguments))
        if name in _PRINTS:
            return given or held or self.inside or any(map(self.names, arguments))
        if name == "curl" and any(_VERBOSE.fullmatch(_text(one)) for one in arguments):
            return held
        return name in _SAYS and held

    def code(self, name: str, arguments: Sequence[Word], given: bool) -> bool:
        """`sh -c TEXT` and its like."""
        option = next((at for at, one in enumerate(arguments) if _is_code(name, one)), None)
        text = (
            _text(arguments[option + 1]) if option is not None and arguments[option + 1 :] else ""
        )
        if name in _CODE:
            named = [found[1] for found in _PRINTED_VARIABLE.finditer(text)]
            return _PRINTED.search(text) is not None or any(map(self.is_value, named))
        self.traced |= any(re.match(r"-\w*x", _text(one)) for one in arguments[: (option or 0) + 1])
        return self.any(read(text), given)

    def assign(self, name: str, value: Word) -> None:
        if self.holds(value):
            self.values.add(name)
        elif self.names(value):
            self.paths.add(name)

    def holds(self, word: Word) -> bool:
        """Whether a value is put into a word."""
        return any(map(self._holds, word.parts))

    def _holds(self, part: Part) -> bool:
        if isinstance(part, Variable):
            return self.is_value(part.name) and not part.operator.lstrip(":").startswith("+")
        if not isinstance(part, Substitution):
            return False
        reads = [
            self.names(one.target)  # $(<FILE)
            for command in part.body
            if isinstance(command, Simple) and not command.words
            for one in command.redirects
        ]
        return any(reads) or self.any(part.body, given=False)

    def is_value(self, name: str) -> bool:
        return name in self.values or is_secret(name)

    def names(self, word: Word) -> bool:
        """Whether a word names a file that holds a value."""
        for part in word.parts:
            if isinstance(part, Text):
                if _FOLDER.search(part.text) or any(one in part.text for one in self.files):
                    return True
            elif isinstance(part, Variable):
                stem = part.name.removesuffix("_FILE")
                if part.name in self.paths or (stem != part.name and is_secret(stem)):
                    return True
                if _FOLDER.search(part.operator):  # ${X_FILE:-/run/secrets/x}
                    return True
        return False


def _text(word: Word) -> str:
    """What is known of a word."""
    return "".join(part.text for part in word.parts if isinstance(part, Text))


def _name(words: Sequence[Word]) -> str:
    return _text(words[0]).rsplit("/", 1)[-1] if words else ""


def _dumps(words: Sequence[Word]) -> bool:
    """Whether a command shows all variables: `env`, also with more of them, `export -p`."""
    options = _DUMPS.get(_name(words))
    rest = [_text(one) for one in words[1:] if _name(words) != "env" or "=" not in _text(one)]
    return options is not None and all(
        one == "--null" or (one[:1] == "-" and bool(one[1:]) and set(one) <= set(options))
        for one in rest
    )


def _is_code(name: str, word: Word) -> bool:
    """Whether the next word is a program's text."""
    return (
        re.fullmatch(
            r"-\w*c" if name in {*_SHELLS, "python", "python3"} else r"-\w*[er]", _text(word)
        )
        is not None
    )


def _is_kept(redirects: Sequence[Redirect]) -> bool:
    """Whether the output gets to where the check's output goes."""
    for one in reversed(redirects):
        if one.descriptor in ("", "1") and ">" in one.operator:
            target = _text(one.target)
            return target in ("1", "2") if one.operator == ">&" else bool(_ONWARD.match(target))
    return True

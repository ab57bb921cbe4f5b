"""Checks of entrypoint scripts: what goes wrong with secrets in them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..findings import Finding, Place
from ..scripts.assignments import begins_with_arguments, split_assignment
from ..scripts.forms import BUILT_IN, starts_program
from ..scripts.model import (
    AndOr,
    Block,
    Command,
    Pipeline,
    Simple,
    Substitution,
    Text,
    Variable,
    Word,
    every,
    simples,
    words_of,
)
from ..scripts.reading import ScriptError, read
from ..scripts.values import Values
from .names import TYPO, credentials, is_plain, is_secret

_SHELLS = re.compile(r"#!\s*(?:/\S*/)?(?:env\s+(?:-\S+\s+)*)?(?:busybox\s+)?(?:ba|da|a|k|z)?sh\b")
_IN_MEMORY = re.compile(r"/(?:dev|run|var/run|proc|sys)/|/dev/null")
_ASSIGNS = {"export", "local", "readonly", "declare", "typeset"}
_FETCHES = {"curl", "wget"}
_RUNS = {"sh", "bash", "dash", "ash", "python", "python3", "perl"}
_CODE = {"awk": 1, "gawk": 1, "mawk": 1, "perl": 0, "python3": 0, "python": 0, "su": 0}


def is_script(text: str) -> bool:
    """Whether a text says that it is a script of a POSIX shell, or does not say what it is."""
    return not text.startswith("#!") or _SHELLS.match(text) is not None


def findings_of_script(path: str, text: str) -> list[Finding]:
    """What goes wrong with secrets in the entrypoint script `text`, in the order of its lines."""
    if not is_script(text):
        return []
    try:
        commands = read(text)
    except ScriptError as error:
        place = Place(path, error.line)
        return [Finding("unread-script", place, error.reason, "see what `sh -n` says of it")]
    return sorted(
        dict.fromkeys(_Check(path, text, commands).findings()), key=lambda one: one.place.line
    )


class _Check:
    """One script, walked from its first command to its last."""

    def __init__(self, path: str, text: str, commands: tuple[Command, ...]) -> None:
        self.path = path
        self.text = text
        self.commands = commands
        self.values = Values(likely=True)
        everything = list(simples(commands))
        self.guarded = {name for command in everything for name in _guards(command)}
        self.traced = bool(re.match(r"#!.*\s-\w*x", text))
        self.strict = bool(re.match(r"#!.*\s-\w*e", text))

    def finding(self, rule: str, line: int, message: str, remedy: str) -> Finding:
        return Finding(rule, Place(self.path, line), message, remedy)

    def findings(self) -> Iterator[Finding]:
        for command in every(self.commands):
            yield from self.typos(command)
            if isinstance(command, Simple):
                yield from self.simple(command)
        yield from self.pipelines(self.commands)
        if self.commands:
            yield from self.last(self.commands[-1])

    def simple(self, command: Simple) -> Iterator[Finding]:
        yield from self.plaintexts(command)
        self.options(command)
        read_here = [one for word in words_of(command) for one in self.values.used(word)]
        if self.traced and read_here:
            yield self.finding(
                "traced-secret",
                command.line,
                "set -x prints the value of a secret to the log",
                "set +x before secrets are read",
            )
        yield from self.assignments(command)
        if command.name == "sed":
            yield from self.sed(command)
        elif command.name not in _ASSIGNS:
            yield from self.arguments(command)
        yield from self.written(command)

    def options(self, command: Simple) -> None:
        """`set -e` and `set -x`, and what turns them off."""
        if command.name != "set":
            return
        for word in command.words[1:]:
            text = word.literal or ""
            if re.match(r"[-+]\w*x|xtrace", text):
                self.traced = text[0] != "+"
            if re.match(r"-\w*e|errexit", text):
                self.strict = True

    def typos(self, command: Simple | Block) -> Iterator[Finding]:
        """`/run/secret`, wherever it stands."""
        for word in words_of(command):
            line = word.line
            for part in word.parts:
                text = part.text if isinstance(part, Text) else ""
                text = part.operator if isinstance(part, Variable) else text
                for found in TYPO.finditer(text):
                    yield self.finding(
                        "run-secret-path",
                        line + text.count("\n", 0, found.start()),
                        "/run/secret is no folder of secrets",
                        "write /run/secrets",
                    )
                line += text.count("\n")

    def plaintexts(self, command: Simple) -> Iterator[Finding]:
        """Secrets that the script itself holds."""
        documents = [one.target for one in command.redirects if one.operator.startswith("<<")]
        said = [(command.line, " ".join(map(_shown, command.words)))]
        for line, text in (*said, *((word.line, _shown(word)) for word in documents)):
            for at in credentials(text):
                yield self.plain(line + text.count("\n", 0, at))

    def plain(self, line: int) -> Finding:
        return self.finding(
            "plaintext-secret",
            line,
            "the script has a secret in plain text",
            "take it out, change it, and read it from /run/secrets",
        )

    def assignments(self, command: Simple) -> Iterator[Finding]:
        """Values that variables get, and what of a missing secret."""
        exported = command.name in _ASSIGNS
        pairs = list(command.assignments)
        for word in command.words[1:] if exported else ():
            pair = split_assignment(word)
            if pair:
                pairs.append(pair)
            elif self.values.used(word) and command.name == "export":
                yield self.code(word.line, "export")
        for name, value in pairs:
            reading = self.values.assign(name, value)
            text = value.literal
            if text and is_secret(name) and is_plain(text):
                yield self.plain(value.line)
            direct = any(isinstance(part, Substitution) for part in value.parts)
            safe = {name, reading.secret if reading else ""} & self.guarded
            if reading and direct and not safe and (exported or not self.strict):
                how = f"{command.name} {name}=$(…) succeeds" if exported else "the script goes on"
                yield self.finding(
                    "missing-secret-unnoticed",
                    value.line,
                    f"{how} if the secret is missing: {name} is then empty",
                    f"{name}=$(cat …) on its own line under set -e"
                    if exported
                    else "set -e at the top",
                )

    def sed(self, command: Simple) -> Iterator[Finding]:
        used = [one for word in command.words[1:] for one in self.values.used(word)]
        if used:
            yield self.finding(
                "sed-secret",
                command.line,
                "sed changes a value that has & \\ / or a newline, or runs what is in it",
                "let the shim render the file, from a template with <<…>>",
            )

    def arguments(self, command: Simple) -> Iterator[Finding]:
        """Values in the arguments of commands."""
        name = command.name
        for index, word in enumerate(command.words):
            if not self.values.used(word):
                continue
            code = _code(command, index)
            if code:
                yield self.code(word.line, code)
                continue
            if name not in BUILT_IN or (name == "exec" and index):
                yield self.finding(
                    "secret-in-arguments",
                    word.line,
                    "every user can read the value in the process's arguments",
                    "give it in a variable or a file, if the program can read one",
                )
            bare = [part for part in word.parts if not getattr(part, "quoted", False)]
            if name != "[[" and any(self.values.used(Word((part,), word.line)) for part in bare):
                yield self.finding(
                    "unquoted-secret",
                    word.line,
                    "without quotes the shell splits the value at blanks and expands * in it",
                    'put it in double quotes: "$…"',
                )
        files = [word for word in command.words[1:2] if self.values.file(word)]
        if name in (".", "source") and files:
            yield self.code(command.line, str(name))

    def code(self, line: int, what: str) -> Finding:
        return self.finding(
            "secret-as-code",
            line,
            f"{what} takes the value apart, and may run what it holds",
            "keep each value in a secret of its own, and let the shim set its variable",
        )

    def written(self, command: Simple) -> Iterator[Finding]:
        """Values that get to a disk."""
        for one in command.redirects:
            if one.operator not in (">", ">>", ">|", "&>"):
                continue
            words = [word for word in words_of(command) if word is not one.target]
            path = self.values.text(one.target)
            if path and not _IN_MEMORY.match(path) and any(map(self.values.used, words)):
                yield self.disk(one.target.line)
        edits = any((word.literal or "").startswith("-i") for word in command.words)
        if command.name == "sed" and edits and any(map(self.values.used, command.words)):
            path = self.values.text(command.words[-1])
            if path and not _IN_MEMORY.match(path):
                yield self.disk(command.line)

    def disk(self, line: int) -> Finding:
        return self.finding(
            "secret-on-disk",
            line,
            "the value is written to the container's disk, and stays there when it stops",
            "write to /dev/shm, which is in memory, and link to that",
        )

    def pipelines(self, commands: tuple[Command, ...]) -> Iterator[Finding]:
        """Programs from the network that a shell runs."""
        for command in commands:
            if isinstance(command, Pipeline):
                names = [one.name for one in command.commands if isinstance(one, Simple)]
                if set(names[:-1]) & _FETCHES and names[-1] in _RUNS:
                    yield self.finding(
                        "remote-script",
                        command.line,
                        "what another host sends is run with all secrets at hand",
                        "put it into the image, and check its sum there",
                    )
            elif isinstance(command, AndOr):
                yield from self.pipelines((command.left, command.right))
            elif isinstance(command, Block):
                yield from self.pipelines((*command.condition, *command.body, *command.otherwise))

    def last(self, command: Command) -> Iterator[Finding]:
        """The command that the script ends with: the service, if it is one."""
        if isinstance(command, Block) and command.kind == "if":
            for branch in (command.body, command.otherwise):
                yield from self.last(branch[-1]) if branch else ()
        if isinstance(command, AndOr):
            yield from self.last(command.right)
        if not isinstance(command, Simple) or not command.words:
            return
        arguments = begins_with_arguments(command.words[0])
        if command.name != "exec" and starts_program(command):
            yield self.finding(
                "missing-exec",
                command.line,
                "the shell stays process 1: a stop signal does not reach the program, which is "
                "killed after 10 seconds",
                'write exec "$@"' if arguments else f"write exec {command.words[0].literal} …",
            )


def _shown(word: Word) -> str:
    """A word as text, with a variable for all that a run decides."""
    return "".join(part.text if isinstance(part, Text) else "$X" for part in word.parts)


def _guards(command: Simple) -> Iterator[str]:
    """The secrets and variables that a command asks about, or insists on."""
    if command.name in ("[", "[[", "test", ":"):
        for word in command.words[1:]:
            for part in word.parts:
                if isinstance(part, Variable):
                    yield part.name
            found = Values(likely=True).file(word)
            if found:
                yield found


def _code(command: Simple, index: int) -> str:
    """What takes this argument for a program's text; empty if it is no such argument."""
    name = command.name or ""
    before = command.words[index - 1].literal if index else None
    if name == "eval" and index:
        return "eval"
    if before == "-c" or (before in ("-e", "-pe", "-pie", "-ne", "-pi") and name == "perl"):
        return f"{name} {before}"
    return name if _CODE.get(name) == index and index else ""

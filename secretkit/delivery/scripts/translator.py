"""A walk through a script, command by command, up to the one that starts the program. Pure.

A command is translated if it is exactly one of the forms that are known. Any other is not, nor is
anything inside of it: that is said with its line, and what it may have changed is not known then.
"""

from __future__ import annotations

import re

from ..findings import Finding, Place
from ..lint.names import credentials
from .assignments import is_arguments, refers, split_assignment
from .conditions import FOLDER_ITSELF, asked, asks
from .conversion import Conversion
from .effects import effects
from .files import Files
from .forms import (
    ASSIGNS,
    KNOWN,
    from_file,
    is_exit,
    is_file_env,
    is_quiet,
    names_only,
    starts_program,
)
from .loops import env_all
from .model import AndOr, Block, Command, Pipeline, Simple, Variable, Word, every, words_within
from .reading import ScriptError
from .rendered import finish
from .templates import Unclear
from .values import Values
from .variables import Variables

_STEPS_DOWN = {"su-exec", "gosu"}
_PREFIXES = {"tini", "dumb-init"}
_NAMED = {"(": "a subshell", "&": "a command in the background", "!": "this", "((": "this"}
_BY_HAND = "do it in the Dockerfile, or keep it in a script that the shim starts"
_DEFAULT = "state the default as ENV in the Dockerfile"
_MOST = 20_000  # commands, with those of functions each time that they are called


class Translator:
    """A walk through one script."""

    def __init__(self, path: str, commands: tuple[Command, ...], *, exports: bool = False) -> None:
        self.commands_of_script = commands
        self.made = Conversion(path)
        self.values = Values()
        self.files = Files(self.values)
        self.variables = Variables(self.made, self.values, self.files)
        self.variables.all_exported = exports
        self.defined: dict[str, Block] = {}  # all functions, wherever
        self.functions: dict[str, Block | None] = {}  # as of here; None: defined twice
        self.calling: list[str] = []
        self.ended = False
        self.doubtful = False  # the script may have ended before
        self.changed = False  # the arguments are not those that docker run gives
        self.count = 0

    def script(self) -> Conversion:
        """What becomes of it. Raises ScriptError if it runs too many commands."""
        commands = self.commands_of_script
        if not self.shell_is_changed():
            self.commands(commands, last=True)
        if not self.ended:
            line = commands[-1].line if commands else 1
            message = "the script starts no program that is certain"
            self.made.say(line, message, 'name it in the Dockerfile: CMD ["program", "argument"]')
        self.variables.finish()
        finish(self.made, self.files)
        return self.made

    def shell_is_changed(self) -> bool:
        """Whether known words mean something else in this script."""
        for one in every(self.commands_of_script):
            name = one.name or ""
            if isinstance(one, Block) and one.kind == "function":
                self.defined[name] = one
                changed = name in KNOWN
            elif isinstance(one, Block):
                changed = False
            else:
                fields = not one.words and any(assigned == "IFS" for assigned, _ in one.assignments)
                changed = name in ("alias", "enable", "shopt") or fields
                name = "IFS" if fields else name
            if changed:
                message = f"the script changes the shell ({name}): nothing of it is translated"
                self.made.say(one.line, message, "keep it, as a script that the shim starts")
                return True
        return False

    def unclear(self, command: Command, remedy: str) -> None:
        """Say that a command is not translated, and forget what it may have changed."""
        kind = command.kind if isinstance(command, Block) else "this"
        name = command.name if isinstance(command, Simple) else _NAMED.get(kind, kind)
        self.made.say(command.line, f"{name or 'this'} is not translated", remedy or _BY_HAND)
        changed = effects(command, self.defined)
        self.count += len(changed.words)
        for variable, line in changed.names.items():
            if variable in self.values.exported and self.variables.is_known(variable):
                message = f"{variable} is not translated: it may get another value here"
                self.made.say(line, message, "give the variable one secret")
            self.values.forget(variable, line)
        for one in self.files.touched(changed.words):
            message = f"the template of {one.destination} is not certain"
            self.made.say(one.line, message, "write the template by hand")
        if changed.everything:
            self.values.forget_all()
        if changed.options:
            self.variables.all_exported = None
        if changed.moves:
            self.files.folder = None
        self.changed |= changed.arguments
        self.doubtful |= changed.ends

    # -- commands -----------------------------------------------------------------------------

    def commands(self, commands: tuple[Command, ...], *, last: bool = False) -> None:
        for index, command in enumerate(commands):
            if self.ended:
                return
            ends = index == len(commands) - 1
            if index == len(commands) - 2:
                ends = _passes_code_on(commands[-1])
            try:
                self.translate(command, last=last and ends)
            except Unclear as error:
                self.unclear(command, str(error))

    def translate(self, command: Command, *, last: bool) -> None:
        """One command, with all that is in it. Raises Unclear."""
        self.count += 1
        if self.count > _MOST * 10:
            raise ScriptError("too many commands to follow", command.line)
        if isinstance(command, Simple):
            self.simple(command, last=last)
        elif isinstance(command, Pipeline):
            self.files.pipeline(command)
        elif isinstance(command, AndOr):
            self.chain(command, last=last)
        elif command.redirects:
            raise Unclear
        elif command.kind == "function":
            if self.variables.all_exported is not False:
                message = f"bash exports the function {command.name} to programs after set -a"
                self.made.note(command.line, message, "it matters for a program that is bash")
            self.functions[command.name] = None if command.name in self.functions else command
        elif command.kind == "{":
            self.commands(command.body, last=last)
        elif command.kind == "if":
            self.condition(command, last=last)
        else:
            self.loop(command)

    def loop(self, block: Block) -> None:
        prefix, values = env_all(block, self.values), self.values
        if prefix is None or self.made.env_all or self.variables.all_exported is not False:
            raise Unclear
        for name in values.exported:
            held = values.secrets.get(name)
            if held is None or name != prefix + re.sub("[-.]", "_", held.secret).upper():
                raise Unclear(f"a secret may be {name}: set that behind the loop")
        self.made.env_all, self.made.env_prefix = True, prefix
        values.unknown = True
        self.made.note(
            block.line,
            "env_all makes _ of each - and . in a secret's name, whatever the loop makes of it",
            "look at the names of the secrets",
        )

    def condition(self, block: Block, *, last: bool) -> None:
        found = asked(block.condition[0], self.values) if len(block.condition) == 1 else None
        if found is None:
            raise Unclear
        there, name = found
        branches = (block.body, block.otherwise)
        self.depending(name, *(branches if there else branches[::-1]), last=last)

    def chain(self, command: AndOr, *, last: bool) -> None:
        """`a && b || c`, from left to right. Raises Unclear."""
        links: list[tuple[str, Command]] = []
        first: Command = command
        while isinstance(first, AndOr):
            links.insert(0, (first.operator, first.right))
            first = first.left
        rest = [one for _, one in links]
        signs = [sign for sign, _ in links]
        found = asked(first, self.values)
        failing = signs.pop() == "||" and rest.pop()  # what runs if another has failed
        if "||" in signs or any(asks(one) for one in (first, *rest) if not found or one != first):
            raise Unclear
        if any(isinstance(one, Simple) and one.name == "read" for one in [first, *rest][:-1]):
            raise Unclear("read fails if no newline ends the secret")
        if found:
            there, name = found
            if failing and rest:  # [ -f x ] && … || true
                if is_exit(failing) or not is_quiet(failing):
                    raise Unclear(_DEFAULT)
                failing = False
            branches = (tuple(rest), (failing,) if failing else ())
            self.depending(name, *(branches if there else branches[::-1]), last=last)
        elif failing and not is_exit(failing, failed=True):
            if rest or not is_quiet(failing) or not _only_sets(first):
                raise Unclear
            self.guarded(FOLDER_ITSELF, (first,))
        else:
            for index, one in enumerate((first, *rest)):
                self.translate(one, last=last and index == len(rest))

    def depending(
        self,
        name: str,
        present: tuple[Command, ...],
        missing: tuple[Command, ...],
        *,
        last: bool,
    ) -> None:
        """What runs if the secret is there, and what if it is missing. Raises Unclear."""
        if self.variables.guard or not all(map(is_quiet, missing)):
            raise Unclear(_DEFAULT)
        if name.startswith("$"):
            self.expanded(name[1:], present, missing)
        elif not any(map(is_exit, missing)):
            self.guarded(name, present)
        elif name == FOLDER_ITSELF:
            raise Unclear
        else:
            self.variables.require(name)
            self.commands(present, last=last)

    def guarded(self, name: str, commands: tuple[Command, ...]) -> None:
        """Commands that run if a secret is there: they read it, and do nothing else."""
        self.variables.guard = name
        try:
            for command in commands:
                if isinstance(command, Block) and command.kind == "{" and not command.redirects:
                    inner = command.body
                else:
                    inner = (command,)
                for one in inner:
                    loops = name == FOLDER_ITSELF and isinstance(one, Block) and one.kind == "for"
                    quiet = is_quiet(one) and not is_exit(one)
                    if not (loops or quiet or _only_sets(one)):
                        raise Unclear("only what is read from the secret itself is certain here")
                    self.translate(one, last=False)
        finally:
            self.variables.guard = ""

    def expanded(
        self, name: str, present: tuple[Command, ...], missing: tuple[Command, ...]
    ) -> None:
        """`if [ -n "$X_FILE" ]; then export X="$(cat "$X_FILE")"; fi`."""
        found = [one for one in present if from_file(one)]
        others = [one for one in present if one not in found and not names_only(one)]
        if missing or others or [from_file(one) for one in found] != [name]:
            raise Unclear
        for one in present:
            self.translate(one, last=False)

    # -- simple commands ----------------------------------------------------------------------

    def simple(self, command: Simple, *, last: bool) -> None:
        name, variables = command.name, self.variables
        sets = not command.redirects and (not command.assignments or not name)
        if name in self.defined and command.words[0].literal == name:
            self.function(command, last=last)
        elif is_quiet(command) and not is_exit(command):
            pass
        elif name == "exec" and len(command.words) > 1:
            self.start(command, command.words[1:])
        elif name == "read":
            variables.read(command)
        elif name == "" and sets:
            for assigned, value in command.assignments:
                variables.assign(assigned, value, export=False)
        elif name in ASSIGNS and sets:
            variables.declare(command)
        elif name == "cd" and sets and len(command.words) == 2:
            self.files.enter(command.words[1])
            self.made.say(command.line, "cd is not translated", "state the folder as WORKDIR")
        elif name == ":" and sets:
            variables.insist(command)
        elif name == "unset" and sets:
            for word in command.words[1:]:
                variables.unset(word)
        elif name == "set" and sets:
            variables.options(command)
        elif not self.files.simple(command):
            if not last or not starts_program(command):
                raise Unclear
            self.start(command, command.words)

    def function(self, command: Simple, *, last: bool) -> None:
        """A call of the script's own function, without arguments or with the script's."""
        name, words = str(command.name), command.words[1:]
        block = self.functions.get(name)
        if block is None or command.assignments or command.redirects or name in self.calling:
            raise Unclear
        if name == "file_env" and len(words) in (1, 2) and is_file_env(block):
            self.file_env(command)
            return
        (body,) = block.body
        if not isinstance(body, Block) or body.kind != "{" or body.redirects:
            raise Unclear
        own = any(
            isinstance(part, Variable) and (part.name in "@*#" or part.name.isdigit())
            for word in words_within(block.body)
            for part in word.parts
        )
        given = len(words) == 1 and is_arguments(words[0])
        scoped = {"return", "local", "declare", "typeset", "shift"}
        scoping = any(isinstance(one, Simple) and one.name in scoped for one in every(block.body))
        if scoping or len(self.calling) > 20 or (words and not given) or (own and not given):
            raise Unclear
        self.count += sum(1 for _ in every(block.body))
        self.calling.append(name)
        self.commands(body.body, last=last)
        self.calling.pop()

    def file_env(self, command: Simple) -> None:
        """`file_env X default`, of the official images."""
        name = command.words[1].literal or ""
        if not name.isidentifier() or self.variables.guard:
            raise Unclear
        self.values.forget(name, command.line)
        self.values.expanding[name] = None
        self.values.exported[name] = None
        if len(command.words) > 2:
            message, remedy = "the default is not translated", "state it as ENV in the Dockerfile"
            self.made.say(command.line, message, remedy)

    # -- the program --------------------------------------------------------------------------

    def start(self, command: Simple, words: tuple[Word, ...]) -> None:
        """The command that the script ends with."""
        self.ended = True
        made = self.made
        rest = list(words)
        if self.doubtful or (rest[0].literal or "").startswith("-"):
            remedy = "name the program in the Dockerfile: the script may end or start another"
            raise Unclear(remedy if self.doubtful else "")
        pairs = [(*pair, False) for pair in command.assignments]
        if rest[0].literal == "env":
            while len(rest) > 1 and (pair := split_assignment(rest[1])):
                pairs.append((*pair, True))
                rest.pop(1)
            rest = rest if len(rest) > 1 and (rest[1].literal or "").startswith("-") else rest[1:]
        if refers((*(value for _, value, _ in pairs), *rest), {name for name, _, _ in pairs}):
            raise Unclear("the shell puts in what a variable had before this line")
        for name, value, split in pairs:
            self.variables.assign(name, value, export=True, split=split)
        user: str | None = ""
        program = (rest[0].literal or "").rpartition("/")[2] if rest else ""
        if program in _STEPS_DOWN and len(rest) > 2 and (user := self.values.text(rest[1])):
            rest = rest[2:]
        if program in _PREFIXES:
            made.findings.append(
                Finding(
                    "needless-init",
                    Place(made.path, command.line),
                    f"{program} is not needed: the program itself gets the signals",
                    "leave it out, unless the program leaves children behind",
                )
            )
        secret: str = ""
        for one in command.redirects:
            secret = self.values.file(one.target) or ""
            if not secret or one.operator != "<" or one.descriptor:
                raise Unclear
        made.arguments = bool(rest) and is_arguments(rest[-1])
        if made.arguments and self.changed:
            raise Unclear("name the program in the Dockerfile: the script changes its arguments")
        texts = [self.files.argument(word) for word in (rest[:-1] if made.arguments else rest)]
        if any(credentials(" ".join(texts))):
            raise Unclear("make the secret in its arguments a secret")
        if not texts and not made.arguments:
            raise Unclear
        made.command, made.user, made.stdin = texts, user or "", secret


def _passes_code_on(command: Command) -> bool:
    """Whether it is `exit` or `exit $?`: the script ends as the command before it did."""
    if not isinstance(command, Simple) or command.name != "exit" or command.redirects:
        return False
    words = command.words[1:]
    return not words or (
        len(words) == 1 and words[0].parts in ((Variable("?"),), (Variable("?", "", True),))
    )


def _only_sets(command: Command) -> bool:
    """Whether it is a command that gives variables values, and nothing else."""
    return isinstance(command, Simple) and command.name in ("", "read", *ASSIGNS)

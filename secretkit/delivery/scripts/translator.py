"""A walk through a script, command by command, up to the one that starts the program. Pure.

What is not certain is not translated, but said with its line.
"""

from __future__ import annotations

import re

from ..findings import Finding, Place
from ..lint.names import credentials, is_secret
from .assignments import is_arguments, split_assignment
from .conditions import asked
from .conversion import Conversion
from .files import Files
from .forms import from_file, is_exit, is_quiet, names_only, starts_program, variable_of_file
from .loops import env_all
from .model import AndOr, Block, Command, Pipeline, Simple, Substitution, Word, simples
from .templates import Inherited, Rendering, Unclear, template
from .values import Reading, Values

_ASSIGNS = {"export", "readonly", "local", "declare", "typeset"}
_STEPS_DOWN = {"su-exec", "gosu"}
_PREFIXES = {"tini", "dumb-init"}
_NAMED = {"(": "a subshell", "&": "a command in the background", "!": "this", "((": "this"}
_BY_HAND = "do it in the Dockerfile, or keep it in a script that the shim starts"


class Translator:
    """A walk through one script. `guards` are the secrets whose presence has been asked about."""

    def __init__(self, path: str) -> None:
        self.made = Conversion(path)
        self.values = Values()
        self.files = Files(self.values)
        self.exported: dict[str, None] = {}
        self.all_exported = False
        self.functions: dict[str, Block] = {}
        self.guards: set[str] = set()
        self.optional: dict[str, None] = {}
        self.certain: set[str] = set()
        self.perhaps: set[str] = set()  # variables that are set if a secret is there
        self.ended = False
        self.changed = False  # the arguments are not those that docker run gives

    def script(self, commands: tuple[Command, ...]) -> None:
        for index, command in enumerate(commands):
            last = all(is_exit(one) for one in commands[index + 1 :])
            self.command(command, last=last)
            if self.ended:
                return
        self.unclear(
            commands[-1] if commands else Simple((), (), (), 1),
            "the script starts no program that is certain",
            'name it in the Dockerfile: CMD ["program", "argument"]',
        )

    def result(self) -> Conversion:
        made = self.made
        secrets = self.values.secrets
        made.env = {name: secrets[name].secret for name in self.exported if name in secrets}
        for one in self.files.finished():
            try:
                if one.content is None:
                    made.renderings.append(one)
                else:
                    self.all_set(one)
                    source, text = template(one)
                    made.templates[source] = text
                    made.renderings.append(one._replace(source=source))
            except Unclear as error:
                self.say(one.line, f"the template of {one.destination} is not certain", str(error))
        for one in made.renderings:
            if not one.destination.startswith("/"):
                message = f"{one.destination} is relative to the image's WORKDIR"
                self.say(one.line, message, "write the whole path as source and destination")
        for line in self.files.left:
            self.say(line, "cp is not translated", "copy it in the Dockerfile")
        made.arg = self.files.arguments
        made.optional = [name for name in self.optional if name not in self.certain]
        return made

    def all_set(self, rendering: Rendering) -> None:
        """Raises Unclear if the script sets a variable only after it was put into the file."""
        for piece in rendering.content or ():
            if isinstance(piece, Inherited) and piece.name in self.values.assigned:
                raise Unclear(f"{piece.name} is set only later: is that meant?")

    # -- what is said -------------------------------------------------------------------------

    def say(self, line: int, message: str, remedy: str) -> None:
        self.made.findings.append(
            Finding("not-translated", Place(self.made.path, line), message, remedy)
        )

    def unclear(self, command: Command, message: str = "", remedy: str = _BY_HAND) -> None:
        kind = command.kind if isinstance(command, Block) else "this"
        name = command.name if isinstance(command, Simple) else _NAMED.get(kind, kind)
        self.say(command.line, message or f"{name or 'this'} is not translated", remedy)

    def uncertain(self, command: Command) -> None:
        """What a command that is not understood may have changed is no longer known."""
        for one in simples((command,)):
            pairs = [pair for word in one.words if (pair := split_assignment(word))]
            for name, _ in (*one.assignments, *pairs):
                self.values.forget(name)
            self.changed |= one.name in ("set", "shift")

    # -- commands -----------------------------------------------------------------------------

    def commands(self, commands: tuple[Command, ...], *, last: bool = False) -> None:
        for index, command in enumerate(commands):
            if not self.ended:
                self.command(command, last=last and index == len(commands) - 1)

    def command(self, command: Command, *, last: bool = False) -> None:
        try:
            self.translate(command, last=last)
        except Unclear as error:
            self.uncertain(command)
            self.unclear(command, remedy=str(error) or _BY_HAND)

    def translate(self, command: Command, *, last: bool) -> None:
        """One command, with all that is in it. Raises Unclear."""
        if isinstance(command, Simple):
            self.simple(command, last=last)
        elif isinstance(command, Pipeline):
            self.files.pipeline(command)
        elif isinstance(command, AndOr):
            self.and_or(command, last=last)
        else:
            self.block(command, last=last)

    def block(self, block: Block, *, last: bool) -> None:
        if block.kind == "function":
            self.functions[block.name] = block
        elif block.kind == "{" and not block.redirects:
            self.commands(block.body, last=last)
        elif block.kind == "if" and not block.redirects:
            self.condition(block)
        elif block.kind == "for" and (prefix := env_all(block, self.values)) is not None:
            self.made.env_all, self.made.env_prefix = True, prefix
        else:
            raise Unclear

    def condition(self, block: Block) -> None:
        found = asked(block.condition[0], self.values) if len(block.condition) == 1 else None
        if found is None:
            raise Unclear
        there, names = found
        branches = (block.body, block.otherwise)
        self.depending(names, *(branches if there else branches[::-1]))

    def depending(
        self, names: set[str], present: tuple[Command, ...], missing: tuple[Command, ...]
    ) -> None:
        """What the script does if the secrets are there, and what if one is missing."""
        if any(name.startswith("$") for name in names):
            self.expanded(present, missing)
        elif not all(map(is_quiet, missing)):
            raise Unclear("state the default as ENV in the Dockerfile")
        elif any(map(is_exit, missing)):
            self.require(names)
            self.commands(present)
        else:
            self.guarded(names, present)

    def guarded(self, names: set[str], commands: tuple[Command, ...]) -> None:
        if any(one.name in ("exec", "exit", "return") for one in simples(commands)):
            raise Unclear
        before, self.guards = self.guards, self.guards | names
        rendered = len(self.files.made)
        self.commands(commands)
        if len(self.files.made) > rendered:
            self.unclear(commands[0], "the file is now made in any case")
        self.guards = before
        self.optional.update(dict.fromkeys(sorted(names)))

    def expanded(self, present: tuple[Command, ...], missing: tuple[Command, ...]) -> None:
        """`if [ -n "$X_FILE" ]; then export X="$(cat "$X_FILE")"; fi`."""
        found = [pair for one in present if (pair := from_file(one))]
        others = [one for one in present if not from_file(one) and not names_only(one)]
        if missing or len(found) != 1 or others:
            raise Unclear
        self.made.expand_file += found

    def require(self, names: set[str]) -> None:
        self.certain |= names
        self.made.require += [name for name in sorted(names) if name not in self.made.require]

    def and_or(self, command: AndOr, *, last: bool) -> None:
        found = asked(command.left, self.values)
        right = (command.right,)
        if found is not None:
            there = found[0] == (command.operator == "&&")
            self.depending(found[1], right if there else (), () if there else right)
        elif command.operator == "&&":
            self.translate(command.left, last=False)
            self.translate(command.right, last=last)
        elif is_exit(command.right):
            self.translate(command.left, last=last)
        elif is_quiet(command.right):
            before, self.guards = self.guards, {"*"}
            self.translate(command.left, last=False)
            self.guards = before
        else:
            raise Unclear

    # -- simple commands ----------------------------------------------------------------------

    def simple(self, command: Simple, *, last: bool) -> None:
        name = command.name
        if name in self.functions and name != "file_env":
            self.function(command)
        elif name in ("exit", "return"):
            raise Unclear
        elif name == "cd" and len(command.words) == 2:
            self.files.enter(command.words[1])
            self.say(command.line, "cd is not translated", "state the folder as WORKDIR")
        elif name == "":
            if command.redirects:
                raise Unclear
            for assigned, value in command.assignments:
                self.assign(assigned, value, export=self.all_exported)
        elif name in _ASSIGNS and not command.redirects:
            self.declare(command)
        elif name == "file_env" and len(command.words) in (2, 3) and command.words[1].literal:
            self.made.expand_file.append(command.words[1].literal)
            if len(command.words) > 2:
                self.say(
                    command.line,
                    "the default is not translated",
                    "state it as ENV in the Dockerfile",
                )
        elif name == "exec" and len(command.words) > 1:
            self.start(command, command.words[1:])
        elif name == ":":
            self.insist(command)
        elif name == "unset":
            for word in command.words[1:]:
                self.unset(word)
        elif name == "read":
            self.read(command)
        elif name == "set" and not self.options(command):
            raise Unclear
        elif (found := asked(command, self.values)) is not None:
            self.require(found[1] if found[0] else set())
        elif is_quiet(command):
            pass
        elif not self.files.simple(command):
            if not last or not starts_program(command):
                raise Unclear
            self.start(command, command.words)

    def function(self, command: Simple) -> None:
        """A call of the script's own function, without arguments or with the script's."""
        name = str(command.name)
        if not all(map(is_arguments, command.words[1:])):
            raise Unclear
        block = self.functions.pop(name)  # no call of itself
        self.commands(block.body, last=True)
        self.functions[name] = block

    def declare(self, command: Simple) -> None:
        words = list(command.words[1:])
        flags = [
            word.literal or "" for word in words if (word.literal or "").startswith(("-", "+"))
        ]
        export = command.name == "export" or self.all_exported or any("x" in f for f in flags)
        if command.name == "export" and flags:
            raise Unclear
        for word in words[len(flags) :]:
            pair = split_assignment(word)
            if pair:
                self.assign(*pair, export=export)
            elif word.literal and word.literal.isidentifier():
                if export:
                    self.export(word.literal, word.line)
            else:
                raise Unclear("keep each value in a secret of its own")

    def assign(self, name: str, value: Word, *, export: bool) -> None:
        set_before = name in self.values.secrets or bool(self.values.texts.get(name))
        if name in self.perhaps or (self.guards and set_before):
            raise Unclear("give the variable one secret; a default is ENV in the Dockerfile")
        if self.guards:
            self.perhaps.add(name)
        reading = self.values.assign(name, value)
        self.files.composed.pop(name, None)
        direct = any(isinstance(part, Substitution) for part in value.parts)
        if reading:
            if direct:
                self.read_secret(reading)
        elif self.values.used(value):
            self.files.composed[name] = value
        elif direct:
            if variable_of_file(value) == name:
                self.made.expand_file.append(name)
                return
            raise Unclear
        if export or name in self.exported:
            self.export(name, value.line)

    def read_secret(self, reading: Reading) -> None:
        if reading.guarded or self.guards & {reading.secret, "*"}:
            self.optional[reading.secret] = None
        else:
            self.certain.add(reading.secret)

    def export(self, name: str, line: int) -> None:
        self.exported[name] = None
        if name in self.files.composed:
            self.say(line, f"{name} is made of a secret and other text", "make all of it a secret")
        elif name not in self.values.secrets and name in self.values.assigned:
            remedy = "make it one, and let the shim set the variable"
            if not is_secret(name):
                remedy = f"ENV {name}=… in the Dockerfile"
            self.say(line, f"{name} is set to what is no secret", remedy)

    def unset(self, word: Word) -> None:
        name = word.literal or ""
        if name in self.values.assigned:
            self.values.forget(name)
            self.values.texts[name] = ""
            self.files.composed.pop(name, None)
            self.exported.pop(name, None)
        elif not name.endswith("_FILE"):
            raise Unclear

    def insist(self, command: Simple) -> None:
        """`: "${X:?}"`, which ends the script if X is empty."""
        for word in command.words[1:]:
            reading = self.values.reading(word)
            if reading is None and not word.literal:
                raise Unclear
            self.require({reading.secret} if reading else set())

    def read(self, command: Simple) -> None:
        words = [word for word in command.words[1:] if not (word.literal or "").startswith("-")]
        files = [self.values.file(one.target) for one in command.redirects if one.operator == "<"]
        if len(words) != 1 or not words[0].literal or len(files) != 1 or not files[0]:
            raise Unclear
        reading = Reading(files[0], command.line)
        self.values.secrets[words[0].literal] = reading
        self.read_secret(reading)
        if words[0].literal in self.exported or self.all_exported:
            self.exported[words[0].literal] = None

    def options(self, command: Simple) -> bool:
        texts = [word.literal for word in command.words[1:]]
        if "--" in texts or not texts or any(text is None for text in texts):
            return False
        for text in texts:
            if re.match(r"[-+][a-z]*a|allexport", str(text)):
                self.all_exported = not str(text).startswith("+")
        return True

    # -- the program --------------------------------------------------------------------------

    def start(self, command: Simple, words: tuple[Word, ...]) -> None:
        """The command that the script ends with."""
        self.ended = True
        made = self.made
        rest = list(words)
        for name, value in command.assignments:
            self.assign(name, value, export=True)
        if rest and rest[0].literal == "env":
            while len(rest) > 1 and (pair := split_assignment(rest[1])):
                self.assign(*pair, export=True)
                rest.pop(1)
            rest = rest if len(rest) > 1 and (rest[1].literal or "").startswith("-") else rest[1:]
        program = (rest[0].literal or "").rpartition("/")[2] if rest else ""
        if program in _STEPS_DOWN and len(rest) > 2 and (user := rest[1].literal):
            made.user = user
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
        for one in command.redirects:
            secret = self.values.file(one.target) if one.operator == "<" else None
            if secret is None or one.descriptor:
                raise Unclear
            made.stdin = secret
        made.arguments = bool(rest) and is_arguments(rest[-1])
        if made.arguments and self.changed:
            raise Unclear("name the program in the Dockerfile: the script changes its arguments")
        texts = [self.files.argument(word) for word in (rest[:-1] if made.arguments else rest)]
        if any(credentials(" ".join(texts))):
            raise Unclear("make the secret in its arguments a secret")
        made.command = texts

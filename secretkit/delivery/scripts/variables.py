"""The commands of a script that set variables, as far as they are certain."""

from __future__ import annotations

import re

from ..lint.names import is_secret
from .assignments import refers, split_assignment
from .conditions import FOLDER_ITSELF
from .conversion import Conversion
from .files import Files
from .forms import variable_of_file
from .model import Simple, Substitution, Text, Variable, Word, inside, words_of
from .templates import Secret, Unclear
from .values import Reading, Values

# Every container has them, or may have, so that what a script assigns to them is exported.
_INHERITED = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TERM|TZ|LANG|LANGUAGE|LC_\w+|HOSTNAME|PWD|TMPDIR|LD_\w+"
)
_FLAGS = re.compile(r"([-+])([aeuxvhmbBEHTP]*)(o?)")
_OPTIONS = {
    "allexport", "errexit", "nounset", "xtrace", "verbose", "pipefail", "errtrace",
    "functrace", "monitor", "notify",
}  # fmt: skip


class Variables:
    """What the script sets. `guard` is the secret whose presence has just been asked about."""

    def __init__(self, made: Conversion, values: Values, files: Files) -> None:
        self.made = made
        self.values = values
        self.files = files
        self.guard = ""
        self.all_exported: bool | None = False  # None: not certain
        self.optional: dict[str, None] = {}
        self.certain: set[str] = set()
        self.fixed: set[str] = set()  # by readonly
        self.perhaps: set[str] = set()  # variables that are set if a secret is there
        self.unexported: dict[str, int] = {}  # by name, the line that sets the variable

    def assign(self, name: str, value: Word, *, export: bool, split: bool = False) -> None:
        """`name=value`; `split` as an argument of export. Raises Unclear."""
        values = self.values
        if self.all_exported is None and not export:
            raise Unclear("it is not certain whether it is exported")
        export = export or bool(self.all_exported) or bool(_INHERITED.fullmatch(name))
        export = export or name in values.exported
        set_before = name in values.assigned and values.texts.get(name) != ""
        if name in self.perhaps | self.fixed or (self.guard and set_before):
            raise Unclear("give the variable one secret; a default is ENV in the Dockerfile")
        if refers((value,), self.perhaps):
            raise Unclear("if the secret is missing, the container may say what is there")
        if not export:
            self.unexported.setdefault(name, value.line)
        if self.guard:
            self.assign_guarded(name, value, export=export)
            return
        of_file = variable_of_file(value) == name and f"{name}_FILE" not in values.assigned
        pieces = self.files.known_pieces(value, split=split)
        reading = values.assign(name, value, split=split)
        if reading:
            self.read_secret(reading, value)
        elif of_file:
            values.expanding[name] = None
        elif any(isinstance(piece, Secret) for piece in pieces):
            values.composed[name] = pieces
        elif any(isinstance(part, Substitution) for part in value.parts):
            raise Unclear(_remedy(name, value))
        if export:
            self.export(name, value.line)

    def assign_guarded(self, name: str, value: Word, *, export: bool) -> None:
        """Behind `[ -f /run/secrets/x ]`: a variable gets that secret. Raises Unclear."""
        reading = self.values.reading(value)
        if reading is None or self.guard not in (reading.name, FOLDER_ITSELF):
            raise Unclear("only what is read from the secret itself is certain here")
        self.values.assign(name, value)
        self.values.secrets[name] = reading._replace(guarded=True)
        self.perhaps.add(name)
        self.optional[reading.name] = None
        if export:
            self.values.exported[name] = None

    def read_secret(self, reading: Reading, value: Word) -> None:
        if not any(isinstance(part, Substitution) for part in value.parts):
            return
        if reading.guarded:
            self.optional[reading.name] = None
        else:
            self.certain.add(reading.name)
        if any(isinstance(one, Simple) and one.name == "tr" for one in inside(value)):
            self.made.note(
                value.line,
                "tr takes newlines inside of a value away, the shim one at its end",
                "it matters for a secret of several lines",
            )

    def export(self, name: str, line: int) -> None:
        values = self.values
        if self.guard and name not in self.perhaps:
            raise Unclear("only what is read from the secret itself is certain here")
        values.exported[name] = None
        if name in values.composed:
            message = f"{name} is made of a secret and other text"
            self.made.say(line, message, "make all of it a secret")
        elif name in values.assigned and not self.is_known(name):
            remedy = "make it one, and let the shim set the variable"
            if not is_secret(name):
                remedy = f"ENV {name}=… in the Dockerfile"
            self.made.say(line, f"{name} is set to what is no secret", remedy)

    def is_known(self, name: str) -> bool:
        values = self.values
        return any(name in one for one in (values.secrets, values.expanding, values.settled))

    def declare(self, command: Simple) -> None:
        """`export X=… Y`, `declare -x X=…`, `readonly X=…`."""
        words = list(command.words[1:])
        export = command.name == "export"
        if command.name in ("declare", "typeset") and words and words[0].literal == "-x":
            export = bool(words.pop(0))
        named = [pair[0] for word in words if (pair := split_assignment(word))]
        if command.name == "local" or (len(words) > 1 and refers(words, named)):
            raise Unclear
        for word in words:
            pair = split_assignment(word)
            if pair:
                self.assign(*pair, export=export, split=True)
                self.fixed |= {pair[0]} if command.name == "readonly" else set()
            elif not word.literal or not word.literal.isidentifier():
                raise Unclear("keep each value in a secret of its own")
            elif export:
                self.export(word.literal, word.line)
            else:
                self.fixed |= {word.literal} if command.name == "readonly" else set()

    def unset(self, word: Word) -> None:
        name, values = word.literal or "", self.values
        if name in values.assigned and not self.guard:
            values.forget(name, word.line)
            values.texts[name] = ""
            values.exported.pop(name, None)
            message = f"{name} is not unset, if the container has a variable of this name"
            self.made.note(word.line, message, "leave it out of the container's environment")
        elif not name.endswith("_FILE") or name.removesuffix("_FILE") not in values.expanding:
            raise Unclear

    def insist(self, command: Simple) -> None:
        """`: "${X:?}"`, which ends the script if X is empty."""
        for word in command.words[1:]:
            part = word.parts[0]
            reading = self.values.reading(word)
            insists = isinstance(part, Variable) and part.operator.startswith(":?")
            if reading is None or not insists or self.guard:
                raise Unclear
            self.require(reading.name)

    def require(self, name: str) -> None:
        self.certain.add(name)
        if name not in self.made.require:
            self.made.require.append(name)

    def read(self, command: Simple) -> None:
        """`IFS= read -r X < /run/secrets/x`."""
        words = [word for word in command.words[1:] if word.literal != "-r"]
        plain = all(name == "IFS" and not value.parts for name, value in command.assignments)
        if not plain or len(words) != 1 or len(command.redirects) != 1:
            raise Unclear
        (file,), name = command.redirects, words[0].literal or ""
        if not name.isidentifier() or file.operator != "<" or file.descriptor:
            raise Unclear
        if self.values.file(file.target) is None:
            raise Unclear
        cat = Simple((), (Word((Text("cat"),), command.line), file.target), (), command.line)
        self.assign(name, Word((Substitution((cat,)),), command.line), export=False)
        self.made.note(
            command.line,
            "read takes the first line, without blanks around it, and fails if no newline ends it; "
            "the shim takes the whole value",
            "it matters for a secret of several lines, and under set -e",
        )

    def options(self, command: Simple) -> None:
        """`set -e`, `set -a`, `set +o allexport`. Raises Unclear for what it does not know."""
        texts = iter([word.literal or "" for word in command.words[1:]])
        exported = self.all_exported
        for text in texts:
            found = _FLAGS.fullmatch(text)
            if not found or len(text) < 2:
                raise Unclear
            option = next(texts, "") if found[3] else ""
            if found[3] and option not in _OPTIONS:
                raise Unclear
            if "a" in found[2] or option == "allexport":
                exported = found[1] == "-"
        self.all_exported = exported

    # -- at the end ---------------------------------------------------------------------------

    def finish(self) -> None:
        """What the table has of it, and what may be otherwise."""
        values, made = self.values, self.made
        held = values.settled | {name: one.secret for name, one in values.secrets.items()}
        made.env = {name: held[name] for name in values.exported if name in held}
        made.optional = [
            name
            for name in self.optional
            if name not in self.certain | self.files.read
            and any(name == re.split("[#|]", secret)[0] for secret in made.env.values())
        ]
        made.expand_file = [name for name in values.exported if name in values.expanding]
        for name in made.expand_file:
            made.note(
                values.assigned[name],
                f"without {name}_FILE the shim leaves {name} as it is, with it {name}_FILE goes",
                "it matters for a program that asks whether they are set",
            )
        for name, line in self.unexported.items():
            if name not in values.exported:
                made.note(
                    line,
                    f"{name} is not exported, unless the container has a variable of this name",
                    f"if the image has ENV {name}, state in the table or there what it is to be",
                )


def _remedy(name: str, value: Word) -> str:
    """What to do about a value that only a run can tell."""
    for command in inside(value):
        for word in words_of(command):
            if re.search(r"/run/secrets/.*[^\w./-]", word.literal or ""):
                return "a secret's name has letters, digits, - _ and . alone"
            for part in word.parts:
                if isinstance(part, Variable) and part.name == f"{name}_FILE":
                    return f'expand_file = ["{name}"] if {part.name} is set, or else env'
                if isinstance(part, Variable) and part.operator:
                    return f"the container may set {part.name}: state the secret in env"
    return ""

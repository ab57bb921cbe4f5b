"""The files that a script makes on its way, command by command."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from .model import Part, Pipeline, Redirect, Simple, Text, Variable, Word
from .templates import (
    Change,
    Inherited,
    Piece,
    Rendering,
    Replacement,
    Secret,
    Unclear,
    as_placeholder,
    echoed,
    parse_sed,
    replaced,
    replacements,
)
from .values import SAFE, Values

_BY_HAND = "write it as a template, with <<…>> for each value, and let the shim render it"
_RUN = "only a run can tell what stands there: write it by hand"
_ENVSUBST = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_NO_FILES = re.compile(r"/(?:dev(?!/shm/)|proc|sys|(?:var/)?run/secrets?)(?:/|$)")
_OWNER = re.compile(r"[\w.-]+(?::[\w.-]+)?")
_FILE = re.compile(r"[^/]\.(?!d$)\w+$|/\.(?:env|netrc|pgpass)$")  # no name of a folder
_LONGEST = 1 << 20  # characters of a template
# Variables that a shell makes itself, or that change while it runs.
_SHELLS = re.compile(
    r"_|IFS|PWD|OLDPWD|E?UID|PPID|SHLVL|LINENO|RANDOM|SECONDS|REPLY|GROUPS|PIPESTATUS|FUNCNAME"
    r"|OPT(?:IND|ARG|ERR)|(?:HOST|MACH|OS)TYPE|COLUMNS|LINES|(?:EPOCH|BASH)\w*"
)


def _is_jinja(path: str) -> bool:
    """Whether the shim takes a template of this name for one of Jinja2's."""
    return path.endswith((".j2", ".jinja2", ".jinja"))


class Files:
    """Files by their path in the container, with what the script has made of them."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.folder: str | None = ""  # what paths are relative to; empty: WORKDIR; None: unknown
        self.made: dict[str, Rendering] = {}
        self.arguments: list[str] = []  # secrets in those of the program
        self.copies: dict[str, tuple[str, int]] = {}  # source and line, by destination
        self.unsure: set[str] = set()  # may be made by what is not understood
        self.once: list[int] = []  # lines of sed without g

    def finished(self) -> list[Rendering]:
        """The files, each with a name of its own for its template."""
        taken: set[str] = set()
        made: list[Rendering] = []
        for path, one in self.made.items():
            if one.content is not None:
                name = source = posixpath.basename(path) + (".tmpl" if _is_jinja(path) else "")
                number = 1
                while source in taken:
                    number += 1
                    source = f"{name}.{number}"
                taken.add(source)
                made.append(one._replace(source=source))
            else:
                made.append(one)
        return made

    @property
    def read(self) -> set[str]:
        """The secrets without which there would be no such files and arguments."""
        names = [
            one.name
            for made in self.made.values()
            for one in made.content or ()
            if isinstance(one, Secret)
        ]
        return {re.split("[#|]", name)[0] for name in (*names, *self.arguments)}

    @property
    def left(self) -> list[int]:
        """The lines of copies that nothing was filled into."""
        return [line for _, line in self.copies.values()]

    def path(self, word: Word) -> str:
        """A path that is certain. Raises Unclear."""
        text = self.values.text(word)
        if not text or text.startswith("-") or ".." in text.split("/"):
            raise Unclear(_BY_HAND)
        if self.folder is None and not text.startswith("/"):
            raise Unclear("the folder is not certain: write the whole path")
        return posixpath.normpath(posixpath.join(self.folder or "", text))

    def destination(self, word: Word) -> str:
        """The path of a file to be made. Raises Unclear for a folder and for what is on no disk."""
        path = self.path(word)
        text = self.values.text(word) or ""
        if _NO_FILES.match(path) or text.endswith(("/", "/.")) or path == ".":
            raise Unclear(_BY_HAND)
        return path

    def image_file(self, path: str) -> str:
        """`path`, if it is of the image. Raises Unclear if the script has made it."""
        if path in self.made or path in self.copies or path in self.unsure:
            raise Unclear(_BY_HAND)
        return path

    def enter(self, word: Word) -> None:
        """The script's `cd`. Raises Unclear."""
        try:
            self.folder = self.path(word)
        except Unclear:
            raise Unclear("state the folder as WORKDIR, and whole paths") from None

    def touched(self, words: Iterable[Word]) -> list[Rendering]:
        """Forget the files that a command names which is not understood; they are returned."""
        gone: list[Rendering] = []
        for word in words:
            try:
                path = self.path(word)
            except Unclear:
                continue
            self.unsure.add(path)
            if path in self.made:
                gone.append(self.made.pop(path))
        return gone

    def pieces(self, word: Word, *, split: bool = True) -> tuple[Piece, ...]:
        """What a word is made of. Raises Unclear."""
        found: list[Piece] = []
        length = 0
        for part in word.parts:
            put = self.piece(part, word.line, split)
            length += sum(len(one) if isinstance(one, str) else 16 for one in put)
            if length > _LONGEST:
                raise Unclear("write it by hand: it is very long")
            found += put
        return tuple(found)

    def piece(self, part: Part, line: int, split: bool) -> tuple[Piece, ...]:
        values, alone = self.values, Word((part,), line)
        reading, text = values.reading(alone), values.text(alone, split=split)
        if text is not None:
            return (text,)
        if reading and not reading.guarded:
            return (Secret(reading.secret),)
        if reading:
            raise Unclear("the secret may be missing: say by hand what is there then")
        if not isinstance(part, Variable) or part.operator:
            raise Unclear(_RUN)
        bare = split and not part.quoted
        if part.name in values.composed:
            put = values.composed[part.name]
            if bare and not all(SAFE.fullmatch(one) for one in put if isinstance(one, str)):
                raise Unclear("put the variable in double quotes")
            return put
        known = part.name in values.assigned or values.unknown or _SHELLS.fullmatch(part.name)
        if bare or known or not part.name.isidentifier():
            raise Unclear(_RUN)
        return (Inherited(part.name),)

    def known_pieces(self, word: Word, *, split: bool) -> tuple[Piece, ...]:
        """What a word is made of; nothing if that is not certain."""
        try:
            return self.pieces(word, split=split)
        except Unclear:
            return ()

    def simple(self, command: Simple, source: str | None = None) -> bool:
        """Take a command that makes a file of secrets. False if it is none, and has none.

        `source` is the file that a pipe feeds into it. Raises Unclear.
        """
        name = command.name
        into = [one for one in command.redirects if one.operator in (">", ">>", ">|")]
        others = [one for one in command.redirects if one not in into and one.operator != "<"]
        if command.assignments or not name or any(one.descriptor for one in command.redirects):
            return False
        if name in ("chmod", "chown") and not command.redirects:
            self.permit(command)
        elif name == "cp" and not command.redirects:
            self.copy(command)
        elif name in ("cat", "echo", "printf") and len(into) == 1:
            self.write(command, into[0])
        elif name == "sed" and not others:
            self.sed(command, into, source)
        elif name == "envsubst" and not others:
            self.envsubst(command, into, source)
        else:
            return False
        return True

    def pipeline(self, pipeline: Pipeline) -> None:
        """`cat file | sed … > other`. Raises Unclear for any other."""
        first, *rest = pipeline.commands
        if len(rest) != 1 or not isinstance(first, Simple) or not isinstance(rest[0], Simple):
            raise Unclear
        if first.name != "cat" or len(first.words) != 2 or first.redirects:
            raise Unclear
        fed = rest[0].name in ("sed", "envsubst")
        if first.assignments or not fed or not self.simple(rest[0], self.path(first.words[1])):
            raise Unclear

    # -- commands -----------------------------------------------------------------------------

    def sed(self, command: Simple, into: list[Redirect], source: str | None) -> None:
        call = parse_sed(command)
        changes = [
            change for script in call.scripts for change in replacements(self.pieces(script))
        ]
        read = [one.target for one in command.redirects if one.operator == "<"]
        if not changes:
            raise Unclear
        if call.in_place:
            if not call.files or into or read or source:
                raise Unclear
            for file in call.files:
                self.change(self.destination(file), changes, command.line)
            return
        files = [self.path(word) for word in (*call.files, *read)] + ([source] if source else [])
        if len(files) != 1 or len(into) != 1 or into[0].operator == ">>":
            raise Unclear(_BY_HAND)
        destination = self.destination(into[0].target)
        if destination == files[0]:
            raise Unclear("the shell empties the file before sed reads it")
        self.fill(destination, self.image_file(files[0]), changes, command.line)

    def change(self, path: str, changes: list[Change], line: int) -> None:
        """What sed -i does to a file: to one that the script wrote, or to one of the image."""
        present = self.made.get(path)
        if present and present.content is not None:
            content = present.content
            for change in changes:
                content = replaced(content, change, _LONGEST)
            self.put(present._replace(content=content))
            return
        if present:
            self.fill(path, present.source, changes, line, present.replacements)
        elif path in self.copies and path not in self.unsure:
            self.fill(path, self.copies[path][0], changes, line)
        else:
            self.fill(path, self.image_file(path), changes, line)

    def fill(
        self,
        path: str,
        source: str,
        changes: list[Change],
        line: int,
        known: tuple[Replacement, ...] = (),
    ) -> None:
        """A template that is a file of the image. Raises Unclear, and then changes nothing."""
        made = [as_placeholder(one) for one in changes]
        kept = dict.fromkeys((*known, *(one for one in made if one)))
        fresh = [one for one in made if one and one not in known]
        again = any(
            one.written in other.write for one in fresh for other in kept if other is not one
        )
        if len(kept) > 1000 or again or _is_jinja(source):
            raise Unclear(_BY_HAND)
        self.once += [] if all(one.always for one in changes) else [line]
        self.put(Rendering(path, source, line, replacements=tuple(kept)))

    def put(self, made: Rendering) -> None:
        """A file has other content; who may read it stays."""
        if made.destination in self.unsure:
            raise Unclear(_BY_HAND)
        self.copies.pop(made.destination, None)
        present = self.made.get(made.destination)
        if present:
            made = made._replace(mode=present.mode, owner=present.owner)
        self.made[made.destination] = made

    def envsubst(self, command: Simple, into: list[Redirect], source: str | None) -> None:
        """`envsubst '$X ${Y}' < file > other`, for exported variables that are secrets."""
        read = [one.target for one in command.redirects if one.operator == "<"]
        files = [self.path(word) for word in read] + ([source] if source else [])
        listed = self.values.text(command.words[1]) if len(command.words) == 2 else None
        names = [one for pair in _ENVSUBST.findall(listed or "") for one in pair if one]
        if not names:
            raise Unclear("it fills in the whole environment: write <<…>> into the template")
        if len(files) != 1 or len(into) != 1 or into[0].operator == ">>":
            raise Unclear(_BY_HAND)
        changes: list[Replacement] = []
        for name in dict.fromkeys(names):
            reading = self.values.secrets.get(name)
            if reading is None or reading.guarded or name not in self.values.exported:
                raise Unclear(f"{name} is no secret that the script has exported here")
            write = f"<<{reading.secret}>>"
            changes += [Replacement(f"${{{name}}}", write), Replacement(f"${name}", write)]
        path = self.destination(into[0].target)
        if path == files[0]:
            raise Unclear("the shell empties the file before envsubst reads it")
        file = self.image_file(files[0])
        self.put(Rendering(path, file, command.line, replacements=tuple(changes)))

    def write(self, command: Simple, into: Redirect) -> None:
        """`cat <<EOF > file`, `echo … > file`, and both with `>>` once the file has begun."""
        path = self.destination(into.target)
        others = [one for one in command.redirects if one is not into]
        if command.name == "cat":
            content = self.concatenated(command, others)
        elif others:
            raise Unclear(_BY_HAND)
        else:
            content = echoed(command, [self.pieces(word) for word in command.words[1:]])
        if into.operator == ">>":
            present = self.made.get(path)
            if present is None or present.content is None:
                raise Unclear(_BY_HAND)
            content = (*present.content, *content)
        self.put(Rendering(path, "", command.line, content))

    def concatenated(self, command: Simple, others: list[Redirect]) -> tuple[Piece, ...]:
        """What cat prints: a here-document, or secrets as they are."""
        files = [self.values.file(word) for word in command.words[1:]]
        if files and not others:
            return tuple(self.verbatim(name) for name in files)
        if (
            len(others) != 1
            or files
            or not others[0].operator.startswith("<<")
            or others[0].operator == "<<<"
        ):
            raise Unclear(_BY_HAND)
        return self.pieces(others[0].target)

    def verbatim(self, name: str | None) -> Secret:
        if name is None:
            raise Unclear
        return Secret(name, "|raw|verbatim")

    def copy(self, command: Simple) -> None:
        """A copy that is filled in later; of a secret, a file with nothing else."""
        words = [word for word in command.words[1:] if word.literal not in ("-f", "--")]
        if len(words) != 2:
            raise Unclear("copy it in the Dockerfile")
        source, text = self.path(words[0]), self.values.text(words[1]) or ""
        if text.endswith("/"):
            name = Text(posixpath.basename(source), quoted=True)
            words[1] = Word((*words[1].parts, name), words[1].line)
        elif not _FILE.search(text):
            raise Unclear("it may be a folder: name the file that is made")
        destination = self.destination(words[1])
        secret = self.values.file(words[0])
        if secret:
            self.put(Rendering(destination, "", command.line, (self.verbatim(secret),)))
        elif destination in self.made:
            raise Unclear(_BY_HAND)
        else:
            self.copies[destination] = (self.image_file(source), command.line)

    def permit(self, command: Simple) -> None:
        """chmod and chown of a file that the script makes: the destination's mode and owner."""
        words = command.words[1:]
        value = words[0].literal or "" if words else ""
        paths = [self.path(word) for word in words[1:]]
        if not paths or any(path not in self.made for path in paths):
            raise Unclear("do it in the Dockerfile")
        if command.name == "chmod" and not re.fullmatch(r"0?[0-7]{3}", value):
            raise Unclear('say it as mode = "0400" of the file')
        if command.name == "chown" and not _OWNER.fullmatch(value):
            raise Unclear('say it as owner = "app" of the file')
        for path in paths:
            one = self.made[path]
            if command.name == "chmod":
                self.made[path] = one._replace(mode=value.zfill(4))
            else:
                self.made[path] = one._replace(owner=value)

    def argument(self, word: Word) -> str:
        """An argument of the program, with `<<name>>` for a secret. Raises Unclear."""
        text = ""
        for piece in self.pieces(word):
            if isinstance(piece, Inherited):
                raise Unclear('a shell has to put it in: CMD ["sh", "-c", "exec …"]')
            if isinstance(piece, Secret) and piece.name not in self.arguments:
                self.arguments.append(piece.name)
            text += piece.placeholder if isinstance(piece, Secret) else piece
        return text

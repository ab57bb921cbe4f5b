"""The files that a script makes on its way, command by command."""

from __future__ import annotations

import posixpath
import re

from .model import Pipeline, Redirect, Simple, Text, Variable, Word
from .templates import (
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
from .values import Values

_BY_HAND = "write it as a template, with <<…>> for each value, and let the shim render it"
_GLOB = re.compile(r"[*?\[~]")
_ENVSUBST = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


class Files:
    """Files by their path in the container, with what the script has made of them."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.folder = ""  # what paths are relative to; empty: the image's WORKDIR
        self.composed: dict[str, Word] = {}  # variables made of a secret and other text
        self.made: dict[str, Rendering] = {}
        self.arguments: list[str] = []  # secrets in those of the program
        self.copies: dict[str, tuple[str, int]] = {}  # source and line, by destination

    def finished(self) -> list[Rendering]:
        return list(self.made.values())

    @property
    def left(self) -> list[int]:
        """The lines of copies that nothing was filled into."""
        return [line for _, line in self.copies.values()]

    def path(self, word: Word) -> str:
        """A path that is certain: absolute. Raises Unclear."""
        text = self.values.text(word)
        if text is None or any(
            isinstance(part, Text) and not part.quoted and re.search(r"[*?\[]", part.text)
            for part in word.parts
        ):
            raise Unclear(_BY_HAND)
        return posixpath.normpath(posixpath.join(self.folder, text))

    def enter(self, word: Word) -> None:
        """The script's `cd`. Raises Unclear."""
        self.folder = self.path(word)

    def pieces(self, word: Word, depth: int = 0) -> tuple[Piece, ...]:
        """What a word is made of. Raises Unclear."""
        found: list[Piece] = []
        for part in word.parts:
            alone = Word((part,), word.line)
            reading, text = self.values.reading(alone), self.values.text(alone)
            if text is not None:
                found.append(text)
            elif reading:
                found.append(Secret(reading.secret))
            elif isinstance(part, Variable) and part.name in self.composed and depth < 20:
                found += self.pieces(self.composed[part.name], depth + 1)
            elif (
                isinstance(part, Variable)
                and not part.operator
                and part.name.isidentifier()
                and part.name not in self.values.assigned
            ):
                found.append(Inherited(part.name))
            else:
                raise Unclear(_BY_HAND)
        return tuple(found)

    def simple(self, command: Simple, source: str | None = None) -> bool:
        """Take a command that makes a file of secrets. False if it is none, and has none.

        `source` is the file that a pipe feeds into it.
        """
        name = command.name
        into = [one for one in command.redirects if one.operator in (">", ">>", ">|")]
        if command.assignments or not name:
            return False
        if name == "sed":
            self.sed(command, into, source)
        elif name == "envsubst":
            self.envsubst(command, into, source)
        elif name in ("chmod", "chown"):
            self.permit(command)
        elif name == "cp" and not into:
            self.copy(command)
        elif name in ("cat", "echo", "printf") and len(into) == 1:
            self.write(command, into[0])
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
        if rest[0].name not in ("sed", "envsubst") or not self.simple(
            rest[0], self.path(first.words[1])
        ):
            raise Unclear

    # -- commands -----------------------------------------------------------------------------

    def sed(self, command: Simple, into: list[Redirect], source: str | None) -> None:
        call = parse_sed(command)
        changes = [
            change for script in call.scripts for change in replacements(self.pieces(script))
        ]
        if not changes:
            raise Unclear
        if call.in_place:
            if not call.files or into:
                raise Unclear
            for file in call.files:
                self.change(self.path(file), changes, command.line)
            return
        read = [one.target for one in command.redirects if one.operator == "<"]
        files = [self.path(word) for word in (*call.files, *read)] + ([source] if source else [])
        if len(files) != 1 or len(into) != 1 or into[0].operator == ">>":
            raise Unclear(_BY_HAND)
        destination = self.path(into[0].target)
        self.fill(destination, files[0], changes, command.line)

    def change(self, path: str, changes: list[tuple[str, tuple[Piece, ...]]], line: int) -> None:
        """What sed -i does to a file: to one that the script wrote, or to one of the image."""
        present = self.made.get(path)
        if present and present.content is not None:
            content = present.content
            for written, put in changes:
                content = replaced(content, written, put)
            self.made[path] = present._replace(content=content)
            return
        source = self.copies.pop(path, (path, 0))[0]
        self.fill(path, present.source if present else source, changes, line)

    def fill(
        self, path: str, source: str, changes: list[tuple[str, tuple[Piece, ...]]], line: int
    ) -> None:
        """A template that is a file of the image. Raises Unclear, and then changes nothing."""
        made = [as_placeholder(*change) for change in changes]
        present = self.made.get(path) or Rendering(path, source, line)
        known = [*present.replacements, *(one for one in made if one)]
        self.made[path] = present._replace(replacements=tuple(dict.fromkeys(known)))

    def envsubst(self, command: Simple, into: list[Redirect], source: str | None) -> None:
        read = [one.target for one in command.redirects if one.operator == "<"]
        files = [self.path(word) for word in read] + ([source] if source else [])
        secrets = self.values.secrets
        names = list(secrets)
        if len(command.words) > 1:
            listed = command.words[1].literal or ""
            names = [one for pair in _ENVSUBST.findall(listed) for one in pair if one]
        if len(files) != 1 or len(into) != 1 or not names or any(n not in secrets for n in names):
            raise Unclear(_BY_HAND)
        changes = tuple(
            Replacement(f"${{{name}}}", f"<<{secrets[name].secret}>>") for name in names
        )
        path = self.path(into[0].target)
        self.made[path] = Rendering(path, files[0], command.line, replacements=changes)

    def write(self, command: Simple, into: Redirect) -> None:
        """`cat <<EOF > file`, `echo … > file`, and both with `>>` once the file has begun."""
        path = self.path(into.target)
        others = [one for one in command.redirects if one is not into]
        if command.name == "cat":
            content = self.concatenated(command, others)
        elif others:
            raise Unclear(_BY_HAND)
        else:
            content = echoed(command, [self.pieces(word) for word in command.words[1:]])
        present = self.made.get(path)
        if into.operator == ">>":
            if present is None or present.content is None:
                raise Unclear(_BY_HAND)
            content = (*present.content, *content)
        self.made[path] = Rendering(path, self.source(path), command.line, content)

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

    def source(self, path: str) -> str:
        """The name of a template that the script has in itself."""
        name = posixpath.basename(path)
        taken = {one.source for at, one in self.made.items() if at != path}
        number = next(n for n in range(1, 1000) if f"{name}.{n}".removesuffix(".1") not in taken)
        return f"{name}.{number}".removesuffix(".1") if number > 1 else name

    def copy(self, command: Simple) -> None:
        """A copy that is filled in later; of a secret, a file with nothing else."""
        words = [word for word in command.words[1:] if not (word.literal or "").startswith("-")]
        if len(words) != 2:
            raise Unclear("copy it in the Dockerfile")
        source, destination = self.path(words[0]), self.path(words[1])
        secret = self.values.file(words[0])
        if secret and not destination.endswith("/"):
            self.made[destination] = Rendering(
                destination, self.source(destination), command.line, (self.verbatim(secret),)
            )
        else:
            self.copies[destination] = (source, command.line)

    def permit(self, command: Simple) -> None:
        """chmod and chown of a file that the script makes: the destination's mode and owner."""
        words = [word.literal or "" for word in command.words[1:]]
        if len(words) < 2 or words[0].startswith("-") or any(w not in self.made for w in words[1:]):
            raise Unclear("do it in the Dockerfile")
        numeric = re.fullmatch(r"0?[0-7]{3}", words[0])
        if command.name == "chmod" and not numeric:
            raise Unclear('say it as mode = "0400" of the file')
        for path in words[1:]:
            one = self.made[path]
            key = {"mode": words[0].zfill(4)} if numeric else {"owner": words[0]}
            self.made[path] = one._replace(**key)  # type: ignore[arg-type]

    def argument(self, word: Word) -> str:
        """An argument of the program, with `<<name>>` for a secret. Raises Unclear."""
        text = ""
        for piece in self.pieces(word):
            if isinstance(piece, Inherited):
                raise Unclear('a shell has to put it in: CMD ["sh", "-c", "exec …"]')
            if isinstance(piece, Secret) and piece.name not in self.arguments:
                self.arguments.append(piece.name)
            text += piece.placeholder if isinstance(piece, Secret) else piece
        bare = [one.text for one in word.parts if isinstance(one, Text) and not one.quoted]
        if any(map(_GLOB.search, bare)):
            raise Unclear("name the files in CMD")
        return text

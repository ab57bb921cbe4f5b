"""Files that a script fills in with sed, a here-document, echo or envsubst, as templates.

A file is a list of pieces: text, and places of secrets or of variables of the environment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from ..lint.names import credentials
from .model import Simple, Text, Word


class Unclear(Exception):  # noqa: N818 - no error: it stays as it is
    """A command that is not certain to be understood; the text says what to do about it."""


class Secret(NamedTuple):
    """The place of a secret's value."""

    name: str
    filters: str = ""

    @property
    def placeholder(self) -> str:
        return f"<<{self.name}{self.filters}>>"


class Inherited(NamedTuple):
    """The place of a variable that the container's environment has."""

    name: str


Piece: TypeAlias = str | Secret | Inherited


class Replacement(NamedTuple):
    """What stands in a template of the script's, and what the shim's template has there."""

    written: str
    write: str


class Change(NamedTuple):
    """What a command `s` of sed puts where: each time, or once in a line."""

    written: str
    put: tuple[Piece, ...]
    always: bool


class Rendering(NamedTuple):
    """A file that the script makes. `content` is None if its template is a file of the image."""

    destination: str
    source: str
    line: int
    content: tuple[Piece, ...] | None = None
    replacements: tuple[Replacement, ...] = ()
    mode: str = ""
    owner: str = ""


_PLACEHOLDER = re.compile(r"<<[\w.-]+(?:\|[\w|]+)?>>")
_PLACE = "\0"  # stands for a piece that is no text
_JINJA = re.compile(r"\{[{%#\0]|\0\}")
_ANGLES = re.compile("<\0|\0>")
_MARKED = re.compile("[\ue000-\uf8ff]")  # stands for a piece while sed's own text is taken apart


def template(rendering: Rendering) -> tuple[str, str]:
    """Source and text of the template of a content. Raises Unclear."""
    content = rendering.content or ()
    text = "".join(piece for piece in content if isinstance(piece, str))
    if any(credentials(text)):
        raise Unclear("make the secret in its text a secret, and write <<…>> there")
    whole = "".join(piece if isinstance(piece, str) else _PLACE for piece in content)
    if any(isinstance(piece, Inherited) for piece in content):
        if _JINJA.search(whole):
            raise Unclear("write the template by hand: its own braces would be taken for Jinja2's")
        return f"{rendering.source}.j2", "".join(map(_in_jinja, content))
    if _PLACEHOLDER.search(text) or _ANGLES.search(whole):
        raise Unclear("write the template by hand: its own <<…>> would be taken for a secret's")
    return rendering.source, "".join(
        piece.placeholder if isinstance(piece, Secret) else str(piece) for piece in content
    )


def _in_jinja(piece: Piece) -> str:
    if isinstance(piece, Secret):
        name, bar, filters = piece.name.partition("|")
        return f'{{{{ secrets["{name}"]{bar}{filters}{piece.filters} }}}}'
    return f"{{{{ env.{piece.name} }}}}" if isinstance(piece, Inherited) else piece


class Sed(NamedTuple):
    """A call of sed: its scripts, files, and whether it changes them in place."""

    scripts: tuple[Word, ...]
    files: tuple[Word, ...]
    in_place: bool


def parse_sed(command: Simple) -> Sed:
    """The words of a sed command. Raises Unclear."""
    scripts: list[Word] = []
    files: list[Word] = []
    in_place = False
    words = iter(command.words[1:])
    for word in words:
        text = word.literal if word.literal is not None else _beginning(word)
        if text in ("-i", "--in-place"):
            in_place = True
        elif text in ("-e", "--expression"):
            scripts.append(next(words, word))
        elif text == "--":
            files += words
        elif text.startswith("-") and text not in ("-u", "-s", "-"):
            raise Unclear("write the template by hand")
        else:
            files.append(word)
    if not scripts and files:
        scripts.append(files.pop(0))
    return Sed(tuple(scripts), tuple(files), in_place)


def _beginning(word: Word) -> str:
    first = word.parts[0] if word.parts else None
    return first.text if isinstance(first, Text) else ""


def replacements(pieces: Sequence[Piece]) -> list[Change]:
    """What the script of a sed replaces by what, if it has only `s` commands of plain text.

    Raises Unclear for a regular expression, an address, a flag but g.
    """
    if any(_MARKED.search(piece) for piece in pieces if isinstance(piece, str)):
        raise Unclear("write the template by hand")
    if len(pieces) > 6400:
        raise Unclear("write the template by hand: it is very long")
    marked = "".join(
        piece if isinstance(piece, str) else chr(0xE000 + index)
        for index, piece in enumerate(pieces)
    )
    found: list[Change] = []
    rest = marked.strip("; \n")
    while rest:
        if rest[0] != "s" or len(rest) < 4 or rest[1] not in "/|#,:;@!%_+~":
            raise Unclear("write <<…>> into the template where the value goes")
        parts = re.split(rf"(?<!\\){re.escape(rest[1])}", rest[2:], maxsplit=2)
        if len(parts) < 3:
            raise Unclear("sed does not take this command")
        flags = re.match(r"g?(?=[;\s]|$)", parts[2])
        written = "".join(parts[:2])
        odd = "\\\\" in written or (rest[1] != "/" and f"\\{rest[1]}" in written)
        if flags is None or odd or len(found) > 1000:
            raise Unclear("write <<…>> into the template where the value goes")
        pattern = _plain(parts[0].replace(f"\\{rest[1]}", rest[1]))
        put = _unmarked(_replacement(parts[1], rest[1]), pieces)
        found.append(Change(pattern, put, flags[0] == "g"))
        rest = parts[2][flags.end() :].strip("; \n")
    return found


def _plain(pattern: str) -> str:
    """The text that a basic regular expression stands for, if it has no sign of its own.

    A text of a few letters may be in a value as well, which a second command then changes.
    """
    if re.fullmatch(r"\w{1,3}", pattern):
        raise Unclear("write <<…>> into the template where the value goes")
    bare = re.sub(r"\\[.*\[\]^$/\\]", "", pattern)
    if not pattern or _MARKED.search(pattern) or re.search(r"[.*\[\]\\]|^\^|\$\Z", bare):
        raise Unclear("write <<…>> into the template where the value goes")
    return re.sub(r"\\(.)", r"\1", pattern)


def _replacement(text: str, delimiter: str) -> str:
    text = text.replace(f"\\{delimiter}", delimiter)
    if re.search(r"(?<!\\)&|\\[^&\\]", text):
        raise Unclear("write the template by hand")
    return re.sub(r"\\(.)", r"\1", text)


def _unmarked(text: str, pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    found: list[Piece] = []
    for part in re.split("([\ue000-\uf8ff])", text):
        if _MARKED.fullmatch(part):
            found.append(pieces[ord(part) - 0xE000])
        elif part:
            found.append(part)
    return tuple(found)


def as_placeholder(change: Change) -> Replacement | None:
    """What a template has to say instead of a text; None if that is a placeholder already.

    The shim takes `<<db_password_value>>` for the secret db-password. Raises Unclear.
    """
    written, put, _ = change
    if not any(isinstance(piece, Secret) for piece in put):
        raise Unclear("write this text into the template: it is no secret")
    if any(isinstance(piece, Inherited) for piece in put):
        raise Unclear("name the template *.j2, and write {{ env.NAME }} for the variable")
    (first, *more) = put
    found = re.fullmatch(r"<<([\w.-]+)>>", written)
    if found and not more and isinstance(first, Secret) and _same(found[1], first.name):
        return None
    return Replacement(
        written, "".join(one.placeholder if isinstance(one, Secret) else str(one) for one in put)
    )


def _same(placeholder: str, secret: str) -> bool:
    names = [re.sub(r"[-_.]", "", one).lower() for one in (placeholder, secret)]
    return names[0] in (names[1], f"{names[1]}value")


def replaced(content: tuple[Piece, ...], change: Change, limit: int) -> tuple[Piece, ...]:
    """A content with something else for a text in it. Raises Unclear beyond `limit` characters."""
    lines = "".join(piece if isinstance(piece, str) else _PLACE for piece in content).split("\n")
    if not change.always and any(line.count(change.written) > 1 for line in lines):
        raise Unclear("without g, sed replaces the first of a line: write the template by hand")
    put = sum(len(one) if isinstance(one, str) else 16 for one in change.put)
    count = sum(line.count(change.written) for line in lines)
    if count * put + sum(map(len, lines)) > limit:
        raise Unclear("write the template by hand: it is very long")
    made: list[Piece] = []
    for piece in joined(content):
        if not isinstance(piece, str):
            made.append(piece)
            continue
        for index, part in enumerate(piece.split(change.written)):
            made += (*change.put, part) if index else (part,)
    return tuple(made)


def joined(content: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """A content with texts that follow each other as one."""
    made: list[Piece] = []
    for piece in content:
        if isinstance(piece, str) and made and isinstance(made[-1], str):
            made[-1] += piece
        else:
            made.append(piece)
    return tuple(made)


def echoed(command: Simple, pieces: Sequence[tuple[Piece, ...]]) -> tuple[Piece, ...]:
    """What echo or printf prints; `pieces` are those of its arguments. Raises Unclear."""
    texts = ["".join(piece for piece in word if isinstance(piece, str)) for word in pieces]
    if command.name == "echo":
        bare = texts[:1] == ["-n"]
        rest = pieces[1:] if bare else pieces
        if any("\\" in text for text in texts) or any(text[:1] == "-" for text in texts[bare:][:1]):
            raise Unclear("write the template by hand")
        made = [one for word in rest for one in (*word, " ")][:-1]
        return (*made, *([] if bare else ["\n"]))
    form, arguments = (pieces[0][0] if pieces and len(pieces[0]) == 1 else None), list(pieces[1:])
    if not isinstance(form, str):
        raise Unclear("write the template by hand")
    parts = re.split(r"(%s|%%|\\n|\\t)", form)
    if any(re.search(r"[%\\]", part) for part in parts[::2]) or parts.count("%s") != len(arguments):
        raise Unclear("write the template by hand")
    printed: list[Piece] = []
    for part in parts:
        if part == "%s":
            printed += arguments.pop(0)
        else:
            printed.append({"%%": "%", "\\n": "\n", "\\t": "\t"}.get(part, part))
    return tuple(printed)

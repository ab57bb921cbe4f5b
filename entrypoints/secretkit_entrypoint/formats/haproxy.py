"""haproxy.cfg, as HAProxy reads it: each line by parse_line (HAProxy's tools.c, 1.6 and later).

Words and quotes are those of a shell, with ``\\xHH`` outside of single quotes, so any value but NUL
can be written. Some directives read a word again: as a log format, where ``%`` expands, as an
expression, as a condition.
"""

import re

from . import MARK, Place, RefusedError

ALONE = "name \0"

DOUBLE = "inside double quotes"
SINGLE = "inside single quotes"
BARE = "bare"

_SPACE = " \t\v\f"
_MOST_WORDS = 64  # MAX_LINE_ARGS
_ESCAPED = [b"%c" % byte if 0x20 <= byte != 0x7F else b"\\x%02x" % byte for byte in range(256)]
for _byte in b'"\\$':
    _ESCAPED[_byte] = b"\\%c" % _byte

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([\\\"'# tnr]))")
_CONTROL = {"t": "\t", "n": "\n", "r": "\r"}
# A whole reference to a variable of the environment. A value right behind $NAME would extend it.
_VARIABLE = re.compile(r"\$(?:\{\.?\w+(?:-[^}\0]*)?\}|\.?\w+(?![\w\0]))", re.ASCII)
# What may go on, in a log format or an expression: `%[`, `(`, or %, %name, %{...}name at the end.
_OPEN = re.compile(r"%\[|\(|%(?:\{[^}]*\}?)?\w*\Z", re.ASCII)
_PATTERN = re.compile(r"\nreplace-|\n(rstring|rstatus|regex|reg)\n|_reg\n")
_REMEDY = "write `setenv NAME <<...>>` in the section global, and %[env(NAME)] here"


def places(text):
    """The place of each MARK: one of the constants or RefusedError."""
    found = []
    for line in text.split("\n"):
        if MARK in line:
            found += _line(line)
    return found


def _line(line):
    line = line.rstrip("\r")
    if "\r" in line:
        return [RefusedError("its line holds a CR, where HAProxy ends it")] * line.count(MARK)
    words, why = _words(line)
    texts = [word.text for word in words]
    found = []
    for index, word in enumerate(words):
        for at, quotes in word.marks:
            found.append(
                _refused(texts, index, at)
                or Place(quotes, literal=_is_literal(texts, index), alone=not word.text.strip(MARK))
            )
    return found + [RefusedError(why)] * (line.count(MARK) - len(found))


class _Word:
    """A word: its text as HAProxy reads it, and (offset, quotes) of each MARK in that."""

    def __init__(self):
        self.text = ""
        self.marks = []


def _words(line):
    """The words of a line as far as it can be read, and why a MARK behind them is refused."""
    words = []
    quotes = None  # BARE, DOUBLE or SINGLE inside of a word
    at = 0
    while at < len(line):
        char = line[at]
        if quotes in (None, BARE):
            if char in _SPACE:
                quotes = None
                at += 1
                continue
            if char == "#":
                return words, "it stands in a comment"
        if quotes is None:
            words.append(_Word())
            quotes = BARE
        word = words[-1]
        width, read = 1, char
        if char == "\\" and quotes != SINGLE:
            width, read = _escape(line, at, quotes)
            if read == MARK:
                return words[:-1], "a backslash stands before it"
        elif char == "$" and quotes == DOUBLE:
            variable = _VARIABLE.match(line, at)
            if variable is None:
                return words[:-1], "a variable stands before it; write ${NAME}"
            width = len(variable[0])
        elif char == '"' and quotes != SINGLE:
            quotes, read = (BARE if quotes == DOUBLE else DOUBLE), ""
        elif char == "'" and quotes != DOUBLE:
            quotes, read = (BARE if quotes == SINGLE else SINGLE), ""
        elif char == MARK:
            word.marks.append((len(word.text), quotes))
        word.text += read
        at += width
    if quotes in (DOUBLE, SINGLE):
        words.pop()
    return words, "no quote closes it"


def _escape(line, at, quotes):
    """The length of the escape sequence at `line[at]`, and what it stands for.

    MARK stands for what takes in a value, and for what cannot be read.
    """
    escape = _ESCAPE.match(line, at)
    if escape is None:
        following = line[at + 1 : at + 2]
        if following == "$" and quotes == DOUBLE:
            return 2, "$"
        return 1, MARK if following in ("x", MARK) else "\\"
    if escape[1]:
        return 4, chr(int(escape[1], 16))
    return 2, _CONTROL.get(escape[2], escape[2])


def _is_literal(words, index):
    """Whether a `%` in `words[index]` means itself: in all other words it may be a log format's."""
    return (
        words[0] in ("acl", "presetenv", "setenv", "user")
        or words[:2] == ["stats", "auth"]
        or (words[index - 1] == "string" and "return" in words[:index])
    )


def _refused(words, index, at):
    """Why no value can stand at `at` in `words[index]`, as RefusedError; None if one can."""
    name = words[0]
    if index >= _MOST_WORDS:
        return RefusedError(f"HAProxy takes at most {_MOST_WORDS} words in a line")
    if index == 0:
        return RefusedError("it stands in the name of a directive")
    if name[:1] in (".", "[", "$"):
        return RefusedError(f"its line begins with `{name[0]}`")
    before = "\n".join(["", *words[:index], ""])
    if name == "acl":
        if "\n-m\nstr\n--\n" in before:
            return None
        return RefusedError("an acl takes a value only behind the words `-m str --`")
    if "\nif\n" in before or "\nunless\n" in before:
        return RefusedError("it stands in a condition; write `acl NAME ... -m str -- <<...>>`")
    if _PATTERN.search(before):
        return RefusedError("it stands where a regular expression may stand")
    if not _is_literal(words, index) and _OPEN.search(words[index], 0, at):
        return RefusedError(f"it stands in, or behind, what may be an expression; {_REMEDY}")
    return None


def encode(value, place):
    """`value` as (part of) a word. RefusedError for what HAProxy cannot hold there."""
    if b"\0" in value:
        raise RefusedError("it holds a NUL, which HAProxy cannot")
    if not value and place.alone:
        raise RefusedError("it is empty, which HAProxy takes for no word at all")
    if b"%" in value and not place.literal:
        raise RefusedError(f"it holds a `%`, which may begin a log format here; {_REMEDY}")
    if place == SINGLE:
        if b"'" in value or b"\n" in value or b"\r" in value:
            raise RefusedError(
                "it holds a single quote or a line break, which single quotes cannot; use double "
                "quotes"
            )
        return value
    written = b"".join(map(_ESCAPED.__getitem__, value))
    return b'"' + written + b'"' if place == BARE else written

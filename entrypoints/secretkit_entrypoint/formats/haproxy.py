"""haproxy.cfg, as HAProxy reads it: each line by parse_line (HAProxy's tools.c, 1.6 and later).

Words and quotes are those of a shell, with ``\\xHH`` outside of single quotes, so any value but NUL
can be written. Many directives read a word again: as a log format, where ``%`` expands, as an
expression, as a condition. A value stands only in those that are known to take it.
"""

import re

from . import MARK, Place, RefusedError

ALONE = "http-request set-header name \0"

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
_RETURN = (
    r"http-(request|response|after-response)\nreturn\n((status|content-type)\n.*\n|hdr\n.*\n.*\n)*"
)
# What stands before a word that may be a value, each word with a line end behind it. The first
# group takes it as it is; for the others it is a log format.
_TAKES = re.compile(
    r"(?P<literal>(pre)?setenv\n.*\n|user\n(.*\n(insecure-)?password\n)?|stats\nauth\n"
    r"|tcp-check\nsend\n|dynamic-cookie-key\n|" + _RETURN + r"string\n"
    r"|acl\n.*\n.*(?<!_reg)\n(-i\n)?-m\nstr\n--\n(.*\n)*)"
    r"|http-(request|response|after-response)\n(set|add)-header\n.*\n"
    r"|" + _RETURN + r"(lf-string|hdr\n.*)\n"
    r"|http-check\nsend\n((meth|uri|ver)\n.*\n|hdr\n.*\n.*\n)*hdr\n.*\n"
)
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
    # A line end in a word must not look like one between words.
    texts = [word.text.replace("\n", " ") + "\n" for word in words]
    found = []
    for index, word in enumerate(words):
        if word.marks:
            takes = _TAKES.fullmatch("".join(texts[:index])) if index < _MOST_WORDS else None
            found += [
                _refused(word.text[:at], takes)
                or Place(
                    quotes,
                    literal=takes["literal"] is not None,
                    alone=not word.text.strip(MARK),
                )
                for at, quotes in word.marks
            ]
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


def _refused(before, takes):
    """Why no value can stand behind `before` in a word, as RefusedError; None if one can.

    `takes` is what _TAKES matched before the word.
    """
    if takes is None:
        return RefusedError(
            f"it stands where HAProxy is not known to take it as it is; {_REMEDY}; in a condition, "
            "name an acl: `acl NAME ... -m str -- <<...>>`; or use |raw"
        )
    if takes["literal"] is None and _OPEN.search(before):
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

"""Option files of MySQL and MariaDB (my.cnf), as their programs and client libraries read them.

A value in quotes keeps ``#`` and the spaces at its ends, and has escapes for quotes, backslash and
line breaks. Without quotes these are read differently by one reader or another.
"""

from . import MARK, ODD_LINES, Place, RefusedError, escaped, odd_lines

ALONE = "name=\0"

_LINE = 4000  # bytes; of a longer line than 4094 the rest is read as a line of its own

DOUBLE = "inside double quotes"
SINGLE = "inside single quotes"
BARE = "bare"
UNQUOTED = "beside unquoted text"

# The programs ignore a file that everybody may write to.
FORBIDDEN_MODE = 0o002

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")
_HARMLESS = frozenset(range(0x21, 0x7F)) - frozenset(b"\"'\\#")
_ESCAPES = ((b"\\", b"\\\\"), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\t", b"\\t"), (b"\b", b"\\b"))


def places(text):
    """The place of each MARK: a Place named by one of the constants, or RefusedError."""
    if odd_lines(text):
        return [RefusedError(ODD_LINES)] * text.count(MARK)
    found = []
    for line in text.split("\n"):
        if MARK in line:
            room = (_LINE - len(line.encode("utf-8", "surrogateescape"))) // line.count(MARK)
            found += [
                place if isinstance(place, RefusedError) else Place(place, room=room)
                for place in _line(line.strip(" \t\r"))
            ]
    return found


def _line(line):
    name, equals, value = line.partition("=")
    name, value = name.rstrip(" \t"), value.lstrip(" \t")
    place = UNQUOTED
    if line[0] in "#;":
        place = RefusedError("it stands in a comment")
    elif not equals or not name or not _NAME.issuperset(name):
        place = RefusedError("it does not stand in the value of a name = value")
    elif value[0] in "\"'":
        return _quoted(value)
    elif value == MARK:
        place = BARE
    elif any(char in "\"'\\#" for char in value):
        place = RefusedError(
            "it stands beside a quote, a backslash or a `#`; put the whole value inside quotes"
        )
    return [place] * line.count(MARK)


def _quoted(value):
    """The places in a value that begins with a quote."""
    end, swallowed = escaped(value, 1, (value[0],), {})
    if end != len(value) - 1:
        reason = RefusedError("no quote closes its value, or something follows, also a comment")
        return [reason] * value.count(MARK)
    place = DOUBLE if value[0] == '"' else SINGLE
    lost = RefusedError("it stands inside an escape sequence")
    return [lost if inside else place for inside in swallowed]


def encode(value, place):
    """`value` as (part of) an option's value; RefusedError for NUL, and if it is too long."""
    if b"\0" in value:
        raise RefusedError("it holds a NUL, which an option file cannot")
    if place == UNQUOTED:
        if not _HARMLESS.issuperset(value):
            raise RefusedError(
                "it stands beside unquoted text and needs quotes; put the whole value inside quotes"
            )
    else:
        quote = b"'" if place == SINGLE else b'"'
        for char, escaped in _ESCAPES + ((quote, b"\\" + quote),):
            value = value.replace(char, escaped)
        value = b'"' + value + b'"' if place == BARE else value
    if len(value) > place.room:
        raise RefusedError("its line would be longer than the programs read")
    return value

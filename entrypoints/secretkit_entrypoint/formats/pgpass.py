"""PostgreSQL's password file (~/.pgpass), as libpq reads it.

A line is ``host:port:database:user:password``. A backslash makes the character after it literal, in
every field; a ``*`` alone is a pattern, a line that begins with ``#`` a comment.
"""

from . import MARK, ODD_LINES, RefusedError, odd_lines

ALONE = "*:*:*:*:\0"

FIELD = "in a field before the password"
PASSWORD = "in the password"  # noqa: S105 - a place

# libpq ignores a file that its group or others have any right to.
FORBIDDEN_MODE = 0o077

_COLONS = 4  # before the password


def places(text):
    """The place of each MARK: FIELD, PASSWORD, or RefusedError."""
    if odd_lines(text):
        return [RefusedError(ODD_LINES)] * text.count(MARK)
    found = []
    for line in text.split("\n"):
        if MARK in line:
            found += _line(line)
    return found


def _line(line):
    if line[0] == "#":
        return [RefusedError("it stands in a comment")] * line.count(MARK)
    found = []
    at = colons = 0
    while at < len(line):
        char = line[at]
        if char == "\\":
            lost = line.count(MARK, at, at + 2)
            found += [RefusedError("it stands after a backslash")] * lost
            at += 2
            continue
        if char == ":":
            colons += 1
        elif char == MARK and colons > _COLONS:
            found.append(RefusedError("it stands after the `:` that ends the password"))
        elif char == MARK:
            found.append(FIELD if colons < _COLONS else PASSWORD)
        at += 1
    if colons < _COLONS:
        reason = RefusedError("its line is not host:port:database:user:password")
        return [reason] * len(found)
    return found


def encode(value, place):
    """`value` with backslashes; RefusedError for line breaks, NUL, and an empty field."""
    if b"\n" in value or b"\r" in value or b"\0" in value:
        raise RefusedError("it holds a line break or a NUL, which a password file cannot")
    if place == FIELD and not value:
        raise RefusedError("it is empty, and no login matches an empty field")
    value = value.replace(b"\\", b"\\\\").replace(b":", b"\\:")
    if place == FIELD:
        value = value.replace(b"*", b"\\*").replace(b"#", b"\\#")
    return value

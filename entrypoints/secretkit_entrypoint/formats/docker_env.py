"""The file of ``docker run --env-file``, as docker/cli reads it: NAME=value, and nothing else.

There are no quotes, escapes and expansions: the value is the rest of the line, with its spaces.
"""

from . import MARK, ODD_LINES, RefusedError, odd_lines, utf8

ALONE = "NAME=\0"

VALUE = "value"

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")


def places(text):
    """The place of each MARK: VALUE, or RefusedError."""
    if odd_lines(text):
        return [RefusedError(ODD_LINES)] * text.count(MARK)
    found = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if MARK in line:
            found += [_place(line.lstrip(" \t"))] * line.count(MARK)
    return found


def _place(line):
    if line[0] == "#":
        return RefusedError("it stands in a comment")
    name, equals, value = line.partition("=")
    if not equals or not name or not _NAME.issuperset(name):
        return RefusedError("it does not stand in the value of a NAME=value")
    if value[0] in "\"'" and value[-1] == value[0]:
        return RefusedError(
            "docker takes the quotes around it for a part of the value: remove them"
        )
    return VALUE


def encode(value, _place):
    """`value` as it is; RefusedError for line breaks, NUL, and what is not UTF-8."""
    text = utf8(value)
    if "\n" in text or "\r" in text or "\0" in text:
        raise RefusedError("it holds a line break or a NUL, which docker cannot read from a file")
    return value

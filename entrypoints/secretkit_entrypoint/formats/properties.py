"""Java properties, as java.util.Properties.load reads them.

Escapes are the same in keys and values, and everything but printable ASCII is written as
``\\uXXXX``, so it does not matter whether the program reads ISO-8859-1 or UTF-8.
"""

from . import MARK, ODD_LINES, RefusedError, odd_lines, utf8

ENTRY = "in a key or a value"

_ESCAPES = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f"}
_ESCAPES.update((char, "\\" + char) for char in " \\:=#!")


def places(text):
    """The place of each MARK: ENTRY, or RefusedError in comments and unfinished escapes."""
    if odd_lines(text):
        return [RefusedError(ODD_LINES)] * text.count(MARK)
    found = []
    continued = False
    for line in text.replace("\r\n", "\n").split("\n"):
        if not continued and line.lstrip(" \t\f")[:1] in ("#", "!"):
            found += [RefusedError("it stands in a comment")] * line.count(MARK)
            continue
        continued = False
        at = 0
        while at < len(line):
            if line[at] == "\\":
                width = 6 if line[at + 1 : at + 2] == "u" else 2
                lost = line.count(MARK, at, at + width)
                found += [RefusedError("it stands inside an escape sequence")] * lost
                continued = at == len(line) - 1
                at += width
            else:
                if line[at] == MARK:
                    found.append(ENTRY)
                at += 1
    return found


def encode(value, _place):
    """`value` with all that means something escaped; RefusedError if it is not UTF-8."""
    return "".join(map(_escape, utf8(value))).encode("ascii")


def _escape(char):
    if char in _ESCAPES:
        return _ESCAPES[char]
    if " " <= char <= "~":
        return char
    units = char.encode("utf-16-be")  # Java's own units: a surrogate pair for an astral character
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))

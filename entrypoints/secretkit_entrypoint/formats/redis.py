"""redis.conf, as redis-server reads it: each line by sdssplitargs (Redis's sds.c).

Inside double quotes every byte can be written as ``\\xHH``, so any value can be held there; a bare
value brings its own double quotes. Inside single quotes there is one escape only, ``\\'``.
"""

from . import MARK, PART, RefusedError, double_quoted

ALONE = "name \0"

DOUBLE = "inside double quotes"
SINGLE = "inside single quotes"
BARE = "bare"

_SPACE = " \t\r\v\f"  # isspace() of C; a line feed ends the line, even inside quotes
_ENDS = " \t\r"  # what ends a word that no quote closes
_DIGITS = {"x": 2}

# One entry for every byte. Redis reads its own \a and \b too, but \xHH needs no table.
_ESCAPED = [b"%c" % byte if 0x20 <= byte < 0x7F else b"\\x%02x" % byte for byte in range(256)]
_ESCAPED[ord('"')], _ESCAPED[ord("\\")] = b'\\"', b"\\\\"


def places(text):
    """The place of each MARK: one of the constants, PART, or RefusedError."""
    found = []
    for line in text.split("\n"):
        if MARK not in line:
            continue
        if line.strip(" \t\r").startswith("#"):
            found += [RefusedError("it stands in a comment")] * line.count(MARK)
        else:
            found += _line(line)
    return found


def _line(line):
    found = []
    at = words = 0
    while at < len(line):
        if line[at] in _SPACE:
            at += 1
            continue
        before = len(found)
        at = _word(line, at, found)
        words += 1
        if words == 1:
            name = RefusedError("it stands in the name of a directive")
            found[before:] = [name] * (len(found) - before)
    return found


def _word(line, at, found):
    """Appends the places in the word that starts at `at`; the offset after the word."""
    while at < len(line) and line[at] not in _ENDS:
        if line[at] in "\"'":
            # A quote may open inside a word, but the word ends with it.
            return _quoted(line, at, found)
        if line[at] == MARK:
            last = at + 1 == len(line) or line[at + 1] in _ENDS
            found.append(BARE if last else PART)
        at += 1
    return at


def _quoted(line, start, found):
    if line[start] == '"':
        end, swallowed = double_quoted(line, start, _DIGITS)
        place = DOUBLE
    else:
        end = line.find("'", start + 1)
        while end > 0 and line[end - 1] == "\\":
            end = line.find("'", end + 1)
        end = end + 1 if end > 0 else -1
        pieces = line[start : len(line) if end < 0 else end].split(MARK)
        # After a backslash an empty value would leave an escaped closing quote.
        swallowed = [piece.endswith("\\") for piece in pieces[:-1]]
        place = SINGLE
    if end < 0 or line[end : end + 1] not in ("", *_SPACE):
        # Redis would refuse the whole file, and print this line of it.
        why = "no quote closes it" if end < 0 else "text follows its closing quote"
        found += [RefusedError(f"it stands in a quoted word that Redis cannot read: {why}")] * (
            line.count(MARK, start)
        )
        return len(line)
    lost = RefusedError("it stands inside an escape sequence")
    found += [lost if inside else place for inside in swallowed]
    return end


def encode(value, place):
    """`value` as (part of) a word. RefusedError for what single quotes cannot hold."""
    if place == SINGLE:
        if b"\n" in value or b"\0" in value or value.endswith(b"\\"):
            raise RefusedError(
                "it holds a line break or a NUL or ends with a backslash, which single quotes "
                "cannot; use double quotes"
            )
        return value.replace(b"'", b"\\'")
    written = b"".join(map(_ESCAPED.__getitem__, value))
    return b'"' + written + b'"' if place == BARE else written

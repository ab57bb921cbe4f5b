"""httpd.conf, as Apache httpd reads it: lines and words (ap_cfg_getline, ap_getword_conf).

A quoted word knows two escapes, the backslash and its own quote. ``${…}`` is replaced in every
line before it is read at all, and cannot be escaped. Most directives read their words again, as
a format, an expression, a pattern: a value stands only in those that are known to take it.
"""

import re

from . import MARK, PART, Place, RefusedError

ALONE = "Header set name \0"

DOUBLE = "inside double quotes"
SINGLE = "inside single quotes"
BARE = "bare"

_SPACE = " \t\v\f\r"

_MOST_WORDS = 20
# What stands before a word that may be a value, each word with a line end behind it. The directives
# of the first group take it as it is; for the others `%` or a backslash may mean something.
_TAKES = re.compile(
    r"(?P<literal>setenv\n.+\n|authldapbind(dn|password)\n|sessioncryptopassphrase\n(.+\n)*)"
    r"|header\n((always|onsuccess)\n)?(set|add|append|merge|setifempty)\n.+\n"
    r"|requestheader\n(set|add|append|merge|setifempty)\n.+\n"
)
# Blocks whose lines are not read as they stand: of mod_macro, mod_perl and mod_lua.
_RAW_BLOCKS = (("<macro", "</macro>"), ("<perl", "</perl>"), ("<lua", "</lua"))
# With these at the beginning of a word some directives run a program or evaluate an expression.
_PREFIXES = ("exec:", "expr=")


def places(text):
    """The place of each MARK: one of the constants, PART, or RefusedError."""
    found = []
    raw = None  # how a block ends that another reader has: "</macro>"
    lines = iter(text.split("\n"))
    for line in lines:
        parts = [line]
        while parts[-1].endswith(("\\", "\\\r")):
            parts[-1] = parts[-1].rstrip("\r")[:-1]
            parts.append(next(lines, ""))
        line = "".join(parts)  # noqa: PLW2901 - one line for httpd
        lowered = line.strip(_SPACE).lower()
        if raw:
            found += [RefusedError(f"it stands in a block that ends with {raw}")] * line.count(MARK)
            raw = None if lowered.startswith(raw) else raw
        elif lowered.startswith("#"):
            found += [RefusedError("it stands in a comment")] * line.count(MARK)
        elif len(parts) > 1:
            why = "its line ends with a backslash and goes on; write it on one line"
            found += [RefusedError(why)] * line.count(MARK)
        else:
            found += _line(line)
        if not raw and not lowered.startswith("#"):
            raw = next((end for start, end in _RAW_BLOCKS if start in lowered), None)
    return found


def _line(line):
    found = []
    marks = line.count(MARK)
    words = []
    variable = line.find("${")
    at = 0
    while marks and at < len(line):
        if line[at] in _SPACE:
            at += 1
            continue
        end, places_there = _word(line, at, words, variable)
        if end < 0:
            break
        words.append(line[at:end].strip("\"'").lower() + "\n")
        found += places_there
        at = end
    why = "no quote closes its word, or text follows the quote"
    return found + [RefusedError(why)] * (marks - len(found))


def _word(line, start, words, variable):
    """The offset behind the word at `line[start]` (-1: it is not closed), and the places in it.

    `words` are those that stand before it in the line, as for _TAKES, and `variable` is
    where the first ``${`` stands.
    """
    quotes = {'"': DOUBLE, "'": SINGLE}.get(line[start], BARE)
    first = at = start + (quotes != BARE)
    ends = line[start] if quotes != BARE else _SPACE
    escaped = set()
    while at < len(line) and line[at] not in ends:
        if line[at] == "\\" and quotes != BARE:
            # Another character than the quote and the backslash is not escaped, but a value may
            # begin with one of these.
            at += line[at + 1 : at + 2] in ("\\", line[start], MARK)
            escaped.add(at)
        at += 1
    end = at + (quotes != BARE)
    if quotes != BARE and (at >= len(line) or line[end : end + 1] not in ("", *_SPACE)):
        return -1, []
    word = line[first:at]
    takes = _TAKES.fullmatch("".join(words)) if len(words) <= _MOST_WORDS else None
    return end, [
        RefusedError("a backslash stands before it")
        if offset in escaped
        else _place(line, offset, word, offset - first, quotes, takes, 0 <= variable < offset)
        for offset in range(first, at)
        if line[offset] == MARK
    ]


def _place(line, at, word, offset, quotes, takes, expands):
    """The place of the MARK at `line[at]`, which is `word[offset]`; `takes` is what _TAKES matched
    before the word, `expands` tells whether a ``${`` stands before it."""
    if takes is None:
        return RefusedError(
            "it stands where httpd is not known to take it as it is; write `SetEnv NAME <<...>>` "
            "and use %{NAME}e or %{env:NAME}, or |raw"
        )
    if expands or line[at - 1 : at] == "$":
        return RefusedError("a variable stands before it, and its text could change the quotes")
    if line[at + 1 : at + 2] in ("{", MARK):
        return RefusedError("a `{` or another value follows it, which could make a `${` of both")
    literal = takes["literal"] is not None
    evaluates = not takes[0].startswith("setenv")
    before = word[: min(offset, 5)].lower()
    if evaluates and before and any(prefix.startswith(before) for prefix in _PREFIXES):
        return RefusedError("the text before it may begin `exec:` or `expr=`")
    first = evaluates and not before
    if quotes == BARE and word != MARK:
        if literal and not first:
            return PART
        return RefusedError("put quotes around the whole word")
    return Place(quotes, literal=literal, first=first, alone=word == MARK)


def encode(value, place):
    """`value` as (part of) a word. RefusedError for what httpd cannot hold there."""
    if b"\n" in value or b"\0" in value:
        raise RefusedError("it holds a line break or a NUL, which a line of httpd.conf cannot")
    if b"${" in value:
        raise RefusedError("it holds `${`, which httpd expands everywhere and cannot escape")
    if not place.literal and (b"%" in value or b"\\" in value):
        raise RefusedError(
            "it holds a `%` or a backslash, which this directive may read as a format or an "
            "expression; write `SetEnv NAME <<...>>` and use %{NAME}e or %{env:NAME}"
        )
    begin = value[:5].decode("latin-1").lower()
    if place.first and begin in _PREFIXES:
        raise RefusedError("it begins with `exec:` or `expr=`, which httpd may run or evaluate")
    if place.first and not place.alone and any(p.startswith(begin) for p in _PREFIXES):
        raise RefusedError(
            "with what stands behind it, it may become `exec:` or `expr=`, which httpd may run or "
            "evaluate; let one secret be the whole word"
        )
    value = value.replace(b"\\", b"\\\\")
    quote = b"'" if place == SINGLE else b'"'
    value = value.replace(quote, b"\\" + quote)
    return quote + value + quote if place == BARE else value

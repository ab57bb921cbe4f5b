"""~/.netrc, as curl and Python's netrc read it alike: curl 7.84 and Python 3.11, or later.

Words are separated by white space; one that needs it stands in double quotes, with ``\\"`` and
``\\\\``. Readers before these know no quotes: they read what is written without.

curl looks for ``machine`` and ``default`` in every word of the entries of other machines, quoted or
not, so a value must not be one of these words, nor any of the other keywords.

Python skips a comment only if no line ended since the word before it, or if that word's own end was
the line's. Otherwise it takes what follows the ``#`` for keywords: below a word in quotes, for one.
"""

from . import MARK, ODD_LINES, Place, RefusedError, double_quoted, odd_lines, utf8

ALONE = "machine a\npassword \0"

_LINE = 4000  # bytes; curl drops a line of more than 4095

BARE = "bare"
QUOTED = "alone in double quotes"
DOUBLE = "in double quotes with other text"
WORD = "in an unquoted word"
ABOVE_COMMENT = "bare, above a comment"

_TAKES_WORD = ("machine", "login", "user", "account", "password")
_KEYWORDS = frozenset(_TAKES_WORD + ("default", "macdef"))
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_HARMLESS = frozenset(map(chr, range(0x21, 0x7F))) - frozenset('"\\#')


def places(text):
    """The place of each MARK: a Place named by one of the constants, or RefusedError."""
    if odd_lines(text):
        return [RefusedError(ODD_LINES)] * text.count(MARK)
    found = []
    lost = None  # once set, all that follows is refused
    lines = text.replace("\r\n", "\n").split("\n")
    for line, below in zip(lines, lines[1:] + [""]):
        marks = line.count(MARK)
        line_places = []
        lost = lost or _line(line, line_places)
        if lost:
            line_places = [RefusedError(lost)] * marks
        elif line_places[-1:] == [BARE] and line.endswith(MARK) and below.lstrip(" \t")[:1] == "#":
            line_places[-1] = ABOVE_COMMENT
        room = (_LINE - len(line.encode("utf-8", "surrogateescape"))) // max(marks, 1)
        found += [
            place if isinstance(place, RefusedError) else Place(place, room=room)
            for place in line_places
        ]
    return found


def _line(line, found):
    """Appends the places in `line` to `found`; why it and all that follows is lost, or None."""
    keyword = None
    at = 0
    while at < len(line):
        if line[at] in " \t":
            at += 1
            continue
        if line[at] == "#" and keyword is None:
            found += [RefusedError("it stands in a comment")] * line.count(MARK, at)
            words = line[at:].replace("\t", " ").replace("\r", " ").split(" ")
            first = [word for word in words[1:] if word][:1]
            if "\\" in line[at:] or (first and (first[0] in _KEYWORDS or first[0][0] in '#"')):
                return "a comment above has a backslash, or begins with a keyword, a quote or a `#`"
            return None
        end, places_of_word = _word(line, at)
        word = line[at:end]
        if end < 0:
            return "a word here or above has quotes or backslashes that readers disagree about"
        if keyword is None and word in _TAKES_WORD:
            keyword = word
        elif keyword is None and word != "default":
            return "here or above is a word that is no keyword, or macdef"
        elif keyword is not None:
            if word.strip('"').lower() in _KEYWORDS or (word[0] == "#" and MARK not in word):
                return "here or above is a keyword or a comment in the place of a value"
            found += places_of_word
            keyword = None
        at = end
    return "a keyword here or above does not have its value on the same line" if keyword else None


def _word(line, start):
    """The offset after the word at `start`, -1 if readers disagree; and the places in it."""
    if line[start] == '"':
        end = double_quoted(line, start, {})[0]
        text = line[start + 1 : end - 1]
        other_escapes = "\\" in text.replace("\\\\", "").replace('\\"', "")
        if end < 0 or other_escapes or line[end : end + 1] not in ("", " ", "\t"):
            return -1, []
        found = [QUOTED if text == MARK else DOUBLE] * text.count(MARK)
    else:
        end = start
        while end < len(line) and line[end] not in " \t":
            end += 1
        text = line[start:end]
        if any(char == "\\" or (char < " " and char != MARK) for char in text):
            return -1, []
        found = [BARE if text == MARK else WORD] * text.count(MARK)
        if text[0] == "#":
            found = [RefusedError("it stands after a `#`, which is a comment to curl")] * len(found)
    if text != MARK and _LETTERS.issuperset(text.replace(MARK, "")):
        found = [RefusedError("with the letters beside it, it could become a keyword")] * len(found)
    return end, found


def encode(value, place):
    """`value` as (part of) a word.

    Raises RefusedError if it is not UTF-8, holds a line break or NUL, is a keyword, or too long.
    """
    text = utf8(value)
    if "\n" in text or "\r" in text or "\0" in text:
        raise RefusedError("it holds a line break or a NUL, which curl and Python read differently")
    if text == "" and place != DOUBLE:
        raise RefusedError("it is empty, and curl takes that for no value")
    if text.lower() in _KEYWORDS and place in (BARE, QUOTED, ABOVE_COMMENT):
        raise RefusedError("it is a keyword of the format, and curl takes it for one")
    if not _HARMLESS.issuperset(text):
        if place == WORD:
            raise RefusedError(
                "it stands beside unquoted text and needs quotes; put both inside double quotes"
            )
        if place == ABOVE_COMMENT:
            raise RefusedError(
                "it needs quotes, and below these Python's netrc takes a comment for keywords; "
                "move the comment to the end of a line"
            )
        text = text.replace("\\", "\\\\").replace('"', '\\"')
        text = f'"{text}"' if place == BARE else text
    written = text.encode("utf-8")
    if len(written) > place.room:
        raise RefusedError("its line would be longer than curl reads")
    return written

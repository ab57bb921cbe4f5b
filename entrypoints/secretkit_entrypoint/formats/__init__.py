"""The formats of destinations: how each is read, and how a value is written into it.

A format is one module of this package and one row of TABLE. The module has

`places(text)`
    A lexer. `text` is the template with one MARK for every value. Returns one entry for each
    MARK, in order: a place, which is any constant of that module, or PART, or a `RefusedError`: no
    value can stand there. It must be certain: what it cannot tell, it refuses.
`encode(value, place)`
    `value` (bytes) written so that the format's reader reads it back at that place: bytes.
    Raises `RefusedError` if the format cannot hold it there.
`parse(data)`, only where the standard library has a reader
    `data` (bytes) as nested lists of str, so that two can be compared. Raises `RefusedError`.

Modules are imported when they are used, by plain import statements: a frozen program finds them.
"""

from .. import load_group

MARK = "\0"

# A place beside other unquoted text, where no quote can be added. It takes the output of |url
# (ASCII letters, digits and `.-_%`) as it is, and nothing else.
PART = "part"


class RefusedError(Exception):
    """A value or a place that a format cannot have; the text is the reason and the remedy.

    It is about the value and never contains any of it.
    """


def _env():
    from . import env

    return env


def _ini():
    from . import ini

    return ini


def _json():
    from . import json

    return json


def _properties():
    from . import properties

    return properties


def _redis():
    from . import redis

    return redis


def _shell():
    from . import shell

    return shell


def _text():
    from . import text

    return text


def _xml():
    from . import xml

    return xml


def _yaml():
    from . import yaml

    return yaml


# name, suffixes of destinations, the module. A suffix that is not here means text.
TABLE = (
    ("yaml", (".yaml", ".yml"), _yaml),
    ("json", (".json",), _json),
    ("ini", (".ini",), _ini),
    ("properties", (".properties",), _properties),
    ("env", (".env",), _env),
    ("xml", (".xml",), _xml),
    ("redis", (), _redis),  # redis.conf: the suffix .conf says nothing
    ("shell", (".sh", ".bash"), _shell),
    ("text", (".txt",), _text),
)
NAMES = tuple(row[0] for row in TABLE)


def by_suffix(destination):
    """The name of the format for a destination's path (str); "text" if the suffix says nothing."""
    lowered = destination.lower()
    for name, suffixes, _module in TABLE:
        if lowered.endswith(suffixes):
            return name
    return "text"


def module(name):
    """The module of format `name`, which is one of NAMES."""
    for row in TABLE:
        if row[0] == name:
            load_group(name)
            return row[2]()
    raise KeyError(name)


def utf8(value):
    """`value` (bytes) as str; RefusedError if it is not UTF-8."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise RefusedError("it is not UTF-8 text") from None


ODD_LINES = "the template has line ends other than LF and CRLF"


def odd_lines(text):
    """Whether `text` (str) has line ends that readers disagree about: a lone CR, NEL, LS, PS."""
    return (
        text.count("\r") != text.count("\r\n")
        or "\x85" in text
        or "\u2028" in text
        or "\u2029" in text
    )


def double_quoted(text, start, digits):
    """Scan the ``"…"`` with backslash escapes that opens at `text[start]`.

    `digits` (dict) says how many characters follow a letter: ``{"u": 4}``. Returns the offset
    after the closing quote, or -1 if there is none, and a list with one bool for each MARK:
    whether an escape sequence that is not complete would swallow it.
    """
    swallowed = []
    at, size = start + 1, len(text)
    while at < size:
        char = text[at]
        if char == '"':
            return at + 1, swallowed
        if char == "\\":
            width = 2 + digits.get(text[at + 1 : at + 2], 0)
            swallowed += [True] * text.count(MARK, at, at + width)
            at += width
        else:
            if char == MARK:
                swallowed.append(False)
            at += 1
    return -1, swallowed

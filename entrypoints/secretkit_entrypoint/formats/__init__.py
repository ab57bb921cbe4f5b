"""The formats of destinations: how each is read, and how a value is written into it.

A format is one module of this package and one row of TABLE. The module has

`places(text)`
    A lexer. `text` is the template with one MARK for every value. Returns one entry for each
    MARK, in order: a place, which only `encode` of that module looks into, or PART, or a
    `RefusedError`: no value can stand there. It must be certain: what it cannot tell, it refuses.
`encode(value, place)`
    `value` (bytes) written so that the format's reader reads it back at that place: bytes.
    Raises `RefusedError` if the format cannot hold it there.
`ALONE`, only where a mere MARK is no text of the format
    A text with one MARK, where a value stands alone: the format's filter writes it as there.
`parse(data)`, only where the standard library has a reader
    `data` (bytes) as nested lists of str, so that two can be compared. Raises `RefusedError`.

Modules are imported when they are used, by plain import statements: a frozen program finds them.
"""

from .. import load_group

MARK = "\0"

# A place beside other unquoted text, where no quote can be added. It takes the output of |url
# (ASCII letters, digits and `.-_%`) as it is, and nothing else.
PART = "part"

_DIGITS = frozenset("0123456789abcdefABCDEF" + MARK)


class Place(str):
    """A place, by its name, and what else `encode` of its format must know, as attributes."""

    def __new__(cls, name, **known):
        self = str.__new__(cls, name)
        self.__dict__.update(known)
        return self


class RefusedError(Exception):
    """A value or a place that a format cannot have; the text is the reason and the remedy.

    It is about the value and never contains any of it.
    """


class LostError(Exception):
    """A lexer cannot tell what follows; the text says after what."""


def _cnf():
    from . import cnf

    return cnf


def _compose_env():
    from . import compose_env

    return compose_env


def _docker_env():
    from . import docker_env

    return docker_env


def _env():
    from . import env

    return env


def _haproxy():
    from . import haproxy

    return haproxy


def _html():
    from . import html

    return html


def _httpd():
    from . import httpd

    return httpd


def _ini():
    from . import ini

    return ini


def _js():
    from . import js

    return js


def _json():
    from . import json

    return json


def _netrc():
    from . import netrc

    return netrc


def _nginx():
    from . import nginx

    return nginx


def _pgpass():
    from . import pgpass

    return pgpass


def _php():
    from . import php

    return php


def _properties():
    from . import properties

    return properties


def _python():
    from . import python

    return python


def _redis():
    from . import redis

    return redis


def _shell():
    from . import shell

    return shell


def _text():
    from . import text

    return text


def _toml():
    from . import toml

    return toml


def _url():
    from . import url

    return url


def _xml():
    from . import xml

    return xml


def _yaml():
    from . import yaml

    return yaml


# name, how the paths of destinations end, the module. What ends otherwise is text.
TABLE = (
    ("yaml", (".yaml", ".yml"), _yaml),
    ("json", (".json",), _json),
    ("ini", (".ini",), _ini),
    ("properties", (".properties",), _properties),
    ("env", (".env",), _env),
    ("docker-env", (), _docker_env),  # `docker run --env-file`
    ("compose-env", (), _compose_env),
    ("cnf", (".cnf",), _cnf),
    ("pgpass", (".pgpass",), _pgpass),
    ("netrc", (".netrc",), _netrc),
    ("url", (), _url),
    ("xml", (".xml", ".xhtml"), _xml),
    # The suffix .conf says nothing, so these are told by their whole names.
    ("nginx", ("/nginx.conf",), _nginx),
    ("haproxy", ("/haproxy.cfg",), _haproxy),
    ("httpd", ("/httpd.conf", "/apache2.conf"), _httpd),
    ("redis", ("/redis.conf",), _redis),
    ("shell", (".sh", ".bash"), _shell),
    ("toml", (".toml",), _toml),
    ("html", (".html", ".htm"), _html),
    ("php", (".php",), _php),
    ("python", (".py",), _python),
    ("js", (".js", ".mjs", ".cjs"), _js),
    ("text", (".txt",), _text),
)
NAMES = tuple(row[0] for row in TABLE)


# Formats that are the same behind a byte order mark. Other readers take it for a letter, or differ.
SKIP_BOM = ("json", "xml", "html", "text")
BOM = "the template begins with a byte order mark; save it as UTF-8 without one"


def by_suffix(destination):
    """The name of the format for a destination's path (str); "text" if the suffix says nothing."""
    lowered = "/" + destination.lower()
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

    Returns the offset after the closing quote, or -1 if there is none, and a list as `escaped`.
    """
    end, swallowed = escaped(text, start + 1, ('"',), digits)
    return (end + 1 if end >= 0 else -1), swallowed


def escaped(text, start, closings, digits):
    """Scan text with backslash escapes from `start` to the first of `closings` (tuple of str).

    `digits` (dict) says how many digits may follow a letter: ``{"u": 4}``; instead of them there
    may be braces, as in ``\\u{1F600}``. Returns the offset of the closing, or -1 if there is none,
    and a list with one bool for each MARK: whether what stands before it would swallow it or join
    with it, which is an escape that may not be complete, or the beginning of a longer closing.
    """
    swallowed = []
    first = "".join(closing[0] for closing in closings)
    longer = "".join(closing[0] for closing in closings if len(closing) > 1)
    at, size = start, len(text)
    while at < size:
        char = text[at]
        if char == "\\":
            end = at + 2
            most = end + digits.get(text[at + 1 : end], 0)
            if most > end and text[end : end + 1] == "{":
                while end < size and text[end] not in first + "\\}":
                    end += 1
            while end < min(most, size) and text[end] in _DIGITS:
                end += 1
            swallowed += [True] * text.count(MARK, at, end)
            at = end
        elif char in first and text.startswith(closings, at):
            return at, swallowed
        else:
            if char == MARK:
                swallowed.append(at > start and text[at - 1] in longer)
            at += 1
    return -1, swallowed

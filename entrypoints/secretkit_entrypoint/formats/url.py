"""URLs, one on a line, as RFC 3986 splits them: a value is percent-encoded.

For files that hold nothing else. Inside other formats, and for any part, there is the filter |url.
"""

from . import MARK, ODD_LINES, RefusedError, odd_lines

USERINFO = "in the user or the password"
PATH = "in the path"
QUERY = "in the query"
FRAGMENT = "in the fragment"

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SCHEME = _LETTERS | frozenset("0123456789+-.")
_CHARACTERS = _SCHEME | frozenset(MARK + "_~:/?#[]@!$&'()*,;=%")
_HEX = frozenset("0123456789abcdefABCDEF")


def places(text):
    """The place of each MARK: one of the constants, or RefusedError."""
    if odd_lines(text):
        return [RefusedError(ODD_LINES)] * text.count(MARK)
    found = []
    for line in text.split("\n"):
        if MARK in line:
            found += _url(line.strip(" \t\r"))
    return found


def _url(url):
    scheme, _colon, rest = url.partition(":")
    if scheme[:1] not in _LETTERS or not _SCHEME.issuperset(scheme):
        return _refused(url, "its line does not begin with a scheme, as in https://; for a secret "
                        "that is a whole URL use |raw")  # fmt: skip
    escapes = url.split("%")[1:]
    if not _CHARACTERS.issuperset(url) or not all(
        _HEX.issuperset(two[:2].ljust(2)) for two in escapes
    ):
        return _refused(url, "its line has a character that no URL has, or a % without two digits")
    rest, _hash, fragment = rest.partition("#")
    rest, _question, query = rest.partition("?")
    authority = path = ""
    if rest[:2] == "//":
        authority, slash, path = rest[2:].partition("/")
        if not slash and "@" in query + fragment:
            return _refused(url, "write a `/` before the query: readers disagree where it begins")
    elif MARK in rest:
        return _refused(url, "what follows the scheme does not begin with //, so only the query "
                        "can hold a value")  # fmt: skip
    userinfo, _at, host = authority.rpartition("@")
    if "@" in userinfo:
        return _refused(url, "there are two `@` before the path, and readers disagree about them")
    found = _given(userinfo, USERINFO)
    found += _refused(host, "it stands in a host or a port, where nothing is encoded")
    return found + _given(path, PATH) + _given(query, QUERY) + _given(fragment, FRAGMENT)


def _given(part, place):
    return [place] * part.count(MARK)


def _refused(part, reason):
    return _given(part, RefusedError(reason))


def encode(value, place):
    """`value` percent-encoded; RefusedError for NUL, and for a path that would lose a segment."""
    from ..render import percent

    return checked(percent(value), place)


def checked(written, place):
    """`written`, which |url or `encode` has encoded, if it can stand there; or RefusedError."""
    if b"%00" in written:
        raise RefusedError("it holds a NUL, which programs do not take from a URL")
    if place == PATH and not written.strip(b"."):
        raise RefusedError("it is empty or only dots, which readers drop from a path")
    return written

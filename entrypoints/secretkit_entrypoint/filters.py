"""Filters: a value is written otherwise, and is data again.

They work from left to right. A format's filter, such as ``|json``, writes the value as that format
writes one that stands alone, with its quotes if it has them. Two filters say something about the
value as a whole, wherever they stand: ``|raw``, that what the others made of it is written into the
text as it is, and ``|verbatim``, that the last line end of the file is kept.
"""

from . import formats
from .errors import ShimError
from .formats import MARK, RefusedError
from .mount import without_newline
from .render import percent

MARKERS = ("raw", "verbatim")
OTHERS = ("base64", "base64d", "url")
_FOUND = {}  # by the name of a format: its module, the place of a value that stands alone


def names():
    """All filters as Jinja2 can spell them: with ``_`` for the ``-`` in the name of a format."""
    written = [name.replace("-", "_") for name in formats.NAMES if name not in OTHERS + ("text",)]
    return MARKERS + OTHERS + tuple(written)


def is_known(name):
    return name.replace("-", "_") in names()


def apply(content, filters, what):
    """The value in a file's `content`, after `filters` (names): bytes.

    `what` begins the message of the ShimError for a value that a filter cannot write.
    """
    keep = "verbatim" in filters
    value = content if keep else without_newline(content)
    for name in filters:
        if name == "url":
            value = percent(value)
        elif name == "base64":
            from binascii import b2a_base64

            value = b2a_base64(value, newline=False)
        elif name == "base64d":
            from .references import base64d

            value = base64d(value, what)
            value = value if keep else without_newline(value)
        elif name not in MARKERS:
            try:
                value = as_format(value, last_form((name,)))
            except RefusedError as refused:
                raise ShimError(f"{what} cannot be written as {name}: {refused}") from None
    return value


def last_form(filters):
    """As what the last of `filters` wrote the value: "url", the name of a format, or None."""
    for name in reversed(filters):
        if name not in MARKERS:
            return None if name.startswith("base64") else name.replace("_", "-")
    return None


def as_format(value, name):
    """`value` (bytes) as format `name` writes it where it stands alone; or RefusedError."""
    if name not in _FOUND:
        module = formats.module(name)
        _FOUND[name] = module, module.places(getattr(module, "ALONE", MARK))[0]
    module, place = _FOUND[name]
    return module.encode(value, place)

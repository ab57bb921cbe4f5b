"""Text of no known format: a value is written as it is, if no reader could misunderstand it."""

from . import MARK, RefusedError, utf8

_REMEDY = "name the destination's format (format=yaml, ...) or use |raw"
_QUOTES = frozenset("\"'`\\")


def places(text):
    """Every place is the same to this format."""
    return ["text"] * text.count(MARK)


def encode(value, _place):
    """`value` as it is; RefusedError for quotes, backslashes, line ends and control characters."""
    try:
        text = utf8(value)
    except RefusedError as refused:
        raise RefusedError(f"{refused}; {_REMEDY}") from None
    if not _QUOTES.isdisjoint(text):
        raise RefusedError(
            f"it holds a quote or a backslash, and this text has no rules; {_REMEDY}"
        )
    # isprintable() is false for other spaces too, such as U+00A0, so look again at what it found.
    if not text.isprintable() and any(map(_is_control, text)):
        raise RefusedError(f"it holds a line break or a control character; {_REMEDY}")
    return value


def _is_control(char):
    return char < " " or "\x7f" <= char <= "\x9f" or char in "\u2028\u2029"

"""JSON (RFC 8259). A value is always a string; bare, it brings its own quotes.

Everything but printable ASCII is escaped, so the encoding and locale of the reader do not matter.
"""

from . import MARK, RefusedError, double_quoted, utf8

DOUBLE = "inside double quotes"
BARE = "bare"

_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_SPACE = " \t\r\n"


def places(text):
    """The place of each MARK: DOUBLE, BARE, or RefusedError."""
    found = []
    at, size = 0, len(text)
    before = ""  # the last character that is not a space, outside strings
    while at < size:
        char = text[at]
        if char == '"':
            end, swallowed = double_quoted(text, at, {"u": 4})
            for lost in swallowed:
                if end < 0:
                    found.append(RefusedError("no quote closes this string"))
                elif lost:
                    found.append(RefusedError("it stands inside an escape sequence"))
                else:
                    found.append(DOUBLE)
            at = end if end >= 0 else size
        else:
            if char == MARK:
                next_ = at + 1
                while text[next_ : next_ + 1] and text[next_] in _SPACE:
                    next_ += 1
                after = text[next_ : next_ + 1]
                if before in ("", "[", "{", ",", ":") and after in ("", "]", "}", ",", ":"):
                    found.append(BARE)
                else:
                    found.append(
                        RefusedError("it stands beside other text; put both inside quotes")
                    )
            at += 1
        if char not in _SPACE:
            before = char
    return found


def encode(value, place):
    """`value` as (part of) a JSON string; RefusedError if it is not UTF-8."""
    text = utf8(value)
    if len(text) != len(value) or not text.isprintable() or '"' in text or "\\" in text:
        text = "".join(map(_escape, text))
    return (f'"{text}"' if place == BARE else text).encode("ascii")


def _escape(char):
    if char in _SHORT:
        return _SHORT[char]
    if " " <= char <= "~":
        return char
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def parse(data):
    """JSON `data` as nested lists; numbers stay as written and repeated keys are kept."""
    import json

    try:
        return json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=lambda pairs: ["object", *map(list, pairs)],
            parse_int=str,
            parse_float=str,
            parse_constant=str,
        )
    except json.JSONDecodeError as error:
        raise RefusedError(f"not JSON at line {error.lineno}: {error.msg}") from None
    except UnicodeDecodeError:
        raise RefusedError("not JSON: not UTF-8 text") from None
    except RecursionError:
        raise RefusedError("JSON that is nested too deeply") from None

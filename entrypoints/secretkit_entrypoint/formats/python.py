"""Python source: '…', "…", three of either, bytes, and bare, which brings its own double quotes.

Everything but printable ASCII is escaped, so the encoding that a file declares does not matter.
What is rendered is parsed by the Python that runs the shim, and the two trees are compared.
They take a thousand times the memory of the text, so that has at most LARGEST bytes.
"""

from . import MARK, ODD_LINES, LostError, RefusedError, odd_lines, utf8
from .lexer import Lexer, breaks, escape, is_word

ALONE = "a = \0"
LARGEST = 1 << 17

STRING = "inside quotes"
BYTES = "inside the quotes of bytes"
BARE = "bare"

_DIGITS = {"x": 2, "u": 4, "U": 8, "N": 1}
_DIGITS.update(dict.fromkeys("01234567", 2))
_PREFIXES = frozenset(("r", "u", "b", "f", "t", "br", "rb", "fr", "rf", "tr", "rt"))
_OPERATORS = frozenset((
    "return", "in", "not", "and", "or", "if", "else", "is", "yield", "await", "assert",
))  # fmt: skip
_NESTING = frozenset("{}\\\n")
_SHORT = {'"': '\\"', "'": "\\'", "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def places(text):
    """The place of each MARK: one of the constants, or RefusedError."""
    if odd_lines(text):
        return [RefusedError(ODD_LINES)] * text.count(MARK)
    return _Lexer(text.replace("\r\n", "\n")).places()


class _Lexer(Lexer):
    def run(self):
        text = self.text
        before = ""  # the last token; of a string its quote
        while self.at < len(text):
            char = text[self.at]
            if char.isspace():
                self.at += 1
                continue
            if char == "#":
                self.comment("#", "\n")
                continue
            if char in "\"'":
                self.quoted("")
            elif char == MARK:
                if not self.stands_alone():
                    self.take(self.at + 1, self.touched)
                elif before in _OPERATORS or before in tuple("=([{,:+-*/%<>|&^~!"):
                    self.take(self.at + 1, BARE)
                else:
                    self.refuse(self.at + 1, "it does not stand where a value is expected")
            elif is_word(char):
                char = self.name()
            else:
                self.at += 1
            before = char

    def name(self):
        """A name, a keyword, a number, or a string with a prefix."""
        word = self.word()
        self.at += len(word)
        if self.text[self.at : self.at + 1] not in ("'", '"'):
            return word
        prefix = word.lower()
        if word[0].isdigit() or prefix == "ur":
            raise LostError("a quote that follows a number or a prefix of Python 2")
        self.quoted(prefix if prefix in _PREFIXES else "")
        return '"'

    def quoted(self, prefix):
        """The string that opens here, behind its `prefix` (str, lower case)."""
        text, first = self.text, len(self.found)
        quote = text[self.at]
        if text.startswith(quote * 3, self.at):
            quote *= 3
        place = BYTES if "b" in prefix else STRING
        if "r" in prefix:
            place = RefusedError("it stands in a raw string; remove the `r`")
        elif "f" in prefix or "t" in prefix:
            place = RefusedError("it stands in a format string; add it to it with `+`")
        inside = self.string(quote, place, _DIGITS)
        if len(quote) == 1 and breaks(inside):
            self.lose(first, "a quote that is not closed on its line")
        if "f" in prefix or "t" in prefix:
            _check_fields(inside, quote)
        if text[self.at : self.at + 1] == quote:
            # Behind an empty value this would be three quotes.
            self.lose(first, "a quote that follows a closing one")


def _check_fields(inside, quote):
    """Raise LostError if a format string may go on behind the `quote` that seemed to close it.

    Since Python 3.12 the expressions in its braces may hold that quote.
    """
    at = depth = 0
    while at < len(inside):
        char = inside[at]
        if char in "{}" and inside[at + 1 : at + 2] == char and (depth == 0 or char == "{"):
            if depth:
                break
            at += 1
        elif char in "{}":
            depth += 1 if char == "{" else -1
        elif depth and char in "\"'":
            end = inside.find(char, at + 1)
            if char == quote[0] or end < 0 or inside[end + 1 : end + 2] == char:
                break
            if not _NESTING.isdisjoint(inside[at:end]):
                break
            at = end
        elif depth and char in "\\#":
            break
        at += 1
    if depth:
        raise LostError("a format string with nested quotes or more in its braces")


def encode(value, place):
    """`value` as (part of) a string; RefusedError if it is not UTF-8, unless it is for bytes."""
    if place == BYTES:
        return b"".join(map(_BYTES.__getitem__, value))
    text = utf8(value)
    if len(text) != len(value) or not text.isprintable() or not _PLAIN.isdisjoint(text):
        text = "".join(map(_escape, text))
    return (f'"{text}"' if place == BARE else text).encode("ascii")


_PLAIN = frozenset("\"'\\")


def _escape(char):
    return _SHORT.get(char) or (char if " " <= char <= "~" else escape(char))


_BYTES = [
    b"%c" % byte if 0x20 <= byte < 0x7F and byte not in b"\"'\\" else b"\\x%02x" % byte
    for byte in range(256)
]


def parse(data):
    """The syntax tree of Python `data` as nested lists: each node's name and its fields."""
    if len(data) > LARGEST:
        raise RefusedError(
            "Python of more than 128 KiB, which takes too long to read back: put the values into a "
            "module of their own, and import that"
        )
    import ast
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they would be printed, with a line of the file
            return _lists(ast.parse(data))
    except SyntaxError as error:
        where = f" at line {error.lineno}" if error.lineno else ""
        raise RefusedError(f"not Python{where}") from None
    except ValueError:
        raise RefusedError("not Python") from None
    except (RecursionError, MemoryError):
        raise RefusedError("Python that is nested too deeply") from None


def _lists(node):
    if isinstance(node, list):
        return list(map(_lists, node))
    if isinstance(node, bytes):
        return ["bytes", node.decode("utf-8", "surrogateescape")]
    if isinstance(node, str):
        return node
    if not hasattr(node, "_fields"):
        return [repr(node)]
    return [type(node).__name__] + [_lists(getattr(node, name, None)) for name in node._fields]

"""TOML 1.0: strings in '…' and "…"; a bare value or key brings its own double quotes.

Everything but printable ASCII is escaped. What is rendered is read back where Python has tomllib.
"""

from . import MARK, ODD_LINES, RefusedError, odd_lines, utf8
from .lexer import Lexer, escape

DOUBLE = "inside double quotes"
SINGLE = "inside single quotes"
BARE = "bare"

_DIGITS = {"x": 2, "u": 4, "U": 8}
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_ONE_LINE = "write it in double quotes on one line: line breaks are escaped there"


def places(text):
    """The place of each MARK: one of the constants, or RefusedError."""
    if odd_lines(text):
        return [RefusedError(ODD_LINES)] * text.count(MARK)
    return _Lexer(text.replace("\r\n", "\n")).places()


class _Lexer(Lexer):
    def run(self):
        text = self.text
        before = "\n"  # the last character that is not a space
        while self.at < len(text):
            char = text[self.at]
            if char == "#":
                self.comment("#", "\n")
                continue
            if char in "\"'":
                self.quoted(char)
            elif char != MARK:
                self.at += 1
            elif before in "\n[{=," and self.following(self.at + 1) in ("", *"\n]},=#"):
                self.take(self.at + 1, BARE)
            else:
                self.refuse(self.at + 1, "it stands beside other text; put both in double quotes")
            if char not in " \t":
                before = char

    def quoted(self, char):
        """A string, whose quotes are of `char`."""
        first = len(self.found)
        if self.text.startswith(char * 3, self.at):
            several = RefusedError(f"it stands in a string of three quotes; {_ONE_LINE}")
            self.string(char * 3, several, _DIGITS if char == '"' else None)
            while self.text[self.at : self.at + 1] == char:  # the string may end with quotes
                self.at += 1
            return
        if char == '"':
            inside = self.string(char, DOUBLE, _DIGITS)
        else:
            inside = self.string(char, SINGLE, None)
        if "\n" in inside:
            self.lose(first, "a quote that is not closed on its line")
        if self.text[self.at : self.at + 1] == char:
            # Behind an empty value this would be three quotes.
            self.lose(first, "a quote that follows a closing one")


def encode(value, place):
    """`value` as (part of) a string.

    Raises RefusedError if it is not UTF-8, and for what single quotes cannot hold.
    """
    text = utf8(value)
    if place == SINGLE:
        if "'" in text or not (text.isprintable() or all(map(_is_literal, text))):
            raise RefusedError(
                "it holds a single quote, a line break or a control character, which single "
                "quotes cannot; use double quotes"
            )
        return value
    if len(text) != len(value) or not text.isprintable() or '"' in text or "\\" in text:
        text = "".join(map(_escape, text))
    return (f'"{text}"' if place == BARE else text).encode("ascii")


def _is_literal(char):
    """Whether TOML takes `char` inside '…': any but control characters, where tab is none."""
    return char == "\t" or (char >= " " and char != "\x7f")


def _escape(char):
    return _SHORT.get(char) or (char if " " <= char <= "~" else escape(char))


def parse(data):
    """TOML `data` as nested lists; None where this Python (before 3.11) has no reader of TOML."""
    try:
        import tomllib  # novermin
    except ImportError:
        return None
    try:
        return _lists(tomllib.loads(data.decode()))
    except UnicodeDecodeError:
        raise RefusedError("not TOML: not UTF-8 text") from None
    except ValueError as error:
        # Its message may quote the text; only the line number at its end is safe to repeat.
        line = str(error).rpartition("(at line ")[2].partition(",")[0]
        where = f" at line {line}" if line.isdigit() and len(line) < 7 else ""
        raise RefusedError(f"not TOML{where}") from None
    except RecursionError:
        raise RefusedError("TOML that is nested too deeply") from None


def _lists(node):
    """Tables as lists of keys and values, what is no string as str."""
    if isinstance(node, dict):
        return ["table", *([key, _lists(value)] for key, value in node.items())]
    if isinstance(node, list):
        return ["array", *map(_lists, node)]
    return node if isinstance(node, str) else repr(node)

"""PHP source (7.3 and later): '…', "…", and bare, which brings its own double quotes.

A string of PHP is bytes, so any value can be held. The source of the rules is the language's
reference (Strings, Basic syntax) and its scanner.
"""

import re

from . import MARK, ODD_LINES, LostError, RefusedError, odd_lines
from .lexer import Lexer

ALONE = "<?php $a = \0;"

DOUBLE = "inside double quotes"
SINGLE = "inside single quotes"
BARE = "bare"

_DIGITS = {"x": 2, "X": 2, "u": 1}
_DIGITS.update(dict.fromkeys("01234567", 2))
_OPERATORS = frozenset(("return", "echo", "print", "case", "and", "or", "xor"))
_TOKENS = ("->", "::", "=>")
_LINE_COMMENT_END = re.compile(r"\n|\?>|\Z")
_DOCUMENT = re.compile(r"<<<[ \t]*(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\1\n")
_SIMPLE_CODE = re.compile(r"(?:[^{}'\"`#/\\?<\n]|'[^'\"\\{}\n]*')*")
_JOIN = 'end the string and add the value with `.`: "..." . <<...>>'


def places(text):
    """The place of each MARK: one of the constants, or RefusedError."""
    if odd_lines(text):
        return [RefusedError(ODD_LINES)] * text.count(MARK)
    return _Lexer(text.replace("\r\n", "\n")).places()


class _Lexer(Lexer):
    def run(self):
        while self.at < len(self.text):
            self.outside()
            self.code()

    def outside(self):
        """What is printed as it stands, up to after the next opening tag."""
        text = self.text
        start = text.find("<?", self.at)
        end = len(text) if start < 0 else start
        self.refuse(
            end, "it stands outside of <?php ... ?>; assign it to a variable inside and use that"
        )
        if start < 0:
            return
        if text.startswith("<?=", start):
            self.at = start + 3
        elif re.match(r"php([ \t\n]|\Z)", text[start + 2 : start + 6].lower()):
            self.at = start + 5
        else:
            raise LostError("a `<?` that opens PHP only with some settings")

    def code(self):
        """Code up to after ``?>`` or the end."""
        text = self.text
        before = "echo" if text.startswith("=", self.at - 1) else ";"  # the last token
        while self.at < len(text):
            char = text[self.at]
            word = self.word()
            if char in " \t\r\n":
                self.at += 1
                continue
            if char in "#/" and self.comments():
                continue
            if text.startswith("?>", self.at):
                self.at += 2
                return
            if char in "'\"`":
                self.quoted(char)
            elif text.startswith("<<<", self.at):
                self.document()
            elif char == MARK:
                self.value(before)
            elif word:
                if word.lower() == "__halt_compiler":
                    raise LostError("__halt_compiler")
                self.at += len(word)
                char = word.lower()
            elif text.startswith(_TOKENS, self.at):
                char = text[self.at : self.at + 2]
                self.at += 2
            else:
                self.at += 1
            before = char

    def value(self, before):
        following = self.following(self.at + 1)
        if not self.stands_alone() or following in ("(", "$"):
            self.take(self.at + 1, self.touched)
        elif before in _OPERATORS or before in ("=>", *"=([,.?:&|+!<>"):
            self.take(self.at + 1, BARE)
        else:
            self.refuse(self.at + 1, "it does not stand where a value is expected")

    def comments(self):
        """Take the comment that begins here; False if it is none."""
        text = self.text
        if text.startswith("/*", self.at):
            self.comment("/*", "*/")
        elif text.startswith("#[", self.at):
            raise LostError("`#[`, which is a comment before PHP 8")
        elif text.startswith(("#", "//"), self.at):
            end = _LINE_COMMENT_END.search(text, self.at).start()
            self.refuse(end, "it stands in a comment")
        else:
            return False
        return True

    def quoted(self, char):
        first = len(self.found)
        if char == "'":
            self.string(char, SINGLE, {})
            return
        inside = self.string(char, DOUBLE, _DIGITS)
        why = None
        if char == "`":
            why = "it stands in backquotes, which run a command"
        elif "$" in _unescaped(inside):
            why = f"it stands beside a variable; {_JOIN}"
        if why:
            self.found[first:] = [RefusedError(why)] * (len(self.found) - first)
        _check_variables(inside)

    def document(self):
        """A heredoc or nowdoc, up to its closing name."""
        opening = _DOCUMENT.match(self.text, self.at)
        if opening is None:
            raise LostError("`<<<` without a plain name")
        quote, name = opening.groups()
        closing = re.compile(r"^[ \t]*" + name + r"(?![\w\x80-\U0010ffff])", re.MULTILINE)
        end = closing.search(self.text, opening.end())
        if end is None:
            raise LostError("a heredoc that nothing closes")
        if quote != "'":
            _check_variables(self.text[opening.end() : end.start()])
        self.refuse(end.end(), f"it stands in a heredoc; {_JOIN}")


def _unescaped(inside):
    """The text of a string without its escaped backslashes and `$`."""
    return inside.replace("\\\\", "").replace("\\$", "")


def _check_variables(inside):
    """Raise LostError if the code in a string's braces may hold a quote, or go on behind it."""
    inside = _unescaped(inside)
    at = inside.find("$")
    while at >= 0:
        if inside[at - 1 : at] == "{" or inside[at + 1 : at + 2] == "{":
            end = _SIMPLE_CODE.match(inside, at + 2).end()
            if inside[end : end + 1] != "}":
                raise LostError("a string with more than a variable in its braces")
        at = inside.find("$", at + 1)


def encode(value, place):
    """`value` (bytes, any encoding) as (part of) a string."""
    if place == SINGLE:
        return value.replace(b"\\", b"\\\\").replace(b"'", b"\\'")
    written = b"".join(map(_ESCAPED.__getitem__, value))
    return b'"' + written + b'"' if place == BARE else written


# One entry for every byte.
_ESCAPED = [
    b"%c" % byte if 0x20 <= byte < 0x7F and byte not in b'"\\$' else b"\\x%02x" % byte
    for byte in range(256)
]

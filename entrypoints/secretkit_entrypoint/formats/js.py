"""JavaScript, as a script or a module, also one inside an HTML page: '…', "…", `…` and bare.

Only printable ASCII is written, and of that no quote, backslash, ``$``, ``/``, ``<``, ``>`` and
``&``: no value can hold ``</script>``, ``<!--``, ``*/`` or ``${``. What is written inside double
quotes is JSON too.

Whether a ``/`` divides or begins a regular expression depends on what stands before it. Where that
needs a grammar, and the line holds another ``/``, the lexer is lost. The source of the rules is
ECMA-262 (2024), 12 and B.1.1.
"""

from . import MARK, ODD_LINES, LostError, RefusedError, escaped, odd_lines, utf8
from .lexer import Lexer, breaks, is_word

ALONE = "a = \0"

DOUBLE = "inside double quotes"
SINGLE = "inside single quotes"
TEMPLATE = "inside backquotes"
BARE = "bare"

_DIGITS = {"x": 2, "u": 4}
_DIGITS.update(dict.fromkeys("01234567", 2))
_KEPT = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !#%()*+,-.:;=?@[]^_{|}~"
)
# Words that an operand follows; after the second kind `/` may be either.
_OPERATORS = frozenset((
    "return", "typeof", "case", "do", "else", "in", "instanceof", "new", "void", "delete",
    "throw", "default", "extends",
))  # fmt: skip
_UNCLEAR = frozenset(("of", "yield", "await"))

_NO_OPERAND = RefusedError(
    "it does not stand where a value is expected; write it after `=`, `(`, `:` or another operator"
)
_KEY = RefusedError("it stands in a key; write it as [<<...>>], in brackets")


def places(text):
    """The place of each MARK: one of the constants, or RefusedError."""
    if odd_lines(text):
        return [RefusedError(ODD_LINES)] * text.count(MARK)
    return _Lexer(text.replace("\r\n", "\n")).places()


class _Lexer(Lexer):
    """`before` is the last token (of a string or a template only its quote)."""

    def __init__(self, text):
        super().__init__(text)
        self.before = ""
        self.operand = True  # whether one is expected here: True, False, or None if that is unclear
        self.braces = []  # the open ones: the place in the template of a `${`, else None
        self.broken = False  # whether a line ended since the last token
        self.key = None  # index in `found`, if the last token becomes a key when `:` follows

    def run(self):
        text = self.text
        if text.startswith("#!"):
            self.comment("#!", "\n")
        while self.at < len(text):
            char = text[self.at]
            if char.isspace() or char == "\ufeff":
                self.broken = self.broken or char == "\n"
                self.at += 1
            elif text.startswith(("<!--", "-->"), self.at):
                raise LostError("`<!--` or `-->`, which begins a comment in scripts only")
            elif text.startswith("//", self.at):
                self.comment("//", "\n")
            elif text.startswith("/*", self.at):
                start = self.at
                self.comment("/*", "*/")
                self.broken = self.broken or "\n" in text[start : self.at]
            elif char in MARK + "\"'":
                self.value(char)
            elif char == "`":
                self.at += 1
                self.template(self.place(TEMPLATE))
            elif is_word(char) or char == "$":
                self.name()
            else:
                self.punctuation(char)

    def place(self, place):
        """`place`, or a RefusedError if no value is expected here."""
        # Where a statement begins, "use strict" would be a directive.
        return place if self.operand and self.before not in ("", ";", "{") else _NO_OPERAND

    def done(self, before, operand, key=None):
        self.before, self.operand, self.key, self.broken = before, operand, key, False

    def value(self, quote):
        """A string that `quote` opens, or a bare MARK."""
        first = len(self.found)
        if quote == MARK:
            alone = self.stands_alone()
            self.take(self.at + 1, self.place(BARE) if alone else self.touched)
        else:
            place = self.place(DOUBLE if quote == '"' else SINGLE)
            if breaks(self.string(quote, place, _DIGITS)):
                self.lose(first, "a quote that is not closed on its line")
        self.done('"', False, first if self.before == "," else None)

    def template(self, place):
        """A template literal from here, behind its opening or a substitution, to the next one."""
        end, swallowed = escaped(self.text, self.at, ("`", "${"), _DIGITS)
        if end < 0:
            raise LostError("a backquote that nothing closes")
        self.found += [self.swallowed if inside else place for inside in swallowed]
        if self.text[end] == "`":
            self.at = end + 1
            self.done("`", False)
        else:
            self.at = end + 2
            self.braces.append(place)
            self.done("${", True)

    def name(self):
        end = self.at
        while is_word(self.text[end : end + 1]) or self.text[end : end + 1] == "$":
            end += 1
        if self.text[self.at].isdigit():
            while is_word(self.text[end : end + 1]) or self.text[end : end + 1] == ".":
                end += 1  # 1.5, also 1..toString
        name = self.text[self.at : end]
        if name[0] not in "0123456789" and not name.replace("$", "_").isidentifier():
            raise LostError("a character that JavaScript does not know")
        self.at = end
        operand = False
        if self.before not in (".", "#"):
            operand = name in _OPERATORS or (None if name in _UNCLEAR else False)
        self.done(name, operand)

    def punctuation(self, char):
        if char == "\\" or (char == "<" and self.operand):
            raise LostError("a backslash in a name, or a tag: that is not JavaScript alone")
        if char == "/":
            self.slash()
        elif self.text.startswith(("++", "--"), self.at):
            self.at += 2
            self.done("++", None)
        elif char == "}" and self.braces and self.braces[-1] is not None:
            self.at += 1
            self.template(self.braces.pop())
        else:
            if char == ":" and self.key is not None:
                self.found[self.key :] = [_KEY] * (len(self.found) - self.key)
            elif char == "{":
                self.braces.append(None)
            elif char == "}" and self.braces:
                self.braces.pop()
            self.at += 1
            self.done(char, {")": None, "}": None, ".": None, "]": False}.get(char, True))

    def slash(self):
        """A division or a regular expression."""
        text = self.text
        # On a line of its own it may follow a statement that ended without a semicolon.
        if self.operand is None or (self.broken and not self.operand):
            other = text.find("/", self.at + 1)
            if other >= 0 and text.find("\n", self.at, other) < 0:
                raise LostError("a `/` that may divide or begin a regular expression")
        if not self.operand:
            self.at += 1
            self.done("/", True)
            return
        end, in_class = self.at + 1, False
        while text[end : end + 1] != "/" or in_class:
            if text[end : end + 1] in ("", "\n"):
                raise LostError("a regular expression that nothing closes")
            in_class = text[end] == "[" or (in_class and text[end] != "]")
            end += 2 if text[end] == "\\" else 1
        end += 1
        while is_word(text[end : end + 1]):  # its flags
            end += 1
        self.refuse(end, "it stands in a regular expression")
        self.done("/", False)


def encode(value, place):
    """`value` as (part of) a string; RefusedError if it is not UTF-8."""
    text = utf8(value)
    if not _KEPT.issuperset(text):
        text = "".join(map(_escape, text))
    return (f'"{text}"' if place == BARE else text).encode("ascii")


def _escape(char):
    if char in _KEPT:
        return char
    units = char.encode("utf-16-be")  # as JavaScript counts: two for what is above U+FFFF
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))

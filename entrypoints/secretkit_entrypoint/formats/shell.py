"""Shell scripts, as dash, bash and busybox sh read them: words, '…' and "…".

The lexer follows quotes, comments, expansions and here-documents. A value inside ``$(…)``,
``${…}``, backquotes or a here-document is refused: assign it to a variable above and use that.
So is one that names a command, one that a variable gets which means something to the shell, and
one on a line with a command that reads its words as code or as arithmetic, where a value such as
``a[$(x)]`` would run in bash. Where the lexer cannot be certain any more (continued lines,
arithmetic, subscripts), it refuses everything that follows.
"""

import re

from . import MARK, LostError, RefusedError
from .lexer import Lexer
from .shell_names import SPECIAL, is_special

ALONE = "echo \0"

BARE = "bare"
SINGLE = "inside single quotes"
DOUBLE = "inside double quotes"

_VARIABLE = "assign it to a variable on a line of its own and use that here"
_SPACE = " \t\n"
_WORD_ENDS = _SPACE + ";&|()<>"
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")

# Each is looked for as any word of a line, because the name of a command may stand anywhere.
_END = r"(?=[\s;&|()<>]|$)"
_READS_CODE = re.compile(
    r"(eval|trap|source|\.|let|\[\[|declare|typeset|local|read|unset|mapfile|readarray|getopts"
    r"|comp(?:gen|lete|opt)|wait|hash|bind|enable|fc)" + _END
)
# As options, or where a value may become one, they name variables: printf -v, test -v.
_PRINTF = re.compile(r"printf" + _END)
_FORMAT = re.compile(r"printf[ \t]+(?:--[ \t]+)?['\"]?[^-+\0$`'\"\\\s;&|()<>]")
_TEST = re.compile(r"(?:test|\[)" + _END)
_UNARY = re.compile(r"-[vR]\b|\0['\"]?[ \t]+[\"']?[\0$]")
# What changes how every later line is read: other words, or other values in assignments.
_DECLARES = re.compile(r"(?:declare|typeset|local)" + _END)
_DECLARES_PLAIN = re.compile(r"\w+(?:[ \t]+-[aAfFgprtx]+)*(?:[ \t]+[A-Za-z_]|[ \t]*(?=[\n;&|)]|$))")
_EXPORTS = re.compile(r"(?:export|readonly)" + _END)
_EXPORTED = re.compile(r"-[afnpA]+(?=[ \t])|[A-Za-z_]\w*(?=\+?=|[\s;&|()<>]|$)", re.ASCII)
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)(?:\+?=|\[)", re.ASCII)
_LOOP = re.compile(r"(?:for|select)\s+(\w+)", re.ASCII)
_WORD = re.compile(r"[^\s;&|()<>]+")
# Where the name of a command follows: the beginning, and behind operators and these words, then
# assignments and redirections.
_COMMAND = re.compile(
    r"(?:\A|[\n;&|]|(?<!=)\(|(?<![^\s;&|()])(?:[!{]|if|then|else|elif|while|until|do|time|exec|command"
    r"|builtin|env|coproc)(?=\s))"
    r"(?:[ \t]*(?:[A-Za-z_]\w*\+?=|\d*[<>]+&?[ \t]*)(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s;&|()<>\"'])*"
    r"(?=[ \t<>]))*[ \t]*\Z",
    re.ASCII,
)
# In a here-document, what all shells end where it seems to: \$, ${NAME}, $(a plain command).
_CLOSED = re.compile(r"\\.|\$\{\w+\}|\$\([\w ./:+%=-]*\)")
_SUBSCRIPT = re.compile(r"\[[\w$@*!^.,:+-]*\]")


def encode(value, place):
    """`value` (bytes, any encoding) quoted for `place`; RefusedError for NUL."""
    if b"\0" in value:
        raise RefusedError("it holds a NUL, which no shell can")
    if place == DOUBLE:
        for char in (b"\\", b'"', b"$", b"`"):
            value = value.replace(char, b"\\" + char)
        return value
    value = value.replace(b"'", b"'\\''")
    return b"'" + value + b"'" if place == BARE else value


def places(text):
    """The place of each MARK: BARE, SINGLE, DOUBLE, or RefusedError."""
    return _Lexer(text).places()


class _Lexer(Lexer):
    def __init__(self, text):
        super().__init__(text)
        self.documents = []  # here-documents whose bodies begin on the next line
        self.word_end = 0  # where a piece of a word ended: no word begins there
        self.refusal = None  # for all that follows on this line
        self.tested = 0  # up to where a line was searched for what a test evaluates
        self.exports = False  # whether `export` or `readonly` stands on this line

    def take(self, end, place):
        super().take(end, self.refusal or place)

    def find(self, closing, start, name):
        end = self.text.find(closing, start)
        if end < 0:
            raise LostError(name + " that nothing closes")
        return end

    def run(self):
        text = self.text
        while self.at < len(text):
            char, start = text[self.at], self.at
            if self.at != self.word_end or self.at == 0:
                self.begin()
            if char == "\n":
                self.at += 1
                self.refusal = None
                self.exports = False
                self.bodies()
            elif char == "#" and (self.at == 0 or self.at != self.word_end):
                if text[self.at - 1] == ")":
                    raise LostError("a `#` behind a parenthesis")
                end = text.find("\n", self.at)
                self.take(len(text) if end < 0 else end, RefusedError("it stands in a comment"))
            elif char == "<" and text.startswith("<<", self.at):
                self.redirection()
            elif text.startswith("((", self.at):
                raise LostError("arithmetic in `((`")
            elif char == "[" and not self.is_test():
                subscript = _SUBSCRIPT.match(text, self.at)
                if subscript is None:
                    raise LostError("a `[` that may begin a subscript")
                self.at = self.word_end = subscript.end()
            else:
                self.piece(char, BARE)
                if char not in _WORD_ENDS:
                    self.word_end = self.at
                if self.documents and "\n" in text[start : self.at]:
                    raise LostError("a line break in a word behind a here-document's")

    def begin(self):
        """At what may be the first character of a word: look how it is read, and others by it."""
        text = self.text
        match = _WORD.match(text, self.at)
        if match is None:
            return
        word = match[0]
        if self.names_command(word):
            self.refuse_line(f"it stands in the name of a command, or behind one; {_VARIABLE}")
        if word.count("'") % 2 == 0 and word.count('"') % 2 == 0:
            word = re.sub(r"['\"\\]", "", word)  # 'eval' and \eval are eval
        if word == "alias" or (_DECLARES.match(word) and not _DECLARES_PLAIN.match(text, self.at)):
            raise LostError(f"`{word}`")
        loop = _LOOP.match(text, self.at)
        if loop is not None and is_special(loop[1]):
            raise LostError(f"a loop over `{loop[1]}`")
        assigned = _ASSIGNED.match(word)
        if assigned is not None and is_special(assigned[1]):
            self.refuse_line(SPECIAL.format(assigned[1]))
        if self.exports and not _EXPORTED.match(text, self.at):
            self.refuse_line("it stands behind `export` or `readonly` without a plain NAME=")
        self.exports = self.exports or _EXPORTS.match(word) is not None
        command = _READS_CODE.match(word)
        if command is not None:
            if command[1] == "[[" and text.find("]]", self.at, self.line_end()) < 0:
                raise LostError("`[[` of several lines")
            self.refuse_line(
                f"it stands on a line with `{command[1]}`, which may run it as code; {_VARIABLE}"
            )
        if _PRINTF.match(word) and not _FORMAT.match(text, self.at):
            self.refuse_line("it stands behind `printf` without a plain format, as in '%s'")
        if self.at >= self.tested and _TEST.match(word):
            self.tested = self.line_end()
            if _UNARY.search(text, self.at, self.tested):
                self.refuse_line("it stands in a test that may look for a variable by its name")

    def refuse_line(self, reason):
        self.refusal = self.refusal or RefusedError(reason)

    def names_command(self, word):
        """Whether a value stands in `word`, which a shell takes for the name of a command."""
        if MARK not in word or _ASSIGNED.match(word):
            return False
        start = self.text.rfind("\n", 0, self.at) + 1
        return _COMMAND.search(self.text[max(start, self.at - 300) : self.at]) is not None

    def line_end(self):
        end = self.text.find("\n", self.at)
        return len(self.text) if end < 0 else end

    def is_test(self):
        """Whether the `[` here is a command (or `[[`), and neither subscript nor pattern."""
        text, at = self.text, self.at
        if at == self.word_end and at > 0 and text[at - 1] != "[":
            return False
        behind = at + 2 if text[at + 1 : at + 2] == "[" else at + 1
        return text[behind : behind + 1] in _SPACE

    def piece(self, char, place):
        """One character, escape, quoted string or expansion of a word."""
        text = self.text
        if text.startswith("\\\n", self.at):
            raise LostError("a line that a backslash continues")
        if char == "\\":
            self.take(min(self.at + 2, len(text)), RefusedError("a backslash stands before it"))
        elif char == "'" and place == BARE:
            self.take(self.find("'", self.at + 1, "a single quote") + 1, SINGLE)
        elif char == '"':
            self.double()
        elif char == "$":
            self.dollar(place)
        elif char == "`":
            end = self.find("`", self.at + 1, "a backquote") + 1
            if "\\" in text[self.at : end]:
                raise LostError("a backslash in backquotes")
            self.take(end, RefusedError(f"it stands in backquotes; {_VARIABLE}"))
        else:
            self.take(self.at + 1, place)

    def double(self):
        self.at += 1
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == '"':
                self.at += 1
                return
            self.piece(char, DOUBLE)
        raise LostError("a double quote that nothing closes")

    def dollar(self, place):
        text, start = self.text, self.at
        following = text[start + 1 : start + 2]
        if following in ("(", "{"):
            lexer = _Lexer(text)
            lexer.at = start + 2
            lexer.nested(")" if following == "(" else "}")
            self.take(
                lexer.at, RefusedError(f"it stands in an expansion `${following}`; {_VARIABLE}")
            )
        elif following == "'" and place == BARE:
            # bash reads escapes here, dash does not: they may disagree about where it ends.
            end = self.find("'", start + 2, "a single quote") + 1
            if "\\" in text[start:end]:
                raise LostError("a backslash in $'...'")
            self.take(end, RefusedError("it stands in $'...'; remove the `$`"))
        elif following == "[":
            raise LostError("arithmetic in `$[`")
        elif following == MARK:
            self.take(start + 2, RefusedError("a `$` stands before it"))
        else:
            end = start + 1
            while text[end : end + 1] and text[end] in _NAME:
                end += 1
            self.at = max(end, start + 1)
            if text[self.at : self.at + 1] == MARK and place == DOUBLE and self.at > start + 1:
                self.take(self.at + 1, RefusedError("a variable stands before it; write ${NAME}"))
            elif end == start + 1 and following in ("#", "$", "!", "?", "*", "@", "-"):
                self.at += 1  # $#, $$ ...: the `#` begins no comment

    def nested(self, closing):
        """Go to after the `closing` of an expansion."""
        text = self.text
        while self.at < len(text):
            char = text[self.at]
            if char == closing:
                self.at += 1
                return
            if closing == ")" and text.startswith("case", self.at):
                raise LostError("a `case` in $(...)")
            if text.startswith("<<", self.at) or (closing == ")" and char == "#"):
                raise LostError("a comment or here-document in an expansion")
            if char == "(" and closing == ")":
                self.at += 1
                self.nested(")")
            elif closing == "}" and char == "'":
                # Inside "${…}" shells disagree whether a single quote quotes.
                raise LostError("a single quote in ${...}")
            else:
                self.piece(char, BARE)
        raise LostError("an expansion that nothing closes")

    def redirection(self):
        """``<<WORD``, ``<<-WORD`` or ``<<<``, which is an operator before an ordinary word."""
        text = self.text
        if text.startswith("<<<", self.at):
            self.at += 3
            return
        start = self.at + 2
        tabs = text[start : start + 1] == "-"
        start += tabs
        while text[start : start + 1] in (" ", "\t"):
            start += 1
        end = start
        while end < len(text) and text[end] not in _WORD_ENDS:
            end += 1
        plain = word = text[start:end]
        for quote in ("'", '"'):
            if len(word) > 2 and word[0] == word[-1] == quote:
                word = word[1:-1]
                break
        word = word[1:] if word[:1] == "\\" else word
        if not word or not _NAME.issuperset(word):
            # Also an arithmetic shift such as $((1 << 2)), which has no word.
            raise LostError("`<<` with a word that is not a plain name")
        self.documents.append((word, tabs, plain == word))
        self.at = end

    def bodies(self):
        text = self.text
        for word, tabs, expands in self.documents:
            while True:
                if self.at >= len(text):
                    raise LostError("a here-document that nothing closes")
                end = text.find("\n", self.at)
                end = len(text) if end < 0 else end
                line = text[self.at : end]
                open_line = _CLOSED.sub("", line) if expands else ""
                if "$(" in open_line or "${" in open_line or "`" in open_line:
                    raise LostError("an expansion in a here-document that may go on below")
                if line.endswith("\\"):
                    raise LostError("a line in a here-document that a backslash continues")
                self.take(
                    min(end + 1, len(text)),
                    RefusedError(f"it stands in a here-document; {_VARIABLE}"),
                )
                if (line.lstrip("\t") if tabs else line) == word:
                    break
        self.documents = []

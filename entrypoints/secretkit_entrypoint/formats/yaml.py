"""YAML, for readers of 1.1 and 1.2 alike.

Values are strings: a bare placeholder becomes a double-quoted scalar, so ``yes``, ``0x1F`` and
``2024-01-01`` stay what they are. Inside double quotes everything but printable ASCII is escaped.

The lexer follows lines and knows enough of YAML to tell quotes, keys, flow collections, block
scalars, comments and plain scalars that go on over several lines. It does not check the document.
"""

from . import MARK, ODD_LINES, PART, LostError, Place, RefusedError, double_quoted, odd_lines, utf8

DOUBLE = "inside double quotes"
SINGLE = "inside single quotes"
BARE = "bare"
DOUBLE_KEY = "key in double quotes"
SINGLE_KEY = "key in single quotes"
BARE_KEY = "bare key"
_KEYS = {DOUBLE: DOUBLE_KEY, SINGLE: SINGLE_KEY, BARE: BARE_KEY}

# A key must fit on one line of 1024 characters (YAML 1.2, 7.4.2), with what stands around it. All
# values in one share this.
_LONGEST_KEY = 512

_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
_DIGITS = {"x": 2, "u": 4, "U": 8}
_SPACE = " \t\r\n"
_FLOW = ",[]{}"
# What all readers take for a part of a tag, an anchor or an alias.
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:!" + MARK)
_OPENING = MARK + "\"'[{|>"  # a line with none of these opens nothing that goes on
_QUOTE = "put the whole value inside double quotes"
_TAGGED = RefusedError("its tag makes something else of it; write it without one, or with !!str")


def encode(value, place):
    """`value` as (part of) a YAML string.

    Raises RefusedError if it is not UTF-8, for what single quotes cannot hold, and for long keys.
    """
    text = utf8(value)
    if place in (SINGLE, SINGLE_KEY):
        if any(map(_is_break_or_control, text)):
            raise RefusedError(
                "it holds a line break or a control character, which single quotes cannot; "
                "use double quotes"
            )
        written = text.replace("'", "''")
    else:
        if len(text) != len(value) or not text.isprintable() or '"' in text or "\\" in text:
            text = "".join(map(_escape, text))
        written = f'"{text}"' if place in (BARE, BARE_KEY) else text
    if place in _KEYS.values() and len(written) > place.longest:
        raise RefusedError("it is longer than a YAML key may be")
    return written.encode("utf-8")


def _escape(char):
    if char in _SHORT:
        return _SHORT[char]
    if " " <= char <= "~":
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_break_or_control(char):
    """Whether YAML 1.1 or 1.2 allows `char` only as an escape, or takes it for a line break."""
    return (
        (char < " " and char != "\t")
        or "\x7f" <= char <= "\x9f"
        or char in "\u2028\u2029\ufeff\ufffe\uffff"
    )


def places(text):
    """The place of each MARK: one of the constants, PART, or RefusedError."""
    if odd_lines(text):
        return [RefusedError(ODD_LINES)] * text.count(MARK)
    if "\ufeff" in text or "%TAG" in text:
        reason = "readers disagree about a byte order mark or %TAG in the template; leave it out"
        return [RefusedError(reason)] * text.count(MARK)
    return _Lexer(text).run()


class _Lexer:
    """Goes over a document once. Methods take an offset and return the one to go on from."""

    def __init__(self, text):
        self.text = text
        self.found = []
        self.parent = -1  # column of the innermost key or dash: what it owns is indented more
        self.plain = None  # the parent's column of a plain scalar that may go on on the next line
        self.bare = None  # index in found, if that scalar is a MARK alone
        self.tagged = False  # whether the next scalar has a tag other than !!str
        self.ahead = dict.fromkeys(_OPENING, -1)  # the next of each, from where it was sought
        self.sought = 0  # up to here there is no line to skip to

    def run(self):
        at = 0
        try:
            while at < len(self.text):
                at = self.line(self.skip(at))
        except LostError as lost:
            why = RefusedError(f"it stands after {lost}, which not all readers take alike")
            self.found += [why] * (self.text.count(MARK) - len(self.found))
        return self.found

    def skip(self, at):
        """The line to go on from: the last key before something opens that needs a look.

        All that lines before a key could tell is whether a plain scalar goes on, and it does not
        go on over a key.
        """
        text = self.text
        if at < self.sought or (self.plain is not None and self.bare is not None):
            return at  # in the second case, the value must not go on
        for char in _OPENING:
            if self.ahead[char] < at:
                found = text.find(char, at)
                self.ahead[char] = found if found >= 0 else len(text)
        self.sought = end = min(self.ahead.values())
        while end > at:
            key = max(text.rfind(": ", at, end), text.rfind(":\n", at, end))
            if key < 0:
                break
            end = max(text.rfind("\n", 0, key) + 1, at)
            if text.find("#", end, key) < 0:
                self.plain = None
                return end
        return at

    def give(self, start, end, place):
        self.found += [place] * self.text.count(MARK, start, end)

    def refuse(self, start, end, reason):
        if self.text.find(MARK, start, end) >= 0:
            self.give(start, end, RefusedError(reason))

    def column(self, at):
        return at - self.text.rfind("\n", 0, at) - 1

    def end_of_line(self, at):
        end = self.text.find("\n", at)
        return len(self.text) if end < 0 else end

    def line(self, start):
        end = self.end_of_line(start)
        content = self.text[start:end].lstrip(" ")
        indent = end - start - len(content)
        first = content[:1]
        if not content.strip(_SPACE):
            return end + 1
        if first == "#":
            self.plain = None
            self.refuse(start, end, "it stands in a comment")
            return end + 1
        if indent == 0 and content[:3] in ("---", "...") and content[3:4] in _SPACE:
            self.parent, self.plain = -1, None
            return self.node(start + 3)
        if indent == 0 and first == "%":
            self.refuse(start, end, "it stands in a directive")
            return end + 1
        if self.plain is not None and indent > self.plain:
            if self.bare is not None:
                self.found[self.bare] = RefusedError(
                    f"an unquoted value goes on below it; {_QUOTE}"
                )
                self.bare = None
            self.refuse(start, end, f"it stands in an unquoted value of several lines; {_QUOTE}")
            if " #" in content or "\t#" in content:
                self.plain = None
            return end + 1
        self.plain = None
        return self.node(start + indent)

    def node(self, at):
        """What follows indentation, a dash or a key, up to the end of its last line."""
        text = self.text
        first = None  # where a tag or an anchor begins the node: its column counts
        while True:
            while text[at : at + 1] in (" ", "\t"):
                at += 1
            end = self.end_of_line(at)
            char = text[at : at + 1]
            if char in ("", "\r", "\n"):
                return end + 1
            following = text[at + 1 : at + 2]
            if char in "-?:" and following in _SPACE:  # also at the end of the text
                # An empty key begins with its tag or anchor.
                self.parent = self.column(at if first is None else first)
                first = None
                self.tagged = False
                at += 1
            elif char == "#":
                self.refuse(at, end, "it stands in a comment")
                return end + 1
            elif char in "!&":
                first = at if first is None else first
                at = self.word(at, _SPACE)
            elif char in "|>":
                self.tagged = False
                return self.block(at, end)
            else:
                column = self.column(at if first is None else first)
                first = None
                at, is_key = self.scalar(at, end)
                if not is_key:
                    return at
                self.parent = column

    def scalar(self, start, end):
        """A scalar or flow collection; (offset to go on from, whether it is a key)."""
        text = self.text
        char = text[start]
        if char in "\"'[{":
            before = len(self.found)
            at = self.flow(start) if char in "[{" else self.quoted(start)
            end = self.end_of_line(at)
            rest = text[at:end].lstrip(" \t")
            if rest[:1] == ":" and rest[1:2] in _SPACE:
                self.make_key(before)
                return end - len(rest) + 1, True
            comment = rest[:1] == "#"
            self.refuse(at, end, f"it stands {'in a comment' if comment else 'after a value'}")
            return end + 1, False
        colon = text.find(":", start, end)
        while colon >= 0 and text[colon + 1 : colon + 2] not in _SPACE:
            colon = text.find(":", colon + 1, end)
        hash_ = _comment(text, start, end)
        if colon >= 0 and (hash_ < 0 or colon < hash_):
            before = len(self.found)
            self.plain_scalar(start, colon)
            self.make_key(before)
            return colon + 1, True
        self.bare = None
        self.plain_scalar(start, end if hash_ < 0 else hash_)
        if hash_ < 0:
            self.plain = self.parent
        else:
            self.refuse(hash_, end, "it stands in a comment")
        return end + 1, False

    def make_key(self, before):
        """What was found from index `before` on turns out to stand in a key."""
        places = self.found[before:]
        longest = _LONGEST_KEY // max(len(places), 1)
        self.found[before:] = [
            Place(_KEYS[place], longest=longest) if place in _KEYS else place for place in places
        ]

    def untagged(self, place):
        """`place`, or a RefusedError if this scalar has a tag that makes it no string."""
        tagged, self.tagged = self.tagged, False
        return _TAGGED if tagged else place

    def plain_scalar(self, start, end):
        scalar = self.text[start:end].strip(_SPACE)
        bare = self.untagged(BARE)
        if scalar == MARK:
            self.bare = len(self.found)
            self.found.append(bare)
        elif MARK not in scalar:
            return
        elif "\n" in scalar:
            self.give(start, end, RefusedError(f"it stands in a value of several lines; {_QUOTE}"))
        elif scalar[0] not in MARK + "*@`%" and ("/" in scalar or "@" in scalar):
            # No boolean, number or date holds these, so with more letters it stays a string.
            self.give(start, end, PART)
        else:
            self.give(start, end, RefusedError(f"it stands beside other unquoted text; {_QUOTE}"))

    def quoted(self, start):
        text = self.text
        if text[start] == '"':
            end, swallowed = double_quoted(text, start, _DIGITS)
        else:
            end = text.find("'", start + 1)
            while end >= 0 and text[end + 1 : end + 2] == "'":
                end = text.find("'", end + 2)
            end = end + 1 if end >= 0 else -1
            swallowed = [False] * text.count(MARK, start, len(text) if end < 0 else end)
        place = self.untagged(DOUBLE if text[start] == '"' else SINGLE)
        if end < 0:
            end = len(text)
            place = RefusedError("no quote closes this value")
        elif "\n" in text[start:end]:
            place = RefusedError(
                "it stands in a quoted value of several lines; write it on one line"
            )
        lost = RefusedError("it stands inside an escape sequence")
        self.found += [lost if inside else place for inside in swallowed]
        return end

    def word(self, at, after):
        """A tag, an anchor or an alias, behind which stands one of `after` or the text ends."""
        text, end = self.text, at + 1
        while text[end : end + 1] in _WORD:
            end += 1
        if text[end : end + 1] not in after:
            raise LostError("an unusual tag or anchor")
        self.refuse(at, end, "it stands in a tag, an anchor or an alias")
        if text[at] == "!":
            self.tagged = text[at:end] != "!!str"
        return end

    def block(self, start, end):
        """A block scalar: all lines that are blank or indented more than its parent."""
        self.refuse(start, end, "it stands in the header of a block scalar")
        at = end + 1
        while at < len(self.text):
            end = self.end_of_line(at)
            content = self.text[at:end].lstrip(" ")
            if content.strip(_SPACE):
                indent = end - at - len(content)
                if indent <= self.parent or (indent == 0 and content[:3] in ("---", "...")):
                    break
            reason = "it stands in a block scalar, where nothing can be escaped; write it as"
            self.refuse(at, end, f"{reason} a value in double quotes")
            at = end + 1
        return at

    def flow(self, at):
        """A flow collection; the offset after its closing bracket."""
        text = self.text
        depth = 0
        key_before = False  # after a quoted scalar or a bracket, `:` needs no space
        before = len(self.found)  # of the last scalar
        while at < len(text):
            char = text[at]
            following = text[at + 1 : at + 2]
            if char in _SPACE:
                at += 1
                continue
            if char == "#" and text[at - 1] in _SPACE:
                end = self.end_of_line(at)
                self.refuse(at, end, "it stands in a comment")
                at = end
                continue
            if char in "]}":
                self.tagged = False
                before = len(self.found)
                depth -= 1
                at += 1
                if depth == 0:
                    return at
                key_before = True
                continue
            if char in "\"'":
                before = len(self.found)
                at = self.quoted(at)
                key_before = True
                continue
            if (
                char in ",[{"
                or (char == ":" and key_before)
                or (char in ":?-" and (following in _SPACE or following in _FLOW))
            ):
                depth += char in "[{"
                if char == ":":
                    self.make_key(before)
                before = len(self.found)
                self.tagged = False
                at += 1
            elif char in ":?":
                raise LostError(f"a `{char}` in brackets with no space behind it")
            elif char in "!&*":
                at = self.word(at, _SPACE + ",]}")
            else:
                end = at + 1
                while end < len(text) and not _ends_plain(text, end):
                    end += 1
                before = len(self.found)
                self.plain_scalar(at, end)
                at = end
            key_before = False
        return at


def _comment(text, start, end):
    """The offset of a comment in a line: a `#` after a space; -1 if there is none."""
    at = text.find("#", start, end)
    while at >= 0 and text[at - 1] not in " \t":
        at = text.find("#", at + 1, end)
    return at


def _ends_plain(text, at):
    """Whether the plain scalar before `at`, in a flow collection, ends there."""
    char = text[at]
    if char == ":":
        return text[at + 1 : at + 2] in _SPACE or text[at + 1] in _FLOW
    return char in _FLOW or (char == "#" and text[at - 1] in _SPACE)

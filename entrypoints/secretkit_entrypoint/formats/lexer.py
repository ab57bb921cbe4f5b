"""What the lexers of languages share: one pass over a text, which may get lost."""

from . import MARK, LostError, RefusedError, escaped


class Lexer:
    """Goes over `text` once; `at` is the offset, `found` the places so far. `run` does it."""

    def __init__(self, text):
        self.text = text
        self.at = 0
        self.found = []

    def places(self):
        """The place of each MARK; all that stand after what `run` is lost at are refused."""
        try:
            self.run()
        except LostError as lost:
            why = RefusedError(f"it stands after {lost}, from where its place is uncertain")
            self.found += [why] * (self.text.count(MARK) - len(self.found))
        return self.found

    def take(self, end, place):
        """Go on to `end`; every MARK on the way stands at `place`."""
        self.found += [place] * self.text.count(MARK, self.at, end)
        self.at = end

    def refuse(self, end, reason):
        """Go on to `end`; every MARK on the way is refused."""
        if self.text.find(MARK, self.at, end) >= 0:
            self.found += [RefusedError(reason)] * self.text.count(MARK, self.at, end)
        self.at = end

    def comment(self, opening, closing):
        """Take a comment up to `closing`, and that too unless it is the end of the line."""
        end = self.text.find(closing, self.at + len(opening))
        if end < 0 and closing != "\n":
            raise LostError("a comment that nothing closes")
        end = len(self.text) if end < 0 else end + len(closing.strip())
        self.refuse(end, "it stands in a comment")

    def string(self, quote, place, digits):
        """Take the string that `quote` opens here; returns what is inside.

        `digits` is as for `escaped`, or None where a backslash is only a backslash.
        """
        start = self.at + len(quote)
        if digits is None:
            end = self.text.find(quote, start)
            swallowed = [False] * self.text.count(MARK, start, max(end, start))
        else:
            end, swallowed = escaped(self.text, start, (quote,), digits)
        if end < 0:
            raise LostError("a quote that nothing closes")
        self.found += [self.swallowed if inside else place for inside in swallowed]
        self.at = end + len(quote)
        return self.text[start:end]

    swallowed = RefusedError("what stands before it, a backslash or a quote, may join with it")

    touched = RefusedError("it stands beside other text; put both inside quotes")

    def lose(self, first, what):
        """Raise LostError, and take back the places from index `first` on."""
        del self.found[first:]
        raise LostError(what)

    def word(self):
        """The name, keyword or number that begins here; "" if none does."""
        end = self.at
        while is_word(self.text[end : end + 1]):
            end += 1
        return self.text[self.at : end]

    def following(self, at):
        """The first character from `at` on that is no space or tab; "" at the end."""
        while self.text[at : at + 1] in (" ", "\t"):
            at += 1
        return self.text[at : at + 1]

    def stands_alone(self):
        """Whether no word, quote or other MARK touches the MARK here, which would join with it."""
        around = self.text[self.at - 1 : self.at] + self.text[self.at + 1 : self.at + 2]
        return not any(char in MARK + "\"'`" or is_word(char) for char in around)


def is_word(char):
    """Whether `char` ("" at the end of a text) can be a part of a name or a number."""
    return char.isalnum() or char == "_" or char > "\x7f"


def escape(char):
    """`char` as languages write it inside quotes if it is not printable ASCII: ``\\uXXXX``."""
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def breaks(inside):
    """Whether a string's text has a line break that no backslash continues."""
    return "\n" in inside and "\n" in inside.replace("\\\\", "").replace("\\\n", "")

"""HTML, as browsers read it: text, and attributes in either quote.

Whatever is not harmless ASCII becomes a character reference. Values are refused where references
are not read (scripts, styles, comments), where text does not stay where it is (between the parts of
a table, outside of the body), and in attributes that are not known to be plain text: in others they
are code (``onclick``), to browsers or to frameworks. In attributes that hold an address only the
output of |url is taken.

The source of the rules is the HTML standard of WHATWG, 13.2 (tokenization, tree construction).
"""

from . import MARK, PART, LostError, Place, RefusedError, utf8
from .lexer import Lexer

ALONE = "<p>a\0</p>"

TEXT = "text"
FIRST_TEXT = "text at the beginning"  # there a line break would be dropped
ATTRIBUTE = "attribute"

_SPACE = " \t\n\f\r"
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NAME = _LETTERS | frozenset("0123456789#")
_KEPT = _LETTERS | frozenset("0123456789 !#$%()*+,-./:;=?@[]^_{|}~")

# Elements whose content has no tags; references are read in the first two.
_RCDATA = ("title", "textarea")
_RAW = ("script", "style", "xmp", "iframe", "noembed", "noframes", "noscript")
# After the tags of these, text may be dropped, or go to another place.
_PLACELESS = frozenset((
    "html", "head", "body", "base", "basefont", "bgsound", "link", "meta", "title", "script",
    "style", "template", "noscript", "noframes", "table", "caption", "colgroup", "col", "tbody",
    "thead", "tfoot", "tr", "td", "th",
))  # fmt: skip
_CELLS = frozenset(("caption", "td", "th"))
_TABLE = frozenset((
    "table", "colgroup", "col", "tbody", "thead", "tfoot", "tr", "caption", "td", "th",
))  # fmt: skip
_DROPS_BREAK = ("pre", "listing", "textarea")

_ADDRESSES = frozenset((
    "href", "src", "action", "formaction", "data", "xlink:href", "srcset", "poster",
    "background", "ping", "manifest", "codebase", "cite", "longdesc", "usemap", "icon",
))  # fmt: skip
# Attributes that are text to browsers and to all frameworks; `data-` too, with these words behind.
_PLAIN = frozenset(("alt", "content", "id", "label", "name", "placeholder", "title", "value"))
_DATA = frozenset((
    "access", "account", "api", "app", "auth", "client", "csrf", "id", "key", "label", "login",
    "name", "password", "private", "public", "publishable", "secret", "site", "sitekey", "token",
    "user", "username", "value", "xsrf",
))  # fmt: skip
# What says that a framework reads the page, and expands {{...}} in it, however it is escaped.
_FRAMEWORKS = ("{{", "ng-", "ng:", "ng_", "v-")
_TEMPLATES = {place: Place(place, template=True) for place in (TEXT, FIRST_TEXT, ATTRIBUTE)}
_FIXED = ("http://", "https://", "/", "?", "#", "./", "../")  # no address like these is a script


def places(text):
    """The place of each MARK: one of the constants, PART, or RefusedError."""
    found = _Lexer(text).places()
    if any(sign in text.lower() for sign in _FRAMEWORKS):
        return [_TEMPLATES.get(place, place) for place in found]
    return found


class _Lexer(Lexer):
    def __init__(self, text):
        super().__init__(text)
        self.in_body = False  # whether a tag has opened the body
        self.tables = 0  # how many are open
        self.in_table = False  # between the parts of one
        self.holds = False  # whether text after the last tag stays there
        self.foreign = False  # after <svg>, <math> or <select>, where elements may be others

    def run(self):
        text = self.text
        if "<frameset" in text.lower():
            raise LostError("the beginning of a page with frames")
        while self.at < len(text):
            start = text.find("<", self.at)
            self.texts(len(text) if start < 0 else start, TEXT)
            if start < 0:
                return
            following = text[start + 1 : start + 2]
            if following in _LETTERS:
                self.start_tag()
            elif following == "/" and text[start + 2 : start + 3] in _LETTERS:
                self.end_tag()
            elif text.startswith("<!--", start):
                self.remark()
            elif following in ("!", "?", "/"):
                self.declaration()
            else:
                self.at += 1

    def texts(self, end, place):
        """Text up to `end`."""
        while True:
            mark = self.text.find(MARK, self.at, end)
            if mark < 0:
                self.at = end
                return
            self.at = mark
            if self.joins():
                self.take(mark + 1, self.swallowed)
            elif self.holds:
                self.take(mark + 1, place)
            else:
                self.refuse(
                    mark + 1, "HTML has no text of its own here; put it into an element as <p>"
                )

    swallowed = RefusedError("what stands before it, a `<` or `&`, may join with it")

    def joins(self):
        """Whether a tag or a character reference may begin before the MARK here."""
        at = self.at
        while at > 0 and (self.text[at - 1] in _NAME or self.text[at - 1] in "/!?-"):
            at -= 1
        return at > 0 and self.text[at - 1] in "<&"

    def remark(self):
        """A comment, which HTML ends in more ways than XML."""
        if self.text.startswith(("<!-->", "<!--->"), self.at):
            self.at = self.text.find(">", self.at) + 1
            return
        start = self.at
        self.comment("<!--", "-->")
        if self.text.find("--!>", start, self.at) >= 0:
            raise LostError("a comment that `--!>` closes")

    def declaration(self):
        """``<!DOCTYPE …>``, and all that is a comment to HTML: ``<?…>``, ``<!…>``, ``</ …>``."""
        end = self.text.find(">", self.at) + 1
        if end == 0:
            raise LostError("a `<!`, `<?` or `</` that nothing closes")
        cdata = self.text.startswith("<![CDATA[", self.at)
        self.refuse(end, "it stands in a declaration or a comment")
        if cdata and not self.text.endswith("]]>", 0, end):
            raise LostError("a `>` in CDATA, which ends there unless it is in SVG or MathML")

    def end_tag(self):
        self.at += 2
        name = self.tag()[0]
        if name in _TABLE:
            self.in_table = name != "table"
        if name == "table" and self.tables:
            self.tables -= 1
        self.holds = self.in_body and not self.in_table and name not in _PLACELESS

    def start_tag(self):
        self.at += 1
        name, closed = self.tag()
        if name in ("plaintext", "template"):
            raise LostError(f"<{name}>")
        if name in ("svg", "math", "select"):
            self.foreign = True
        if name == "table":
            self.tables += 1
        if name in _TABLE:
            self.in_table = name not in _CELLS
        # A cell outside of a table is ignored.
        holds = name not in _PLACELESS or name == "body" or (name in _CELLS and self.tables > 0)
        self.in_body = self.in_body or holds
        self.holds = holds and not self.in_table
        if name in _RCDATA or name in _RAW:
            self.special(name, closed)
        elif name in _DROPS_BREAK and self.text.startswith("</", self.at):
            if self.text[self.at + 2 : self.at + 2 + len(name)].lower() != name:
                raise LostError(f"<{name}> and another end tag")
        elif name in _DROPS_BREAK and self.text[self.at : self.at + 1] == MARK:
            self.holds = self.holds and not self.foreign
            self.texts(self.at + 1, FIRST_TEXT)

    def special(self, name, closed):
        """The content of an element in which there are no tags, up to its end tag."""
        end = self.at
        while True:
            end = self.text.find("</", end)
            if end < 0:
                raise LostError(f"<{name}> that nothing closes")
            after = end + 2 + len(name)
            ends = self.text[after : after + 1] in tuple(_SPACE + "/>")
            if ends and self.text[end + 2 : after].lower() == name:
                break
            end += 2
        inside = self.text[self.at : end]
        # It may be an ordinary element instead, which is the same only for plain text.
        differs = closed or "<" in inside or (name == "textarea" and MARK in inside)
        if differs and (name == "noscript" or self.foreign):
            raise LostError(f"<{name}>, which is read in two ways")
        if "<!--" in inside and "<script" in inside.lower():
            raise LostError("a script in a comment in a script")
        if name in _RAW:
            self.refuse(
                end,
                f"it stands in <{name}>, where HTML has no escapes; "
                "put it into an attribute, such as data-value",
            )
            return
        self.holds = True
        if name in _DROPS_BREAK and inside[:1] == MARK:
            self.texts(self.at + 1, FIRST_TEXT)
        self.texts(end, TEXT)

    def tag(self):
        """A tag, from its name on: its name, and whether it closes itself."""
        text, first = self.text, len(self.found)
        name = self.until(_SPACE + "/>")
        closed, attributes = False, []
        while self.at < len(text):
            char = text[self.at]
            if char == ">":
                self.at += 1
                if name == "meta" and "http-equiv" in attributes:
                    self.found[first:] = [_UNKNOWN] * (len(self.found) - first)
                return name, closed
            closed = char == "/"
            if char in _SPACE + "/":
                self.at += 1
                continue
            attributes.append(self.until(_SPACE + "/>=", 1))
            self.spaces()
            if text[self.at : self.at + 1] == "=":
                self.at += 1
                self.spaces()
                self.attribute(attributes[-1], name)
        return self.lose(first, "a tag that nothing closes")

    def until(self, closings, start=0):
        """Take what is up to one of `closings`, from the character `start` on; return it."""
        end = self.at + start
        while end < len(self.text) and self.text[end] not in closings:
            end += 1
        taken = self.text[self.at : end].lower()
        self.refuse(end, "it stands in a tag, outside an attribute's quotes")
        return taken

    def spaces(self):
        while self.text[self.at : self.at + 1] in tuple(_SPACE):
            self.at += 1

    def attribute(self, name, tag):
        """The value of an attribute."""
        quote = self.text[self.at : self.at + 1]
        if quote not in ("'", '"'):
            self.until(_SPACE + ">")
            return
        start = self.at + 1
        end = self.text.find(quote, start)
        if end < 0:
            raise LostError("a quote that nothing closes")
        mark = self.text.find(MARK, start, end)
        while mark >= 0:
            self.at = mark
            joins = self.joins()
            place = _attribute_place(name, tag, self.text[start:mark])
            self.take(mark + 1, self.swallowed if joins else place)
            mark = self.text.find(MARK, mark + 1, end)
        self.at = end + 1


_UNKNOWN = RefusedError(
    "it stands in an attribute that is not plain text to all browsers and frameworks; put it into "
    "data-value, or another that the manual names"
)


def _attribute_place(name, tag, before):
    """The place in the value of the attribute `name` of a `tag`, behind the text `before`."""
    if name in _ADDRESSES:
        if before == "" or before.startswith(_FIXED):
            # In a path, browsers drop `.` and `..`.
            return Place(PART, path="?" not in before and "#" not in before)
        return RefusedError("it stands in an address that does not begin with https:// or /")
    words = name.split("-")
    plain = name in _PLAIN or (
        words[0] == "data" and len(words) > 1 and _DATA.issuperset(words[1:])
    )
    return ATTRIBUTE if plain and tag != "param" else _UNKNOWN


def encode(value, place):
    """`value` as text or a part of an attribute; RefusedError if HTML cannot write it."""
    text = utf8(value)
    if hasattr(place, "template") and ("{{" in text or "{" in (text[:1], text[-1:])):
        raise RefusedError(
            "it holds `{{`, or `{` at its beginning or end, and the page looks like one in which a "
            "framework expands that; hand the value over in another way"
        )
    if not _KEPT.issuperset(text):
        text = "".join(map(_escape, text))
    # The first line break behind such a start tag is dropped.
    return ("\n" + text if place == FIRST_TEXT else text).encode("ascii")


def _escape(char):
    if char in _KEPT:
        return char
    if char == "\0" or "\x80" <= char <= "\x9f":
        raise RefusedError("it holds a control character that HTML cannot write")
    return f"&#{ord(char)};"

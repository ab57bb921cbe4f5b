"""XML 1.0: element text, attributes in either quote, CDATA.

Whatever is not printable ASCII becomes a character reference, so the document's encoding does not
matter and a parser's normalisation of line ends and attribute spaces leaves it alone.
"""

from . import MARK, Place, RefusedError, utf8

ALONE = "<a b='\0'/>"  # what is right there is right in text, too

TEXT = "text"
ATTRIBUTE = "attribute"
CDATA = "CDATA"

_MARKUP = (("<!--", "-->", "comment"), ("<?", "?>", "processing instruction"))


def places(text):
    """The place of each MARK: TEXT, ATTRIBUTE, CDATA, or RefusedError."""
    found = []
    attribute = Place(ATTRIBUTE, tokens=False)

    def give(start, end, place):
        found.extend([place] * text.count(MARK, start, end))

    at, size = 0, len(text)
    while at < size:
        start = text.find("<", at)
        start = size if start < 0 else start
        give(at, start, TEXT)
        for opening, closing, name in _MARKUP:
            if text.startswith(opening, start):
                at = _after(text, closing, start + len(opening))
                give(start, at, RefusedError(f"it stands in a {name}"))
                break
        else:
            if text.startswith("<![CDATA[", start):
                at = _after(text, "]]>", start)
                give(start, at, CDATA)
            elif text.startswith("<!", start):
                at = _declaration(text, start)
                give(start, at, RefusedError("it stands in a declaration"))
                if text.find("SYSTEM", start, at) >= 0 or text.find("PUBLIC", start, at) >= 0:
                    # An attribute may be of a type whose spaces do not count (XML 1.0, 3.3.3).
                    attribute = Place(ATTRIBUTE, tokens=True)
            elif start < size:
                at = _tag(text, start, attribute, give)
            else:
                at = size
    return found


def _after(text, closing, start):
    at = text.find(closing, start)
    return len(text) if at < 0 else at + len(closing)


def _declaration(text, start):
    """The offset after the ``<!…>`` that opens at `start`, with its internal subset if any."""
    at, depth = start + 2, 1
    while at < len(text) and depth:
        for opening, closing, _name in _MARKUP:
            if text.startswith(opening, at):
                at = _after(text, closing, at + len(opening))
                break
        else:
            if text[at] in "\"'":
                at = _after(text, text[at], at + 1)
            else:
                depth += (text[at] in "<[") - (text[at] in ">]")
                at += 1
    return at


def _tag(text, start, attribute, give):
    """Give the places in the tag that opens at `start`; return the offset after it."""
    outside = RefusedError("it stands in a tag, outside an attribute's quotes")
    at = start
    while at < len(text):
        char = text[at]
        if char in "\"'":
            end = text.find(char, at + 1)
            if end < 0:
                give(at, len(text), RefusedError("no quote closes this attribute"))
                return len(text)
            give(at, end, attribute)
            at = end + 1
        else:
            give(at, at + 1, outside)
            at += 1
            if char == ">":
                break
    return at


def encode(value, place):
    """`value` as character data; RefusedError if it is not UTF-8 or holds what XML 1.0 forbids.

    The source of what is forbidden is the production Char of XML 1.0: no control character but
    tab, LF and CR, no U+FFFE and U+FFFF, not even as references.
    """
    text = utf8(value)
    if place == CDATA:
        return _cdata(text).encode("utf-8")
    escaped = "".join(map(_escape, text))
    if place == ATTRIBUTE:
        # A parser turns these into spaces in an attribute, unless they are references.
        escaped = escaped.replace("\t", "&#9;").replace("\n", "&#10;")
        if place.tokens and ("  " in text or text != text.strip(" ")):
            raise RefusedError(
                "it begins or ends with a space or holds two in a row, and the DTD that the "
                "document names may have them dropped from this attribute; put it into an element"
            )
    return escaped.encode("ascii")


def _cdata(text):
    """`text` in CDATA, where nothing can be escaped: what must be stands between two sections."""
    written, inside, before = "", True, "]"
    for at, char in enumerate(text):
        # `]]>` would end the section; the template may have a part of it beside the value.
        ends = (char == ">" and before == "]") or (char == "]" and at == len(text) - 1)
        plain = not ends and (" " <= char <= "~" or char in "\t\n")
        if plain != inside:
            written += "<![CDATA[" if plain else "]]>"
        written += char if plain else f"&#{ord(char)};" if ends else _escape(char)
        inside, before = plain, char
    if not text:
        return "]]><![CDATA["
    return written if inside else written + "<![CDATA["


def _escape(char):
    if " " <= char <= "~" or char in "\t\n":
        return f"&#{ord(char)};" if char in "&<>\"'" else char
    if (char < " " and char != "\r") or char in "\ufffe\uffff":
        raise RefusedError("it holds a control character, which XML cannot write")
    return f"&#{ord(char)};"


def parse(data):
    """XML `data` as a flat list: each event that the parser reports, and the text after it."""
    from xml.parsers import expat

    events = [["document", ""]]

    def text(data):
        events[-1][-1] += data

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.ordered_attributes = True
    parser.StartElementHandler = lambda name, attributes: events.append([name, *attributes, ""])
    parser.EndElementHandler = lambda name: events.append(["/" + name, ""])
    parser.CharacterDataHandler = text
    parser.CommentHandler = lambda comment: events.append(["comment", comment, ""])
    parser.ProcessingInstructionHandler = lambda name, rest: events.append(["?", name, rest, ""])
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise RefusedError(f"not XML at line {error.lineno}: {reason}") from None
    return events

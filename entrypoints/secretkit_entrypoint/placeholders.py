"""Placeholders: ``<<name>>`` and ``<<name|filter>>`` in a text.

The same text may hold here-documents, bit shifts or YAML merge keys, so a placeholder is exactly
``<<``, a name of ASCII letters, digits, ``-``, ``_`` and ``.``, perhaps a JSON pointer
(``#/user``), any filters, ``>>``: no spaces, on one line, and not after a third ``<``.
"""

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_NO_POINTER = frozenset(" <>|\"'\\")
LONGEST = 600  # a secret's name has at most 255 bytes; the search for `>>` goes no further


class Mark:
    """One place where a template wants a value.

    `kind` is "secret" or "env", `filters` the tuple of filter names as written, `start` and `end`
    offsets in the text, `line` and `column` where it starts, from 1 and in characters.
    """

    __slots__ = ("column", "end", "filters", "kind", "line", "name", "start")

    def __init__(self, kind, name, filters, start, end):
        self.kind = kind
        self.name = name
        self.filters = filters
        self.start = start
        self.end = end
        self.line = self.column = 0


def scan(text):
    """The placeholders of `text` (str), in order: a list of Mark. Unknown filters are kept."""
    marks = []
    start = text.find("<<")
    while start >= 0:
        end = text.find(">>", start + 2, start + LONGEST)
        if end < 0:
            start = text.find("<<", start + 2)
            continue
        name, *filters = text[start + 2 : end].split("|")
        if is_reference(name) and all(map(_is_filter, filters)) and text[start - 1 : start] != "<":
            marks.append(Mark("secret", name, tuple(filters), start, end + 2))
            start = text.find("<<", end + 2)
        else:
            start = text.find("<<", start + 1)
    return locate(text, marks)


def near_misses(text):
    """What would be a placeholder but for spaces inside, as in ``<< db-password >>``.

    Such text stays as it is (it may be ``x << y >> z``) unless a secret of that name exists:
    that is for the caller to look up. A list of Mark.
    """
    marks = []
    start = text.find("<<")
    while start >= 0:
        end = text.find(">>", start + 2, start + LONGEST)
        body = text[start + 2 : end] if end >= 0 else ""
        name = body.partition("|")[0].strip(" \t")
        if is_reference(name) and body != body.strip(" \t") and text[start - 1 : start] != "<":
            marks.append(Mark("secret", name, (), start, end + 2))
        start = text.find("<<", start + 1)
    return locate(text, marks)


def is_name(name):
    """Whether `name` can name a secret in a template."""
    return name != "" and _NAME.issuperset(name) and name[0] not in "-."


def is_reference(text):
    """Whether `text` is such a name, perhaps with a pointer into JSON behind it (RFC 6901).

    A pointer with spaces or quotes, ``<``, ``>``, ``|`` or a backslash is left to Jinja2.
    """
    name, _, pointer = text.partition("#")
    return is_name(name) and pointer.isprintable() and _NO_POINTER.isdisjoint(pointer)


def _is_filter(name):
    return name != "" and _NAME.issuperset(name)


def locate(text, marks):
    """Fill in line and column of `marks`, which are in the order of the text; return them."""
    line, seen = 1, 0
    for mark in marks:
        line += text.count("\n", seen, mark.start)
        seen = mark.start
        mark.line = line
        mark.column = seen - text.rfind("\n", 0, seen)
    return marks

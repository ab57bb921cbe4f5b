"""Jinja2 templates that need no Jinja2: only ``{{ name }}``, items of ``secrets`` and ``env``.

What this module accepts means exactly the same to Jinja2 (a test renders both ways); anything
else is left to `secretkit_entrypoint.jinja`. Importing Jinja2 takes longer than everything else
that the shim does.
"""

from .placeholders import LONGEST, Mark, is_name, is_reference, locate

# Names that mean something else to Jinja2, or are its own: left to it.
_RESERVED = frozenset(
    ("and", "caller", "cycler", "dict", "else", "env", "false", "False", "if", "in", "is", "joiner")
    + ("kwargs", "lipsum", "loop", "namespace", "none", "None", "not", "or", "range", "secrets")
    + ("self", "super", "true", "True", "varargs")
)


def newlines(text):
    """`text` (str) as Jinja2 sees it: one kind of line end, and that is ``(text, line end)``.

    Jinja2 writes one kind for all (`newline_sequence`): CRLF if the template has any.
    """
    if "\r" not in text:
        return text, "\n"
    ending = "\r\n" if "\r\n" in text else "\n"
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return (text.replace("\n", ending), ending)


def scan(text):
    """The expressions of `text` as a list of Mark, or None if it needs Jinja2 itself."""
    if "{%" in text or "{#" in text:
        return None
    marks = []
    start = text.find("{{")
    while start >= 0:
        end = text.find("}}", start + 2)
        mark = _mark(text[start + 2 : end], start, end + 2) if end >= 0 else None
        if mark is None:
            return None
        marks.append(mark)
        start = text.find("{{", end + 2)
    return locate(text, marks)


def lookalikes(text):
    """What would be a secret's expression, were `text` a Jinja2 template: a list of Mark."""
    marks = []
    start = text.find("{{")
    while start >= 0:
        end = text.find("}}", start + 2, start + LONGEST)
        mark = _mark(text[start + 2 : end], start, end + 2) if end >= 0 else None
        if mark is not None and mark.kind == "secret":
            marks.append(mark)
        start = text.find("{{", start + 2)
    return locate(text, marks)


def _mark(body, start, end):
    name, *filters = [part.strip() for part in body.split("|")]
    if filters:
        from .filters import names

        if not set(filters).issubset(names()):
            return None
    kind = "secret"
    if name.startswith(("secrets", "env")) and not _identifier(name):
        kind = "secret" if name.startswith("secrets") else "env"
        name = _item(name[len("secrets" if kind == "secret" else "env") :])
        if name is None:
            return None
    elif not _identifier(name) or name in _RESERVED:
        return None
    return Mark(kind, name, tuple(filters), start, end)


def _identifier(name):
    return is_name(name) and name.isidentifier()


def _item(access):
    """The name in ``["name"]``, ``['name']`` or ``.name``; None if it is not one of these."""
    if access[:1] == ".":
        # Jinja2 prefers an attribute of the mapping: .items, .get, .pop ...
        return access[1:] if _identifier(access[1:]) and not hasattr(dict, access[1:]) else None
    if access[:2] in ('["', "['") and access[-2:] == access[1] + "]" and is_reference(access[2:-2]):
        return access[2:-2]
    return None

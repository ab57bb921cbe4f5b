"""nginx.conf, as nginx reads it: parameters, blocks and comments (ngx_conf_file.c).

Both kinds of quotes know the same escapes, so any value but NUL can be written. nginx then expands
``$`` in the parameters of most directives and has no escape for it; only the values of a ``geo``
block are never expanded. Others read a parameter again, as a pattern, a path, a program: a value
stands only in those that are known to take it.
"""

import re

from . import MARK, PART, Place, RefusedError

ALONE = "set $name \0;"

DOUBLE = "inside double quotes"
SINGLE = "inside single quotes"
BARE = "bare"

_SPACE = " \t\r\n"
_LIMIT = 4000  # bytes of one parameter as written; nginx has a buffer of 4096 (NGX_CONF_BUFFER)
_TOO_LONG = f"it is too long: nginx takes about {_LIMIT} bytes in one parameter"

# Directives that take a parameter as it is, but for `$`, and which one that is.
_TAKES = dict.fromkeys(
    (
        *("add_header", "add_trailer", "auth_http_header", "auth_request_set", "fastcgi_param"),
        *("grpc_set_header", "proxy_set_header", "return", "scgi_param", "set", "sub_filter"),
        "uwsgi_param",
    ),
    2,
)
_TAKES.update(dict.fromkeys(("proxy_set_body", "secure_link_md5", "secure_link_secret"), 1))
# What has a meaning of its own in these blocks, in place of a key.
_IN_BLOCKS = {"geo": ("delete", "include", "proxy"), "map": ("include",)}
_REMEDY = 'write geo $name { default "<<...>>"; } and use ${name} here'
_QUOTES = {'"': DOUBLE, "'": SINGLE}
_ESCAPE = re.compile(r"\\.", re.DOTALL)
# `${` begins no block. Behind a quoted word nginx wants a space, the end or a parenthesis.
_WORDS = {
    BARE: re.compile(r"((?:\$\{?|\\.|[^ \t\r\n;{$\\])+)(?=[ \t\r\n;{])", re.DOTALL),
    DOUBLE: re.compile(r'"((?:\\.|[^"\\])*)"(?=[ \t\r\n;{)])', re.DOTALL),
    SINGLE: re.compile(r"'((?:\\.|[^'\\])*)'(?=[ \t\r\n;{)])", re.DOTALL),
}
# A reference that goes on into what follows: `$`, `$name` or `${name` at the end.
_OPEN_VARIABLE = re.compile(r"\$(\w*|\{[^}]*)\Z", re.ASCII)


def places(text):
    """The place of each MARK: one of the constants, PART, or RefusedError."""
    found = {}  # by offset, because comments stand between the words of a directive
    blocks = [""]  # names of the directives whose blocks are open
    words = []
    at = 0
    while at < len(text):
        char = text[at]
        if char in _SPACE:
            at += 1
        elif char == "#":
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            if MARK in text[at:end]:
                comment = RefusedError("it stands in a comment")
                found.update((mark, comment) for mark in _marks(text, at, end))
            at = end
        elif char in ";{}":
            for index in range(len(words)):
                found.update(_word(words, index, blocks[-1]))
            if char == "{":
                blocks.append(words[0].text if words else "")
                if blocks[-1].endswith("_block"):
                    words = []
                    break  # Lua, which has quotes and comments of its own
            elif char == "}" and len(blocks) > 1:
                blocks.pop()
            words = []
            at += 1
        else:
            words.append(_Word(text, at))
            at = words[-1].end
            if at < 0:
                break
    lost = RefusedError(
        "it stands in or behind a block of Lua, or what nginx cannot read: no quote or `;` ends it"
    )
    return [found.get(mark, lost) for mark in _marks(text, 0, len(text))]


def _marks(text, start, end):
    """The offsets of every MARK in a part of `text`."""
    return [at for at in range(start, end) if text[at] == MARK]


class _Word:
    """A parameter that begins at `start`: its `text` without quotes, as written.

    `quotes` is a constant, `first` the offset of its text, `end` the offset behind it (-1: nginx
    cannot read it).
    """

    def __init__(self, text, start):
        self.quotes = _QUOTES.get(text[start], BARE)
        word = _WORDS[self.quotes].match(text, start)
        self.text = word[1] if word else ""
        self.first = start + (self.quotes != BARE)
        self.end = word.end() if word else -1


def _refused(words, index, block):
    """Why no value can stand in the word `words[index]` of a directive in the block of directive
    `block`, as RefusedError; None if one can.
    """
    name = words[0].text
    if index == 0:
        return RefusedError(
            "it stands in the name of a directive, or in a key of a map or geo block"
        )
    if name == "if":
        around = [word.text for word in words[index - 1 : index] + words[index + 1 :]]
        if around not in (["=", ")"], ["!=", ")"]):
            return RefusedError('a condition takes a value only in quotes, as in ($name = "...")')
    elif block in _IN_BLOCKS:
        if name in _IN_BLOCKS[block] or index > 1:
            return RefusedError(f"it is no value of a {block} block")
    elif _TAKES.get(name) != index:
        return RefusedError(
            f"it stands where nginx is not known to take it as it is; {_REMEDY}, or |raw"
        )
    return None


def _word(words, index, block):
    """(offset, place) of each MARK in `words[index]` of a directive in the block of `block`."""
    literal = block == "geo"  # nginx leaves a `$` alone there
    word = words[index]
    count = word.text.count(MARK)
    if not count:
        return []
    room = (_LIMIT - len(word.text.encode("utf-8", "replace"))) // count
    refused = _refused(words, index, block)
    if refused is None and room <= 0:
        refused = RefusedError(_TOO_LONG)
    escaped = [escape.end() - 1 for escape in _ESCAPE.finditer(word.text)]
    found = []
    for at in _marks(word.text, 0, len(word.text)):
        if refused:
            place = refused
        elif at in escaped:
            place = RefusedError("a backslash stands before it")
        elif not literal and _OPEN_VARIABLE.search(word.text, 0, at):
            place = RefusedError("a variable stands before it; write ${name}")
        elif word.quotes == BARE and word.text != MARK:
            place = PART
        else:
            place = Place(word.quotes, literal=literal, room=room)
        found.append((word.first + at, place))
    return found


def encode(value, place):
    """`value` as (part of) a parameter. RefusedError for NUL, `$`, and what is too long."""
    if b"\0" in value:
        raise RefusedError("it holds a NUL, which nginx cannot")
    if b"$" in value and not place.literal:
        raise RefusedError(
            f"it holds a `$`, which nginx would expand here and cannot escape; {_REMEDY}"
        )
    for char, letter in ((b"\\", b"\\"), (b"\t", b"t"), (b"\r", b"r"), (b"\n", b"n")):
        value = value.replace(char, b"\\" + letter)
    quote = b"'" if place == SINGLE else b'"'
    value = value.replace(quote, b"\\" + quote)
    if len(value) > place.room:
        raise RefusedError(_TOO_LONG)
    return quote + value + quote if place == BARE else value

"""References: a value inside a secret, `SECRET[#/pointer][|base64d]`.

`db#/user` is a value in a secret that is JSON, found by a pointer (RFC 6901); `cert|base64d` is a
secret that was stored as base64 (RFC 4648, section 4), as bytes. Both may stand together.
"""

import json
from binascii import Error, a2b_base64, b2a_base64
from functools import lru_cache

from .config import RepeatedKeyError, unique
from .errors import ShimError, did_you_mean, show
from .mount import without_newline

DECODE = b"|base64d"


def secret(reference):
    """The name (bytes) of the secret that a reference is about: all before the first `#` or `|`."""
    return reference.partition(b"#")[0].partition(b"|")[0]


def resolve(read, reference):
    """The value (bytes) that a reference stands for; `read` gives the content of a secret by name.

    A whole secret keeps its last line end; a value from JSON has what is written in it. Of an
    empty secret every part is empty. Raises ShimError, whose lines hold no content.
    """
    name = secret(reference)
    content = read(name)
    # Only now may a message repeat the reference: it does begin with the name of a secret.
    rest = reference[len(name) :]
    decode = rest.endswith(DECODE)
    if decode:
        rest = rest[: -len(DECODE)]
    what = f"secret {show(name + rest)}"
    if rest[:1] == b"|":
        raise ShimError(f"{what}: there is no such filter: only |base64d can stand there")
    if rest[1:2] not in (b"", b"/"):
        raise ShimError(f"{what}: a pointer begins with `/`: write {show(name)}#/{show(rest[1:])}")
    if not without_newline(content):
        return b""
    if rest:
        content = member(parse(content, show(name)), rest[1:], what, reference)
    return base64d(content, what) if decode else content


def base64d(text, what):
    """The bytes that `text` (base64 in bytes, perhaps wrapped in lines) encodes.

    `what` (str) begins the message of the ShimError for text that no encoder writes.
    """
    text = text.translate(None, b" \t\r\n")
    try:
        value = a2b_base64(text)
    except Error:
        value = None
    # a2b_base64 skips what is not in the alphabet, and bits that stand for nothing.
    if value is None or b2a_base64(value, newline=False) != text:
        raise ShimError(
            f"{what}: it is not base64 (RFC 4648, section 4, with padding): store it so, or leave "
            "out |base64d"
        )
    return value


@lru_cache(maxsize=16)
def parse(content, name):
    """A JSON document: numbers as they are written, in bytes, so that none is rounded."""
    try:
        return json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=unique,
            parse_int=str.encode,
            parse_float=str.encode,
            parse_constant=refuse,
        )
    except RepeatedKeyError:
        problem = "a key stands twice in one object"
    except json.JSONDecodeError as error:
        # Neither the parser's words nor the column: they tell of the content.
        problem = f"it is not JSON (line {error.lineno})"
    except ValueError:  # not UTF-8, half a character, NaN
        problem = "it is not JSON"
    except RecursionError:
        problem = "it is nested too deeply"
    raise ShimError(f"secret {name}: {problem}, so no pointer leads into it: mend the secret")


def refuse(_constant):
    """For NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError


def member(place, pointer, what, reference):
    """The value (bytes) to which a pointer (bytes) leads in a document: text, number or truth."""
    tokens = pointer.split(b"/")[1:]
    for depth, token in enumerate(tokens):
        key = token.decode("utf-8", "surrogateescape")
        if "~" in key.replace("~0", "").replace("~1", ""):
            raise ShimError(f"{what}: in a pointer `~` is written ~0, and `/` in a key ~1")
        key = key.replace("~1", "/").replace("~0", "~")
        if isinstance(place, dict) and key in place:
            place = place[key]
        elif isinstance(place, list) and is_index(token) and int(token) < len(place):
            place = place[int(token)]
        else:
            near = hint(token, place, tokens[:depth]) if isinstance(place, dict) else ""
            raise missing(f"{what}: the pointer leads nowhere{near}", reference)
    if place is None:
        raise missing(f"{what}: it is null", reference)
    if isinstance(place, (dict, list)):
        kind = "an object" if isinstance(place, dict) else "an array"
        raise ShimError(f"{what}: it is {kind}: name a value in it, or make it a secret of its own")
    if isinstance(place, bool):
        return b"true" if place else b"false"
    if isinstance(place, bytes):
        return place
    try:
        return place.encode()
    except UnicodeEncodeError:
        problem = "it has half a character (such as \\ud800), which no encoding can express"
    raise ShimError(f"{what}: {problem}: mend the secret")


def is_index(token):
    """Whether a token (bytes) is an array's index by RFC 6901; what is longer exists nowhere."""
    return token.isdigit() and len(token) < 8 and (token == b"0" or token[:1] != b"0")


def missing(problem, reference):
    return ShimError(f"{problem}: correct it, or say --optional {show(reference)}", missing=True)


def hint(token, place, tokens):
    """The key of an object that is nearly `token`, as a pointer.

    It shows no more than was written already: another key stays out of the message.
    """
    prefix = "".join("/" + show(other) for other in tokens) + "/"
    keys = [key.replace("~", "~0").replace("/", "~1") for key in place]
    known = [show(key.encode("utf-8", "backslashreplace")) for key in keys]
    return did_you_mean(show(token), known, prefix)

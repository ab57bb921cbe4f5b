"""A value in a secret that is JSON, found by a pointer (RFC 6901)."""

import json
from functools import lru_cache

from .config import RepeatedKeyError, unique
from .errors import ShimError, did_you_mean, show


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

"""References: a value inside a secret, `SECRET[#/pointer][|base64d]`.

`db#/user` is a value in a secret that is JSON, found by a pointer (RFC 6901); `cert|base64d` is a
secret that was stored as base64 (RFC 4648, section 4), as bytes. Both may stand together.
"""

from binascii import Error, a2b_base64, b2a_base64

from .errors import ShimError, show
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
        from .pointers import member, parse

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

"""Variable files of Docker Compose (``env_file:`` and ``.env``), as its versions read them alike.

Version 1 reads them with python-dotenv, version 2 with a parser of its own, which has changed over
time. The spelling is chosen by the value: nothing around harmless characters, else single quotes,
else double quotes; what no spelling gives to all of them is refused.
"""

from . import RefusedError, utf8
from .env import ALONE, BARE, DOUBLE, HARMLESS, SINGLE, places

__all__ = ["ALONE", "encode", "places"]


def encode(value, place):
    """`value` in the first spelling that all versions agree about; RefusedError if none is."""
    text = utf8(value)
    if "\0" in text:
        raise RefusedError("it holds a NUL, which a variable file cannot")
    if "${" in text:
        raise RefusedError("it holds `${`, which version 1 expands even in quotes")
    if place == BARE and HARMLESS.issuperset(text):
        return value
    # In single quotes only version 1 knows \\, and about \' the versions 2 disagree. A `$` at the
    # end may have a brace after it in the template.
    single = "'" not in text and "\\\\" not in text and text[-1:] != "\\" and "\r" not in text
    if place == SINGLE and text[-1:] == "$":
        single = False
    if single and place in (BARE, SINGLE):
        return f"'{text}'".encode() if place == BARE else value
    # In double quotes version 2 expands $, and early ones lose the end of \\" and \"".
    if "$" not in text and text[-1:] not in ("\\", '"') and place in (BARE, DOUBLE):
        for char, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
            text = text.replace(char, escaped)
        return (f'"{text}"' if place == BARE else text).encode()
    if place == BARE:
        raise RefusedError(
            "it needs single quotes and double ones, and no spelling of that is read alike by all "
            "versions of Compose"
        )
    raise RefusedError(f"versions disagree about a character of it {place}; remove the quotes")

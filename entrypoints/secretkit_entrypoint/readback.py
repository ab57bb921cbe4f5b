"""Read a rendered file back with the format's own parser before it goes live.

The text is parsed twice, with the values and with a stand-in for each. Once the stand-ins in the
second are replaced by the values, both must be equal: then every value is where it belongs and
changed nothing around it.
"""

from .formats import PART, RefusedError
from .render import join


def read_back(module, literals, outputs, places, written):
    """Raise RefusedError unless the text reads back with the values of `outputs` in their places.

    `module` is a format with `parse`; `written` holds the encoded values (list of bytes). What
    came through |raw is the template author's: it must parse, and is not compared.
    """
    raw = [output.raw for output in outputs]
    wanted = [
        "" if is_raw else output.value.decode("utf-8", "surrogateescape")
        for output, is_raw in zip(outputs, raw)
    ]
    prefix = "standin"
    while any(prefix in text for text in literals + wanted):
        prefix += "x"
    tokens = [f"{prefix}{number}z" for number in range(len(outputs))]
    twins = [
        value if is_raw or place == PART else module.encode(token.encode(), place)
        for value, is_raw, place, token in zip(written, raw, places, tokens)
    ]
    expected = module.parse(join(literals, twins))
    values = dict(zip(tokens, wanted))

    def fill(node):
        if isinstance(node, list):
            return [fill(item) for item in node]
        if isinstance(node, str) and prefix in node:
            return _fill(node, prefix, values)
        return node

    try:
        actual = module.parse(join(literals, written))
        same = fill(expected) == actual
    except RefusedError as refused:
        raise RefusedError(f"the values make it {refused}") from None
    except RecursionError:
        raise RefusedError("it is nested too deeply to be read back") from None
    if not same:
        raise RefusedError("it does not read back as it was written")


def _fill(text, prefix, values):
    first, *rest = text.split(prefix)
    filled = [first]
    for piece in rest:
        number, _z, literal = piece.partition("z")
        filled += [values[f"{prefix}{number}z"], literal]
    return "".join(filled)

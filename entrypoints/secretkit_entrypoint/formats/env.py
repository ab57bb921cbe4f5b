"""Variable files (dotenv), for what python-dotenv and a shell's ``.`` read alike.

These readers agree on little, so the spelling is chosen by the value: nothing around harmless
characters, else single quotes, else double quotes; what no spelling gives to both is refused. So is
what stands below a line that is no NAME=value, because it is code for a shell.
"""

from . import MARK, ODD_LINES, PART, RefusedError, double_quoted, odd_lines, utf8
from .shell_names import SPECIAL, is_special

ALONE = "NAME=\0"

BARE = "bare"
SINGLE = "inside single quotes"
DOUBLE = "inside double quotes"

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
HARMLESS = _NAME | frozenset("-./:@%+,=")
_EXPANDED = _NAME | frozenset("{([*@#?!$-")  # what makes an expansion of the `$` before it
_CODE = frozenset("'\"`\\;&|<>() \t")  # what does not stand for itself in an unquoted value
_QUOTE = "write NAME=<<...>> alone, or use |url"


def places(text):
    """The place of each MARK: one of the constants, PART, or RefusedError."""
    if odd_lines(text):
        return [RefusedError(ODD_LINES)] * text.count(MARK)
    found = []
    lost = None  # once set, all that follows is refused
    for line in text.replace("\r\n", "\n").split("\n"):
        line = line.lstrip(" \t")  # noqa: PLW2901 - as its readers see it
        line_places = _line(line)
        found += [lost] * len(line_places) if lost else line_places
        if not lost and line and line[0] != "#" and not _is_plain(line):
            lost = RefusedError(
                "a line above is more than a NAME=value or a comment: shells may run it as code, "
                "and readers disagree about where it ends"
            )
    return found


def _split(line):
    """The name and the value in ``NAME=value``; the name is "" if it is none."""
    if line.startswith(("export ", "export\t")):
        line = line[7:].lstrip(" \t")
    name, equals, value = line.partition("=")
    if not equals or not name or not _NAME.issuperset(name) or name[0].isdigit():
        name = ""
    return name, value


def _is_plain(line):
    """Whether shells take the line for an assignment that has no effect on how others are read."""
    name, value = _split(line)
    if not name or "$(" in value or "$[" in value or "`" in value:
        return False
    for expansion in value.split("${")[1:]:
        variable, brace, _rest = expansion.partition("}")
        if not brace or not _NAME.issuperset(variable):
            return False
    if value[:1] in ("'", '"'):
        return _after_quotes(value) > 0
    return _CODE.isdisjoint(value.replace("\t", " ").partition(" #")[0].rstrip(" "))


def _line(line):
    """The places of a line, as a list."""
    marks = line.count(MARK)
    place = _place(line) if marks else []
    return place if isinstance(place, list) else [place] * marks


def _place(line):
    if line[:1] == "#":
        return RefusedError("it stands in a comment")
    name, value = _split(line)
    if not name or value[:1] in (" ", "\t"):
        return RefusedError("it does not stand in a NAME=value, without spaces around the `=`")
    if is_special(name):
        return RefusedError(SPECIAL.format(name))
    if value[0] in "\"'":
        return _quoted(value)
    value = value.rstrip(" \t")
    if value == MARK:
        return BARE
    if (HARMLESS | {MARK}).issuperset(value):
        return PART
    return RefusedError(
        f"it stands beside unquoted text that shells do not take literally; {_QUOTE}"
    )


def _after_quotes(value):
    """The offset after the quotes that `value` begins with; -1 unless the line ends with them,
    or with a comment.
    """
    single = value[0] == "'"
    end = (value.find("'", 1) + 1) if single else double_quoted(value, 0, {})[0]
    rest = value[end:].lstrip(" \t")
    if end > 0 and (rest == "" or (rest[0] == "#" and value[end] in " \t")):
        return end
    return -1


def _quoted(value):
    """The places in a value that begins with a quote: a list, or one RefusedError for all."""
    end = _after_quotes(value)
    if end < 0:
        return RefusedError("no quote closes this value, or other text follows it")
    inside = value[1 : end - 1].replace(MARK, "")
    if "\\" in inside or "$" in inside or "`" in inside:
        return RefusedError(
            "it stands beside a backslash, `$` or backquote, and readers disagree about these"
        )
    in_comment = [RefusedError("it stands in a comment")] * value.count(MARK, end)
    place = SINGLE if value[0] == "'" else DOUBLE
    return [place] * value.count(MARK, 0, end) + in_comment


def encode(value, place):
    """`value` in the first spelling that all readers agree about; RefusedError if there is none."""
    text = utf8(value)
    if "\n" in text or "\r" in text or "\0" in text:
        raise RefusedError("it holds a line break or a NUL, which a variable file cannot")
    if "${" in text:
        raise RefusedError("it holds `${`, which python-dotenv expands even in quotes")
    if place == BARE and HARMLESS.issuperset(text):
        return value
    # python-dotenv knows \\ and \' inside single quotes, a shell knows no escapes there.
    single = "'" not in text and "\\\\" not in text and not text.endswith("\\")
    if place == SINGLE and text.endswith("$"):
        single = False  # a brace may follow in the template
    # Inside double quotes a shell needs \$ and \`, python-dotenv keeps their backslash.
    expands = any(
        char == "$" and text[at + 1 : at + 2] in _EXPANDED for at, char in enumerate(text)
    )
    double = "`" not in text and not expands
    if place == DOUBLE and text.endswith("$"):
        double = False
    if single and place in (BARE, SINGLE):
        return f"'{text}'".encode() if place == BARE else value
    if double and place in (BARE, DOUBLE):
        text = text.replace("\\", "\\\\").replace('"', '\\"')
        return (f'"{text}"' if place == BARE else text).encode()
    if place == BARE:
        raise RefusedError(
            "it holds quotes or backslashes together with `$` or a backquote, and no spelling of "
            "that is read alike by shells and dotenv readers"
        )
    raise RefusedError(f"readers disagree about a character of it {place}; remove the quotes")

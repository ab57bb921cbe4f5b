"""INI, as Python's configparser reads it without interpolation.

A value is the rest of its line without the spaces around it. There are no escapes, so what would
be read differently is refused. Inside quotes readers disagree (configparser keeps the quotes as
part of the value), so there only what all of them read alike is written.
"""

from . import MARK, ODD_LINES, RefusedError, odd_lines, utf8

ALONE = "name=\0"

WHOLE = "whole value"
START = "start of a value"
END = "end of a value"
MIDDLE = "middle of a value"
DOUBLE = "inside double quotes"
SINGLE = "inside single quotes"

_SECTION = "secretkit"  # before the first header, for readers that need none


def places(text):
    """The place of each MARK: one of the constants, or RefusedError outside of values."""
    if odd_lines(text):
        return [RefusedError(ODD_LINES)] * text.count(MARK)
    found = []
    option_indent = None
    for line in text.split("\n"):
        content = line.strip()
        indent = len(line) - len(line.lstrip())
        if content == "":
            continue
        if content[0] in "#;":
            place = RefusedError("it stands in a comment")
        elif option_indent is not None and indent > option_indent:
            place = RefusedError(
                "it stands in a value of several lines; write the value on one line"
            )
        elif content[0] == "[":
            option_indent = None
            place = RefusedError("it stands in a section header")
        else:
            option_indent = indent
            found += _option(content)
            continue
        if MARK in content:
            found += [place] * content.count(MARK)
    return found


def _option(content):
    ends = [at for at in (content.find("="), content.find(":")) if at >= 0]
    name_end = min(ends) if ends else len(content)
    found = [RefusedError("it stands in the name of an option")] * content.count(MARK, 0, name_end)
    value = content[name_end + 1 :].strip()
    at = value.find(MARK)
    while at >= 0:
        quote = value[0]
        if quote in "\"'" and value.count(quote, 0, at) % 2:
            found.append(DOUBLE if quote == '"' else SINGLE)
        elif value == MARK:
            found.append(WHOLE)
        elif at == 0:
            found.append(START)
        else:
            found.append(END if at == len(value) - 1 else MIDDLE)
        at = value.find(MARK, at + 1)
    return found


def encode(value, place):
    """`value` as it is; RefusedError if a reader would see another one."""
    text = utf8(value)
    if "\n" in text or "\r" in text or "\0" in text:
        raise RefusedError("it holds a line break or a NUL, which INI cannot")
    if place in (DOUBLE, SINGLE):
        if "\\" in text or ('"' if place == DOUBLE else "'") in text:
            raise RefusedError(
                "it holds a backslash or the quote that it stands in, and readers of INI disagree "
                "about these; remove the quotes in the template"
            )
    elif (place in (WHOLE, START) and text != text.lstrip()) or (
        place in (WHOLE, END) and text != text.rstrip()
    ):
        raise RefusedError("it begins or ends with a space, which INI drops")
    return value


def parse(data):
    """INI `data` as lists of sections and options."""
    import configparser

    parser = configparser.RawConfigParser(
        allow_no_value=True, strict=False, default_section=None, interpolation=None
    )
    parser.optionxform = str
    try:
        parser.read_string(f"[{_SECTION}]\n{data.decode('utf-8-sig')}")
    except configparser.ParsingError as error:
        # Its message would quote the line.
        raise RefusedError(f"not INI at line {error.errors[0][0] - 1}") from None
    except (configparser.Error, AttributeError) as error:
        # AttributeError: an option without a value that goes on below (before Python 3.13).
        raise RefusedError(f"not INI: {type(error).__name__}") from None
    except UnicodeDecodeError:
        raise RefusedError("not INI: not UTF-8 text") from None
    return [
        [name, [[option, value or ""] for option, value in parser.items(name)]]
        for name in parser.sections()
    ]

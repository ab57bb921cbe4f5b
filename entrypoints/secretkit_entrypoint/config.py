"""The config file: one JSON object with the keys of options.KINDS."""

import json

from .errors import ShimError, did_you_mean, show
from .mount import read_path
from .options import ENTRY, FLAG, KINDS, LIST, NUMBERS, PAIRS, TEXT


def read(path):
    """A level from the config file at `path` (bytes).

    Raises ShimError with every key that is unknown or has the wrong type.
    """
    file = "config " + show(path)
    try:
        table = json.loads(read_path(path, "config").decode("utf-8"), object_pairs_hook=unique)
    except UnicodeDecodeError:
        raise ShimError(f"{file}: is not UTF-8") from None
    except RepeatedKeyError as error:
        raise ShimError(f"{file}: the key {error.args[0]} stands twice") from None
    except json.JSONDecodeError as error:
        place = f":{error.lineno}:{error.colno}"
        raise ShimError(f"{file}{place}: not JSON: {error.msg}") from None
    except SurrogateError as error:
        raise ShimError(f"{file}: {error.args[0]}") from None
    except ValueError:
        raise ShimError(f"{file}: a number in it has too many digits") from None
    except RecursionError:
        raise ShimError(f"{file}: nested too deeply") from None
    if not isinstance(table, dict):
        raise ShimError(f'{file}: must be one JSON object, as in {{"env_all": true}}')
    level, problems = {}, []
    for key, value in table.items():
        try:
            level[key] = convert(key, value)
        except ValueError as error:
            problems.append(f"{file}: {error.args[0]}")
    if problems:
        raise ShimError(*problems)
    return level


class RepeatedKeyError(ValueError):
    """A key that stands twice in one JSON object."""


class SurrogateError(ValueError):
    """A string that stands for no bytes."""


def unique(pairs):
    """A dict of JSON pairs; json itself would silently take the last of two equal keys."""
    table = {}
    for key, value in pairs:
        if key in table:
            raise RepeatedKeyError(show(to_bytes(key)))
        table[key] = value
    return table


def convert(key, value):
    """The value of one key as Settings takes it; raises ValueError with what is wrong."""
    kind = KINDS.get(key)
    name = show(to_bytes(key))
    if kind is None:
        raise ValueError(f"unknown key {name}{did_you_mean(key, KINDS)}")
    if kind == TEXT:
        if key in NUMBERS and isinstance(value, (int, float)) and not isinstance(value, bool):
            return to_bytes(str(value))
        return text(name, value)
    if kind == FLAG:
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false")
        return value
    if kind == PAIRS:
        if not isinstance(value, dict):
            raise ValueError(f"{name} must be an object of variables and secrets")
        return {text(name, k): text(f"{name}.{k}", v) for k, v in value.items()}
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list")
    if kind == LIST:
        return [text(name, item) for item in value]
    return [entry(ENTRY[key], f"{name}[{number}]", item) for number, item in enumerate(value)]


def entry(kind, name, table):
    """One Entry of a `kind`, such as one of `render`."""
    if not isinstance(table, dict):
        raise ValueError(f"{name} must be an object with {' and '.join(kind.REQUIRED)}")
    known = kind.REQUIRED + kind.OPTIONAL
    for key in table:
        if key not in known:
            close = did_you_mean(key, known)
            raise ValueError(f"{name}: unknown key {show(to_bytes(key))}{close}")
    for key in kind.REQUIRED:
        if key not in table:
            raise ValueError(f"{name}: {key} is missing")
    if isinstance(table.get("mode"), int):
        raise ValueError(f'{name}.mode must be in quotes, octal: "0400"')
    made = kind()
    for key, value in table.items():
        setattr(made, key, text(f"{name}.{key}", value))
    return made


def text(name, value):
    """A string as bytes, not empty."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError(f"{name} must be a string: write the number in quotes")
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be a string that is not empty")
    if "\0" in value:
        raise ValueError(f"{name} must not hold a NUL")
    return to_bytes(value)


def to_bytes(value):
    # Lone surrogates, which JSON can spell, stand for bytes that are no UTF-8, as in sys.argv.
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise SurrogateError("a string in it has half a character (such as \\ud800)") from None

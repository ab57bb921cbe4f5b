"""Names of secrets, object names and variables: parse, format, refuse."""

from __future__ import annotations

import re

from .errors import InvalidNameError, InvalidValueError

# Swarm's own grammar for the name of a secret (moby, manager/controlapi/secret.go), and its limit.
_GRAMMAR = r"[a-zA-Z0-9]+(?:[a-zA-Z0-9-_.]*[a-zA-Z0-9])?"
_OBJECT_NAME = r"(?P<name>.+)-v(?P<number>[0-9]+)"
OBJECT_NAME_LENGTH = 64
# Room for the suffix of any version up to -v9999.
NAME_LENGTH = OBJECT_NAME_LENGTH - len("-v9999")
# What a Swarm secret may hold: 1 to 511 999 bytes (measured: 512 000 is answered with 400).
VALUE_LENGTH = 511_999
# What a Swarm config may hold (swarmkit, manager/controlapi/config.go: below 1000 KiB).
CONFIG_LENGTH = 1_023_999


def check_name(name: str) -> str:
    """Return `name` if a secret may be called so, else raise InvalidNameError."""
    if not name:
        raise InvalidNameError(name, "it is empty")
    if not re.fullmatch(_GRAMMAR, name):
        raise InvalidNameError(
            name,
            "letters, digits, '-', '_' and '.' only, and a letter or digit at both ends",
            hint="for example db-password",
        )
    if match := re.fullmatch(_OBJECT_NAME, name):
        raise InvalidNameError(
            name,
            f"it looks like the object name of a version of {match['name']}",
            hint=f"versions are numbered by secretkit: name the secret {match['name']}",
        )
    if len(name) > NAME_LENGTH:
        raise InvalidNameError(
            name,
            f"{len(name)} characters, at most {NAME_LENGTH}"
            f" (an object name has {OBJECT_NAME_LENGTH}, with its version suffix)",
        )
    return name


def check_value(name: str, value: bytes, limit: int = VALUE_LENGTH) -> None:
    """Raise InvalidValueError unless `value` is 1 to `limit` bytes (Swarm's measured 511 999)."""
    if not isinstance(value, bytes | bytearray | memoryview):
        raise InvalidValueError(name, f"it is {type(value).__name__}, not bytes")
    if not value:
        raise InvalidValueError(name, "it is empty")
    if len(value) > limit:
        raise InvalidValueError(name, f"{len(value)} bytes, at most {limit}")


def object_name(name: str, number: int) -> str:
    """The name of version `number` inside an engine: `db-password`, `db-password-v2` …

    Raises InvalidNameError if that is longer than the 64 characters an engine takes.
    """
    result = name if number == 1 else f"{name}-v{number}"
    if len(result) > OBJECT_NAME_LENGTH:
        raise InvalidNameError(name, f"its version {number} would need {len(result)} characters")
    return result


def variable_name(name: str) -> str:
    """The environment variable for a secret: `db-password` is `DB_PASSWORD`."""
    return name.replace("-", "_").replace(".", "_").upper()

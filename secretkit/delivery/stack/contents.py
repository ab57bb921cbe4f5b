"""What stack files bring: the content of a secret or config, from where they say that it is."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from ... import mocks, naming
from ...errors import InvalidValueError, MockError, UsageError
from ..documents import PIPES
from .resolve import Resolved, Source


def content_of(one: Resolved, variables: Mapping[str, str]) -> bytes:
    """What the stack brings. Raises UsageError, MockError for a mock: neither repeats any of it."""
    assert one.source is not None  # noqa: S101 - it is given
    limit = naming.CONFIG_LENGTH if one.definition.kind == "config" else naming.VALUE_LENGTH
    content = _read(one, one.source, variables, limit)
    try:
        if len(content) > limit:  # what follows was not read
            raise InvalidValueError(one.name, f"more than {limit} bytes")
        naming.check_value(one.name, content, limit)
    except InvalidValueError as error:
        raise UsageError(
            f"{one.definition.place}: {error}",
            hint=error.hint or f"see what its {one.definition.origin} has",
        ) from None
    definition = one.definition
    mocks.refuse(
        f"{definition.place}: {definition.kind} {one.name} from {definition.origin}",
        content,
        hint="put a real value there; or `external: true`, for one that is rotated",
    )
    return content


def look_into(one: Resolved, variables: Mapping[str, str]) -> None:
    """Raises MockError for a file that docker will read. What it cannot read, it tells itself."""
    if one.source is None or (one.source.path or "").startswith(PIPES):
        return  # a pipe can be read once
    try:
        content_of(one, variables)
    except MockError:
        raise
    except UsageError:
        return


def _read(one: Resolved, source: Source, variables: Mapping[str, str], limit: int) -> bytes:
    place = one.definition.place
    if source.variable is not None:
        if source.variable not in variables:
            raise UsageError(
                f"{place}: the variable {source.variable} is not set",
                hint="set it, or name a file that does: --env-file FILE",
            )
        return os.fsencode(variables[source.variable])
    if source.content is not None:
        return source.content.encode(errors="surrogateescape")  # a variable may be any bytes
    assert source.path is not None  # noqa: S101 - exactly one is given
    try:
        # By open() itself: links as the kernel has them.
        with open(source.path, "rb", opener=_without_waiting) as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode) or source.path.startswith(PIPES):
                return file.read(limit + 1)
            reason = "not a regular file"
    except OSError as error:
        reason = (error.strerror or "I/O error").lower()
    except ValueError:  # a NUL
        reason = "no name of a file"
    raise UsageError(
        f"{place}: cannot read {one.definition.source}, {reason}",
        hint=f"docker looks for it at {source.path}",
    )


def _without_waiting(path: str, flags: int) -> int:
    """Opens a file; a FIFO without its writer, but for a pipe that the user's shell made."""
    return os.open(path, flags if path.startswith(PIPES) else flags | os.O_NONBLOCK)

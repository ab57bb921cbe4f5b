"""The exit codes: one table, which maps errors and is what `help exit-codes` prints."""

from __future__ import annotations

from .. import errors

EXITS: tuple[tuple[int, str, tuple[type[BaseException], ...]], ...] = (
    (0, "done", ()),
    (1, "any other error; interrupted", (errors.SecretkitError,)),
    (2, "usage, invalid name, invalid project file", (errors.UsageError,)),
    (3, "secret, version, service, project or dev folder not found", (errors.NotFoundError,)),
    (
        4,
        "conflict: exists, in use, rotation in progress, concurrent change",
        (errors.ConflictError,),
    ),
    (
        5,
        "engine unreachable, refused, or cannot do it",
        (errors.EngineError, errors.NamespaceError),
    ),
    (6, "a rollout failed; the message says what was rolled back", (errors.RolloutFailedError,)),
    (
        7,
        "the store is locked by a wrong key, tampered with, or damaged",
        (errors.StoreError,),
    ),
)
USAGE = 2
FAILED = 1
_CODES = {kind: code for code, _, kinds in EXITS for kind in kinds}


def code_of(error: BaseException) -> int:
    """The exit code of an error: that of its nearest class in the table."""
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), FAILED)

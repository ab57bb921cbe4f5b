"""`secretkit.rotate`: a rotation of a secret whose versions are in a store."""

from __future__ import annotations

from ..engines.protocol import Engine
from ..store import Store
from . import rotate as rotate_versions
from .hooks import Hooks
from .types import OnEvent, Options, Report
from .versions import StoreVersions

_NO_OPTIONS = Options()
_NO_HOOKS = Hooks()


def rotate(
    store: Store,
    engine: Engine,
    name: str,
    value: bytes | None,
    *,
    source: str = "given",
    options: Options = _NO_OPTIONS,
    hooks: Hooks = _NO_HOOKS,
    on_event: OnEvent | None = None,
) -> Report:
    """Makes the next version of a secret and brings every service that uses it to it, verified.

    `value` is 1 to 511 999 bytes; None goes on with a rotation that was interrupted. `source` says
    where the value came from, for people who read the history; a value with another source than
    "given" gives way to the one of a rotation under way. `on_event` gets each step after it is
    durable, in this thread.

    Raises RolloutFailedError if a service did not arrive: its `report` says where each one is.
    Else as the store and the engine do, and PreflightError, RotationInProgressError, ConflictError,
    HookError.
    """
    return rotate_versions(
        StoreVersions(store),
        engine,
        name,
        value,
        source=source,
        options=options,
        hooks=hooks,
        on_event=on_event,
    )

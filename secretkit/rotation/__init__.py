"""Rotation: plan (pure), journal, apply, verify, and what happens on failure."""

from __future__ import annotations

from ..engines.protocol import Engine, Kind
from . import journal as _journals
from .apply import Rotation
from .hooks import Hooks
from .journal import Journal, journals
from .plan import decide
from .survey import survey
from .types import OnEvent, Options, Plan, Report
from .versions import Versions, refuse_mock

__all__ = ["Hooks", "abort", "journals", "plan", "rollback", "rotate", "under_way"]
_NO_OPTIONS = Options()
_NO_HOOKS = Hooks()


def plan(
    versions: Versions,
    engine: Engine,
    name: str,
    *,
    to: int | None = None,
    options: Options = _NO_OPTIONS,
) -> Plan:
    """What `rotate` (or, with `to`, `rollback`) would do now. Changes nothing.

    Findings are in it and refuse nothing. Raises SecretNotFoundError, ServiceNotFoundError, and
    MockError for a `to` that is one.
    """
    if to is not None:
        refuse_mock(versions, name, to)
    found = survey(versions, engine, name)
    under = found.journal
    return decide(found, under.after if under else to or found.next, options)


def rotate(
    versions: Versions,
    engine: Engine,
    name: str,
    content: bytes | None,
    *,
    source: str = "given",
    options: Options = _NO_OPTIONS,
    hooks: Hooks = _NO_HOOKS,
    on_event: OnEvent | None = None,
) -> Report:
    """Makes the next version and brings every service that uses `name` to it, verified.

    A rotation that was interrupted goes on, with the value that was staged: `content` may be None
    then. A given one that differs is a ConflictError; a generated one (`source` is not "given")
    gives way. `on_event` hears of each step after it is durable, in this thread.

    Raises PreflightError, RotationInProgressError, HookError, EngineError; RolloutFailedError,
    whose `report` says where every service is, when a service did not arrive.
    """
    return Rotation(versions, engine, name, options, hooks, on_event).run(
        "rotate", None, content, source
    )


def rollback(
    versions: Versions,
    engine: Engine,
    name: str,
    to: int | None = None,
    *,
    options: Options = _NO_OPTIONS,
    hooks: Hooks = _NO_HOOKS,
    on_event: OnEvent | None = None,
) -> Report:
    """Brings every service to version `to` (default: the previous one), as `rotate` does.

    `to` may be the current version: then services that are on another one come back to it.
    """
    return Rotation(versions, engine, name, options, hooks, on_event).run(
        "rollback", to, None, "given"
    )


def abort(
    versions: Versions,
    engine: Engine,
    name: str,
    *,
    options: Options = _NO_OPTIONS,
    on_event: OnEvent | None = None,
) -> Report:
    """Ends a rotation under way: every service goes back to what it had before.

    If all services have arrived already and only the hook `after` is left, that is left out.
    Raises NotFoundError if none is under way.
    """
    return Rotation(versions, engine, name, options, _NO_HOOKS, on_event).abort()


def under_way(engine: Engine, kind: Kind, name: str) -> Journal | None:
    """The journal of the rotation of this secret or config, if one is under way."""
    return _journals.find(engine, kind, name)

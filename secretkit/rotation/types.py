"""What a rotation is asked, and what it tells: options, plan, events, report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from ..engines.protocol import Kind

Outcome = Literal[
    "completed", "unchanged", "rolled back", "stopped", "failed", "skipped", "removed"
]


class Options(NamedTuple):
    """How a rotation goes about it. Durations are seconds.

    parallelism, delay, order, monitor and failure_action go into each service's own update
    configuration, together with the swap; None leaves the service's own.
    """

    services: tuple[str, ...] = ()  # names: only these; empty: all that use the secret
    parallelism: int | None = None
    delay: float | None = None
    order: Literal["start-first", "stop-first"] | None = None
    monitor: float | None = None
    failure_action: Literal["pause", "continue", "rollback"] | None = None
    max_parallel: int = 1  # services that roll at the same time
    soak: float = 0.0  # tasks must stay as they should be for max(monitor, soak)
    timeout: float = 600.0  # for each service
    on_failure: Literal["rollback", "stop"] = "rollback"
    strict: bool = False  # warnings refuse
    jobs: bool = False  # also services whose tasks end by themselves, which runs them once more


class Finding(NamedTuple):
    """One thing that preflight found."""

    service: str
    message: str
    hint: str
    refuses: bool  # else it is a warning, which refuses only under Options.strict


class Swap(NamedTuple):
    """One service's part of a plan."""

    service: str
    service_id: str
    before: tuple[str, ...]  # object names that it refers to now
    after: str  # object name
    targets: tuple[str, ...]
    tasks: int | None  # as many as it wants; None: one on every node


class Plan(NamedTuple):
    """What a rotation will do: printed by --dry-run, or applied."""

    kind: Kind
    name: str
    before: int | None  # current version
    after: int
    creates: str | None  # the object name that has to be made
    swaps: tuple[Swap, ...]
    skipped: tuple[tuple[str, str], ...]  # (service, why)
    findings: tuple[Finding, ...]
    resumes: str | None = None  # the id of a rotation that is under way and goes on


class Event(NamedTuple):
    """Something that happened. `step` is one of STEPS; the counts are there while verifying."""

    seconds: float  # since the rotation began
    step: str
    service: str | None
    message: str  # what is done, or what is waited for and why; never a value
    previous: int = 0  # tasks running on another version
    ready: int = 0  # tasks running on the next version
    wanted: int = 0  # tasks that should


OnEvent = Callable[[Event], None]

# In the order of a rotation. A crash after any of them is resumed by running it again.
STEPS = (
    "journal",  # the journal is ours
    "stage",  # the value is in the store, not yet current
    "create",  # the object exists
    "plan",  # services found, preflight passed, the plan is in the journal
    "before",  # the hook
    "swap",  # (service) its spec refers to the next version
    "verify",  # (service) waiting; then "verified"
    "verified",  # (service)
    "undo",  # (service) its spec refers to the previous version again
    "undone",  # (service)
    "settle",  # nobody refers to an earlier object
    "commit",  # current = next, in the store
    "after",  # the hook
    "release",  # the journal is gone
)


class ServiceReport(NamedTuple):
    """What became of one service."""

    service: str
    before: str  # object name at the start
    after: str  # object name at the end
    tasks: int  # running on `after` at the end
    seconds: float
    outcome: Outcome
    reason: str = ""  # of a failure or skip, in one line


class Report(NamedTuple):
    """What became of a rotation."""

    kind: Kind
    name: str
    rotation: str  # its id; "" if there was nothing to do
    before: int | None
    after: int  # the version that was to be current
    current: int | None  # the version that is current now
    outcome: Literal["completed", "rolled back", "stopped", "aborted"]
    seconds: float
    services: tuple[ServiceReport, ...]
    warnings: tuple[str, ...] = ()

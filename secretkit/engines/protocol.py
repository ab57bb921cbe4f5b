"""What rotation asks of an engine: the protocol, and the frozen values that it hands out.

An engine keeps objects (immutable secrets and configs with labels) and services that refer to
them. Every method is one or a few requests. A write is never repeated by an engine on its own:
after EngineUnreachableError it may have happened or not, and the caller reads again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

Kind = Literal["secret", "config"]


class EngineObject(NamedTuple):
    """A secret or config object, without its content."""

    kind: Kind
    id: str
    name: str  # the object name, such as "db-password-v2"
    # The engine's version of it, for compare-and-swap of its labels. (Hides tuple.index.)
    index: int  # type: ignore[assignment]
    labels: Mapping[str, str]
    created: datetime  # UTC


class Reference(NamedTuple):
    """A service's or task's use of one object, as a file."""

    kind: Kind
    object_id: str
    object_name: str
    target: str | None  # None: a config that is no file (swarmkit's ConfigReferenceRuntimeTarget)
    uid: str
    gid: str
    mode: int  # permission bits


class Service(NamedTuple):
    """A service as the engine has it now."""

    id: str
    name: str
    # The engine's version of it, for compare-and-swap of its spec. (Hides tuple.index.)
    index: int  # type: ignore[assignment]
    spec: Mapping[str, Any]  # as it was given to the engine, without defaults; not to be changed
    previous_spec: Mapping[str, Any] | None
    # updating, paused, completed, rollback_started, rollback_paused, rollback_completed, or None:
    # just posted, or nothing to update (replicas 0, jobs).
    update_state: str | None
    update_message: str
    references: tuple[Reference, ...]  # of `spec`
    previous_references: tuple[Reference, ...]  # of `previous_spec`
    mode: Literal["replicated", "global", "replicated-job", "global-job"]
    replicas: int | None  # wanted tasks; None: one on every eligible node

    @property
    def is_job(self) -> bool:
        """Whether its tasks end by themselves: changing it runs them once more."""
        return self.mode.endswith("-job")


class Task(NamedTuple):
    """One task. A task with a health check is "running" only after its first success."""

    id: str
    service_id: str
    slot: int  # 0 in a global service
    node_id: str
    state: str  # new, pending, assigned, …, starting, running, complete, failed, rejected …
    desired_state: str  # running, ready, shutdown, remove, complete
    message: str  # the engine's word on its state; never a value
    references: tuple[Reference, ...]
    updated: datetime  # UTC, of its state

    @property
    def wanted(self) -> bool:
        """Whether the engine wants it to run."""
        return self.desired_state in ("ready", "running")


class Changes(Protocol):
    """A subscription to what happens to services."""

    def wait(self, seconds: float) -> bool:
        """Blocks until a service changed since the last call, or `seconds` passed: which one."""
        ...


class Engine(Protocol):
    """An engine. Its methods may be called from several threads.

    All raise EngineUnreachableError if no manager answers (after trying each of them, and waiting
    out a lost leader for reads), EngineRefusedError if the engine says no.
    """

    name: str  # "swarm"

    def cluster(self) -> str:
        """The id of the cluster."""
        ...

    def create(
        self, kind: Kind, name: str, content: bytes, labels: Mapping[str, str]
    ) -> EngineObject:
        """Makes an object; raises ObjectExistsError: of several at once exactly one succeeds."""
        ...

    def objects(self, kind: Kind, labels: Mapping[str, str] | None = None) -> list[EngineObject]:
        """All objects that have these labels, by name."""
        ...

    def find(self, kind: Kind, name: str) -> EngineObject | None:
        """The object with exactly this name."""
        ...

    def content(self, config_id: str) -> bytes:
        """The content of a config (no engine returns a secret's); ObjectNotFoundError."""
        ...

    def relabel(self, found: EngineObject, labels: Mapping[str, str]) -> EngineObject:
        """Sets all labels, if it did not change since; OutOfSequenceError, ObjectNotFoundError."""
        ...

    def remove(self, kind: Kind, object_id: str) -> None:
        """Removes an object; ObjectInUseError if a service refers to it, ObjectNotFoundError."""
        ...

    def services(self) -> list[Service]:
        """Every service, by name."""
        ...

    def service(self, service_id: str) -> Service:
        """One service; raises ServiceNotFoundError."""
        ...

    def update(self, service: Service, spec: Mapping[str, Any]) -> None:
        """Gives the service a whole new spec, if it did not change since; OutOfSequenceError."""
        ...

    def tasks(self, service_ids: Collection[str]) -> list[Task]:
        """The tasks of several services in one request, also those that ended."""
        ...

    def up_to_date(self, service_ids: Collection[str]) -> frozenset[str]:
        """The ids of those tasks that are as their service's spec wants them, by the engine."""
        ...

    def has_health_check(self, service: Service) -> bool | None:
        """Whether its tasks have one, from its spec or else its image; None if unknown."""
        ...

    def changes(self) -> AbstractContextManager[Changes]:
        """A subscription; where the engine has none to offer, one that tells of time alone."""
        ...

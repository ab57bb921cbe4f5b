"""The journal of a rotation: a config in the swarm that says who rotates what, and how far it is.

The config `secretkit-rotation-<hash of kind and name>` is created atomically, so that of two
operators one has it; all that changes is in its labels, written by compare-and-swap. It outlives
the operator's machine, and holds no value.

Its lease is a time by the clock of whoever holds it. Clocks of two machines may differ, so a lapsed
lease alone is not enough to take over: the journal is also watched for longer than a holder takes
between two renewals. A holder on this machine whose process is gone is not waited for.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, cast

from ..engines.protocol import Engine, EngineObject, Kind
from ..errors import (
    ConflictError,
    EngineUnreachableError,
    ObjectExistsError,
    ObjectNotFoundError,
    OutOfSequenceError,
    RotationInProgressError,
)

LEASE = 60.0  # seconds
RENEWAL = 15.0  # seconds between two renewals
WATCH = 20.0  # seconds that a lapsed journal is watched before it is taken over

Action = Literal["rotate", "rollback"]
# began: nothing of a service was touched. rolling: services are given the next version.
# returning: they are given back what they had. committed: the next version is current.
Phase = Literal["began", "rolling", "returning", "committed"]

_LABEL = "secretkit.journal"  # its value is the number of this format
_FORMAT = "1"


class Was(NamedTuple):
    """What one reference of a service was before the rotation."""

    target: str | None
    object_id: str
    object_name: str


class Journal(NamedTuple):
    """What the journal says."""

    kind: Kind
    name: str
    rotation: str
    action: Action
    before: int | None
    after: int
    phase: Phase
    owner: str  # "ann@host, process 123"
    process: str  # which process that is; "" if it let go
    lease: datetime  # UTC, by the owner's clock
    services: Mapping[str, tuple[Was, ...]]  # by service id, as they were
    names: Mapping[str, str]  # of services, by id
    reason: str  # why it is returning
    since: datetime  # UTC, by the engine's clock
    found: EngineObject

    @property
    def is_left(self) -> bool:
        """Whether nobody can hold it: its owner let go, or was a process here that is gone."""
        return not self.process or _is_gone(self.process)

    @property
    def has_lapsed(self) -> bool:
        """Whether its lease is over, or cannot be true: by a clock that is far ahead."""
        now = datetime.now(UTC)
        return not now <= self.lease <= now + timedelta(seconds=LEASE + RENEWAL)


def journal_name(kind: Kind, name: str) -> str:
    """The config's name: the secret's may be too long to be part of it."""
    return f"secretkit-rotation-{hashlib.sha256(f'{kind}/{name}'.encode()).hexdigest()[:20]}"


def find(engine: Engine, kind: Kind, name: str) -> Journal | None:
    """The journal of a rotation of this secret or config; raises ConflictError if unreadable."""
    found = engine.find("config", journal_name(kind, name))
    return _parse(found) if found else None


def commands(journal: Journal) -> tuple[str, str]:
    """What goes on with a rotation on the command line, and what ends it."""
    group = "secretkit config" if journal.kind == "config" else "secretkit"
    return f"{group} {journal.action} {journal.name}", ending(journal.kind, journal.name)


def ending(kind: Kind, name: str) -> str:
    """The command that ends a rotation by going back."""
    return f"secretkit {'config ' if kind == 'config' else ''}rotate {name} --abort"


def journals(engine: Engine) -> tuple[Journal, ...]:
    """All rotations under way in this swarm."""
    return tuple(_parse(found) for found in engine.objects("config", {_LABEL: _FORMAT}))


class Held:
    """A journal that is ours, as a context manager that renews the lease in the background.

    Left by KeyboardInterrupt or an error while it is there, it stays for whoever goes on, and the
    lease is given up. Methods raise RotationInProgressError if somebody else took it over.
    """

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        clock: Callable[[], float],
        patient: Callable[[Callable[[], Any]], Any],
    ) -> None:
        self.journal = journal
        self._engine = engine
        self._clock = clock
        self._patient = patient
        self._renewed = clock()
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_always, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if isinstance(error, KeyboardInterrupt | Exception):
            self._let_go()
        self._thread.join(RENEWAL)

    def advance(self, **changes: Any) -> None:
        """Changes fields of the journal, durably."""
        with self._lock:
            self._patient(lambda: self._write(changes))

    def confirm(self) -> None:
        """Before something is done that only the holder may do: the lease is not about to end."""
        with self._lock:
            if self._clock() - self._renewed > 2 * RENEWAL:
                self.advance()

    def release(self) -> None:
        """Removes the journal: the rotation is over."""
        self._ended.set()
        with self._lock:
            self._patient(self._remove)

    def _remove(self) -> None:
        try:
            self._engine.remove("config", self.journal.found.id)
        except ObjectNotFoundError:
            return  # by a request that took effect and was not answered

    def _write(self, changes: Mapping[str, Any]) -> None:
        lease = datetime.now(UTC) + timedelta(seconds=LEASE)
        wanted = self.journal._replace(**({"lease": lease} | dict(changes)))
        try:
            found = self._engine.relabel(self.journal.found, _labels(wanted))
        except ObjectNotFoundError:
            raise _gone(self.journal) from None
        except OutOfSequenceError:
            # Ours, by a request that took effect and was not answered, or somebody else's.
            now = find(self._engine, self.journal.kind, self.journal.name)
            mine = (self.journal.rotation, self.journal.process)
            if now is None or (now.rotation, now.process) != mine:
                raise (_lost(now) if now else _gone(self.journal)) from None
            self.journal = self.journal._replace(found=now.found)
            found = self._engine.relabel(now.found, _labels(wanted))
        self.journal = wanted._replace(found=found)
        self._renewed = self._clock()

    def _renew_always(self) -> None:
        while not self._ended.wait(RENEWAL):
            with self._lock:
                if self._ended.is_set():
                    return
                try:
                    self._write({})
                except EngineUnreachableError:
                    continue
                except ConflictError:
                    return  # the next `confirm` says so

    def _let_go(self) -> None:
        with self._lock:
            try:
                self._write({"process": ""})
            except (ConflictError, EngineUnreachableError):
                return  # released already, or it will lapse


def take(
    engine: Engine,
    wanted: Journal | None,
    draft: Journal,
    clock: Callable[[], float],
    patient: Callable[[Callable[[], Any]], Any],
    sleep: Callable[[float], object],
) -> Held:
    """The journal, made from `draft`, or taken over if it is `wanted` and nobody holds it.

    Raises RotationInProgressError if somebody holds it.
    """
    if wanted is None:
        name = journal_name(draft.kind, draft.name)
        text = f"{draft.action} of {draft.kind} {draft.name} is under way: see the labels"
        try:
            found = engine.create("config", name, text.encode(), _labels(draft))
        except ObjectExistsError:
            now = find(engine, draft.kind, draft.name)
            raise _held(now or draft) from None
        return Held(engine, _parse(found), clock, patient)
    if not wanted.is_left:
        if not wanted.has_lapsed:
            raise _held(wanted)
        sleep(WATCH)
        now = find(engine, wanted.kind, wanted.name)
        if now is None or now.found.index != wanted.found.index:
            raise _held(now or wanted)
    ours = wanted._replace(owner=draft.owner, process=draft.process, lease=draft.lease)
    try:
        found = engine.relabel(wanted.found, _labels(ours))
    except (OutOfSequenceError, ObjectNotFoundError):
        raise _held(find(engine, wanted.kind, wanted.name) or wanted) from None
    return Held(engine, ours._replace(found=found), clock, patient)


def draft(kind: Kind, name: str, action: Action, before: int | None, after: int) -> Journal:
    """The journal of a rotation that begins now, by this process."""
    now = datetime.now(UTC)
    return Journal(
        kind=kind,
        name=name,
        rotation=token_hex(8),
        action=action,
        before=before,
        after=after,
        phase="began",
        owner=f"{_user()}@{socket.gethostname()}, process {os.getpid()}",
        process=this_process(),
        lease=now + timedelta(seconds=LEASE),
        services={},
        names={},
        reason="",
        since=now,
        found=EngineObject("config", "", journal_name(kind, name), 0, {}, now),
    )


def this_process() -> str:
    """Boot, process namespace, process and its start: no other process ever has the same."""
    own = _place()
    return f"{own}/{os.getpid()}/{_started(os.getpid())}" if own else f"?/{token_hex(8)}"


def _is_gone(process: str) -> bool:
    place, _, rest = process.partition("/")
    if place != _place():
        return False  # elsewhere, or before a reboot: the lease decides
    number, _, start = rest.partition("/")
    return _started(int(number)) != start


def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""  # not Linux: a journal is taken over when its lease is over


def _started(number: int) -> str:
    """When the process started, in ticks since boot (proc(5), field 22); "" if it is gone."""
    try:
        after_name = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if after_name[0] == "Z" else after_name[19]


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())


def _held(journal: Journal) -> RotationInProgressError:
    since = journal.since.strftime("%Y-%m-%d %H:%M:%S UTC")
    return RotationInProgressError(
        f"a rotation is in progress, {journal.name} to v{journal.after} by {journal.owner},"
        f" since {since}",
        hint="wait until it is done; if its process is gone, it can be taken over within"
        f" {round(LEASE + WATCH)} seconds, by the same command",
    )


def _lost(journal: Journal) -> RotationInProgressError:
    return RotationInProgressError(
        f"the rotation was taken over, {journal.name} to v{journal.after} by {journal.owner}",
        hint="this command has stopped; `secretkit services` shows where the other one is",
    )


def _gone(journal: Journal) -> RotationInProgressError:
    return RotationInProgressError(
        f"the rotation was ended by somebody else, {journal.name} to v{journal.after}: its record"
        " is gone from the swarm",
        hint="this command has stopped; `secretkit services` shows where its services are",
    )


def _labels(journal: Journal) -> dict[str, str]:
    services = {
        service: {"name": journal.names[service], "was": [list(was) for was in references]}
        for service, references in journal.services.items()
    }
    return {
        _LABEL: _FORMAT,
        f"{_LABEL}.kind": journal.kind,
        f"{_LABEL}.name": journal.name,
        f"{_LABEL}.rotation": journal.rotation,
        f"{_LABEL}.action": journal.action,
        f"{_LABEL}.before": "" if journal.before is None else str(journal.before),
        f"{_LABEL}.after": str(journal.after),
        f"{_LABEL}.phase": journal.phase,
        f"{_LABEL}.owner": journal.owner,
        f"{_LABEL}.process": journal.process,
        f"{_LABEL}.lease": journal.lease.isoformat(timespec="seconds"),
        f"{_LABEL}.services": json.dumps(services, separators=(",", ":")),
        f"{_LABEL}.reason": journal.reason,
    }


def _parse(found: EngineObject) -> Journal:
    labels = {key.removeprefix(f"{_LABEL}."): value for key, value in found.labels.items()}
    try:
        if found.labels[_LABEL] != _FORMAT:
            raise ValueError
        services = json.loads(labels["services"])
        return Journal(
            kind=cast(Kind, labels["kind"]),
            name=labels["name"],
            rotation=labels["rotation"],
            action=cast(Action, labels["action"]),
            before=int(labels["before"]) if labels["before"] else None,
            after=int(labels["after"]),
            phase=cast(Phase, labels["phase"]),
            owner=labels["owner"],
            process=labels["process"],
            lease=datetime.fromisoformat(labels["lease"]),
            services={
                key: tuple(Was(*was) for was in entry["was"]) for key, entry in services.items()
            },
            names={key: entry["name"] for key, entry in services.items()},
            reason=labels["reason"],
            since=found.created,
            found=found,
        )
    except (KeyError, TypeError, ValueError):
        raise ConflictError(
            f"cannot read the journal of a rotation, config {found.name}",
            hint="another version of secretkit may have written it: end the rotation with that",
        ) from None

"""What the two kinds of record hold, as bytes and as the library's frozen values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from ..errors import UnknownValueError
from ..model import AuditEntry, Secret, Value, Version
from .codec import number, pack, unpack
from .transaction import Event


def moment(milliseconds: int) -> datetime:
    """Milliseconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


class SecretRecord:
    """name, current, latest, created, updated, generator, versions as runs, labels, staged."""

    def __init__(
        self,
        name: str,
        current: int,
        latest: int,
        created: int,
        updated: int,
        generator: str,
        runs: list[range],
        labels: Mapping[str, str],
        staged: Collection[int] = (),
    ) -> None:
        self.name = name
        self.current = current
        self.latest = latest  # the highest number ever given: numbers are never used again
        self.created = created
        self.updated = updated
        self.generator = generator
        self.runs = runs  # the versions that exist, ascending; a hundred thousand are cheap
        self.labels = labels
        self.staged = set(staged)  # versions that were never current

    @property
    def versions(self) -> tuple[int, ...]:
        return tuple(version for run in self.runs for version in run)

    def has(self, version: int) -> bool:
        return any(version in run for run in self.runs)

    def add(self, version: int) -> None:
        """Add a version that is not there; its number counts as given."""
        runs: list[range] = []
        added = range(version, version + 1)
        for run in sorted([*self.runs, added], key=lambda run: run.start):
            if runs and runs[-1].stop == run.start:
                runs[-1] = range(runs[-1].start, run.stop)
            else:
                runs.append(run)
        self.runs = runs
        self.latest = max(self.latest, version)

    def drop(self, version: int) -> None:
        split = []
        for run in self.runs:
            if version in run:
                split += [range(run.start, version), range(version + 1, run.stop)]
            else:
                split.append(run)
        self.runs = [run for run in split if run]
        self.staged.discard(version)

    def packed(self) -> bytes:
        bounds = [bound for run in self.runs for bound in (run.start, run.stop)]
        labels = [text for item in self.labels.items() for text in item]
        head = (self.name, self.current, self.latest, self.created, self.updated, self.generator)
        # Only where there is something to say: without engines, a store is as it always was.
        staged = (pack(*sorted(self.staged)),) if self.staged else ()
        return pack(*head, pack(*bounds), pack(*labels), *staged)

    @classmethod
    def parse(cls, data: bytes) -> SecretRecord:
        name, current, latest, created, updated, generator, packed_runs, packed_labels, *more = (
            unpack(data)
        )
        bounds = [number(field) for field in unpack(packed_runs)]
        labels = [field.decode() for field in unpack(packed_labels)]
        return cls(
            name.decode(),
            number(current),
            number(latest),
            number(created),
            number(updated),
            generator.decode(),
            [range(*pair) for pair in zip(bounds[::2], bounds[1::2], strict=True)],
            dict(zip(labels[::2], labels[1::2], strict=True)),
            [number(field) for packed in more for field in unpack(packed)],
        )

    def public(self) -> Secret:
        return Secret(
            self.name,
            self.current,
            self.versions,
            moment(self.created),
            moment(self.updated),
            self.generator or None,
            dict(self.labels),
            tuple(sorted(self.staged)),
        )


class VersionRecord(NamedTuple):
    """created, source, value; an empty value, which no secret has, is one that is unknown."""

    created: int
    source: str
    value: bytes

    def __repr__(self) -> str:
        return f"<version record of {len(self.value)} bytes>"

    def packed(self) -> bytes:
        return pack(self.created, self.source, self.value)

    @classmethod
    def parse(cls, data: bytes) -> VersionRecord:
        created, source, value = unpack(data)
        return cls(number(created), source.decode(), value)

    def public(self, name: str, version: int) -> Version:
        return Version(name, version, moment(self.created), self.source, len(self.value))

    def shown(self, name: str, version: int) -> Value:
        if not self.value:
            raise UnknownValueError(name, version)
        return Value(self.value, name, version)


def public_event(entry: int, event: Event) -> AuditEntry:
    """An audit entry, with the user's name as this machine knows it."""
    import pwd

    try:
        user = pwd.getpwuid(event.uid).pw_name
    except KeyError:
        user = str(event.uid)
    return AuditEntry(
        entry,
        moment(event.time),
        event.action,
        event.name or None,
        event.version or None,
        user,
        event.uid,
    )

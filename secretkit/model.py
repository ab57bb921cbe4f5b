"""Frozen values that the library hands out: Secret, Version, Value, and the store's reports."""

from __future__ import annotations

from _operator import _compare_digest  # hmac.compare_digest, without loading hmac and hashlib
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, NoReturn, Self, SupportsIndex

# Named tuples, not dataclasses: sixteen of those would be a third of the time `show` takes to
# start.
_NO_LABELS: Mapping[str, str] = MappingProxyType({})


class Value(bytes):
    """The bytes of one version, which do not show themselves.

    It is bytes wherever bytes are wanted; `repr` and `str` give `<secret db-password v3>`,
    formatting and pickling are refused, and comparison takes constant time.
    """

    name: str
    version: int

    def __new__(cls, content: bytes, name: str, version: int) -> Self:
        self = super().__new__(cls, content)
        self.name = name
        self.version = version
        return self

    def __repr__(self) -> str:
        return f"<secret {self.name} v{self.version}>"

    __str__ = __repr__

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError(f"{self!r} cannot be formatted; write its bytes where they belong")

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(f"{self!r} cannot be pickled or copied")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, bytes | bytearray | memoryview):
            return NotImplemented
        return _compare_digest(bytes(self), bytes(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = bytes.__hash__


class Version(NamedTuple):
    """One immutable value of a secret, without the value."""

    name: str
    number: int
    created: datetime  # UTC
    source: str  # "given", the generator that made it ("password:32"), or "engine": found there
    size: int  # bytes of the value; 0: the store knows of this version, and not its value

    @property
    def is_known(self) -> bool:
        """Whether the store has its value: one that somebody else made in an engine has not."""
        return self.size > 0


class Secret(NamedTuple):
    """A name with an ordered list of versions."""

    name: str
    current: int
    versions: tuple[int, ...]  # the numbers that exist, ascending
    created: datetime  # UTC, of version 1
    updated: datetime  # UTC, of the last change
    generator: str | None = None  # what `rotate` uses when no value is given
    labels: Mapping[str, str] = _NO_LABELS
    staged: tuple[int, ...] = ()  # those of `versions` that were never current, ascending

    @property
    def previous(self) -> int | None:
        """The version before the current one: the highest below it that was current, or None."""
        earlier = (number for number in self.versions if number < self.current)
        return max((number for number in earlier if number not in self.staged), default=None)

    def beyond(self, keep: int) -> tuple[int, ...]:
        """The versions that are neither current nor among the newest `keep`, ascending.

        One that was never current counts as newest while it is above the current one: it may be
        on its way. Below, it is left from a rotation that failed.
        """
        lasting = [number for number in self.versions if number not in self.staged]
        kept = {self.current, *lasting[-keep:], *(n for n in self.staged if n > self.current)}
        return tuple(number for number in self.versions if number not in kept)


class KeySlot(NamedTuple):
    """One way to open the store: it wraps the root key."""

    number: int
    kind: str  # "key-file", "credential" or "passphrase"
    created: datetime  # UTC


class AuditEntry(NamedTuple):
    """One recorded act: who did what to which version, and when."""

    number: int  # 1, 2, 3 …
    time: datetime  # UTC
    action: str  # "create", "rotate", "read" …
    name: str | None
    version: int | None
    user: str  # login name, or the number where there is none
    uid: int


class Finding(NamedTuple):
    """One thing that `check` found wrong, and its remedy."""

    what: str
    hint: str | None = None


class CheckReport(NamedTuple):
    """What `check` looked at. `ok` is true when nothing was found."""

    secrets: int
    versions: int
    audit_entries: int
    findings: tuple[Finding, ...]
    unknown: int = 0  # how many of the versions are of unknown value, which is no finding

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

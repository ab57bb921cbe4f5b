"""The store's public face: secrets and their versions. Every method is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Literal, NamedTuple, Self

from .. import naming
from ..errors import (
    SecretExistsError,
    UsageError,
    VersionNotFoundError,
)
from ..model import AuditEntry, CheckReport, KeySlot, Secret, Value, Version
from . import lifecycle, versions
from .ledger import Ledger
from .records import SecretRecord, public_event
from .transaction import Transaction

Progress = Callable[[int, int], None]
GIVEN = "given"
LABEL_LENGTH = 1024


class NewSecret(NamedTuple):
    """What `create_many` takes: a secret that does not exist yet, with its first value."""

    name: str
    value: bytes
    source: str = GIVEN
    generator: str | None = None
    labels: Mapping[str, str] = MappingProxyType({})

    def __repr__(self) -> str:
        return f"<new secret {self.name}>"


class Store:
    """An open store. Safe beside other processes; for threads, open one each.

    Use it as a context manager. Every method raises StoreTamperedError when what it touches was
    changed by somebody without the key, StoreBusyError after 30 s of another process's lock, and
    StoreIOError when the disk refuses; in each case nothing was changed.
    """

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self.folder = folder
        self._ledger = ledger

    @classmethod
    def init(
        cls,
        folder: Path | str | None = None,
        *,
        key_file: Path | str | None = None,
        passphrase: bytes | None = None,
    ) -> Self:
        """Make a store in the project folder (default: the current one) and open it.

        `key_file` names where the key goes (default: the user's keys folder); `passphrase` makes
        a store that a passphrase opens, without a key file. Raises ProjectExistsError if there
        is a store already.
        """
        folder = Path(folder or ".").resolve()
        key_path = Path(key_file).absolute() if key_file is not None else None
        return cls(folder, lifecycle.create(folder, key_path, passphrase))

    @classmethod
    def open(
        cls, folder: Path | str | None = None, *, passphrase: Callable[[], bytes] | None = None
    ) -> Self:
        """Open the store of a project folder (default: the project of the current folder).

        `passphrase` is called when no key file in reach opens the store. Raises
        ProjectNotFoundError, StoreKeyError, StorePermissionError, StoreRolledBackError.
        """
        if folder is None:
            from ..project import find_folder

            folder = find_folder()
        folder = Path(folder).resolve()
        return cls(folder, lifecycle.open_ledger(folder, passphrase))

    @classmethod
    def restore(
        cls,
        folder: Path | str,
        backup: Path | str | None = None,
        *,
        accept_rollback: bool = False,
        passphrase: Callable[[], bytes] | None = None,
    ) -> Self:
        """Put a backup in place of the store in `folder`, or make the store from it.

        A backup behind the anchor is refused with StoreRolledBackError unless `accept_rollback`.
        Without `backup`, `accept_rollback` trusts the store in `folder` as it is. Audited.
        """
        folder = Path(folder).resolve()
        file = Path(backup).absolute() if backup is not None else None
        return cls(folder, lifecycle.restore(folder, file, accept_rollback, passphrase))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<store {self.id}>"

    def close(self) -> None:
        self._ledger.close()

    @property
    def id(self) -> str:
        """32 hexadecimal digits; the key and the anchor are named after it."""
        return self._ledger.keys.store_id.hex()

    @property
    def path(self) -> Path:
        """The SQLite file."""
        return self._ledger.path

    # -- writing ----------------------------------------------------------------------------------

    def create(
        self,
        name: str,
        value: bytes,
        *,
        source: str = GIVEN,
        generator: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Version:
        """Version 1 of a new secret.

        `value` is 1 to 511 999 bytes, kept exactly; `generator` is what `rotate` will use when it
        is given no value. `source` says where the value came from, for people who read the
        history. Raises InvalidNameError, InvalidValueError, UsageError, SecretExistsError.
        """
        return self.create_many([NewSecret(name, value, source, generator, labels or {})])[0]

    def create_many(self, secrets: Sequence[NewSecret]) -> tuple[Version, ...]:
        """Several new secrets, all of them or none."""
        for new in secrets:
            naming.check_name(new.name)
            naming.check_value(new.name, new.value)
            _check_labels(new.labels)
            if new.generator is not None:
                from ..generators import check_kind

                check_kind(new.generator)
        with self._ledger.writing() as transaction:
            return tuple(self._create(transaction, new) for new in secrets)

    def _create(self, transaction: Transaction, new: NewSecret) -> Version:
        if versions.look_up(transaction, new.name) is not None:
            raise SecretExistsError(new.name)
        now = transaction.now
        secret = SecretRecord(
            new.name, 1, 1, now, now, new.generator or "", [range(1, 2)], new.labels
        )
        versions.put_secret(transaction, secret)
        return versions.put_version(transaction, "create", new.name, 1, new.source, new.value)

    def rotate(self, name: str, value: bytes, *, source: str = GIVEN) -> Version:
        """The next version, made current. Numbers are never used again, also after a `remove`
        of a single version or a `prune`."""
        return self.rotate_many([(name, value, source)])[0]

    def rotate_many(self, changes: Sequence[tuple[str, bytes, str]]) -> tuple[Version, ...]:
        """The next version of several secrets: (name, value, source), all of them or none."""
        for name, value, _ in changes:
            naming.check_value(name, value)
        with self._ledger.writing() as transaction:
            return tuple(versions.rotate(transaction, *change) for change in changes)

    def stage(
        self, name: str, value: bytes, number: int | None = None, *, source: str = GIVEN
    ) -> Version:
        """A version that exists and is not current yet; `make_current` follows, or `destroy`.

        `number` (default: the next) may leave out numbers that an engine knows and the store does
        not. The same value for a number that exists is fine, another one is a ConflictError, and
        so is a number that was used before.
        """
        naming.check_value(name, value)
        with self._ledger.writing() as transaction:
            return versions.stage(transaction, name, value, number, source)

    def learn(
        self, name: str, number: int, value: bytes | None = None, *, source: str = GIVEN
    ) -> Version:
        """Record a version that an engine knows, of unknown value unless that is given.

        A secret that is not there is made, with this version current. To a version of unknown
        value, one can be given later. One that is known stays as it is: another value for it is
        a ConflictError.
        """
        naming.check_name(name)
        if value is not None:
            naming.check_value(name, value)
        with self._ledger.writing() as transaction:
            return versions.learn(transaction, name, number, value, source)

    def make_current(
        self, name: str, number: int, action: Literal["rotate", "rollback", "adopt"]
    ) -> Version:
        """Make a version current, recorded as `action`; fine, and not recorded, if it is."""
        with self._ledger.writing() as transaction:
            secret = versions.find(transaction, name)
            if secret.current == number:
                return versions.version(transaction, secret, number).public(name, number)
            return versions.make_current(transaction, name, number, action)

    def rollback(self, name: str, to: int | None = None) -> Version:
        """Make version `to` (default: the previous one) current again; no version is rewritten."""
        with self._ledger.writing() as transaction:
            secret = versions.find(transaction, name)
            number = secret.public().previous if to is None else to
            if number is None:
                raise VersionNotFoundError(
                    name,
                    f"before v{secret.current}",
                    hint=f"v{secret.current} is the oldest; `secretkit inspect {name}` lists all",
                )
            return versions.make_current(transaction, name, number, "rollback")

    def prune(self, name: str, keep: int = 2, in_use: Collection[int] = ()) -> tuple[int, ...]:
        """Destroy all but the newest `keep` versions; never the current one, nor those `in_use`.

        Returns the numbers that are gone, ascending.
        """
        if keep < 1:
            raise UsageError(f"prune keeps at least one version, not {keep}")
        with self._ledger.destroying() as transaction:
            secret = versions.find(transaction, name)
            gone = tuple(n for n in secret.public().beyond(keep) if n not in in_use)
            versions.destroy(transaction, secret, gone, "prune")
        return gone

    def destroy(
        self, name: str, numbers: Collection[int], action: Literal["prune", "remove"] = "remove"
    ) -> None:
        """Destroy these versions, all or none, none of them the current one; recorded as `action`.

        Raises VersionNotFoundError, SecretInUseError.
        """
        with self._ledger.destroying() as transaction:
            versions.destroy(transaction, versions.find(transaction, name), numbers, action)

    def remove(self, name: str, version: int | None = None) -> None:
        """Destroy a secret with all its versions, or one version that is not the current one."""
        if version is not None:
            return self.destroy(name, [version])
        with self._ledger.destroying() as transaction:
            return versions.destroy_all(transaction, versions.find(transaction, name))

    # -- reading ----------------------------------------------------------------------------------

    def read(self, name: str, version: int | None = None) -> Value:
        """The exact bytes of a version (default: the current one).

        The read is in the audit log, durably, before the value is returned.
        """
        with self._ledger.writing() as transaction:
            secret = versions.find(transaction, name)
            number = secret.current if version is None else version
            record = versions.version(transaction, secret, number)
            value = record.shown(name, number)
            transaction.record("read", name, number)
        return value

    def read_all(
        self, names: Iterable[str] | None = None, *, action: str = "read"
    ) -> dict[str, Value]:
        """The current values of several secrets (default: all), by name; recorded as `action`."""
        with self._ledger.writing() as transaction:
            if names is None:
                names = sorted(secret.name for secret in versions.everything(transaction))
            values = {}
            for name in names:
                secret = versions.find(transaction, name)
                record = versions.version(transaction, secret, secret.current)
                transaction.record(action, name, secret.current)
                values[name] = record.shown(name, secret.current)
        return values

    def fingerprint(self, name: str, value: bytes) -> str:
        """A keyed hash of a value, `<8 bytes: which key>:<32 bytes>` in hexadecimal digits.

        Two of the same secret and key are equal if and only if the values are; without the key,
        nothing can be tried against one. `rotate_key` changes the key.
        """
        return self._ledger.keys.fingerprint(name, value)

    def get(self, name: str) -> Secret:
        """One secret, without values; raises SecretNotFoundError."""
        with self._ledger.reading() as transaction:
            return versions.find(transaction, name).public()

    def list(self) -> tuple[Secret, ...]:
        """Every secret, by name, without values."""
        with self._ledger.reading() as transaction:
            found = [secret.public() for secret in versions.everything(transaction)]
        return tuple(sorted(found, key=lambda secret: secret.name))

    def history(self, name: str) -> tuple[Version, ...]:
        """The versions of a secret that exist, oldest first, without values."""
        with self._ledger.reading() as transaction:
            secret = versions.find(transaction, name)
            return tuple(
                versions.version(transaction, secret, number).public(name, number)
                for number in secret.versions
            )

    def audit(self) -> Iterator[AuditEntry]:
        """The audit log, oldest first; every entry is proven before the first is given out."""
        with self._ledger.reading() as transaction:
            events = list(transaction.events())
        for entry, event in events:
            yield public_event(entry, event)

    # -- the store as a whole ---------------------------------------------------------------------

    def check(self, progress: Progress | None = None) -> CheckReport:
        """Prove everything: SQLite's own check, every row, the audit chain, the anchor, the files.

        Repairs nothing. What is wrong comes back as findings. `progress` gets (done, all) rows.
        """
        from .checking import check

        return check(self._ledger, progress)

    def backup(self, path: Path | str) -> None:
        """Write a copy of the store to `path`, verified; the key is not in it.

        Raises ConflictError if `path` exists.
        """
        lifecycle.backup(self._ledger, Path(path).absolute())

    def keys(self) -> tuple[KeySlot, ...]:
        """The slots: each is one way to open the store."""
        from . import keyring

        with self._ledger.reading() as transaction:
            return tuple(keyring.public(slot) for slot in transaction.slots())

    def add_key_file(self, path: Path | str | None = None) -> KeySlot:
        """A new key file at `path` (default: the user's keys folder) that opens the store."""
        from . import keyring

        return keyring.add_key_file(self._ledger, Path(path).absolute() if path else None)

    def add_credential(self) -> KeySlot:
        """Let `secretkit.key` in `$CREDENTIALS_DIRECTORY` open the store; it must be there."""
        from . import keyring

        return keyring.add_credential(self._ledger)

    def add_passphrase(self, passphrase: bytes) -> KeySlot:
        """Let `passphrase` (1 to 1024 bytes) open the store."""
        from . import keyring

        return keyring.add_passphrase(self._ledger, passphrase)

    def remove_key(self, number: int) -> None:
        """Drop a slot; the last one cannot be dropped (ConflictError)."""
        from . import keyring

        keyring.remove(self._ledger, number)

    def rotate_key(
        self,
        passphrase: Callable[[], bytes] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """A new root key and new key files: everything is sealed anew in one transaction.

        Every slot must be in reach, so that nobody is locked out (else ConflictError). Backups
        from before still need the key from before.
        """
        from . import keyring

        keyring.rotate(self._ledger, passphrase, progress)


def _check_labels(labels: Mapping[str, str]) -> None:
    for key, value in labels.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise UsageError("a label and its value are text")
        if not key or len(key) > LABEL_LENGTH or len(value) > LABEL_LENGTH:
            raise UsageError(f"a label has 1 to {LABEL_LENGTH} characters on both sides of '='")

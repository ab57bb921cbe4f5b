"""The store's public face: secrets and their versions. Every method is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self

from .. import naming
from ..errors import (
    SecretExistsError,
    SecretInUseError,
    SecretNotFoundError,
    StoreTamperedError,
    UsageError,
    VersionNotFoundError,
)
from ..model import AuditEntry, CheckReport, KeySlot, Secret, Value, Version
from . import lifecycle
from .ledger import Ledger
from .records import SecretRecord, VersionRecord, public_event
from .transaction import SECRET, VERSION, Transaction

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
        index = transaction.index(SECRET, new.name)
        if transaction.get(index) is not None:
            raise SecretExistsError(new.name)
        now = transaction.now
        secret = SecretRecord(
            new.name, 1, 1, now, now, new.generator or "", [range(1, 2)], new.labels
        )
        transaction.put(SECRET, index, secret.packed())
        return self._put_version(transaction, "create", new.name, 1, new.source, new.value)

    def rotate(self, name: str, value: bytes, *, source: str = GIVEN) -> Version:
        """The next version, made current. Numbers are never used again, also after a `remove`
        of a single version or a `prune`."""
        return self.rotate_many([(name, value, source)])[0]

    def rotate_many(self, changes: Sequence[tuple[str, bytes, str]]) -> tuple[Version, ...]:
        """The next version of several secrets: (name, value, source), all of them or none."""
        for name, value, _ in changes:
            naming.check_value(name, value)
        with self._ledger.writing() as transaction:
            return tuple(self._rotate(transaction, *change) for change in changes)

    def _rotate(self, transaction: Transaction, name: str, value: bytes, source: str) -> Version:
        secret = _secret(transaction, name)
        number = secret.latest + 1
        naming.object_name(name, number)
        secret.current = secret.latest = number
        secret.add(number)
        self._put_secret(transaction, secret)
        return self._put_version(transaction, "rotate", name, number, source, value)

    def rollback(self, name: str, to: int | None = None) -> Version:
        """Make version `to` (default: the previous one) current again; no version is rewritten."""
        with self._ledger.writing() as transaction:
            secret = _secret(transaction, name)
            number = secret.public().previous if to is None else to
            if number is None:
                raise VersionNotFoundError(
                    name,
                    f"before v{secret.current}",
                    hint=f"v{secret.current} is the oldest; `secretkit inspect {name}` lists all",
                )
            version = _version(transaction, secret, number)
            secret.current = number
            self._put_secret(transaction, secret)
            transaction.record("rollback", name, number)
            return version.public(name, number)

    def prune(self, name: str, keep: int = 2, in_use: Collection[int] = ()) -> tuple[int, ...]:
        """Destroy all but the newest `keep` versions; never the current one, nor those `in_use`.

        Returns the numbers that are gone, ascending.
        """
        if keep < 1:
            raise UsageError(f"prune keeps at least one version, not {keep}")
        with self._ledger.destroying() as transaction:
            secret = _secret(transaction, name)
            versions = secret.versions
            kept = {secret.current, *versions[-keep:], *in_use}
            gone = tuple(number for number in versions if number not in kept)
            for number in gone:
                self._destroy(transaction, secret, number, "prune")
            if gone:
                self._put_secret(transaction, secret)
        return gone

    def remove(self, name: str, version: int | None = None) -> None:
        """Destroy a secret with all its versions, or one version that is not the current one."""
        with self._ledger.destroying() as transaction:
            secret = _secret(transaction, name)
            if version is None:
                for number in secret.versions:
                    transaction.delete(transaction.index(VERSION, name, number))
                transaction.delete(transaction.index(SECRET, name))
                transaction.record("remove", name)
            else:
                _version(transaction, secret, version)
                if version == secret.current:
                    raise SecretInUseError(
                        f"version in use, {name} v{version} is the current one",
                        hint=f"rotate or roll back first, or remove all of it: secretkit rm {name}",
                    )
                self._destroy(transaction, secret, version, "remove")
                self._put_secret(transaction, secret)

    def _destroy(
        self, transaction: Transaction, secret: SecretRecord, number: int, action: str
    ) -> None:
        transaction.delete(transaction.index(VERSION, secret.name, number))
        secret.drop(number)
        transaction.record(action, secret.name, number)

    def _put_secret(self, transaction: Transaction, secret: SecretRecord) -> None:
        secret.updated = transaction.now
        transaction.put(SECRET, transaction.index(SECRET, secret.name), secret.packed())

    def _put_version(
        self,
        transaction: Transaction,
        action: str,
        name: str,
        number: int,
        source: str,
        value: bytes,
    ) -> Version:
        record = VersionRecord(transaction.now, source, bytes(value))
        transaction.put(VERSION, transaction.index(VERSION, name, number), record.packed())
        transaction.record(action, name, number)
        return record.public(name, number)

    # -- reading ----------------------------------------------------------------------------------

    def read(self, name: str, version: int | None = None) -> Value:
        """The exact bytes of a version (default: the current one).

        The read is in the audit log, durably, before the value is returned.
        """
        with self._ledger.writing() as transaction:
            secret = _secret(transaction, name)
            number = secret.current if version is None else version
            record = _version(transaction, secret, number)
            transaction.record("read", name, number)
        return record.shown(name, number)

    def read_all(
        self, names: Iterable[str] | None = None, *, action: str = "read"
    ) -> dict[str, Value]:
        """The current values of several secrets (default: all), by name; recorded as `action`."""
        with self._ledger.writing() as transaction:
            if names is None:
                names = sorted(secret.name for secret in _secrets(transaction))
            values = {}
            for name in names:
                secret = _secret(transaction, name)
                record = _version(transaction, secret, secret.current)
                transaction.record(action, name, secret.current)
                values[name] = record.shown(name, secret.current)
        return values

    def get(self, name: str) -> Secret:
        """One secret, without values; raises SecretNotFoundError."""
        with self._ledger.reading() as transaction:
            return _secret(transaction, name).public()

    def list(self) -> tuple[Secret, ...]:
        """Every secret, by name, without values."""
        with self._ledger.reading() as transaction:
            found = [secret.public() for secret in _secrets(transaction)]
        return tuple(sorted(found, key=lambda secret: secret.name))

    def history(self, name: str) -> tuple[Version, ...]:
        """The versions of a secret that exist, oldest first, without values."""
        with self._ledger.reading() as transaction:
            secret = _secret(transaction, name)
            return tuple(
                _version(transaction, secret, number).public(name, number)
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


def _secrets(transaction: Transaction) -> list[SecretRecord]:
    return [SecretRecord.parse(transaction.open(entry)) for entry in transaction.entries(SECRET)]


def _secret(transaction: Transaction, name: str) -> SecretRecord:
    content = transaction.get(transaction.index(SECRET, name))
    if content is None:
        from difflib import get_close_matches

        known = [secret.name for secret in _secrets(transaction)]
        near = get_close_matches(name, known, n=1)
        raise SecretNotFoundError(name, suggestion=near[0] if near else None)
    return SecretRecord.parse(content)


def _version(transaction: Transaction, secret: SecretRecord, number: int) -> VersionRecord:
    if not secret.has(number):
        raise VersionNotFoundError(secret.name, f"v{number}")
    content = transaction.get(transaction.index(VERSION, secret.name, number))
    if content is None:
        raise StoreTamperedError(f"the store lost {secret.name} v{number}", hint="restore a backup")
    return VersionRecord.parse(content)


def _check_labels(labels: Mapping[str, str]) -> None:
    for key, value in labels.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise UsageError("a label and its value are text")
        if not key or len(key) > LABEL_LENGTH or len(value) > LABEL_LENGTH:
            raise UsageError(f"a label has 1 to {LABEL_LENGTH} characters on both sides of '='")

"""What a transaction does with secrets and their versions. Its callers check names and values."""

from __future__ import annotations

from collections.abc import Collection

from .. import naming
from ..errors import (
    ConflictError,
    SecretInUseError,
    SecretNotFoundError,
    StoreTamperedError,
    UsageError,
    VersionNotFoundError,
)
from ..model import Version
from . import crypto
from .records import SecretRecord, VersionRecord
from .transaction import SECRET, VERSION, Transaction

ENGINE = "engine"  # the source of a version that was found there


def everything(transaction: Transaction) -> list[SecretRecord]:
    """Every secret, in no order."""
    return [SecretRecord.parse(transaction.open(entry)) for entry in transaction.entries(SECRET)]


def look_up(transaction: Transaction, name: str) -> SecretRecord | None:
    """The secret, or None if there is none of that name."""
    content = transaction.get(transaction.index(SECRET, name))
    return None if content is None else SecretRecord.parse(content)


def find(transaction: Transaction, name: str) -> SecretRecord:
    """The secret; raises SecretNotFoundError with the nearest name."""
    secret = look_up(transaction, name)
    if secret is None:
        from difflib import get_close_matches

        known = [secret.name for secret in everything(transaction)]
        near = get_close_matches(name, known, n=1)
        raise SecretNotFoundError(name, suggestion=near[0] if near else None)
    return secret


def version(transaction: Transaction, secret: SecretRecord, number: int) -> VersionRecord:
    """A version of a secret; raises VersionNotFoundError."""
    if not secret.has(number):
        raise VersionNotFoundError(secret.name, f"v{number}")
    content = transaction.get(transaction.index(VERSION, secret.name, number))
    if content is None:
        raise StoreTamperedError(f"the store lost {secret.name} v{number}", hint="restore a backup")
    return VersionRecord.parse(content)


def put_secret(transaction: Transaction, secret: SecretRecord) -> None:
    """Write the secret's record, as changed now."""
    secret.updated = transaction.now
    transaction.put(SECRET, transaction.index(SECRET, secret.name), secret.packed())


def put_version(
    transaction: Transaction, action: str, name: str, number: int, source: str, value: bytes
) -> Version:
    """Write a version's record; the audit log has it as `action`."""
    record = VersionRecord(transaction.now, source, bytes(value))
    transaction.put(VERSION, transaction.index(VERSION, name, number), record.packed())
    transaction.record(action, name, number)
    return record.public(name, number)


def rotate(transaction: Transaction, name: str, value: bytes, source: str) -> Version:
    """The next version, current at once."""
    secret = find(transaction, name)
    number = secret.latest + 1
    naming.object_name(name, number)
    secret.add(number)
    secret.current = number
    put_secret(transaction, secret)
    return put_version(transaction, "rotate", name, number, source, value)


def stage(
    transaction: Transaction, name: str, value: bytes, number: int | None, source: str
) -> Version:
    """A version that exists and is not current."""
    secret = find(transaction, name)
    number = secret.latest + 1 if number is None else number
    if secret.has(number):
        staged = version(transaction, secret, number)
        if not crypto.same(staged.value, value):
            raise ConflictError(
                f"version exists with another value, {name} v{number}",
                hint=f"the next one is v{secret.latest + 1}",
            )
        return staged.public(name, number)
    if number <= secret.latest:
        raise ConflictError(
            f"number was used before, {name} v{number}",
            hint=f"numbers are never used again; the next one is v{secret.latest + 1}",
        )
    naming.object_name(name, number)
    secret.add(number)
    secret.staged.add(number)
    put_secret(transaction, secret)
    return put_version(transaction, "stage", name, number, source, value)


def learn(
    transaction: Transaction, name: str, number: int, value: bytes | None, source: str
) -> Version:
    """A version that was found in an engine, of unknown value unless it is given."""
    if number < 1:
        raise UsageError(f"a version has a number from 1, not {number}")
    naming.object_name(name, number)
    secret = look_up(transaction, name)
    if secret is None:
        now = transaction.now
        secret = SecretRecord(name, number, number, now, now, "", [], {})
    elif secret.has(number):
        known = version(transaction, secret, number)
        if value is None or crypto.same(known.value, value):
            return known.public(name, number)
        if known.value:
            raise ConflictError(
                f"version exists with another value, {name} v{number}",
                hint=f"`secretkit rotate {name}` makes the next one",
            )
    if not secret.has(number):
        secret.add(number)
    put_secret(transaction, secret)
    origin = ENGINE if value is None else source
    return put_version(transaction, "learn", name, number, origin, value or b"")


def make_current(transaction: Transaction, name: str, number: int, action: str) -> Version:
    """Makes a version current, whether it was before or not."""
    secret = find(transaction, name)
    found = version(transaction, secret, number)
    secret.current = number
    secret.staged.discard(number)
    put_secret(transaction, secret)
    transaction.record(action, name, number)
    return found.public(name, number)


def destroy(
    transaction: Transaction, secret: SecretRecord, numbers: Collection[int], action: str
) -> None:
    """Removes versions, none of them the current one (SecretInUseError)."""
    for number in numbers:
        if not secret.has(number):
            raise VersionNotFoundError(secret.name, f"v{number}")
        if number == secret.current:
            raise SecretInUseError(
                f"version in use, {secret.name} v{number} is the current one",
                hint=f"rotate or roll back first, or remove all of it: secretkit rm {secret.name}",
            )
    for number in numbers:
        transaction.delete(transaction.index(VERSION, secret.name, number))
        secret.drop(number)
        transaction.record(action, secret.name, number)
    if numbers:
        put_secret(transaction, secret)


def destroy_all(transaction: Transaction, secret: SecretRecord) -> None:
    """Removes the secret with all its versions."""
    for number in secret.versions:
        transaction.delete(transaction.index(VERSION, secret.name, number))
    transaction.delete(transaction.index(SECRET, secret.name))
    transaction.record("remove", secret.name)

"""The slots of an open store: add, drop, and `key rotate`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import ConflictError, NotFoundError, StoreKeyError, StoreTamperedError
from ..model import KeySlot
from . import crypto, files, slots
from .ledger import Ledger
from .records import SecretRecord, moment
from .slots import KeyFile, Slot
from .transaction import SECRET, VERSION, Transaction

Progress = Callable[[int, int], None]


def public(slot: Slot) -> KeySlot:
    """A slot as the library shows it."""
    return KeySlot(slot.number, slot.kind, moment(slot.created))


def add_key_file(ledger: Ledger, path: Path | None) -> KeySlot:
    """Write a new key file, then a slot for it."""
    store_id = ledger.keys.store_id
    key_file = slots.new_key_file(path or slots.default_key_path(store_id))
    made = slots.write_key_file(store_id, key_file)
    try:
        return _add(ledger, lambda n, root: slots.wrap_for_key_file(store_id, n, key_file, root))
    except BaseException:
        for file in made:
            file.unlink(missing_ok=True)
        raise


def add_credential(ledger: Ledger) -> KeySlot:
    """A slot for the key in `$CREDENTIALS_DIRECTORY`."""
    store_id = ledger.keys.store_id
    key_file = slots.read_credential()
    if key_file is None:
        raise NotFoundError(
            f"no credential, {slots.CREDENTIAL_NAME} is not in $CREDENTIALS_DIRECTORY",
            hint="a credential is a key file: `secretkit key add --key-file PATH` makes one",
        )
    return _add(ledger, lambda n, root: slots.wrap_for_key_file(store_id, n, key_file, root))


def add_passphrase(ledger: Ledger, passphrase: bytes) -> KeySlot:
    """A slot for a passphrase."""
    store_id = ledger.keys.store_id
    return _add(ledger, lambda n, root: slots.wrap_for_passphrase(store_id, n, passphrase, root))


def _add(ledger: Ledger, wrap: Callable[[int, bytes], Slot]) -> KeySlot:
    with ledger.writing() as transaction:
        number = max(slot.number for slot in transaction.slots()) + 1
        slot = wrap(number, ledger.keys.root)
        transaction.put_slot(slot)
        transaction.record("key-add", version=number)
    return public(slot)


def remove(ledger: Ledger, number: int) -> None:
    """Drop one slot, never the last."""
    with ledger.destroying() as transaction:
        present = transaction.slots()
        wanted = [slot for slot in present if slot.number == number]
        if not wanted:
            raise NotFoundError(f"no such key, {number}", hint="`secretkit key ls` lists them")
        if len(present) == 1:
            raise ConflictError(
                f"key {number} is the last one, without it nobody could open the store",
                hint="add another first: secretkit key add",
            )
        transaction.delete_slot(wanted[0])
        transaction.record("key-rm", version=number)


def rotate(ledger: Ledger, ask: slots.Passphrase | None, progress: Progress | None) -> None:
    """Seal everything anew under a new root key, with new key files, in one transaction.

    The new key files wait as `<key file>.next` until the commit; opening the store gives them
    their final name, should this process not live to do it.
    """
    store_id = ledger.keys.store_id
    keys = crypto.Keys(os.urandom(crypto.KEY_BYTES), store_id)
    with ledger.reading() as transaction:
        present = transaction.slots()
    successors = _successors(ledger, present, keys.root, ask)
    written = [key_file for _, key_file in successors if key_file]
    with ledger.alone():
        with ledger.reading() as transaction:
            if transaction.slots() != present:
                raise ConflictError("the keys were changed meanwhile", hint="run it again")
        try:
            for key_file in written:
                slots.next_path(key_file.path).unlink(missing_ok=True)
                files.write_new(slots.next_path(key_file.path), key_file.text(), 0o400)
        except OSError as error:
            raise files.write_error(error.filename or ledger.path, error) from None
        with ledger.destroying() as transaction:
            fresh = _resealed(transaction, keys, progress)
            for slot in present:
                transaction.delete_slot(slot)
            for slot, _ in successors:
                fresh.put_slot(slot)
            fresh.record("key-rotate")
        for key_file in written:
            slots.settle(key_file.path)


def _successors(
    ledger: Ledger, present: list[Slot], root: bytes, ask: slots.Passphrase | None
) -> list[tuple[Slot, KeyFile | None]]:
    """For each slot one that wraps the next root key, opened once; and its new key file, if any."""
    store_id = ledger.keys.store_id
    in_reach = {found.uid: found for found in slots.key_files(store_id, everything=True)}
    successors: list[tuple[Slot, KeyFile | None]] = []
    for slot in present:
        held = in_reach.get(slot.uid)
        key_file = None
        if slot.kind == slots.PASSPHRASE:
            passphrase = slots.passphrase_from_environment() or (ask() if ask else b"")
            slots.open_with_passphrase(store_id, slot, passphrase)
            successor = slots.wrap_for_passphrase(store_id, slot.number, passphrase, root)
            opened = slots.open_with_passphrase(store_id, successor, passphrase)
        elif held is None:
            raise ConflictError(
                f"key {slot.number} ({slot.kind}) is not in reach, it would be locked out",
                hint=f"name it with SECRETKIT_KEY_FILE, or drop it: secretkit key rm {slot.number}",
            )
        else:
            if held.kind == slots.KEY_FILE:
                held = key_file = slots.new_key_file(held.path)
            successor = slots.wrap_for_key_file(store_id, slot.number, held, root)
            opened = slots.open_with_key_file(store_id, successor, held)
        if opened != root:
            raise StoreKeyError(f"key {slot.number} does not open what it sealed")
        successors.append((successor, key_file))
    return successors


def _resealed(
    transaction: Transaction, keys: crypto.Keys, progress: Progress | None
) -> Transaction:
    events = [event for _, event in transaction.events()]
    secrets = list(transaction.entries(SECRET))
    everything = transaction.rows()
    fresh = transaction.successor(keys)
    done = 0
    for entry in secrets:
        content = transaction.open(entry)
        secret = SecretRecord.parse(content)
        fresh.put(SECRET, fresh.index(SECRET, secret.name), content, entry.row)
        for number in secret.versions:
            version = transaction.find(transaction.index(VERSION, secret.name, number))
            if version is None:
                raise StoreTamperedError(f"the store lost {secret.name} v{number}")
            content = transaction.open(version)
            fresh.put(VERSION, fresh.index(VERSION, secret.name, number), content, version.row)
            done += 1
            if progress:
                progress(done, everything)
    for event in events:
        fresh.append(event.packed())
    return fresh

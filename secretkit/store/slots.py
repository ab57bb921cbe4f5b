"""Slots: each wraps the root key under something a user has (a key file) or knows (a passphrase).

Where keys are looked for, in this order: `SECRETKIT_KEY_FILE`; `secretkit.key` in
`$CREDENTIALS_DIRECTORY` (systemd.exec(5), LoadCredential=); `<store-id>.key` in the keys folder,
and the `.next` beside it that an interrupted `key rotate` leaves; then a passphrase, from the
file that `SECRETKIT_PASSPHRASE_FILE` names or from the caller.
"""

from __future__ import annotations

import binascii
import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import (
    ConflictError,
    StoreKeyError,
    StorePermissionError,
    StoreTamperedError,
    UsageError,
)
from . import crypto, files
from .codec import number, pack, unpack

KEY_FILE = "key-file"
CREDENTIAL = "credential"
PASSPHRASE = "passphrase"  # noqa: S105 - the kind of a slot
CREDENTIAL_NAME = "secretkit.key"
PASSPHRASE_LENGTH = 1024

_KEY_MARK = "secretkit-key-1"
_NEXT = ".next"
# RFC 4648, section 5; the base64 module would cost more to import than all else here.
_URL_SAFE, _PLAIN = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")
_UID_BYTES = 8
_SALT_BYTES = 16

# Argon2id: the second recommended option of RFC 9106 (t=3, p=4, 64 MiB). What a slot's header
# may ask for is bounded before anything is derived: below the floor it is no protection
# (OWASP's minimum), above the ceiling it is a way to stop the reader.
ARGON2 = (3, 4, 64 * 1024)  # iterations, lanes, KiB
_ARGON2_FLOOR = (2, 1, 19 * 1024)
_ARGON2_CEILING = (10, 16, 1024 * 1024)

Passphrase = Callable[[], bytes]


class Slot(NamedTuple):
    """One row of the slot table: a public header, and the root key sealed under it."""

    number: int
    header: bytes
    wrapped: bytes

    @property
    def fields(self) -> list[bytes]:
        """kind, uid, created (ms), salt, and for a passphrase iterations, lanes, KiB."""
        fields = unpack(self.header)
        if len(fields) != (7 if fields[:1] == [PASSPHRASE.encode()] else 4):
            raise StoreTamperedError("damaged key slot in the store")
        return fields

    @property
    def kind(self) -> str:
        return self.fields[0].decode(errors="replace")

    @property
    def uid(self) -> bytes:
        return self.fields[1]

    @property
    def created(self) -> int:
        """Milliseconds since 1970."""
        return number(self.fields[2])


class KeyFile(NamedTuple):
    """A key and the slot it is for."""

    path: Path
    uid: bytes
    key: bytes
    kind: str = KEY_FILE
    final: Path | None = None  # where it belongs, if `key rotate` was interrupted

    def __repr__(self) -> str:
        return f"<key file {self.path}>"

    def text(self) -> bytes:
        encoded = binascii.b2a_base64(self.key, newline=False).translate(_URL_SAFE).decode()
        return f"{_KEY_MARK}:{self.uid.hex()}:{encoded}\n".encode()


def new_key_file(path: Path) -> KeyFile:
    """A key that is not on disk yet."""
    return KeyFile(path, os.urandom(_UID_BYTES), os.urandom(crypto.KEY_BYTES))


def read_key_file(path: Path, kind: str = KEY_FILE) -> KeyFile:
    """Read one key file; raises StoreKeyError or StorePermissionError, never showing its bytes."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        reason = (error.strerror or "I/O error").lower()
        raise StoreKeyError(f"cannot read the key file {path}: {reason}") from None
    try:
        info = os.fstat(fd)
        if kind == KEY_FILE:
            files.check_private_file(path, info)
        elif not stat.S_ISREG(info.st_mode):
            raise StorePermissionError(f"{path} is not a regular file")
        text = os.read(fd, 4096)
    finally:
        os.close(fd)
    try:
        mark, uid, encoded = text.decode("ascii").rstrip("\n").split(":")
        key = binascii.a2b_base64(encoded.encode().translate(_PLAIN), strict_mode=True)
        uid_bytes = bytes.fromhex(uid)
        if mark != _KEY_MARK or len(key) != crypto.KEY_BYTES or len(uid_bytes) != _UID_BYTES:
            raise ValueError
    except ValueError:
        raise StoreKeyError(
            f"{path} is not a secretkit key file, or is damaged",
            hint="put back a copy of it, or open the store with another of its keys",
        ) from None
    return KeyFile(path, uid_bytes, key, kind)


def default_key_path(store_id: bytes) -> Path:
    return files.keys_folder() / f"{store_id.hex()}.key"


def next_path(path: Path) -> Path:
    """Where `key rotate` writes the key that will replace `path`."""
    return path.with_name(path.name + _NEXT)


def key_files(store_id: bytes, *, everything: bool = False) -> Iterator[KeyFile]:
    """Key files in reach, in the order of this module's head.

    SECRETKIT_KEY_FILE, where set, is the only one, unless `everything` is wanted.
    """
    chosen = os.environ.get("SECRETKIT_KEY_FILE")
    if chosen:
        yield from _with_next(Path(chosen).resolve(), must_exist=True)
    if everything or not chosen:
        credential = read_credential()
        if credential:
            yield credential
        # A link there is ours: `init --key-file` makes it, in a folder that only we can write.
        yield from _with_next(default_key_path(store_id).resolve(), must_exist=False)


def _with_next(path: Path, *, must_exist: bool) -> Iterator[KeyFile]:
    if must_exist or path.exists():
        yield read_key_file(path)
    with contextlib.suppress(StoreKeyError):  # not there, or cut short before the commit
        yield read_key_file(next_path(path))._replace(final=path)


def read_credential() -> KeyFile | None:
    """The key in `$CREDENTIALS_DIRECTORY`, or None if there is none."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder) / CREDENTIAL_NAME if folder else None
    return read_key_file(path, CREDENTIAL) if path and path.exists() else None


def write_key_file(store_id: bytes, key_file: KeyFile) -> list[Path]:
    """Write a key file 0400, and a link to it in the keys folder if there is no key yet.

    Returns what was made. Raises ConflictError if there is a file of that name.
    """
    if key_file.path.name.endswith(_NEXT):
        raise UsageError(
            f"a key file is not called …{_NEXT}, {key_file.path}",
            hint="`key rotate` gives its next key file that ending: choose another name",
        )
    default = default_key_path(store_id)
    files.make_private_folder(default.parent)
    made = [key_file.path]
    try:
        files.write_new(key_file.path, key_file.text(), 0o400)
        if key_file.path != default and not os.path.lexists(default):
            default.symlink_to(key_file.path)
            made.append(default)
    except FileExistsError:
        raise ConflictError(
            f"the key file exists, {key_file.path}", hint="name a file that does not exist yet"
        ) from None
    except OSError as error:
        raise files.write_error(key_file.path, error) from None
    return made


def settle(path: Path) -> None:
    """Give the key that `key rotate` wrote its final name; if that fails, the next opening does."""
    with contextlib.suppress(OSError):
        next_path(path).rename(path)
        files.sync_folder(path.parent)


def passphrase_from_environment() -> bytes | None:
    """The content of the file that SECRETKIT_PASSPHRASE_FILE names, without its last newline."""
    path = os.environ.get("SECRETKIT_PASSPHRASE_FILE")
    if not path:
        return None
    try:
        with Path(path).open("rb") as file:
            return file.read(PASSPHRASE_LENGTH + 2).removesuffix(b"\n").removesuffix(b"\r")
    except OSError as error:
        reason = (error.strerror or "I/O error").lower()
        raise StoreKeyError(f"cannot read the passphrase file {path}: {reason}") from None


# -- wrapping and unwrapping --------------------------------------------------------------------


def wrap_for_key_file(store_id: bytes, slot: int, key_file: KeyFile, root: bytes) -> Slot:
    """A slot that `key_file` opens."""
    header = pack(key_file.kind, key_file.uid, _now(), os.urandom(_SALT_BYTES))
    return _wrap(store_id, slot, header, _from_key_file(header, key_file.key), root)


def wrap_for_passphrase(store_id: bytes, slot: int, passphrase: bytes, root: bytes) -> Slot:
    """A slot that `passphrase` opens; derives with Argon2id (about 0.1 s)."""
    check_passphrase(passphrase)
    uid, salt = os.urandom(_UID_BYTES), os.urandom(_SALT_BYTES)
    header = pack(PASSPHRASE, uid, _now(), salt, *ARGON2)
    return _wrap(store_id, slot, header, _from_passphrase(header, passphrase), root)


def check_passphrase(passphrase: bytes) -> None:
    """Raise UsageError for an empty passphrase or one beyond 1024 bytes."""
    if not passphrase:
        raise UsageError("the passphrase is empty")
    if len(passphrase) > PASSPHRASE_LENGTH:
        raise UsageError(f"the passphrase is longer than {PASSPHRASE_LENGTH} bytes")


def open_with_key_file(store_id: bytes, slot: Slot, key_file: KeyFile) -> bytes:
    """The root key; raises StoreKeyError if `key_file` does not open `slot`."""
    return _unwrap(store_id, slot, _from_key_file(slot.header, key_file.key), str(key_file.path))


def open_with_passphrase(store_id: bytes, slot: Slot, passphrase: bytes) -> bytes:
    """The root key; raises StoreKeyError if `passphrase` does not open `slot`."""
    return _unwrap(store_id, slot, _from_passphrase(slot.header, passphrase), "the passphrase")


def unlock(store_id: bytes, slots: list[Slot], ask: Passphrase | None) -> bytes:
    """The root key; raises StoreKeyError if nothing in reach opens the store."""
    refused: StoreKeyError | None = None
    for key_file in key_files(store_id):
        for slot in slots:
            if slot.uid == key_file.uid:
                root = open_with_key_file(store_id, slot, key_file)
                if key_file.final:
                    settle(key_file.final)
                return root
        refused = StoreKeyError(
            f"wrong key, {key_file.path} does not open this store",
            hint="it belongs to another store, or its slot was removed",
        )
    wanted = [slot for slot in slots if slot.kind == PASSPHRASE]
    if wanted:
        passphrase = passphrase_from_environment() or (ask() if ask else None)
        if passphrase:
            for slot in wanted:
                try:
                    return open_with_passphrase(store_id, slot, passphrase)
                except StoreKeyError as error:
                    refused = error
        elif not refused:
            refused = StoreKeyError(
                "the store needs its passphrase",
                hint="run it on a terminal, or name a file that holds it:"
                " SECRETKIT_PASSPHRASE_FILE",
            )
    raise refused or StoreKeyError(
        f"no key for this store, {default_key_path(store_id)} is not there",
        hint="put a copy of the key there, or name it: SECRETKIT_KEY_FILE=PATH",
    )


def _now() -> int:
    return time.time_ns() // 1_000_000


def _context(store_id: bytes, header: bytes) -> bytes:
    return crypto.context(store_id, "slot", header)


def _wrap(store_id: bytes, slot: int, header: bytes, key: bytes, root: bytes) -> Slot:
    return Slot(slot, header, crypto.seal(key, _context(store_id, header), root))


def _unwrap(store_id: bytes, slot: Slot, key: bytes, what: str) -> bytes:
    try:
        root = crypto.unseal(key, _context(store_id, slot.header), slot.wrapped)
    except StoreTamperedError:
        raise StoreKeyError(
            f"wrong key, {what} does not open slot {slot.number} of this store",
            hint="if it is the right one, the slot was damaged: restore a backup",
        ) from None
    return root


def _from_key_file(header: bytes, key: bytes) -> bytes:
    return crypto.derive(key, unpack(header)[3], pack("secretkit", crypto.FORMAT, "key file"))


def _from_passphrase(header: bytes, passphrase: bytes) -> bytes:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    salt = unpack(header)[3]
    iterations, lanes, kib = (number(field) for field in unpack(header)[4:7])
    for asked, floor, ceiling in zip(
        (iterations, lanes, kib), _ARGON2_FLOOR, _ARGON2_CEILING, strict=True
    ):
        if not floor <= asked <= ceiling:
            raise StoreTamperedError("a key slot asks for Argon2id outside the allowed bounds")
    return Argon2id(
        salt=salt, length=crypto.KEY_BYTES, iterations=iterations, lanes=lanes, memory_cost=kib
    ).derive(passphrase)

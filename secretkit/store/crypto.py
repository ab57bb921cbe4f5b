"""The one cipher suite of format 1: HKDF-SHA256, AES-256-GCM with key commitment, HMAC-SHA256.

No algorithm name is read from disk: another suite would be another format version.
"""

from __future__ import annotations

import os
from _operator import _compare_digest  # hmac.compare_digest, without loading hmac and hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ..errors import StoreTamperedError
from .codec import pack, pad, unpad

FORMAT = 1
KEY_BYTES = 32
NONCE_BYTES = 12
SALT_BYTES = 32
COMMIT_BYTES = 32
INDEX_BYTES = 16
DIGEST_BYTES = 16
MAC_BYTES = 32
_TAG_BYTES = 16
_HEADER_BYTES = SALT_BYTES + COMMIT_BYTES


def context(store_id: bytes, kind: str, *fields: bytes | str | int) -> bytes:
    """What a ciphertext is bound to: format, store, the kind of row, and which one."""
    return _prefix(store_id, kind) + pack(*fields)


@lru_cache(maxsize=64)
def _prefix(store_id: bytes, kind: str) -> bytes:
    return pack("secretkit", FORMAT, store_id, kind)


def derive(key: bytes, salt: bytes, info: bytes, length: int = KEY_BYTES) -> bytes:
    """HKDF-SHA256 (RFC 5869)."""
    return HKDF(SHA256(), length, salt, info).derive(key)


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104), 32 bytes."""
    code = HMAC(key, SHA256())
    code.update(message)
    return code.finalize()


def same(one: bytes, other: bytes) -> bool:
    """Whether two byte strings are equal, in constant time."""
    return _compare_digest(one, other)


def digest(box: bytes) -> bytes:
    """SHA-256 of a ciphertext, cut to 16 bytes: names one exact row inside a sealed leaf."""
    sha256 = Hash(SHA256())
    sha256.update(box)
    return sha256.finalize()[:DIGEST_BYTES]


def seal(key: bytes, bound_to: bytes, content: bytes) -> bytes:
    """Encrypt under a key of its own: salt | commitment | nonce | ciphertext | tag.

    The commitment makes it infeasible that a second key opens the same bytes to something else,
    which GCM alone does not promise.
    """
    salt = os.urandom(SALT_BYTES)
    nonce = os.urandom(NONCE_BYTES)
    own_key, commitment = _own_key(key, salt, bound_to)
    sealed = AESGCM(own_key).encrypt(nonce, pad(content), bound_to)
    return salt + commitment + nonce + sealed


def unseal(key: bytes, bound_to: bytes, box: bytes) -> bytes:
    """What `seal` was given; raises StoreTamperedError for another key, context or content."""
    if len(box) < _HEADER_BYTES + NONCE_BYTES + _TAG_BYTES:
        raise StoreTamperedError("a row of the store was changed")
    own_key, commitment = _own_key(key, box[:SALT_BYTES], bound_to)
    if not same(commitment, box[SALT_BYTES:_HEADER_BYTES]):
        raise StoreTamperedError("a row of the store was changed")
    return RowCipher(own_key).unseal(bound_to, box[_HEADER_BYTES:])


@lru_cache(maxsize=8)  # what was just sealed is read back at once
def _own_key(key: bytes, salt: bytes, bound_to: bytes) -> tuple[bytes, bytes]:
    derived = derive(key, salt, bound_to, KEY_BYTES + COMMIT_BYTES)
    return derived[:KEY_BYTES], derived[KEY_BYTES:]


class RowCipher:
    """AES-256-GCM under one long-lived key with random nonces, for rows that a MAC covers too.

    NIST SP 800-38D allows 2**32 random nonces to a key: four thousand million writes.
    """

    def __init__(self, key: bytes) -> None:
        self._gcm = AESGCM(key)

    def seal(self, bound_to: bytes, content: bytes) -> bytes:
        """nonce | ciphertext | tag."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._gcm.encrypt(nonce, pad(content), bound_to)

    def unseal(self, bound_to: bytes, box: bytes) -> bytes:
        """What `seal` was given; raises StoreTamperedError for anything else."""
        try:
            content = self._gcm.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], bound_to)
        except (InvalidTag, ValueError):
            raise StoreTamperedError("a row of the store was changed") from None
        return unpad(content)


class Keys:
    """The keys of one store, each derived from the root key for one use."""

    def __init__(self, root: bytes, store_id: bytes) -> None:
        def key(use: str) -> bytes:
            return derive(root, store_id, context(store_id, "key", use))

        self.root = root
        self.store_id = store_id
        self.values = key("values")
        self.index = key("index")
        self.integrity = key("integrity")
        self.chain = key("audit chain")
        self.directory = RowCipher(key("directory"))
        self.audit = RowCipher(key("audit"))

    def fingerprint(self, name: str, value: bytes) -> str:
        """What tells two values of a secret apart to somebody without the keys, and no more.

        The first part names the key: fingerprints under other keys cannot be compared.
        """
        use = "fingerprint"
        key = derive(self.root, self.store_id, context(self.store_id, "key", use))
        code = mac(key, context(self.store_id, use, name, value))
        return f"{mac(key, context(self.store_id, use))[:8].hex()}:{code.hex()}"

    def __repr__(self) -> str:
        return f"<keys of store {self.store_id.hex()}>"

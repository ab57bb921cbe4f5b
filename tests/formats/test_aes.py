"""The cipher of keystores against that of cryptography."""

from __future__ import annotations

import random

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from secretkit_entrypoint.keystore.aes import encrypt_cbc


def test_aes_is_aes() -> None:
    """Our cipher and cryptography's give the same for random keys, vectors and contents."""
    source = random.Random(7)
    for length in range(300):
        secret, vector, content = (source.randbytes(size) for size in (32, 16, length))
        padder = PKCS7(128).padder()
        padded = padder.update(content) + padder.finalize()
        cipher = Cipher(algorithms.AES(secret), modes.CBC(vector)).encryptor()
        assert encrypt_cbc(secret, vector, content) == cipher.update(padded) + cipher.finalize()

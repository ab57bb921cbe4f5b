"""JKS, the keystore of Java before 9, as sun.security.provider.JavaKeyStore reads it.

Its key is kept by SHA-1 without any iteration, and its names are in lower case: for programs that
read nothing else.
"""

import hashlib

from . import der

MAGIC, VERSION = 0xFEEDFEED, 2
KEY, TRUSTED = 1, 2
# An entry has a date (ms since 1970); this one makes equal inputs equal files.
DATE = bytes(8)
# As sun.security.provider.KeyProtector.
PROTECTION = "1.3.6.1.4.1.42.2.17.1.1"


def write(password, own, trusted, salt):
    """The file (bytes), from the same as pkcs12.write()."""
    secret = password.encode("utf-16-be")
    entries = []
    if own is not None:
        alias, key, chain = own
        entries.append(
            number(KEY)
            + text(alias.lower())
            + DATE
            + block(protected(key, secret, salt(b"key")[:20]))
            + number(len(chain))
            + b"".join(map(certificate, chain))
        )
    for alias, encoded in trusted:
        entries.append(number(TRUSTED) + text(alias.lower()) + DATE + certificate(encoded))
    content = number(MAGIC) + number(VERSION) + number(len(entries)) + b"".join(entries)
    return content + sha1(secret + b"Mighty Aphrodite" + content)


def sha1(content):
    return hashlib.sha1(content).digest()  # noqa: S324 - the format is made of it


def number(value):
    return value.to_bytes(4, "big")


def block(content):
    return number(len(content)) + content


def certificate(encoded):
    return text("X.509") + block(encoded)


def text(name):
    """As java.io.DataOutput.writeUTF, which is UTF-8 for what an alias may hold."""
    encoded = name.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def protected(key, secret, salt):
    """An EncryptedPrivateKeyInfo: `key` under a key stream of SHA-1, with a digest."""
    stream = previous = salt
    while len(stream) < len(key) + len(salt):
        previous = sha1(secret + previous)
        stream += previous
    stream = stream[20 : 20 + len(key)]
    mixed = int.from_bytes(key, "big") ^ int.from_bytes(stream, "big")
    kept = salt + mixed.to_bytes(len(key), "big") + sha1(secret + key)
    return der.sequence(der.algorithm(PROTECTION), der.tlv(der.OCTETS, kept))

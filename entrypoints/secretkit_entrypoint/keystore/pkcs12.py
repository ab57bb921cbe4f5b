"""PKCS #12 (RFC 7292): the key is encrypted, everything is authenticated.

Certificates are public and stay as they are, so that only a store with a key needs a cipher.
"""

import hmac
from hashlib import pbkdf2_hmac, sha256

from . import der
from .aes import encrypt_cbc

ITERATIONS = 10000  # as Java and keytool

DATA = "1.2.840.113549.1.7.1"
SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2"
CERT_BAG = "1.2.840.113549.1.12.10.1.3"
X509 = "1.2.840.113549.1.9.22.1"
FRIENDLY_NAME = "1.2.840.113549.1.9.20"
LOCAL_KEY_ID = "1.2.840.113549.1.9.21"
# Java's mark of a certificate to trust, with the purposes that it is trusted for: any.
TRUSTED_KEY_USAGE = "2.16.840.1.113894.746875.1.1"
ANY_USAGE = "2.5.29.37.0"
PBES2, PBKDF2 = "1.2.840.113549.1.5.13", "1.2.840.113549.1.5.12"
HMAC_SHA256, SHA256 = "1.2.840.113549.2.9", "2.16.840.1.101.3.4.2.1"
AES_256_CBC = "2.16.840.1.101.3.4.1.42"
# There is one key at most, so any mark tells which certificate is its own.
KEY_ID = b"\1"


def write(password, own, trusted, salt):
    """The file (bytes).

    `password` is str; `own` None or (alias, key as PKCS #8, chain); `trusted` [(alias,
    certificate)], with DER throughout; `salt(purpose)` gives 32 bytes, others for each purpose.
    """
    bags = []
    if own is not None:
        alias, key, chain = own
        marks = (friendly_name(alias), attribute(LOCAL_KEY_ID, der.tlv(der.OCTETS, KEY_ID)))
        bags.append(bag(SHROUDED_KEY_BAG, encrypted(key, password.encode(), salt), *marks))
        bags.append(certificate_bag(chain[0], *marks))
        bags.extend(map(certificate_bag, chain[1:]))
    usage = attribute(TRUSTED_KEY_USAGE, der.oid(ANY_USAGE))
    for alias, certificate in trusted:
        bags.append(certificate_bag(certificate, friendly_name(alias), usage))
    safe = der.sequence(data(der.sequence(*bags)))
    return der.sequence(der.integer(3), data(safe), mac(safe, password, salt(b"mac")))


def data(content):
    """A ContentInfo that holds `content` as it is."""
    return der.sequence(der.oid(DATA), der.tlv(0xA0, der.tlv(der.OCTETS, content)))


def bag(kind, value, *attributes):
    """A SafeBag; DER wants a SET in order."""
    return der.sequence(der.oid(kind), der.tlv(0xA0, value), der.tlv(der.SET, *sorted(attributes)))


def certificate_bag(certificate, *attributes):
    value = der.sequence(der.oid(X509), der.tlv(0xA0, der.tlv(der.OCTETS, certificate)))
    return bag(CERT_BAG, value, *attributes)


def attribute(kind, value):
    return der.sequence(der.oid(kind), der.tlv(der.SET, value))


def friendly_name(alias):
    return attribute(FRIENDLY_NAME, der.tlv(der.UTF16, alias.encode("utf-16-be")))


def encrypted(key, password, salt):
    """An EncryptedPrivateKeyInfo by PBES2 (RFC 8018): PBKDF2 with HMAC-SHA256, AES-256 in CBC."""
    derived = pbkdf2_hmac("sha256", password, salt(b"key"), ITERATIONS)
    vector = salt(b"vector")[:16]
    derivation = der.sequence(
        der.tlv(der.OCTETS, salt(b"key")), der.integer(ITERATIONS), der.algorithm(HMAC_SHA256)
    )
    method = der.sequence(
        der.algorithm(PBKDF2, derivation), der.algorithm(AES_256_CBC, der.tlv(der.OCTETS, vector))
    )
    return der.sequence(
        der.algorithm(PBES2, method), der.tlv(der.OCTETS, encrypt_cbc(derived, vector, key))
    )


def mac(content, password, salt):
    """The MacData over `content`: HMAC-SHA256 with a key derived as of RFC 7292, appendix B."""
    purpose = b"\3" * 64
    derived = purpose + fill(salt) + fill(password.encode("utf-16-be") + b"\0\0")
    for _ in range(ITERATIONS):
        derived = sha256(derived).digest()
    digest = hmac.new(derived, content, "sha256").digest()
    info = der.sequence(der.algorithm(SHA256), der.tlv(der.OCTETS, digest))
    return der.sequence(info, der.tlv(der.OCTETS, salt), der.integer(ITERATIONS))


def fill(text):
    """`text` again and again, up to a multiple of SHA-256's block of 64 bytes."""
    length = -(-len(text) // 64) * 64
    return (text * (length // len(text) + 1))[:length]

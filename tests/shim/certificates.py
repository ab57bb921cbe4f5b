"""Keys and certificates as PEM, to make keystores of."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

KEYS = {
    "RSA 2048": lambda: rsa.generate_private_key(65537, 2048),
    "RSA 4096": lambda: rsa.generate_private_key(65537, 4096),
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
}


@cache
def key(kind: str, number: int = 0) -> PrivateKey:
    """A private key of a kind in KEYS: always the same for the same `number`."""
    return KEYS[kind]()


def key_pem(
    private: PrivateKey,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption = NoEncryption(),  # noqa: B008 - it has no state
) -> bytes:
    """The PEM of a private key."""
    return private.private_bytes(Encoding.PEM, form, encryption)


class Authority:
    """A CA with a certificate of its own, or one that another CA has issued."""

    def __init__(self, name: str, issuer: Authority | None = None, kind: str = "P-256") -> None:
        self.name = name
        self.key = KEYS[kind]()
        signer = issuer or self
        self.pem = _certificate(self.key, name, signer.name, signer.key, authority=True)

    def issue(self, private: PrivateKey, name: str = "localhost") -> bytes:
        """The PEM of a certificate for a server's key."""
        return _certificate(private, name, self.name, self.key, authority=False)


def _certificate(
    private: PrivateKey, name: str, issuer: str, signer: PrivateKey, *, authority: bool
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2049, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
    )
    if not authority:
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        builder = builder.add_extension(names, critical=False)
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else SHA256()
    return builder.sign(signer, digest).public_bytes(Encoding.PEM)


def digests(pem: bytes) -> list[str]:
    """The SHA-256 of each certificate in a PEM file, in hex."""
    return [found.fingerprint(SHA256()).hex() for found in x509.load_pem_x509_certificates(pem)]

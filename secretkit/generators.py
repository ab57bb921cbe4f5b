"""New values: passwords, tokens, keys, certificates.

A kind is written `KIND` or `KIND:ARG`, such as `password:32` or `tls:db.internal`. Randomness comes
from the `secrets` module (the kernel's CSPRNG). Kinds whose length can be chosen refuse less than
128 bits; `uuid` (122 bits) and `pin` have fewer by their nature and say so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from .errors import UsageError
from .naming import check_name, check_value

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_BITS = 128
_LONGEST = 4096  # characters or bytes; a key that is longer adds nothing but trouble
DIGITS = "0123456789"
LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()
# Symbols that password policies count, without quotes, backslash, `$`, `&`, `|`, `<`, `>`, `;`,
# `(`, `)`, `{`, `}`, `[`, `]`: a legacy script that pastes the value into a shell survives these.
SYMBOLS = "!#%*+,-.:=?@^_~"


class Kind(NamedTuple):
    """One row of the table of generators."""

    argument: str  # what ARG means, or ""
    default: int | str | None  # ARG when it is not given
    lowest: int
    highest: int
    what: str
    make: Callable[..., bytes] | None  # None: makes a pair (`generate_for`)


def _password(length: int, *classes: str) -> bytes:
    """A string over `classes` that has at least one character of each.

    Whole strings are drawn until one qualifies, so that all qualifying strings are equally likely.
    """
    from secrets import choice

    alphabet = "".join(classes)
    while True:
        word = "".join(choice(alphabet) for _ in range(length))
        if all(any(c in one for c in word) for one in classes):
            return word.encode()


def _letters_and_digits(length: int) -> bytes:
    return _password(length, LOWER, UPPER, DIGITS)


def _with_symbols(length: int) -> bytes:
    return _password(length, LOWER, UPPER, DIGITS, SYMBOLS)


def _pin(length: int) -> bytes:
    # One digit alone is what a mock is.
    while len(set(pin := _password(length, DIGITS))) == 1:
        pass
    return pin


def _random(size: int) -> bytes:
    from secrets import token_bytes

    return token_bytes(size)


def _hex(size: int) -> bytes:
    return _random(size).hex().encode()


def _base64(size: int) -> bytes:
    from base64 import b64encode

    return b64encode(_random(size))


def _urlsafe(size: int) -> bytes:
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(_random(size)).rstrip(b"=")


def _fernet() -> bytes:
    from base64 import urlsafe_b64encode

    return urlsafe_b64encode(_random(32))


def _jwt_key() -> bytes:
    # RFC 7518, 3.2: an HMAC key is at least as long as the hash; 64 bytes serve HS256 to HS512.
    return _urlsafe(64)


def _uuid() -> bytes:
    from uuid import uuid4

    return str(uuid4()).encode()


def _ed25519() -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return pem(Ed25519PrivateKey.generate())


def _rsa(bits: int) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    return pem(generate_private_key(public_exponent=65537, key_size=bits))


def pem(key: object) -> bytes:
    """A private key as PKCS #8 in PEM, not encrypted."""
    from cryptography.hazmat.primitives import serialization as s

    return key.private_bytes(  # type: ignore[attr-defined, no-any-return]  # any private key has it
        s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()
    )


# Source of the limits: 62 letters and digits are 5.95 bits each, with 15 symbols 6.26; RSA reaches
# 128 bits at 3072 (NIST SP 800-57 part 1, table 2).
KINDS: dict[str, Kind] = {
    "password": Kind("length", 32, 22, _LONGEST, "letters and digits", _letters_and_digits),
    "password-symbols": Kind(
        "length", 32, 21, _LONGEST, f"letters, digits and {SYMBOLS}", _with_symbols
    ),
    "hex": Kind("bytes", 32, _BITS // 8, _LONGEST, "random bytes in hexadecimal", _hex),
    "base64": Kind("bytes", 32, _BITS // 8, _LONGEST, "random bytes in base64", _base64),
    "urlsafe": Kind(
        "bytes", 32, _BITS // 8, _LONGEST, "random bytes in URL-safe base64, unpadded", _urlsafe
    ),
    "uuid": Kind("", None, 0, 0, "a random UUID (version 4, 122 bits)", _uuid),
    "pin": Kind("digits", 6, 4, 64, "digits: 20 bits at the default length, not a password", _pin),
    "ed25519": Kind("", None, 0, 0, "an Ed25519 private key (PKCS #8, PEM)", _ed25519),
    "rsa": Kind("bits", 3072, 3072, 8192, "an RSA private key (PKCS #8, PEM)", _rsa),
    "tls": Kind(
        "common name",
        "localhost",
        0,
        0,
        "two secrets, NAME-key and NAME-cert: a P-256 key and its self-signed certificate, 1 year",
        None,
    ),
    "jwt-key": Kind("", None, 0, 0, "a key for HS256, HS384, HS512 (64 bytes, base64)", _jwt_key),
    "fernet": Kind("", None, 0, 0, "a key for cryptography's Fernet", _fernet),
}


def check_kind(kind: str) -> str:
    """Return `kind` if `generate_for` can make it, else raise UsageError.

    The message never repeats `kind`: somebody may have written a value there.
    """
    parse(kind)
    return kind


def parse(kind: str) -> tuple[str, int | str | None]:
    """The name of a kind and its argument: the one given, else its default. Raises UsageError."""
    name, colon, argument = kind.partition(":")
    row = KINDS.get(name)
    if row is None:
        from difflib import get_close_matches

        near = get_close_matches(name, KINDS, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError("no such generator", hint=f"{hint}generators: {', '.join(KINDS)}")
    if not colon:
        return name, row.default
    if not row.argument:
        raise UsageError(f"generator {name} takes no argument", hint=f"write {name}")
    if isinstance(row.default, str):
        return name, _common_name(argument)
    # At most 9 digits: int() of a very long numeral is slow and then refused by Python itself.
    if not (argument.isascii() and argument.isdigit() and len(argument) < 10):
        raise UsageError(
            f"generator {name} takes a number ({row.argument})",
            hint=f"for example {name}:{row.default}",
        )
    if not row.lowest <= int(argument) <= row.highest:
        reason = ", less has under 128 bits" if row.lowest > 4 else ""
        raise UsageError(
            f"generator {name} takes {row.lowest} to {row.highest} ({row.argument}{reason})",
            hint=f"for example {name}:{row.default}",
        )
    return name, int(argument)


def _common_name(text: str) -> str:
    """A DNS name or IP address; at most 64 characters (X.520, ub-common-name)."""
    import re
    from ipaddress import ip_address

    label = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
    if not (len(text) <= 64 and re.fullmatch(rf"(?:\*\.)?{label}(?:\.{label})*", text)):
        try:
            ip_address(text)
        except ValueError:
            raise UsageError(
                "generator tls takes a common name: a host name or an IP address, at most"
                " 64 characters",
                hint="for example tls:db.internal",
            ) from None
    return text


def makes_pair(kind: str) -> bool:
    """Whether `kind` makes the two secrets NAME-key and NAME-cert. Raises UsageError."""
    return KINDS[parse(kind)[0]].make is None


def names_for(name: str, kind: str) -> tuple[str, ...]:
    """The secrets that `generate_for(name, kind)` makes. Raises InvalidNameError, UsageError."""
    if makes_pair(kind):
        return check_name(f"{name}-key"), check_name(f"{name}-cert")
    return (check_name(name),)


def generate(kind: str) -> bytes:
    """A new value, such as `generate("password:32")`; the kinds are the keys of `KINDS`.

    Raises UsageError for an unknown kind, an argument out of bounds, and for `tls`, which makes two
    values (`generate_for`).
    """
    name, argument = parse(kind)
    row = KINDS[name]
    if row.make is None:
        raise UsageError(
            "generator tls makes two values", hint="generate_for(name, kind) returns both"
        )
    value = row.make() if argument is None else row.make(argument)
    check_value(kind, value)
    return value


def generate_for(name: str, kind: str) -> dict[str, bytes]:
    """New values by secret: `{name: …}`, or for `tls` `{name-key: …, name-cert: …}`.

    Raises InvalidNameError and UsageError.
    """
    row, argument = parse(kind)
    names = names_for(name, kind)
    if KINDS[row].make is None:
        return dict(zip(names, _tls(str(argument)), strict=True))
    return {name: generate(kind)}


def _tls(common_name: str) -> tuple[bytes, bytes]:
    """A P-256 key and a certificate for it, signed by itself: PEM, valid for 365 days."""
    from datetime import UTC, datetime, timedelta

    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    # A little in the past, for the clock of the machine that will read it.
    start = datetime.now(UTC) - timedelta(minutes=5)
    return pem(key), certificate_for(key, common_name, start, start + timedelta(days=365))


def certificate_for(
    key: EllipticCurvePrivateKey,
    common_name: str,
    start: datetime,
    end: datetime,
    *,
    serial: int | None = None,
    organization: str = "",
) -> bytes:
    """A certificate for `key`, signed by itself: PEM.

    `serial` is a random one by default. RFC 6125: clients look at subjectAltName only, so the name
    stands there too. With a `serial`, the same arguments make the same bytes (RFC 6979).
    """
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    alternatives: list[x509.GeneralName] = []
    try:
        alternatives.append(x509.IPAddress(ip_address(common_name)))
    except ValueError:
        alternatives.append(x509.DNSName(common_name))
    if common_name == "localhost":
        alternatives += [x509.IPAddress(ip_address(own)) for own in ("127.0.0.1", "::1")]
    names = [
        (x509.NameOID.ORGANIZATION_NAME, organization),
        (x509.NameOID.COMMON_NAME, common_name),
    ]
    subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in names if text])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number() if serial is None else serial)
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=serial is not None)
    )
    return certificate.public_bytes(serialization.Encoding.PEM)

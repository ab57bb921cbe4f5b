"""Mocks look like the real thing, are the same everywhere, and are recognised as mocks."""

from __future__ import annotations

import json
import os
import re
from base64 import b64decode, urlsafe_b64decode
from hashlib import sha256
from random import Random
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from secretkit import mocks
from secretkit.errors import InvalidNameError, UsageError
from secretkit.generators import (
    KINDS,
    SYMBOLS,
    generate,
    generate_for,
    makes_pair,
    names_for,
    parse,
)
from secretkit.mocks import MARK, Mock, is_mock, mock_for
from secretkit.naming import check_value

PLAIN, NASTY = Mock("plain", 0), Mock("nasty", 0)
TEXTS = (None, "password", "password-symbols")
# The whole range of arguments: the shortest values have the least room.
KINDS_AND_ARGUMENTS = [
    f"{name}:{argument}" if argument else name
    for name, row in KINDS.items()
    for argument in (None, row.lowest, "db.internal" if name == "tls" else row.highest)
    if argument != 0
]
styles = st.sampled_from(["plain", "nasty"])
which = st.builds(Mock, styles, st.integers())
names = st.from_regex(r"\A[a-zA-Z0-9](?:[a-zA-Z0-9_.]{0,40}[a-zA-Z0-9])?\Z")


def values_of(kind: str | None, mock: Mock, name: str = "db") -> list[bytes]:
    return list(mock_for(name, kind, mock).values())


@given(name=names, kind=st.sampled_from([None, *KINDS_AND_ARGUMENTS]), mock=which)
def test_every_mock_is_recognised(name: str, kind: str | None, mock: Mock) -> None:
    """Of any name, kind, style and seed; also where white space at the ends was cut or added."""
    made = mock_for(name, kind, mock)
    assert list(made) == list(names_for(name, kind or "hex"))
    for value in made.values():
        check_value(name, value)
        for variant in (value, value.strip(), value + b"\n", b" " + value + b"\r\n"):
            assert is_mock(variant)
            assert is_mock(memoryview(variant))  # type: ignore[arg-type]


@given(name=names, kind=st.sampled_from([None, *KINDS_AND_ARGUMENTS]), mock=which)
def test_the_same_each_time(name: str, kind: str | None, mock: Mock) -> None:
    """A mock is a function of what it is for, keys and certificates among them."""
    assert mock_for(name, kind, mock) == mock_for(name, kind, mock)


def test_the_same_on_every_machine() -> None:
    """The values are pinned: no release of Python or of a library changes them unseen."""
    found = sha256()
    for style in ("plain", "nasty"):
        for kind in [None, *KINDS_AND_ARGUMENTS]:
            for value in values_of(kind, Mock(style, 7)):
                found.update(value)
    assert found.hexdigest() == "9572b9bcd170509fd5bc6977667c4f1a21e4d3875642f3b0780b223f9c111137"


def test_no_real_value_is_a_mock() -> None:
    """Of 200 000 values of all generators that are quick, and of random bytes, none is."""
    quick = [one for one in KINDS_AND_ARGUMENTS if parse(one)[0] not in ("rsa", "tls")]
    quick = [one for one in quick if parse(one)[1] != 4096]
    for turn in range(200_000 // (len(quick) + 1)):
        assert not [one for one in quick if is_mock(generate(one))]
        assert not is_mock(os.urandom(1 + turn % 512))


def test_no_real_key_is_a_mock() -> None:
    """Nor one of the slow kinds."""
    assert not is_mock(generate("rsa"))
    for kind in ("tls", "tls:db.internal"):
        assert not [one for one in generate_for("web", kind).values() if is_mock(one)]


@pytest.mark.parametrize("kind", ["password:4096", "hex:4096", "base64:4096", "urlsafe:4096"])
def test_no_long_value_is_a_mock(kind: str) -> None:
    """The longest ones have the most places where the mark could stand by chance."""
    assert not [one for one in (generate(kind) for _ in range(20)) if is_mock(one)]


@given(st.binary(max_size=2000), st.randoms(use_true_random=False))
def test_whatever_it_is_given_it_answers(value: bytes, random: Random) -> None:
    """No bytes raise an error, broken PEM among them."""
    place = random.randrange(len(value) + 1)
    for one in (value, value[:place] + b"-----BEGIN X-----" + value[place:] + b"-----END X-----"):
        assert is_mock(one) is (MARK.encode() in one) or not one.strip().strip(b"0123456789")


def test_a_large_value_is_looked_at_quickly() -> None:
    """Half a megabyte of headers takes linear time."""
    assert not is_mock(b"-----BEGIN A-----" * 30_000)
    assert not is_mock(b"1" * 511_999)


@pytest.mark.parametrize("style", ["plain", "nasty"])
@pytest.mark.parametrize(
    "kind", [None, *(one for one in KINDS_AND_ARGUMENTS if parse(one)[0] != "pin")]
)
def test_inside_of_a_text(kind: str | None, style: str) -> None:
    """What was rendered from a mock is found as well: in a URL, in a JSON file, among others."""
    # A PIN is found as a whole value alone.
    for value in values_of(kind, Mock(style, 1)):
        assert is_mock(b"postgres://app:" + value + b"@db/shop\n")
        document = json.dumps({"password": value.decode().replace("\n", "\r\n")}).encode()
        assert is_mock(document)
        assert is_mock(json.dumps(document.decode()).encode())
        assert is_mock(b"-----BEGIN X-----\n????\n-----END X-----\n" + value + b"rest")


def test_as_another_format_of_the_same_key() -> None:
    """A key is found as DER, in the formats of OpenSSL and of SSH; a certificate as DER."""
    for kind in ("rsa", "tls", "ed25519"):
        key = load_pem_private_key(
            values_of(kind, PLAIN)[0], None, unsafe_skip_rsa_key_validation=True
        )
        for encoding, format_ in (
            (Encoding.DER, PrivateFormat.PKCS8),
            (Encoding.PEM, PrivateFormat.OpenSSH),
            (Encoding.PEM, PrivateFormat.TraditionalOpenSSL),
        ):
            if kind != "ed25519" or format_ != PrivateFormat.TraditionalOpenSSL:
                assert is_mock(key.private_bytes(encoding, format_, NoEncryption()))
    certificate = x509.load_pem_x509_certificate(values_of("tls", PLAIN)[1])
    assert is_mock(certificate.public_bytes(Encoding.DER))


@pytest.mark.parametrize("kind", [one for one in KINDS_AND_ARGUMENTS if not makes_pair(one)])
@given(mock=which)
def test_shape(kind: str, mock: Mock) -> None:
    """Length and alphabet are those of the generator; of a nasty text they are not."""
    name, argument = parse(kind)
    if mock.style == "nasty" and name in TEXTS:
        return
    value = mock_for("db", kind, mock)["db"].decode()
    size = argument if isinstance(argument, int) else 0
    symbols = re.escape(SYMBOLS)
    pattern = {
        "password": rf"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9]{{{size}}}",
        "password-symbols": rf"(?=.*[A-Z])(?=.*[^A-Za-z0-9])[A-Za-z0-9{symbols}]{{{size}}}",
        "hex": rf"[0-9a-f]{{{2 * size}}}",
        "pin": rf"[0-9]{{{size}}}",
    }.get(name)
    if pattern:
        assert re.fullmatch(pattern, value)
    elif name == "base64":
        assert len(b64decode(value, validate=True)) == size
    elif name in ("urlsafe", "jwt-key"):
        decoded = urlsafe_b64decode(value + "=" * (-len(value) % 4))
        assert len(decoded) == (size or 64)
        assert "=" not in value
    elif name == "uuid":
        assert UUID(value).version == 4
        assert str(UUID(value)) == value
    elif name == "fernet":
        box = Fernet(value)
        assert box.decrypt(box.encrypt(b"text")) == b"text"
    else:
        key = load_pem_private_key(value.encode(), None, unsafe_skip_rsa_key_validation=True)
        if name == "rsa":
            assert isinstance(key, rsa.RSAPrivateKey)
            assert key.key_size == size
        else:
            assert isinstance(key, ed25519.Ed25519PrivateKey)


@pytest.mark.parametrize("bits", [3072, 4096, 8192])
def test_rsa_primes_are_primes(bits: int) -> None:
    """Every number that the table leads to is a prime (Fermat), which can be one of a key."""
    primes = [mocks._prime(bits, index) for index in range(16)]
    assert len(set(primes)) == 16
    for prime in primes:
        assert pow(3, prime - 1, prime) == 1
        assert prime % 65537 != 1
        assert prime.bit_length() == bits // 2


def test_rsa_keys_are_keys() -> None:
    """OpenSSL's own check takes them; a size between those of the table is the next one."""
    assert len({values_of("rsa", Mock("plain", seed))[0] for seed in range(400)}) > 100
    for bits, size in ((3072, 3072), (3073, 4096)):
        key = load_pem_private_key(values_of(f"rsa:{bits}", PLAIN)[0], None)
        assert isinstance(key, rsa.RSAPrivateKey)
        assert key.key_size == size


@pytest.mark.parametrize("style", ["plain", "nasty"])
@pytest.mark.parametrize("common_name", ["localhost", "db.internal", "192.0.2.7", "a" * 63])
def test_tls_pair(common_name: str, style: str) -> None:
    """The certificate is for its key and its host, valid now, and says that it is a mock."""
    pair = mock_for("web", f"tls:{common_name}", Mock(style, 5))
    key = load_pem_private_key(pair["web-key"], None)
    certificate = x509.load_pem_x509_certificate(pair["web-cert"])
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert certificate.public_key() == key.public_key()
    certificate.verify_directly_issued_by(certificate)
    real = x509.load_pem_x509_certificate(generate_for("web", f"tls:{common_name}")["web-cert"])
    for kind in (x509.SubjectAlternativeName, x509.BasicConstraints):
        mine = certificate.extensions.get_extension_for_class(kind)
        assert mine == real.extensions.get_extension_for_class(kind)
    now = real.not_valid_before_utc
    assert certificate.not_valid_before_utc < now < certificate.not_valid_after_utc
    said = certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)[0].value
    assert str(said).startswith("mock ")


@pytest.mark.parametrize("kind", [one for one in [None, *KINDS] if one not in ("pin", "rsa")])
def test_no_two_are_the_same(kind: str | None) -> None:
    """Another name, seed or style makes another value."""
    made = [
        value
        for name in ("db", "api", "web")
        for style in ("plain", "nasty")
        for seed in (-1, 0, 1, 2**70)
        for value in values_of(kind, Mock(style, seed), name)
    ]
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("kind", TEXTS)
def test_one_nasty_text_has_the_worst(kind: str | None) -> None:
    """A project with one secret meets, at the first run, what breaks most scripts."""
    for name in ("db", "api-key", "smtp.password"):
        text = mock_for(name, kind, NASTY)[name].decode()
        for each in (
            "'",
            '"',
            "$",
            "`",
            "\\",
            "&",
            "|",
            "%",
            "#",
            ";",
            "{{",
            "<<",
            "%s",
            "e\u0301",
        ):
            assert each in text
        assert "\0" not in text


def test_seeds_move_on() -> None:
    """A dozen seeds bring a secret every beginning, end and middle: spaces, newlines, 64 KiB."""
    made = [values_of("password", Mock("nasty", seed))[0] for seed in range(14)]
    for begins in (b" ", b"-n ", b"--", b"#", b"@", b"!", b"*", b'"', b"{{"):
        assert any(one.startswith(begins) for one in made)
    for ends in (b" ", b"\n", b"\r\n", b"\\", b'"', b"\n\n"):
        assert any(one.endswith(ends) for one in made)
    assert any(b"\n" in one.strip() for one in made)
    assert {len(one) for one in made if len(one) > 1000} == {65_536}


@pytest.mark.parametrize(
    ("name", "kind", "error"),
    [
        ("a b", None, InvalidNameError),
        ("web-v2", "tls", None),
        ("", "hex", InvalidNameError),
        ("db", "hex:1", UsageError),
        ("db", "nothing", UsageError),
    ],
)
def test_refused(name: str, kind: str | None, error: type[Exception] | None) -> None:
    """Names and kinds are held to the generators' rules."""
    if error is None:
        assert list(mock_for(name, kind, PLAIN)) == ["web-v2-key", "web-v2-cert"]
        return
    with pytest.raises(error):
        mock_for(name, kind, PLAIN)

"""Generators make values of the promised alphabet, length and strength, and refuse the rest."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from secretkit.errors import InvalidNameError, UsageError
from secretkit.generators import KINDS, check_kind, generate, generate_for, makes_pair, names_for
from tests.needs import need_program

SINGLE = [kind for kind in KINDS if not makes_pair(kind)]


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("password", r"[A-Za-z0-9]{32}"),
        ("password:22", r"[A-Za-z0-9]{22}"),
        ("password:4096", r"[A-Za-z0-9]{4096}"),
        ("password-symbols", r"[A-Za-z0-9!#%*+,\-.:=?@^_~]{32}"),
        ("hex", r"[0-9a-f]{64}"),
        ("hex:16", r"[0-9a-f]{32}"),
        ("base64", r"[A-Za-z0-9+/]{43}="),
        ("urlsafe", r"[A-Za-z0-9_-]{43}"),
        ("pin", r"[0-9]{6}"),
        ("pin:4", r"[0-9]{4}"),
        ("jwt-key", r"[A-Za-z0-9_-]{86}"),
        ("fernet", r"[A-Za-z0-9_-]{43}="),
    ],
)
def test_shape(kind: str, pattern: str) -> None:
    """Each kind keeps to its alphabet and its exact length."""
    for _ in range(20):
        assert re.fullmatch(pattern, generate(kind).decode()), kind


@pytest.mark.parametrize("kind", ["password", "password-symbols"])
def test_every_class_is_there(kind: str) -> None:
    """A password has a lower-case letter, an upper-case letter, a digit (and a symbol)."""
    classes = [r"[a-z]", r"[A-Z]", r"[0-9]"] + ([r"[^A-Za-z0-9]"] if "symbols" in kind else [])
    for _ in range(300):
        value = generate(f"{kind}:22").decode()
        assert [bool(re.search(one, value)) for one in classes] == [True] * len(classes)


def test_characters_are_equally_likely() -> None:
    """No character of a password is favoured: each of 62 within 6 sigma of its share."""
    counts = Counter(generate("password:4096").decode())
    for _ in range(24):
        counts.update(generate("password:4096").decode())
    total = sum(counts.values())
    share = total / 62
    sigma = (share * (1 - 1 / 62)) ** 0.5
    assert len(counts) == 62
    assert max(abs(count - share) for count in counts.values()) < 6 * sigma


@pytest.mark.parametrize("kind", [kind for kind in SINGLE if kind not in ("rsa", "pin")])
def test_never_twice(kind: str) -> None:
    """Fifty values of a kind are fifty different values."""
    assert len({generate(kind) for _ in range(50)}) == 50


def test_uuid_is_version_4() -> None:
    """`uuid` is a random UUID in its usual notation."""
    assert UUID(generate("uuid").decode()).version == 4


def test_private_keys_load() -> None:
    """`ed25519` and `rsa` are PEM keys that cryptography reads, RSA of the asked size."""
    assert isinstance(load_pem_private_key(generate("ed25519"), None), ed25519.Ed25519PrivateKey)
    key = load_pem_private_key(generate("rsa"), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 3072


def test_fernet_key_works() -> None:
    """`fernet` is a key that Fernet takes."""
    box = Fernet(generate("fernet"))
    assert box.decrypt(box.encrypt(b"text")) == b"text"


@pytest.mark.parametrize(
    ("common_name", "expected"),
    [
        ("db.internal", ["db.internal"]),
        ("192.0.2.7", ["192.0.2.7"]),
        ("::1", ["::1"]),
        ("*.apps.example.org", ["*.apps.example.org"]),
        (None, ["localhost", "127.0.0.1", "::1"]),
    ],
)
def test_tls_pair(common_name: str | None, expected: list[str]) -> None:
    """`tls` makes NAME-key and NAME-cert: the certificate is for that key and names the host."""
    pair = generate_for("web", "tls" if common_name is None else f"tls:{common_name}")
    assert list(pair) == ["web-key", "web-cert"]
    key = load_pem_private_key(pair["web-key"], None)
    certificate = x509.load_pem_x509_certificate(pair["web-cert"])
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert certificate.public_key() == key.public_key()
    certificate.verify_directly_issued_by(certificate)
    san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in san] == expected
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 365


def test_openssl_accepts_the_pair(tmp_path: Path) -> None:
    """OpenSSL itself verifies the certificate for the host name."""
    openssl = need_program("openssl")
    pair = generate_for("web", "tls:db.internal")
    cert = tmp_path / "cert.pem"
    cert.write_bytes(pair["web-cert"])
    done = subprocess.run(
        [openssl, "verify", "-CAfile", cert, "-verify_hostname", "db.internal", cert],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("kind", "message", "hint"),
    [
        ("pasword:32", "no such generator", "did you mean password? "),
        ("hunter2", "no such generator", "generators: password,"),
        ("", "no such generator", "generators: password,"),
        (
            "password:21",
            "generator password takes 22 to 4096 (length, less has under 128 bits)",
            "",
        ),
        ("password:", "generator password takes a number (length)", "for example password:32"),
        ("password:-1", "generator password takes a number (length)", "for example password:32"),
        ("password:٣٢", "generator password takes a number (length)", "for example password:32"),
        ("password:" + "9" * 5000, "generator password takes a number (length)", ""),
        ("hex:15", "generator hex takes 16 to 4096 (bytes, less has under 128 bits)", ""),
        ("rsa:2048", "generator rsa takes 3072 to 8192 (bits, less has under 128 bits)", ""),
        ("pin:3", "generator pin takes 4 to 64 (digits)", "for example pin:6"),
        ("uuid:4", "generator uuid takes no argument", "write uuid"),
        ("tls:", "generator tls takes a common name", "for example tls:db.internal"),
        ("tls:a b", "generator tls takes a common name", "for example tls:db.internal"),
        ("tls:" + "a" * 65, "generator tls takes a common name", "for example tls:db.internal"),
    ],
)
def test_refused(kind: str, message: str, hint: str) -> None:
    """A kind that is unknown or out of bounds is refused in one line with a remedy."""
    for attempt in (check_kind, generate, lambda kind: generate_for("db", kind)):
        with pytest.raises(UsageError) as caught:
            attempt(kind)
        assert str(caught.value).startswith(message)
        assert str(caught.value.hint).startswith(hint)


def test_what_was_written_for_a_kind_is_not_repeated() -> None:
    """A value in the place of the kind does not come back in the message."""
    with pytest.raises(UsageError) as caught:
        check_kind("password:c4n4ry")
    assert "c4n4ry" not in f"{caught.value} {caught.value.hint}"


def test_generate_refuses_a_pair() -> None:
    """`generate` returns one value: for `tls` it names the function that returns two."""
    with pytest.raises(UsageError, match="makes two values"):
        generate("tls")


def test_names_of_a_pair_obey_the_grammar() -> None:
    """A name that is fine alone can be too long for `-cert`."""
    assert names_for("db", "password") == ("db",)
    assert names_for("web", "tls:a") == ("web-key", "web-cert")
    with pytest.raises(InvalidNameError):
        names_for("a" * 54, "tls")

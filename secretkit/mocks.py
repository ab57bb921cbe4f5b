"""Mock values: typed fakes for laptops, which are recognised wherever they turn up.

A mock of a kind has the length, alphabet and shape of what the generator makes, so that a program
that validates takes it. It is the same on every machine: a function of name, kind, style and seed.
It holds `MARK`, as text or in the bytes of its key; that is what `is_mock` looks for, so a mock is
also found inside of a template, a URL or a JSON file that it was put into.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Literal, NamedTuple

from .errors import MockError
from .generators import (
    DIGITS,
    LOWER,
    SYMBOLS,
    UPPER,
    certificate_for,
    names_for,
    parse,
    pem,
)

# Twelve characters that are hexadecimal digits, so that every alphabet but that of a PIN has them.
# By chance 64 random hexadecimal digits have them once in 2**42 times (48 bits, 53 places), 8192
# of them once in 2**35; all other kinds are far below.
MARK = "facade1d2df8"
_LONG = 64 * 1024
# By bits of the key: how far from where a search began it came upon a prime (`_prime`).
_PRIMES = {
    3072: (64, 38, 654, 220, 916, 428, 90, 1466, 1132, 728, 688, 1648, 764, 420, 512, 116),
    4096: (1412, 774, 766, 604, 148, 462, 404, 1746, 2662, 1566, 1908, 580, 144, 2330, 762, 250),
    8192: (
        *(1190, 5862, 3920, 4248, 4448, 1702, 12402, 4530),
        *(176, 6026, 2168, 3318, 1568, 1298, 5548, 1216),
    ),
}
# What naive scripts trip over, on one line: quotes, expansions, escapes and comments of shells,
# sed, SQL, printf, URLs, XML and templates; then letters that combine, run from right to left, are
# outside of the basic plane, or look like the end of a word or line.
_CORE = (
    "'\"`$(id)`${HOME}$$\\1\\n\\&|;%s%n%(x)s%41#<b>&amp;]]>{{x}}{x}<<x>>[x]!*?~^=,:@/+'; -- "
    "\u00e9e\u0301\u00df\u05d0\u05d1\u00a0\u2028\U0001f469\u200d\U0001f4bb"
)
_LEADS = (" ", "-n ", "#", '"', "@", "!", "*", "--", "=", "~/", "{{", "%", "'", "&")
_TAILS = (" ", "\n", "\\", '"', "\r\n", "'", "#", "\n\n", "$", "\t", "=")
_MIDDLES = ("", "\nnext line", "\r\nnext line\r", "\tnext column", "x" * _LONG)


class Mock(NamedTuple):
    """Which mocks: nasty ones are made to break scripts that do not quote."""

    style: Literal["plain", "nasty"] = "plain"
    seed: int = 0


def mock_for(name: str, kind: str | None, mock: Mock) -> dict[str, bytes]:
    """The mock values by secret, as `generators.generate_for` names them; the same ones each time.

    `kind` is that of the generator, None if somebody gives the values. Raises InvalidNameError and
    UsageError.
    """
    names = names_for(name, kind or "password")
    row, argument = parse(kind) if kind else ("", None)

    def draw(size: int, *what: object) -> bytes:
        return _draw(size, *mock, name, row, argument, *what)

    nasty = mock.style == "nasty"
    if row == "tls":
        return dict(zip(names, _tls(draw, str(argument), nasty), strict=True))
    if nasty and row in ("", "password", "password-symbols"):
        return {name: _nasty_text(draw, name, mock.seed)}
    if not row:
        return {name: f"mock-{name}-{MARK}{draw(4).hex()}".encode()}
    return {name: _MAKERS[row](draw, argument, nasty)}


def is_mock(value: bytes) -> bool:
    """Whether `value` is, or has in it, one that `mock_for` made, with any name and seed.

    Found: the value itself, in a text around it, and as PEM or DER. Not found: in another encoding,
    such as base64 of a text. A PIN is found if it is the whole value, white space aside.
    """
    import re
    from binascii import Error, a2b_base64

    mark, value = MARK.encode(), bytes(value)  # in a memoryview nothing is found
    if mark in value or re.fullmatch(rb"\s*([0-9])\1{3,63}\s*", value):
        return True
    if b"-----BEGIN " not in value:
        return False
    # As JSON has it, too: a backslash and an n for each end of a line.
    for part in re.sub(rb"\\[nr]", b"", value).split(b"-----"):
        try:
            found = mark in a2b_base64(part)
        except Error:
            continue
        if found:
            return True
    return False


def refuse(what: str, value: bytes, hint: str) -> None:
    """Raise MockError if `value` is or has a mock: before `what` goes to an engine or an image."""
    if is_mock(value):
        raise MockError(what, hint=hint)


_Draw = Callable[..., bytes]


def _draw(size: int, *what: object) -> bytes:
    """Bytes that are a function of `what` alone."""
    from hashlib import shake_256

    return shake_256("\0".join(map(str, what)).encode()).digest(size)


def _marked(value: bytes, lead: bytes = b"") -> bytes:
    """With the mark behind its first byte, or behind `lead` in place of that."""
    head = (lead or value[:1]) + MARK.encode()
    return head + value[len(head) :]


def _nasty_text(draw: _Draw, name: str, seed: int) -> bytes:
    """Each has what fits on one line; beginning, end and middle differ, and `seed` moves them on.

    UTF-8 without a zero byte: a variable can hold it.
    """
    at = _draw(3, "text", name)
    lead, middle, tail = (
        texts[(one + seed) % len(texts)]
        for one, texts in zip(at, (_LEADS, _MIDDLES, _TAILS), strict=True)
    )
    text = f"{lead}mock-{name}-{MARK}{_CORE}{middle}".encode()
    end = f"{draw(4).hex()}{tail}".encode()
    # The long one is of 64 KiB in all.
    return text[: _LONG - len(end)] + end


def _password(*classes: str) -> Callable[[_Draw, int, bool], bytes]:
    def make(draw: _Draw, length: int, _nasty: bool) -> bytes:
        alphabet = "".join(classes).encode()
        for attempt in count():
            word = _marked(bytes(alphabet[one % len(alphabet)] for one in draw(length, attempt)))
            if all(any(one in word for one in each.encode()) for each in classes):
                break
        return word

    return make


def _pin(draw: _Draw, length: int, nasty: bool) -> bytes:
    # There is no room for a mark; the generator never makes a PIN of one digit.
    return (b"0" if nasty else b"%d" % (1 + draw(1)[0] % 9)) * length


def _hex(draw: _Draw, size: int, nasty: bool) -> bytes:
    return _marked(draw(size).hex().encode(), b"00" if nasty else b"")


def _base64(draw: _Draw, size: int, nasty: bool) -> bytes:
    from base64 import b64encode

    return _marked(b64encode(draw(size)), b"/+/" if nasty else b"")


def _fernet(draw: _Draw, _: None, nasty: bool) -> bytes:
    from base64 import urlsafe_b64encode

    return _marked(urlsafe_b64encode(draw(32)), b"--" if nasty else b"")


def _urlsafe(draw: _Draw, size: int, nasty: bool) -> bytes:
    from base64 import urlsafe_b64encode

    return _marked(urlsafe_b64encode(draw(size)).rstrip(b"="), b"--" if nasty else b"")


def _uuid(draw: _Draw, _: None, nasty: bool) -> bytes:
    from uuid import UUID

    drawn = draw(16)
    text = str(UUID(bytes=b"\0\0" + drawn[2:] if nasty else drawn, version=4))
    return (text[: -len(MARK)] + MARK).encode()


def _ed25519(draw: _Draw, _: None, _nasty: bool) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return pem(Ed25519PrivateKey.from_private_bytes(_marked(draw(32))))


def _prime(bits: int, index: int) -> int:
    """A prime of half as many bits as an RSA key, with the mark in its bytes.

    To look for one takes seconds, so those of three sizes were looked for, and `_PRIMES` has where
    each was found.
    """
    drawn = bytearray(_marked(_draw(bits // 16, "prime", bits, index)))
    drawn[0] |= 0xC0  # the product of two has all the bits
    drawn[-3:] = b"\0\0\1"
    return int.from_bytes(drawn, "big") + _PRIMES[bits][index]


def _rsa(draw: _Draw, bits: int, _nasty: bool) -> bytes:
    """One of 120 keys of 3072, 4096 or 8192 bits: the next size that is at least `bits`."""
    from itertools import combinations

    from cryptography.hazmat.primitives.asymmetric import rsa

    size = min(one for one in _PRIMES if one >= bits)
    pairs = list(combinations(range(len(_PRIMES[size])), 2))
    p, q = (_prime(size, one) for one in pairs[draw(1)[0] % len(pairs)])
    d = rsa.rsa_recover_private_exponent(65537, p, q)
    numbers = rsa.RSAPrivateNumbers(
        *(p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)),
        rsa.RSAPublicNumbers(65537, p * q),
    )
    # The check would search for factors again, for seconds where the key is large.
    return pem(numbers.private_key(unsafe_skip_rsa_key_validation=True))


def _tls(draw: _Draw, common_name: str, nasty: bool) -> tuple[bytes, bytes]:
    """A P-256 key and its certificate, 2025 to 2048, whose organization says that it is a mock."""
    from datetime import UTC, datetime

    from cryptography.hazmat.primitives.asymmetric import ec

    scalar = _marked(draw(32))
    # Without the first bit it is below the order of the group.
    number = int.from_bytes(bytes([scalar[0] & 0x7F]) + scalar[1:], "big")
    key = ec.derive_private_key(number, ec.SECP256R1())
    organization = f"mock {MARK}" + (' "A, B" + <\u00e9>\\ #=;' if nasty else "")
    serial = int.from_bytes(draw(16, "serial"), "big") | 1
    first, last = (datetime(year, 1, 1, tzinfo=UTC) for year in (2025, 2049))
    return pem(key), certificate_for(
        key, common_name, first, last, serial=serial, organization=organization
    )


_MAKERS: dict[str, Callable[..., bytes]] = {
    "password": _password(LOWER, UPPER, DIGITS),
    "password-symbols": _password(LOWER, UPPER, DIGITS, SYMBOLS),
    "hex": _hex,
    "base64": _base64,
    "urlsafe": _urlsafe,
    "uuid": _uuid,
    "pin": _pin,
    "ed25519": _ed25519,
    "rsa": _rsa,
    "jwt-key": lambda draw, _, nasty: _urlsafe(draw, 64, nasty),
    "fernet": _fernet,
}

"""The secrets that are looked at: names and values as secrets have them, and as nobody expects."""

from __future__ import annotations

import random

# What the service gives an owner and a mode.
ASKED = "owner-and-mode"

VALUES = {
    "db-password": b"s3cret-0f-8-database",
    "API_TOKEN": b"tok_4eC39HqLyjWDarjtT1zdp7dc",
    "smtp.password": b"p@ss:w0rd/with?url&signs#and%20",
    "Mixed.Case_Name-1": b"x",
    "n" * 58: b"the longest name",
    "zero": b"0",
    "a": b"named a",
    "a-b": b"a-b and a.b are the same variable",
    "a.b": b"a.b and a-b are the same variable",
    "yes": b"yes",
    "number": b"00123",
    "quotes": b"'single' \"double\" `back` \\ and $HOME ${x} $(id)",
    "signs": b"!&*|%#@{}[]<>?;,~^=+",
    "spaces": b"  at both ends  ",
    "space": b" ",
    "tab": b"a\tb",
    "json": b'{"user": "app", "password": "p\\u00e9"}',
    "url": b"postgres://app:p%40ss@db:5432/shop?sslmode=verify-full",
    "pem": b"-----BEGIN X-----\n" + b"QUJD\n" * 30 + b"-----END X-----\n",
    "newline": b"ends with a newline\n",
    "newlines": b"\nbegins and ends with two\n\n",
    "crlf": b"ends as on Windows\r\n",
    "only-newline": b"\n",
    "unicode": "pässwörd ☃ 𝄞".encode(),
    "bom": b"\xef\xbb\xbfafter a byte order mark",
    "latin-1": b"caf\xe9",
    "binary": bytes(range(256)),
    "zeros": bytes(64),
    "large": b"0123456789abcdef" * 31_250,
    "large.bin": random.Random(1).randbytes(500_000),
    ASKED: b"of one user and one group",
}

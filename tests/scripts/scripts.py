"""Entrypoint scripts as people write them, in the folder `entrypoints`, and what they start with.

Secrets are in /run/secrets: those of SECRETS, and none that is called absent; files of the image in
/app; the program is `probe`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

SECRETS = {
    "db_password": b"s3cretPW\n",
    "api-key": b"k123",
    "ca.pem": b"-----A\nB-----\n",
    "db": b'{"user": "app", "hosts": {"first": "db1"}}',
    "key64": b"azEy\n",
}
ARGUMENTS = ("probe", "a b", "", "$HOME")


class Given(NamedTuple):
    """What a script finds, and its lines that are not translated."""

    said: tuple[int, ...] = ()
    files: tuple[tuple[str, str], ...] = ()  # name in /app, content
    environ: tuple[tuple[str, str], ...] = ()


CONF = (("whoami.conf", "user: whoami\npassword: <<db_password_value>>\n"),)
AT = (("app.conf", "password=@PW@ again=@PW@\nkey=@KEY@\n"),)

GIVEN = {
    "cd": Given(said=(2,), files=CONF),
    "official-image": Given(said=(4,)),
    "file-env": Given(environ=(("X_FILE", "/run/secrets/db_password"),)),
    "a-variable-with-a-path": Given(environ=(("X_FILE", "/run/secrets/db_password"),)),
    "sed-i": Given(files=CONF),
    "sed-with-cat-inside": Given(files=CONF),
    "sed-e-e": Given(files=AT),
    "sed-semicolon-and-quotes": Given(files=AT),
    "two-seds": Given(files=AT),
    "copied-then-sed": Given(files=CONF),
    "sed-to-another-file": Given(files=AT),
    "cat-into-sed": Given(files=CONF),
    "envsubst": Given(files=(("t.conf", "a=${PW}\nb=$HOME\n"),)),
    "here-document-of-the-environment": Given(environ=(("DB_HOST", "db.example"),)),
    "composed": Given(said=(3,)),
    "what-has-no-key": Given(said=(2, 4, 5, 6, 7)),
}
SCRIPTS = {
    path.stem: path.read_text()
    for path in sorted((Path(__file__).parent / "entrypoints").iterdir())
}

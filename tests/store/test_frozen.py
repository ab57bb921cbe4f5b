"""Stores that earlier versions wrote open for ever."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from secretkit.store import Store

FROZEN = sorted(path.parent for path in (Path(__file__).parent / "frozen").glob("*/store.db"))


def unpacked(frozen: Path, project: Path, home: Path) -> Path:
    """Lay a frozen store out as it was."""
    with sqlite3.connect(frozen / "store.db") as connection:
        store_id = connection.execute("SELECT store FROM head").fetchone()[0].hex()
    connection.close()
    (project / ".secretkit").mkdir(mode=0o700)
    home.mkdir(parents=True, mode=0o700)
    for source, target, mode in (
        ("store.db", project / ".secretkit" / "store.db", 0o600),
        ("store.key", home / f"{store_id}.key", 0o400),
        ("store.anchor", home / f"{store_id}.anchor", 0o600),
    ):
        shutil.copyfile(frozen / source, target)
        target.chmod(mode)
    return project


@pytest.mark.parametrize("frozen", FROZEN, ids=lambda path: path.name)
@pytest.mark.parametrize("how", ["key file", "passphrase"])
def test_a_frozen_store_opens(frozen: Path, how: str, project: Path, home: Path) -> None:
    """Its values, versions, labels and audit log are what was put in; it can be written to."""
    unpacked(frozen, project, home)
    if how == "passphrase":
        next(home.glob("*.key")).unlink()
    with Store.open(project, passphrase=lambda: b"correct horse") as store:
        assert store.check().findings == ()
        db, tls = store.list()
        assert (db.name, db.current, db.versions, db.labels) == (
            *("db-password", 2, (1, 2, 3), {"team": "web"}),
        )
        assert (tls.name, tls.generator) == ("tls-key", "rsa:3072")
        assert [bytes(store.read("db-password", number)) for number in db.versions] == [
            *(b"first \0 value", b"second\nvalue", bytes(range(256)) * 20),
        ]
        assert [v.source for v in store.history("db-password")] == ["given", "password:32", "given"]
        assert store.read("tls-key") == b"x" * 5000
        actions = [(entry.action, entry.name, entry.version) for entry in store.audit()]
        if frozen.name.endswith("-staged"):
            assert (tls.current, tls.versions, tls.staged) == (1, (1, 2, 4, 7), (2,))
            assert store.read("tls-key", 2) == b"staged"
            assert [version.is_known for version in store.history("tls-key")] == [
                *(True, True, False, False)
            ]
            del actions[8:13]
        else:
            assert (tls.versions, tls.staged) == ((1,), ())
        assert actions[:9] == [
            ("init", None, None),
            ("create", "db-password", 1),
            ("rotate", "db-password", 2),
            ("rotate", "db-password", 3),
            ("rollback", "db-password", 2),
            ("create", "tls-key", 1),
            ("create", "gone", 1),
            ("remove", "gone", None),
            ("key-add", None, 2),
        ]
        assert store.rotate("db-password", b"next").number == 4
        assert store.check().ok

"""Make one frozen example store: python -m tests.store.frozen.make NAME

Run once for each state of the format that users may have on disk; what it wrote is committed and
never made again. Each folder holds store.db, the key, the anchor; tests/store/test_frozen.py
knows what is in it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from secretkit.store import Store

HERE = Path(__file__).parent


def main(name: str) -> None:
    """Write HERE/NAME."""
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        os.environ["XDG_CONFIG_HOME"] = str(home)
        with Store.init(home) as store:
            store.create("db-password", b"first \0 value", labels={"team": "web"})
            store.rotate("db-password", b"second\nvalue", source="password:32")
            store.rotate("db-password", bytes(range(256)) * 20)
            store.rollback("db-password", to=2)
            store.create("tls-key", b"x" * 5000, generator="rsa:3072")
            store.create("gone", b"removed")
            store.remove("gone")
            if name.endswith("-staged"):
                store.stage("tls-key", b"staged")
                store.learn("tls-key", 4)
                store.learn("tls-key", 7)
                store.make_current("tls-key", 7, "rotate")
                store.make_current("tls-key", 1, "rollback")
            store.add_passphrase(b"correct horse")
            if name.endswith("-rekeyed"):
                store.rotate_key(lambda: b"correct horse")
            store_id = store.id
        target = HERE / name
        target.mkdir()
        shutil.copy(home / ".secretkit" / "store.db", target)
        for kind in ("key", "anchor"):
            shutil.copy(
                home / "secretkit" / "keys" / f"{store_id}.{kind}", target / f"store.{kind}"
            )
            (target / f"store.{kind}").chmod(0o644)


if __name__ == "__main__":
    main(sys.argv[1])

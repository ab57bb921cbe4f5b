"""`--mock` where the store does not open: names of secretkit.toml, and no error."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.mount.person import person, with_view
from tests.needs import may_have_namespaces, need_root


@pytest.mark.parametrize("way", ["owner", "mode", "file", "disk"])
def test_mocks_with_a_store_that_may_not_be_opened(way: str, bare: Program) -> None:
    """A store of somebody else, as in a container over a checkout, is gone without, and said."""
    bare.write("secretkit.toml", '[secrets.db]\ngenerate = "pin"\n')
    bare.ok("init")
    bare.create("other", b"x")
    store = bare.folder / ".secretkit"
    if way == "owner":
        need_root()
        os.chown(store, 12345, 12345)
        why = f"{store} belongs to uid 12345, you are uid 0"
    elif way == "mode":
        store.chmod(0o755)
        why = f"{store} is open to others, mode 0755"
    elif way == "file":
        (store / "store.db").chmod(0o644)
        why = f"{store}/store.db is open to others, mode 0644"
    else:
        need_root()
        config = bare.environ["XDG_CONFIG_HOME"]
        bare = replace(bare, before=with_view(f"mount -o bind,ro {config} {config}\n", uid=0))
        anchor = next(Path(config).glob("secretkit/keys/*.anchor"))
        why = f"cannot write {anchor}: read-only file system"
    done = bare("dev", "up", "--mock")
    said = f"secretkit: {why}; what secretkit.toml declares is all that is known"
    assert done.lines[0] == said
    if way != "disk":  # `dev up` keeps its record there
        assert done.code == 0
        assert os.listdir(bare.folder / "dev-secrets") == ["db"]
    if may_have_namespaces():
        done = bare.ok("dev", "run", "--mock", "--", "ls", "/run/secrets")
        assert (done.text, done.lines) == ("db\n", [said])
    assert bare("ls").code in (1, 7)


def test_mocks_without_a_home() -> None:
    """Where there is no place for keys no store opens; `dev run` needs none for mocks."""
    need_root()  # for a user that the machine does not know
    with person() as user:
        user.write("secretkit.toml", '[secrets.db]\ngenerate = "pin"\n')
        user.ok("init")
        for name in ("HOME", "XDG_CONFIG_HOME"):
            del user.environ[name]
        done = user.ok("dev", "run", "--mock", "--", "ls", "/run/secrets")
        assert done.text == "db\n"
        assert done.lines == [
            "secretkit: no home folder, where keys and anchors are kept;"
            " what secretkit.toml declares is all that is known"
        ]


def test_mocks_hide_no_damage(cli: Program) -> None:
    """A store that somebody changed is an error for mocks too."""
    cli.create("db", b"real")
    store = cli.folder / ".secretkit" / "store.db"
    store.write_bytes(b"x" * store.stat().st_size)
    done = cli("dev", "up", "--mock")
    assert done.code == 7
    assert not os.path.lexists(cli.folder / "dev-secrets")

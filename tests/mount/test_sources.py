"""What a dev folder holds: the store's values, mocks instead of them, and overrides, which win."""

from __future__ import annotations

import errno
import json
import subprocess
from pathlib import Path

import pytest

from secretkit import mount
from secretkit.errors import MountError
from secretkit.mocks import is_mock
from secretkit.mount import Settings
from tests.cli.conftest import bare, cli, memory
from tests.cli.program import Program

__all__ = ["bare", "cli", "memory"]

DECLARED = '[secrets.db]\ngenerate = "pin:8"\n[secrets.web]\ngenerate = "tls"\n[secrets.smtp]\n'


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith("..")
    }


def states(cli: Program) -> dict[str, tuple[str, int | None, int | None, str]]:
    (folder,) = cli.ok("dev", "status", "--json").json
    return {
        one["name"]: (one["from"], one["mounted"], one["current"], one["state"])
        for one in folder["secrets"]
    }


@pytest.fixture
def overrides(cli: Program) -> Path:
    """The folder for them."""
    cli.ok("dev", "overrides")
    return cli.folder / "dev-secrets.local"


def test_the_folder_of_overrides(cli: Program) -> None:
    """`dev overrides` makes it, closed to others and to git, then shows names and sizes."""
    cli.create("db", b"store")
    folder = cli.folder / "dev-secrets.local"
    assert cli.ok("dev", "overrides").lines == [
        f"secretkit: made {folder}, where a file called as a secret is wins over the store"
    ]
    assert folder.stat().st_mode & 0o7777 == 0o700
    assert (folder / ".gitignore").read_bytes() == b"*\n"
    assert cli.ok("dev", "overrides").lines == [f"secretkit: no override in {folder}"]
    (folder / "db").write_bytes(b"mine")
    (folder / "more").write_bytes(b"c4n4ry")
    done = cli.ok("dev", "overrides")
    assert done.text == "NAME   SIZE   WINS OVER\ndb     4      v1\nmore   6      nothing\n"
    assert "c4n4ry" not in done.text + done.err
    assert cli.ok("dev", "overrides", "--json").json == {
        "folder": str(folder),
        "made": False,
        "overrides": [
            {"name": "db", "size": 4, "wins_over": 1},
            {"name": "more", "size": 6, "wins_over": None},
        ],
    }


def test_an_override_wins(cli: Program, overrides: Path) -> None:
    """Its exact bytes are mounted, a change of the secret is said to be hidden, and without the
    file the store's value is back; each is seen in the status before.
    """
    cli.create("db", b"store")
    (overrides / "db").write_bytes(b"\0mine\n\n")
    (overrides / "extra").write_bytes(b"x")
    folder = cli.folder / "dev-secrets"
    assert f"overrides from {overrides}: db, extra" in cli.ok("dev", "up").lines[-1]
    assert files(folder) == {"db": b"\0mine\n\n", "extra": b"x"}
    assert states(cli) == {
        "db": ("override", None, 1, "same"),
        "extra": ("override", None, None, "same"),
    }
    warning = f"secretkit: warning: {folder} keeps the override of db"
    for command in (["rotate", "db", "-"], ["rollback", "db"], ["rm", "db"], ["create", "db", "-"]):
        done = cli.ok(*command, input=b"next")
        assert done.lines[:2] == [f"secretkit: refreshed {folder}", warning], command
        assert files(folder)["db"] == b"\0mine\n\n"
    assert cli.ok("create", "other", "-", input=b"v").lines == [f"secretkit: refreshed {folder}"]
    (overrides / "db").write_bytes(b"again")
    (overrides / "extra").unlink()
    assert states(cli)["db"] == ("override", None, 1, "behind")
    assert states(cli)["extra"] == ("override", None, None, "removed")
    cli.ok("dev", "up")
    assert files(folder) == {"db": b"again", "other": b"v"}
    (overrides / "db").unlink()
    assert states(cli)["db"] == ("override", None, 1, "behind")
    cli.ok("rotate", "other", "-", input=b"w")
    assert files(folder) == {"db": b"next", "other": b"w"}


def test_what_is_no_override(cli: Program, overrides: Path) -> None:
    """What no secret can be called is said, what editors leave is not; the rest goes on."""
    (overrides / "good").write_bytes(b"x")
    (overrides / "link").symlink_to("good")
    (overrides / "line").write_bytes(b"one line\n")
    (overrides / "pem").write_bytes(b"two\nlines\n")
    for name in (".hidden", ".good.swp", "good~", "#good#", "good___jb_tmp___", "good___jb_old___"):
        (overrides / name).write_bytes(b"c4n4ry")
    (overrides / "-bad").write_bytes(b"c4n4ry")
    done = cli.ok("dev", "up")
    said = [line.removeprefix("secretkit: warning: ") for line in done.lines if "warning" in line]
    assert said == [
        f"not an override, {overrides}/-bad: not a name for a secret: letters, digits, '-', '_' and"
        " '.' only, and a letter or digit at both ends",
        f"the newline at the end of {overrides}/line is part of the value",
    ]
    assert files(cli.folder / "dev-secrets") == {
        "good": b"x",
        "link": b"x",
        "line": b"one line\n",
        "pem": b"two\nlines\n",
    }


def test_overrides_that_git_sees(cli: Program) -> None:
    """A folder that was made by hand is not ignored: a warning with the line that helps."""
    subprocess.run(["git", "init", "-q", cli.folder], check=True)
    folder = cli.folder / "dev-secrets.local"
    folder.mkdir()
    (folder / "db").write_bytes(b"x")
    warning = f"secretkit: warning: git does not ignore {folder}: echo '*' > {folder}/.gitignore"
    assert warning in cli.ok("dev", "up").lines
    assert warning in cli.ok("dev", "overrides").lines
    assert "git does not ignore dev-secrets.local" in cli("doctor").text
    (folder / ".gitignore").write_text("*\n")
    assert warning not in cli.ok("dev", "up").lines


def test_an_override_for_what_has_no_generator(bare: Program) -> None:
    """A fresh clone comes to life with one command if a file has what no generator makes."""
    bare.write("secretkit.toml", DECLARED + '[dev]\noverrides = "mine"\n')
    (bare.folder / "mine").mkdir()
    (bare.folder / "mine" / "smtp").write_bytes(b"by hand")
    (bare.folder / "mine" / "web-key").write_bytes(b"of another pair")
    done = bare.ok("dev", "up", "--json")
    assert done.json["created"] == ["db", "web-key", "web-cert"]
    assert done.json["secrets"] == {"db": 1, "smtp": None, "web-cert": 1, "web-key": None}
    assert done.json["overrides"] == ["smtp", "web-key"]
    found = files(bare.folder / "dev-secrets")
    assert (found["smtp"], found["web-key"]) == (b"by hand", b"of another pair")


def test_mocks_need_no_store(bare: Program, memory: Path) -> None:
    """In a fresh clone `dev up --mock` makes no store and no key, and fills what is declared."""
    bare.write("secretkit.toml", DECLARED)
    done = bare.ok("dev", "up", "--mock", "--json")
    assert done.json["mock"] == {"style": "plain", "seed": 0}
    assert done.json["created"] == []
    assert not (bare.folder / ".secretkit").exists()
    found = files(bare.folder / "dev-secrets")
    assert sorted(found) == ["db", "smtp", "web-cert", "web-key"]
    assert all(is_mock(value) for value in found.values())
    assert len(found["db"]) == 8
    assert set(states(bare).values()) == {("mock", None, None, "same")}
    bare.ok("dev", "up", "--mock")
    assert files(bare.folder / "dev-secrets") == found
    bare.ok("dev", "up", "--mock=nasty", "--seed", "7")
    other = files(bare.folder / "dev-secrets")
    assert other != found
    assert all(is_mock(value) for value in other.values())
    bare.ok("dev", "down")
    assert [path for path in memory.rglob("*") if path.is_file()] == []


def test_mocks_stay_until_they_are_not_asked_for(cli: Program) -> None:
    """A rotation leaves them, a secret that comes gets one, and `dev up` brings the store's."""
    cli.create("db", b"real")
    cli.ok("dev", "up", "--mock")
    folder = cli.folder / "dev-secrets"
    mock = files(folder)["db"]
    assert is_mock(mock)
    done = cli.ok("rotate", "db", "-", input=b"next")
    assert done.lines == [f"secretkit: {folder} keeps its mock values"]
    assert files(folder)["db"] == mock
    cli.create("more", b"real")
    assert is_mock(files(folder)["more"])
    cli.ok("rm", "more")
    assert sorted(files(folder)) == ["db"]
    assert cli.ok("inspect", "db", "--json").json["versions"][-1]["used_by"] == []
    cli.ok("dev", "up")
    assert files(folder) == {"db": b"next"}
    assert states(cli) == {"db": ("store", 2, 2, "same")}


def test_mocks_with_a_store_that_is_locked(bare: Program) -> None:
    """Without the key, what secretkit.toml declares is known, and nobody is asked."""
    bare.write("secretkit.toml", '[secrets.db]\ngenerate = "pin"\n')
    bare.ok("init")
    bare.create("other", b"x")
    keys = Path(bare.environ["XDG_CONFIG_HOME"]) / "secretkit" / "keys"
    keys.rename(keys.with_name("aside"))
    done = bare.ok("dev", "up", "--mock")
    assert done.lines[0] == (
        "secretkit: the store is locked; what secretkit.toml declares is all that is known"
    )
    assert sorted(files(bare.folder / "dev-secrets")) == ["db"]


def test_an_override_wins_over_a_mock(cli: Program, overrides: Path) -> None:
    """Overrides are for mocks too."""
    cli.create("db", b"real")
    (overrides / "db").write_bytes(b"mine")
    cli.ok("dev", "up", "--mock")
    assert files(cli.folder / "dev-secrets") == {"db": b"mine"}
    assert states(cli) == {"db": ("override", None, 1, "same")}


def test_options_that_do_not_fit(cli: Program) -> None:
    """A seed is for mocks, `--mock` takes its style after `=` alone, a layout has a name."""
    assert cli("dev", "up", "--seed", "1").lines == [
        "secretkit: error: --seed is for mock values",
        "hint: add --mock",
    ]
    assert cli.ok("dev", "up", "--mock", "nasty", "--json").json["folder"] == f"{cli.folder}/nasty"
    for options in (["--mock=real"], ["--mock", "--seed=-1"], ["--layout", "k8s"]):
        assert cli("dev", "up", *options).code == 2


def test_no_record_holds_a_part_of_a_value(cli: Program, overrides: Path) -> None:
    """What is recorded of a dev folder is names, versions, sizes and times."""
    cli.create("db", b"c4n4ry-of-the-store")
    (overrides / "mine").write_bytes(b"c4n4ry-by-hand")
    cli.ok("dev", "up", "--layout", "kubernetes")
    records = Path(cli.environ["XDG_CONFIG_HOME"]) / "secretkit" / "dev"
    found = [path for path in records.rglob("*") if path.is_file()]
    assert len(found) == 2
    for path in found:
        assert b"c4n4ry" not in path.read_bytes()
        json.loads(path.read_bytes())


def test_an_override_that_cannot_be_read_ends_in_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is there and cannot be read, as on a broken network's file system, is said."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "db").write_bytes(b"x")
    assert mount.contents(tmp_path, Settings(overrides=folder), store=None) == {"db": b"x"}

    def refused(*_: object, **__: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("secretkit.mount.overrides.os.open", refused)
    with pytest.raises(MountError, match=f"cannot read the override of db, in {folder}"):
        mount.contents(tmp_path, Settings(overrides=folder), store=None)

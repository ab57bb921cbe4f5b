"""Listing, going back, and destroying versions."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cli.program import Program

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def rotated(cli: Program, name: str = "db", times: int = 2) -> None:
    """A secret with `times` versions."""
    cli.create(name, b"v1")
    for number in range(2, times + 1):
        cli.ok("rotate", name, "-", input=f"v{number}".encode())


def versions(cli: Program, name: str = "db") -> list[int]:
    return [one["version"] for one in cli.ok("inspect", name, "--json").json["versions"]]


def test_ls(cli: Program) -> None:
    """Aligned columns, by name; nothing but the header without secrets."""
    header = "NAME   CURRENT   VERSIONS   CREATED   UPDATED   LABELS\n"
    assert cli.ok("ls").text == header
    cli.ok("create", "web.key", "--generate", "pin", "--label", "b=2", "--label", "a=1")
    rotated(cli, times=2)
    text = re.sub(r"just now|\d+ seconds? ago", "now", cli.ok("ls").text)
    assert re.sub(" {2,}", "  ", text) == (
        "NAME  CURRENT  VERSIONS  CREATED  UPDATED  LABELS\n"
        "db  v2  2  now  now\n"
        "web.key  v1  1  now  now  a=1,b=2\n"
    )
    assert cli.ok("ls", "-q").text == "db\nweb.key\n"


def test_ls_json(cli: Program) -> None:
    """The shape of a secret."""
    cli.ok("create", "db", "--generate", "pin:8", "--label", "a=1")
    (found,) = cli.ok("ls", "--json").json
    assert ISO.fullmatch(found.pop("created"))
    assert ISO.fullmatch(found.pop("updated"))
    assert found == {
        "name": "db",
        "current": 1,
        "versions": [1],
        "generator": "pin:8",
        "labels": {"a": "1"},
    }


def test_inspect(cli: Program) -> None:
    """Everything but the value, with where each version is in use."""
    cli.write("secretkit.toml", '[secrets.db]\ndescription = "the database"\n')
    rotated(cli)
    cli.ok("dev", "up")
    found = cli.ok("inspect", "db", "--json").json
    for one in found["versions"]:
        assert ISO.fullmatch(one.pop("created"))
    del found["created"], found["updated"]
    assert found == {
        "name": "db",
        "current": 2,
        "versions": [
            {"name": "db", "version": 1, "source": "given", "size": 2, "used_by": []},
            {
                "name": "db",
                "version": 2,
                "source": "given",
                "size": 2,
                "used_by": [f"{cli.folder}/dev-secrets"],
            },
        ],
        "generator": None,
        "labels": {},
        "description": "the database",
    }
    text = ISO.sub("TIME", cli.ok("inspect", "db").text)
    assert re.sub(" {2,}", "  ", text) == (
        "Name:  db\n"
        "Description:  the database\n"
        "Current:  v2\n"
        "Previous:  v1\n"
        "Generator:  none\n"
        "\n"
        "VERSION  CREATED  SIZE  SOURCE  USED BY\n"
        "v1  TIME  2 B  given\n"
        f"v2 *  TIME  2 B  given  {cli.folder}/dev-secrets\n"
    )


def test_rollback(cli: Program) -> None:
    """The previous version is current again, or the one that is named; numbers go on."""
    rotated(cli, times=3)
    assert cli.ok("rollback", "db").text == "db v2\n"
    assert cli.ok("show", "db").out == b"v2"
    assert cli.ok("rollback", "db", "--to", "3", "--json").json[0]["version"] == 3
    assert cli.ok("show", "db").out == b"v3"
    cli.ok("rollback", "db", "--to", "1")
    assert cli.ok("rotate", "db", "-", input=b"v4").text == "db v4\n"
    assert versions(cli) == [1, 2, 3, 4]


def test_rollback_to_nowhere(cli: Program) -> None:
    """No previous version, or not that one: exit 3."""
    cli.create("db")
    done = cli("rollback", "db")
    assert (done.code, done.lines[0]) == (3, "secretkit: error: no such version, db before v1")
    done = cli("rollback", "db", "--to", "7")
    assert (done.code, done.lines[0]) == (3, "secretkit: error: no such version, db v7")


def test_prune(cli: Program) -> None:
    """The newest stay, and what is current; without a name, of every secret."""
    rotated(cli, times=5)
    rotated(cli, "other", times=3)
    cli.ok("rollback", "db", "--to", "2")
    assert cli.ok("prune", "db", "--keep", "1", "--dry-run").text == "destroy db v1, v3, v4\n"
    assert versions(cli) == [1, 2, 3, 4, 5]
    assert cli.ok("prune", "db", "--keep", "1").text == "db v1\ndb v3\ndb v4\n"
    assert versions(cli) == [2, 5]
    assert cli.ok("prune", "--json").json == [{"name": "other", "version": 1}]
    assert cli.ok("prune").out == b""
    assert cli("prune", "db", "--keep", "0").code == 2


def test_prune_leaves_what_a_dev_folder_holds(cli: Program) -> None:
    """A version that is mounted is in use, also when the folder could not follow."""
    rotated(cli, times=3)
    cli.ok("dev", "up")
    # The folder stays behind, as after a refresh that failed.
    hidden = Path(cli.environ["XDG_CONFIG_HOME"]) / "secretkit" / "dev"
    hidden.rename(cli.folder / "aside")
    for value in (b"v4", b"v5"):
        cli.ok("rotate", "db", "-", input=value)
    (cli.folder / "aside").rename(hidden)
    assert cli.ok("prune", "db", "--keep", "1").text == "db v1\ndb v2\ndb v4\n"
    done = cli("rm", "db", "--version", "3")
    assert done.code == 4
    assert done.lines == [
        f"secretkit: error: version in use, db v3 is in {cli.folder}/dev-secrets",
        "hint: `secretkit dev up` brings the folder to the current version",
    ]
    cli.ok("dev", "up")
    assert cli.ok("rm", "db", "--version", "3").text == "db v3\n"


def test_rm(cli: Program) -> None:
    """Secrets are destroyed with all their versions; all that are named must be there."""
    for name in ("a", "b", "c"):
        cli.create(name)
    done = cli("rm", "a", "nothing")
    assert done.code == 3
    assert cli.ok("ls", "-q").text == "a\nb\nc\n"
    assert cli.ok("rm", "a", "--dry-run").text == "destroy a with v1\n"
    assert cli.ok("rm", "a", "b", "a").text == "a\nb\n"
    assert cli.ok("rm", "c", "--json").json == [{"name": "c", "version": None}]


def test_rm_of_one_version(cli: Program) -> None:
    """The current version is in use; another can go, once."""
    rotated(cli)
    done = cli("rm", "db", "--version", "2")
    assert done.code == 4
    assert done.lines == [
        "secretkit: error: version in use, db v2 is the current one",
        "hint: rotate or roll back first, or remove all of it: secretkit rm db",
    ]
    assert cli.ok("rm", "db", "--version", "1").text == "db v1\n"
    assert cli("rm", "db", "--version", "1").code == 3
    assert versions(cli) == [2]

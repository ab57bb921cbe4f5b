"""What happens to a dev folder that fails, moves, or has something else in it; on real disks."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.needs import need_namespaces, need_root


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("mock", [(), ("--mock",)])
@pytest.mark.parametrize("layout", ["swarm", "kubernetes"])
def test_to_memory_with_a_users_file(cli: Program, layout: str, mock: tuple[str, ...]) -> None:
    """A folder on disk with a file of the user's stays as it is: refused before all else."""
    cli.create("db")
    folder = cli.folder / "dev-secrets"
    cli.ok("dev", "up", "--on-disk", "--layout", layout)
    (folder / "notes.txt").write_text("mine")
    before = sorted(os.listdir(folder))
    done = cli("dev", "up", *mock)
    assert done.code == 4
    assert done.lines == [
        f"secretkit: error: cannot make it a link, {folder} holds what secretkit did not write,"
        " notes.txt",
        f"hint: move that out of {folder}, or let the folder be: secretkit dev up --on-disk",
    ]
    assert sorted(os.listdir(folder)) == before
    assert (folder / "db").read_bytes() == b"v1"
    (status,) = cli.ok("dev", "status", "--json").json
    assert status["up"]
    assert {one["name"]: one["state"] for one in status["secrets"]} == {
        "db": "same",
        "notes.txt": "foreign",
    }
    (folder / "notes.txt").unlink()
    cli.ok("dev", "up", *mock)
    assert folder.is_symlink()


def moved(cli: Program) -> Program:
    """The program in the project's folder, which has another name now."""
    target = cli.folder.with_name("elsewhere")
    cli.folder.rename(target)
    return replace(cli, folder=target)


def recorded(cli: Program) -> list[Path]:
    return [path for path in Path(cli.environ["HOME"]).rglob("dev/*/*") if path.is_file()]


@pytest.mark.parametrize(
    "words",
    [
        ("down",),
        ("down", "dev-secrets"),
        ("status",),
        ("up",),
        ("run", "--", "true"),
    ],
)
def test_a_moved_project_leaves_nothing_in_memory(
    cli: Program, memory: Path, words: tuple[str, ...]
) -> None:
    """What a project that is gone had in memory is wiped by the next command, and `up` works."""
    if "run" in words:
        need_namespaces()
    cli.create("db")
    cli.ok("dev", "up")
    (home,) = (memory / "secretkit").iterdir()
    cli = moved(cli)
    cli.ok("dev", *words)
    assert not home.exists()
    if words == ("up",):
        assert files(cli.folder / "dev-secrets") == {"db": b"v1"}
        cli.ok("dev", "down")
    assert not (cli.folder / "dev-secrets").is_symlink()
    assert recorded(cli) == []


def test_what_another_command_wipes(cli: Program, memory: Path) -> None:
    """A project that was deleted has nothing in memory after a command of another; it says so."""
    cli.create("db")
    cli.ok("dev", "up")
    other = cli.folder.with_name("other")
    other.mkdir()
    cli.ok("init", folder=other)
    assert cli.ok("dev", "down", folder=other).lines == ["secretkit: no dev folder is up"]
    assert files(cli.folder / "dev-secrets") == {"db": b"v1"}
    shutil.rmtree(cli.folder)
    assert cli.ok("dev", "down", folder=other).lines == [
        f"secretkit: wiped {cli.folder}/dev-secrets"
    ]
    assert [path for path in memory.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("layout", ["swarm", "kubernetes"])
def test_a_moved_project_keeps_its_folder_on_disk(cli: Program, layout: str) -> None:
    """A dev folder on disk moves with its project: it follows a rotation, and `down` wipes it."""
    cli.create("db")
    (cli.folder / "dev-secrets.local").mkdir(mode=0o700)
    (cli.folder / "dev-secrets.local" / "mine").write_bytes(b"o")
    cli.ok("dev", "up", "--on-disk", "--layout", layout)
    cli = moved(cli)
    folder = cli.folder / "dev-secrets"
    assert cli.ok("rotate", "db", "-", input=b"v2").lines == [f"secretkit: refreshed {folder}"]
    assert (folder / "db").read_bytes() == b"v2"
    (status,) = cli.ok("dev", "status", "--json").json
    assert (status["folder"], status["layout"]) == (str(folder), layout)
    assert {one["name"]: (one["from"], one["state"]) for one in status["secrets"]} == {
        "db": ("store", "same"),
        "mine": ("override", "same"),
    }
    assert cli.ok("dev", "down").lines == [f"secretkit: wiped {folder}"]
    assert not folder.exists()
    assert recorded(cli) == []


def test_a_copy_of_a_project_with_a_folder_on_disk(cli: Program) -> None:
    """The copy's plaintext is nobody's: `up` and `down` say what it is, and touch neither."""
    cli.create("db")
    cli.ok("dev", "up", "--on-disk")
    copy = cli.folder.with_name("a copy")
    subprocess.run(["cp", "-a", cli.folder, copy], check=True)
    for words in (("up",), ("up", "--on-disk"), ("down",), ("down", "dev-secrets")):
        done = cli("dev", *words, folder=copy)
        assert done.code == 4
        assert done.lines == [
            f"secretkit: error: plaintext, {copy}/dev-secrets is a copy of the dev folder"
            f" {cli.folder}/dev-secrets",
            f"hint: delete it: rm -r '{copy}/dev-secrets'",
        ]
    shutil.rmtree(cli.folder)
    assert cli("dev", "down", folder=copy).code == 4
    assert (copy / "dev-secrets" / "db").read_bytes() == b"v1"
    shutil.rmtree(copy / "dev-secrets")
    assert cli.ok("dev", "down", folder=copy).lines == ["secretkit: no dev folder is up"]
    cli.ok("dev", "up", folder=copy)


def test_a_copy_of_a_project_with_a_folder_in_memory(cli: Program) -> None:
    """The copy's link leads to the original's folder: `up` gives it one of its own."""
    cli.create("db")
    cli.ok("dev", "up")
    copy = cli.folder.with_name("copy")
    subprocess.run(["cp", "-a", cli.folder, copy], check=True)
    cli.ok("dev", "down", "dev-secrets", folder=copy)
    cli.ok("dev", "up", folder=copy)
    assert os.readlink(copy / "dev-secrets") != os.readlink(cli.folder / "dev-secrets")
    cli.ok("rotate", "db", "-", input=b"v2", folder=copy)
    assert files(copy / "dev-secrets") == {"db": b"v2"}
    assert files(cli.folder / "dev-secrets") == {"db": b"v1"}


def test_a_planted_project_wipes_nothing(cli: Program, memory: Path) -> None:
    """A record that names another project than the one it lies at is not believed."""
    cli.create("db")
    cli.ok("dev", "up")
    (record,) = [path for path in recorded(cli) if path.suffix == ".json"]
    record.write_text(record.read_text().replace(str(cli.folder), "/nowhere"))
    other = cli.folder.with_name("other")
    other.mkdir()
    cli.ok("init", folder=other)
    cli.ok("dev", "down", folder=other)
    assert files(cli.folder / "dev-secrets") == {"db": b"v1"}


@pytest.fixture
def small(cli: Program, memory: Path) -> Iterator[Program]:
    """The program with a memory folder of 64 KiB."""
    need_root()
    place = memory / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("cannot mount")
    yield replace(cli, environ={**cli.environ, "XDG_RUNTIME_DIR": str(place)})
    subprocess.run(["umount", "-l", str(place)], check=True)


def full(small: Program) -> Path:
    """Fill the memory; returns the file to be removed."""
    waste = Path(small.environ["XDG_RUNTIME_DIR"]) / "waste"
    with contextlib.suppress(OSError), waste.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return waste


@pytest.mark.parametrize("layout", ["swarm", "kubernetes"])
def test_settings_count_once_the_files_are_there(small: Program, layout: str) -> None:
    """Mocks that could not be written are not recorded: a rotation brings the store's value."""
    small.create("db")
    small.ok("dev", "up")
    before = small.ok("dev", "status").text
    waste = full(small)
    assert small("dev", "up", "--mock", "--mode", "0400", "--layout", layout).code == 1
    assert small.ok("dev", "status").text == before
    waste.unlink()
    small.ok("rotate", "db", "-", input=b"v2")
    assert files(small.folder / "dev-secrets") == {"db": b"v2"}


def test_half_of_a_change_is_recorded_as_it_lies_there(small: Program) -> None:
    """Of files that could not all be written, each is said to be what it is."""
    small.create("a")
    small.create("b")
    small.ok("dev", "up")
    (small.folder / "dev-secrets.local").mkdir(mode=0o700)
    (small.folder / "dev-secrets.local" / "a").write_bytes(b"mine")
    (small.folder / "big").write_bytes(b"x" * 200_000)
    assert small("rotate", "b", "big").code == 1
    (folder,) = small.ok("dev", "status", "--json").json
    found = {one["name"]: (one["from"], one["mounted"], one["state"]) for one in folder["secrets"]}
    assert found == {"a": ("override", None, "same"), "b": ("store", 1, "behind")}
    assert files(small.folder / "dev-secrets") == {"a": b"mine", "b": b"v1"}


def test_a_rotation_that_does_not_reach_the_folder(small: Program) -> None:
    """The version that is shown as mounted is the one that is."""
    small.create("db")
    small.ok("dev", "up")
    waste = full(small)
    assert small("rotate", "db", "-", input=b"v2").code == 1
    (folder,) = small.ok("dev", "status", "--json").json
    assert folder["secrets"] == [
        {"name": "db", "from": "store", "mounted": 1, "current": 2, "state": "behind"}
    ]
    waste.unlink()
    small.ok("dev", "up")
    assert files(small.folder / "dev-secrets") == {"db": b"v2"}


@pytest.mark.parametrize("on_disk", [(), ("--on-disk",)])
def test_a_first_folder_that_fails_leaves_nothing(small: Program, on_disk: tuple[str, ...]) -> None:
    """Where there was no folder, one that cannot be made leaves no file and no record."""
    small.create("a")
    (small.folder / "big").write_bytes(b"x" * 200_000)
    small.ok("create", "b", "big")
    project = Path(small.environ["XDG_RUNTIME_DIR"])
    where = str(project / "here") if on_disk else "dev-secrets"
    assert small("dev", "up", *on_disk, where).code == 1
    assert recorded(small) == []
    assert [path for path in project.rglob("*") if path.is_file()] == []
    assert not os.path.lexists(small.folder / where)


def test_a_full_memory_is_named(small: Program) -> None:
    """Where there is no room, the message has the file, and the hint the file system."""
    small.create("db")
    small.ok("dev", "up")
    place = os.readlink(small.folder / "dev-secrets")
    full(small)
    message = f"cannot write the dev folder, {place}/db: no space left on device"
    done = small("dev", "up", "--mock")
    assert done.lines == [
        f"secretkit: error: {message}",
        f"hint: make room in its file system: df {place}",
    ]
    done = small("rotate", "db", "-", input=b"v2")
    assert done.lines[0] == (
        f"secretkit: error: the store has changed, a dev folder has not: {message}"
    )


@pytest.mark.parametrize("on_disk", [(), ("--on-disk",)])
def test_a_project_that_cannot_be_written_to(user: Program, on_disk: tuple[str, ...]) -> None:
    """The folder that is blamed is the project's, and nothing is left that was not there."""
    user.create("db")
    memory = Path(user.environ["XDG_RUNTIME_DIR"])
    user.folder.chmod(0o555)
    try:
        done = user("dev", "up", *on_disk)
    finally:
        user.folder.chmod(0o755)
    assert done.code == 1
    assert done.lines == [
        f"secretkit: error: cannot write the dev folder, {user.folder}/dev-secrets:"
        " permission denied",
        f"hint: you must be able to write in {user.folder}; DIR may be elsewhere",
    ]
    assert recorded(user) == []
    assert [path for path in memory.rglob("*") if path.is_file()] == []
    assert user.ok("dev", "down").lines == ["secretkit: no dev folder is up"]


def test_down_of_what_is_none(cli: Program) -> None:
    """A DIR that is no dev folder is an error while others are up: it may be mistyped."""
    cli.create("db")
    cli.ok("dev", "up", "second")
    cli.ok("dev", "up", "third")
    done = cli("dev", "down", "secnod")
    assert done.code == 3
    assert done.lines == [
        f"secretkit: error: no dev folder, {cli.folder}/secnod",
        f"hint: what is up: {cli.folder}/second, {cli.folder}/third",
    ]
    assert cli.ok("dev", "down", "dev-secrets").lines == ["secretkit: no dev folder is up"]
    assert cli("dev", "down", "dev-secrets.d").code == 3
    cli.ok("dev", "down", "second")
    cli.ok("dev", "down", "third")
    assert cli.ok("dev", "down", "third").lines == ["secretkit: no dev folder is up"]

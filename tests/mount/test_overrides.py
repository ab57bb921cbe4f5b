"""An override that cannot be used still hides the store's value: nothing is put in its place."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secretkit import mount
from secretkit.errors import MountError
from secretkit.mount import Settings
from tests.cli.conftest import bare, cli, memory
from tests.cli.program import EXECUTABLE, Program
from tests.mount.person import person
from tests.mount.test_sources import files, overrides, states

__all__ = ["bare", "cli", "memory", "overrides"]

HINT = "hint: mend it, or delete it to have the store's value"


@pytest.fixture
def user() -> Iterator[Program]:
    """The program of a user without privileges."""
    with person() as program:
        program.ok("init")
        yield program


def link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "it is empty"),
    "large": (lambda path: path.write_bytes(b"x" * 512_000), "512000 bytes, at most 511999"),
    "out": (lambda path: link(path, "/etc/passwd"), "a link that leads out of the folder"),
    "nowhere": (lambda path: link(path, "nowhere"), "a link to nothing"),
    "circle": (lambda path: link(path, "db"), "a link to itself"),
    "folder": (folder, "not a regular file"),
    "fifo": (fifo, "not a regular file"),
}


@pytest.mark.parametrize(
    ("how", "layout"), [*((how, "swarm") for how in UNUSABLE), ("empty", "kubernetes")]
)
def test_it_is_not_replaced(cli: Program, overrides: Path, how: str, layout: str) -> None:
    """`dev up` and what takes after it refuse, and change nothing; a rotation is done, keeps what
    lies there and says so; the status shows it; without the file the store's value is back.
    """
    cli.create("db", b"of-the-store")
    cli.create("other", b"one")
    (overrides / "db").write_bytes(b"local")
    cli.ok("dev", "up", "--layout", layout)
    spoil, why = UNUSABLE[how]
    spoil(overrides / "db")
    trouble = f"an override cannot be used, {overrides}/db: {why}"
    for words in (["up"], ["up", "--mock"], ["up", "elsewhere"], ["run", "--", "true"], ["watch"]):
        done = cli("dev", *words)
        assert (done.code, done.lines) == (1, [f"secretkit: error: {trouble}", HINT]), words
    assert not (cli.folder / "elsewhere").exists()
    at = cli.folder / "dev-secrets"
    done = cli.ok("rotate", "other", "-", input=b"two")
    assert done.lines == [
        f"secretkit: refreshed {at}",
        f"secretkit: warning: {at} keeps what it has, as {trouble};"
        " mend it, or delete it to have the store's value",
    ]
    cli.ok("rotate", "db", "-", input=b"next-of-the-store")
    assert {name: files(at)[name] for name in ("db", "other")} == {"db": b"local", "other": b"two"}
    assert states(cli)["db"] == ("override", None, 2, "unusable")
    listed = cli.ok("dev", "overrides")
    warning = "secretkit: warning: an override that cannot be used hides the store's value, "
    assert listed.lines == [f"{warning}{overrides}/db: {why}"]
    (overrides / "db").rmdir() if how == "folder" else (overrides / "db").unlink()
    cli.ok("dev", "up", "--layout", layout)
    assert files(at)["db"] == b"next-of-the-store"


def test_one_that_was_never_there(cli: Program, overrides: Path) -> None:
    """It hides a secret that comes later, too."""
    cli.ok("dev", "up")
    (overrides / "db").touch()
    cli.create("db", b"of-the-store")
    assert files(cli.folder / "dev-secrets") == {}
    assert states(cli) == {"db": ("override", None, 1, "unusable")}
    with pytest.raises(MountError, match="it is empty"):
        mount.contents(cli.folder, Settings(overrides=overrides), store=None)


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_without_permission(user: Program, closed: str) -> None:
    """A file that a container made its own, a folder that nobody may look into."""
    user.ok("dev", "overrides")
    overrides = user.folder / "dev-secrets.local"
    user.create("db", b"of-the-store")
    user.create("other", b"one")
    script = f"printf local > {overrides}/db"
    subprocess.run([*user.before, "sh", "-c", script], check=True)
    user.ok("dev", "up")
    path = overrides / "db" if closed == "file" else overrides
    path.chmod(0)
    trouble = f"an override cannot be used, {path}: permission denied"
    assert user("dev", "up").lines == [f"secretkit: error: {trouble}", HINT]
    done = user.ok("rotate", "other", "-", input=b"two")
    assert sum(trouble in line for line in done.lines) == 1
    at = user.folder / "dev-secrets"
    assert files(at) == {"db": b"local", "other": b"two"}
    assert states(user)["db"] == ("override", None, 1, "unusable")
    assert user("dev", "overrides").lines[0].endswith(f"{path}: permission denied")
    path.chmod(0o700)
    user.ok("dev", "up")
    assert states(user)["db"] == ("override", None, 1, "same")


def test_a_folder_of_overrides_that_is_a_link(cli: Program) -> None:
    """A link that somebody committed in its place does not bring other files into a container."""
    (cli.folder / "dev-secrets.local").symlink_to("/etc")
    done = cli("dev", "up")
    trouble = f"an override cannot be used, {cli.folder}/dev-secrets.local: not a folder"
    assert (done.code, done.lines) == (1, [f"secretkit: error: {trouble}", HINT])
    assert not (cli.folder / "dev-secrets").exists()
    assert cli.ok("dev", "overrides", "--json").json["overrides"] == []


def test_their_folder_is_no_dev_folder(cli: Program, overrides: Path) -> None:
    """Nor has it room for one, however it is named; what lies there stays."""
    (overrides / "db").write_bytes(b"local")
    for name in ("dev-secrets.local", f"{overrides}/", "./dev-secrets.local/x", overrides / "a/b"):
        for words in (["up"], ["up", "--on-disk"], ["watch"]):
            done = cli("dev", *words, name)
            assert done.code == 2, (name, words)
            assert "error: no place for a dev folder" in done.lines[0]
    shutil.rmtree(overrides)
    assert cli("dev", "up", "dev-secrets.local").code == 2
    assert not overrides.exists()
    assert cli.ok("dev", "status", "--json").json == []


@contextlib.contextmanager
def watching(program: Program, said: Path) -> Iterator[Callable[[str], None]]:
    """`dev watch`; waits until it has said something."""

    def wait_for(text: str) -> None:
        until = time.monotonic() + 60
        while text not in said.read_text():
            assert time.monotonic() < until, said.read_text()
            time.sleep(0.02)

    words = [*program.before, EXECUTABLE, "dev", "watch"]
    with said.open("wb") as stderr:
        watch = subprocess.Popen(words, cwd=program.folder, env=program.environ, stderr=stderr)
        try:
            wait_for("changes are followed")
            yield wait_for
        finally:
            watch.terminate()
            watch.wait()


def test_dev_watch_says_it_once(cli: Program, overrides: Path, tmp_path: Path) -> None:
    """And keeps what lies there, until the file can be used again."""
    cli.create("db", b"of-the-store")
    (overrides / "db").write_bytes(b"local")
    said = tmp_path / "said"
    with watching(cli, said) as wait_for:
        (overrides / "db").write_bytes(b"")
        wait_for(f"error: an override cannot be used, {overrides}/db: it is empty")
        cli.ok("rotate", "db", "-", input=b"next-of-the-store")
        assert files(cli.folder / "dev-secrets") == {"db": b"local"}
        (overrides / "db").write_bytes(b"again")
        wait_for("the trouble is over")
        assert files(cli.folder / "dev-secrets") == {"db": b"again"}
    assert said.read_text().count("cannot be used") == 1


def test_dev_watch_sees_that_it_may_not_read(user: Program, tmp_path: Path) -> None:
    """Also where neither content nor time of the file has changed."""
    user.ok("dev", "overrides")
    path = user.folder / "dev-secrets.local" / "db"
    subprocess.run([*user.before, "sh", "-c", f"printf local > {path}"], check=True)
    with watching(user, tmp_path / "said") as wait_for:
        path.chmod(0)
        wait_for(f"error: an override cannot be used, {path}: permission denied")
        path.chmod(0o600)
        wait_for("the trouble is over")

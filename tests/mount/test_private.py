"""Private folders in memory: made safely, and gone whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from secretkit.errors import MountError
from secretkit.mount import ephemeral
from secretkit.mount.private import base, in_memory, make_private, write_file
from tests.needs import need_root

HOLD = (
    "import sys, time\n"
    "from secretkit.mount import ephemeral\n"
    "with ephemeral() as folder:\n"
    "    (folder / 'secret').write_bytes(b'x')\n"
    "    print(folder, flush=True)\n"
    "    {act}\n"
)


@pytest.fixture(autouse=True)
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A private XDG_RUNTIME_DIR on tmpfs."""
    with tempfile.TemporaryDirectory(prefix="secretkit-test-", dir="/dev/shm") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def gone(path: Path, seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while path.exists() and time.monotonic() < end:
        time.sleep(0.02)
    return not path.exists()


def holding(act: str, **options: object) -> tuple[subprocess.Popen[bytes], Path]:
    """A process that made a folder and then does `act`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(act=act)], stdout=subprocess.PIPE, **options
    )  # type: ignore[call-overload]
    assert process.stdout is not None
    return process, Path(process.stdout.readline().decode().strip())


def test_a_folder_is_private_and_removed(memory: Path) -> None:
    """0700 in a base of 0700, and gone at the end of the block."""
    with ephemeral() as folder:
        assert folder.parent == memory / "secretkit"
        assert [path.stat().st_mode & 0o777 for path in (folder, folder.parent)] == [0o700, 0o700]
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_bytes(b"x")
    assert not folder.exists()


def test_removed_after_an_error() -> None:
    """An exception in the block ends it all the same."""
    with pytest.raises(ZeroDivisionError), ephemeral() as folder:
        raise ZeroDivisionError
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_removed_when_killed(number: signal.Signals) -> None:
    """A process that is killed leaves its folder to the janitor."""
    process, folder = holding("time.sleep(60)")
    assert (folder / "secret").exists()
    process.send_signal(number)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    assert gone(folder)


def test_a_signal_to_the_whole_group_spares_the_janitor() -> None:
    """Ctrl-C on a terminal, or a session that ends, does not end the janitor before its work."""
    process, folder = holding("time.sleep(60)", start_new_session=True)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    assert gone(folder)


def test_removed_when_the_process_became_another() -> None:
    """While the next program holds the descriptor the folder stays; then it goes."""
    process, folder = holding(
        "import os; os.execv('/bin/sh', ['sh', '-c', 'read x; exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&-;"
        " read x'])",
        stdin=subprocess.PIPE,
    )
    time.sleep(0.3)
    assert (folder / "secret").exists()
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert gone(folder)
    assert process.poll() is None
    process.stdin.close()
    process.wait()
    process.stdout.close()


def test_no_child_and_no_open_stream_is_left() -> None:
    """The janitor is nobody's child, and a reader of our output does not wait for it."""
    process, folder = holding("import os; os.close(1); os.close(2); time.sleep(60)")
    assert process.stdout is not None
    assert process.stdout.read() == b""  # ends although the janitor lives
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if children.exists():
        assert children.read_text() == ""
    process.kill()
    process.wait()
    process.stdout.close()
    assert gone(folder)


def test_what_a_killed_janitor_left_is_swept(memory: Path) -> None:
    """The next call removes folders that nobody holds, and leaves those that somebody does."""
    stale = memory / "secretkit" / "run-stale"
    with ephemeral() as held:
        stale.mkdir(mode=0o700)
        (stale / "secret").write_bytes(b"x")
        with ephemeral() as other:
            assert not stale.exists()
            assert held.exists()
            assert other.exists()


def test_many_at_once(memory: Path) -> None:
    """Sixteen processes make and remove folders beside each other, and none loses its own."""
    code = (
        "from secretkit.mount import ephemeral\n"
        "for _ in range(20):\n"
        "    with ephemeral() as folder:\n"
        "        (folder / 'x').write_bytes(b'x')\n"
        "        assert (folder / 'x').read_bytes() == b'x'\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(16)]
    assert [process.wait() for process in processes] == [0] * 16
    assert list((memory / "secretkit").iterdir()) == []


def test_bases(memory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """XDG_RUNTIME_DIR if it is private and in memory, else /dev/shm."""
    assert base() == memory / "secretkit"
    shared = Path("/dev/shm") / f"secretkit-{os.getuid()}"
    memory.chmod(0o755)
    assert base() == shared
    for value in ("relative", "", str(tmp_path / "nowhere")):
        monkeypatch.setenv("XDG_RUNTIME_DIR", value)
        assert base() == shared


def test_in_memory(memory: Path) -> None:
    """tmpfs is told from other file systems."""
    assert in_memory(memory)
    assert not in_memory(Path("/proc"))
    assert not in_memory(Path("/nowhere"))


def test_a_foreign_owner() -> None:
    """A folder of another user is refused, also by root."""
    need_root()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        place = Path(folder) / "place"
        place.mkdir(mode=0o700)
        os.chown(place, 12345, 12345)
        with pytest.raises(MountError, match="owner uid 12345"):
            make_private(place)


def test_private_whatever_the_umask(memory: Path) -> None:
    """A umask that takes rights from the owner changes nothing."""
    before = os.umask(0o777)
    try:
        make_private(memory / "a")
        write_file(memory / "a" / "file", b"x", 0o444)
    finally:
        os.umask(before)
    assert (memory / "a").stat().st_mode & 0o7777 == 0o700
    assert (memory / "a" / "file").stat().st_mode & 0o7777 == 0o444


def test_a_reader_sees_all_or_what_was_before(memory: Path) -> None:
    """A file is replaced in one rename: no reader ever sees a part, an absence, or a stranger."""
    path = memory / "file"
    contents = [bytes([number]) * 100_000 for number in range(2)]
    write_file(path, contents[0], 0o444)
    stop = threading.Event()
    wrong: list[int] = []

    def read() -> None:
        while not stop.is_set():
            if path.read_bytes() not in contents:
                wrong.append(1)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(300):
        write_file(path, contents[number % 2], 0o444)
    stop.set()
    reader.join()
    assert wrong == []
    assert [path.name for path in memory.iterdir()] == ["file"]


def test_a_link_in_the_way_is_not_followed(memory: Path, tmp_path: Path) -> None:
    """A link planted at the name in between, or at the file's, is replaced and not written to."""
    victim = tmp_path / "victim"
    victim.write_text("kept")
    (memory / "..file").symlink_to(victim)
    (memory / "file").symlink_to(victim)
    write_file(memory / "file", b"x", 0o444)
    assert victim.read_text() == "kept"
    assert not (memory / "file").is_symlink()

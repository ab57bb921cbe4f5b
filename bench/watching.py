"""From `secretkit rotate` to a process that has the next value, under `secretkit dev watch`.

Beside it the floor: the same rotations without `dev watch`, seen by a reader that does nothing but
wait for inotify(7) on the dev folder. Times are from the moment when `rotate` starts, in
milliseconds. Also the processor time that `dev watch` and the shim take while nothing happens.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SECRETKIT = str(Path(sys.executable).with_name("secretkit"))
IN_MOVED_TO = 0x80
BUDGET = 1.0  # seconds, the worst


class Ground:
    """A project with one secret and its dev folder."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.project.mkdir()
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }
        self.run("init")
        self.run("create", "db", "-", value=b"0")
        self.run("dev", "up")

    def run(self, *words: str, value: bytes = b"") -> None:
        """One command that must succeed, and says nothing."""
        subprocess.run(
            [SECRETKIT, *words],
            cwd=self.project,
            env=self.environ,
            input=value,
            check=True,
            capture_output=True,
        )

    def rotations(self, count: int, wait_for: Callable[[bytes], None]) -> tuple[list[float], ...]:
        """The seconds that each took, and after how many of them the value was there."""
        took, there = [], []
        for _ in range(count):
            value = os.urandom(8).hex().encode()
            begun = time.monotonic()
            rotate = subprocess.Popen(
                [SECRETKIT, "rotate", "db", "-"],
                cwd=self.project,
                env=self.environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            rotate.stdin.write(value)  # type: ignore[union-attr]
            rotate.stdin.close()  # type: ignore[union-attr]
            wait_for(value)
            there.append(time.monotonic() - begun)
            if rotate.wait() != 0:
                raise RuntimeError("rotate failed")
            took.append(max(time.monotonic() - begun, there[-1]))
            time.sleep(0.1)
        return took, there


@contextmanager
def reader(place: Path) -> Iterator[Callable[[bytes], None]]:
    """inotify(7) by itself: reads the file when a name has been moved there."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(0)
    if libc.inotify_add_watch(descriptor, os.fsencode(place.resolve()), IN_MOVED_TO) < 0:
        raise OSError(ctypes.get_errno(), "inotify_add_watch")

    def wait_for(value: bytes) -> None:
        while (place / "db").read_bytes() != value:
            os.read(descriptor, 4096)

    yield wait_for
    os.close(descriptor)


@contextmanager
def watched(ground: Ground) -> Iterator[tuple[int, Callable[[bytes], None]]]:
    """A command under `dev watch`: it writes the value that it was started with into a FIFO."""
    fifo = ground.project / "fifo"
    os.mkfifo(fifo)
    descriptor = os.open(fifo, os.O_RDWR)
    process = subprocess.Popen(
        [SECRETKIT, "-q", "dev", "watch", "--", "sh", "-c", 'echo "$DB" > fifo; exec sleep 3600'],
        cwd=ground.project,
        env=ground.environ,
        stderr=subprocess.DEVNULL,
    )

    def wait_for(value: bytes) -> None:
        while os.read(descriptor, 4096) != value + b"\n":
            pass

    try:
        os.read(descriptor, 4096)
        time.sleep(1)
        yield process.pid, wait_for
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        os.close(descriptor)


def used(pid: int) -> float:
    """Seconds of processor time of a process and of its children, but not of COMMAND."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    seconds = 0.0
    for one in (str(pid), *children):
        threads = [Path(task, "schedstat") for task in Path(f"/proc/{one}/task").iterdir()]
        seconds += sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9
    return seconds


def shown(what: str, seconds: list[float]) -> str:
    median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
    return f"{what:<52}{median:>8.0f}{worst:>8.0f}"


def main(argv: list[str] | None = None) -> int:
    """Prints the figures; 0 if the worst is within its budget."""
    parser = argparse.ArgumentParser(prog="python -m bench.watching", description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--idle", type=int, default=60, help="seconds [60]")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        ground = Ground(Path(name))
        print(
            f"load {os.getloadavg()[0]:.2f}, {options.runs} rotations{'median':>32}{'worst':>8}  ms"
        )
        with reader(ground.project / "dev-secrets") as wait_for:
            took, floor = ground.rotations(options.runs, wait_for)
        print(shown("`secretkit rotate` itself", took))
        print(shown("inotify alone has the file", floor))
        with watched(ground) as (pid, wait_for):
            _, there = ground.rotations(options.runs, wait_for)
            print(shown("`dev watch`: COMMAND is restarted with it", there))
            time.sleep(3)
            before = used(pid)
            time.sleep(options.idle)
            print(
                f"idle: {(used(pid) - before) * 1000:.0f} ms of processor time in {options.idle} s"
            )
    return 0 if max(there) <= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())

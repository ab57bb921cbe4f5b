"""A shim that stays as the parent of a small service, and what the service tells of itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.shim.conftest import Shim

PATIENCE = 60  # seconds, for a machine that is busy

# Logs its start with the variable X and the contents of files, then each signal; SIGTERM ends it.
# A second one at the same time says so.
SERVICE = """
import fcntl, os, signal, sys
log, files = sys.argv[1], sys.argv[2:]
def say(*words):
    text = " ".join(map(str, words)) + " X=" + os.environ.get("X", "")
    for file in files:
        with open(file) as opened:
            text += " " + opened.read().strip()
    with open(log, "a") as opened:
        opened.write(text + "\\n")
numbers = set(range(1, 32)) | set(range(signal.SIGRTMIN, signal.SIGRTMAX + 1))
numbers -= {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
lock = os.open(log + ".lock", os.O_WRONLY | os.O_CREAT, 0o666)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    say("twice")
if os.environ.get("X") == "bad":
    say("dies")
    sys.exit(4)
say("start", os.getpid())
while True:
    number = signal.sigwaitinfo(numbers).si_signo
    say("signal", int(number))
    if number == signal.SIGTERM:
        sys.exit(0)
"""

# The launcher with another clock.
QUICK = """
import sys
sys.path.insert(0, {folder!r})
from secretkit_entrypoint import main, watching
watching.INTERVAL = watching.SETTLE = 0.01
sys.exit(main.main(sys.argv[1:]))
"""


def until(condition: Callable[[], object], what: str = "a condition") -> None:
    """Waits for a condition; fails after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} does not come"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def quick(shim: Shim, folder: Path) -> Shim:
    """The same shim, but it looks a hundred times a second."""
    launcher = folder / "quick"
    launcher.write_text(QUICK.format(folder=str(shim.launcher.parent)))
    return Shim(shim.mount, shim.python, launcher)


class Watched:
    """A running `shim --watch …`, and the log of its service."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, errors: Path) -> None:
        self.process = process
        self.log = log
        self.errors = errors

    def lines(self, kind: str = "") -> list[str]:
        """What the service has logged of one kind, without pids."""
        found = [words[:1] + words[2:] if words[0] == "start" else words for words in self._log()]
        return [" ".join(words) for words in found if words[0].startswith(kind)]

    def pids(self) -> list[int]:
        """Of every service that was started."""
        return [int(words[1]) for words in self._log() if words[0] == "start"]

    def _log(self) -> list[list[str]]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.split(" ") for line in lines]

    def starts(self) -> list[str]:
        """With what the service was started: the variable and the files."""
        return [line.partition(" X=")[2] for line in self.lines("start")]

    def said(self) -> list[str]:
        """What the shim has written to stderr."""
        lines = self.errors.read_text().splitlines()
        assert all(line.startswith("secretkit-entrypoint: ") for line in lines), lines
        return [line.partition(": ")[2] for line in lines]

    def until(self, condition: Callable[[], object], what: str = "a condition") -> None:
        """Waits for a condition; fails if the shim ends before."""

        def met() -> bool:
            reached = bool(condition())
            assert reached or self.process.poll() is None, (self.process.poll(), self.said())
            return reached

        try:
            until(met, what)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.lines()} {self.said()}") from None

    def until_started(self, *contents: str) -> None:
        """Waits until it was started with these, and with nothing else."""
        self.until(lambda: len(self.starts()) >= len(contents), f"start with {contents}")
        assert self.starts() == [*contents], self.said()

    def until_said(self, text: str) -> None:
        self.until(lambda: any(text in line for line in self.said()), text)

    def end(self, number: int = signal.SIGTERM) -> int:
        """The status after that signal."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def watched(
    shim: Shim, folder: Path, *words: str, command: list[str] | None = None, **options: object
) -> Iterator[Watched]:
    """Starts SERVICE, or another command; both are gone afterwards."""
    log, errors = folder / "log", folder / "errors"
    command = command or [sys.executable, "-ISc", SERVICE, str(log)]
    with errors.open("wb") as output:
        process = subprocess.Popen(
            shim.argv("--watch", *words, "--", *command),
            env=shim.environ,
            stdin=subprocess.DEVNULL,
            stderr=output,
            **options,
        )
    try:
        yield Watched(process, log, errors)
    finally:
        process.kill()
        process.wait()


def replace(path: Path, content: str) -> None:
    """Writes a file as those do who care for readers: by a rename."""
    staged = path.with_name(".staged")
    staged.write_text(content)
    os.replace(staged, path)

"""A running `secretkit dev watch -- SERVICE`, and what the service tells of itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.program import EXECUTABLE, Program
from tests.shim.watched import SERVICE, Watched, alive, until

TABLE = '[entrypoint]\nenv = { X = "x" }\n'


class DevWatched(Watched):
    """As a shim that watches; what is said has two speakers."""

    def said(self) -> list[str]:
        """What dev watch and the shim have written to stderr."""
        found = [line.partition(": ") for line in self.errors.read_text().splitlines()]
        speakers = {speaker for speaker, _, _ in found}
        assert speakers <= {"secretkit", "secretkit-entrypoint", "hint"}, found
        return [text for _, _, text in found]

    def follower(self) -> int:
        """The process id of what keeps the folder fresh: the child whose program is ours."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        (found,) = [
            int(pid)
            for pid in children.read_text().split()
            if b"secretkit\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        return found


@contextmanager
def dev_watched(
    cli: Program, *words: str, command: list[str] | None = None, before: tuple[str, ...] = ()
) -> Iterator[DevWatched]:
    """Starts it; afterwards all of it is gone, by a SIGKILL for what was started."""
    log, errors = cli.folder.parent / "log", cli.folder.parent / "errors"
    command = command or [sys.executable, "-ISc", SERVICE, str(log)]
    with errors.open("wb") as output:
        process = subprocess.Popen(
            [*before, EXECUTABLE, "dev", "watch", *words, "--", *command],
            cwd=cli.folder,
            env=cli.environ,
            stdin=subprocess.DEVNULL,
            stderr=output,
        )
    run = DevWatched(process, log, errors)
    try:
        yield run
    finally:
        process.kill()
        process.wait()
        until(lambda: not any(alive(pid) for pid in run.pids()), "the end of the service")


def with_template(cli: Program, text: str = "<<x>>\n") -> list[str]:
    """An [entrypoint] that renders a file, and a service that logs the file's content."""
    (cli.folder / "conf").mkdir()
    cli.write("conf/app.conf", text)
    cli.write(
        "secretkit.toml",
        f'{TABLE}allow_disk = true\n[[entrypoint.render]]\nsource = "conf/app.conf"\n'
        'destination = "app.conf"\nformat = "text"\n',
    )
    log, file = cli.folder.parent / "log", cli.folder / "app.conf"
    return [sys.executable, "-ISc", SERVICE, str(log), os.fspath(file)]

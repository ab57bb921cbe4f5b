"""A copy of an example to work in, and the means to run its page."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import pytest

from tests.docs import run_console_blocks
from tests.engine import Engine, engine

__all__ = ["engine"]

EXAMPLES = Path(__file__).parents[2] / "examples"

# The pages say `docker build` and `docker run`. The test adds the image to start from, drops what
# the client says about the classic builder, and gives no network, which a private engine has not.
FUNCTIONS = """
docker() {
  case $1 in
    build) command docker build --build-arg "BASE=$BASE" "${@:2}" 2>build.log || cat build.log ;;
    run)
      case " $* " in
        *" --network "*)
          command docker "$@" 2>run.log; set -- $?
          grep -v "^WARNING: IPv4 forwarding" run.log >&2
          return $1 ;;
        *) command docker run --network none "${@:2}" ;;
      esac ;;
    *) command docker "$@" ;;
  esac
}
"""


class Example:
    """A copy of an example's folder, and the environment of a user who works in it."""

    def __init__(self, name: str, folder: Path, memory: Path) -> None:
        self.folder = folder / name
        self.memory = memory
        shutil.copytree(EXAMPLES / name, self.folder)
        self.environment = {
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_RUNTIME_DIR": str(memory),
            "PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}",
            "COLUMNS": "100",
        }

    def run_page(self, upto: str | None = None, **environment: str) -> None:
        """Run the page's commands, or those above the heading `upto`."""
        page = self.folder / "README.md"
        if upto is not None:
            text, heading, _ = page.read_text().partition(f"\n## {upto}\n")
            assert heading, f"{page} has no heading {upto}"
            page.write_text(text)
        # The pages render to fixed names in /dev/shm, so a page is run by one at a time.
        with (EXAMPLES / self.folder.name / "README.md").open() as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            assert run_console_blocks(page, self.folder, self.environment | environment) > 3

    def run_page_with(self, engine: Engine) -> None:
        """Run all of the page's commands; what it builds is built from the engine's image."""
        functions = self.folder.parent / "functions"
        functions.write_text(FUNCTIONS)
        self.run_page(BASH_ENV=str(functions), BASE=engine.image, **engine.environment())

    def run(self, *words: str, value: bytes = b"", status: int = 0) -> str:
        """What a command in the folder prints, which must end with `status`."""
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=os.environ | self.environment,
            input=value,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert status == done.returncode, done.stderr.decode(errors="replace")
        return (done.stderr if status else done.stdout).decode()

    def create(self, **values: bytes) -> None:
        """A project with the secrets of secretkit.toml, and a dev folder; `a_b` is secret a-b."""
        self.run("secretkit", "init")
        for name, value in values.items():
            self.run("secretkit", "create", name.replace("_", "-"), "-", value=value)
        self.run("secretkit", "dev", "up")

    @contextmanager
    def image(self, engine: Engine) -> Iterator[str]:
        """The example's image, built; gives its name."""
        self.run("secretkit", "shim", "export", "shim")
        tag = f"secretkit-test:{token_hex(8)}"
        base = f"BASE={engine.image}"
        engine.docker("build", "--build-arg", base, "--tag", tag, str(self.folder))
        try:
            yield tag
        finally:
            engine.docker("image", "rm", tag)

    @contextmanager
    def container(self, engine: Engine, *options: str) -> Iterator[Container]:
        """The example's image, built and started with a read-only root."""
        mount = f"{self.folder}/dev-secrets:/run/secrets:ro"
        with self.image(engine) as tag:
            start = ("run", "--detach", "--read-only", "--volume", mount, *options, tag)
            identity = engine.docker(*start)
            try:
                yield Container(engine, tag, identity)
            finally:
                engine.docker("rm", "--force", identity)


@dataclass
class Container:
    """A container that runs."""

    engine: Engine
    image: str
    identity: str

    def until(self, text: str) -> str:
        """What it printed, once that holds `text`."""
        deadline = time.monotonic() + 20
        while text not in (log := self.engine.docker("logs", self.identity)):
            running = self.engine.docker("inspect", "-f", "{{.State.Running}}", self.identity)
            assert running == "true", log
            assert time.monotonic() < deadline, log
            time.sleep(0.1)
        return log

    def process_1(self) -> list[str]:
        """The command line of its first process."""
        line = self.engine.docker("exec", self.identity, "cat", "/proc/1/cmdline")
        return line.rstrip("\0").split("\0")

    def end(self) -> tuple[float, int]:
        """Send SIGTERM: the seconds until it ended, and its exit status."""
        started = time.monotonic()
        self.engine.docker("kill", "--signal", "TERM", self.identity)
        status = int(self.engine.docker("wait", self.identity))
        return time.monotonic() - started, status


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Callable[[str], Example]]:
    """Gives a copy of the example of that name."""
    # On tmpfs, as $XDG_RUNTIME_DIR is; pytest's folders are on a disk.
    with tempfile.TemporaryDirectory(prefix="secretkit-example-", dir="/dev/shm") as memory:
        yield lambda name: Example(name, tmp_path, Path(memory))

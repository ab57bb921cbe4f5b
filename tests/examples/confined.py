"""This machine's programs in images, and containers of an example that may do nothing more."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from tests.engine import Engine, libraries
from tests.needs import need_program

# A read-only root, no capability, no way to gain one; said to the engine and to the shim.
CONFINED = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
CONFINED += ["--env", "SECRETKIT_CAP_DROP=ALL", "--env", "SECRETKIT_NO_NEW_PRIVS=1"]
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
PATIENCE = 30  # seconds
SLACK = 5  # seconds that one `docker stop` may take longer than another, on a busy machine


@contextmanager
def with_programs(engine: Engine, paths: Iterable[Path], *lines: str) -> Iterator[Engine]:
    """The engine with an image that has these files, too, the libraries they need, and busybox.

    A folder is taken with all that is in it; `lines` end the image's Dockerfile.
    """
    busybox = Path(need_program("busybox"))
    files = [file for path in (busybox, *paths) for file in (sorted(path.rglob("*")) or [path])]
    files = [file for file in files if file.is_file()]
    binaries = [str(file) for file in files if file.read_bytes().startswith(b"\x7fELF")]
    tag = f"secretkit-test:{token_hex(8)}"
    with tempfile.TemporaryDirectory(prefix="secretkit-image-") as name:
        folder = Path(name)
        with tarfile.open(folder / "files.tar", "w", dereference=True) as tar:
            for file in (*files, *libraries(binaries)):
                tar.add(file)
        (folder / "Dockerfile").write_text(
            f"FROM {engine.image}\nADD files.tar /\nRUN {busybox} --install -s\n" + "\n".join(lines)
        )
        engine.docker("build", "--tag", tag, name)
    try:
        yield Engine(engine.host, tag)
    finally:
        engine.docker("image", "rm", "--force", tag, check=False)


@dataclass
class Image:
    """An example's image, and the folder of the secrets that its containers get."""

    engine: Engine
    name: str
    secrets: Path

    def words(self, *options: str) -> list[str]:
        """What stands between `docker run` and the image."""
        return [*CONFINED, "--volume", f"{self.secrets}:/run/secrets:ro", *options]

    def check(self) -> None:
        """`--check` in a container, with the image's own options and command, finds no error."""
        said = self.engine.docker("image", "inspect", "-f", "{{json .Config}}", self.name)
        config = json.loads(said)
        program, *options, end = config["Entrypoint"]
        words = [*options, "--check", end, *config["Cmd"]]
        once = self.words("--rm", "--network", "none", "--entrypoint", program)
        said = self.engine.docker("run", *once, self.name, *words)  # which ends with status 0
        assert said.startswith("checked 1 secret"), said

    @contextmanager
    def start(self, *options: str, words: Iterable[str] = ()) -> Iterator[str]:
        """A container of it, which is removed afterwards; gives its identity."""
        network = [] if "--network" in options else ["--network", "none"]
        start = self.words("--detach", *network, *options)
        identity = self.engine.docker("run", *start, self.name, *words)
        try:
            yield identity
        finally:
            self.engine.docker("rm", "--force", "--volumes", identity)

    def once(self, *options: str, words: Iterable[str] = ()) -> tuple[int, str]:
        """A container of it that ends: its status, and what it printed; its errors if not 0."""
        done = subprocess.run(
            ["docker", "run", "--rm", *self.words(*options), self.name, *words],
            env=os.environ | self.engine.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
        )
        said = done.stderr if done.returncode else done.stdout
        return done.returncode, said.decode(errors="replace").strip()

    def until(self, identity: str, words: Iterable[str], printed: str) -> None:
        """Waits until `words`, run in the container, print `printed`."""
        deadline = time.monotonic() + PATIENCE
        while (said := self.engine.docker("exec", identity, *words, check=False)) != printed:
            running = self.engine.docker("inspect", "-f", "{{.State.Running}}", identity)
            assert running == "true" and time.monotonic() < deadline, said
            time.sleep(0.1)

    def process_1(self, identity: str) -> str:
        """The name of its first process, which is not root and can do nothing that root can."""
        lines = self.engine.docker("exec", identity, "cat", "/proc/1/status").splitlines()
        status = dict(line.split(":\t", 1) for line in lines)
        assert "0" not in status["Uid"].split()
        assert {status[name].strip("0") for name in SETS} == {""}
        assert status["NoNewPrivs"] == "1"
        return status["Name"]

    def stop(self, identity: str, seconds: int = 10) -> tuple[float, int]:
        """`docker stop`: the seconds it took, and the status of the program."""
        started = time.monotonic()
        self.engine.docker("stop", "--time", str(seconds), identity)
        took = time.monotonic() - started
        status = self.engine.docker("inspect", "-f", "{{.State.ExitCode}}", identity)
        return took, int(status)

    def holds(self, identity: str, canary: str) -> bool:
        """Whether the canary is in the container's file system, without what is mounted there."""
        files = self.bytes_of("export", identity)
        assert b"nobody:x:65534" in files  # a file of the image, as it stands in the tar
        return told(files, canary)

    def bytes_of(self, *words: str) -> bytes:
        """What the docker client prints."""
        environment = os.environ | self.engine.environment()
        return subprocess.run(
            ["docker", *words], env=environment, stdout=subprocess.PIPE, check=True, timeout=60
        ).stdout


def told(content: bytes, canary: str) -> bool:
    """Whether the content has the canary, also where a value that begins with it is in base64."""
    return canary.encode() in content or base64.b64encode(canary.encode()) in content


def new_canary() -> str:
    """Letters and digits that every format writes as they are, and base64 without padding."""
    return token_hex(12)

"""A shim to start, and a mount to start it over."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secretkit.delivery.shim import export
from tests.needs import need, need_root, pythons

LAUNCHER = Path(__file__).parents[2] / "entrypoints" / "secretkit-entrypoint"


class Shim:
    """Starts the shim over a mount, with an environment of nothing but PATH unless given."""

    def __init__(
        self, mount: Path, python: str = sys.executable, launcher: Path = LAUNCHER
    ) -> None:
        self.mount = mount
        self.python = python
        self.launcher = launcher
        self.environ: dict[bytes, bytes] = {b"PATH": b"/usr/bin:/bin"}

    def argv(self, *words: str | bytes) -> list[str | bytes]:
        return [self.python, "-ISB", str(self.launcher), "--secrets-dir", str(self.mount), *words]

    def run(
        self, *words: str | bytes, env: dict[bytes, bytes] | None = None, **options: object
    ) -> subprocess.CompletedProcess[bytes]:
        """The finished process; `env` is added to the environment."""
        return subprocess.run(
            self.argv(*words),
            env={**self.environ, **(env or {})},
            capture_output=True,
            check=False,
            timeout=60,
            **options,
        )

    def output(self, *words: str | bytes, **options: object) -> bytes:
        """What a start that must succeed prints."""
        done = self.run(*words, **options)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout

    def variables(self, *words: str | bytes, **options: object) -> dict[bytes, bytes]:
        """The environment of a process, without the PATH that it was started with."""
        block = self.output(*words, "--", "cat", "/proc/self/environ", **options)
        environ = dict(entry.split(b"=", 1) for entry in block.split(b"\0")[:-1])
        assert environ.pop(b"PATH") == b"/usr/bin:/bin"
        return environ

    def problems(self, *words: str | bytes, status: int = 125, **options: object) -> list[str]:
        """The error lines of a start that must fail with `status`, print nothing, start nothing."""
        done = self.run(*words, **options)
        lines = done.stderr.decode().splitlines()
        assert (done.returncode, done.stdout) == (status, b""), lines
        assert all(line.startswith("secretkit-entrypoint: error: ") for line in lines)
        return [line[len("secretkit-entrypoint: error: ") :] for line in lines]


def status_of(status: bytes) -> dict[str, str]:
    """The lines of a /proc/self/status; cat shows its own, where a Python would ignore SIGPIPE."""
    return dict(line.split(":\t", 1) for line in status.decode().splitlines() if ":\t" in line)


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    """An empty folder of secrets."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o755)
    return folder


@pytest.fixture
def secret(mount: Path) -> Callable[[str, bytes], Path]:
    """Writes one secret file."""

    def write(name: str, content: bytes) -> Path:
        path = mount / name
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def shim(mount: Path) -> Shim:
    """The shim under this Python."""
    return Shim(mount)


@pytest.fixture(
    params=pythons(), ids=lambda path: os.path.basename(os.path.dirname(os.path.dirname(path)))
)
def every_shim(mount: Path, request: pytest.FixtureRequest) -> Shim:
    """The shim under each Python of this machine."""
    return Shim(mount, request.param)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that is not in memory, as pytest's may be."""
    for place in (tmp_path, Path("/var/tmp"), Path(__file__).parent):
        filesystem = subprocess.check_output(["stat", "-f", "-c", "%T", place], text=True)
        if filesystem.strip() not in ("tmpfs", "ramfs"):
            with tempfile.TemporaryDirectory(dir=place) as name:
                yield Path(name)
            return
    pytest.skip("needs a folder on a disk")


NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}


@pytest.fixture
def open_shim() -> Iterator[Shim]:
    """A shim, a Python and a mount that a process run with **NOBODY can reach; needs root."""
    need_root()
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            subprocess.run([python, "-ISc", "pass"], check=True, cwd="/", **NOBODY)
            break
        except OSError:
            continue
    else:
        need("root", False, "needs a Python that user nobody can run")
    # pytest's own folders are for their owner alone.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "secrets").mkdir()
        yield Shim(folder / "secrets", python, export(folder / "shim")[0])

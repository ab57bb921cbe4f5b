"""Images to bake, a program that tells how it was started, and containers of both."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

from tests.cli.program import Done, Program
from tests.engine import Engine

# Prints how it was started; with "wait" among its arguments it goes on until SIGTERM.
RECORD = """#!/usr/bin/python3 -ISB
import json, os, signal, sys
def stop(*_):
    print("stopped", flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, stop)
environ = {name: text for name, text in os.environ.items() if name not in ("_", "LC_CTYPE")}
print(json.dumps([sys.argv, environ, os.getcwd(), os.getuid(), os.getgid(), os.getgroups(),
                  os.getpid()]), flush=True)
if "wait" in sys.argv:
    signal.pause()
"""
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
PATIENCE = 60  # seconds


@dataclass
class Ground:
    """The program in a project, an engine, and what was made there."""

    cli: Program
    engine: Engine
    secrets: Path
    made: list[str] = field(default_factory=list)

    def name(self) -> str:
        """A name for an image that is removed afterwards."""
        self.made.append(f"secretkit-test:{token_hex(8)}")
        return self.made[-1]

    def image(self, *instructions: str, **files: str | bytes) -> str:
        """An image from the engine's own, with /app/record in it."""
        return self.built("COPY record /app/record", *instructions, **files)

    def built(self, *instructions: str, base: str = "", **files: str | bytes) -> str:
        name = self.name()
        folder = self.cli.folder.parent / name.partition(":")[2]
        folder.mkdir()
        for file, content in {"record": RECORD, **files}.items():
            (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
            (folder / file).chmod(0o755)
        lines = [f"FROM {base or self.engine.image}", *instructions]
        (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
        self.engine.docker("build", "--quiet", "--network", "none", "--tag", name, str(folder))
        return name

    def bake(self, image: str, *words: str, code: int = 0) -> Done:
        """`secretkit bake`, which must end so."""
        done = self.cli("bake", image, *words, **self.engine.environment())
        assert done.code == code, done.err
        return done

    def baked(self, image: str, *words: str) -> str:
        """The image that it makes."""
        name = self.name()
        self.bake(image, "-t", name, *words)
        return name

    def config(self, image: str) -> dict[str, Any]:
        """Its configuration, but for what the classic builder notes about itself."""
        config = json.loads(self.engine.docker("image", "inspect", "-f", "{{json .Config}}", image))
        return {key: value for key, value in config.items() if key not in ("Image", "Hostname")}

    def run(self, image: str, *options: str, command: Sequence[str] = ()) -> str:
        """What a container of it prints, with the secrets mounted."""
        return self.engine.docker("run", "--rm", *self._options(), *options, image, *command)

    def record(self, image: str, *options: str, command: Sequence[str] = ()) -> Any:
        """How its program was started."""
        return json.loads(self.run(image, *options, command=command).splitlines()[0])

    @contextmanager
    def started(self, image: str, *options: str, command: Sequence[str] = ()) -> Iterator[str]:
        """A container of it, once its program has begun."""
        words = ("run", "--detach", *self._options(), *options, image, *command)
        container = self.engine.docker(*words)
        try:
            deadline = time.monotonic() + PATIENCE
            while not self.engine.docker("logs", container):
                assert time.monotonic() < deadline, "it does not start"
                time.sleep(0.1)
            yield container
        finally:
            self.engine.docker("rm", "--force", container)

    def _options(self) -> list[str]:
        mount = f"{self.secrets}:/run/secrets:ro"
        return ["--network", "none", "--hostname", "box", "--volume", mount]

    def close(self) -> None:
        """Removes what was made."""
        words = ["image", "rm", "--force", *self.made]
        if self.made:
            self.engine.docker(*words, check=False)


def busybox() -> bytes:
    """The static busybox of this machine."""
    path = subprocess.run(["sh", "-c", "command -v busybox"], capture_output=True, check=True)
    return Path(path.stdout.decode().strip()).read_bytes()

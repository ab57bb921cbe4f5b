"""The installed program, as a user has it: with a home, a config and a memory folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EXECUTABLE = str(Path(sys.executable).with_name("secretkit"))


@dataclass
class Done:
    """How one run ended."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """What was said on stderr."""
        return self.err.splitlines()


@dataclass
class Program:
    """`secretkit` in a folder of its own."""

    folder: Path
    environ: dict[str, str]
    seen: list[Done] = field(default_factory=list)
    before: tuple[str, ...] = ()  # what starts it, as setpriv(1)

    def __call__(
        self,
        *arguments: str | Path,
        input: bytes = b"",  # noqa: A002 - subprocess's name for it
        folder: Path | None = None,
        **environ: str,
    ) -> Done:
        """Run it; the result is kept in `seen`, for a look at everything that was ever printed."""
        done = subprocess.run(
            [*self.before, EXECUTABLE, *arguments],
            input=input,
            capture_output=True,
            cwd=folder or self.folder,
            env={**self.environ, **environ},
            check=False,
            timeout=60,
        )
        result = Done(done.returncode, done.stdout, done.stderr.decode())
        self.seen.append(result)
        return result

    def ok(self, *arguments: str | Path, **options: Any) -> Done:
        """Run it, and expect success."""
        done = self(*arguments, **options)
        assert done.code == 0, done.err
        return done

    def create(self, name: str, value: bytes = b"v1") -> None:
        """A secret with exactly this value."""
        self.ok("create", name, "-", "--keep-newline", input=value)

    def write(self, name: str, text: str) -> Path:
        """A file in the project."""
        path = self.folder / name
        path.write_text(text)
        return path


def environment(home: Path, memory: Path) -> dict[str, str]:
    """Nothing of the user's own secretkit, and nothing of the machine's."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR") if key in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_RUNTIME_DIR": str(memory),
    }

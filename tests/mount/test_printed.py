"""The lines that `dev up` prints can be typed as they are, whatever the folder is called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import bare, cli, memory
from tests.cli.program import Program
from tests.engine import Engine, engine

__all__ = ["bare", "cli", "engine", "memory"]

NAMES = ("plain", 'a b$x"q', "it's", "a:b", 'a:b,"c" d', "new\nline", "-n", "#*[x]\\ ", "a\tü,b")


def bash(line: str, folder: Path, environ: dict[str, str]) -> bytes:
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environ, capture_output=True, check=False
    )
    assert done.returncode == 0, (line, done.stderr)
    return done.stdout


@pytest.mark.parametrize("where", ["project", "pro:ject"])
def test_docker_takes_the_line(cli: Program, engine: Engine, where: str) -> None:
    """-v where it can, --mount where a colon or a control character is in the path."""
    folder = cli.folder.rename(cli.folder.with_name(where))
    program = Program(folder, cli.environ)
    program.create("db", b"it is mounted")
    environ = os.environ | engine.environment()
    for name in NAMES if where == "project" else NAMES[:2]:
        line = program.ok("dev", "up", "--", name).text.rstrip("\n")
        assert line.startswith("docker run ")
        assert line.endswith(" ...")
        line = line.replace("docker run", "docker run --rm").removesuffix("...")
        assert bash(f"{line} {engine.image} cat /run/secrets/db", folder, environ) == (
            b"it is mounted"
        )


@pytest.mark.parametrize("name", NAMES)
def test_git_ignores_after_the_line(cli: Program, name: str) -> None:
    """What the warning says makes git ignore that folder, and the warning is gone."""
    subprocess.run(["git", "init", "-q", cli.folder], check=True)
    (warning,) = [line for line in cli.ok("dev", "up", "--", name).lines if "ignore" in line]
    _, _, line = warning.rpartition(": printf " if ": printf " in warning else ": echo ")
    bash(("printf " if ": printf " in warning else "echo ") + line, cli.folder, dict(os.environ))
    assert not [line for line in cli.ok("dev", "up", "--", name).lines if "ignore" in line]
    seen = subprocess.run(
        ["git", "status", "--porcelain"], cwd=cli.folder, capture_output=True, check=True
    )
    assert seen.stdout == b"?? .gitignore\n?? secretkit.toml\n"

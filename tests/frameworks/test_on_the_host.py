"""A laptop without a container: a rotation under a program that runs, and what an IDE does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import EXECUTABLE, Program

from .page import blocks, files, python_commands

ROTATED = """
import subprocess, sys
import config, settings

seen = [config.Settings().db_password.get_secret_value()]
subprocess.run([sys.argv[1], "rotate", "db-password", "-"], input=b"battery staple", check=True)
seen += [config.Settings().db_password.get_secret_value()]
print(*seen, settings.DATABASES["default"]["PASSWORD"], sep=", ")
"""


@pytest.fixture
def project(cli: Program) -> Program:
    """A project with the page's secrets and files; no dev folder yet."""
    cli.create("db-password", b"correct horse")
    cli.ok("create", "django-key", "--generate", "password:50")
    for name, text in files().items():
        cli.write(name, text)
    return cli


def run(project: Program, *words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """This Python, which has the frameworks, in the project's folder."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=project.folder,
        env=project.environ | {"PYTHONPATH": str(project.folder)} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("layout", ["swarm", "kubernetes"])
def test_a_rotation_under_a_program(project: Program, layout: str) -> None:
    """The next Settings() has the next value; Django's settings keep the one of the start."""
    project.ok("dev", "up", "--layout", layout)
    done = run(project, "-c", ROTATED, EXECUTABLE, SECRETS_DIR="dev-secrets")
    assert done.stdout.endswith("correct horse, battery staple, correct horse\n")


def test_an_error_prints_no_value(project: Program) -> None:
    """The page's settings name the field that is missing, and not what the others have."""
    project.write(
        "more.py", "import config\n\nclass More(config.Settings):\n    api_token: str\n\nMore()"
    )
    project.ok("dev", "up")
    done = run(project, "more.py", SECRETS_DIR="dev-secrets")
    assert done.returncode == 1 and "api-token\n  Field required" in done.stderr
    assert "correct" not in done.stderr
    loose = files()["config.py"].replace("hide_input_in_errors=True", "hide_input_in_errors=False")
    project.write("config.py", loose)
    assert "correct" in run(project, "more.py", SECRETS_DIR="dev-secrets").stderr


def test_files_for_vscode(project: Program) -> None:
    """The task makes the folder, and the program that is then started finds it."""
    folder = str(project.folder)
    tasks, launch = (
        json.loads(one.replace("${workspaceFolder}", folder)) for one in blocks("json")
    )
    (task,) = tasks["tasks"]
    (start,) = launch["configurations"]
    assert (task["type"], task["command"]) == ("process", "secretkit")
    assert start["preLaunchTask"] == task["label"]
    project.ok(*task["args"], folder=project.folder)
    done = run(project, start["program"], **start["env"])
    assert done.stdout == python_commands()[f"python3 {Path(start['program']).name}"]

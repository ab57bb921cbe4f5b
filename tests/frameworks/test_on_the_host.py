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


def python(project: Program, *words: str | Path, **variables: str) -> str:
    """What this Python, which has the frameworks, prints in the project's folder."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=project.folder,
        env=project.environ | {"PYTHONPATH": str(project.folder)} | variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


@pytest.mark.parametrize("layout", ["swarm", "kubernetes"])
def test_a_rotation_under_a_program(project: Program, layout: str) -> None:
    """The next Settings() has the next value; Django's settings keep the one of the start."""
    project.ok("dev", "up", "--layout", layout)
    printed = python(project, "-c", ROTATED, EXECUTABLE, SECRETS_DIR="dev-secrets")
    assert printed.endswith("correct horse, battery staple, correct horse\n")


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
    printed = python(project, start["program"], **start["env"])
    assert printed == python_commands()[f"python3 {Path(start['program']).name}"]

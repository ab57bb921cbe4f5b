"""The page's Python programs print the same with the dev folder mounted and as a swarm task."""

from __future__ import annotations

import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.engine import PYTHON, Engine
from tests.examples.confined import with_programs
from tests.needs import need
from tests.swarm.services import until

from .page import files, python_commands, steps

PACKAGES = ("pydantic", "pydantic_core", "pydantic_settings", "annotated_types", "dotenv")
PACKAGES += ("django", "asgiref", "sqlparse")
MODULES = ("typing_extensions.py", "typing_inspection")


@pytest.fixture(scope="module")
def frameworks(swarm: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The swarm, with an image that has the frameworks and the page's files."""
    code = "import sys; print(*sys.version_info[:2])"
    said = subprocess.run([PYTHON, "-Ic", code], capture_output=True, text=True, check=True).stdout
    same = said.split() == [str(number) for number in sys.version_info[:2]]
    need("frameworks", same, f"needs a {PYTHON} of this Python's version")
    site = Path(sysconfig.get_path("platlib"))
    paths = [file for name in PACKAGES for file in (site / name).rglob("*.py")]
    paths += [*(site / "pydantic_core").glob("*.so"), *(site / name for name in MODULES)]
    folder = tmp_path_factory.mktemp("app")
    for name, text in files().items():
        (folder / name).write_text(text)
    chosen = [command for command, _ in steps() if command.startswith("export DJANGO_")]
    environment = f"ENV PYTHONPATH={site} {chosen[0].removeprefix('export ')}"
    with with_programs(swarm, [*paths, folder], environment, f"WORKDIR {folder}") as found:
        yield found


def test_same_in_a_container_and_in_a_swarm(frameworks: Engine, project: Program) -> None:
    """They need no setting there, and print what the page shows for a process on the host."""
    commands = python_commands()
    assert len(commands) == 2
    words = ("sh", "-euc", "; ".join(commands))
    expected = "".join(commands.values()).strip()
    project.create("db-password", b"correct horse")
    project.ok("create", "django-key", "--generate", "password:50")

    line = project.ok("dev", "up").text
    mount = shlex.split(line.replace("$PWD", str(project.folder)))[2:4]
    run = ("run", "--rm", "--network", "none", *mount, frameworks.image, *words)
    assert expected == frameworks.docker(*run)

    project.ok("push", "db-password", "--engine", "swarm")
    project.ok("push", "django-key", "--engine", "swarm")
    service = frameworks.docker(
        *("service", "create", "--quiet", "--detach", "--restart-condition", "none"),
        *("--secret", "db-password", "--secret", "django-key", frameworks.image, *words),
    )
    until("the task", lambda: expected == frameworks.docker("service", "logs", "--raw", service))

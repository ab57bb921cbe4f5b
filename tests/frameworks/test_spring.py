"""Spring Boot, where TESTS_SPRING names a folder with its jars: Debian and PyPI have none.

`unzip -j program.jar 'BOOT-INF/lib/*' -d FOLDER` takes them out of any program.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import EXECUTABLE, Program
from tests.needs import need, need_program

from .page import blocks

PROGRAM = Path(__file__).with_name("Spring.java")
DIRECT = b'a ${b} "c" \\d\xc3\xa9'


@pytest.fixture
def project(cli: Program) -> Program:
    """A project with the page's properties; one secret has a property's name."""
    cli.create("db-password", b"correct horse")
    cli.create("mail.password", DIRECT)
    (properties,) = blocks("properties")
    cli.write("application.properties", properties)
    return cli


def spring(project: Program, *before: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The program that prints properties, started with `before` in front."""
    jars = os.environ.get("TESTS_SPRING", "")
    need("spring", bool(jars), "needs the jars of Spring Boot in $TESTS_SPRING")
    names = ("spring.datasource.password", "mail.password")
    return subprocess.run(
        [
            *before,
            need_program("java"),
            "-Dfile.encoding=UTF-8",
            "-cp",
            f"{jars}/*",
            PROGRAM,
            *names,
        ],
        cwd=project.folder,
        env=project.environ | {"LC_ALL": "C"} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("layout", ["swarm", "kubernetes"])
def test_spring_boot_reads_the_folder(project: Program, layout: str) -> None:
    """A secret through a placeholder, and one whose name is the property's, as it is."""
    expected = f"correct horse\n{DIRECT.decode()}\n"
    project.ok("dev", "up", "--layout", layout)
    assert expected == spring(project, SECRETS_DIR="dev-secrets").stdout
    own = (EXECUTABLE, "dev", "run", "--layout", layout, "--")
    assert expected == spring(project, *own).stdout


def test_spring_boot_does_not_start_without(project: Program) -> None:
    """Without the folder it names the setting. A `${…}` in a value is resolved in its turn."""
    assert "prefix it with 'optional:'" in spring(project, SECRETS_DIR="nowhere").stderr
    project.ok("rotate", "db-password", "-", input=b"a ${b}")
    project.ok("dev", "up")
    assert "Could not resolve placeholder 'b'" in spring(project, SECRETS_DIR="dev-secrets").stderr

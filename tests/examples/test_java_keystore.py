"""examples/java-keystore: a JVM that serves TLS with a keystore made at its start."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from tests.engine import Engine, libraries
from tests.needs import need_program

from .conftest import Example

# What a JVM without a screen has no use for.
UNUSED = ("src.zip", "awt", "font", "splash", "sound", "jpeg", "mlib", "lcms", "ct.sym", "jfr")


def test_the_page_works_on_a_workstation(example: Callable[[str], Example]) -> None:
    """Every command above the container's part does what the page says."""
    need_program("javac")
    need_program("curl")
    example("java-keystore").run_page(upto="In a container")


def test_the_page_works_with_an_engine(
    example: Callable[[str], Example], engine: Engine, java: Engine
) -> None:
    """Image, container as nobody on a read-only root, TLS, rotation: all as the page says."""
    need_program("curl")
    example("java-keystore").run_page_with(java)


@pytest.fixture(scope="module")
def java(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The engine, with an image that has this machine's JDK beside Python."""
    home = Path(need_program("javac")).resolve().parents[1]
    folder = tmp_path_factory.mktemp("java")
    parts = [path for path in (home / "lib").rglob("*") if wanted(path)]
    parts += [path for path in (home / "conf").rglob("*") if path.is_file()]
    programs = [home / "bin" / "java", home / "bin" / "javac"]
    binaries = [str(path) for path in (*programs, *parts) if path.suffix in ("", ".so")]
    with tarfile.open(folder / "java.tar", "w", dereference=True) as tar:
        for path in (*programs, *parts, *libraries(binaries)):
            tar.add(path)
    tag = f"secretkit-test:{token_hex(8)}"
    (folder / "Dockerfile").write_text(
        f"FROM {engine.image}\nADD java.tar /\nENV PATH={home}/bin:/usr/bin:/bin\n"
    )
    engine.docker("build", "--tag", tag, str(folder))
    shutil.rmtree(folder)
    try:
        yield Engine(engine.host, tag)
    finally:
        engine.docker("image", "rm", "--force", tag, check=False)


def wanted(path: Path) -> bool:
    return path.is_file() and not any(part in path.name for part in UNUSED)


def test_a_certificate_of_another_key_starts_nothing(example: Callable[[str], Example]) -> None:
    """Half of a rotation, a new key with the certificate of the old, is told before the start."""
    here = example("java-keystore")
    here.run("secretkit", "dev", "up")
    previous = (here.folder / "dev-secrets" / "web-cert").read_bytes()
    here.run("secretkit", "rotate", "web")
    here.run("secretkit", "rotate", "web-cert", "-", value=previous)
    said = here.run("secretkit", "run", "--", "true", status=125)
    assert "secret web-cert is for another key: give the key and the certificate of one" in said

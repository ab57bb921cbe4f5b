"""examples/java-keystore: a JVM that serves TLS with a keystore made at its start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine import Engine
from tests.needs import need_program

from .confined import with_programs
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
def java(engine: Engine) -> Iterator[Engine]:
    """The engine, with an image that has this machine's JDK beside Python."""
    home = Path(need_program("javac")).resolve().parents[1]
    paths = [path for part in ("lib", "conf") for path in (home / part).rglob("*") if wanted(path)]
    paths += [home / "bin" / "java", home / "bin" / "javac"]
    with with_programs(engine, paths, f"ENV PATH={home}/bin:/usr/bin:/bin") as found:
        yield found


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

"""examples/legacy-env: a program that only knows a variable."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from tests.engine import Engine

from .conftest import Example

VALUE = rb"""p@ss&w/o\r"d's $1 #x `id` %s {{ y }} """


def test_the_page_works_on_a_workstation(example: Callable[[str], Example]) -> None:
    """Every command above the container's part does what the page says."""
    example("legacy-env").run_page(upto="In a container")


def test_the_page_works_with_an_engine(example: Callable[[str], Example], engine: Engine) -> None:
    """Image, container, rotation and restart do what the page says."""
    example("legacy-env").run_page_with(engine)


def test_the_program_is_all_of_the_container(
    example: Callable[[str], Example], engine: Engine
) -> None:
    """It is process 1, got the value, ends at SIGTERM, and nothing else holds the value."""
    here = example("legacy-env")
    here.create(demo_secret=VALUE)
    with here.container(engine) as container:
        log = container.until("waits for work")
        described = engine.docker("inspect", container.identity)
        layers = engine.docker("history", "--no-trunc", container.image)
        command = container.process_1()
        seconds, status = container.end()
    assert f"legacy: DEMO_SECRET is {VALUE.decode()}" == log.splitlines()[0]
    assert command == ["python3", "/app/legacy.py", "serve"]
    assert (status, seconds < 3) == (0, True)
    assert (layers.find("p@ss"), described.find("p@ss")) == (-1, -1)
    assert json.loads(described)[0]["Config"]["User"] == "65534:65534"


@pytest.mark.parametrize(
    ("content", "seen"),
    [(b"two\nlines\n\n\n", "two\nlines"), (b"a\0b", "ab"), (None, None)],
    ids=["newlines", "NUL", "no file"],
)
def test_what_the_script_does_to_a_value(
    example: Callable[[str], Example], content: bytes | None, seen: str | None
) -> None:
    """The page's sh script changes values, and starts the program without any."""
    here = example("legacy-env")
    (script,) = re.findall(r"```sh\n(.*?)```", (here.folder / "README.md").read_text(), re.DOTALL)
    if content is not None:
        (here.folder / "demo-secret").write_bytes(content)
    entrypoint = here.folder / "entrypoint"
    entrypoint.write_text(script.replace("/run/secrets/", ""))
    if seen is None:
        # The program itself looks; one that does not would go on.
        assert here.run("sh", "entrypoint", "sh", "-c", 'printf %s "$DEMO_SECRET"') == ""
    else:
        printed = here.run("sh", "entrypoint", "./legacy.py")
        assert f"legacy: DEMO_SECRET is {seen}\n" == printed

"""What is asked of an engine about an image: nothing is left there, whatever the image holds."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from secretkit.engines import images as module
from secretkit.engines.images import LABEL, Entry, Images, Ran
from tests.bake.ground import Ground
from tests.cli.program import EXECUTABLE, Program
from tests.engine import Engine

PATIENCE = 60  # seconds
LINKS = """
import os
os.symlink("/b", "/a"), os.symlink("/a", "/b"), os.symlink("self", "/self"), os.mkfifo("/fifo")
os.symlink("/etc", "/link")
"""


@pytest.fixture
def ground(cli: Program, engine: Engine, tmp_path: Path) -> Iterator[Ground]:
    """Without secrets."""
    found = Ground(cli, engine, tmp_path)
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def images(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Images]:
    """The engine's."""
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    found = Images()
    yield found
    found.close()


def left(engine: Engine, *options: str) -> str:
    """The containers that were made to look at images."""
    return engine.docker("ps", "--all", "--quiet", *options, "--filter", f"label={LABEL}")


def test_an_interrupt_leaves_no_container(
    engine: Engine, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even between the engine's making of it and the arrival of its answer."""
    post = images._engine.post

    def interrupted(*arguments: Any) -> Any:
        answer = post(*arguments)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        return answer

    monkeypatch.setattr(images._engine, "post", interrupted)
    before = engine.docker("ps", "--all", "--quiet")
    with pytest.raises(KeyboardInterrupt), images.files(engine.image):
        time.sleep(PATIENCE)
    assert engine.docker("ps", "--all", "--quiet") == before


@pytest.mark.parametrize("number", [1, 2])
def test_an_interrupt_as_the_engine_is_asked(
    number: int, engine: Engine, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes as the making, or the removal, is handed to the thread, and does not undo that."""
    calls = []

    class Interrupted(ThreadPoolExecutor):
        def submit(self, *arguments: Any, **options: Any) -> Any:
            calls.append(arguments)
            if number == 2 == len(calls):
                raise KeyboardInterrupt
            future = super().submit(*arguments, **options)
            if number == len(calls):
                raise KeyboardInterrupt
            return future

    monkeypatch.setattr(module, "ThreadPoolExecutor", Interrupted)
    with pytest.raises(KeyboardInterrupt), images.files(engine.image):
        assert left(engine)
    assert calls
    assert left(engine) == ""


def test_a_program_that_does_not_end(
    engine: Engine, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up, and removed."""
    monkeypatch.setattr(module, "_PATIENCE", 0.5)
    assert images.run(engine.image, ["/usr/bin/python3", "-c", "import time; time.sleep(9e9)"]) is (
        None
    )
    words = ["/usr/bin/python3", "-c", "print('x' * 99999); raise SystemExit(7)"]
    assert images.run(engine.image, words) == Ran(7, b"x" * 99999 + b"\n")
    assert left(engine) == ""


def test_a_bake_that_is_ended(ground: Ground) -> None:
    """SIGTERM leaves no container: here while the image's Python does not end."""
    image = ground.image(
        "COPY python3 /usr/local/bin/python3", python3="#!/bin/sh\nexec /usr/bin/python3 -c "
        "'import time; time.sleep(9e9)'\n"
    )  # fmt: skip
    words = [EXECUTABLE, "bake", image, "-t", ground.name()]
    with subprocess.Popen(
        words, env=ground.cli.environ | ground.engine.environment(), stderr=subprocess.PIPE
    ) as running:
        deadline = time.monotonic() + PATIENCE
        while not left(ground.engine, "--filter", "status=running"):
            assert running.poll() is None and time.monotonic() < deadline
        running.terminate()
        _, said = running.communicate(timeout=PATIENCE)
    assert b"interrupted" in said
    assert left(ground.engine) == ""


def test_links_that_lead_to_each_other(ground: Ground, images: Images) -> None:
    """They are no file, and nothing is below them; other links are followed."""
    image = ground.built("COPY links /links", 'RUN ["python3", "/links"]', links=LINKS)
    with images.files(images.inspect(image)["Id"]) as files:
        for path in ("/a", "/self"):
            assert files.stat(path) == Entry(path, "other", 0, 0)
        for path in ("/a/x", "/self/x/y", "/fifo/x", "/etc/passwd/x", "/nope/x"):
            assert files.stat(path) is None
        assert files.stat("/link/passwd") == files.stat("/etc/passwd")
        assert files.read("/link/passwd")
        assert files.read("/a") is None
    error, hint = ground.bake(image, "-t", "x", "--render", "/a:/etc/x", code=3).lines
    assert "no template /a in" in error
    assert hint

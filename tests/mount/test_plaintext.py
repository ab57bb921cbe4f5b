"""No value reaches a disk: what dev mode does in memory is in no file, not even for a moment."""

from __future__ import annotations

import gzip
import re
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import bare, cli, memory
from tests.cli.program import EXECUTABLE, Program
from tests.engine import Engine, engine
from tests.mount.disk import Canaries, Disk, traced, written
from tests.needs import need_namespaces, need_program, need_root

__all__ = ["bare", "cli", "engine", "memory"]

COMPOSE = """\
services:
  api: {image: example, secrets: [text, large]}
secrets:
  text: {external: true}
  large: {external: true}
"""
READ = """\
import os
for name in sorted(os.listdir("/run/secrets")):
    if not name.startswith(".."):
        print(name, len(open(f"/run/secrets/{name}", "rb").read()), flush=True)
"""


@pytest.fixture
def canaries(cli: Program, memory: Path) -> Canaries:
    """They are in the project's store, and a template is to be rendered in memory."""
    need_root()
    need_namespaces()
    found = Canaries()
    temporary = cli.folder.with_name("tmp")
    temporary.mkdir()
    cli.environ["TMPDIR"] = str(temporary)
    for name, value in found.values.items():
        cli.create(name, value)
    cli.write("app.json", '{"a": <<text>>}\n')
    cli.write(
        "secretkit.toml",
        f'[[entrypoint.render]]\nsource = "app.json"\ndestination = "{memory}/app.json"\n',
    )
    cli.write("compose.yaml", COMPOSE)
    return found


@pytest.fixture
def sizes(canaries: Canaries) -> str:
    """What a program prints that has read them all."""
    return "".join(f"{name} {len(one)}\n" for name, one in sorted(canaries.values.items()))


def test_it_is_on_no_disk(
    cli: Program, memory: Path, canaries: Canaries, sizes: str, engine: Engine
) -> None:
    """Neither while the folder is up, with a container that has it and processes that run on it,
    nor afterwards: not in the project, the home, temporary folders or the engine's data."""
    data = Path(engine.docker("info", "--format", "{{.DockerRootDir}}"))
    disk = Disk(canaries, [cli.folder.parent, data])
    for layout in ("swarm", "kubernetes"):
        cli.ok("dev", "up", "--layout", layout)
        cli.ok("rotate", "text", "-", input=canaries.values["lines"])
        cli.ok("rollback", "text", "--to", "1")
        for words in (["dev", "status"], ["compose", "sync"], ["dev", "compose", "--live"]):
            cli.ok(*words)
        assert cli.ok("dev", "run", "--", "python3", "-c", READ).text == sizes
        assert canaries.found(cli.ok("dev", "run", "--shim", "--", "cat", memory / "app.json").out)
        with container(engine, cli.folder / "dev-secrets", sizes):
            assert disk.hits() == []
    with watching(cli, memory):
        cli.ok("rotate", "text", "-", input=canaries.values["large"])
        wait_until(lambda: (memory / "app.json").stat().st_size > 60_000)
        assert disk.hits() == []
    assert Disk(canaries, [memory], since=0).hits()
    cli.ok("dev", "down")
    assert disk.hits() == []
    assert disk.looked_at > 20
    (memory / "app.json").unlink()
    assert Disk(canaries, [memory], since=0).hits() == []


@contextmanager
def container(engine: Engine, folder: Path, sizes: str) -> Iterator[None]:
    """One that has read the folder, and runs."""
    options = ("--detach", "--network", "none", "--volume", f"{folder}:/run/secrets:ro")
    program = f"{READ}import time; time.sleep(999)"
    name = engine.docker("run", *options, engine.image, "python3", "-c", program)
    try:
        wait_until(lambda: f"{engine.docker('logs', name)}\n" == sizes)
        yield
    finally:
        engine.docker("rm", "--force", name)


@contextmanager
def watching(cli: Program, memory: Path) -> Iterator[None]:
    """`dev watch` with a command that runs, and a template that is rendered."""
    (memory / "app.json").unlink(missing_ok=True)
    process = subprocess.Popen(
        [EXECUTABLE, "dev", "watch", "--", "sleep", "999"],
        cwd=cli.folder,
        env=cli.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until((memory / "app.json").exists)
        yield
    finally:
        process.terminate()
        process.wait(20)


def wait_until(condition: Callable[[], bool]) -> None:
    """Look again and again, for a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_no_call_writes_it_to_a_disk(cli: Program, memory: Path, canaries: Canaries) -> None:
    """Not even to a file that is gone a moment later: each call that has the value writes to a
    file in memory or to the command's own output, and no argument or path has it."""
    need_program("strace")
    show = "print(open('/run/secrets/text').read())"
    for words, places in (
        (["dev", "up"], {"memory"}),
        (["dev", "status"], set()),
        (["dev", "compose", "--live"], set()),
        (["dev", "up", "--layout", "kubernetes"], {"memory"}),
        (["rotate", "text", "--generate", "pin"], set()),
        (["rollback", "text"], {"memory"}),
        (["dev", "run", "--", "python3", "-c", show], {"/run/secrets", "pipe"}),
        (["dev", "run", "--shim", "--", "true"], {"/run/secrets", "memory"}),
        (["dev", "watch", "--", "true"], {"memory"}),
        (["dev", "down"], set()),
    ):
        calls = traced([EXECUTABLE, *words], memory / "trace", cli.folder, cli.environ)
        found = {
            "memory" if place.startswith(f"{memory}/") else re.sub("/[^/]*$|:.*", "", place)
            for place in written(calls, canaries)
        }
        assert (words, found) == (words, places)
        if "/run/secrets" in places:  # in the namespace of the command
            assert any('mount("tmpfs", "/run/secrets", "tmpfs"' in call for call in calls)


def test_what_is_left_is_found(cli: Program, memory: Path, canaries: Canaries) -> None:
    """Every form, in files and names, compressed too; and what was written and removed."""
    disk = Disk(canaries, [cli.folder])
    for form in canaries.forms.values():
        for content in (b"a" + form + b"b", gzip.compress(form), zlib.compress(form)):
            assert disk.hits() == []
            path = cli.folder / "left"
            path.write_bytes(content)
            assert disk.hits()
            path.unlink()
    path = cli.folder / canaries.core.decode()
    path.touch()
    assert f"{path}: raw" in disk.hits()
    path.unlink()
    need_program("strace")
    (memory / "value").write_bytes(canaries.values["large"])
    script = f"cat {memory}/value > left; rm left; /bin/echo {canaries.core.decode()} >&2"
    calls = traced(["sh", "-c", script], memory / "trace", cli.folder, cli.environ)
    found = [re.sub("^[0-9]+|:.*", "", place) for place in written(calls, canaries)]
    assert [place[:13] for place in found if "execve" in place]
    assert {str(cli.folder / "left"), "pipe"} <= set(found)

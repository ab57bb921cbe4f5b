"""The commands in README and docs are run, and print what the pages say."""

from __future__ import annotations

import contextlib
import os
import re
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from secretkit import Store
from tests.docs import needed_programs, needs_swarm, run_console_blocks
from tests.engine import left_as_it_was, swarm
from tests.needs import need_program

__all__ = ["swarm"]

ROOT = Path(__file__).parent.parent


@pytest.fixture
def memory() -> Iterator[Path]:
    """A runtime folder in memory, where there is one, that is gone afterwards."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="secretkit-docs-", dir=base) as folder:
        yield Path(folder)


PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page(
    page: Path, tmp_path: Path, memory: Path, request: pytest.FixtureRequest
) -> None:
    """Every console block of a page works for a new user, one after the other."""
    workspace = tmp_path / "shop"
    workspace.mkdir()
    env = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / ".config"),
        "XDG_RUNTIME_DIR": str(memory),
        "PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}",
        "COLUMNS": "100",
    }
    for program in needed_programs(page):
        need_program(program)
    with contextlib.ExitStack() as stack:
        if needs_swarm(page):
            engine = request.getfixturevalue("swarm")
            env |= {**engine.environment(), "IMAGE": engine.image}
            stack.enter_context(left_as_it_was(engine))
        ran = run_console_blocks(page, workspace, env)
    if page in {ROOT / "README.md", ROOT / "docs" / "tutorial.md"}:
        assert ran > 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_of_a_page(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Every Python block of a page runs in a new project."""
    if needs_swarm(page):
        monkeypatch.setenv("DOCKER_HOST", request.getfixturevalue("swarm").host)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for number, block in enumerate(
        re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        Store.init().close()
        (folder / "secretkit.toml").touch()
        exec(compile(block, f"{page.name}, Python block {number + 1}", "exec"), {})  # noqa: S102 - our own page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page(page: Path) -> None:
    """Every relative link leads to a file, and every #fragment to a heading."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links to {target}"
        if fragment:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
            assert fragment in slugs, f"{page.name} links to {target}"

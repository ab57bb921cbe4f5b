"""The commands in README and docs are run, and print what the pages say."""

from __future__ import annotations

import os
import re
import sysconfig
from pathlib import Path

import pytest

from tests.docs import run_console_blocks

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page(page: Path, tmp_path: Path) -> None:
    """Every console block of a page works for a new user, one after the other."""
    workspace = tmp_path / "shop"
    workspace.mkdir()
    (tmp_path / "runtime").mkdir(mode=0o700)
    env = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / ".config"),
        "XDG_RUNTIME_DIR": str(tmp_path / "runtime"),
        "PATH": f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}",
        "COLUMNS": "100",
    }
    ran = run_console_blocks(page, workspace, env)
    if page.name in {"README.md", "tutorial.md"}:
        assert ran > 5


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

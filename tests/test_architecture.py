"""docs/architecture.md is kept true: its tree is made of the modules' own first lines.

`python -m tests.test_architecture` writes the tree anew.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
_SECTION = re.compile(r"(?<=<!-- tree -->\n).*?(?=<!-- end of tree -->)", re.DOTALL)


def tree() -> str:
    """One table a folder: the module, and the first line of its docstring."""
    folders: dict[Path, list[Path]] = {}
    for top in ("secretkit", "entrypoints"):
        for file in sorted((ROOT / top).rglob("*.py")):
            folders.setdefault(file.parent, []).append(file)
    lines = []
    for folder, files in folders.items():
        lines += [f"\n`{folder.relative_to(ROOT)}/`\n", "| module | what |", "|---|---|"]
        for file in files:
            docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
            first = docstring.partition("\n")[0].replace("``", "`").replace("|", "\\|")
            lines.append(f"| `{file.name}` | {first} |")
    return "\n".join(lines) + "\n\n"


def test_the_tree_is_the_tree() -> None:
    """Every module is on the page, with what it says of itself."""
    found = _SECTION.search(PAGE.read_text())
    assert found is not None
    assert found.group() == tree(), "python -m tests.test_architecture writes it anew"


if __name__ == "__main__":
    PAGE.write_text(_SECTION.sub(lambda _: tree(), PAGE.read_text()))

"""What docs/frameworks.md shows, taken out of it, so that what is tried is what the page says."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs import console_blocks

PAGE = Path(__file__).parents[2] / "docs" / "frameworks.md"
_FILE = re.compile(r"cat > (\S+) <<'END'\n(.*\n)END", re.DOTALL)
_PYTHON = re.compile(r"SECRETS_DIR=dev-secrets (python3 \S+)")


def steps() -> list[tuple[str, str]]:
    """The commands of the page, each with what it prints."""
    return [step for _, block in console_blocks(PAGE.read_text()) for step in block]


def files() -> dict[str, str]:
    """The files that the page writes, by their names."""
    found = [_FILE.fullmatch(command) for command, _ in steps()]
    return {match[1]: match[2] for match in found if match}


def python_commands() -> dict[str, str]:
    """The page's Python programs, without SECRETS_DIR: what each prints, by its command."""
    found = [(_PYTHON.fullmatch(command), printed) for command, printed in steps()]
    return {match[1]: printed for match, printed in found if match}


def blocks(language: str) -> list[str]:
    """The blocks of this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)

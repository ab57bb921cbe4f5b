"""What git makes of a path: nothing of the store or a dev folder may be in version control."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from .output import quoted


def ignores(path: Path) -> bool | None:
    """Whether git ignores `path`, or all that is in it; None without git or a work tree."""
    if path.is_dir() and not path.is_symlink():
        path /= "anything"  # a folder ignores its content by a .gitignore of its own
    done = _run(path.parent, "check-ignore", "--quiet", "--", path.name)
    return None if done is None or done.returncode not in (0, 1) else done.returncode == 0


def ignoring(path: Path) -> str:
    """The line for a shell after which git ignores `path`, literally: gitignore(5)."""
    pattern = re.sub(r"[\\*?[]|^[!#]| $", r"\\\g<0>", path.name)
    # A line cannot have all characters, a pattern can: ? is one byte.
    pattern = "".join(c if c.isprintable() else "?" * len(os.fsencode(c)) for c in pattern)
    plain = quoted(pattern) == pattern and not pattern.startswith("-")
    command = "echo" if plain else r"printf '%s\n'"  # echo(1) may take a \ or - for its own
    return f"{command} {quoted(pattern)} >> {quoted(str(path.parent / '.gitignore'))}"


def tracks(path: Path) -> bool:
    """Whether something at or below `path` is in version control."""
    done = _run(path.parent, "ls-files", "--", path.name)
    return done is not None and bool(done.stdout.strip())


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes] | None:
    program = shutil.which("git")
    if program is None or not any((at / ".git").exists() for at in (folder, *folder.parents)):
        return None
    command = [program, "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - fixed words

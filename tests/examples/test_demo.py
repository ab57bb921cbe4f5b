"""`make demo` shows the whole thread in one screen, and leaves nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pexpect

from .conftest import EXAMPLES

SCRIPTS = sysconfig.get_path("scripts")
PATH = f"{SCRIPTS}:{os.environ['PATH']}"
VALUE = 'p@ss & w/o "quotes" $1'
GOT = "legacy: DEMO_SECRET is "


def demo(temporary: Path, path: str = PATH) -> subprocess.CompletedProcess[str]:
    """The demo, with temporary files below `temporary`."""
    return subprocess.run(
        [sys.executable, EXAMPLES / "demo.py"],
        env=os.environ | {"PATH": path, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_one_screen_tells_the_whole_thread(tmp_path: Path) -> None:
    """Creation, folder, both programs, rotation, history and rollback, in 40 lines of 100."""
    before = set(os.listdir("/dev/shm"))
    done = demo(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) <= 40
    assert max(len(line.replace(str(tmp_path), "/tmp")) for line in lines) <= 100
    assert "\033" not in done.stdout
    first, rotated, after = (line for line in lines if line.startswith(GOT))
    assert first == after == GOT + VALUE
    assert re.fullmatch(GOT + "[A-Za-z0-9]{32}", rotated)
    assert 'db_password: "p@ss & w/o \\"quotes\\" $1"' in lines
    assert [line for line in lines if re.fullmatch(r"db-password v\d", line)] == [
        "db-password v1",
        "db-password v2",
        "db-password v1",
    ]
    assert [line.split()[0] for line in lines if re.match(r"v\d ", line)] == ["v1", "v2"]
    assert any(line.startswith("-r--r--r--") for line in lines)
    assert list(tmp_path.iterdir()) == []
    left = set(os.listdir("/dev/shm")) - before
    assert [name for name in left if name.startswith("secretkit-demo-")] == []


def test_colours_on_a_terminal_only(tmp_path: Path) -> None:
    """A terminal gets colours, unless NO_COLOR is set."""
    for extra, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | extra
        screen = pexpect.run(
            f"{sys.executable} {EXAMPLES / 'demo.py'}",
            env=environment | {"PATH": PATH, "TMPDIR": str(tmp_path), "TERM": "xterm"},
            timeout=60,
        )
        assert (VALUE.encode() in screen, b"\033[" in screen) == (True, coloured)


def test_a_failing_command_ends_the_demo(tmp_path: Path) -> None:
    """The first command that fails is named, and the status is 1."""
    programs = tmp_path / "bin"
    programs.mkdir()
    broken = programs / "secretkit"
    broken.write_text(f'#!/bin/sh\n[ "$1" != rotate ] || exit 7\nexec {SCRIPTS}/secretkit "$@"\n')
    broken.chmod(0o755)
    done = demo(tmp_path, f"{programs}:{PATH}")
    failed = "secretkit rotate db-password --generate password:32"
    assert done.returncode == 1
    assert done.stderr == f"demo: this failed, with status 7: {failed}\n"
    assert done.stdout.endswith(f"$ {failed}\n")
    assert list(tmp_path.iterdir()) == [programs]


def test_without_secretkit_the_demo_says_so(tmp_path: Path) -> None:
    """There is one line that says what to do."""
    done = demo(tmp_path, "/nonexistent")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "demo: secretkit is not on PATH: run `make demo`\n"

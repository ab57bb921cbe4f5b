"""Which command is run, and what happens if none can be: 126, 127, and 125 for everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shim.conftest import NOBODY, Shim


def foreign() -> bytes:
    """A program of this machine, but for the machine that its header names (elf(5), e_machine)."""
    own = Path("/bin/true").read_bytes()
    return own[:18] + bytes(byte ^ 0x55 for byte in own[18:20]) + own[20:]


def write(path: Path, content: bytes, mode: int) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("nosuchcommand", "command not found: nosuchcommand in PATH (/usr/bin:/bin)"),
        ("./nosuchfile", "command not found: ./nosuchfile"),
        ("/etc/passwd/x", "command not found: /etc/passwd/x"),
        ("", "COMMAND is empty"),
        (b"no\xff\nsuch", "command not found: no\\\\xff\\nsuch in PATH (/usr/bin:/bin)"),
    ],
)
def test_127_if_there_is_no_such_command(every_shim: Shim, command, line: str) -> None:
    """Not found, by name or by path, is 127, as in a shell; the line stays one line."""
    assert every_shim.problems("--no-env", "--", command, status=127) == [line]


def test_126_if_it_is_there_but_cannot_be_executed(every_shim: Shim, tmp_path: Path) -> None:
    """A folder, no x bit, no #! line, a first line that leads nowhere: 126, and which it is."""
    cases = {
        tmp_path: "it is a directory",
        write(tmp_path / "plain", b"#!/bin/sh\n", 0o644): "it has no execute permission (chmod +x)",
        write(
            tmp_path / "text", b"hello\n", 0o755
        ): "it is no program, and no first line names its interpreter: add one (#!/bin/sh)",
        write(tmp_path / "empty", b"", 0o755): "it is no program, and no first line names its "
        "interpreter: add one (#!/bin/sh)",
        write(
            tmp_path / "nothing", b"#! \n", 0o755
        ): "its first line names no interpreter: write one behind `#!` (/bin/sh)",
        write(tmp_path / "data", b"hello\0", 0o755): "Exec format error",
        write(tmp_path / "foreign", foreign(), 0o755): "it is built for another kind of processor: "
        "take the one for this machine",
        write(tmp_path / "orphan", b"#!/no/such/sh\n", 0o755): "its first line names "
        "/no/such/sh, which does not exist",
        write(tmp_path / "windows", b"#!/bin/sh\r\necho\r\n", 0o755): "its first line ends as in "
        "Windows (CR LF), which no kernel reads: convert it (tr -d '\\r')",
    }
    for path, reason in cases.items():
        lines = every_shim.problems("--no-env", "--", str(path), status=126)
        assert lines == [f"cannot execute {path}: {reason}"]
        if path.name != "data":  # not every kind of program is known
            checked = every_shim.run("--check", "--no-env", str(path)).stderr.decode()
            assert checked == f"secretkit-entrypoint: error: {lines[0]}\n"


def test_path_is_searched_as_execvp_does(every_shim: Shim, tmp_path: Path) -> None:
    """Folders, files without x and missing folders are passed over; an empty entry is here."""
    (tmp_path / "a" / "tool").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    write(tmp_path / "b" / "tool", b"#!/bin/sh\necho wrong\n", 0o644)
    write(tmp_path / "tool", b"#!/bin/sh\necho here\n", 0o755)
    found = {b"PATH": f"/nowhere:{tmp_path}/a:{tmp_path}/b::/bin".encode()}
    assert every_shim.output("--no-env", "tool", env=found, cwd=tmp_path) == b"here\n"
    missed = {b"PATH": f"/nowhere:{tmp_path}/a:{tmp_path}/b:/bin".encode()}
    lines = every_shim.problems("--no-env", "tool", env=missed, cwd=tmp_path, status=126)
    assert lines == [f"cannot execute {tmp_path}/a/tool: it is a directory"]


def test_without_path_the_system_s_own_is_searched(every_shim: Shim) -> None:
    """No PATH in the environment: /bin and /usr/bin are, and no PATH is made up."""
    every_shim.environ = {}
    assert every_shim.output("--no-env", "env") == b""


def test_pristine_does_not_hide_the_command(shim: Shim) -> None:
    """The command is looked for in the PATH of the start, though the process gets none."""
    assert shim.output("--no-env", "--pristine", "env") == b""


def test_what_the_user_cannot_execute_is_126(open_shim: Shim) -> None:
    """Root could run it, the user of --user cannot: the kernel says so at exec."""
    tool = write(open_shim.mount / "tool", b"#!/bin/sh\n", 0o700)
    lines = open_shim.problems("--no-env", "--user", "65534:65534", str(tool), status=126)
    assert lines == [f"cannot execute {tool}: permission denied to uid 65534, gid 65534"]
    lines = open_shim.problems("--no-env", str(tool), status=126, **NOBODY)
    assert lines == [f"cannot execute {tool}: it has no execute permission (chmod +x)"]


def test_125_and_a_line_each_if_more_is_wrong(every_shim: Shim, secret) -> None:
    """Every problem is reported by one start, and the status is the shim's."""
    secret("a", b"x\0y")
    lines = every_shim.problems(
        "--env", "A=a", "--env", "B=b", "--env", "LD_PRELOAD=a", "--user", "nosuchuser", "nocommand"
    )
    assert [line.split(":")[0] for line in lines] == [
        "secret a contains a NUL byte, which no variable can hold (A)",
        "secret b",
        "--env",
        "--user",
        "command not found",
    ]


def test_no_command_is_an_error_that_shows_the_form(shim: Shim) -> None:
    """Started without a command: how to write one."""
    for words in (("--no-env",), ("--no-env", "--")):
        assert shim.problems(*words) == [
            "no COMMAND: write secretkit-entrypoint [OPTIONS] -- COMMAND [ARG…]"
        ]

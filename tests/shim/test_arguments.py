"""--arg: secrets in the arguments of a process that takes them nowhere else."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from secretkit.delivery.shim import locate
from tests.shim.conftest import Shim

sys.path.insert(0, str(locate()))

from secretkit_entrypoint.arguments import put

ARGV = ("sh", "-c", "cat /proc/$$/cmdline; exit", "sh")


def arguments(shim: Shim, *words: str | bytes, names: tuple[str, ...] = ("a",)) -> list[bytes]:
    """What the kernel has as the arguments behind ARGV, started with --arg for all names."""
    options = [f"--arg={name}" for name in names]
    output = shim.output("--allow-argv", *options, "--", *ARGV, *words)
    found = output.split(b"\0")[:-1]
    assert found[: len(ARGV)] == [word.encode() for word in ARGV]
    return found[len(ARGV) :]


def test_the_value_stands_where_it_is_named(every_shim: Shim, secret) -> None:
    """Any bytes; in one pass, so that a value is never looked at; other marks stay."""
    secret("a", b"\xff<<db#/x>> $(id)\n\n")
    secret("db", b'{"x": "<<a>>"}')
    words = ["<<a>>", "--p=<<db#/x>>,<<a>>", "<<b>>", "<<A>>", "<<<a>>>", "<<a >>", "", "<<", ">>"]
    value = b"\xff<<db#/x>> $(id)\n"
    assert arguments(every_shim, *words, names=("a", "db#/x")) == [
        value, b"--p=<<a>>," + value, b"<<b>>", b"<<A>>", b"<" + value + b">", b"<<a >>", b"",
        b"<<", b">>",
    ]  # fmt: skip


def test_an_optional_secret_is_empty(shim: Shim, secret) -> None:
    """One that is missing or empty, if --optional permits it."""
    secret("a", b"\n")
    options = ("--optional", "a", "--optional", "b", "--arg", "b", "--allow-argv", "--arg", "a")
    assert shim.output(*options, "echo", "x<<a>>y<<b>>z") == b"xyz\n"


@given(st.text("<>abc", max_size=30), st.sampled_from([("a",), ("a", "b"), ("ab", "b", "c")]))
def test_every_mark_and_no_other_text_is_replaced(word: str, names: tuple[str, ...]) -> None:
    """The same as a search from the left for the marks that are named."""
    values = {name.encode(): b"<<%s>>" % name.encode() * 2 for name in names}
    marks = re.compile(b"<<(%s)>>" % b"|".join(values))
    used: set[bytes] = set()
    expected = marks.sub(lambda found: values[found[1]], word.encode())
    assert put(word.encode(), values, used) == expected
    assert used == set(marks.findall(word.encode()))


def test_without_allow_argv_it_is_refused(every_shim: Shim, secret) -> None:
    """The message says why, and what to do instead."""
    secret("a", b"1")
    assert every_shim.problems("--arg", "a", "echo", "<<a>>") == [
        "--arg: every user can read a process's arguments (/proc/PID/cmdline, ps): use --env, "
        "--fd, --stdin or --render, or permit it with --allow-argv"
    ]
    env = {b"SECRETKIT_ARG": b"a", b"SECRETKIT_ALLOW_ARGV": b"0"}
    assert len(every_shim.problems("echo", "<<a>>", env=env)) == 1
    env[b"SECRETKIT_ALLOW_ARGV"] = b"1"
    assert every_shim.output("echo", "<<a>>", env=env) == b"1\n"


def test_what_is_wrong_is_said_at_once(every_shim: Shim, secret) -> None:
    """Missing, empty, with a NUL, too long, and what is named and used nowhere."""
    for name, content in {"a": b"1", "nul": b"x\0", "empty": b"", "big": b"x" * 131072}.items():
        secret(name, content)
    names = ("gone", "nul", "empty", "a", "big")
    lines = every_shim.problems(
        "--allow-argv", *(f"--arg={name}" for name in names), "<<a>>", "<<A>>", "<<big>>", "<<nul>>"
    )
    assert lines == [
        f"secret gone: no such file in {every_shim.mount}; give it to the container, or say "
        "--optional gone",
        "secret nul contains a NUL byte, which no argument can hold: use a file, with --render or "
        "--fd",
        "secret empty is empty: give it a value, or say --optional empty",
        "argument 2 of COMMAND is too long with its secrets (131072 bytes; the kernel takes "
        "131071): use a file, with --render or --fd",
        "--arg: <<a>> stands in no argument of COMMAND: write it where the value belongs",
        "command not found: <<a>> in PATH (/usr/bin:/bin)",
    ]


def test_an_argument_may_have_what_the_kernel_takes(shim: Shim, secret) -> None:
    """131 071 bytes reach the process; see above for one more."""
    secret("a", b"x" * 131070 + b"\n")
    assert arguments(shim, "-<<a>>") == [b"-" + b"x" * 131070]


def test_a_check_needs_no_command(shim: Shim, secret, tmp_path: Path) -> None:
    """--check and --explain without COMMAND do not miss a place for the value."""
    secret("a", b"1")
    config = tmp_path / "config.json"
    config.write_text('{"arg": ["a"], "allow_argv": true}')
    for action in ("--check", "--explain"):
        assert shim.run("--config", str(config), action).returncode == 0

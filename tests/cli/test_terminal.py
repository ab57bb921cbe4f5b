"""On a terminal: prompts without echo, and values that are not shown by accident."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pexpect
import pytest

from tests.cli.program import EXECUTABLE, Program


class Terminal:
    """The program on a terminal, and all that its screen showed."""

    def __init__(self, cli: Program, *arguments: str, **environ: str) -> None:
        self.child = pexpect.spawn(
            EXECUTABLE,
            list(arguments),
            cwd=str(cli.folder),
            env={**cli.environ, **environ, "TERM": "dumb"},
            encoding=None,
            timeout=20,
            dimensions=(24, 200),
        )
        self.screen = b""

    def type(self, prompt: str, text: bytes) -> None:
        """Wait for a prompt, then type."""
        self.child.expect_exact(prompt.encode())
        self.screen += self.child.before + self.child.after
        # The echo is off before the prompt, and what was typed before that is discarded.
        self.child.send(text)

    def end(self) -> tuple[int | None, str]:
        """The exit code, and everything that was on the screen."""
        self.child.expect(pexpect.EOF)
        self.screen += self.child.before
        self.child.close()
        return self.child.exitstatus, self.screen.decode().replace("\r\n", "\n")


def test_a_value_is_asked_for_twice_and_not_echoed(cli: Program) -> None:
    """`create NAME` on a terminal prompts; nothing that is typed appears."""
    terminal = Terminal(cli, "create", "db")
    terminal.type("value of db: ", b"c4n4ry \xc3\xa9\n")
    terminal.type("value of db, once more: ", b"c4n4ry \xc3\xa9\n")
    code, screen = terminal.end()
    assert (code, screen) == (0, "value of db: \nvalue of db, once more: \ndb v1\n")
    assert cli.ok("show", "db").out == "c4n4ry é".encode()


def test_dash_on_a_terminal_prompts_too(cli: Program) -> None:
    """`rotate NAME -` on a terminal does not echo either."""
    cli.create("db")
    terminal = Terminal(cli, "rotate", "db", "-")
    for prompt in ("value of db: ", "once more: "):
        terminal.type(prompt, b"next\n")
    assert terminal.end()[0] == 0
    assert cli.ok("show", "db").out == b"next"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ([b"one\n", b"two\n"], "the two differ"),
        ([b"\n"], "nothing was typed"),
        ([b"\x03"], "interrupted"),
        ([b"\x04"], "interrupted"),
        ([b"\xff\n"], "what was typed is not text"),
        ([b"x" * 4095 + b"\n"], "a terminal takes lines of at most 4095 bytes"),
    ],
)
def test_prompts_that_fail(cli: Program, typed: list[bytes], message: str) -> None:
    """A slip is said, nothing is made, and nothing of what was typed is shown."""
    terminal = Terminal(cli, "create", "db")
    for prompt, text in zip(("value of db: ", "once more: "), typed, strict=False):
        terminal.type(prompt, text)
    code, screen = terminal.end()
    assert code == (1 if message == "interrupted" else 2)
    assert f"secretkit: error: {message}" in screen
    assert "Traceback" not in screen
    assert cli.ok("ls", "-q").out == b""


def test_a_name_that_is_taken_is_said_before_the_prompt(cli: Program) -> None:
    """Nobody types a value in vain."""
    cli.create("db")
    code, screen = Terminal(cli, "create", "db").end()
    assert code == 4
    assert screen.splitlines()[0] == "secretkit: error: secret exists, db"


def test_show_hides_on_a_terminal(cli: Program) -> None:
    """A value is not written to a terminal, unless --reveal; not with --json either."""
    cli.create("db", b"c4n4ry")
    for arguments in (["show", "db"], ["show", "db", "--json"]):
        code, screen = Terminal(cli, *arguments).end()
        assert code == 2
        assert screen.splitlines() == [
            "secretkit: error: stdout is a terminal, not showing db",
            "hint: pipe it where it belongs, or: secretkit show --reveal db",
        ]
    assert Terminal(cli, "show", "--reveal", "db").end() == (0, "c4n4ry")


def test_a_passphrase_instead_of_a_key_file(bare: Program) -> None:
    """`init --passphrase` asks twice and makes no key file; each command asks once."""
    terminal = Terminal(bare, "init", "--passphrase")
    terminal.type("new passphrase: ", b"correct horse\n")
    terminal.type("new passphrase, once more: ", b"correct horse\n")
    assert terminal.end()[0] == 0
    assert [one["kind"] for one in _keys(bare)] == ["passphrase"]
    terminal = Terminal(bare, "ls", "-q")
    terminal.type("passphrase of the store: ", b"wrong\n")
    code, screen = terminal.end()
    assert code == 7
    assert "secretkit: error: wrong key, the passphrase does not open " in screen


def _keys(cli: Program) -> list[dict[str, object]]:
    path = cli.folder.parent / "passphrase"
    path.write_text("correct horse\n")
    path.chmod(0o600)
    found: list[dict[str, object]] = cli.ok(
        "key", "ls", "--json", SECRETKIT_PASSPHRASE_FILE=str(path)
    ).json
    return found


def test_a_passphrase_while_stdin_is_the_value(bare: Program) -> None:
    """The passphrase is asked on the terminal even if the value comes through a pipe."""
    (bare.folder.parent / "passphrase").write_text("correct horse\n")
    given = str(bare.folder.parent / "passphrase")
    bare.ok("init", "--passphrase", SECRETKIT_PASSPHRASE_FILE=given)
    child = pexpect.spawn(
        "/bin/sh",
        ["-c", f"printf value | {EXECUTABLE} create db -"],
        cwd=str(bare.folder),
        env=bare.environ,
        timeout=20,
    )
    child.expect_exact("passphrase of the store: ")
    time.sleep(0.05)
    child.sendline("correct horse")
    child.expect_exact("db v1")
    child.expect(pexpect.EOF)
    assert bare.ok("show", "db", SECRETKIT_PASSPHRASE_FILE=given).out == b"value"


def test_no_terminal_to_ask_on(bare: Program) -> None:
    """Without a terminal the remedy is named, exit 7."""
    import subprocess

    (bare.folder.parent / "passphrase").write_text("correct horse\n")
    bare.ok(
        "init", "--passphrase", SECRETKIT_PASSPHRASE_FILE=str(bare.folder.parent / "passphrase")
    )
    done = subprocess.run(
        [EXECUTABLE, "ls"],
        cwd=bare.folder,
        env=bare.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert done.returncode == 7
    assert done.stderr.splitlines() == [
        "secretkit: error: the passphrase is needed, and there is no terminal to ask on",
        "hint: name a file that holds it: SECRETKIT_PASSPHRASE_FILE",
    ]


def test_interrupted_while_waiting_for_a_file(cli: Program) -> None:
    """Ctrl-C is one line and exit 1, without a traceback."""
    import os

    os.mkfifo(cli.folder / "fifo")
    terminal = Terminal(cli, "create", "db", "fifo")
    time.sleep(1)
    terminal.child.sendintr()
    code, screen = terminal.end()
    assert code == 1
    assert screen.removeprefix("^C").strip() == "secretkit: error: interrupted"


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_stopped_at_a_prompt(bare: Program, shell: str) -> None:
    """After Ctrl-Z and `fg` it asks again, without echo, for the passphrase and for a value: with
    a shell that restores the terminal at Ctrl-Z, and with one that leaves it as it is.
    """
    given = str(bare.folder.parent / "passphrase")
    Path(given).write_text("c4n4ry horse\n")
    bare.ok("init", "--passphrase", SECRETKIT_PASSPHRASE_FILE=given)
    options = ["--norc", "--noprofile"] if shell == "bash" else []
    child = pexpect.spawn(
        shell,
        [*options, "-i"],
        cwd=str(bare.folder),
        env={**bare.environ, "TERM": "dumb", "PS1": "ready> "},
        timeout=20,
        dimensions=(24, 200),
    )
    child.logfile_read = screen = io.BytesIO()
    child.expect_exact("ready> ")
    child.sendline(f"{EXECUTABLE} create db")
    for prompt, text in (
        ("passphrase of the store: ", "c4n4ry horse"),
        ("value of db: ", "c4n4ry"),
        ("value of db, once more: ", "c4n4ry"),
    ):
        child.expect_exact(prompt)
        for _ in range(2):
            child.send("c4n4")
            child.sendcontrol("z")
            child.expect_exact("ready> ")
            child.sendline("echo se''en")  # the shell echoes again
            child.expect_exact("echo se''en")
            child.expect_exact("seen")
            child.expect_exact("ready> ")
            child.sendline("fg")
            child.expect_exact(prompt)
        child.sendline(text)
    child.expect_exact("db v1")
    child.sendline("exit")
    child.expect(pexpect.EOF)
    assert b"c4n4" not in screen.getvalue()
    assert bare.ok("show", "db", SECRETKIT_PASSPHRASE_FILE=given).out == b"c4n4ry"


def test_asked_in_the_background(cli: Program) -> None:
    """A command that asks while it is in the background asks after `fg`, without echo."""
    child = pexpect.spawn(
        "bash",
        ["--norc", "--noprofile", "-i"],
        cwd=str(cli.folder),
        env={**cli.environ, "TERM": "dumb", "PS1": "ready> "},
        timeout=20,
        dimensions=(24, 200),
    )
    child.logfile_read = screen = io.BytesIO()
    child.expect_exact("ready> ")
    child.sendline("set -b")
    child.sendline(f"{EXECUTABLE} create db &")
    child.expect_exact("Stopped")
    child.sendline("fg")
    for prompt in ("value of db: ", "value of db, once more: "):
        child.expect_exact(prompt)
        child.sendline("c4n4ry")
    child.expect_exact("db v1")
    child.sendline("exit")
    child.expect(pexpect.EOF)
    assert b"c4n4" not in screen.getvalue()

"""Hooks: real programs around a rotation, with values as files in memory."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from secretkit.errors import HookError
from secretkit.mount.private import in_memory
from secretkit.rotation import hooks

PREVIOUS, NEXT = b"previous canary", b"next canary"
Script = Callable[[str], tuple[str, ...]]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Makes an executable of the project, named from its folder."""

    def make(body: str) -> tuple[str, ...]:
        file = tmp_path / "hook"
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)
        return ("./hook",)

    return make


def run(
    argv: tuple[str, ...],
    folder: Path,
    before: hooks.Version | None = (1, PREVIOUS),
    after: hooks.Version = (2, NEXT),
    service: str | None = None,
    timeout: float = 20,
) -> list[str]:
    """What the hook `before` prints."""
    lines: list[str] = []
    hooks.run(
        *("before", argv),
        **{"name": "db-password", "before": before, "after": after, "service": service},
        **{"folder": folder, "timeout": timeout, "on_output": lines.append},
    )
    return lines


def test_values_are_files_in_memory(script: Script, tmp_path: Path) -> None:
    """Both values are there byte for byte, in a private folder in memory that is gone after."""
    keep = tmp_path / "kept"
    argv = script(
        f'cat "$SECRETKIT_PREVIOUS_FILE" "$SECRETKIT_NEXT_FILE" > {keep}\n'
        'stat -c "%a %n" "$SECRETKIT_NEXT_FILE" "$(dirname "$SECRETKIT_NEXT_FILE")"\n'
        'stat -f -c %T "$SECRETKIT_NEXT_FILE"; pwd\n'
        'echo "$SECRETKIT_NAME $SECRETKIT_PREVIOUS $SECRETKIT_NEXT ${SECRETKIT_SERVICE-none}"'
    )
    file, folder, kind, place, said = run(argv, tmp_path)
    assert keep.read_bytes() == PREVIOUS + NEXT
    assert (file.split()[0], folder.split()[0], kind) == ("400", "700", "tmpfs")
    assert (place, said) == (str(tmp_path), "db-password 1 2 none")
    assert not Path(folder.split()[1]).exists()
    assert in_memory(Path(folder.split()[1]).parent)


def test_what_is_unknown_has_no_variable(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value or version that is unknown has none, whatever the caller's environment holds."""
    for name in hooks.VARIABLES:
        monkeypatch.setenv(name, "from outside")
    argv = script("env | grep ^SECRETKIT_ | sed 's/FILE=.*/FILE/' | sort")
    assert run(argv, tmp_path, before=(1, None), service="web") == [
        "SECRETKIT_NAME=db-password",
        "SECRETKIT_NEXT=2",
        "SECRETKIT_NEXT_FILE",
        "SECRETKIT_PREVIOUS=1",
        "SECRETKIT_SERVICE=web",
    ]
    assert run(argv, tmp_path, before=None, after=(1, None)) == [
        "SECRETKIT_NAME=db-password",
        "SECRETKIT_NEXT=1",
    ]


def test_no_value_is_in_argv_or_environment(script: Script, tmp_path: Path) -> None:
    """What other users see of the hook's process holds no value."""
    seen = tmp_path / "seen"
    run(script(f"cat /proc/$$/cmdline /proc/$$/environ > {seen}"), tmp_path)
    assert b"SECRETKIT_NEXT_FILE" in seen.read_bytes()
    assert b"canary" not in seen.read_bytes()


@pytest.mark.parametrize(
    "form",
    [
        NEXT.decode(),
        base64.b64encode(NEXT).decode(),
        NEXT.hex(),
        "next%20canary",
        f"ALTER ROLE app PASSWORD '{NEXT.decode()}'; {PREVIOUS.decode()}",
    ],
)
def test_a_value_that_is_printed_is_masked(form: str, script: Script, tmp_path: Path) -> None:
    """On stdout and stderr, as it is and in the usual encodings."""
    (tmp_path / "form").write_text(form)
    lines = run(script("cat form; echo; cat form >&2"), tmp_path)
    assert len(lines) == 2
    assert "<secret db-password v2>" in lines[0]
    assert [part for line in lines for part in (form, "canary") if part in line] == []


def test_a_value_of_several_lines_is_masked(script: Script, tmp_path: Path) -> None:
    """Each line of a key is masked; a line that is split between two writes too."""
    key = b"-----BEGIN KEY-----\r\nMIIBcanary\r\n-----END KEY-----\n"
    argv = script('cat "$SECRETKIT_NEXT_FILE"; printf MIIBca; sleep 0.3; echo nary')
    assert run(argv, tmp_path, after=(2, key)) == ["<secret db-password v2>"] * 4


def test_a_masked_json_string(script: Script, tmp_path: Path) -> None:
    """A value with quotes is masked as JSON writes it."""
    value = 'say "canary" \\ now'
    (tmp_path / "form").write_text(json.dumps({"password": value}))
    lines = run(script("cat form"), tmp_path, after=(2, value.encode()))
    assert lines == ['{"password": "<secret db-password v2>"}']


def test_an_endless_line_is_left_out(script: Script, tmp_path: Path) -> None:
    """A line that is longer than what is held is not passed on in parts, which no mask fits."""
    argv = script("head -c 200000 /dev/zero | tr '\\0' x; cat $SECRETKIT_NEXT_FILE; echo; echo end")
    assert run(argv, tmp_path) == ["(a line too long to be passed on)", "end"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("exit 3", "hook before of db-password failed, exit status 3"),
        ("kill -SEGV $$", "hook before of db-password was ended by SIGSEGV"),
        (
            "exec sleep 60",
            "hook before of db-password was not done within 2 seconds, and was ended",
        ),
        (
            "trap '' TERM; exec >/dev/null 2>&1; sleep 60; sleep 60",
            "hook before of db-password was not done within 2 seconds, and was ended",
        ),
    ],
)
def test_a_hook_that_fails(body: str, message: str, script: Script, tmp_path: Path) -> None:
    """Exit status, signal or time-out are one line; nothing of it goes on running."""
    argv = script(f"echo $$ > pid\n{body}")
    with pytest.raises(HookError) as caught:
        run(argv, tmp_path, timeout=2 if "sleep" in body else 20)
    assert str(caught.value) == message
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_the_service_is_named(script: Script, tmp_path: Path) -> None:
    """A veto says for which service."""
    with pytest.raises(HookError, match="^hook before of db-password for web failed, exit status"):
        run(script("exit 1"), tmp_path, service="web")


def test_a_program_that_cannot_be_started(script: Script, tmp_path: Path) -> None:
    """Missing, not executable, no program at all: one line and where it is written."""
    script("exit 0")
    (tmp_path / "hook").chmod(0o644)
    for argv, reason in (
        (("./missing",), "./missing: no such file or directory"),
        (("no-such-program-anywhere",), "no-such-program-anywhere: no such file or directory"),
        (("./hook",), "./hook: permission denied"),
    ):
        with pytest.raises(HookError) as caught:
            run(argv, tmp_path)
        assert str(caught.value) == f"hook before of db-password cannot be started, {reason}"
        assert "[secrets.db-password.hooks]" in (caught.value.hint or "")


def test_no_shell_reads_the_words(script: Script, tmp_path: Path) -> None:
    """An argument reaches the program as it is written."""
    words = ("$HOME", "a b", "; touch hacked", "*")
    assert run((*script('printf "%s\\n" "$@"'), *words), tmp_path) == list(words)
    assert not (tmp_path / "hacked").exists()


def test_a_daemon_that_a_hook_leaves_is_not_waited_for(script: Script, tmp_path: Path) -> None:
    """A hook has ended when its process has, though a child holds its output."""
    began = time.monotonic()
    assert run(script("sleep 30 & echo started; echo $! > pid"), tmp_path) == ["started"]
    assert time.monotonic() - began < 10
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_values_are_gone_when_we_are_killed(script: Script, tmp_path: Path) -> None:
    """SIGTERM and SIGKILL of secretkit while a hook runs: the folder with the values goes away."""
    argv = script('dirname "$SECRETKIT_NEXT_FILE" > place.part; mv place.part place; sleep 5')
    program = (
        "import sys; from pathlib import Path; from secretkit.rotation import hooks\n"
        f"hooks.run('before', {argv!r}, name='n', before=None, after=(1, b'canary'),"
        f" folder=Path({str(tmp_path)!r}))"
    )
    for number in (signal.SIGTERM, signal.SIGKILL):
        (tmp_path / "place").unlink(missing_ok=True)
        child = subprocess.Popen([sys.executable, "-c", program])
        deadline = time.monotonic() + 20
        while not (tmp_path / "place").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        place = Path((tmp_path / "place").read_text().strip())
        assert (place / "next").read_bytes() == b"canary"
        child.send_signal(number)
        assert child.wait() == -number
        while place.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_an_exception_ends_the_hook(script: Script, tmp_path: Path) -> None:
    """Ctrl-C in secretkit, which the hook does not get, ends the hook too."""

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hooks.run(
            *("after", script("echo $$ > pid; echo begun; sleep 60")),
            **{"name": "n", "before": None, "after": (1, b"v"), "folder": tmp_path},
            on_output=interrupt,
        )
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()

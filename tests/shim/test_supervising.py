"""--watch: COMMAND as a child behaves as it would without a parent."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pexpect
import pytest

from tests.needs import need_program
from tests.shim.conftest import Shim
from tests.shim.test_becoming import signals
from tests.shim.watched import alive, quick, replace, until, watched

CATCHABLE = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD})


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 3", 3), ("exit 255", 255)]
    + [
        (f"kill -{name} $$", 128 + getattr(signal, f"SIG{name}"))
        for name in ("KILL", "TERM", "SEGV")
    ],
)
def test_the_status_is_handed_on(every_shim: Shim, script: str, status: int) -> None:
    """The exit status of COMMAND, or 128 and the number of the signal that ended it."""
    done = every_shim.run("--no-env", "--watch", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (status, b"", b"")


def test_a_command_that_cannot_run(shim: Shim, tmp_path: Path) -> None:
    """127 and 126 as without --watch, also if only the kernel finds out."""
    shim.problems("--no-env", "--watch", "no-such-command", status=127)
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    lines = shim.problems("--no-env", "--watch", str(script), status=126)
    assert lines == [
        f"cannot execute {script}: its first line names /no/such/interpreter, which does not exist"
    ]


def test_every_signal_reaches_command(every_shim: Shim, secret, tmp_path: Path) -> None:
    """All that can be caught, real-time ones too, each once."""
    secret("x", b"1")
    with watched(every_shim, tmp_path, "--env", "X=x") as run:
        run.until_started("1")
        expected = []
        for number in [number for number in CATCHABLE if number != signal.SIGTERM]:
            run.process.send_signal(number)
            expected.append(f"signal {int(number)} X=1")
            # Pending ones come in the order of their numbers anyway, but not SIGCONT and others.
            run.until(lambda expected=expected: len(run.lines("signal")) >= len(expected))
        assert run.lines("signal") == expected
        assert run.end() == 0


def test_command_cannot_tell_from_its_signals(every_shim: Shim, tmp_path: Path) -> None:
    """Ignored, blocked and pending signals, umask and folder equal those of a direct start."""

    def prepare() -> None:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
        os.umask(0o027)

    command = ["cat", "/proc/self/status"]
    direct = subprocess.run(command, capture_output=True, check=True, preexec_fn=prepare)
    done = every_shim.run("--no-env", "--watch", "--", *command, preexec_fn=prepare)
    assert (done.returncode, done.stderr) == (0, b"")
    assert signals(done.stdout) == signals(direct.stdout)
    shown = every_shim.run(
        "--no-env", "--watch", "sh", "-c", "umask; pwd", preexec_fn=prepare, cwd=tmp_path
    )
    assert shown.stdout == f"0027\n{tmp_path}\n".encode()


def test_the_status_is_not_lost_where_children_are_ignored(shim: Shim) -> None:
    """Started with SIGCHLD ignored, as some supervisors do, the kernel would keep no status."""

    def prepare() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    assert shim.run("--no-env", "--watch", "sh", "-c", "exit 5", preexec_fn=prepare).returncode == 5


def test_descriptors(shim: Shim) -> None:
    """COMMAND has 0, 1 and 2; the shim keeps nothing open that it has inherited."""
    reading, writing = os.pipe()
    argv = shim.argv(
        "--no-env", "--watch", "--", "sh", "-c", "ls /proc/$$/fd /proc/$PPID/fd; exec sleep 60"
    )
    with subprocess.Popen(
        argv, env=shim.environ, stdout=subprocess.PIPE, pass_fds=(writing,)
    ) as process:
        os.close(writing)
        assert os.read(reading, 1) == b""  # nobody holds the other end
        os.close(reading)
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(9)]
        for place in (1, 6):
            assert lines[place : place + 3] == [b"0", b"1", b"2"]
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM


# Both log SIGTERM; the parent waits for the child.
FAMILY = (
    "import os, signal, sys, time\n"
    "def say(text):\n"
    "    with open(sys.argv[1], 'a') as log: log.write(text + '\\n')\n"
    "child = os.fork()\n"
    "name = 'child' if child == 0 else 'parent'\n"
    "def end(number, frame):\n"
    "    say(name + ' has it'); os._exit(0)\n"
    "signal.signal(signal.SIGTERM, end)\n"
    "say(name + ' starts')\n"
    "while True: time.sleep(60)\n"
)


@pytest.mark.parametrize("options", [(), ("--signal-group",)], ids=["alone", "group"])
def test_whom_a_signal_reaches(shim: Shim, tmp_path: Path, options: tuple[str, ...]) -> None:
    """COMMAND alone, or with --signal-group its whole process group, which is its own."""
    command = [sys.executable, "-ISc", FAMILY, str(tmp_path / "log")]
    with watched(shim, tmp_path, "--no-env", *options, command=command, process_group=0) as run:
        run.until(lambda: len(run.lines()) == 2)
        children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text()
        parent = int(children)
        group = os.getpgid(parent)
        try:
            assert group == (parent if options else run.process.pid)
            assert run.end() == 0
            if options:
                until(lambda: "child has it" in run.lines())
            else:
                time.sleep(0.2)
            assert ("child has it" in run.lines()) == bool(options)
        finally:
            with suppress(ProcessLookupError):  # all of it has ended
                os.killpg(group, signal.SIGKILL)


# Tells of each key.
COUNTING = (
    "import signal, sys\n"
    "signal.pthread_sigmask(signal.SIG_BLOCK, {2, 3, 28})\n"
    "print('ready', flush=True)\n"
    "while True: print('signal', signal.sigwait({2, 3, 28}) + 0, flush=True)\n"
)


@pytest.mark.parametrize("options", [(), ("--signal-group",)], ids=["alone", "group"])
def test_a_key_of_the_terminal_is_one_signal(
    shim: Shim, mount: Path, options: tuple[str, ...]
) -> None:
    """Ctrl-C reaches COMMAND once, not once more through the shim; it can read the terminal."""
    words = ("--no-env", "--watch", *options, "--", sys.executable, "-ISc", COUNTING)
    argv = [os.fsdecode(word) for word in shim.argv(*words)]
    terminal = pexpect.spawn(argv[0], argv[1:], timeout=60, encoding="utf-8")
    terminal.expect("ready")
    for key, number in (("\x03", 2), ("\x1c", 3), ("\x03", 2)):
        terminal.send(key)
        terminal.expect(f"signal {number}\r\n")
    with pytest.raises(pexpect.TIMEOUT):
        terminal.expect("signal", timeout=0.3)
    terminal.setwinsize(10, 10)
    terminal.expect("signal 28")
    os.kill(terminal.pid, signal.SIGTERM)
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 128 + signal.SIGTERM


def test_who_survives_the_terminals_sigint_is_followed_again(
    shim: Shim, secret, mount: Path, tmp_path: Path
) -> None:
    """Ctrl-C has asked COMMAND to end for as long as it would have to end, and no longer."""
    secret("x", b"one")
    script = (
        "import os, signal\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {2})\n"
        "print('has', os.environ['X'], flush=True)\n"
        "while True: print('signal', signal.sigwait({2}) + 0, flush=True)\n"
    )
    words = ("--env", "X=x", "--watch", "--stop-timeout", "2", "--grace", "0", "--")
    argv = [
        os.fsdecode(word)
        for word in quick(shim, tmp_path).argv(*words, sys.executable, "-ISc", script)
    ]
    terminal = pexpect.spawn(argv[0], argv[1:], timeout=60, encoding="utf-8")
    terminal.expect("has one")
    terminal.send("\x03")
    terminal.expect("signal 2\r\n")
    replace(mount / "x", "two")
    terminal.expect("has two")
    os.kill(terminal.pid, signal.SIGINT)  # no key
    terminal.expect("signal 2\r\n")
    replace(mount / "x", "three")
    terminal.expect("COMMAND was asked to end: changes are not followed any more")
    os.kill(terminal.pid, signal.SIGTERM)
    terminal.expect(pexpect.EOF)
    terminal.close()


@pytest.mark.parametrize("options", ["", "--signal-group"], ids=["alone", "group"])
def test_job_control_of_a_shell(shim: Shim, options: str) -> None:
    """Ctrl-Z stops the shim with COMMAND, fg continues both, and COMMAND reads the terminal."""
    bash = need_program("bash")
    words = [os.fsdecode(word) for word in shim.argv("--no-env", "--watch")]
    start = " ".join(
        [*words, options, "--", "sh", "-c", "'while read line; do echo got $line; done'"]
    )
    terminal = pexpect.spawn(bash, ["--norc", "--noprofile", "-i"], timeout=60, encoding="utf-8")
    terminal.setecho(False)
    terminal.sendline("PS1=PROMPT; bind 'set enable-bracketed-paste off'")
    terminal.expect("PROMPT")
    terminal.sendline(start)
    for word in ("one", "two"):
        terminal.sendline(word)
        terminal.expect(f"got {word}")
        terminal.send("\x1a")
        terminal.expect("Stopped")
        terminal.expect("PROMPT")
        terminal.sendline("echo shell is $((40 + 2))")
        terminal.expect("shell is 42")
        terminal.sendline("fg")
    terminal.sendline("three")
    terminal.expect("got three")
    terminal.send("\x04")  # the end of its input
    terminal.expect("PROMPT")
    terminal.sendline("echo status is $?")
    terminal.expect("status is 0")
    terminal.sendline("exit")
    terminal.expect(pexpect.EOF)
    terminal.close()


def test_a_shell_s_stop_by_kill(shim: Shim, tmp_path: Path) -> None:
    """SIGTSTP for the shim stops COMMAND and then the shim; SIGCONT continues both."""
    command = ["sh", "-c", f"echo start $$ >> {tmp_path / 'log'}; exec sleep 60"]

    def state(pid: int) -> str:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]

    # A group of its own with a parent outside, as a shell makes it: else it would be orphaned.
    with watched(shim, tmp_path, "--no-env", command=command, process_group=0) as run:
        run.until(lambda: run.lines("start"))
        pid = run.pids()[-1]
        run.process.send_signal(signal.SIGTSTP)
        run.until(lambda: state(pid) == "T" and state(run.process.pid) == "T")
        run.process.send_signal(signal.SIGCONT)
        run.until(lambda: state(pid) == "S" and state(run.process.pid) == "S")
        os.kill(pid, signal.SIGSTOP)
        run.until(lambda: state(pid) == "T")
        os.kill(pid, signal.SIGCONT)
        assert run.end() == 128 + signal.SIGTERM


def test_sigkill_for_the_shim_leaves_no_stray(every_shim: Shim, secret, tmp_path: Path) -> None:
    """At random moments of its life; the service holds a lock that says whether it lives."""
    chance = random.Random(1)
    path = secret("x", b"0")
    brisk = quick(every_shim, tmp_path)
    for number in range(3):
        with watched(brisk, tmp_path, "--env", "X=x") as run:
            if number:
                run.until(run.starts)
                replace(path, str(number))
            time.sleep(chance.random() * 0.2)
        until(lambda: not any(map(alive, run.pids())))
        run.log.unlink(missing_ok=True)


def test_sigterm_at_any_moment_ends_all(shim: Shim, secret, tmp_path: Path) -> None:
    """While it starts, renders, restarts: it ends soon, by the signal, and no COMMAND is left."""
    chance = random.Random(2)
    path = secret("x", b"0")
    brisk = quick(shim, tmp_path)
    for number in range(25):
        with watched(brisk, tmp_path, "--env", "X=x") as run:
            if number % 2:
                run.until(run.starts)
                replace(path, str(number))
            time.sleep(chance.random() * 0.1)
            run.process.send_signal(signal.SIGTERM)
            # 0 is the service's own; -15 and 143 are from before it had handlers.
            assert run.process.wait(60) in (0, -signal.SIGTERM, 128 + signal.SIGTERM), run.said()
            assert not [line for line in run.said() if "killed" in line]
            assert not any(map(alive, run.pids()))
            assert not run.lines("twice")
        run.log.unlink(missing_ok=True)

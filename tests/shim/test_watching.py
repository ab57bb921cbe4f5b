"""--watch: what changes in the mount reaches COMMAND, as a whole or not at all."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import bare, cli, memory
from tests.cli.program import Program
from tests.needs import need_root
from tests.shim.conftest import Shim
from tests.shim.watched import SERVICE, quick, replace, watched

__all__ = ["bare", "cli", "memory"]


@pytest.fixture
def brisk(shim: Shim, tmp_path: Path) -> Shim:
    """A shim that looks a hundred times a second, where the interval is not what is tested."""
    return quick(shim, tmp_path)


def with_file(tmp_path: Path, template: str = "<<x>>\n") -> tuple[tuple[str, ...], list[str]]:
    """The options that render a file, and a service that logs its content."""
    (tmp_path / "template").write_text(template)
    render = (
        "--allow-disk",
        "--render",
        f"{tmp_path / 'template'}:{tmp_path / 'file'},format=text",
    )
    command = [sys.executable, "-ISc", SERVICE, str(tmp_path / "log"), str(tmp_path / "file")]
    return render, command


def test_a_change_starts_command_anew(every_shim: Shim, secret, tmp_path: Path) -> None:
    """Under every Python: stopped, and started with the new variables and files."""
    secret("x", b"one")
    render, command = with_file(tmp_path)
    with watched(every_shim, tmp_path, "--env", "X=x", *render, command=command) as run:
        run.until_started("one one")
        replace(every_shim.mount / "x", "two")
        run.until_started("one one", "two two")
        assert run.lines("signal") == ["signal 15 X=one two"]
        assert run.said() == [f"changed: file {tmp_path}/file, variable X: COMMAND is restarted"]
        assert run.end() == 0


def test_the_swap_of_a_kubernetes_mount(brisk: Shim, mount: Path, tmp_path: Path) -> None:
    """key → ..data/key → ..time/key, swapped by renaming the link: both keys change as one."""
    keys = ("x", "y")

    def publish(name: str, value: str) -> None:
        folder = mount / f"..{name}"
        folder.mkdir()
        for key in keys:
            (folder / key).write_text(value)
        (mount / "..data_tmp").symlink_to(folder.name)
        os.replace(mount / "..data_tmp", mount / "..data")

    publish("0", "v0")
    for key in keys:
        (mount / key).symlink_to(f"..data/{key}")
    render, command = with_file(tmp_path, "<<x>>-<<y>>")
    with watched(brisk, tmp_path, "--env", "X=y", *render, command=command) as run:
        run.until_started("v0 v0-v0")
        for number in range(1, 6):
            publish(str(number), f"v{number}")
            run.until(lambda number=number: run.starts()[-1] == f"v{number} v{number}-v{number}")
        assert run.starts() == [f"v{number} v{number}-v{number}" for number in range(6)]


def test_a_rotation_reaches_what_runs_over_a_dev_folder(cli: Program, tmp_path: Path) -> None:
    """`secretkit rotate` refreshes the folder of `secretkit dev up`: COMMAND starts anew."""
    cli.create("x", b"one")
    cli.ok("dev", "up")
    shim = quick(Shim(cli.folder / "dev-secrets"), tmp_path)
    with watched(shim, tmp_path, "--env", "X=x") as run:
        run.until_started("one")
        cli.ok("rotate", "x", "-", input=b"two")
        run.until_started("one", "two")
        cli.ok("rollback", "x")
        run.until_started("one", "two", "one")


def test_the_same_content_is_no_change(brisk: Shim, secret, mount: Path, tmp_path: Path) -> None:
    """Touched, replaced by the same, joined by a secret that nobody wants: nothing happens."""
    path = secret("x", b"one")
    render, command = with_file(tmp_path)
    with watched(brisk, tmp_path, "--env", "X=x", *render, command=command) as run:
        run.until_started("one one")
        os.utime(path)
        replace(path, "one\n")  # the newline is not part of the value
        secret("other", b"1")
        (tmp_path / "template").write_text("<<x>>\n")
        time.sleep(0.5)
        path.write_text("two")
        run.until_started("one one", "two two")


def test_templates_and_expanded_files_are_watched(brisk: Shim, secret, tmp_path: Path) -> None:
    """A template and a file outside the mount that --expand-file names count as much."""
    secret("x", b"one")
    outside = tmp_path / "outside"
    outside.write_text("a")
    brisk.environ[b"X_FILE"] = os.fsencode(outside)
    render, command = with_file(tmp_path)
    with watched(brisk, tmp_path, "--expand-file", "X", *render, command=command) as run:
        run.until_started("a one")
        replace(tmp_path / "template", "new <<x>>")
        run.until_started("a one", "a new one")
        replace(outside, "b")
        run.until_started("a one", "a new one", "b new one")


def test_a_nudge_is_not_waited_for(shim: Shim, secret, tmp_path: Path) -> None:
    """SIGCHLD of a process: a shim that would look in an hour looks at once. It goes no further."""
    path = secret("x", b"one")
    slow = quick(shim, tmp_path)
    slow.launcher.write_text(slow.launcher.read_text().replace("0.01", "3600"))
    with watched(slow, tmp_path, "--env", "X=x") as run:
        run.until_started("one")
        for value in ("two", "three"):
            replace(path, value)
            run.process.send_signal(signal.SIGCHLD)
            run.until(lambda value=value: run.starts()[-1] == value)
        assert run.starts() == ["one", "two", "three"]
        assert {line.split(" ")[1] for line in run.lines("signal")} == {"15"}
        assert run.end() == 0


def test_settings_are_followed(every_shim: Shim, secret, tmp_path: Path) -> None:
    """The config file counts as a secret does: COMMAND is started anew, by what it says now."""
    secret("x", b"one")
    secret("y", b"two")
    config = tmp_path / "config.json"
    config.write_text('{"env": {"X": "x"}, "stop_signal": "TERM"}')
    brisk = quick(every_shim, tmp_path)
    with watched(brisk, tmp_path, "--config", str(config)) as run:
        run.until_started("one")
        replace(config, '{"env": {"X": "y"}, "stop_signal": "NOPE"}')
        run.until_said("not followed")
        assert "--stop-signal" in run.said()[0]
        replace(config, '{"env": {"X": "y"}, "stop_signal": "TERM", "on_change": "none"}')
        run.until_said("variable X: COMMAND keeps the old until it is started anew")
        replace(config, '{"env": {"X": "x"}, "no_new_privs": true}')
        run.until_started("one", "one")
        status = Path(f"/proc/{run.pids()[-1]}/status").read_text()
        assert "NoNewPrivs:\t1" in status
        assert run.end() == 0


def test_what_cannot_be_rendered_changes_nothing(
    brisk: Shim, secret, mount: Path, tmp_path: Path
) -> None:
    """Said once, with the reason; COMMAND keeps running; said again when it is mended."""
    path = secret("x", b"one")
    secret("y", b"1")
    render, command = with_file(tmp_path, "<<x>> <<y>>")
    with watched(brisk, tmp_path, "--env", "X=x", *render, command=command) as run:
        run.until_started("one one 1")
        (mount / "y").unlink()
        run.until_said("not followed")
        lines = run.said()
        assert lines[0].startswith("error: ") and "<<y>>" in lines[0]
        assert lines[1] == "the change is not followed: COMMAND keeps running with what it has"
        replace(path, "two")  # as broken as before: no word
        time.sleep(0.3)
        assert run.said() == lines
        secret("y", b"2")
        run.until_started("one one 1", "two two 2")
        assert run.said()[2] == "the trouble is over: changes are followed again"


def test_a_template_that_does_not_end(brisk: Shim, secret, tmp_path: Path) -> None:
    """The limits of a template hold for a shim that watches, and COMMAND hears nothing of them."""
    secret("x", b"one")
    launcher = brisk.launcher.read_text()
    limit = "from secretkit_entrypoint import limits; limits.SECONDS = 1\nsys.exit"
    brisk.launcher.write_text(launcher.replace("sys.exit", limit))
    loop = "{% for a in range(99999) %}"
    render, command = with_file(tmp_path, "{{ x }}")
    (tmp_path / "template").rename(tmp_path / "template.j2")
    render = (*render[:2], render[2].replace("template:", "template.j2:"))
    with watched(brisk, tmp_path, *render, command=command) as run:
        run.until_started(" one")
        (tmp_path / "template.j2").write_text(
            f"{loop}{loop}{{% endfor %}}{{% endfor %}}{{{{ x }}}}"
        )
        run.until_said("it computes for more than 1 seconds")
        assert run.end() == 0
        assert run.lines("signal") == ["signal 15 X= one"]


def test_files_that_cannot_be_written_are_tried_again(
    brisk: Shim, secret, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of a destination is gone for a while: no change of the mount is needed."""
    path = secret("x", b"one")
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "template").write_text("<<x>>")
    render = f"{tmp_path / 'template'}:{folder / 'file'},format=text"
    launcher = brisk.launcher
    launcher.write_text(launcher.read_text().replace("INTERVAL =", "AGAIN = watching.INTERVAL ="))
    with watched(brisk, tmp_path, "--env", "X=x", "--allow-disk", "--render", render) as run:
        run.until_started("one")
        folder.rename(tmp_path / "away")
        replace(path, "two")
        run.until_said("does not exist")
        (tmp_path / "away").rename(folder)
        run.until_started("one", "two")
        assert (folder / "file").read_text() == "two"


def test_a_signal_after_the_files(brisk: Shim, secret, tmp_path: Path) -> None:
    """signal:HUP: the files are new when it comes; variables stay, and that is said."""
    path = secret("x", b"one")
    render, command = with_file(tmp_path)
    options = ("--env", "X=x", *render, "--on-change", "signal:HUP")
    with watched(brisk, tmp_path, *options, command=command) as run:
        run.until_started("one one")
        replace(path, "two")
        run.until(lambda: run.lines("signal") == ["signal 1 X=one two"])
        replace(path, "three")
        run.until(lambda: run.lines("signal")[1:] == ["signal 1 X=one three"])
        run.until(lambda: len(run.said()) == 4)
        assert run.starts() == ["one one"]
        assert run.said()[:2] == [
            f"changed: file {tmp_path}/file: signal 1",
            "changed: variable X: COMMAND keeps the old until it is started anew",
        ]


@pytest.mark.parametrize("on_change", ["restart", "signal:HUP"])
def test_secret_files_that_command_reads(
    brisk: Shim, secret, mount: Path, tmp_path: Path, on_change: str
) -> None:
    """With --watch-secrets each counts by its content, whatever else is made of it; a folder that
    is gone changes nothing.
    """
    path = secret("x", b"one")
    command = [sys.executable, "-ISc", SERVICE, str(tmp_path / "log"), str(path)]
    options = ("--no-env", "--watch-secrets", "--on-change", on_change)
    with watched(brisk, tmp_path, *options, command=command) as run:
        run.until_started(" one")
        replace(path, "one")
        mount.rename(tmp_path / "aside")
        run.until_said("not followed")
        (tmp_path / "aside").rename(mount)
        run.until_said("the trouble is over")
        replace(path, "two")
        if on_change == "restart":
            run.until_started(" one", " two")
            run.until_said("changed: secret x: COMMAND is restarted")
        else:
            run.until(lambda: run.lines("signal") == ["signal 1 X= two"])
            run.until_said("changed: secret x: signal 1")
        secret("y", b"other")
        run.until_said("changed: secret y: ")
        assert "two" not in "".join(run.said())


def test_files_alone(brisk: Shim, secret, tmp_path: Path) -> None:
    """--on-change none: the file is replaced, COMMAND is left in peace."""
    path = secret("x", b"one")
    render, command = with_file(tmp_path)
    with watched(brisk, tmp_path, *render, "--on-change", "none", command=command) as run:
        run.until_started(" one")
        replace(path, "two")
        run.until_said("it gets no signal")
        assert (tmp_path / "file").read_text() == "two\n"
        assert run.lines() == ["start X= one"]


def test_a_bad_change_is_taken_back(brisk: Shim, secret, tmp_path: Path) -> None:
    """COMMAND dies of it: the files and variables before come back, and it is not tried again."""
    path = secret("x", b"one")
    render, command = with_file(tmp_path)
    with watched(brisk, tmp_path, "--env", "X=x", *render, command=command) as run:
        run.until_started("one one")
        replace(path, "bad")
        run.until_started("one one", "one one")
        assert run.lines("dies") == ["dies X=bad bad"]
        assert (tmp_path / "file").read_text() == "one\n"
        run.until_said("COMMAND ended with status 4 within 10 seconds of a change")
        os.utime(path)
        time.sleep(0.5)
        assert run.lines("dies") == ["dies X=bad bad"]
        replace(path, "two")
        run.until_started("one one", "one one", "two two")
        # After another change it is worth a try once more; "two" has not outlived its grace yet.
        replace(path, "bad")
        run.until_started("one one", "one one", "two two", "one one")
        assert run.end() == 0


def test_a_bad_file_after_a_signal_is_taken_back(brisk: Shim, secret, tmp_path: Path) -> None:
    """COMMAND dies of the signal: it is started again with the files from before."""
    path = secret("x", b"one")
    render, command = with_file(tmp_path)
    with watched(brisk, tmp_path, *render, "--on-change", "signal:TERM", command=command) as run:
        # This service ends with 0 after SIGTERM, which is no death; killed by SIGUSR1 it is one.
        run.until_started(" one")
        replace(path, "two")
        assert run.process.wait(60) == 0
    (tmp_path / "log").unlink()
    replace(path, "one")
    command = ["sh", "-c", f"cd {tmp_path}; echo start $$ X= $(cat file) >> log; exec sleep 300"]
    with watched(brisk, tmp_path, *render, "--on-change", "signal:USR1", command=command) as run:
        run.until_started(" one")
        replace(path, "two")
        run.until_started(" one", " one")
        run.until_said(f"COMMAND ended with status {128 + signal.SIGUSR1} ")
        assert (tmp_path / "file").read_text() == "one\n"


def test_who_dies_later_is_not_brought_back(brisk: Shim, secret, tmp_path: Path) -> None:
    """After --grace, and without any change, the end of COMMAND is the end of the shim."""
    path = secret("x", b"one")
    with watched(brisk, tmp_path, "--env", "X=x", "--grace", "0") as run:
        run.until_started("one")
        replace(path, "bad")
        assert run.process.wait(60) == 4
    (tmp_path / "log").unlink()
    replace(path, "one")
    with watched(brisk, tmp_path, "--env", "X=x") as run:
        run.until_started("one")
        os.kill(run.pids()[-1], signal.SIGKILL)
        assert run.process.wait(60) == 128 + signal.SIGKILL


def test_the_second_death_ends_it(brisk: Shim, secret, tmp_path: Path) -> None:
    """What COMMAND went back to is not gone back from."""
    path = secret("x", b"one")
    with watched(brisk, tmp_path, "--env", "X=x") as run:
        run.until_started("one")
        replace(path, "bad")
        run.until_started("one", "one")
        os.kill(run.pids()[-1], signal.SIGKILL)
        assert run.process.wait(60) == 128 + signal.SIGKILL


# Stays, whatever signal comes.
DEAF = "trap '' TERM INT; echo start $$ X=$X >> {log}; while :; do sleep 0.05; done"


def test_who_does_not_stop_is_killed(brisk: Shim, secret, tmp_path: Path) -> None:
    """SIGKILL after --stop-timeout; then the next is started."""
    path = secret("x", b"one")
    command = ["sh", "-c", DEAF.format(log=tmp_path / "log")]
    options = ("--env", "X=x", "--stop-timeout", "0.3")
    with watched(brisk, tmp_path, *options, command=command) as run:
        run.until_started("one")
        replace(path, "two")
        run.until_started("one", "two")
        assert "COMMAND has not ended within 0.3 seconds: it is killed" in run.said()


def test_one_that_is_stopped_can_be_restarted(brisk: Shim, secret, tmp_path: Path) -> None:
    """SIGSTOP does not hold up a restart: SIGCONT follows the stop signal."""
    path = secret("x", b"one")
    with watched(brisk, tmp_path, "--env", "X=x", "--stop-timeout", "600") as run:
        run.until_started("one")
        os.kill(run.pids()[-1], signal.SIGSTOP)
        replace(path, "two")
        run.until_started("one", "two")


def test_sigterm_during_a_restart_is_the_end(brisk: Shim, secret, tmp_path: Path) -> None:
    """While the old COMMAND takes its time to stop, SIGTERM comes: no new one is started."""
    path = secret("x", b"one")
    script = (
        f"trap 'echo signal >> {tmp_path / 'log'}; sleep 0.5; exit 9' TERM; "
        f"echo start $$ X=$X >> {tmp_path / 'log'}; while :; do sleep 0.02; done"
    )
    with watched(brisk, tmp_path, "--env", "X=x", command=["sh", "-c", script]) as run:
        run.until_started("one")
        replace(path, "two")
        run.until(lambda: run.lines("signal"))
        assert run.end() == 9
        assert run.starts() == ["one"]


def test_after_sigterm_changes_are_not_followed(brisk: Shim, secret, tmp_path: Path) -> None:
    """COMMAND is ending, and takes as long as it likes. That one is not followed is said, once."""
    path = secret("x", b"one")
    command = ["sh", "-c", DEAF.format(log=tmp_path / "log")]
    options = ("--env", "X=x", "--stop-timeout", "0")
    with watched(brisk, tmp_path, *options, command=command) as run:
        run.until_started("one")
        run.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        replace(path, "one")
        time.sleep(0.2)
        assert run.said() == []

        def told() -> list[str]:
            replace(path, "two")
            return run.said()

        run.until(told)
        time.sleep(0.5)
        assert run.starts() == ["one"]
        assert run.said() == ["COMMAND was asked to end: changes are not followed any more"]


def test_a_restart_waits_for_the_whole_group(brisk: Shim, secret, tmp_path: Path) -> None:
    """With --signal-group the next is started when the last of the group has ended."""
    path = secret("x", b"one")
    # The shell ends at once, the service in its background says when it has the signal.
    slow = SERVICE.replace("sys.exit(0)", "import time; time.sleep(0.5); say('end'); sys.exit(0)")
    script = '"$@" & trap "exit 0" TERM; wait'
    command = ["sh", "-c", script, "sh", sys.executable, "-ISc", slow, str(tmp_path / "log")]
    with watched(brisk, tmp_path, "--env", "X=x", "--signal-group", command=command) as run:
        run.until_started("one")
        replace(path, "two")
        run.until_started("one", "two")
        assert run.lines() == ["start X=one", "signal 15 X=one", "end X=one", "start X=two"]


def test_many_changes_end_with_the_last(brisk: Shim, secret, tmp_path: Path) -> None:
    """300 changes some of them bad, some none: never two COMMANDs, and the last counts."""
    chance = random.Random(7)
    path = secret("x", b"0")
    render, command = with_file(tmp_path)
    contents = {"0"}
    with watched(brisk, tmp_path, "--env", "X=x", *render, command=command) as run:
        run.until_started("0 0")
        for number in range(300):
            act = chance.random()
            value = "bad" if act < 0.03 else str(number if act < 0.8 else number // 10)
            contents.add(value)
            if act < 0.5:
                replace(path, value)
            elif act < 0.9:
                path.write_text(value)
            else:
                path.unlink()
                time.sleep(chance.random() * 0.02)
                path.write_text(value)
            time.sleep(chance.random() * 0.03)
        path.write_text("last")
        run.until(lambda: run.starts()[-1] == "last last")
        time.sleep(0.3)
        starts = run.starts()
        assert starts[-1] == "last last"
        assert not run.lines("twice")
        assert len(starts) - 2 * len(run.lines("dies")) <= len(contents)
        assert run.end() == 0


def test_nothing_grows(brisk: Shim, secret, tmp_path: Path) -> None:
    """After 200 changes the shim has the descriptors, and about the memory, of the first."""
    path = secret("x", b"0")
    render, command = with_file(tmp_path)
    options = ("--env", "X=x", *render, "--on-change", "signal:HUP")
    with watched(brisk, tmp_path, *options, command=command) as run:
        run.until_started("0 0")
        folder = Path(f"/proc/{run.process.pid}")
        sizes = []
        for number in range(1, 201):
            replace(path, str(number))
            if number % 5 == 0:
                (tmp_path / "template").write_text("<<nothing>>")
                run.until(
                    lambda number=number: len(run.said()) > 0 and "not followed" in run.said()[-1]
                )
                (tmp_path / "template").write_text("<<x>>\n")
            run.until(lambda number=number: f"signal 1 X=0 {number}" in run.lines("signal"))
            # Two more messages follow the signal.
            if number in (20, 200):
                time.sleep(0.1)
                resident = int((folder / "statm").read_text().split()[1]) * 4096
                sizes.append((len(os.listdir(folder / "fd")), resident))
        assert sizes[0][0] == sizes[1][0]
        assert sizes[1][1] - sizes[0][1] < 1 << 20


def test_idle_it_does_next_to_nothing(shim: Shim, secret, tmp_path: Path) -> None:
    """20 secrets and a file, four seconds without a change: less than 1 % of a processor."""
    for number in range(20):
        secret(f"s{number}", b"1")
    secret("x", b"1")
    render, command = with_file(tmp_path)
    with watched(shim, tmp_path, "--env-all", *render, command=command) as run:
        run.until_started("1 1")
        time.sleep(2)  # the first look reads everything once more

        def used() -> int:
            fields = Path(f"/proc/{run.process.pid}/stat").read_text().rpartition(") ")[2].split()
            return int(fields[11]) + int(fields[12])

        before = used()
        time.sleep(4)
        assert used() - before <= 4  # of 400 ticks


def test_root_stays_the_parent_of_a_user(open_shim: Shim, tmp_path: Path) -> None:
    """With --user COMMAND has dropped, and the shim still gives it files and signals."""
    need_root()
    brisk = quick(open_shim, open_shim.mount.parent)
    folder = open_shim.mount.parent
    (folder / "run").mkdir()
    (folder / "run").chmod(0o777)
    path = folder / "secrets" / "x"
    path.write_text("one")
    path.chmod(0o400)
    (folder / "template").write_text("<<x>>")
    render = f"{folder / 'template'}:{folder / 'file'},format=text"
    log, file = folder / "run" / "log", folder / "file"
    command = [brisk.python, "-ISc", SERVICE, str(log), str(file)]
    options = ("--user", "65534:65534", "--allow-disk", "--env", "X=x", "--render", render)
    with watched(brisk, folder / "run", *options, command=command) as run:
        run.until_started("one one")
        status = Path(f"/proc/{run.pids()[-1]}/status").read_text()
        assert "Uid:\t65534\t65534\t65534\t65534" in status
        assert Path(f"/proc/{run.process.pid}").stat().st_uid == 0
        replace(path, "two")
        path.chmod(0o400)
        run.until_started("one one", "two two")
        assert (file.stat().st_uid, file.stat().st_mode & 0o777) == (65534, 0o400)
        assert run.end() == 0


@pytest.mark.parametrize(
    ("option", "value", "line"),
    [
        ("--on-change", "reload", "--on-change takes restart, signal:NAME (signal:HUP) or none"),
        ("--on-change", "signal:STOP", "--on-change signal:NAME names no signal that can be sent"),
        ("--on-change", "signal:9", "--on-change signal:KILL tells COMMAND nothing: use restart"),
        ("--on-change", "signal:", "--on-change signal:NAME names no signal that can be sent"),
        ("--stop-signal", "SIG_DFL", "--stop-signal names no signal that can be sent"),
        ("--stop-signal", "RTMIN+99", "--stop-signal names no signal that can be sent"),
        ("--stop-signal", "HUP+1", "--stop-signal names no signal that can be sent"),
        ("--stop-signal", "0", "--stop-signal names no signal that can be sent"),
        ("--stop-signal", "\udcff", "--stop-signal names no signal that can be sent"),
        ("--grace", "soon", "--grace takes seconds, such as 10 or 0.5, at most 86400"),
        ("--grace", "nan", "--grace takes seconds"),
        ("--stop-timeout", "1e99", "--stop-timeout takes seconds"),
        ("--stop-timeout", "-1", "--stop-timeout takes seconds"),
    ],
)
def test_settings_that_make_no_sense(shim: Shim, option: str, value: str, line: str) -> None:
    """They are told with all other problems, also by --check; without --watch they are in vain."""
    problems = shim.problems("--no-env", "--watch", option, value, "true")
    assert len(problems) == 1 and problems[0].startswith(line)
    checked = shim.run("--no-env", "--watch", "--check", option, value, "true")
    assert checked.returncode == 125 and line in checked.stderr.decode()
    assert shim.problems("--no-env", option, value, "true") == [
        f"{option} is of no use without --watch"
    ]


def test_a_system_that_cannot_wait_for_signals(brisk: Shim) -> None:
    """Not Linux: one line, and nothing is started."""
    text = brisk.launcher.read_text()
    brisk.launcher.write_text(text.replace("import sys", "import _signal, sys", 1))
    text = brisk.launcher.read_text().replace("watching.INTERVAL = watching.SETTLE = 0.01", "")
    brisk.launcher.write_text(text.replace(", watching", "\ndel _signal.sigtimedwait"))
    lines = brisk.problems("--no-env", "--watch", "true")
    assert len(lines) == 1 and "it is for Linux" in lines[0]


@pytest.mark.parametrize("name", ["usr1", "SIGUSR1", "10"])
def test_names_of_signals(brisk: Shim, secret, tmp_path: Path, name: str) -> None:
    """As kill(1) and docker write them."""
    path = secret("x", b"one")
    render, command = with_file(tmp_path)
    with watched(brisk, tmp_path, *render, "--on-change", f"signal:{name}", command=command) as run:
        run.until_started(" one")
        replace(path, "two")
        run.until(lambda: run.lines("signal") == ["signal 10 X= two"])


def test_a_mount_that_goes_and_comes(brisk: Shim, secret, mount: Path, tmp_path: Path) -> None:
    """Without its folder COMMAND keeps running; with it again, changes are followed."""
    secret("x", b"one")
    with watched(brisk, tmp_path, "--env", "X=x") as run:
        run.until_started("one")
        mount.rename(tmp_path / "away")
        run.until_said("cannot list the secrets")
        (tmp_path / "away" / "x").write_text("two")
        (tmp_path / "away").rename(mount)
        run.until_started("one", "two")


def test_a_mount_without_rest(brisk: Shim, secret, mount: Path, tmp_path: Path) -> None:
    """Something in the folder changes all the time: secrets are followed all the same."""
    path = secret("x", b"one")
    with watched(brisk, tmp_path, "--env", "X=x") as run:
        run.until_started("one")
        replace(path, "two")

        def churn() -> bool:
            (mount / "log").write_text(str(time.monotonic()))
            return run.starts() == ["one", "two"]

        run.until(churn)

"""`dev watch`: every change reaches the folder and the command; nothing else disturbs it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

from tests.cli.program import EXECUTABLE, Program
from tests.cli.watched import TABLE, dev_watched, with_template
from tests.needs import need, need_program
from tests.shim.watched import PATIENCE, SERVICE, alive, replace, until


@pytest.fixture
def project(cli: Program) -> Program:
    """A project with the secret x, which becomes the variable X."""
    cli.create("x", b"one")
    cli.write("secretkit.toml", TABLE)
    return cli


def test_each_change_reaches_the_command(project: Program) -> None:
    """rotate, rollback, an override, a template: COMMAND is started anew, once for each content."""
    command = with_template(project)
    with dev_watched(project, command=command) as run:
        run.until_started("one one")
        project.ok("rotate", "x", "-", input=b"two")
        run.until_started("one one", "two two")
        project.ok("rollback", "x")
        run.until(lambda: run.starts()[2:] == ["one one"])
        local = project.folder / "dev-secrets.local"
        local.mkdir()
        replace(local / "x", "mine")
        run.until(lambda: run.starts()[3:] == ["mine mine"])
        replace(project.folder / "conf" / "app.conf", "again <<x>>\n")
        run.until(lambda: run.starts()[4:] == ["mine again mine"])
        shutil.rmtree(local)
        run.until(lambda: run.starts()[5:] == ["one again one"])
        told = [f"dev-secrets: x {what}" for what in ("v2", "v1", "(override)", "v1")]
        run.until(lambda: [line for line in run.said() if line in told] == told)
        assert len(set(run.pids())) == 6
        assert run.end() == 0


def test_the_same_content_is_no_change(project: Program) -> None:
    """Touched, written anew, other files, and with watch_secrets = false another secret: the
    command is left in peace.
    """
    command = with_template(project)
    toml = (project.folder / "secretkit.toml").read_text()
    project.write("secretkit.toml", toml.replace(TABLE, f"{TABLE}watch_secrets = false\n"))
    with dev_watched(project, command=command) as run:
        run.until_started("one one")
        project.ok("rotate", "x", "-", input=b"one")
        project.create("other")
        replace(project.folder / "conf" / "app.conf", "<<x>>\n")
        project.write("notes", "of mine")
        os.utime(project.folder / "secretkit.toml")
        (project.folder / "dev-secrets" / "x").chmod(0o600)
        run.until_said("other v1")
        project.ok("rotate", "x", "-", input=b"two")
        run.until_started("one one", "two two")


def test_the_files_of_the_folder_count(project: Program) -> None:
    """For a command that reads them itself, and has no variable: restarted, or told by a signal."""
    file = project.folder / "dev-secrets" / "x"
    project.write("secretkit.toml", "[entrypoint]\nno_env = true\n")
    log = project.folder.parent / "log"
    command = [sys.executable, "-ISc", SERVICE, str(log), str(file)]
    with dev_watched(project, command=command) as run:
        run.until_started(" one")
        project.ok("rotate", "x", "-", input=b"two")
        run.until_started(" one", " two")
        run.until_said("changed: secret x: COMMAND is restarted")
        project.ok("dev", "down")
        run.until_said("the change is not followed")
        project.ok("dev", "up")
        run.until_said("the trouble is over: changes are followed again")
        project.write("secretkit.toml", '[entrypoint]\nno_env = true\non_change = "signal:HUP"\n')
        project.ok("rotate", "x", "-", input=b"three")
        run.until(lambda: run.starts()[2:] or "signal 1 X= three" in run.lines())
        assert run.end() == 0


def test_secretkit_toml_is_followed(project: Program) -> None:
    """[entrypoint] counts as it is now, what is declared is created; while it is wrong, the rest
    goes on, and what is wrong is said once.
    """
    with dev_watched(project) as run:
        run.until_started("one")
        project.write("secretkit.toml", '[secrets.y]\ngenerate = "pin:4"\n' + TABLE)
        run.until_said("created y v1 from generator pin:4")
        run.until_started("one", "one")
        project.write("secretkit.toml", "[entrypoint]\nenv = { X = ")
        run.until_said("not TOML")
        folder = project.folder / "dev-secrets.local"
        folder.mkdir()
        (folder / "x").write_bytes(b"mine")
        run.until_started("one", "one", "mine")
        project.write("secretkit.toml", '[entrypoint]\nenv = { X = "y" }\non_change = "none"\n')
        run.until_said("the trouble is over")
        run.until_said("variable X: COMMAND keeps the old")
        said = run.said()
        assert len([line for line in said if "not TOML" in line]) == 1
        project.write("secretkit.toml", f'[dev]\noverrides = "elsewhere"\n{TABLE}')
        run.until_started("one", "one", "mine", "one")
        project.write("secretkit.toml", "")
        run.until_said("it is gone, or empty")
        (project.folder / "secretkit.toml").unlink()
        project.ok("rotate", "x", "-", input=b"two")
        run.until_started("one", "one", "mine", "one", "two")


def test_other_folders_in_secretkit_toml(project: Program) -> None:
    """Files of overrides that are named now are seen at once; the dev folder stays the same."""
    with dev_watched(project) as run:
        run.until_started("one")
        (project.folder / "elsewhere").mkdir()
        project.write("secretkit.toml", f'[dev]\noverrides = "elsewhere"\nfolder = "f"\n{TABLE}')
        run.until_said("start dev watch again")
        time.sleep(0.5)  # no look by chance
        (project.folder / "elsewhere" / "x").write_bytes(b"mine")
        run.until_started("one", "mine")
        assert not os.path.lexists(project.folder / "f")


def test_a_broken_template_keeps_the_last_good_state(project: Program) -> None:
    """It is said where it is broken; what changes meanwhile is there when it is mended."""
    command = with_template(project)
    template = project.folder / "conf" / "app.conf"
    with dev_watched(project, command=command) as run:
        run.until_started("one one")
        template.write_text("<<x>>\n<<nowhere>>\n")
        run.until_said("not followed")
        assert any(f"{template}:2" in line for line in run.said()), run.said()
        project.ok("rotate", "x", "-", input=b"two")
        run.until_said("x v2")
        (project.folder / "conf").rename(project.folder / "away")
        run.until(lambda: len([line for line in run.said() if "not followed" in line]) == 2)
        (project.folder / "away").rename(project.folder / "conf")
        template.write_text("<<x>>\n")
        run.until_started("one one", "two two")
        assert (project.folder / "app.conf").read_text() == "two\n"


def test_a_signal_instead(project: Program) -> None:
    """--on-change signal:HUP: the files are there when it comes."""
    command = with_template(project)
    with dev_watched(project, "--on-change", "signal:HUP", command=command) as run:
        run.until_started("one one")
        project.ok("rotate", "x", "-", input=b"two")
        run.until(lambda: run.lines("signal") == ["signal 1 X=one two"])
        assert run.starts() == ["one one"]


def test_wiped_and_made_again(project: Program) -> None:
    """`dev down` holds: the folder is not made again, the command goes on; `dev up` ends it. A file
    of it that was deleted or changed is put right.
    """
    folder = project.folder / "dev-secrets"
    with dev_watched(project) as run:
        run.until_started("one")
        (folder / "x").unlink()
        run.until((folder / "x").exists)
        (folder / "x").chmod(0o600)
        (folder / "x").write_bytes(b"by hand")
        run.until(lambda: (folder / "x").read_bytes() == b"one")
        project.ok("dev", "down")
        run.until_said("the dev folder is gone")
        project.ok("rotate", "x", "-", input=b"two")
        assert not os.path.lexists(folder)
        project.ok("dev", "up")
        run.until(lambda: run.starts()[-1] == "two")
        run.until_said("the trouble is over")


def test_a_store_that_is_gone(project: Program) -> None:
    """No other is made in its place; when it is back, or restored, it is followed again."""
    store = project.folder / ".secretkit"
    backup = project.folder.parent / "backup"
    with dev_watched(project) as run:
        run.until_started("one")
        project.ok("backup", backup)
        store.rename(project.folder / "aside")
        run.until_said("there is no store yet")
        project.write("secretkit.toml", TABLE + "\n")
        time.sleep(0.5)
        assert not store.exists()
        assert (project.folder / "dev-secrets" / "x").read_bytes() == b"one"
        (project.folder / "aside").rename(store)
        run.until_said("the trouble is over")
        project.ok("rotate", "x", "-", input=b"two")
        run.until_started("one", "two")
        project.ok("restore", backup, "--accept-rollback")
        run.until_started("one", "two", "one")


def test_a_project_that_is_gone(project: Program) -> None:
    """That is said, what was made of it is wiped, and it is the end of following; not of COMMAND,
    nor is any of it made again.
    """
    with dev_watched(project, "of-mine") as run:
        run.until_started("one")
        place = (project.folder / "of-mine").readlink()
        shutil.rmtree(project.folder)
        run.until_said(f"changes are not followed any more: the project is gone, {project.folder}")
        run.until_said("until `secretkit dev watch` is started again")
        until(lambda: not place.exists())
        assert not os.path.lexists(project.folder)
        assert run.starts() == ["one"]
        assert run.end() == 0


def test_the_kubelets_layout(project: Program) -> None:
    """A folder that is there stays as it was made."""
    project.ok("dev", "up", "--layout", "kubernetes")
    with dev_watched(project) as run:
        run.until_started("one")
        project.ok("rotate", "x", "-", input=b"two")
        run.until_started("one", "two")
        assert os.readlink(project.folder / "dev-secrets" / "x") == "..data/x"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGUSR1])
def test_signals_and_the_status(project: Program, number: signal.Signals) -> None:
    """They reach the command, which ends as it likes; its status is that of dev watch, and nobody
    else says a word.
    """
    script = f"import signal, sys, time; signal.signal({int(number)}, lambda *_: sys.exit(7))\n"
    script += "open('ready', 'w'); time.sleep(300)"
    with dev_watched(project, command=["python3", "-c", script]) as run:
        run.until((project.folder / "ready").exists)
        follower = run.follower()
        assert run.end(number) == 7
        until(lambda: not alive(follower), "the end of the follower")
        assert len(run.said()) == 1


def test_the_command_ends_by_itself(project: Program) -> None:
    """Its status is handed on, 128 + n for a signal; nothing stays behind."""
    for script, status in (("exit 3", 3), ("kill -9 $$", 128 + 9)):
        with dev_watched(project, command=["sh", "-c", script]) as run:
            assert run.process.wait(PATIENCE) == status
    runs = Path(project.environ["XDG_RUNTIME_DIR"], "secretkit").glob("run-*")
    until(lambda: not list(runs), "the end of the private folder")


def test_sigkill_ends_all(project: Program) -> None:
    """A SIGKILL for dev watch is one for the command and for what keeps the folder fresh."""
    with dev_watched(project) as run:
        run.until_started("one")
        everyone = [run.follower(), *run.pids()]
        run.process.kill()
        run.process.wait()
        until(lambda: not any(map(alive, everyone)), "the end of all")


def test_without_its_follower(project: Program) -> None:
    """Killed by somebody: no zombie, the command goes on, and it is said at once what to do; that
    others tidy up behind it is no trouble.
    """
    with dev_watched(project) as run:
        run.until_started("one")
        follower = run.follower()
        os.kill(follower, signal.SIGKILL)
        run.until_said("changes are not followed any more, until `secretkit dev watch`")
        assert not Path(f"/proc/{follower}").exists()
        project.ok("rotate", "x", "-", input=b"two")
        for left in Path(project.environ["XDG_RUNTIME_DIR"], "secretkit").glob("run-*"):
            shutil.rmtree(left)
        time.sleep(1.5)
        assert len(run.said()) == 2
        assert run.starts() == ["one"]
        assert run.end() == 0


def test_in_a_terminal(project: Program) -> None:
    """A program that talks keeps the terminal; Ctrl-C reaches it once, Ctrl-Z stops all."""
    script = (
        "import signal, time; n = []\n"
        "signal.signal(signal.SIGINT, lambda *_: n.append(1))\n"
        "while (line := input('> ')) != 'end': print('got', line, len(n))\n"
    )
    (project.folder / "repl.py").write_text(script)
    shell = pexpect.spawn(
        "sh", ["-i"], cwd=str(project.folder), env={**project.environ, "PS1": "$ "}
    )
    shell.sendline(f"{EXECUTABLE} -q dev watch -- python3 -u repl.py; echo status $?")
    shell.expect("> ", timeout=PATIENCE)
    shell.sendline("one")
    shell.expect("got one 0\r\n> ", timeout=PATIENCE)
    shell.sendintr()
    shell.sendline("two")
    shell.expect("got two 1\r\n> ", timeout=PATIENCE)
    shell.sendcontrol("z")
    shell.expect("Stopped", timeout=PATIENCE)
    shell.sendline("fg; echo status $?")
    shell.expect("dev watch", timeout=PATIENCE)
    shell.sendline("three")
    shell.expect("got three 1\r\n> ", timeout=PATIENCE)
    shell.sendline("end")
    shell.expect("status 0", timeout=PATIENCE)
    shell.sendline(f"{EXECUTABLE} -q dev watch; echo status $?")
    time.sleep(1)
    shell.sendintr()
    shell.expect("status 0\r\n", timeout=PATIENCE)
    assert b"Traceback" not in shell.before
    shell.close(force=True)


@pytest.mark.parametrize(
    ("limit", "named"),
    [
        ("max_inotify_watches", "fs.inotify.max_user_watches"),
        ("max_inotify_instances", "fs.inotify.max_user_instances"),
    ],
)
def test_inotify_that_is_used_up(project: Program, limit: str, named: str) -> None:
    """It is said which setting that is, once, and changes are seen all the same."""
    inside = f'echo 0 > /proc/sys/user/{limit} && exec "$@"'
    before = (need_program("unshare"), "-U", "-r", "sh", "-c", inside, "sh")
    there = subprocess.run([*before, "true"], check=False).returncode == 0
    need("root", there, "needs user namespaces")
    with dev_watched(project, before=before) as run:
        run.until_started("one")
        run.until_said(named)
        local = project.folder / "dev-secrets.local"
        local.mkdir()
        (local / "x").write_bytes(b"mine")
        run.until_started("one", "mine")
        assert len([line for line in run.said() if named in line]) == 1


def test_a_passphrase_is_asked_for_once(bare: Program) -> None:
    """And never again, though the store is opened at every change."""
    file = bare.write("passphrase", "correct horse")
    bare.ok("-q", "init", "--passphrase", SECRETKIT_PASSPHRASE_FILE=str(file))
    bare.ok("create", "x", "-", input=b"one", SECRETKIT_PASSPHRASE_FILE=str(file))
    file.rename(bare.folder / "aside")
    command = [EXECUTABLE, "dev", "watch", "--", "sh", "-c", "echo has $X; exec sleep 300"]
    child = pexpect.spawn(command[0], command[1:], cwd=str(bare.folder), env=bare.environ)
    child.expect("passphrase of the store: ", timeout=PATIENCE)
    child.sendline("correct horse")
    child.expect("has one", timeout=PATIENCE)
    again = str(bare.folder / "aside")
    bare.ok("rotate", "x", "-", input=b"two", SECRETKIT_PASSPHRASE_FILE=again)
    child.expect("has two", timeout=PATIENCE)
    child.kill(signal.SIGTERM)
    child.expect(pexpect.EOF, timeout=PATIENCE)
    child.close()
    assert b"passphrase" not in child.before


def test_the_environment_is_the_users(project: Program) -> None:
    """COMMAND gets it as it was, and what [entrypoint] says; nothing of Python's own (PEP 538).
    A variable without a name is left out.
    """
    command = ["sh", "-c", "tr '\\0' '\\n' < /proc/$$/environ"]
    environ = {"PATH": os.environ["PATH"], "HOME": project.environ["HOME"], "LANG": "C"}
    names = ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")
    environ |= {name: project.environ[name] for name in names}
    plain = Program(project.folder, environ | {"": "x"})
    found = plain.ok("dev", "watch", "--", *command).text.splitlines()
    assert sorted(found) == sorted([*(f"{name}={text}" for name, text in environ.items()), "X=one"])


def test_what_makes_no_sense(project: Program) -> None:
    """--on-change without a command, a signal that is none, a command that is not there, and one
    without its `--`.
    """
    done = project("dev", "watch", "--on-change", "none")
    assert (done.code, done.lines) == (
        2,
        [
            "secretkit: error: --on-change is for a COMMAND",
            "hint: secretkit dev watch -- COMMAND",
        ],
    )
    done = project("dev", "watch", "sleep")
    assert (done.code, done.lines) == (
        2,
        [
            "secretkit: error: sleep is a program, and would be the name of a dev folder",
            "hint: COMMAND stands after --: secretkit dev watch -- sleep",
        ],
    )
    assert project("dev", "watch", "--on-change", "signal:NOPE", "--", "true").code == 125
    assert project("dev", "watch", "--", "no-such-command").code == 127


def test_any_order_of_changes(project: Program) -> None:
    """Sixty at random, and the last state is what runs: the campaign dev_watch in small."""
    from tests.campaigns.dev_watch import Storm

    command = with_template(project)
    with dev_watched(project, command=command) as run:
        run.until_started("one one")
        storm = Storm(project, run, random.Random(6))
        for _ in range(60):
            storm.blow()
        storm.settle()
        storm.check()


def test_no_folder_that_is_not_ours(project: Program) -> None:
    """As `dev up`: exit 4, and nothing is started."""
    (project.folder / "dev-secrets").mkdir()
    (project.folder / "dev-secrets" / "mine").touch()
    done = project("dev", "watch", "--", "touch", "started")
    assert done.code == 4
    assert not (project.folder / "started").exists()

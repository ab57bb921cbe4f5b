"""`dev run`: how its command begins and ends, its options, and that nothing is left."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pexpect
import pytest

from tests.cli.program import EXECUTABLE, Program
from tests.mount.person import HERE, owner, start


@pytest.mark.parametrize(
    ("script", "code"), [("exit 7", 7), ("kill -TERM $$", -15), ("kill -PIPE $$", -13)]
)
def test_the_status_is_the_commands(user: Program, script: str, code: int) -> None:
    """Exit codes and deaths by signals, as of any child."""
    assert user("dev", "run", "--", "sh", "-c", script).code == code


@pytest.mark.parametrize("words", [("run",), ("dev", "run"), ("dev", "run", "--shim")])
def test_a_variable_without_a_name(user: Program, words: tuple[str, ...]) -> None:
    """It is left out, as Python cannot pass it on; the rest of the environment is there."""
    user.create("db")
    program = Program(user.folder, {**user.environ, "": "x", "A": "a"}, before=user.before)
    assert program.ok(*words, "--", "sh", "-c", 'echo "$A"').text == "a\n"


def test_what_cannot_be_started(user: Program) -> None:
    """127 and 126 as in a shell, before anything is read or made."""
    user.write("secretkit.toml", '[secrets.db]\ngenerate = "hex"\n')
    done = user("dev", "run", "--", "no-such-command", "c4n4ry")
    assert (done.code, done.lines) == (
        127,
        ["secretkit: error: command not found, no-such-command"],
    )
    done = user("dev", "run", "--", "/etc/passwd")
    assert (done.code, done.lines[0]) == (126, "secretkit: error: cannot execute /etc/passwd")
    done = user("dev", "run", "--")
    assert (done.code, done.lines[0]) == (2, "secretkit: error: no command to run")
    done = user("dev", "run", "sh", "--mock")
    assert (done.code, "stands after `--`" in done.lines[0]) == (2, True)
    assert user.ok("ls", "--json").json == []


def test_a_script_without_an_interpreter_is_not_started(user: Program) -> None:
    """What the kernel refuses: 126, and the reason."""
    path = user.write("script", "echo c4n4ry\n")
    path.chmod(0o755)
    done = user("dev", "run", "--", str(path))
    assert (done.code, done.lines) == (
        126,
        [f"secretkit: error: cannot execute {path}, exec format error"],
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("#!/no/such -x\n", "names /no/such, which does not exist"),
        ("#! /bin/sh\r\n", "ends as in Windows (CR LF), which no kernel reads"),
    ],
)
def test_a_script_whose_interpreter_is_not_there(user: Program, line: str, reason: str) -> None:
    """The first line is named, and not the script, which is there."""
    path = user.folder / "script"
    path.write_bytes(line.encode())
    path.chmod(0o755)
    done = user("dev", "run", "--", "./script")
    assert (done.code, done.lines) == (
        126,
        [f"secretkit: error: cannot execute ./script, its first line {reason}"],
    )


def test_a_current_folder_that_is_gone(user: Program) -> None:
    """A place that starts at it is said to be none; another one will do."""
    user.create("db")
    (user.folder / "gone").mkdir()
    script = 'cd gone && rmdir ../gone && exec "$0" dev run "$@"'
    shell = ["sh", "-c", script, EXECUTABLE]

    def start(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*user.before, *shell, *words],
            cwd=user.folder,
            env={**user.environ, "SECRETKIT_PROJECT": str(user.folder)},
            capture_output=True,
            text=True,
            check=False,
        )

    for words in (["--at", "x"], ["--at", "x", "--shim"]):
        done = start(*words, "--", "true")
        (user.folder / "gone").mkdir()
        assert (done.returncode, done.stderr.splitlines()[0]) == (
            2,
            "secretkit: error: --at x is relative, and the current folder is gone",
        )
    assert start("--", "cat", f"{HERE}/db").stdout == "v1"


def test_on_a_terminal(user: Program) -> None:
    """The command has the terminal: what is typed, and Ctrl-C."""
    user.create("db")
    script = "test -t 0 && trap 'echo caught; exit 3' INT; read line; echo \"<$line>\"; "
    script += "while :; do sleep 0.1; done"
    words = [*user.before, EXECUTABLE, "dev", "run", "--", "sh", "-c", script]
    child = pexpect.spawn(
        words[0], words[1:], cwd=str(user.folder), env=user.environ, encoding="utf-8", timeout=20
    )
    child.sendline("typed")
    child.expect_exact("<typed>")
    child.sendintr()
    child.expect_exact("caught")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 3


def test_a_fresh_clone_needs_nothing_else(anyone: Program) -> None:
    """What secretkit.toml declares is created first, the store too."""
    clone = anyone.folder.parent / "clone"
    clone.mkdir()
    os.chown(clone, *owner(anyone))
    (clone / "secretkit.toml").write_text('[secrets.db]\ngenerate = "hex"\n')
    done = anyone.ok("dev", "run", "--", "sh", "-c", f"wc -c < {HERE}/db", folder=clone)
    assert done.out == b"64\n"
    assert anyone.ok("show", "db", folder=clone).out.isalnum()


def test_values_are_those_of_the_start(user: Program) -> None:
    """As in a task: a rotation does not reach a command that runs."""
    user.create("db", b"first")
    process = start(
        user,
        "sh",
        "-c",
        f"echo; read x; cat {HERE}/db",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    user.ok("rotate", "db", "-", input=b"second")
    assert process.communicate(b"\n", timeout=60)[0] == b"first"


def test_one_in_another(user: Program) -> None:
    """A command may itself be `dev run`, of another project for instance."""
    user.create("db", b"outer")
    other = user.folder.parent / "other"
    other.mkdir()
    os.chown(other, *owner(user))
    user.ok("--quiet", "init", folder=other)
    user.ok("create", "web", "-", input=b"inner", folder=other)
    inner = [
        EXECUTABLE,
        "--project",
        str(other),
        "dev",
        "run",
        "--",
        "sh",
        "-c",
        f"cat {HERE}/*; id -u",
    ]
    script = f'"$@"; cat {HERE}/*'
    done = user.ok("dev", "run", "--", "sh", "-c", script, "sh", *inner)
    assert done.text == f"inner{owner(user)[0]}\nouter"


def test_at_another_place(user: Program) -> None:
    """--at: a folder that is there is covered; one that is not must be made."""
    user.create("db", b"v1")
    (user.folder / "etc").mkdir()
    user.write("etc/app.conf", "x")
    assert user.ok("dev", "run", "--at", "etc", "--", "ls", "etc").text == "db\n"
    done = user("dev", "run", "--at", "nowhere", "--", "true")
    assert done.code == 1
    assert done.lines[0] == f"secretkit: error: no such folder, {user.folder / 'nowhere'}"
    done = user("dev", "run", "--at", "my dir", "--", "true")
    assert done.lines[1] == f"hint: make it first: mkdir -p '{user.folder}/my dir'"
    assert os.listdir(user.folder / "etc") == ["app.conf"]


def test_the_layouts(user: Program) -> None:
    """--layout kubernetes: links through ..data, as a volume of the kubelet's."""
    user.create("db", b"v1")
    script = f"readlink {HERE}/db {HERE}/..data && cat {HERE}/db"
    link, data, value = user.ok(
        "dev", "run", "--layout", "kubernetes", "--", "sh", "-c", script
    ).text.split("\n")
    assert (link, data[:4], value) == ("..data/db", "..20", "v1")


def test_mock_values(user: Program) -> None:
    """--mock: values made up instead of those of the store."""
    user.create("db", b"c4n4ry")
    done = user.ok("dev", "run", "--mock", "--", "cat", f"{HERE}/db")
    assert b"c4n4ry" not in done.out
    assert done.out


# -- through the shim ------------------------------------------------------------------------------


def test_through_the_shim(anyone: Program) -> None:
    """--shim: [entrypoint] with the files at /run/secrets. Nothing of ours is in the command."""
    anyone.create("db-password", b's3cret "x"\n')
    anyone.write("app.json", '{"p": "<<db-password>>"}')
    target = Path(anyone.environ["XDG_RUNTIME_DIR"]) / "app.json"
    anyone.write(
        "secretkit.toml",
        '[entrypoint]\nwatch = true\nenv = { PW = "db-password" }\n[[entrypoint.render]]\n'
        f'source = "app.json"\ndestination = "{target}"\n',
    )
    script = f'echo "$PW"; env | grep -c SECRETKIT; echo /proc/$$/fd/*; ls {HERE}; exit 9'
    done = anyone("dev", "run", "--shim", "--", "sh", "-c", script)
    assert done.code == 9, done.err
    password, variables, descriptors, secrets = done.text.splitlines()
    assert (password, variables, secrets) == ('s3cret "x"', "0", "db-password")
    assert [path.rpartition("/")[2] for path in descriptors.split()][:3] == ["0", "1", "2"]
    assert json.loads(target.read_bytes()) == {"p": 's3cret "x"'}
    anyone.write("secretkit.toml", '[entrypoint]\nenv = { PW = "nothing" }\n')
    assert anyone("dev", "run", "--shim", "--", "true").code == 125


# -- nothing is left -------------------------------------------------------------------------------


def left(program: Program) -> dict[str, object]:
    """All that a run could leave: mounts, and files in memory and on disk."""
    above = program.folder.parent
    journals = ("-journal", "-wal", "-shm")  # SQLite's, which the next run takes in
    found = [path for folder in ("home", "project", "tmp") for path in (above / folder).rglob("*")]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return {
        "files": sorted(str(path) for path in found if not path.name.endswith(journals)),
        "memory": sorted(map(str, Path(program.environ["XDG_RUNTIME_DIR"]).rglob("*"))),
        "shared": [str(path) for path in Path("/dev/shm").glob(f"secretkit-{owner(program)[0]}*")],
        "place": os.path.lexists(HERE),
        "mounts": [line for line in mounts if " /run " in line or f" {HERE} " in line],
    }


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL, None])
def test_nothing_is_left(user: Program, end: signal.Signals | None) -> None:
    """After a normal end, and after SIGTERM and SIGKILL at any moment."""
    user.create("db", b"c4n4ry")
    user.ok("dev", "run", "--", "true")
    before = left(user)
    chance = random.Random(7)
    for _ in range(50 if end else 3):
        process = start(user, "sleep", "60" if end else "0", stderr=subprocess.DEVNULL)
        if end:
            time.sleep(chance.uniform(0, 0.2))
            process.send_signal(end)
        assert process.wait(20) == (-end if end else 0)
    assert left(user) == before
    user.ok("check")

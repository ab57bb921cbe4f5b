"""`run`, `render` and `shim export`: thin users of the shim."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.program import EXECUTABLE, Program
from tests.needs import need_root

PROBE = (
    "import json, os, sys; print(json.dumps({'pid': os.getpid(), 'parent': os.getppid(),"
    " 'environ': dict(os.environ), 'fds': sorted(map(int, os.listdir('/proc/self/fd')))[:-1]}))"
)


def left_in(memory: Path, seconds: float = 5) -> list[Path]:
    """What stays in memory, once the janitor had its time."""
    end = time.monotonic() + seconds
    while (found := list(memory.glob("secretkit/run-*"))) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def test_the_command_gets_the_current_values(cli: Program, memory: Path) -> None:
    """Every secret is a variable by default; none of ours stays in the environment."""
    cli.create("db-password", b"first")
    cli.ok("rotate", "db-password", "-", input=b"s3cret $x\n\n")
    done = cli.ok("run", "--", sys.executable, "-c", PROBE, SECRETKIT_PROJECT=str(cli.folder))
    environ = done.json["environ"]
    assert environ["DB_PASSWORD"] == "s3cret $x"
    assert [name for name in environ if name.startswith("SECRETKIT")] == []
    assert done.json["fds"] == [0, 1, 2]
    assert left_in(memory) == []


def test_secretkit_becomes_the_command(cli: Program, memory: Path) -> None:
    """The same process, no parent in between, the folder gone while the command runs."""
    cli.create("db")
    code = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(60)"
    process = subprocess.Popen(
        [EXECUTABLE, "run", "--", sys.executable, "-c", code],
        cwd=cli.folder,
        env=cli.environ,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert int(process.stdout.readline()) == process.pid
    assert left_in(memory) == []
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == -signal.SIGTERM
    process.stdout.close()


@pytest.mark.parametrize(
    ("command", "code"),
    [(["sh", "-c", "exit 42"], 42), (["no-such-command"], 127), (["/etc/passwd"], 126)],
)
def test_exit_codes_are_the_commands(
    cli: Program, memory: Path, command: list[str], code: int
) -> None:
    """The status of the command, or the shim's where it cannot be started."""
    assert cli("run", "--", *command).code == code
    assert left_in(memory) == []


def test_the_shims_options_are_passed_on(cli: Program) -> None:
    """What stands before the command is the shim's."""
    cli.create("db")
    done = cli.ok("run", "--env", "X=db", "--pristine", "--", sys.executable, "-c", PROBE)
    assert {k: v for k, v in done.json["environ"].items() if k != "LC_CTYPE"} == {"X": "v1"}
    done = cli("run", "--env", "X=nothing", "--", "true")
    assert done.code == 125
    assert done.err.startswith("secretkit-entrypoint: error: ")


def test_the_entrypoint_table_hands_secrets_over(cli: Program, memory: Path) -> None:
    """stdin, fd, arg and values inside a secret: what the store has reaches the command."""
    cli.create("db", b'{"user": "app", "key": "AAEK"}')
    cli.create("pw", b"s3cret\n")
    cli.write(
        "secretkit.toml",
        '[entrypoint]\nstdin = "pw"\narg = ["db#/user"]\nallow_argv = true\n'
        'fd = { KEY = "db#/key|base64d" }\nrequire = ["db#/user"]\n',
    )
    done = cli.ok("run", "sh", "-c", 'cat - "$KEY"; echo "$KEY $1"', "sh", "<<db#/user>>")
    assert done.out == b"s3cret\n\0\1\n/dev/fd/3 app\n"
    assert left_in(memory) == []


def test_the_entrypoint_table_is_used(cli: Program, memory: Path) -> None:
    """[entrypoint] of secretkit.toml, with sources from the project folder; options go first."""
    cli.create("db-password", b'a "b"')
    target = memory / "app.json"
    cli.write("app.json", '{"p": "<<db-password>>"}')
    cli.write(
        "secretkit.toml",
        '[entrypoint]\nenv = { FROM_FILE = "db-password" }\n[[entrypoint.render]]\n'
        f'source = "app.json"\ndestination = "{target}"\n',
    )
    below = cli.folder / "below"
    below.mkdir()
    done = cli.ok("run", "--", sys.executable, "-c", PROBE, folder=below)
    assert done.json["environ"]["FROM_FILE"] == 'a "b"'
    assert json.loads(target.read_bytes()) == {"p": 'a "b"'}


def test_run_does_not_watch(cli: Program, memory: Path) -> None:
    """The values are those of this moment, so with `watch` it becomes COMMAND all the same."""
    cli.create("db")
    cli.write("secretkit.toml", '[entrypoint]\nwatch = true\non_change = "signal:HUP"\n')
    done = cli.ok("run", "--", sys.executable, "-c", PROBE)
    assert done.json["parent"] == os.getpid()
    assert done.lines == []


def test_killed_while_it_reads(cli: Program, memory: Path) -> None:
    """SIGKILL at any moment leaves no plaintext: the janitor removes the folder."""
    for number in range(20):
        cli_value = os.urandom(16)
        cli.ok("-q", "create" if number == 0 else "rotate", "db", "-", input=cli_value)
    for step in range(30):
        process = subprocess.Popen(
            [EXECUTABLE, "run", "--", "sleep", "5"], cwd=cli.folder, env=cli.environ
        )
        time.sleep(0.08 + step * 0.006)
        process.kill()
        process.wait()
    assert left_in(memory) == []


def test_without_memory_nothing_is_started(cli: Program) -> None:
    """A base that is not private stops it: exit 1, no command."""
    cli.create("db")
    base = Path(cli.environ["XDG_RUNTIME_DIR"]) / "secretkit"
    base.mkdir(mode=0o755)
    base.chmod(0o755)
    done = cli("run", "--", "echo", "started")
    assert (done.code, done.out) == (1, b"")
    assert done.lines[0].startswith("secretkit: error: not a private folder, ")


def test_a_full_memory_is_named(cli: Program, memory: Path) -> None:
    """The place that is full is said; nothing is started."""
    need_root()
    cli.create("db", b"x" * 100_000)
    script = 'mount -t tmpfs -o mode=700,size=64k tmpfs "$0" && exec "$@"'
    cli.before = ("unshare", "--mount", "sh", "-c", script, str(memory))
    done = cli("run", "--", "echo", "started")
    assert (done.code, done.out) == (1, b"")
    assert done.lines[0].startswith(f"secretkit: error: no space left on device, {memory}/")


def test_render(cli: Program, memory: Path) -> None:
    """A template is rendered by the shim's code; the destination is named on stdout."""
    cli.create("db", b'it\'s \\ "x"')
    cli.write("t.json", '{"p": "<<db>>"}')
    target = memory / "out.json"
    assert cli.ok("render", f"t.json:{target},mode=0440").text == f"{target}\n"
    assert json.loads(target.read_bytes()) == {"p": 'it\'s \\ "x"'}
    assert target.stat().st_mode & 0o777 == 0o440
    assert cli.ok("render", f"t.json:{target}", "--json").json == {
        "rendered": [str(target)],
        "checked": [str(target)],
    }


def test_render_of_the_file(cli: Program, memory: Path) -> None:
    """Without arguments, the renders of secretkit.toml."""
    cli.create("db")
    cli.write("t.ini", "[x]\np = <<db>>\n")
    cli.write(
        "secretkit.toml",
        f'[[entrypoint.render]]\nsource = "t.ini"\ndestination = "{memory}/a"\nformat = "ini"\n',
    )
    assert cli.ok("render").text == f"{memory}/a\n"
    assert (memory / "a").exists()


def test_render_on_disk_is_refused(cli: Program) -> None:
    """Plaintext does not reach a disk unless it is allowed; the shim's line becomes ours."""
    if subprocess.run(
        ["stat", "-fc", "%T", cli.folder], capture_output=True, check=True
    ).stdout in (b"tmpfs\n",):
        pytest.skip("the temporary folder is on tmpfs")
    cli.create("db")
    cli.write("t.ini", "p = <<db>>\n")
    done = cli("render", "t.ini:out.ini")
    assert done.code == 1
    assert done.lines[0].startswith("secretkit: error: destination out.ini: ")
    assert "--allow-disk" in done.lines[0]
    assert not (cli.folder / "out.ini").exists()
    cli.ok("render", "t.ini:out.ini", "--allow-disk")
    assert (cli.folder / "out.ini").exists()


def test_render_check(cli: Program, memory: Path) -> None:
    """--check reports every problem with file, line and column, and writes nothing."""
    cli.create("db")
    cli.write("good.ini", "p = <<db>>\n")
    cli.write("bad.ini", "\np = <<nothing_value>>\n")
    cli.ok("render", f"good.ini:{memory}/good", "--check")
    done = cli("render", f"bad.ini:{memory}/bad,format=ini", "none.ini:/proc/x", "--check")
    assert done.code == 1
    assert len([line for line in done.lines if line.startswith("secretkit: error: ")]) >= 3
    assert any("bad.ini:2:5" in line for line in done.lines), done.err
    assert list(memory.glob("good")) == []


def test_render_diff_masks(cli: Program, memory: Path) -> None:
    """What changes is shown; no value is, neither a current one nor one that was there."""
    cli.create("db", b"c4n4ry-current")
    cli.create("api", b"c4n4ry-api")
    cli.write("t.ini", "[app]\nuser = app\npassword = <<db>>\nboth = <<db>>, <<api>>\nport = 2\n")
    target = memory / "t.ini"
    target.write_text(
        "[app]\nuser = app\npassword = c4n4ry-before\nport = 1\nother = c4n4ry-unknown\n"
    )
    done = cli.ok("render", f"t.ini:{target}", "--diff")
    assert done.text == (
        f"--- {target}\n"
        f"+++ {target}\n"
        "@@ -1,5 +1,5 @@\n"
        " [app]\n"
        " user = app\n"
        "-password = <<db>>\n"
        "-<masked: not a line of the template>\n"
        "-<masked: not a line of the template>\n"
        "+password = <<db>>\n"
        "+both = <<db>>, <<api>>\n"
        "+port = 2\n"
    )
    assert "c4n4ry" in target.read_text()
    cli.ok("render", f"t.ini:{target}")
    assert cli.ok("render", f"t.ini:{target}", "--diff").lines == [
        f"secretkit: no change in {target}"
    ]
    (found,) = cli.ok("render", f"t.ini:{target}", "--diff", "--json").json
    assert found == {"destination": str(target), "changed": False, "diff": []}


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("a: 1\np: {{ env.DB_PASSWORD }}\n", ["+a: 1", "+p: {{ env.DB_PASSWORD }}"]),
        ("p: {{ secrets.db[:9] }}\n", ["+p: {{ secrets.db[:9] }}"]),
        ("p: {{\nsecrets.db[2:] }}\n", ["+<masked: not a line of the template>"]),
        (
            "- x\n{% for c in secrets.db %}\n- {{ c }}\n{% endfor %}\n",
            ["+<masked: not a line of the template>"],
        ),
        (
            "- x\n{% if secrets.db[0] == 'c' %}\n- c4n4ry\n{% endif %}\n",
            ["+<masked: not a line of the template>"],
        ),
    ],
)
def test_render_diff_shows_the_templates_own_text_only(
    cli: Program, memory: Path, template: str, shown: list[str]
) -> None:
    """No variable, no part of a value, and of blocks not even which lines were chosen."""
    cli.create("db", b"c4n4ry-current")
    cli.write("t.yaml.j2", template)
    done = cli.ok("render", f"t.yaml.j2:{memory}/t.yaml", "--diff", DB_PASSWORD="c4n4ry-variable")
    lines = done.text.splitlines()[3:]
    assert sorted(set(lines)) == sorted(shown)


def test_render_leaves_nothing_in_memory(cli: Program, memory: Path) -> None:
    """The private folder is gone when it returns, also after an error."""
    cli.create("db")
    cli.write("t.ini", "p = <<db>>\n")
    cli.ok("render", f"t.ini:{memory}/x", "--diff")
    cli("render", "t.ini:/proc/x")
    assert left_in(memory) == []


def test_run_refuses_to_watch(cli: Program) -> None:
    """Its folder is gone when COMMAND starts: refused, but for a --watch that is COMMAND's."""
    cli.create("db")
    for words in (("--watch", "true"), ("--env", "X=db", "--strict", "--watch", "--", "true")):
        done = cli("run", *words)
        assert (done.code, done.out) == (2, b"")
        assert "run cannot watch" in done.err and "secretkit dev watch --" in done.err
    assert "run cannot watch" in cli("run", "true", SECRETKIT_WATCH="1").err
    for words in (
        ("echo", "--watch"),
        ("--env", "X=db", "echo", "--watch"),
        ("--", "echo", "--watch"),
    ):
        assert cli.ok("run", *words, SECRETKIT_WATCH="0").out == b"--watch\n"
    cli.write("c.json", "{}")
    assert cli.ok("run", "--config", "c.json", "echo", "--watch").out == b"--watch\n"


def test_shim_export(cli: Program) -> None:
    """The shim as files, which run; files that differ are not overwritten without --force.

    The lines for a Dockerfile name the folder as COPY needs it.
    """
    done = cli.ok("shim", "export", "out")
    start = '["python3", "-ISB", "/opt/secretkit/secretkit-entrypoint"'
    lines = ["COPY out /opt/secretkit", f'RUN {start}, "--compile"]', f'ENTRYPOINT {start}, "--"]']
    assert done.text.splitlines() == lines
    (cli.folder / "a b").mkdir()
    lines[0] = 'COPY ["a b/shim", "/opt/secretkit"]'
    assert cli.ok("shim", "export", "a b/shim").text.splitlines() == lines
    (cli.folder / "inner").mkdir()
    outside = cli.ok("shim", "export", "../out", folder=cli.folder / "inner")
    assert outside.text.startswith("COPY out /opt/secretkit\n")
    assert "not in this folder" in outside.err
    launcher = cli.folder / "out" / "secretkit-entrypoint"
    assert subprocess.run([launcher, "--version"], capture_output=True, check=True).stdout
    launcher.write_text("changed")
    assert cli("shim", "export", "out").code == 4
    cli.ok("shim", "export", "out", "--force")
    assert cli.ok("shim", "export", "out", "--json").json[0] == "out/secretkit-entrypoint"


def test_help_lists_the_shims_options(bare: Program) -> None:
    """`run --help` holds the shim's own list."""
    text = bare.ok("run", "--help").text
    assert "  --expand-file NAME    NAME_FILE=/path becomes NAME=<content> (repeatable)\n" in text


def test_the_shim_of_render_dumps_no_core(cli: Program, memory: Path) -> None:
    """Its limit is 0 whatever ours was; the command of `run` has the limit that we had."""
    cli.create("db")
    fifo = memory / "t.ini"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        ["sh", "-c", f"ulimit -S -c 4; exec {EXECUTABLE} render {fifo}:{memory}/out"],
        cwd=cli.folder,
        env=cli.environ,
        stdout=subprocess.DEVNULL,
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(OSError):  # a child that is gone already
                folders = [Path("/proc") / number for number in children.read_text().split()]
                shims = [f for f in folders if b"-entrypoint" in (f / "cmdline").read_bytes()]
                if shims:
                    break
            time.sleep(0.01)
        limits = (shims[0] / "limits").read_text()
    finally:
        process.kill()
        process.wait()
    (line,) = (line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert line.split()[4] == "0"


def test_a_project_in_a_folder_that_is_not_unicode(cli: Program, memory: Path) -> None:
    """Paths are bytes: [[entrypoint.render]] works from there."""
    cli.create("db")
    cli.write("t.ini", "p = <<db>>\n")
    cli.write(
        "secretkit.toml",
        f'[[entrypoint.render]]\nsource = "t.ini"\ndestination = "{memory}/a"\n',
    )
    folder = cli.folder.rename(cli.folder.with_name(os.fsdecode(b"p\xff")))
    assert cli.ok("run", "--", "cat", memory / "a", folder=folder).out == b"p = v1\n"
    assert cli.ok("render", folder=folder).text == f"{memory}/a\n"

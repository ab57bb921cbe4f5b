"""Under every Python: the process cannot tell that a shim started it."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import need_program, need_root
from tests.shim.conftest import LAUNCHER, NOBODY, Shim, status_of

SIGNALS = ("SigIgn", "SigBlk", "SigCgt", "SigPnd", "ShdPnd", "NoNewPrivs", "Seccomp", "Threads")


def signals(status: bytes) -> dict[str, str]:
    """What /proc/self/status says about signals and restrictions."""
    lines = status_of(status)
    return {key: lines[key] for key in SIGNALS}


def test_the_environment_is_what_was_asked_and_nothing_else(every_shim: Shim, secret) -> None:
    """Every secret becomes a variable; the rest is inherited; SECRETKIT_* is gone."""
    secret("db-password", b"s3cret\n")
    secret("api.key", b"\xff\x00".replace(b"\x00", b"\x01"))
    env = {b"A": b"\xfe=1", b"EMPTY": b"", b"SECRETKIT_PRISTINE": b"0", b"SECRETKIT_PROJECT": b"x"}
    assert every_shim.variables(env=env) == {
        b"A": b"\xfe=1",
        b"EMPTY": b"",
        b"DB_PASSWORD": b"s3cret",
        b"API_KEY": b"\xff\x01",
    }


@pytest.mark.parametrize(
    "locale",
    [
        {},
        {b"LC_CTYPE": b"C"},
        {b"LC_CTYPE": b""},
        {b"LC_CTYPE": b"C.UTF-8"},
        {b"LC_CTYPE": b"POSIX", b"LANG": b"C"},
        {b"LC_ALL": b"C"},
        {b"LANG": b"C.UTF-8", b"LC_CTYPE": b"C"},
    ],
    ids=repr,
)
def test_locale_variables_are_as_they_were(every_shim: Shim, locale: dict[bytes, bytes]) -> None:
    """Python >= 3.7 overwrites LC_CTYPE in a C locale; the process gets the original, or none."""
    assert every_shim.variables("--no-env", env=locale) == locale


def test_python_variables_steer_the_process_and_not_the_shim(every_shim: Shim) -> None:
    """PYTHON* reaches the process untouched, and the isolated shim does not heed it."""
    env = {b"PYTHONPATH": b"/nowhere", b"PYTHONVERBOSE": b"1", b"PYTHONHOME": b"/nowhere"}
    done = every_shim.run("--no-env", "--", "/usr/bin/env", env=env)
    assert done.stderr == b""
    assert set(done.stdout.splitlines()) >= {name + b"=" + env[name] for name in env}


@pytest.mark.parametrize("locale", [b"C", b"C.UTF-8"])
def test_arguments_are_the_same_bytes(every_shim: Shim, locale: bytes) -> None:
    """argv passes through in any locale: UTF-8, other bytes, empty, newlines, options."""
    words = [b"", b"\xff\xfe", "ä€😀".encode(), b"a\nb", b"--env", b"--", b"\xed\xb2\x80", b" "]
    command = ["sh", "-c", "cat /proc/$$/cmdline; exit", "sh", *words]
    output = every_shim.output("--no-env", "--", *command, env={b"LC_ALL": locale})
    assert output == b"".join(os.fsencode(word) + b"\0" for word in command)


@pytest.mark.parametrize("status", [0, 1, 3, 125, 126, 127, 255])
def test_the_exit_status_is_the_process_s_own(every_shim: Shim, status: int) -> None:
    """The shim is replaced, so every status is the command's."""
    assert every_shim.run("--no-env", "sh", "-c", f"exit {status}").returncode == status


def test_a_signal_ends_the_process_itself(every_shim: Shim) -> None:
    """SIGPIPE kills a writer as it does without the shim: its disposition is the default."""
    done = every_shim.run("--no-env", "--", "sh", "-c", "kill -PIPE $$; exit 1")
    assert done.returncode == -signal.SIGPIPE


def test_it_keeps_the_pid_and_has_no_parent_of_ours(every_shim: Shim) -> None:
    """exec, not fork: the pid that was started is the pid that runs."""
    argv = every_shim.argv("--no-env", "sh", "-c", "echo $$ $PPID")
    with subprocess.Popen(argv, env=every_shim.environ, stdout=subprocess.PIPE) as process:
        output, _ = process.communicate(timeout=60)
    assert output == f"{process.pid} {os.getpid()}\n".encode()


def test_signals_mask_umask_and_folder_are_as_without_the_shim(
    every_shim: Shim, tmp_path: Path
) -> None:
    """Ignored, blocked and caught signals, umask and cwd equal those of a direct start."""

    def prepare() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
        os.umask(0o027)

    def direct(argv: list[str]) -> bytes:
        options = {"preexec_fn": prepare, "cwd": tmp_path, "env": every_shim.environ}
        return subprocess.run(argv, capture_output=True, check=True, **options).stdout

    def shimmed(argv: list[str]) -> bytes:
        return every_shim.run("--no-env", "--", *argv, preexec_fn=prepare, cwd=tmp_path).stdout

    # cat, as a Python would ignore SIGPIPE itself
    expected = signals(direct(["cat", "/proc/self/status"]))
    assert signals(shimmed(["cat", "/proc/self/status"])) == expected
    assert int(expected["SigIgn"], 16) & 3 == 3
    assert expected["SigBlk"] == "0" * 12 + "4200"
    command = ["sh", "-c", "umask; pwd"]
    assert shimmed(command) == direct(command) == f"0027\n{tmp_path}\n".encode()


def test_no_descriptor_above_2_survives(every_shim: Shim, tmp_path: Path) -> None:
    """Descriptors that were inherited without close-on-exec are closed, too."""
    with (tmp_path / "file").open("wb") as file:
        os.dup2(file.fileno(), 57)
        try:
            done = every_shim.run("--no-env", "ls", "/proc/self/fd", pass_fds=(file.fileno(), 57))
        finally:
            os.close(57)
    # 3 is the one that lists the folder
    assert done.stdout == b"0\n1\n2\n3\n"


def test_closed_standard_descriptors_stay_closed(every_shim: Shim, secret) -> None:
    """Started with stdin and stderr closed, the process has them closed, and its variables."""
    secret("a", b"1")
    argv = [os.fsdecode(word) for word in every_shim.argv("--", "sh", "-c")]
    script = "exec \"$@\" \"echo \\$A; ls /proc/self/fd | tr '\\n' ' '\" 0<&- 2>&-"
    done = subprocess.run(
        ["sh", "-c", script, "sh", *argv], env=every_shim.environ, capture_output=True, check=True
    )
    # ls opens the folder as the first free descriptor, 0
    assert done.stdout.decode().splitlines() == ["1", "0 1 "]


@pytest.mark.parametrize(
    ("spec", "uid", "gid", "groups"),
    [
        ("nobody", 65534, None, None),
        ("12345:54321", 12345, 54321, [54321]),
        ("nobody:12", 65534, 12, [12]),
        ("root", 0, 0, None),
    ],
)
def test_user_is_taken_for_good(every_shim: Shim, mount: Path, spec, uid, gid, groups) -> None:
    """--user sets all four uids and gids and the groups, and leaves no capability behind."""
    need_root()
    command = ("--no-env", "--user", spec, "cat", "/proc/self/status")
    status = status_of(every_shim.output(*command, extra_groups=[4, 20, 27]))
    assert status["Uid"].split() == [str(uid)] * 4
    if gid is None:
        gid = pwd.getpwuid(uid).pw_gid
    assert status["Gid"].split() == [str(gid)] * 4
    if groups is None:
        groups = sorted(set(os.getgrouplist(spec, gid)))
    assert sorted(map(int, status["Groups"].split())) == groups
    if uid:
        capabilities = [status[key] for key in ("CapPrm", "CapEff", "CapAmb")]
        assert capabilities == ["0" * 16] * 3


def test_user_gets_a_home_of_its_own(shim: Shim, secret) -> None:
    """HOME follows --user, unless it was asked to stay."""
    need_root()
    env = {b"HOME": b"/root"}
    home = os.fsencode(pwd.getpwnam("daemon").pw_dir)
    assert shim.variables("--no-env", "--user", "daemon", env=env) == {b"HOME": home}
    assert shim.variables("--no-env", "--user", "1:7777", env=env) == {b"HOME": home}
    assert shim.variables("--no-env", "--user", "77777:7", env=env)[b"HOME"] == b"/"
    keep = ("--no-env", "--user", "daemon", "--preserve", "HOME")
    assert shim.variables(*keep, env=env)[b"HOME"] == b"/root"
    secret("home", b"/elsewhere")
    options = ("--user", "daemon", "--env", "HOME=home", "--allow-name", "HOME")
    assert shim.variables(*options, env=env)[b"HOME"] == b"/elsewhere"


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        ("nosuchuser", "--user: no user nosuchuser in /etc/passwd"),
        ("nobody:nosuchgroup", "--user: no group nosuchgroup in /etc/group"),
        (
            "77777",
            "--user: uid 77777 has no entry in /etc/passwd, so it has no group: write 77777:GROUP",
        ),
        ("nobody:", "--user nobody:: write USER or USER:GROUP"),
        ("9" * 5000, f"--user: no user {'9' * 5000} in /etc/passwd"),
        ("99999999999", "--user: no user 99999999999 in /etc/passwd"),
    ],
)
def test_a_user_that_is_none_is_refused(shim: Shim, spec: str, line: str) -> None:
    """A user or group that does not exist is an error, and never root."""
    assert shim.problems("--no-env", "--user", spec, "true") == [line]


def test_only_root_can_become_somebody_else(open_shim: Shim) -> None:
    """Another user than one's own is refused to a non-root user; one's own is fine."""
    lines = open_shim.problems("--no-env", "--user", "daemon", "true", **NOBODY)
    assert lines == ["--user 1:1: only root can become another user, not uid 65534"]
    own = ("--no-env", "--user", "65534:65534")
    assert open_shim.output(*own, "id", "-u", **NOBODY) == b"65534\n"


# Starts the rest of its arguments where the effective ids are those of --user 65534:65534 already.
AS_NOBODY = """
import os, sys
os.setgroups([int(group) for group in sys.argv[1].split(",") if group])
os.setresgid(int(sys.argv[2]), 65534, int(sys.argv[2]))
os.setresuid(int(sys.argv[3]), 65534, int(sys.argv[3]))
os.execv(sys.argv[4], sys.argv[4:])
"""


def started_as_nobody(shim: Shim, groups: str, gid: str, uid: str) -> list[str | bytes]:
    """The command line of a shim whose effective uid and gid are nobody's."""
    command = shim.argv("--no-env", "--user", "65534:65534", "cat", "/proc/self/status")
    return [shim.python, "-ISc", AS_NOBODY, groups, gid, uid, *command]


def test_root_is_not_left_in_the_real_and_saved_ids(open_shim: Shim) -> None:
    """Where only the effective ids are the user's already, the real and saved ones follow."""
    argv = started_as_nobody(open_shim, "", "0", "0")
    done = subprocess.run(argv, env=open_shim.environ, capture_output=True, check=True)
    status = status_of(done.stdout)
    assert (status["Uid"].split(), status["Gid"].split()) == (["65534"] * 4, ["65534"] * 4)


def test_groups_that_cannot_be_dropped_are_refused(open_shim: Shim) -> None:
    """Root's supplementary groups in a process that is the user already: nothing is started."""
    argv = started_as_nobody(open_shim, "0,4", "65534", "65534")
    done = subprocess.run(argv, env=open_shim.environ, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (125, b"")
    assert done.stderr.decode() == (
        "secretkit-entrypoint: error: --user 65534:65534: only root can change the supplementary "
        "groups, which are 0, 4 and should be 65534\n"
    )


def test_root_without_capabilities_cannot_drop_and_says_so(shim: Shim) -> None:
    """In a container started with --cap-drop ALL, --user fails with one line, starting nothing."""
    need_root()
    setpriv = need_program("setpriv")
    argv = [
        setpriv,
        "--bounding-set",
        "-setuid,-setgid",
        *shim.argv("--no-env", "--user", "nobody", "true"),
    ]
    done = subprocess.run(argv, env=shim.environ, capture_output=True, check=False)
    assert done.returncode == 125
    assert done.stderr.decode() == (
        "secretkit-entrypoint: error: cannot become uid 65534, gid 65534: root lacks the "
        "capabilities SETUID and SETGID (docker run --cap-add)\n"
    )


@pytest.mark.parametrize("python", [pytest.param("python3", id="PATH")])
def test_the_launcher_runs_by_its_own_first_line_and_through_links(
    python: str, shim: Shim, secret, tmp_path: Path
) -> None:
    """Started directly, and by a link to a link in another folder, it finds its package."""
    secret("a", b"1")
    (tmp_path / "one").symlink_to(LAUNCHER)
    (tmp_path / "two").symlink_to("one")
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    for start in (LAUNCHER, tmp_path / "two"):
        done = subprocess.run(
            [start, "--secrets-dir", shim.mount, "--", "sh", "-c", "echo $A"],
            env={"PATH": path},
            capture_output=True,
            check=False,
        )
        assert (done.stdout, done.stderr) == (b"1\n", b"")


def test_a_launcher_without_its_package_says_what_to_copy(tmp_path: Path) -> None:
    """Only the launcher was copied into the image: one line, status 125."""
    alone = tmp_path / "secretkit-entrypoint"
    alone.write_bytes(LAUNCHER.read_bytes())
    done = subprocess.run([sys.executable, "-ISB", alone, "true"], capture_output=True, check=False)
    assert done.returncode == 125
    assert done.stderr.decode().count("\n") == 1
    assert f"cannot load the package secretkit_entrypoint in {tmp_path}" in done.stderr.decode()
    for stderr in ("2>&-", "2>/dev/full"):
        words = ["sh", "-c", f'exec "$@" {stderr}', "sh", sys.executable, "-ISB", alone, "true"]
        assert subprocess.run(words, check=False).returncode == 125


def test_an_entry_without_a_name_does_not_hinder_the_start(shim: Shim) -> None:
    """An inherited `=x` is left out: the process starts with all the rest."""
    script = (
        "import ctypes, sys\n"
        "words = [word.encode() for word in sys.argv[1:]]\n"
        "strings = lambda items: (ctypes.c_char_p * (len(items) + 1))(*items, None)\n"
        "ctypes.CDLL(None).execve(words[0], strings(words), strings([b'=x', b'A=1']))\n"
    )
    command = shim.argv("--no-env", "--", "/bin/cat", "/proc/self/environ")
    argv = [shim.python, "-ISc", script, *command]
    done = subprocess.run(argv, capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"A=1\0", b"")


def test_an_interrupt_while_the_package_loads_is_quiet(tmp_path: Path) -> None:
    """Ctrl-C before the shim's own handling: status 130 and no traceback."""
    launcher = tmp_path / "secretkit-entrypoint"
    launcher.write_bytes(LAUNCHER.read_bytes())
    package = tmp_path / "secretkit_entrypoint"
    package.mkdir()
    (package / "__init__.py").write_text("import _signal, posix\nposix.kill(posix.getpid(), 2)\n")
    argv = [sys.executable, "-ISB", launcher, "true"]
    done = subprocess.run(argv, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"")

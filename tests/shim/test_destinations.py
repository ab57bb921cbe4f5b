"""Rendered files: where they may go, with which owner and mode, and all of them or none."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.campaigns import race
from tests.needs import need, need_program, need_root
from tests.shim.conftest import NOBODY, Shim


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder on a tmpfs."""
    need("root", Path("/dev/shm").is_dir(), "needs /dev/shm")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def template(tmp_path: Path, secret) -> str:
    """A template with one secret in it."""
    secret("pw", b"s3cret\n")
    path = tmp_path / "app.conf"
    path.write_text('password: "<<pw>>"\n')
    return str(path)


RENDERED = 'password: "s3cret"\n'


def test_a_template_is_rendered_before_the_command_runs(
    every_shim: Shim, template: str, memory: Path
) -> None:
    """The command finds the file, with mode 0400; --render alone sets no variables."""
    path = memory / "app.yaml"
    words = ("--render", f"{template}:{path}", "--", "sh", "-c", f"cat {path}; env")
    assert every_shim.output(*words).decode().startswith(RENDERED + "PATH=")
    assert every_shim.variables(*words[:2]) == {}
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert os.listdir(memory) == ["app.yaml"]


@pytest.mark.parametrize("mode", ["0444", "640", "0600"])
def test_mode_is_exact_whatever_the_umask(
    every_shim: Shim, template: str, memory: Path, mode: str
) -> None:
    """mode= is what the file has, under any umask."""
    path = memory / "app.yaml"
    every_shim.output(
        "--render", f"{template}:{path},mode={mode}", "true", preexec_fn=lambda: os.umask(0o077)
    )
    assert stat.S_IMODE(path.stat().st_mode) == int(mode, 8)


def test_the_file_belongs_to_who_runs_or_to_owner(shim: Shim, template: str, memory: Path) -> None:
    """--user's file is that user's, so that it can read it; owner= says otherwise."""
    need_root()
    path = memory / "app.yaml"
    daemon = pwd.getpwnam("daemon")
    for words, owner in (
        ((f"{template}:{path}",), (0, 0)),
        ((f"{template}:{path}", "--user", "daemon"), (daemon.pw_uid, daemon.pw_gid)),
        ((f"{template}:{path},owner=12:34", "--user", "daemon"), (12, 34)),
    ):
        shim.output("--render", *words, "true")
        assert (path.stat().st_uid, path.stat().st_gid) == owner


def test_the_user_reads_its_file(open_shim: Shim, memory: Path) -> None:
    """A file of mode 0400 rendered by root is readable after --user."""
    (open_shim.mount / "pw").write_bytes(b"s3cret")
    (open_shim.mount.parent / "t").write_text('password: "<<pw>>"\n')
    path = memory / "app.yaml"
    spec = f"{open_shim.mount.parent}/t:{path}"
    output = open_shim.output("--user", "65534:65534", "--render", spec, "cat", str(path))
    assert output.decode() == RENDERED


def test_without_root_it_renders_where_it_may_write(open_shim: Shim, memory: Path) -> None:
    """A non-root user with a tmpfs of its own needs nothing else, and cannot give files away."""
    (open_shim.mount / "pw").write_bytes(b"s3cret")
    (open_shim.mount.parent / "t").write_text('password: "<<pw>>"\n')
    path = memory / "app.yaml"
    spec = f"{open_shim.mount.parent}/t:{path}"
    lines = open_shim.problems("--render", spec, "true", **NOBODY)
    assert lines == [
        f"destination {path}: uid 65534 cannot write to its folder: it is read-only or belongs to "
        "somebody else"
    ]
    os.chown(memory, 65534, 65534)
    assert open_shim.output("--render", spec, "cat", str(path), **NOBODY).decode() == RENDERED
    lines = open_shim.problems("--render", spec + ",owner=0:0", "true", **NOBODY)
    reason = "only root, with the capability CHOWN, can give it to owner 0:0"
    assert lines == [f"destination {path}: {reason}"]
    assert path.read_text() == RENDERED
    assert os.listdir(memory) == ["app.yaml"]


@pytest.mark.parametrize(
    "path", ["/proc/self/comm", "/sys/x", "/dev/null", "/proc", "//dev/./x", "/dev/shmx/y"]
)
@pytest.mark.parametrize("disk", [(), ("--allow-disk",)])
def test_kernel_folders_are_refused(every_shim: Shim, template: str, path: str, disk) -> None:
    """/proc, /sys and /dev (but /dev/shm) are no place for a file, however they are spelt."""
    root = "/" + path.strip("/").split("/")[0]
    assert every_shim.problems("--render", f"{template}:{path}", *disk, "true") == [
        f"destination {path}: nothing is written under {root} (but in /dev/shm)"
    ]


@pytest.mark.parametrize("path", ["/dev/shm/../x", "..", "/", "a/", "a/.", "/tmp/../proc/x"])
def test_a_path_that_names_no_file_is_refused(shim: Shim, template: str, path: str) -> None:
    """`..`, the root, a trailing slash: no file, or not the one that it seems."""
    assert shim.problems("--render", f"{template}:{path}", "true") == [
        f"destination {path}: name a file, by a path without `..`"
    ]


def test_links_are_not_followed(every_shim: Shim, template: str, memory: Path) -> None:
    """A link among the folders, or as the file itself, is named with what it leads to."""
    (memory / "real").mkdir()
    (memory / "link").symlink_to("real")
    (memory / "file").symlink_to("real/target")
    lines = every_shim.problems("--render", f"{template}:{memory}/link/x", "true")
    assert lines == [
        f"destination {memory}/link/x: {memory}/link is a link (to real), and links are not "
        "followed: write the path that it leads to"
    ]
    lines = every_shim.problems("--render", f"{template}:{memory}/file", "true")
    assert lines == [
        f"destination {memory}/file: it is a link, and links are not followed: write what it "
        "leads to"
    ]
    assert os.listdir(memory / "real") == []


def test_what_is_there_must_be_a_file(shim: Shim, template: str, memory: Path) -> None:
    """A folder or a FIFO is not replaced; a missing folder is not made."""
    (memory / "folder").mkdir()
    os.mkfifo(memory / "fifo")
    for name in ("folder", "fifo"):
        assert shim.problems("--render", f"{template}:{memory}/{name}", "true") == [
            f"destination {memory}/{name}: it exists and is not a regular file"
        ]
    assert shim.problems("--render", f"{template}:{memory}/no/x", "true") == [
        f"destination {memory}/no/x: the folder {memory}/no does not exist: create it in the "
        "image, or mount a tmpfs there"
    ]
    assert shim.problems("--render", f"{template}:{template}/x", "true") == [
        f"destination {template}/x: {template}: Not a directory"
    ]


def test_a_disk_is_refused_unless_allowed(every_shim: Shim, template: str, disk: Path) -> None:
    """Not on tmpfs: the remedy; with --allow-disk it is written."""
    path = disk / "app.yaml"
    assert every_shim.problems("--render", f"{template}:{path}", "true") == [
        f"destination {path}: it is not on a tmpfs, so the secret would be on a disk: mount one "
        "there (docker run --tmpfs, or a folder in /dev/shm), or permit it with --allow-disk"
    ]
    assert not path.exists()
    every_shim.output("--render", f"{template}:{path}", "--allow-disk", "true")
    assert path.read_text() == RENDERED


def test_a_relative_path_is_in_the_working_folder(shim: Shim, template: str, memory: Path) -> None:
    """DEST without a slash in front counts from where the shim was started."""
    shim.output("--render", f"{template}:app.yaml", "true", cwd=memory)
    assert (memory / "app.yaml").read_text() == RENDERED


def test_an_older_file_is_replaced_and_not_written_into(
    shim: Shim, template: str, memory: Path
) -> None:
    """The rename gives a file of its own: who holds the previous one open keeps that."""
    path = memory / "app.yaml"
    path.write_text("previous")
    path.chmod(0o666)
    with path.open() as held:
        shim.output("--render", f"{template}:{path}", "true")
        assert held.read() == "previous"
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (RENDERED, 0o400)


def test_one_bad_destination_and_none_is_written(
    every_shim: Shim, template: str, memory: Path
) -> None:
    """The first is fine, the second refused: the first stays as it was, nothing is started."""
    first, marker = memory / "first.yaml", memory / "started"
    first.write_text("previous")
    lines = every_shim.problems(
        "--render", f"{template}:{first}", "--render", f"{template}:/proc/x", "touch", str(marker)
    )
    assert len(lines) == 1
    assert (first.read_text(), os.listdir(memory)) == ("previous", ["first.yaml"])


def test_a_full_disk_leaves_everything_as_it_was(shim: Shim, template: str, secret) -> None:
    """ENOSPC while the second file is staged: the first is unchanged, no temp file is left."""
    need_root()
    secret("big", b"x" * 200_000)
    big = Path(template).with_name("big.txt")
    big.write_text("<<big>>")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=False
        )
        need("root", mounted.returncode == 0, "may not mount here")
        try:
            first = Path(folder) / "first.yaml"
            first.write_text("previous")
            lines = shim.problems(
                "--render", f"{template}:{first}", "--render", f"{big}:{folder}/big.txt", "true"
            )
            assert lines == [f"destination {folder}/big.txt: No space left on device"]
            assert (first.read_text(), os.listdir(folder)) == ("previous", ["first.yaml"])
        finally:
            subprocess.run(["umount", folder], check=True)


def test_a_mounted_file_cannot_be_replaced_and_the_others_are_put_back(
    shim: Shim, template: str, memory: Path
) -> None:
    """The last rename of three meets a bind mount: the first two are as before."""
    need_root()
    kept, made, busy = memory / "kept.yaml", memory / "made.yaml", memory / "busy.yaml"
    kept.write_text("previous")
    busy.write_text("mounted")
    mounted = subprocess.run(["mount", "--bind", template, busy], check=False)
    need("root", mounted.returncode == 0, "may not mount here")
    try:
        words = [word for path in (kept, made, busy) for word in ("--render", f"{template}:{path}")]
        assert shim.problems(*words, "true") == [
            f"destination {busy}: it is itself a mount, which cannot be replaced: mount its folder "
            "instead"
        ]
        assert kept.read_text() == "previous"
        assert sorted(os.listdir(memory)) == ["busy.yaml", "kept.yaml"]
    finally:
        subprocess.run(["umount", busy], check=True)


@pytest.mark.parametrize("call", ["openat", "write", "fchmod", "link,linkat", "rename,renameat"])
def test_any_failing_call_leaves_all_or_nothing(
    shim: Shim, template: str, memory: Path, call: str
) -> None:
    """EIO injected into every such call in turn: both files are as before, or both are written."""
    strace = need_program("strace")
    one, two = memory / "1.yaml", memory / "2.yaml"
    words = ["--render", f"{template}:{one}", "--render", f"{template}:{two}", "true"]
    outcomes = set()
    for number in range(1, 200):
        for path in (one, two):
            path.unlink(missing_ok=True)
            path.write_text("previous")
        log = memory.parent / f"{memory.name}.strace"
        inject = ["-e", f"trace={call}", "-e", f"inject={call}:error=EIO:when={number}"]
        done = subprocess.run(
            [strace, "-o", str(log), *inject, *shim.argv(*words)],
            env=shim.environ,
            capture_output=True,
            check=False,
        )
        injected = "(INJECTED)" in log.read_text()
        log.unlink()
        contents = (one.read_text(), two.read_text())
        assert contents in {("previous",) * 2, (RENDERED,) * 2}
        # Python's own start may fail with a traceback of its own; ours has none.
        assert b"Traceback" not in done.stderr or b"entrypoint" not in done.stderr
        if done.returncode == 0:
            assert contents == (RENDERED, RENDERED)
        outcomes.add((done.returncode, contents[0]))
        if not injected:
            break
    assert (0, RENDERED) in outcomes
    assert sorted(os.listdir(memory)) == ["1.yaml", "2.yaml"]


@pytest.mark.parametrize("mode", ["0o400", "rw", "0800", "4755", "0", "-1", "1777"])
def test_a_mode_that_is_none_is_refused(shim: Shim, template: str, memory: Path, mode: str) -> None:
    """Permission bits in octal, nothing else: no setuid, no letters."""
    path = memory / "x"
    assert shim.problems("--render", f"{template}:{path},mode={mode}", "true") == [
        f"destination {path}: mode {mode} is not one: write octal digits up to 0777, such as 0440"
    ]


def test_the_same_destination_twice_is_refused(shim: Shim, template: str, memory: Path) -> None:
    """Two templates for one file: an error, however the path is spelt."""
    words = ("--render", f"{template}:{memory}/x.yaml", "--render", f"{template}:{memory}//x.yaml")
    assert shim.problems(*words, "true") == [f"destination {memory}//x.yaml is rendered twice"]


def test_check_writes_nothing(shim: Shim, template: str, memory: Path) -> None:
    """--check renders in memory alone."""
    shim.output("--check", "--render", f"{template}:{memory}/x.yaml")
    assert os.listdir(memory) == []


def test_an_optional_secret_renders_as_nothing(shim: Shim, tmp_path: Path, memory: Path) -> None:
    """A placeholder of a missing secret is an error; --optional makes it empty."""
    source = tmp_path / "t"
    source.write_text('a: "<<gone>>"\n')
    path = memory / "x.yaml"
    (line,) = shim.problems("--render", f"{source}:{path}", "true")
    assert line.startswith(f"{source}:1:5: ")
    shim.output("--render", f"{source}:{path}", "--optional", "gone", "true")
    assert path.read_text() == 'a: ""\n'


@pytest.mark.parametrize("name", ["HUP", "INT", "TERM"])
def test_a_signal_leaves_no_staged_file(
    shim: Shim, template: str, tmp_path: Path, name: str
) -> None:
    """Ended while it writes: no file with a secret is left beside the destination."""
    strace = need_program("strace")
    folder = tmp_path / "out"
    folder.mkdir()
    words = ("--allow-disk", "--render", f"{template}:{folder / 'app.yaml'}", "--", "sleep", "9")
    inject = f"inject=fchmod:signal={name}:when=1"
    argv = [strace, "-qq", "-o", "/dev/null", "-e", inject, *shim.argv(*words)]
    done = subprocess.run(argv, env=shim.environ, capture_output=True, check=False, timeout=60)
    # strace ends as what it traces did.
    ended = {"HUP": -1, "INT": 130, "TERM": -15}[name]
    assert (done.returncode, done.stderr) == (ended, b"")
    assert os.listdir(folder) == ["app.yaml"]


def test_a_relative_destination_in_a_removed_folder_is_refused(
    shim: Shim, template: str, tmp_path: Path
) -> None:
    """The working folder was deleted: one line, not an internal error."""
    gone = tmp_path / "gone"
    gone.mkdir()
    argv = shim.argv("--allow-disk", "--render", f"{template}:app.yaml", "true")
    script = ["sh", "-c", 'rmdir "$PWD"; exec "$@"', "sh", *argv]
    done = subprocess.run(script, cwd=gone, env=shim.environ, capture_output=True, check=False)
    assert done.returncode == 125
    assert done.stderr.decode() == (
        "secretkit-entrypoint: error: destination app.yaml: the working folder does not exist any "
        "more: write an absolute path\n"
    )


def test_what_is_swapped_for_links_meanwhile_leads_nowhere() -> None:
    """A small run of `python -m tests.campaigns race`."""
    verdicts, defects = race.attempt(renders=1500, starts=5, attackers=2)
    assert (defects, verdicts["swaps"] > 100) == ([], True), verdicts

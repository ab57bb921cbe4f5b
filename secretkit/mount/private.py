"""Private places in memory: where plaintext may lie without reaching the disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import MountError

_MEMORY = ("tmpfs", "ramfs")
_RUN = "run-"
_TEMPORARY = re.compile(r"\.\.secretkit-[0-9a-f]{16}")


def bases() -> Iterator[Path]:
    """Where secretkit may keep folders in memory, best first; they need not exist yet.

    `$XDG_RUNTIME_DIR` (XDG Base Directory: owned by the user, 0700), then `/dev/shm`.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/") and is_private(Path(runtime)) and in_memory(Path(runtime)):
        yield Path(runtime) / "secretkit"
    shared = Path("/dev/shm")  # noqa: S108 - its child is made 0700 and its owner is checked
    if in_memory(shared) and os.access(shared, os.W_OK):
        yield shared / f"secretkit-{os.getuid()}"


def base() -> Path:
    """The first of `bases`, made if need be, 0700 and ours; raises MountError."""
    for place in bases():
        make_private(place)
        return place
    raise MountError(
        "no file system in memory, neither $XDG_RUNTIME_DIR nor /dev/shm is a tmpfs of yours",
        hint="mount a tmpfs at /dev/shm; for a dev folder: secretkit dev up --on-disk",
    )


def in_memory(path: Path) -> bool:
    """Whether `path` is on tmpfs (proc_pid_mountinfo(5): the third field is the device)."""
    try:
        device = path.stat().st_dev
        mounts = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return False
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mounts:
        fields = line.split(" ")
        if fields[2] == wanted:
            return fields[fields.index("-") + 1] in _MEMORY
    return False


def make_private(path: Path) -> None:
    """Make `path` 0700 whatever the umask; raises MountError if what is there is not ours."""
    try:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            path.chmod(0o700)
    except OSError as error:
        reason = (error.strerror or "I/O error").lower()
        raise MountError(f"cannot make a private folder, {path}: {reason}") from None
    os.close(open_private(path))


def open_private(path: Path) -> int:
    """A descriptor of the folder `path`; raises MountError unless it is ours, 0700 and no link."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        reason = "a symbolic link" if path.is_symlink() else (error.strerror or "").lower()
        raise MountError(f"not a private folder, {path}: {reason}") from None
    found = os.fstat(fd)
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        os.close(fd)
        raise MountError(
            f"not a private folder, {path}: mode {found.st_mode & 0o7777:04o},"
            f" owner uid {found.st_uid}",
            hint=f"it must be 0700 and belong to uid {os.geteuid()}: remove it or have it removed",
        )
    return fd


def is_private(path: Path) -> bool:
    """Whether `path` is a folder of ours, no link, closed to others."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        own = found.st_uid == os.geteuid() and not found.st_mode & 0o077
        return own and stat.S_ISDIR(found.st_mode)
    return False


def temporary(path: Path) -> Path:
    """A name in the folder of `path` for what is to be renamed to it.

    It starts with two dots, which readers of a mount skip.
    """
    return path.with_name(f"..secretkit-{os.urandom(8).hex()}")


def write_file(path: Path, content: bytes, mode: int) -> os.stat_result:
    """Put `content` at `path` in one rename, so that a reader sees all of it or what was before.

    Returns the file's stat, in which inode, size and times are those that a later look must find.
    An OSError names `path`.
    """
    try:
        return _write_file(path, content, mode)
    except OSError as error:
        error.filename, error.filename2 = str(path), None  # write(2) knows none
        raise


def _write_file(path: Path, content: bytes, mode: int) -> os.stat_result:
    in_between = temporary(path)
    fd = os.open(
        in_between, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.fchmod(fd, mode)
        found = os.fstat(fd)
        in_between.replace(path)
    except BaseException:
        in_between.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    return found


def remove_leftovers(folder: Path) -> None:
    """Remove what a process that was killed left at a `temporary` name, and nothing else."""
    for path in folder.glob("..secretkit-*"):
        if is_leftover(path):
            path.unlink()


def is_leftover(path: Path) -> bool:
    """Whether a process that was killed left the file `path`."""
    return bool(_TEMPORARY.fullmatch(path.name)) and not stat.S_ISDIR(path.lstat().st_mode)


@contextlib.contextmanager
def ephemeral() -> Iterator[Path]:
    """A private folder in memory that goes away, also when this process becomes another.

    Yields its path, 0700. It is removed when the block ends. If the block never ends because the
    process was killed or has become another program (execve), a janitor removes it: a process of
    its own, not a child of ours, that waits for the last copy of a pipe's end to close. The end is
    inheritable, so a program that we become holds it until it closes its descriptors or ends: the
    shim does so at the moment when it has read everything and becomes the command. Should the
    janitor be killed too, the next call removes what is left.
    Raises MountError.
    """
    folder, lock = _locked_folder()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(writing)
            # Before we go on: a signal to our process group must not find the janitor in it.
            os.setsid()
            if os.fork() == 0:
                _janitor(folder, reading)
        finally:
            os._exit(0)
    os.close(reading)
    os.waitpid(child, 0)
    os.set_inheritable(writing, True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(writing)
        os.close(lock)


def _janitor(folder: Path, reading: int) -> None:
    """Wait until nobody holds the other end of `reading`, then remove `folder`."""
    import signal

    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(ending, signal.SIG_IGN)
    # A reader of our output must not wait for us.
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    os.read(reading, 1)
    shutil.rmtree(folder, ignore_errors=True)


def _locked_folder() -> tuple[Path, int]:
    """A new folder and the descriptor whose lock says that somebody holds it."""
    place = base()
    turn = open_private(place)
    try:
        # One at a time: between its making and its locking a folder looks abandoned.
        fcntl.flock(turn, fcntl.LOCK_EX)
        _sweep(place)
        folder = place / f"{_RUN}{os.urandom(8).hex()}"
        folder.mkdir(mode=0o700)
        lock = open_private(folder)
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        reason = (error.strerror or "I/O error").lower()
        raise MountError(f"cannot make a private folder in {place}: {reason}") from None
    finally:
        os.close(turn)
    return folder, lock


def _sweep(place: Path) -> None:
    """Remove folders that neither a process nor its janitor holds any more."""
    for folder in place.glob(f"{_RUN}*"):
        with contextlib.suppress(OSError, MountError):
            fd = open_private(folder)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(fd)

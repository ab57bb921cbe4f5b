"""Files that nobody else may read or replace: checked before each use, created exclusively."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import StoreBusyError, StoreIOError, StorePermissionError, UsageError

BUSY_SECONDS = 30

# Locks and fsync are not to be trusted there (SQLite, "How To Corrupt An SQLite Database File").
NETWORK_FILESYSTEMS = frozenset(
    (
        *("9p", "afs", "ceph", "cifs", "coda", "fuse.glusterfs", "fuse.sshfs", "gfs2", "glusterfs"),
        *("gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs"),
    )
)


def write_error(path: Path | str, error: OSError) -> StoreIOError:
    """The error for a file that could not be written."""
    return StoreIOError(f"cannot write {path}: {(error.strerror or 'I/O error').lower()}")


def keys_folder() -> Path:
    """Where keys and anchors are: `$XDG_CONFIG_HOME/secretkit/keys` (XDG Base Directory)."""
    config = os.environ.get("XDG_CONFIG_HOME", "")
    try:
        base = Path(config) if config.startswith("/") else Path.home() / ".config"
    except RuntimeError:
        raise UsageError(
            "no home folder, where keys and anchors are kept", hint="set HOME or XDG_CONFIG_HOME"
        ) from None
    return base / "secretkit" / "keys"


@contextlib.contextmanager
def locked(folder: Path, *, exclusive: bool) -> Iterator[None]:
    """Hold a lock on a store's folder, shared by those who write a row, exclusive for those who
    replace keys or the whole store. Raises StoreBusyError after 30 s; ends with the process."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        lock(fd, folder, exclusive=exclusive)
        yield
    finally:
        os.close(fd)


def lock(fd: int, folder: Path, *, exclusive: bool) -> None:
    """As `locked`, on an open folder."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise busy(folder) from None
            time.sleep(0.005)


def busy(path: Path) -> StoreBusyError:
    """The error for a store that somebody else holds."""
    return StoreBusyError(
        f"another process held the store for {BUSY_SECONDS} seconds, {path}",
        hint="try again when it is done",
    )


def make_private_folder(path: Path) -> None:
    """Make `path` and what is missing above it, 0700 whatever the umask; refuse a foreign one."""
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, mode=0o700)
        path.mkdir(mode=0o700)
        path.chmod(0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise write_error(path, error) from None
    check_private_folder(path)


def check_private_folder(path: Path) -> None:
    """Raise StorePermissionError unless `path` is a folder of ours, no link, closed to others."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if path.is_symlink():
            raise StorePermissionError(
                f"{path} is a symbolic link", hint="put the folder itself there"
            ) from None
        if isinstance(error, PermissionError):
            with contextlib.suppress(OSError):
                _check_owner_and_mode(path, path.lstat(), "700")
        reason = (error.strerror or "I/O error").lower()
        raise StorePermissionError(f"cannot open {path}: {reason}") from None
    try:
        _check_owner_and_mode(path, os.fstat(fd), "700")
    finally:
        os.close(fd)


def check_private_file(path: Path, info: os.stat_result | None = None) -> None:
    """Raise StorePermissionError unless `path` is a regular file of ours, closed to others.

    Reads the inode only: opening and closing SQLite's file here would drop its locks.
    """
    info = info or path.lstat()
    if stat.S_ISLNK(info.st_mode):
        raise StorePermissionError(f"{path} is a symbolic link", hint="put the file itself there")
    if not stat.S_ISREG(info.st_mode):
        raise StorePermissionError(f"{path} is not a regular file")
    if info.st_nlink > 1:
        raise StorePermissionError(
            f"{path} has {info.st_nlink} hard links", hint="another name for it must not exist"
        )
    _check_owner_and_mode(path, info, "600")


def _check_owner_and_mode(path: Path, info: os.stat_result, mode: str) -> None:
    user = os.geteuid()
    if info.st_uid != user:
        raise StorePermissionError(
            f"{path} belongs to uid {info.st_uid}, you are uid {user}",
            hint=f"run secretkit as uid {info.st_uid};"
            f" if it is to be yours: chown -R {user} {path}",
        )
    if info.st_mode & 0o077:
        raise StorePermissionError(
            f"{path} is open to others, mode {info.st_mode & 0o7777:04o}",
            hint=f"chmod {mode} {path}",
        )


def check_local_filesystem(path: Path) -> None:
    """Raise StorePermissionError if `path` is on a network filesystem (Linux only)."""
    device = path.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return
    for line in mounts:
        fields = line.split(" ")
        if fields[2] == wanted:
            kind = fields[fields.index("-") + 1]
            if kind in NETWORK_FILESYSTEMS:
                raise StorePermissionError(
                    f"{path} is on a network filesystem, {kind}",
                    hint="keep the project on a local disk: locks and fsync must be real",
                )
            return


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Create `path` durably, with exactly `mode` whatever the umask; FileExistsError if it is."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.fchmod(fd, mode)
        os.fsync(fd)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

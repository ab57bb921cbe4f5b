"""Secrets at `/run/secrets` for this process and its children alone, by namespaces. Linux only.

A mount namespace of our own has a tmpfs at the place; it goes when the last process in it ends,
however that ends. Without CAP_SYS_ADMIN a user namespace of our own permits the mount
(user_namespaces(7)). In it our uid and gid stay what they are, and execve takes the capabilities
away again, as the uid is not 0.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import MountError, NamespaceError
from ..project import Layout
from .layouts import write_layout
from .settings import FILE_MODE

AT = Path("/run/secrets")
# May be covered though we could write there: what is in it does not outlive a boot (FHS 3.0, 3.15).
_RUN = Path("/run")

_NEWNS, _NEWUSER = 0x20000, 0x10000000  # linux/sched.h
_RDONLY, _NOSUID, _NODEV, _REMOUNT = 1, 2, 4, 0x20  # linux/mount.h
_BIND, _REC, _SLAVE = 0x1000, 0x4000, 0x80000
_GET_DUMPABLE, _SET_DUMPABLE = 3, 4  # linux/prctl.h


def enter(
    files: Mapping[str, bytes],
    *,
    at: Path = AT,
    layout: Layout = "swarm",
    mode: int = FILE_MODE,
) -> None:
    """From here on this process and its children alone see `files` at `at`, read-only.

    `mode` is that of the files. What was at `at` is covered. If no folder is there, the nearest
    folder above it is covered by one in memory that has the same entries, bound from where they
    were. What has no such entry, as it cannot be bound, is left out.

    Raises NamespaceError if the kernel does not permit it, MountError if there is no place: then
    this process may be in namespaces of its own, and should end.
    """
    at = Path(os.path.abspath(at))
    at = Path(os.path.realpath(at.parent)) / at.name
    _check(at)
    here = _current_folder()
    _unshare()
    # Mounts and unmounts of the machine are still seen here, and none of ours there.
    _mount("none", Path("/"), None, _REC | _SLAVE)
    missing = not _is_there(at)
    try:
        if missing:
            _cover(at)
        _mount("tmpfs", at, "tmpfs", 0, "mode=0755")
        write_layout(at, files, mode, layout)
    except OSError as error:
        reason = (error.strerror or "I/O error").lower()
        raise MountError(
            f"cannot make a folder in memory, {at}: {reason}",
            hint=f"make it first: sudo mkdir -p {shlex.quote(str(at))}" if missing else None,
        ) from None
    # No other flags: so is a secret mounted in a task.
    _mount(None, at, None, _REMOUNT | _RDONLY)
    if here:
        # The same folder by its path, which may now lead to what covers it.
        with contextlib.suppress(OSError):
            os.chdir(here)


def _check(at: Path) -> None:
    """Refuse a place that cannot be covered, or where that would swallow what is written."""
    if sys.platform != "linux":
        raise NamespaceError(
            "no namespaces to be had: Linux alone has them",
            hint="`secretkit dev up --on-disk` makes a folder of files instead",
        )
    if _is_there(at) and at != Path("/"):
        return
    above = _nearest(at)
    if above == Path("/") or (above != _RUN and os.access(above, os.W_OK)):
        if os.path.lexists(at):
            raise MountError(f"cannot cover {at}", hint="name a folder, and neither / nor a link")
        raise MountError(
            f"no such folder, {at}", hint=f"make it first: mkdir -p {shlex.quote(str(at))}"
        )


def _is_there(at: Path) -> bool:
    """Whether `at` is a folder, and no link to one."""
    return os.path.isdir(at) and not os.path.islink(at)


def _nearest(at: Path) -> Path:
    """The nearest folder above `at` that is there."""
    return next((one for one in at.parents if os.path.isdir(one)), at)


def _current_folder() -> str | None:
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None


def _cover(at: Path) -> None:
    """Make the folder `at`, in a folder in memory that has all that the one above it has."""
    above = _nearest(at)
    hidden = at.relative_to(above).parts[0]
    fd = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        writable = os.access(above, os.W_OK)
        mode = stat.S_IMODE(found.st_mode)
        _mount("tmpfs", above, "tmpfs", _NOSUID | _NODEV, f"mode={mode:04o}")
        with contextlib.suppress(OSError):  # whose ids a user namespace does not have
            os.chown(above, found.st_uid, found.st_gid)
        with os.scandir(fd) as entries:
            for entry in entries:
                if entry.name != hidden:
                    with contextlib.suppress(OSError):  # gone, or not for us to see
                        _bind(fd, entry, above / entry.name)
    finally:
        os.close(fd)
    umask = os.umask(0o022)
    at.mkdir(parents=True)
    os.umask(umask)
    if not writable:
        _mount(None, above, None, _REMOUNT | _RDONLY | _NOSUID | _NODEV)


def _bind(fd: int, entry: os.DirEntry[str], target: Path) -> None:
    """Make `target` what `entry` of the folder `fd` is: a link again, anything else itself."""
    if entry.is_symlink():
        target.symlink_to(os.readlink(entry.name, dir_fd=fd))
        return
    if entry.is_dir():
        target.mkdir()
        remove = target.rmdir
    else:
        target.touch()
        remove = target.unlink
    try:
        _call("mount", f"/proc/self/fd/{fd}/{entry.name}", target, None, _BIND | _REC, None)
    except OSError:
        remove()
        raise


# -- the kernel ------------------------------------------------------------------------------------


def _unshare() -> None:
    """A mount namespace of our own, in a user namespace of our own if need be."""
    uid, gid = os.geteuid(), os.getegid()
    try:
        _call("unshare", _NEWNS)
        return
    except OSError as error:
        if error.errno != errno.EPERM:
            raise _refused(error) from None
    try:
        _call("unshare", _NEWUSER | _NEWNS)
        with _dumpable():
            # setgroups first: without a privilege gid_map is taken only then.
            for name, line in (
                ("setgroups", "deny"),
                ("uid_map", f"{uid} {uid} 1"),
                ("gid_map", f"{gid} {gid} 1"),
            ):
                with Path(f"/proc/self/{name}").open("w") as file:
                    file.write(line)
    except OSError as error:
        raise _refused(error) from None


@contextlib.contextmanager
def _dumpable() -> Iterator[None]:
    """Own our files in /proc for a moment: they are root's while no one may read our memory."""
    before = _call("prctl", _GET_DUMPABLE, 0, 0, 0, 0)
    _call("prctl", _SET_DUMPABLE, 1, 0, 0, 0)
    try:
        yield
    finally:
        _call("prctl", _SET_DUMPABLE, before, 0, 0, 0)


def _mount(
    source: str | None, target: Path, kind: str | None, flags: int, data: str | None = None
) -> None:
    try:
        _call("mount", source, target, kind, flags, data)
    except OSError as error:
        raise _refused(error) from None


def _call(name: str, *arguments: str | Path | int | None) -> int:
    """A function of the C library; raises OSError."""
    from ctypes import CDLL, c_char_p, c_ulong, get_errno

    converted = [
        c_ulong(one)
        if isinstance(one, int)
        else c_char_p(None if one is None else os.fsencode(one))
        for one in arguments
    ]
    result: int = getattr(CDLL(None, use_errno=True), name)(*converted)
    if result < 0:
        raise OSError(get_errno(), os.strerror(get_errno()))
    return result


# What may forbid namespaces to a user, below /proc/sys: the setting, and its value that does.
_SETTINGS = (
    ("kernel/apparmor_restrict_unprivileged_userns", "1"),
    ("kernel/unprivileged_userns_clone", "0"),
    ("user/max_user_namespaces", "0"),
    ("user/max_mnt_namespaces", "0"),
)


def _refused(error: OSError) -> NamespaceError:
    return NamespaceError(
        f"no namespaces to be had: {_reason(error)}",
        hint="without them: `secretkit run -- COMMAND` or `secretkit dev watch -- COMMAND`, with"
        " [entrypoint]; or `secretkit dev up`, and COMMAND reads dev-secrets",
    )


def _reason(error: OSError) -> str:
    """What the kernel's settings say of a refusal, in its own words otherwise."""
    for setting, forbids in _SETTINGS:
        if _read(f"/proc/sys/{setting}") == forbids:
            return f"{setting.replace('/', '.')} is {forbids}"
    if error.errno == errno.ENOSPC:
        return "the limit user.max_user_namespaces or user.max_mnt_namespaces is reached"
    reason = (error.strerror or "refused").lower()
    if "\nSeccomp:\t2\n" in _read("/proc/self/status"):
        return f"{reason}, by a seccomp filter as containers have one"
    return reason


def _read(path: str) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text(errors="replace").removesuffix("\n")
    return ""

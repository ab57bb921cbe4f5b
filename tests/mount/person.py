"""A user without privileges: the one who runs the tests, or as root another one."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.cli.program import EXECUTABLE, Program, environment
from tests.needs import need_namespaces

HERE = "/run/secrets"
UID, GID, GROUP = 61234, 61235, 61236
_NEEDED = (Path(__file__).parents[2], Path(sys.prefix), Path(sys.base_prefix))


@contextlib.contextmanager
def person() -> Iterator[Program]:
    """The program with a project, a home and a memory folder of that user's."""
    need_namespaces()
    with contextlib.ExitStack() as stack:
        folder, memory = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="secretkit-test-", dir=at)))
            for at in (None, "/dev/shm")
        )
        for path in (folder / "home", folder / "project", folder / "tmp"):
            path.mkdir()
        before: tuple[str, ...] = ()
        if os.geteuid() == 0:
            before = with_view()
            for path in (folder, memory, *folder.iterdir()):
                os.chown(path, UID, GID)
        environ = environment(folder / "home", memory) | {"TMPDIR": str(folder / "tmp")}
        yield Program(folder / "project", environ, before=before)


def with_view(prepare: str = "", *, uid: int = UID) -> tuple[str, ...]:
    """What starts a command of the user `uid`, 0 too, in a view of the mounts of its own.

    In it the folders above the interpreter and the package are open to all, and root has run the
    shell script `prepare`. The process becomes the command. Only root can.
    """
    gid, groups = (GID, f"--groups={GROUP}") if uid else (0, "--clear-groups")
    start = ("setpriv", f"--reuid={uid}", f"--regid={gid}", groups)
    script = f'set -e; umask 022\n{_open_up()}{prepare}\nexec "$@"'
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *start)


def _open_up() -> str:
    """Commands that cover closed folders by open ones, with what is needed in the same place."""
    lines = []
    closed: dict[Path, list[Path]] = {}
    for path in _NEEDED:
        for folder in reversed([path, *path.parents]):
            if folder.stat().st_mode & 0o5 != 0o5:
                closed.setdefault(folder, []).append(path)
                break
    for folder, paths in closed.items():
        lines += [
            f"exec 9<{shlex.quote(str(folder))}",
            f"mount -t tmpfs -o mode=755 tmpfs {folder}",
        ]
        for path in paths:
            target = shlex.quote(str(path))
            inside = shlex.quote(str(path.relative_to(folder)))
            lines += [
                f"mkdir -p {target}",
                f"mount --no-canonicalize --rbind /proc/self/fd/9/{inside} {target}",
            ]
        lines.append("exec 9<&-")
    return "".join(f"{line}\n" for line in lines)


def owner(program: Program) -> tuple[int, int]:
    """The uid and gid that the program has."""
    if os.geteuid():
        return os.geteuid(), os.getegid()
    return (UID, GID) if f"--reuid={UID}" in program.before else (0, 0)


def start(program: Program, *command: str, **options: Any) -> subprocess.Popen[bytes]:
    """`dev run` in the background."""
    return subprocess.Popen(
        [*program.before, EXECUTABLE, "dev", "run", "--", *command],
        cwd=program.folder,
        env=program.environ,
        **options,
    )

"""`dev run`: a command on this machine that sees the secrets at `/run/secrets`, it alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import click

from ..errors import UsageError
from .command import App, Launcher, pass_app
from .dev import contents, settings_of, settings_options

# What a shell and env(1) say of a command that is not there, or not a program.
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


@click.command(
    cls=Launcher,
    reports=False,
    example="""
    $ secretkit dev run -- ./app
    """,
)
@settings_options
@click.option(
    "--at", metavar="DIR", default="/run/secrets", show_default=True, help="Where they are seen."
)
@click.option("--shim", is_flag=True, help="Through the shim, with [entrypoint].")
@pass_app
def run(app: App, /, at: str, shim: bool, command: tuple[str, ...], **options: Any) -> int:
    """Run COMMAND with the secrets at /run/secrets, where it and its children alone see them.

    This process becomes COMMAND, with its exit status and signals; uid and gid stay. Needs Linux,
    and neither root nor an engine. The files are in memory, are what `dev up` would write now, stay
    as they are while COMMAND runs, and are gone when it ends, however it ends. What secretkit.toml
    declares is created first.
    """
    if not at:
        raise UsageError("--at names no folder")
    if not command:
        raise UsageError("no command to run", hint="secretkit dev run -- COMMAND")
    place = _absolute(at)
    settings = settings_of(app, **options)
    environ = own_environment()
    if not shim and (code := _startable(app, command[0])):
        return code
    words = list(command)
    if shim:
        words = _shimmed(app, place, words, environ)
    files = contents(app, settings)
    from ..mount import namespace
    from .hardening import allow_cores

    namespace.enter(files, at=place, layout=settings.layout, mode=settings.mode)
    allow_cores()
    # Python ignores these two, and execve(2) keeps what is ignored.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(words[0], words, environ)  # noqa: S606 - no shell is what is wanted
    except OSError as error:
        reason = (error.strerror or "refused").lower()
        app.out.error(f"cannot execute {words[0]}, {reason}")
        return _NOT_EXECUTABLE


def own_environment() -> dict[str, str]:
    """The environment that we were started with, without what Python put there (PEP 538).

    An entry without a name (`=x`) is left out: Python cannot pass it on.
    """
    environ = {name: text for name, text in os.environ.items() if name}
    try:
        before = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return environ
    if not any(entry.startswith(b"LC_CTYPE=") for entry in before):
        environ.pop("LC_CTYPE", None)
    return environ


def _startable(app: App, command: str) -> int:
    """0, or the exit code of a COMMAND that cannot be started, said before anything is read."""
    if path := shutil.which(command):
        if reason := _wrong_first_line(path):
            app.out.error(f"cannot execute {command}, its first line {reason}")
            return _NOT_EXECUTABLE
        return 0
    if os.path.dirname(command) and os.path.lexists(command):
        app.out.error(f"cannot execute {command}", "it must be a file, with chmod +x")
        return _NOT_EXECUTABLE
    app.out.error(f"command not found, {command}")
    return _NOT_FOUND


def _wrong_first_line(path: str) -> str | None:
    """What is wrong with the interpreter that a script names, as execve(2) reads it."""
    with contextlib.suppress(OSError), Path(path).open("rb") as file:
        line = file.read(256).partition(b"\n")[0]
        words = line.removeprefix(b"#!").replace(b"\t", b" ").split(b" ")
        interpreter = next(filter(None, words), b"")
        if not line.startswith(b"#!") or not interpreter or os.path.exists(interpreter):
            return None
        if interpreter.endswith(b"\r"):
            return "ends as in Windows (CR LF), which no kernel reads"
        return f"names {os.fsdecode(interpreter)}, which does not exist"
    return None


def _absolute(at: str) -> Path:
    try:
        return Path(os.path.abspath(at))
    except OSError:
        raise UsageError(
            f"--at {at} is relative, and the current folder is gone", hint="cd to one that is there"
        ) from None


def _shimmed(app: App, at: Path, command: list[str], environ: dict[str, str]) -> list[str]:
    """The shim in front of COMMAND; its config file is one that has no name.

    An option of the user's in the environment goes before what is in the file.
    """
    from ..delivery.shim import command as shim
    from ..project import entrypoint_json

    fd = os.memfd_create("entrypoint.json", 0)  # inheritable; the shim closes it for COMMAND
    os.write(fd, entrypoint_json(app.project, absolute=True))
    environ.setdefault("SECRETKIT_CONFIG", f"/proc/self/fd/{fd}")
    environ.setdefault("SECRETKIT_WATCH", "0")  # the files stay as they are
    return [*shim(), "--secrets-dir", str(at), "--", *command]

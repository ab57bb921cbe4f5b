"""The command line. `main` is the program; it is the only place where errors become exit codes."""

from __future__ import annotations

import os
import sys

# name: (module, what `secretkit --help` says). A module is imported when its command is used.
COMMANDS = {
    "init": ("init", "Make a project here: secretkit.toml, a store and a key."),
    "create": ("values", "Store a new secret: its version 1."),
    "ls": ("listing", "List the secrets."),
    "inspect": ("listing", "Show everything about a secret but its value."),
    "show": ("show", "Write a value to stdout."),
    "rotate": ("values", "Make the next version of a secret."),
    "rollback": ("versions", "Make an earlier version current again."),
    "prune": ("versions", "Destroy versions that nothing uses."),
    "rm": ("versions", "Destroy secrets."),
    "push": ("pushing", "Create the current version of a secret in the engine."),
    "adopt": ("pushing", "Take a secret that the engine has into the store."),
    "services": ("services", "Show which services use which version."),
    "config": ("config", "Docker configs: versioned and rotated as secrets are."),
    "stack": ("stack", "Stack files, with the current versions of secrets and configs."),
    "run": ("running", "Run a command through the shim, with the current values."),
    "render": ("render", "Render templates with the current values."),
    "dev": ("dev", "A folder of secret files for this machine."),
    "compose": ("compose", "The project's secrets for docker compose, on this machine."),
    "lint": ("lint", "Check Dockerfiles, stack and compose files, entrypoint scripts."),
    "check": ("upkeep", "Prove that the store is sound."),
    "backup": ("upkeep", "Copy the store to a file."),
    "restore": ("upkeep", "Put a backup in the store's place."),
    "audit": ("upkeep", "List who did what, and when."),
    "key": ("key", "The keys that open the store."),
    "doctor": ("doctor", "Find what would stop this project from working here."),
    "shim": ("shim", "The entrypoint shim, as files."),
    "bake": ("bake", "Make an image whose program starts through the shim."),
    "completion": ("completion", "Print the completion script of a shell."),
    "help": ("help:show_help", "Show the help of a command, or the exit codes."),
}


def from_outside(error: BaseException | None) -> str | None:
    """What ended the program and is no defect of it, or None: Ctrl-C or too little memory.

    Anything may have been made of it on its way, as RuntimeError in a class that is being made.
    """
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return "interrupted"
        if isinstance(error, MemoryError) or (isinstance(error, ImportError) and _unmapped(error)):
            return "not enough memory"
        error = error.__cause__ or error.__context__
    return None


def _unmapped(error: ImportError) -> bool:
    """Whether the loader (glibc, musl) found no room for a library."""
    text = str(error).lower()
    if not any(one in text for one in ("failed to map", "cannot allocate", "out of memory")):
        return False
    try:  # the same words are used for a file system where nothing may be executed
        return not os.statvfs(error.path or "/").f_flag & os.ST_NOEXEC
    except OSError:
        return True


def _end(error: BaseException) -> NoReturn:
    """End the program from where the rest of it cannot be used; raises a defect."""
    reason = from_outside(error)
    if reason is None:
        raise error
    os.write(2, f"secretkit: error: {reason}\n".encode())
    os._exit(1)


try:  # most of a short run is spent here
    import gc

    # A short run makes little garbage, and collecting while modules load costs a twentieth of it.
    gc.disable()

    import contextlib
    from typing import NoReturn

    import click

    from ..errors import SecretkitError
    from . import output
    from .command import App, Group, usage_message
    from .exits import FAILED, USAGE, code_of

    root = Group(
        "secretkit",
        table=COMMANDS,
        help="Versioned secrets for containers.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    click.version_option(package_name="secretkit", message="%(prog)s %(version)s")(root)
except BaseException as error:
    _end(error)


def main() -> NoReturn:
    """Run the program with the arguments of this process; exits.

    Without Python's own farewell, which takes a fifth of a short run: it frees, module by module,
    what the kernel frees at once. `run` has closed and flushed all that is to be kept.
    """
    try:
        os._exit(run(sys.argv[1:]))
    except BaseException as error:  # Ctrl-C while `run` begins or ends
        _end(error)


def run(arguments: list[str]) -> int:
    """Run one command line; returns its exit code. Prints, and raises nothing but SystemExit."""
    app = App()
    _occupy_streams()
    if sys.stdout is None:
        app.out.error("stdout is closed", "send it to /dev/null if nobody is to read it")
        return FAILED
    if os.environ.get("_SECRETKIT_COMPLETE", "").endswith("_complete") and not (
        os.environ.keys() >= {"COMP_WORDS", "COMP_CWORD"}
    ):
        app.out.error(
            "_SECRETKIT_COMPLETE is set, and no COMP_WORDS and COMP_CWORD",
            "it is for the scripts of `secretkit completion`: unset it",
        )
        return USAGE
    try:
        code = root.main(arguments, prog_name="secretkit", standalone_mode=False, obj=app)
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads on: no reason to say anything
        return FAILED
    except SystemExit as error:  # click, for a broken pipe and for completion
        sys.stdout.flush()
        return error.code if isinstance(error.code, int) else FAILED
    except BaseException as error:
        return _failed(app, error)
    return code if isinstance(code, int) else 0


def _occupy_streams() -> None:
    """Leave no standard descriptor closed: the next file opened would be taken for it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - a descriptor


def _failed(app: App, error: BaseException) -> int:
    """Say what went wrong, after what was printed; returns the exit code."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    if app.debug:
        output.traceback(error)
    if isinstance(error, click.UsageError):
        app.out.error(*usage_message(error))
        return USAGE
    if isinstance(error, SecretkitError):
        app.out.error(str(error), error.hint)
        return code_of(error)
    reason = "interrupted" if isinstance(error, click.Abort | EOFError) else from_outside(error)
    if reason:
        app.out.error(reason)
        return FAILED
    if isinstance(error, OSError) and error.strerror:
        where = f", {error.filename}" if error.filename else ""
        app.out.error(f"{error.strerror.lower()}{where}")
        return FAILED
    app.out.error(
        f"a defect of secretkit, {type(error).__name__}",
        "please report it, with what `--debug` shows; it shows no value",
    )
    return FAILED

"""The command line. `main` is the program; it is the only place where errors become exit codes."""

from __future__ import annotations

import gc
import sys

# A short run makes little garbage, and collecting while modules load costs a twentieth of it.
gc.disable()

import click  # noqa: E402 - after the line above, which is for it

from ..errors import SecretkitError  # noqa: E402
from . import output  # noqa: E402
from .command import App, Group, usage_message  # noqa: E402
from .exits import FAILED, USAGE, code_of  # noqa: E402

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
    "run": ("running", "Run a command through the shim, with the current values."),
    "render": ("render", "Render templates with the current values."),
    "dev": ("dev", "A folder of secret files for this machine."),
    "check": ("upkeep", "Prove that the store is sound."),
    "backup": ("upkeep", "Copy the store to a file."),
    "restore": ("upkeep", "Put a backup in the store's place."),
    "audit": ("upkeep", "List who did what, and when."),
    "key": ("key", "The keys that open the store."),
    "doctor": ("doctor", "Find what would stop this project from working here."),
    "shim": ("shim", "The entrypoint shim, as files."),
    "completion": ("completion", "Print the completion script of a shell."),
    "help": ("help:show_help", "Show the help of a command, or the exit codes."),
}

root = Group(
    "secretkit",
    table=COMMANDS,
    help="Versioned secrets for containers.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(package_name="secretkit", message="%(prog)s %(version)s")(root)


def main() -> None:
    """Run the program with the arguments of this process; exits."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; returns its exit code. Prints, and raises nothing but SystemExit."""
    app = App()
    try:
        code = root.main(arguments, prog_name="secretkit", standalone_mode=False, obj=app)
        sys.stdout.flush()
    except BrokenPipeError:
        return _nobody_reads()
    except SystemExit as error:  # click, for a broken pipe and for completion
        return error.code if isinstance(error.code, int) else FAILED
    except BaseException as error:
        return _failed(app, error)
    return code if isinstance(code, int) else 0


def _failed(app: App, error: BaseException) -> int:
    """Say what went wrong; returns the exit code."""
    if app.debug:
        output.traceback(error)
    if isinstance(error, click.UsageError):
        app.out.error(*usage_message(error))
        return USAGE
    if isinstance(error, SecretkitError):
        app.out.error(str(error), error.hint)
        return code_of(error)
    if isinstance(error, click.Abort | KeyboardInterrupt | EOFError):
        app.out.error("interrupted")
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


def _nobody_reads() -> int:
    """The reader of our output is gone: end quietly, also when Python flushes at its exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED

"""`make demo`: one secret on its way to a program that cannot read /run/secrets.

Every line that begins with `$` is run as it stands, by sh, in a temporary folder that is removed
afterwards. The first command that fails ends the demo, with status 1.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of ours is made in it

START = "secretkit run --env DEMO_SECRET=db-password -- python3 legacy.py"
THREAD = (
    (
        "A secret, with a value that breaks scripts (made up for this demo).",
        "secretkit init --quiet",
        "printf '%s' 'p@ss & w/o \"quotes\" $1' | secretkit create db-password -",
    ),
    (
        "Its folder, in memory: to a container it is a swarm's /run/secrets.",
        "secretkit dev up --quiet",
        "ls -l dev-secrets/db-password",
    ),
    (
        "A legacy program that knows only a variable, and prints what it got.",
        START,
    ),
    (
        "Another knows only a config file; sed would have spoilt this value.",
        "secretkit run --render whoami.conf:$CONF,format=yaml -- tail -1 $CONF",
    ),
    (
        "The rotation. The folder follows, and so does the program's next start.",
        "secretkit rotate db-password --generate password:32",
        START,
    ),
    (
        "The history, and the rollback. No version is ever rewritten.",
        "secretkit inspect db-password",
        "secretkit rollback db-password --quiet",
        START,
    ),
)


def main() -> int:
    """Tell the whole thread; 1 if a command fails."""
    if shutil.which("secretkit") is None:
        print("demo: secretkit is not on PATH: run `make demo`", file=sys.stderr)
        return 1
    memory = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(prefix="demo-") as name,
        tempfile.TemporaryDirectory(prefix="secretkit-demo-", dir=memory) as runtime,
    ):
        folder = Path(name) / "shop"
        folder.mkdir()
        shutil.copy(EXAMPLES / "legacy-env" / "legacy.py", folder)
        shutil.copy(EXAMPLES / "legacy-config" / "whoami.conf", folder)
        environment = {
            variable: value
            for variable, value in os.environ.items()
            if not variable.startswith("SECRETKIT_")
        }
        environment |= {
            "XDG_CONFIG_HOME": f"{name}/config",
            "XDG_RUNTIME_DIR": runtime,
            "CONF": f"{runtime}/whoami.conf",
        }
        for number, (say, *commands) in enumerate(THREAD):
            print(("\n" if number else "") + green(f"# {say}"))
            for command in commands:
                status = show(command, folder, environment)
                if status:
                    print(f"demo: this failed, with status {status}: {command}", file=sys.stderr)
                    return 1
    return 0


def show(command: str, folder: Path, environment: dict[str, str]) -> int:
    """Print a command, then run it; returns its status."""
    print(bold(f"$ {command}"), flush=True)
    # Through a pipe, so that both streams are in order, and look the same everywhere.
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    print(done.stdout, end="", flush=True)
    return done.returncode


def bold(text: str) -> str:
    """`text` in bold, on a terminal."""
    return f"\033[1m{text}\033[0m" if colours() else text


def green(text: str) -> str:
    """`text` in green, on a terminal."""
    return f"\033[32m{text}\033[0m" if colours() else text


def colours() -> bool:
    """Whether to colour: on a terminal, unless NO_COLOR is set (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)  # 128 + SIGINT, as a shell reports it

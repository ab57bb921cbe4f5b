"""What the command line costs, in starts of the virtual environment's bare Python.

`secretkit --help`, `show` and `dev run` against `python -c pass`, each run beside its base in the
order A B B A, so that a change of the machine's load hits both; the figure is the median of the
paired ratios. `python -c pass` against itself gives the noise.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAIRS = 20  # of A B B A, hence 40 ratios
# From the store's contract: a lazy click is 4 of these.
LIMITS = {"secretkit --help": 5.0, "secretkit show": 5.5, "secretkit dev run": 8.5}


def seconds(command: list[str], environ: dict[str, str]) -> float:
    """How long one run takes."""
    start = time.perf_counter()
    subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def ratio(base: list[str], command: list[str], environ: dict[str, str]) -> float:
    """The median of how many times `base` the `command` takes."""
    ratios = []
    for _ in range(PAIRS):
        first = seconds(base, environ), seconds(command, environ)
        second = seconds(command, environ), seconds(base, environ)
        ratios += [first[1] / first[0], second[0] / second[1]]
    return statistics.median(ratios)


def main(argv: list[str] | None = None) -> int:
    """Print the table; returns 1 if a limit does not hold. Takes no arguments."""
    del argv
    secretkit = str(Path(sys.executable).with_name("secretkit"))
    base = [sys.executable, "-c", "pass"]
    with tempfile.TemporaryDirectory() as folder:
        # As installed: with compiled modules, which the first run below writes if need be.
        environ = {key: value for key, value in os.environ.items() if key[:6] != "PYTHON"}
        project = Path(folder) / "project"
        project.mkdir()
        (project / "secretkit.toml").touch()
        environ |= {"XDG_CONFIG_HOME": folder, "SECRETKIT_PROJECT": str(project)}
        for command in (["-q", "init"], ["-q", "create", "db-password", "--generate", "password"]):
            subprocess.run([secretkit, *command], env=environ, check=True, stdout=sys.stderr)
        commands = {
            "python -c pass": base,
            "secretkit --help": [secretkit, "--help"],
            "secretkit show": [secretkit, "show", "db-password"],
            "secretkit dev run": [secretkit, "dev", "run", "--", "true"],
        }
        found = {name: ratio(base, command, environ) for name, command in commands.items()}
    print(f"command line, times `python -c pass` (load {os.getloadavg()[0]:.1f})")
    for name, times in found.items():
        limit = LIMITS.get(name)
        verdict = "" if limit is None else f"   at most {limit}   {_verdict(times <= limit)}"
        print(f"  {name:<18} {times:5.2f}{verdict}")
    return int(any(found[name] > limit for name, limit in LIMITS.items()))


def _verdict(holds: bool) -> str:
    return "ok" if holds else "TOO SLOW"


if __name__ == "__main__":
    sys.exit(main())

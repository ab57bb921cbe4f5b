"""The shim's start-up budget: every row of the table in docs/shim.md, measured here and now.

Each figure is a median of paired ratios, in the order A B B A. The base B is `python3 -I -S -c
pass` of the same interpreter; what the shim becomes is `true`. The load of the machine and A
against A, the noise floor, are printed above the table.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from secretkit.delivery import shim

TRUE = shutil.which("true") or "/bin/true"
DASH = shutil.which("dash") or "/bin/sh"
ENVIRON = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
HIGH_WATER = (
    "for line in open('/proc/self/status'):\n if line[:5] == 'VmHWM': print(line.split()[1])"
)


@dataclass(frozen=True)
class Row:
    """One line of the table. `measured` is a ratio, or microseconds a secret."""

    case: str
    measured: float
    budget: float
    at_least: bool = False
    unit: str = ""

    @property
    def ok(self) -> bool:
        return self.measured >= self.budget if self.at_least else self.measured <= self.budget

    def __str__(self) -> str:
        bound = ("≥ " if self.at_least else "≤ ") + f"{self.budget:g}{self.unit}"
        verdict = "ok" if self.ok else "OVER"
        return f"{self.case:<52}{bound:>10}{self.measured:>9.2f}{self.unit:<3}  {verdict}"


def run(argv: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of one process; raises RuntimeError if it fails."""
    begin = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, ENVIRON)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - begin
    if status != 0:
        raise RuntimeError(f"{argv} ended with {os.waitstatus_to_exitcode(status)}")
    return wall, usage.ru_utime + usage.ru_stime


def ratio(a: list[str], b: list[str], pairs: int) -> float:
    """The median of time(a) / time(b) over `pairs` pairs."""
    run(a)
    run(b)
    ratios = []
    for number in range(pairs):
        if number % 2:
            below, above = run(b)[0], run(a)[0]
        else:
            above, below = run(a)[0], run(b)[0]
        ratios.append(above / below)
    return statistics.median(ratios)


class Bench:
    """The shim exported and compiled for one interpreter, with secrets and templates to read."""

    def __init__(self, python: str, folder: Path) -> None:
        self.python = python
        self.folder = folder
        self.shim = [python, "-ISB", str(shim.export(folder / "shim", with_jinja2=True)[0])]
        subprocess.run([*self.shim, "--compile"], check=True, stdout=subprocess.DEVNULL)
        self.base = [python, "-I", "-S", "-c", "pass"]
        for count in (20, 200, 2000):
            mount = folder / str(count)
            mount.mkdir()
            script = []
            for number in range(count):
                path = mount / f"secret-{number}"
                path.write_text(f"value-{number}-{'x' * 20}\n", encoding="ascii")
                script.append(f"export SECRET_{number}=$(cat {path})")
            script.append(f"exec {TRUE}")
            (folder / f"{count}.sh").write_text("\n".join(script) + "\n", encoding="ascii")
        self.template("app.conf", "<<secret-{}>>")
        self.template("app.conf.j2", "{{{{ secret_{} }}}}")
        self.template("real.conf.j2", "{{% if true %}}{{{{ secret_{} }}}}{{% endif %}}")

    def template(self, name: str, placeholder: str) -> None:
        """200 lines of YAML, with a placeholder in every tenth."""
        lines = [
            f'key{n}: "{placeholder.format(n // 10)}"' if n % 10 == 0 else f"key{n}: plain text {n}"
            for n in range(200)
        ]
        (self.folder / name).write_text("\n".join(lines) + "\n", encoding="ascii")

    def variables(self, count: int) -> list[str]:
        return [*self.shim, "--secrets-dir", str(self.folder / str(count)), "--", TRUE]

    def rendered(self, template: str) -> list[str]:
        spec = f"{self.folder / template}:{self.folder / 'rendered.yaml'},format=yaml"
        argv = self.variables(20)
        return [*argv[:-2], "--env-all", "--allow-disk", "--render", spec, *argv[-2:]]

    def script(self, count: int) -> list[str]:
        return [DASH, str(self.folder / f"{count}.sh")]

    def cpu_per_secret(self, pairs: int) -> float:
        """Microseconds of CPU for one more secret, between 200 and 2000 of them."""
        more = [run(self.variables(2000))[1] - run(self.variables(200))[1] for _ in range(pairs)]
        return statistics.median(more) / 1800 * 1e6

    def memory(self) -> float:
        """Peak memory of all that the shim does before exec, over that of a bare interpreter.

        From VmHWM, inside the process: wait4(2) would count the parent's pages, too.
        """
        arguments = self.variables(20)[len(self.shim) :]
        code = f"import posix, sys; sys.path.insert(0, {str(self.folder / 'shim')!r})\n"
        code += "from secretkit_entrypoint.main import main\n"
        code += "posix.execve = lambda *_: sys.exit()\n"
        code += f"try:\n main({arguments!r})\nexcept SystemExit:\n pass\n"
        return peak(self.python, code) / peak(self.python, "")


def peak(python: str, code: str) -> float:
    """The median of the most memory (kB) that `code` and a bare interpreter need."""
    argv = [python, "-ISB", "-c", code + HIGH_WATER]
    outputs = [subprocess.run(argv, check=True, capture_output=True).stdout for _ in range(5)]
    return statistics.median(map(int, outputs))


def measure(bench: Bench, pairs: int, show: Callable[[Row], None]) -> bool:
    """Measures every row and shows it at once; whether all are within budget."""
    rows = []

    def add(*row: object, **options: object) -> None:
        rows.append(Row(*row, **options))  # type: ignore[arg-type]
        show(rows[-1])

    for count, budget in ((20, 1.10), (200, 1.20), (2000, 2.2)):
        add(
            f"{count} secrets to variables",
            ratio(bench.variables(count), bench.base, pairs),
            budget,
        )
    add("CPU for one more secret", bench.cpu_per_secret(pairs // 4), 5, unit=" µs")
    text = "20 variables, 20 placeholders in 200 lines"
    add(text, ratio(bench.rendered("app.conf"), bench.base, pairs), 1.15)
    text = "the same with a simple Jinja2 template"
    add(text, ratio(bench.rendered("app.conf.j2"), bench.base, pairs), 1.15)
    text = "the same with real Jinja2"
    add(text, ratio(bench.rendered("real.conf.j2"), bench.base, pairs // 4), 8)
    for count, budget, few in ((20, 2.5, pairs), (200, 20, pairs // 8), (2000, 150, 3)):
        figure = ratio(bench.script(count), bench.variables(count), max(few, 3))
        add(f"sh script over the shim, {count} secrets", figure, budget, at_least=True)
    add("peak memory, 20 secrets", bench.memory(), 1.15)
    return all(row.ok for row in rows)


def main(argv: list[str] | None = None) -> int:
    """Prints the table; 0 if every row is within its budget, otherwise 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.startup", description=__doc__)
    parser.add_argument("--python", help="the interpreter to measure [this one's base]")
    parser.add_argument("--all-pythons", action="store_true", help="every Python found")
    parser.add_argument("--pairs", type=int, default=80, help="pairs for each figure [80]")
    options = parser.parse_args(argv)
    pythons = [options.python or sys.executable]
    if options.all_pythons:
        from tests.needs import pythons as every_python

        pythons = list(every_python())
    within = True
    memory = Path("/dev/shm")  # noqa: S108 - a tmpfs, as mounts are, with a private folder in it
    for python in pythons:
        with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
            bench = Bench(python, Path(folder))
            floor = ratio(bench.base, bench.base, options.pairs)
            base = statistics.median(run(bench.base)[0] for _ in range(9)) * 1000
            version = subprocess.run(
                [python, "-V"], capture_output=True, check=True
            ).stdout.decode()
            print(
                f"shim start-up, {version.strip()}: B = {base:.1f} ms, B / B = {floor:.2f}, ",
                end="",
            )
            print(f"load {os.getloadavg()[0]:.2f} on {os.cpu_count()} processors")
            print(f"{'case':<52}{'budget':>10}{'measured':>9}")
            within &= measure(bench, options.pairs, print)
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())

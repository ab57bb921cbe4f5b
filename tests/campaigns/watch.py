"""--watch measured: from a change to the next COMMAND, a minute of rest, and a start.

Also SIGTERM and SIGKILL at random moments of many lives, after which no COMMAND may be left.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from secretkit.delivery.shim import export
from tests.shim.conftest import Shim
from tests.shim.watched import Watched, alive, quick, replace, until, watched

SECRETS = 20


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="watch")
    parser.add_argument("--changes", type=int, default=50)
    parser.add_argument("--idle", type=int, default=60, help="seconds")
    parser.add_argument("--starts", type=int, default=100)
    parser.add_argument("--kills", type=int, default=500)
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        (folder / "secrets").mkdir()
        for number in range(SECRETS):
            (folder / "secrets" / f"s{number}").write_text("1")
        (folder / "secrets" / "x").write_text("0")
        (folder / "template").write_text("<<x>>")
        render = f"{folder / 'template'}:{folder / 'file'},format=text"
        shim = Shim(folder / "secrets")
        with watched(shim, folder, "--env-all", "--render", render) as run:
            run.until_started("0")
            idle(run, arguments.idle)
            changes(run, shim, arguments.changes)
        launcher = export(folder / "shim")[0]
        subprocess.run([sys.executable, "-ISB", launcher, "--compile"], check=True)
        starts(Shim(shim.mount, shim.python, launcher), arguments.starts)
        return kills(shim, folder, arguments.kills)


def idle(run: Watched, seconds: int) -> None:
    """CPU time that the shim takes while nothing changes, and its memory."""
    process = Path(f"/proc/{run.process.pid}")
    time.sleep(2)  # the first look reads everything

    def used() -> int:
        fields = (process / "stat").read_text().rpartition(") ")[2].split()
        return int(fields[11]) + int(fields[12])

    before = used()
    time.sleep(seconds)
    ticks = (used() - before) / os.sysconf("SC_CLK_TCK")
    status = (process / "status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    print(f"idle, {SECRETS + 1} secrets: {ticks * 1000:.0f} ms of CPU in {seconds} s; {resident}")


def changes(run: Watched, shim: Shim, count: int) -> None:
    """From the rename of a secret to the log of the next COMMAND."""
    chance = random.Random(3)
    times = []
    for number in range(1, count + 1):
        time.sleep(chance.random())  # whenever the shim has looked last
        begun = time.monotonic()
        replace(shim.mount / "x", str(number))
        until(lambda number=number: len(run.lines("start")) == number + 1)
        times.append(time.monotonic() - begun)
    print(
        f"from a change to the next COMMAND: median {statistics.median(times):.2f} s, "
        f"worst of {count} {max(times):.2f} s"
    )


def starts(shim: Shim, count: int) -> None:
    """What --watch adds to a start, in pairs."""
    words = (("--env-all",), ("--env-all", "--watch"))
    pairs = []
    for _ in range(count):
        pair = []
        for options in words:
            begun = time.perf_counter()
            subprocess.run(shim.argv(*options, "true"), env=shim.environ, check=True)
            pair.append(time.perf_counter() - begun)
        pairs.append(pair)
    without = statistics.median(pair[0] for pair in pairs)
    added = statistics.median(pair[1] - pair[0] for pair in pairs)
    print(f"a start: {without * 1000:.1f} ms, with --watch {added * 1000:.1f} ms more")


def kills(shim: Shim, folder: Path, count: int) -> int:
    """SIGTERM or SIGKILL at random moments: no COMMAND is left, and never were there two."""
    chance = random.Random(4)
    brisk = quick(shim, folder)
    strays = twice = odd = 0
    for number in range(count):
        with watched(brisk, folder, "--env", "X=x") as run:
            if number % 2:
                until(run.starts)
                replace(shim.mount / "x", str(number))
            time.sleep(chance.random() * 0.1)
            gentle = chance.random() < 0.5
            run.process.send_signal(signal.SIGTERM if gentle else signal.SIGKILL)
            status = run.process.wait(60)
            # 0 is COMMAND's own answer; the others are from before it had a handler.
            odd += gentle and status not in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
        time.sleep(0.02)
        left = [pid for pid in run.pids() if alive(pid)]
        strays += len(left)
        twice += len(run.lines("twice"))
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        run.log.unlink(missing_ok=True)
    print(f"{count} ends at random moments: {strays} strays, {twice} doubles, {odd} odd statuses")
    return 1 if strays or twice or odd else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

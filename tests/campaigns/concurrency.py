"""Several processes write to one store at once: every acknowledged write is there."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from pathlib import Path

from secretkit.store import Store

from .crash import durable_home


def _write(folder: Path, writer: int, writes: int) -> None:
    with Store.open(folder) as store:
        for number in range(writes):
            if number % 4 == 0:
                store.create(f"w{writer}-{number}", b"created")
            else:
                store.rotate("shared", f"{writer}.{number}".encode())


def run(folder: Path, processes: int, writes: int) -> list[str]:
    """Write at once to a new store below `folder`; returns what went wrong."""
    with Store.init(folder) as store:
        store.create("shared", b"0.0")
    context = multiprocessing.get_context("spawn")
    running = [
        context.Process(target=_write, args=(folder, number, writes)) for number in range(processes)
    ]
    for process in running:
        process.start()
    for process in running:
        process.join()
    problems = [f"writer {n} failed" for n, p in enumerate(running) if p.exitcode != 0]
    with Store.open(folder) as store:
        rotations = [f"{w}.{n}".encode() for w in range(processes) for n in range(writes) if n % 4]
        numbers = store.get("shared").versions
        kept = sorted(bytes(store.read("shared", number)) for number in numbers)
        if kept != sorted([b"0.0", *rotations]):
            problems.append(f"{len(rotations) + 1} rotations acknowledged, {len(kept)} there")
        created = {f"w{w}-{n}" for w in range(processes) for n in range(0, writes, 4)}
        if {secret.name for secret in store.list()} != created | {"shared"}:
            problems.append("created secrets are missing")
        problems += [finding.what for finding in store.check().findings]
    return problems


def main(argv: list[str] | None = None) -> int:
    """16 processes, 200 writes each; 1 if one is lost."""
    parser = argparse.ArgumentParser(prog="concurrency", description=__doc__)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--writes", type=int, default=200)
    options = parser.parse_args(argv)
    with durable_home() as home:
        folder = home / "project"
        folder.mkdir()
        began = time.monotonic()
        problems = run(folder, options.processes, options.writes)
    total = options.processes * options.writes
    print(
        f"{options.processes} processes x {options.writes} writes: {total} acknowledged,"
        f" {len(problems)} problems, {time.monotonic() - began:.1f} s"
    )
    for problem in problems:
        print(f"  {problem}", file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    raise SystemExit(main())

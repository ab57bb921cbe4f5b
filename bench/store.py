"""What the store costs, as ratios against this machine's own limits, paired in one run."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from secretkit.store import NewSecret, Store


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _put_against_append(home: Path, rounds: int) -> tuple[float, float]:
    """(median ratio of a put to an append with fdatasync, median append in ms)."""
    folder = home / "put"
    folder.mkdir()
    file = os.open(home / "append", os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def append() -> None:
        os.write(file, b"x" * 4096)
        os.fdatasync(file)

    with Store.init(folder) as store:
        store.create("a", os.urandom(32))

        def put() -> None:
            store.rotate("a", os.urandom(32))

        pairs = []
        for number in range(rounds):
            if number % 2:
                second, first = _seconds(put), _seconds(append)
            else:
                first, second = _seconds(append), _seconds(put)
            pairs.append((first, second))
    os.close(file)
    return statistics.median(b / a for a, b in pairs), statistics.median(a for a, _ in pairs) * 1e3


def _filled(folder: Path, secrets: int, versions: int) -> int:
    """A store of `secrets` with `versions` each; returns its size in bytes."""
    folder.mkdir()
    names = [f"secret-{number}" for number in range(secrets)]
    with Store.init(folder) as store:
        store.create_many([NewSecret(name, os.urandom(32)) for name in names])
        for _ in range(versions - 1):
            store.rotate_many([(name, os.urandom(32), "given") for name in names])
        return store.path.stat().st_size


def _deep(folder: Path, versions: int) -> None:
    """A store of one secret with `versions` versions."""
    folder.mkdir()
    with Store.init(folder) as store:
        store.create("secret-0", os.urandom(32))
        for _ in range(versions // 1000):
            store.rotate_many([("secret-0", os.urandom(32), "given")] * 1000)


def _get_at_sizes(home: Path, shapes: dict[str, tuple[int, int]], rounds: int) -> dict[str, float]:
    """Median seconds of a get of a current value, the shapes in turn."""
    stores = {shape: Store.open(home / shape) for shape in shapes}
    taken: dict[str, list[float]] = {shape: [] for shape in shapes}
    for number in range(rounds):
        for shape, (secrets, _) in shapes.items():
            name = f"secret-{number * 7 % secrets}"
            taken[shape].append(_seconds(partial(stores[shape].read, name)))
    for store in stores.values():
        store.close()
    return {shape: statistics.median(seconds) for shape, seconds in taken.items()}


def _folder_against(home: Path) -> list[tuple[str, float | None, float]]:
    """Writing 200 secrets to a folder: (other tool, its seconds over ours, the budget)."""
    from secretkit import mount

    folder = home / "folder"
    _filled(folder, 200, 1)
    target = Path(tempfile.mkdtemp(prefix="secretkit-bench-", dir="/dev/shm"))
    os.environ["XDG_RUNTIME_DIR"] = str(target)
    ours = []
    with Store.open(folder) as store:
        for _ in range(7):
            ours.append(_seconds(lambda: mount.up(store, folder / "dev-secrets")))
            mount.down(folder)
    mine = statistics.median(ours)
    rows: list[tuple[str, float | None, float]] = []
    for tool, budget, run in (("pass", 100, _pass), ("age", 12, _age)):
        needed = ("pass", "gpg") if tool == "pass" else ("age", "age-keygen")
        there = all(shutil.which(program) for program in needed)
        rows.append((tool, run(home, target) / mine if there else None, budget))
    shutil.rmtree(target)
    return rows


def _pass(home: Path, target: Path, sample: int = 10) -> float:
    """Seconds for 200 `pass show` into files, from a sample."""
    gnupg = Path(tempfile.mkdtemp(prefix="skb-", dir="/dev/shm"))
    env = os.environ | {"GNUPGHOME": str(gnupg), "PASSWORD_STORE_DIR": str(home / "pass")}

    def run(*line: str) -> None:
        subprocess.run(line, input=b"x" * 32, env=env, check=True, capture_output=True)

    key = ("--quick-gen-key", "bench@example.org", "default", "default", "never")
    run("gpg", "--batch", "--passphrase", "", *key)
    run("pass", "init", "bench@example.org")
    for number in range(sample):
        run("pass", "insert", "-m", f"s{number}")

    def show() -> None:
        for number in range(sample):
            with (target / f"p{number}").open("wb") as file:
                subprocess.run(["pass", "show", f"s{number}"], env=env, check=True, stdout=file)

    show()
    seconds = _seconds(show) * 200 / sample
    subprocess.run(["gpgconf", "--kill", "all"], env=env, check=False)
    shutil.rmtree(gnupg, ignore_errors=True)
    return seconds


def _age(home: Path, target: Path, sample: int = 40) -> float:
    """Seconds for 200 `age -d` into files, from a sample."""
    identity = home / "age.key"
    subprocess.run(["age-keygen", "-o", identity], check=True, capture_output=True)
    recipient = subprocess.run(
        ["age-keygen", "-y", identity], check=True, capture_output=True, text=True
    ).stdout.strip()
    for number in range(sample):
        line = ["age", "-r", recipient, "-o", home / f"{number}.age"]
        subprocess.run(line, input=b"x" * 32, check=True)

    def decrypt() -> None:
        for number in range(sample):
            line = [
                "age",
                "-d",
                "-i",
                identity,
                "-o",
                target / f"a{number}",
                home / f"{number}.age",
            ]
            subprocess.run(line, check=True)

    decrypt()
    return _seconds(decrypt) * 200 / sample


def main(argv: list[str] | None = None) -> int:
    """Print the cost table; 1 if a budget is missed."""
    parser = argparse.ArgumentParser(prog="store", description=__doc__)
    parser.add_argument("--rounds", type=int, default=400)
    options = parser.parse_args(argv)
    home = Path(tempfile.mkdtemp(prefix="secretkit-bench-", dir="/var/tmp"))
    os.environ["XDG_CONFIG_HOME"] = str(home / "config")
    rows: list[tuple[str, float | None, float, str]] = []
    try:
        ratio, append = _put_against_append(home, options.rounds)
        rows.append(("durable put / append 4 KiB + fdatasync", ratio, 5, f"append {append:.2f} ms"))
        shapes = {"1k": (10, 100), "100k": (1000, 100), "100k-one-secret": (1, 100_000)}
        sizes = {shape: _filled(home / shape, *shapes[shape]) for shape in ("1k", "100k")}
        _deep(home / "100k-one-secret", 100_000)
        got = _get_at_sizes(home, shapes, options.rounds)
        for shape in ("100k", "100k-one-secret"):
            what = f"get at {shape} versions / at 1k"
            rows.append((what, got[shape] / got["1k"], 2, f"1k: {got['1k'] * 1e3:.2f} ms"))
        rows.append(("bytes on disk for a 32-byte version", sizes["100k"] / 100_000, 400, "100k"))
        for tool, faster, budget in _folder_against(home):
            rows.append((f"200 secrets to a folder, {tool} / secretkit", faster, -budget, ""))
    finally:
        shutil.rmtree(home)
    print(f"load {os.getloadavg()[0]:.2f}")
    missed = 0
    for what, measured, budget, note in rows:
        if measured is None:
            print(f"{what:<48} not installed")
            continue
        fine = measured <= budget if budget > 0 else measured >= -budget
        missed += not fine
        sign, limit = ("<=", budget) if budget > 0 else (">=", -budget)
        print(
            f"{what:<48} {measured:8.2f}  {sign} {limit:<5g} {'ok' if fine else 'MISSED':<7}{note}"
        )
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())

"""Swap destinations and their folders for links while files are rendered.

Attackers exchange the destination, its folder and the folder above it with links that lead outside
(renameat2 with RENAME_EXCHANGE, so that there is always one or the other), while `--renders`
transactions of two files are written by the shim's code, and `--starts` by whole shims. Meanwhile a
process of another user opens whatever it sees. Afterwards everything outside must be as it was: no
file there is written, made, removed or given to anybody.
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from secretkit_entrypoint.destinations import Destination, write
from secretkit_entrypoint.errors import ShimError

from secretkit.delivery.shim import command

EXCHANGE = 2  # RENAME_EXCHANGE, renameat2(2)
VALUE = b"cAnArY of the race"
NOBODY = 65534
_libc = ctypes.CDLL(None, use_errno=True)


def main(argv: list[str] | None = None) -> int:
    """Print what happened; 1 if anything outside was touched."""
    parser = argparse.ArgumentParser(prog="race", description=__doc__)
    parser.add_argument("--renders", type=int, default=10_000)
    parser.add_argument("--starts", type=int, default=300)
    parser.add_argument("--attackers", type=int, default=2)
    options = parser.parse_args(argv)
    verdicts, defects = attempt(options.renders, options.starts, options.attackers)
    print(", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()))
    for defect in defects:
        print(f"DEFECT: {defect}")
    return int(bool(defects))


def attempt(renders: int, starts: int, attackers: int) -> tuple[Counter[str], list[str]]:
    """How the renders ended, and what must not have happened."""
    verdicts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="race-", dir="/dev/shm") as name:
        root = Path(name)
        root.chmod(0o755)
        ground = Ground(root)
        before = ground.outside_now()
        swaps = multiprocessing.Value("L", 0)
        seen = multiprocessing.Value("L", 0)
        jobs = [(_swap, (ground.pairs, swaps, seed)) for seed in range(attackers)]
        if os.geteuid() == 0:
            jobs.append((_look, (root, seen)))
        with running(jobs):
            _until_moving(swaps)
            for _ in range(renders):
                verdicts[ground.render()] += 1
            for _ in range(starts):
                verdicts[ground.start()] += 1
        verdicts["swaps"] = swaps.value
        defects = ground.defects(before)
        if seen.value:
            defects.append(f"another user read a value {seen.value} times")
        defects += [
            verdict for verdict in verdicts if verdict.startswith("starts that ended wrong")
        ]
        rendered = verdicts["written"] + verdicts["starts that wrote"]
        refused = sum(verdicts.values()) - rendered - verdicts["swaps"]
        if not rendered or not refused:
            defects.append("the swaps were never, or always, in the way: nothing was tried")
    return verdicts, defects


class Ground:
    """A tree with two destinations, links to exchange its parts with, and what lies outside."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.outside = root / "outside"
        self.target = root / "in" / "a" / "b"
        self.template = root / "template"
        self.template.write_text("<<v>>")
        (root / "secrets").mkdir()
        (root / "secrets" / "v").write_bytes(VALUE)
        self.target.mkdir(parents=True)
        (self.outside / "b").mkdir(parents=True)
        for folder in (self.outside, self.outside / "b"):
            for file in ("one.conf", "two.conf", "shadow"):
                (folder / file).write_bytes(b"not ours\n")
                (folder / file).chmod(0o640)
        (self.target / "one.conf").write_bytes(b"")
        # A folder that stays the same whatever its name leads to, and two names in it: what is
        # real, and a link that leads outside.
        self.pairs = []
        for real in (self.target.parent, self.target, self.target / "one.conf"):
            (real.parent / "link").symlink_to(self.outside / ("" if real.is_dir() else real.name))
            folder = os.open(real.parent, os.O_PATH | os.O_DIRECTORY)
            self.pairs.append((folder, real.name.encode(), b"link"))

    def destinations(self) -> list[str]:
        return [str(self.target / "one.conf"), str(self.target / "two.conf")]

    def render(self) -> str:
        """One transaction of two files."""
        made = []
        try:
            for path in self.destinations():
                made.append(Destination(path.encode(), 0o400, None, False))
        except ShimError:
            for destination in made:
                destination.close()
            return "refused"
        try:
            write([(destination, VALUE) for destination in made])
        except ShimError:
            return "refused while writing"
        return "written"

    def start(self) -> str:
        """One whole shim."""
        renders = [f"--render={self.template}:{path}" for path in self.destinations()]
        done = subprocess.run(
            [
                *(*command(sys.executable), "--secrets-dir", str(self.root / "secrets")),
                *(*renders, "--", "/bin/true"),
            ],
            stderr=subprocess.PIPE,
            check=False,
        )
        if done.returncode not in (0, 125) or VALUE in done.stderr or b"internal" in done.stderr:
            return f"starts that ended wrong ({done.returncode}: {done.stderr!r})"
        return "starts that refused" if done.returncode else "starts that wrote"

    def outside_now(self) -> dict[str, tuple[object, ...]]:
        """Everything outside: content, inode, mode, owner, links, times of content and status."""
        found: dict[str, tuple[object, ...]] = {}
        for path in (self.outside, *self.outside.rglob("*")):
            about = path.lstat()
            content = path.read_bytes() if path.is_file() else sorted(os.listdir(path))
            owner = (about.st_uid, about.st_gid, about.st_mode, about.st_nlink)
            found[str(path)] = (content, about.st_ino, *owner, about.st_mtime_ns, about.st_ctime_ns)
        return found

    def defects(self, before: dict[str, tuple[object, ...]]) -> list[str]:
        after = self.outside_now()
        found = [
            f"outside, {path} was changed" for path in before if before[path] != after.get(path)
        ]
        found += [f"{path} is new" for path in after if path not in before]
        for path in self.root.rglob(".secretkit-*"):
            found.append(f"{path} was left behind")
        return found


def exchange(folder: int, one: bytes, other: bytes) -> bool:
    """Lets two names in a folder change places in one step."""
    return _libc.renameat2(folder, one, folder, other, EXCHANGE) == 0


def _swap(pairs: list[tuple[int, bytes, bytes]], swaps: Synchronized[int], seed: int) -> None:
    """Exchanges one after the other for ever; now and then waits, so that renders succeed, too."""
    rng = random.Random(seed)
    while True:
        swaps.value += exchange(*rng.choice(pairs))
        if rng.random() < 0.3:
            time.sleep(rng.random() / 200)


def _look(root: Path, seen: Synchronized[int]) -> None:
    """As another user, opens every file that is there, for ever."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    while True:
        for folder, _, files in os.walk(root / "in"):
            for file in files:
                with suppress(OSError), open(f"{folder}/{file}", "rb") as stream:  # noqa: PTH123
                    if VALUE in stream.read():
                        seen.value += 1


def _until_moving(swaps: Synchronized[int]) -> None:
    deadline = time.monotonic() + 30
    while swaps.value < 10:
        assert time.monotonic() < deadline, "the attackers do not attack"
        time.sleep(0.01)


@contextmanager
def running(jobs: list[tuple[Callable[..., None], tuple[object, ...]]]) -> Iterator[None]:
    """Processes that go on until the end of the block."""
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=job, args=given, daemon=True) for job, given in jobs]
    for process in processes:
        process.start()
    try:
        yield
        assert all(process.is_alive() for process in processes), "an attacker died"
    finally:
        for process in processes:
            process.kill()
            process.join()


if __name__ == "__main__":
    raise SystemExit(main())

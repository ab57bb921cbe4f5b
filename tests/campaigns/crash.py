"""Kill writers and fail the disk under them: what was acknowledged is there, the store is sound.

`kills`: SIGKILL at random moments while a process rotates, prunes, backs up and rotates its key.
`syscalls`: for each operation, SIGKILL at every single write, sync, unlink, rename, link and lock
in turn, and an I/O error or a full disk at every write and sync (strace's fault injection).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from secretkit.errors import SecretkitError
from secretkit.store import Store

KILL_AT = "pwrite64,write,fdatasync,fsync,unlink,rename,renameat,link,linkat,fcntl,flock,ftruncate"
FAIL_AT = "pwrite64,fdatasync,fsync,ftruncate"


@contextlib.contextmanager
def durable_home() -> Iterator[Path]:
    """A folder on a real disk with a home of its own."""
    folder = Path(tempfile.mkdtemp(prefix="secretkit-crash-", dir="/var/tmp"))
    before = os.environ.get("XDG_CONFIG_HOME")
    os.environ["XDG_CONFIG_HOME"] = str(folder / "config")
    try:
        yield folder
    finally:
        os.environ.pop("XDG_CONFIG_HOME")
        if before is not None:
            os.environ["XDG_CONFIG_HOME"] = before
        shutil.rmtree(folder)


# -- SIGKILL at random moments --------------------------------------------------------------------


def _write_until_killed(folder: Path, acknowledge: int, seed: int) -> None:
    rng = random.Random(seed)
    with Store.open(folder) as store:
        for _ in range(100_000):
            act = rng.random()
            if act < 0.90:
                name = rng.choice(("kept", "pruned"))
                value = f"{name} {seed} {os.urandom(8).hex()}".encode()
                if act < 0.70:
                    version = store.rotate(name, value)
                else:
                    version = store.stage(name, value)
                    store.make_current(name, version.number, "rotate")
                os.write(acknowledge, f"{name} {version.number}\n".encode())
            elif act < 0.94:
                store.prune("pruned", keep=2)
            elif act < 0.97:
                store.read("kept")
            elif act < 0.98:
                store.rotate_key()
            else:
                target = folder / f"backup-{seed}-{rng.random()}"
                store.backup(target)
                target.unlink()


def kills(count: int, seed: int) -> Counter[str]:
    """Kill `count` writers; counts what was acknowledged, lost, and failed `check`."""
    rng = random.Random(seed)
    result: Counter[str] = Counter()
    with durable_home() as folder:
        acknowledged = {"kept": 1, "pruned": 1}
        with Store.init(folder) as store:
            for name in acknowledged:
                store.create(name, b"1")
        for run in range(count):
            reader, writer = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(reader)
                with contextlib.suppress(SecretkitError):
                    _write_until_killed(folder, writer, seed * 1_000_000 + run)
                os._exit(1)
            os.close(writer)
            time.sleep(rng.uniform(0.001, 0.03))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            result["writers that ended by themselves"] += not os.WIFSIGNALED(status)
            with os.fdopen(reader, "rb") as pipe:
                for line in pipe.read().splitlines():
                    name, number = line.decode().split()
                    acknowledged[name] = int(number)
                    result["acknowledged"] += 1
            result["kills"] += 1
            with Store.open(folder) as store:
                kept, pruned = store.get("kept"), store.get("pruned")
                result["lost"] += acknowledged["kept"] - len(
                    [version for version in kept.versions if version <= acknowledged["kept"]]
                )
                result["lost"] += acknowledged["pruned"] not in pruned.versions
                if not store.check().ok:
                    result["failed check"] += 1
                if len(kept.versions) > 300:  # keep `check` quick
                    store.remove("kept")
                    store.create("kept", b"1")
                    acknowledged["kept"] = 1
    return result


# -- one at every system call ---------------------------------------------------------------------


OPERATIONS = {
    "init": "Store.init(folder / 'fresh').close()",
    "create": "store.create('next', b'value')",
    "rotate": "store.rotate('a', b'next value')",
    "prune": "store.prune('a', keep=1)",
    "stage": "store.stage('a', b'staged', 6)",
    "make current": "store.make_current('a', 4, 'rotate')",
    "learn": "store.learn('a', 9)",
    "destroy": "store.destroy('a', [1, 4])",
    "read": "store.read('a')",
    "key rotate": "store.rotate_key()",
    "key add": "store.add_key_file(folder / 'second.key')",
    "backup": "store.backup(folder / 'backup')",
    "restore": "Store.restore(folder, folder / 'earlier', accept_rollback=True).close()",
}
_SCRIPT = """
import os, sys
from pathlib import Path
from secretkit.errors import SecretkitError
from secretkit.store import Store
import secretkit.store.checking, secretkit.store.keyring
folder = Path(sys.argv[1])
try:
    if {needs_store}:
        with Store.open(folder) as store:
            {statement}
    else:
        {statement}
except SecretkitError as error:
    sys.exit(9)
os.write(1, b"acknowledged")
"""


def _prepare(folder: Path) -> None:
    with Store.init(folder) as store:
        store.create("a", b"first")
        store.backup(folder / "earlier")
        store.rotate("a", b"second")
        store.rotate("a", b"third")
        store.stage("a", b"fourth")


def _sound(folder: Path, operation: str, acknowledged: bool) -> str:
    """ "" when the store is as it must be after `operation` was cut short, else what is wrong."""
    if operation == "init":
        fresh = folder / "fresh"
        if not (fresh / ".secretkit").exists():
            if acknowledged:
                return "acknowledged store is not there"
            Store.init(fresh).close()  # it can simply be run again
        with Store.open(fresh) as store:
            return "" if store.check().ok else "check failed"
    try:
        store = Store.open(folder)
        store.list()
    except SecretkitError as error:
        # A restore that was cut short leaves the anchor ahead: it refuses until run again.
        if operation != "restore" or acknowledged:
            return f"does not open: {error}"
        store = Store.restore(folder, folder / "earlier", accept_rollback=True)
    with store:
        report = store.check()
        if not report.ok:
            return f"check: {report.findings[0].what}"
        names = {secret.name for secret in store.list()}
        current = bytes(store.read("a"))
        if operation == "create" and acknowledged and "next" not in names:
            return "acknowledged secret lost"
        versions = set(store.get("a").versions)
        after = {"stage": {1, 2, 3, 4, 6}, "learn": {1, 2, 3, 4, 9}, "destroy": {2, 3}}
        before = after.get(operation, versions) if acknowledged else {1, 2, 3, 4}
        if operation in after and versions not in (before, after[operation]):
            return f"the versions of a are {sorted(versions)}, not as acknowledged"
        allowed = {
            "make current": {b"fourth"} if acknowledged else {b"third", b"fourth"},
            "rotate": {b"next value"} if acknowledged else {b"third", b"next value"},
            "restore": {b"first"} if acknowledged else {b"first", b"third"},
        }.get(operation, {b"third"})
        if current not in allowed:
            return f"the current value of a is {store.get('a').current}, not as acknowledged"
    return ""


def syscalls(operations: list[str], step: int = 1) -> Counter[str]:
    """Inject at every `step`-th call of every kind, until no call is left; counts outcomes."""
    result: Counter[str] = Counter()
    with durable_home() as home:
        template = home / "template"
        template.mkdir()
        (template / "fresh").mkdir()
        _prepare(template)
        config = home / "config"
        shutil.copytree(config, home / "config-template")
        for operation in operations:
            for calls, action in (
                (KILL_AT, "signal=KILL"),
                (FAIL_AT, "error=EIO"),
                (FAIL_AT, "error=ENOSPC"),
            ):
                for call in calls.split(","):
                    number = 1
                    while True:
                        folder = home / "run"
                        shutil.rmtree(folder, ignore_errors=True)
                        shutil.copytree(template, folder)
                        shutil.rmtree(config)
                        shutil.copytree(home / "config-template", config)
                        status, output, hit = _injected(folder, operation, call, action, number)
                        if not hit:
                            break
                        result[action] += 1
                        problem = _sound(folder, operation, b"acknowledged" in output)
                        if status not in {0, 9, 137, -9}:
                            problem = f"ended with {status}: {output[-300:]!r}"
                        if problem:
                            result["unsound"] += 1
                            print(f"{operation}, {call} {number}, {action}: {problem}")
                        number += step
    return result


def _injected(
    folder: Path, operation: str, call: str, action: str, number: int
) -> tuple[int, bytes, bool]:
    statement = OPERATIONS[operation]
    script = _SCRIPT.format(
        statement=statement.replace("folder /", "folder /"),
        needs_store=operation not in {"init", "restore"},
    )
    log = folder.parent / "strace.log"
    run = subprocess.run(
        [
            *("strace", "-f", "-o", str(log), "-e", f"trace={call}"),
            *("-e", f"inject={call}:{action}:when={number}"),
            *(sys.executable, "-c", script, str(folder)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=60,
    )
    seen = log.read_text(errors="replace")
    return run.returncode, run.stdout, "(INJECTED)" in seen or "+++ killed by SIGKILL" in seen


def main(argv: list[str] | None = None) -> int:
    """Both campaigns; 1 if a write was lost or a store is unsound."""
    parser = argparse.ArgumentParser(prog="crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--step", type=int, default=1, help="inject at every Nth call only")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    killed = kills(options.kills, options.seed)
    print(
        f"SIGKILL at random: {killed['kills']} kills, {killed['acknowledged']} acknowledged writes,"
        f" {killed['lost']} lost, {killed['failed check']} stores failed check"
    )
    if shutil.which("strace"):
        injected = syscalls(list(OPERATIONS), options.step)
        print(
            f"at every system call: {injected['signal=KILL']} kills, {injected['error=EIO']} I/O"
            f" errors, {injected['error=ENOSPC']} full disks, {injected['unsound']} unsound"
        )
    else:
        print("at every system call: not run, strace is not installed")
        injected = Counter()
    return int(bool(killed["lost"] or killed["failed check"] or injected["unsound"]))


if __name__ == "__main__":
    raise SystemExit(main())

"""What a test needs of the machine: skip with a reason where it is missing.

`SECRETKIT_REQUIRE=engine,root,consumers` turns a skip of those kinds into a failure, so that a
machine which promises to have them cannot pass by not looking.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

# Under another name for the workers of pytest-xdist, and out of the way of the programs that are
# tested: the shim takes SECRETKIT_* variables for its own.
_KEPT = "TESTS_REQUIRE"
os.environ.setdefault(_KEPT, os.environ.pop("SECRETKIT_REQUIRE", ""))
REQUIRED = frozenset(filter(None, os.environ[_KEPT].split(",")))


def need(kind: str, present: bool, reason: str) -> None:
    """Go on if `present`; otherwise skip, or fail if SECRETKIT_REQUIRE names `kind`."""
    if present:
        return
    if kind in REQUIRED:
        pytest.fail(f"{reason} (required: {kind})", pytrace=False)
    pytest.skip(reason)


def need_root() -> None:
    """For behaviour that only root can set up: other owners, mounts."""
    need("root", os.geteuid() == 0, "needs root")


@lru_cache(maxsize=1)
def may_have_namespaces() -> bool:
    """Whether `dev run` can work here: not in a default container, as seccomp forbids it there."""
    ways = (["unshare", "--mount", "true"], ["unshare", "--user", "--mount", "true"])
    works = any(
        subprocess.run(way, stderr=subprocess.DEVNULL, check=False).returncode == 0 for way in ways
    )
    return works or "root" in REQUIRED


def need_namespaces() -> None:
    """For `dev run`, which a kernel or a container may forbid."""
    need("root", may_have_namespaces(), "needs mount namespaces")


def need_program(name: str) -> str:
    """The path of a real consumer such as redis-server."""
    path = shutil.which(name)
    need("consumers", path is not None, f"needs {name}")
    assert path is not None
    return path


@lru_cache(maxsize=1)
def pythons() -> tuple[str, ...]:
    """Every real CPython >= 3.6 on this machine, oldest first, never a wrapper.

    Looked for as python3.N on PATH and in pyenv; each is resolved by its own sys.executable.
    """
    found: dict[tuple[int, int], str] = {}
    candidates = [shutil.which(f"python3.{minor}") for minor in range(6, 20)]
    candidates.append(shutil.which("python3"))
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates += [str(path) for path in sorted(root.glob("versions/3.*/bin/python3"))]
    for candidate in filter(None, candidates):
        probe = subprocess.run(
            [candidate, "-I", "-c", "import sys; print(*sys.version_info[:2], sys.executable)"],
            capture_output=True,
            text=True,
            check=False,
        )
        if probe.returncode == 0:
            major, minor, executable = probe.stdout.strip().split(" ", 2)
            if (int(major), int(minor)) >= (3, 6):
                found.setdefault((int(major), int(minor)), executable)
    return tuple(found[version] for version in sorted(found))

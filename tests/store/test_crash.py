"""Small versions of the crash and concurrency campaigns in every test run."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.campaigns.concurrency import run
from tests.campaigns.crash import kills, syscalls
from tests.needs import need


def test_sigkill_at_random_moments_loses_nothing() -> None:
    """What a killed writer had acknowledged is there, and the store passes check."""
    result = kills(40, seed=3)
    assert (result["kills"], result["lost"], result["failed check"]) == (40, 0, 0)
    assert result["writers that ended by themselves"] == 0
    assert result["acknowledged"] > 0


def test_a_kill_or_failure_at_a_system_call_leaves_a_sound_store() -> None:
    """SIGKILL, EIO, ENOSPC at writes, syncs, unlinks, locks of a rotation: before or after."""
    need("consumers", shutil.which("strace") is not None, "needs strace")
    result = syscalls(["init", "rotate"], step=4)
    assert result["unsound"] == 0
    assert min(result["signal=KILL"], result["error=EIO"], result["error=ENOSPC"]) >= 4


def test_processes_write_at_once(project: Path) -> None:
    """Eight processes write to one store: every write is there."""
    assert run(project, processes=8, writes=12) == []

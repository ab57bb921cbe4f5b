"""Who holds a rotation: by lease, by process, by compare-and-swap."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secretkit import Store
from secretkit.errors import (
    EngineUnreachableError,
    RolloutFailedError,
    RotationInProgressError,
)
from secretkit.rotation import journal
from tests.engines.memory import MemorySwarm
from tests.rotation.conftest import Killed, Stage


def take(swarm: MemorySwarm, wanted: journal.Journal | None) -> journal.Held:
    draft = journal.draft("secret", "db-password", "rotate", 1, 2)
    if wanted is not None:
        draft = wanted._replace(process="elsewhere/1/1", owner="ann@laptop, process 1")
    return journal.take(swarm, wanted, draft, swarm.monotonic, lambda act: act(), swarm.sleep)


def found(swarm: MemorySwarm) -> journal.Journal:
    result = journal.find(swarm, "secret", "db-password")
    assert result is not None
    return result


def test_what_is_written_is_read() -> None:
    """Every field comes back, and no object but the journal is one."""
    swarm = MemorySwarm()
    held = take(swarm, None)
    services = {"id1": (journal.Was("a", "secret1", "db-password"), journal.Was(None, "s2", "x"))}
    held.advance(services=services, names={"id1": "web"}, phase="returning", reason="web: why")
    assert journal.journals(swarm) == (held.journal._replace(lease=found(swarm).lease),)
    assert found(swarm).services == services
    held.release()
    assert journal.journals(swarm) == ()


def test_a_live_process_here_is_not_taken_over() -> None:
    """Neither while its lease lasts, nor after, if it renews within the watch."""
    swarm = MemorySwarm()
    held = take(swarm, None)
    with pytest.raises(RotationInProgressError, match=r"in progress, db-password to v2 by .*@"):
        take(swarm, found(swarm))
    held.advance(lease=datetime.now(UTC) - timedelta(seconds=1))
    wanted = found(swarm)
    swarm.meddle("find", held.advance)
    with pytest.raises(RotationInProgressError):
        take(swarm, wanted)


@pytest.mark.parametrize("lease", [-1, 3600])
def test_a_lapsed_lease_is_taken_over_after_watching(lease: int) -> None:
    """Also one so far ahead that it cannot be true; whoever held it can do nothing more."""
    swarm = MemorySwarm()
    held = take(swarm, None)
    held.advance(lease=datetime.now(UTC) + timedelta(seconds=lease))
    before = swarm.monotonic()
    take(swarm, found(swarm))
    assert swarm.monotonic() - before >= journal.WATCH
    with pytest.raises(RotationInProgressError, match="taken over"):
        held.advance()


def test_a_journal_that_was_removed() -> None:
    """Nobody took it over: whoever held it does not name itself."""
    swarm = MemorySwarm()
    held = take(swarm, None)
    swarm.remove("config", held.journal.found.id)
    with pytest.raises(RotationInProgressError, match="ended by somebody else, db-password to v2:"):
        held.advance()


def test_a_process_that_is_gone_is_not_waited_for() -> None:
    """On the same machine, at once, though its lease lasts; a number used again is not it."""
    swarm = MemorySwarm()
    code = "from secretkit.rotation import journal; print(journal.this_process())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    held = take(swarm, None)
    held.advance(process=done.stdout.strip())
    assert found(swarm).is_left
    assert not held.journal._replace(process=journal.this_process()).is_left
    assert held.journal._replace(process=journal.this_process() + "1").is_left
    take(swarm, found(swarm))


def test_one_of_two_takes_over() -> None:
    """Two that saw the same lapsed journal: the second is told of the first."""
    swarm = MemorySwarm()
    take(swarm, None).advance(process="")
    wanted = found(swarm)
    take(swarm, wanted)
    with pytest.raises(RotationInProgressError, match="ann@laptop"):
        take(swarm, wanted)


CALLS = ("update", "services", "tasks", "create", "relabel", "find", "objects", "remove")
FAULTS = st.lists(st.tuples(st.sampled_from(CALLS), st.integers(0, 60), st.booleans()), max_size=4)
STEPS = ("journal", "stage", "create", "plan", "before", "swap", "verify", "verified", "undo")


@settings(max_examples=60)
@given(
    faults=FAULTS,
    kills=st.lists(st.sampled_from(STEPS), max_size=3),
    bad=st.booleans(),
    at_once=st.sampled_from([1, 3]),
)
def test_all_or_none(
    faults: list[tuple[str, int, bool]],
    kills: list[str],
    bad: bool,
    at_once: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whatever fails and whenever it is killed: in the end all services are on one version."""
    folder: Path = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        (folder / "project").mkdir()
        with Store.init(folder / "project") as store:
            stage = Stage(store, patch)
            stage.deploy("a", "b", "c", replicas=1)
            if bad:
                stage.swarm.behave(b"second", crashes=0.3)
            for call, when, after in faults:
                # So many calls later, by an action that does nothing until then.
                for _ in range(when):
                    stage.swarm.meddle(call, lambda: None)
                error = EngineUnreachableError("no manager answers")

                def fail(call: str = call, error: Exception = error, after: bool = after) -> None:
                    stage.swarm.fail(call, error, after=after)

                stage.swarm.meddle(call, fail)
            rolled_back = False
            for attempt in range(len(kills) + len(faults) + 2):
                try:
                    kill = kills[attempt] if attempt < len(kills) else None
                    content = b"second" if store.get("db-password").current == 1 else None
                    if content is None and stage.is_quiet():
                        break
                    stage.rotate(content, kill=kill, max_parallel=at_once, timeout=60)
                    break
                except RolloutFailedError:
                    rolled_back = True
                    break
                except (Killed, EngineUnreachableError):
                    patch.setattr(journal, "_is_gone", lambda process: True)
            stage.swarm._faults.clear()
            stage.swarm._meddlers.clear()
            stage.swarm.settle()
            used = set.union(*stage.versions_used().values())
            assert used == ({"db-password"} if bad else {"db-password-v2"})
            assert rolled_back == bad
            assert store.get("db-password").current == (1 if bad else 2)
            assert stage.object_names() == ["db-password", "db-password-v2"]

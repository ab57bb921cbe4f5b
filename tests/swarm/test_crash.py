"""SIGKILL at every step: the same command again ends where it would have ended anyway."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import Done, Program
from tests.swarm.services import LIMIT, Services

ROOT = Path(__file__).parents[2]
FORWARD = (
    *(("journal", 1), ("stage", 1), ("create", 1), ("plan", 1), ("swap", 1), ("verify", 1)),
    *(("verified", 1), ("swap", 2), ("verified", 2), ("settle", 1), ("commit", 1)),
)


def die(program: Program, services: Services, step: str, count: int, value: bytes) -> None:
    """A rotation that SIGKILL ends as the step is told for the `count`th time."""
    folder, name = str(program.folder), services.secret
    done = subprocess.run(
        [sys.executable, "-m", "tests.swarm.dying", step, str(count), folder, name],
        input=value,
        capture_output=True,
        cwd=ROOT,
        env=program.environ,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == -9, (step, done.stderr.decode())


def versions(program: Program, services: Services) -> list[int]:
    """The numbers of the secret's versions in the store."""
    shown = program.ok("inspect", services.secret, "--json").json
    return [each["version"] for each in shown["versions"]]


@pytest.mark.parametrize(("step", "count"), FORWARD, ids=[f"{s}-{n}" for s, n in FORWARD])
def test_the_same_command_resumes_after_a_kill(
    secretkit: Program, services: Services, step: str, count: int
) -> None:
    """Both services run on version 2, the only further one; no journal and no object is left."""
    both = [services.create(letter) for letter in "ab"]
    die(secretkit, services, step, count, b"two")
    secretkit.ok("rotate", services.secret, "-", input=b"two")
    assert [services.values(one) for one in both] == [["two"], ["two"]]
    assert [services.references(one) for one in both] == [[("db-password-v2", "db-password")]] * 2
    assert secretkit.ok("show", services.secret).out == b"two"
    assert versions(secretkit, services) == [1, 2]
    assert services.objects() == ["db-password", "db-password-v2"]
    assert services.journals() == []


def test_after_the_last_step_nothing_is_left_to_resume(
    secretkit: Program, services: Services
) -> None:
    """A kill when the journal is gone comes too late to change anything."""
    web = services.create("a")
    die(secretkit, services, "release", 1, b"two")
    assert services.values(web) == ["two"]
    assert secretkit.ok("show", services.secret).out == b"two"
    assert services.journals() == []


@pytest.mark.parametrize("step", ["undo", "undone"])
def test_a_kill_on_the_way_back_is_resumed_too(
    secretkit: Program, services: Services, step: str
) -> None:
    """One service takes the value badly, and SIGKILL comes while all go back: they end there."""
    fine = services.create("a")
    picky = services.create("b", "--update-monitor", "3s", arguments=("picky",))
    die(secretkit, services, step, 1, b"two")
    done = secretkit("rotate", services.secret, "-", input=b"two")
    assert done.code == 6, done.err
    assert (services.values(fine), services.values(picky)) == (["one"], ["one"])
    assert secretkit.ok("show", services.secret).out == b"one"
    assert services.journals() == []


@pytest.mark.parametrize("step", ["create", "swap", "verified", "settle"])
def test_abort_after_a_kill_goes_back(secretkit: Program, services: Services, step: str) -> None:
    """`rotate --abort` ends on the previous version; a next rotation works as ever."""
    both = [services.create(letter) for letter in "ab"]
    die(secretkit, services, step, 1, b"two")
    secretkit.ok("rotate", services.secret, "--abort")
    assert [services.values(one) for one in both] == [["one"], ["one"]]
    assert secretkit.ok("show", services.secret).out == b"one"
    assert services.journals() == []
    secretkit.ok("rotate", services.secret, "-", input=b"three")
    assert [services.values(one) for one in both] == [["three"], ["three"]]


def test_another_value_does_not_take_over_a_rotation(
    secretkit: Program, services: Services
) -> None:
    """A rotation under way is resumed or aborted, not silently replaced by one to another value."""
    web = services.create("a")
    die(secretkit, services, "swap", 1, b"two")
    done = secretkit("rotate", services.secret, "-", input=b"three")
    assert_one_error(done, 4)
    secretkit.ok("rotate", services.secret, "-", input=b"two")
    assert services.values(web) == ["two"]


def assert_one_error(done: Done, code: int) -> None:
    """It ended with this exit code, and said why in one line."""
    assert done.code == code, done.err
    assert len([line for line in done.lines if line.startswith("secretkit: error: ")]) == 1

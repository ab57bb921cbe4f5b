"""A bad value: the services end on the previous version, running, and one line says why."""

from __future__ import annotations

import pytest

from tests.cli.program import Program
from tests.swarm.services import HEALTHY, Services, report_of

# A busy machine may need longer than the tests' usual time to start the program.
WATCHED = ("--update-monitor", "3s")
PAUSING = ("--update-failure-action", "pause", "--update-order", "stop-first")


@pytest.mark.parametrize(
    ("value", "options", "how"),
    [
        (b"crash", WATCHED, ()),
        (b"sick", HEALTHY, ()),
        (b"late", (), ("--soak", "4s")),
        (b"crash", (*WATCHED, *PAUSING), ()),
    ],
    ids=["crash", "unhealthy", "crash after the monitor window", "no rollback by the engine"],
)
def test_a_bad_value_is_taken_back(
    secretkit: Program,
    services: Services,
    value: bytes,
    options: tuple[str, ...],
    how: tuple[str, ...],
) -> None:
    """Exit 6; every task runs with the previous value; the store's current version stays."""
    web = services.create("web", *options, replicas=2)
    done = secretkit("rotate", services.secret, "-", *how, input=value)
    assert done.code == 6, done.err
    errors = [line for line in done.lines if line.startswith("secretkit: error: ")]
    assert len(errors) == 1
    assert web in errors[0]
    assert "every service is on v1" in errors[0]
    assert services.values(web) == ["one", "one"]
    assert services.references(web) == [("db-password", "db-password")]
    assert secretkit.ok("show", services.secret).out == b"one"
    assert services.journals() == []


@pytest.mark.parametrize("options", [PAUSING, PAUSING[:2]], ids=["stop-first", "start-first"])
def test_a_program_that_ends_is_no_job_that_is_done(
    secretkit: Program, services: Services, options: tuple[str, ...]
) -> None:
    """What ran on with the previous value, and ends with status 0 with the next, has failed."""
    web = services.create("web", *WATCHED, *options, "--restart-condition", "on-failure")
    done = secretkit("rotate", services.secret, "-", input=b"end")
    assert done.code == 6, done.err
    assert services.values(web) == ["one"]


def test_all_services_go_back_when_one_fails(secretkit: Program, services: Services) -> None:
    """Five services, of which the third takes the value badly: all five end on the previous one."""
    names = [services.create(f"{letter}", wait=False) for letter in "abde"]
    picky = services.create("c", *WATCHED, arguments=("picky",))
    done = secretkit("rotate", services.secret, "-", "--json", input=b"two")
    assert done.code == 6, done.err
    everyone = [*names, picky]
    assert [services.values(name) for name in everyone] == [["one"]] * 5
    assert {services.references(name)[0] for name in everyone} == {("db-password", "db-password")}
    found = {each["service"]: each for each in report_of(done)["services"]}
    assert [found[name]["outcome"] for name in (*names[:2], picky)] == ["rolled back"] * 3
    assert "non-zero exit" in found[picky]["reason"]
    assert services.journals() == []


def test_after_a_failure_the_next_value_is_a_further_version(
    secretkit: Program, services: Services
) -> None:
    """The number of the version that failed is not used again for another value."""
    web = services.create("web", *WATCHED)
    assert secretkit("rotate", services.secret, "-", input=b"crash").code == 6
    secretkit.ok("rotate", services.secret, "-", input=b"three")
    assert services.values(web) == ["three"]
    assert services.references(web) == [("db-password-v3", "db-password")]
    assert secretkit.ok("show", services.secret).out == b"three"

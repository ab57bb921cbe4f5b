"""A bad value: the services end on the previous version, running, and one line says why."""

from __future__ import annotations

import pytest

from tests.cli.program import Program
from tests.swarm.services import HEALTHY, Services, report_of


@pytest.mark.parametrize(
    ("value", "options", "how"),
    [
        (b"crash", (), ()),
        (b"sick", HEALTHY, ()),
        (b"late", (), ("--soak", "4s")),
        (b"crash", ("--update-failure-action", "pause", "--update-order", "stop-first"), ()),
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
    assert "rolled back" in errors[0]
    assert services.values(web) == ["one", "one"]
    assert services.references(web) == [("db-password", "db-password")]
    assert secretkit.ok("show", services.secret).out == b"one"
    assert services.journals() == []


def test_all_services_go_back_when_one_fails(secretkit: Program, services: Services) -> None:
    """Five services, of which the third takes the value badly: all five end on the previous one."""
    names = [services.create(f"{letter}", wait=False) for letter in "abde"]
    picky = services.create("c", arguments=("picky",))
    done = secretkit("rotate", services.secret, "-", "--json", input=b"two")
    assert done.code == 6, done.err
    everyone = [*names, picky]
    assert [services.values(name) for name in everyone] == [["one"]] * 5
    assert {services.references(name)[0] for name in everyone} == {("db-password", "db-password")}
    outcomes = {each["service"]: each["outcome"] for each in report_of(done)["services"]}
    assert outcomes[picky] == "failed"
    assert [outcomes[name] for name in names[:2]] == ["rolled back", "rolled back"]
    assert services.journals() == []


def test_after_a_failure_the_next_value_is_a_further_version(
    secretkit: Program, services: Services
) -> None:
    """The number of the version that failed is not used again for another value."""
    web = services.create("web")
    assert secretkit("rotate", services.secret, "-", input=b"crash").code == 6
    secretkit.ok("rotate", services.secret, "-", input=b"three")
    assert services.values(web) == ["three"]
    assert services.references(web) == [("db-password-v3", "db-password")]
    assert secretkit.ok("show", services.secret).out == b"three"

"""Other people at the same time: operators who rotate too, and those who change the services."""

from __future__ import annotations

import json

import pytest

from tests.cli.program import EXECUTABLE, Program
from tests.swarm.proxy import Proxy, Request
from tests.swarm.services import Services, started, until

SLOW = ("--update-delay", "1500ms")


def test_of_two_operators_one_wins(secretkit: Program, services: Services) -> None:
    """Two rotations at the same moment: one is done, one ends with 4 and has changed nothing."""
    web = services.create("web", *SLOW, replicas=2)
    command = [EXECUTABLE, "rotate", services.secret, "-"]
    values = (b"left", b"right")
    where = secretkit.environ, secretkit.folder
    with (
        started(command, values[0], *where) as left,
        started(command, values[1], *where) as right,
    ):
        said = [process.communicate(timeout=60)[1].decode() for process in (left, right)]
        codes = (left.returncode, right.returncode)
    assert sorted(codes) == [0, 4], said
    winner = values[codes.index(0)]
    loser = said[codes.index(4)]
    assert "a rotation is in progress" in loser
    assert services.values(web) == [winner.decode()] * 2
    assert secretkit.ok("show", services.secret).out == winner
    assert services.objects() == ["db-password", "db-password-v2"]
    assert services.journals() == []


@pytest.mark.parametrize(
    ("change", "path", "value"),
    [
        (("--label-add", "team=db"), ("Labels", "team"), "db"),
        (("--replicas", "3"), ("Mode", "Replicated", "Replicas"), 3),
        (("--env-add", "A=b"), ("TaskTemplate", "ContainerSpec", "Env"), ["A=b"]),
    ],
    ids=["label", "scale", "task"],
)
def test_a_change_by_somebody_else_survives(
    secretkit: Program,
    services: Services,
    change: tuple[str, ...],
    path: tuple[str, ...],
    value: object,
) -> None:
    """While a service is rolling out somebody updates it: both changes are there in the end."""
    web = services.create("web", *SLOW, replicas=2)
    command = [EXECUTABLE, "rotate", services.secret, "-"]
    with started(command, b"two", secretkit.environ, secretkit.folder) as rotation:
        until("the swap", lambda: services.references(web)[0][0] == "db-password-v2")
        services.docker("service", "update", "--quiet", "--detach", *change, web)
        _, said = rotation.communicate(timeout=60)
    assert rotation.returncode == 0, said.decode()
    found = services.inspect(web)["Spec"]
    for step in path:
        found = found[step]
    assert json.dumps(found) == json.dumps(value)
    assert services.values(web) == ["two"] * (3 if value == 3 else 2)
    assert services.references(web) == [("db-password-v2", "db-password")]


def test_a_change_between_the_look_and_the_swap_survives(
    secretkit: Program, services: Services, proxy: Proxy
) -> None:
    """Somebody changes the service just before our update arrives: both changes are there."""
    web = services.create("web")
    changed = []

    def rule(request: Request, happened: bool) -> None:
        if not changed and not happened and request.path.endswith("/update"):
            changed.append(request)
            services.docker("service", "update", "--detach", "--quiet", "--label-add", "a=b", web)

    proxy.rule = rule
    secretkit.ok("rotate", services.secret, "-", input=b"two")
    assert len(changed) == 1
    assert services.inspect(web)["Spec"]["Labels"] == {"a": "b"}
    assert services.values(web) == ["two"]


def test_a_service_deployed_meanwhile_is_rotated_too(
    secretkit: Program, services: Services
) -> None:
    """A service deployed on the earlier version during a rotation does not stay on it."""
    services.create("web", *SLOW, replicas=2)
    command = [EXECUTABLE, "rotate", services.secret, "-"]
    with started(command, b"two", secretkit.environ, secretkit.folder) as rotation:
        until("the version", lambda: "db-password-v2" in services.objects())
        late = services.create("late")
        _, said = rotation.communicate(timeout=60)
    assert rotation.returncode == 0, said.decode()
    assert services.references(late) == [("db-password-v2", "db-password")]
    assert services.values(late) == ["two"]

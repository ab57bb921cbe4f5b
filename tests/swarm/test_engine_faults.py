"""An engine that answers wrongly or not at all: waited for, asked again, never taken for done."""

from __future__ import annotations

import subprocess
import threading

import pytest

from tests.cli.program import EXECUTABLE, Program
from tests.engine import Engine
from tests.swarm.proxy import Fault, Proxy, Request
from tests.swarm.services import Services, started

NO_LEADER = "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that"
NO_LEADER += " too few managers are online. Make sure more than half of the managers are online."
FAULTS = {
    "500": Fault(500, "rpc error: code = DeadlineExceeded desc = context deadline exceeded"),
    "503": Fault(503, "rpc error: code = Unavailable desc = transport is closing"),
    "no leader": Fault(503, NO_LEADER),
    "cut": Fault(),
}


def is_swap(request: Request) -> bool:
    """Whether it changes a service."""
    return request.path.startswith("/services/") and request.writes


@pytest.mark.parametrize("happened", [False, True], ids=["lost", "happened"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_write_that_fails_once_is_decided_by_the_state(
    secretkit: Program, services: Services, proxy: Proxy, fault: Fault, happened: bool
) -> None:
    """The update's answer is an error, whether the update was taken or not: done, and once."""
    web = services.create("web")
    faults = []

    def rule(request: Request, afterwards: bool) -> Fault | None:
        if is_swap(request) and afterwards == happened and not faults:
            faults.append(request)
            return fault
        return None

    proxy.rule = rule
    secretkit.ok("rotate", services.secret, "-", input=b"two")
    assert len(faults) == 1
    assert services.values(web) == ["two"]
    assert len(list(filter(is_swap, proxy.requests))) == (1 if happened else 2)


def test_an_engine_that_is_away_for_a_while_is_waited_for(
    secretkit: Program, services: Services, proxy: Proxy
) -> None:
    """In the middle of the rollout every connection is refused for some seconds: done anyway."""
    web = services.create("web", replicas=2)
    swapped = threading.Event()

    def rule(request: Request, happened: bool) -> None:
        if happened and is_swap(request):
            swapped.set()

    proxy.rule = rule
    command = [EXECUTABLE, "rotate", services.secret, "-"]
    with started(command, b"two", secretkit.environ, secretkit.folder) as rotation:
        assert swapped.wait(30)
        proxy.refuses = True
        proxy.cut()
        with pytest.raises(subprocess.TimeoutExpired):
            rotation.wait(4)
        proxy.refuses = False
        _, said = rotation.communicate(timeout=60)
    assert rotation.returncode == 0, said.decode()
    assert services.values(web) == ["two"] * 2


def test_an_engine_that_stays_away_is_never_taken_for_done(
    secretkit: Program, services: Services, proxy: Proxy
) -> None:
    """It goes away after the swap and does not come back in time: an error, and resumed later."""
    web = services.create("web")

    def rule(request: Request, happened: bool) -> None:
        if happened and is_swap(request):
            proxy.refuses = True
            proxy.cut()

    proxy.rule = rule
    done = secretkit("rotate", services.secret, "-", "--timeout", "3s", input=b"two")
    assert done.code == 5, done.err
    proxy.rule, proxy.refuses = lambda request, happened: None, False
    assert secretkit.ok("show", services.secret).out == b"one"
    secretkit.ok("rotate", services.secret, "-", input=b"two")
    assert services.values(web) == ["two"]
    assert services.journals() == []


def test_no_engine_at_all_is_one_line(secretkit: Program, services: Services) -> None:
    """Exit 5, and the line names where it looked; the store is as before."""
    secretkit.environ["DOCKER_HOST"] = "unix:///nonexistent/docker.sock"
    done = secretkit("rotate", services.secret, "-", input=b"two")
    assert done.code == 5, done.err
    assert "/nonexistent/docker.sock" in done.err
    assert len([line for line in done.lines if line.startswith("secretkit: error: ")]) == 1
    assert secretkit.ok("show", services.secret).out == b"one"


def test_requests_do_not_grow_with_every_second(
    secretkit: Program, services: Services, proxy: Proxy
) -> None:
    """Watching a rollout that takes long costs fewer requests than the docker client's own command
    for it, which asks five times a second."""
    web = services.create("web", "--update-delay", "1s", replicas=3)
    secretkit.ok("rotate", services.secret, "-", input=b"two")
    looks = [request for request in proxy.requests if request.path in ("/services", "/tasks")]
    ours = len(proxy.requests)
    other = f"other-{services.mark}"
    services.docker("secret", "create", other, __file__)
    client = Engine(proxy.host)
    client.docker("service", "update", "--quiet", "--secret-add", other, web)
    assert len(looks) < len(proxy.requests) - ours

"""Zero downtime: a client asks without a pause. The campaign does it for longer."""

from __future__ import annotations

from tests.cli.program import Program
from tests.swarm.asking import asking, overlay
from tests.swarm.services import HEALTHY, Services


def test_no_request_fails_during_rotations(secretkit: Program, services: Services) -> None:
    """Four replicas, three rotations and a rollback: every request is answered by some version."""
    with overlay(services) as network:
        web = services.create(
            "web",
            *("--network", network, "--endpoint-mode", "dnsrr", "--update-parallelism", "2"),
            *HEALTHY,
            replicas=4,
            arguments=("serve",),
        )
        with asking(services, network, web) as client:
            for value in (b"two", b"three", b"four"):
                secretkit.ok("rotate", services.secret, "-", input=value)
            secretkit.ok("rollback", services.secret)
            told = client.stop()
        assert told.failed == {}
        assert set(told.answers) == {"one", "two", "three", "four"}
        assert services.values(web) == ["three"] * 4

"""A client in a container beside a service, which asks its tasks without a pause."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.swarm.services import Services, until

CLIENT = Path(__file__).with_name("client.py").read_text()


class Told(NamedTuple):
    """What a client was told."""

    answers: dict[str, int]  # how often each password was the answer
    failed: dict[str, int]  # how often each error happened instead

    @property
    def requests(self) -> int:
        return sum(self.answers.values()) + sum(self.failed.values())


class Client:
    """A container that asks."""

    def __init__(self, services: Services, network: str, service: str) -> None:
        self.docker = services.docker
        self.id = self.docker(
            *("run", "--detach", "--network", network, services.engine.image),
            *("python3", "-ISc", CLIENT, service),
        )
        until("the client to ask", lambda: self.docker("logs", self.id) == "asking")

    def stop(self) -> Told:
        """Ends it."""
        self.docker("stop", "--time", "10", self.id)
        return Told(**json.loads(self.docker("logs", self.id).splitlines()[-1]))


@contextmanager
def overlay(services: Services) -> Iterator[str]:
    """A network in which tasks have addresses of their own that a client reaches."""
    name = f"net-{services.mark}"
    services.docker("network", "create", "--driver", "overlay", "--attachable", name)
    try:
        yield name
    finally:
        services.remove()
        until(
            "the network to be free",
            lambda: (
                not services.docker("network", "rm", name, check=False)
                and name not in services.docker("network", "ls", "--format", "{{.Name}}").split()
            ),
        )


@contextmanager
def asking(services: Services, network: str, service: str) -> Iterator[Client]:
    """A client that is gone afterwards."""
    client = Client(services, network, service)
    try:
        yield client
    finally:
        services.docker("rm", "--force", client.id, check=False)

"""examples/shop on a real swarm, as an operator has it who follows its page."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Any, NamedTuple

from tests.engine import Engine
from tests.examples.conftest import EXAMPLES, Example
from tests.swarm.services import until

SERVICES = ("appserver", "database", "payment_gateway", "portal", "reverse_proxy")
SECRETS = ("postgres_password", "revprox_cert", "revprox_key", "staging_token")
# It runs in portal, which no rotation touches, and asks without a pause until stdin ends.
BROWSER = """
import json, select, ssl, sys, urllib.request
context, answers = ssl._create_unverified_context(), {}
while not select.select([sys.stdin], [], [], 0.2)[0]:
    try:
        url = "https://tasks.reverse_proxy:8443/"
        with urllib.request.urlopen(url, context=context, timeout=60) as answer:
            said = answer.read().decode().partition(",")[0]
    except OSError as error:
        said = str(error)
    answers[said] = answers.get(said, 0) + 1
print(json.dumps(answers))
"""
# A login, which says the status of the answer.
LOGIN = """
import sys, urllib.error, urllib.request
try:
    with urllib.request.urlopen("http://database:5432/", sys.stdin.buffer.read()) as answer:
        print(answer.status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


class Deployed(NamedTuple):
    """A service of the shop, as the engine has it."""

    spec: Any
    containers: dict[str, str]  # by the id of its task

    def references(self) -> dict[str, tuple[str, str, str, int]]:
        """By target: object name, uid, gid and mode of each secret."""
        return {
            entry["File"]["Name"]: (
                entry["SecretName"],
                *(entry["File"][key] for key in ("UID", "GID", "Mode")),
            )
            for entry in self.spec["TaskTemplate"]["ContainerSpec"].get("Secrets") or ()
        }


class Shop:
    """The stack, and the folder of its operator."""

    def __init__(self, engine: Engine, here: Example) -> None:
        self.engine = engine
        self.run = here.run

    def secretkit(self, *words: str, value: bytes = b"", status: int = 0) -> str:
        """What the program prints."""
        return self.run("secretkit", *words, value=value, status=status)

    def deploy(self) -> None:
        """The stack file, as it is."""
        self.secretkit("stack", "deploy", "--quiet", "-c", "stack.yml", "shop")

    def state(self) -> dict[str, Deployed]:
        """Every service, all of whose tasks run well."""
        docker, names = self.engine.docker, [f"shop_{name}" for name in SERVICES]
        running = ("--quiet", "--no-trunc", "--filter", "desired-state=running")
        ids = docker("stack", "ps", *running, "shop").split()
        tasks = json.loads(docker("inspect", "--type", "task", *ids))
        found = {}
        for service in json.loads(docker("service", "inspect", *names)):
            spec = service["Spec"]
            own = [task for task in tasks if task["ServiceID"] == service["ID"]]
            # A task with a health check is `starting` until it is healthy.
            states = [task["Status"]["State"] for task in own]
            assert states == ["running"] * spec["Mode"]["Replicated"]["Replicas"], spec["Name"]
            containers = {
                task["ID"]: task["Status"]["ContainerStatus"]["ContainerID"] for task in own
            }
            found[spec["Name"].removeprefix("shop_")] = Deployed(spec, containers)
        return found

    def container(self, service: str) -> str:
        """One of its containers."""
        return next(iter(self.state()[service].containers.values()))

    def visit(self) -> str:
        """The shop's page, which needs every secret, with the current certificate for the truth."""
        words = ("docker", "exec", "-i", self.container("portal"))
        certificate = self.secretkit("show", "revprox_cert").encode()
        return self.run(*words, "python3", "-ISB", "/shop/visit.py", value=certificate).strip()

    def accepts(self, password: str) -> bool:
        """Whether the database lets in who has this password."""
        words = ("docker", "exec", "-i", self.container("appserver"))
        said = self.run(*words, "python3", "-ISc", LOGIN, value=password.encode())
        return said.strip() == "200"

    @contextmanager
    def browsing(self) -> Iterator[dict[str, int]]:
        """A client that asks all the time; how often it was told what is known at the end."""
        answers: dict[str, int] = {}
        words = ["docker", "exec", "-i", self.container("portal"), "python3", "-ISc", BROWSER]
        with subprocess.Popen(
            words,
            env=os.environ | self.engine.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as client:
            yield answers
            answers |= json.loads(client.communicate(timeout=120)[0])


@contextmanager
def shop_of(engine: Engine, here: Example) -> Iterator[Shop]:
    """The shop's image and project; whatever was deployed is gone afterwards."""
    version = token_hex(4)
    here.environment |= {**engine.environment(), "SHOP_VERSION": version}
    # Its names are those of the page, so there is one shop at a time.
    with (EXAMPLES / "shop" / "README.md").open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        engine.docker(
            *("build", "--build-arg", f"BASE={engine.image}"),
            *("--tag", f"shop:{version}", str(here.folder)),
        )
        try:
            yield Shop(engine, here)
        finally:
            remove(engine, version)


def remove(engine: Engine, version: str) -> None:
    """Whatever there is of the shop, and its image."""
    engine.docker("stack", "rm", "shop", check=False)
    remains = ("ps", "--all", "--quiet", "--filter", "name=shop_")
    until("the shop to be gone", lambda: not engine.docker(*remains))
    engine.docker("volume", "rm", "shop_orders", check=False)
    names = engine.docker("secret", "ls", "--format", "{{.Name}}").split()
    ours = [name for name in names if name.startswith(SECRETS)]
    engine.docker("secret", "rm", *ours, check=False)
    engine.docker("image", "rm", "--force", f"shop:{version}", check=False)

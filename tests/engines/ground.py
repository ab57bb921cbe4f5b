"""Two grounds for one contract: a swarm in memory, and a real one. Both run the same program, in
containers or in imagination: what becomes of it depends on its secret's content.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from secrets import token_hex
from typing import Any, Protocol

from secretkit.engines.endpoints import endpoints
from secretkit.engines.managers import Managers
from secretkit.engines.protocol import Engine, EngineObject, Kind, Service, Task
from secretkit.engines.swarm import SwarmEngine
from secretkit.errors import NotFoundError
from tests.engine import Engine as Machine
from tests.engines.memory import MemorySwarm

# What a content does; any other runs and is healthy.
CRASHES = b"it crashes at once"
UNHEALTHY = b"it never becomes healthy"
LATE = b"it crashes after three seconds"
SECOND = 1_000_000_000
MONITOR = SECOND
PROGRAM = f"""
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
content = b"".join(open(path, "rb").read() for path in sys.argv[2:])
if {CRASHES!r} in content: sys.exit(1)
if {UNHEALTHY!r} not in content: open("/tmp/ready", "w").close()
time.sleep(3 if {LATE!r} in content else 1 if sys.argv[1] == "job" else 1000)
sys.exit({LATE!r} in content)
"""
LIMIT = 60.0  # seconds


class Ground(Protocol):
    """An engine, and what a test does beside it. Names end in `mark`."""

    engine: Engine
    mark: str
    image: str

    def object(self, content: bytes, kind: Kind = "secret", name: str = "") -> EngineObject: ...
    def make(self, spec: dict[str, Any]) -> str: ...
    def remove_service(self, service_id: str) -> None: ...
    def sleep(self, seconds: float) -> None: ...
    def time(self) -> float: ...


class Memory:
    """The one in memory."""

    image = "app:1"

    def __init__(self) -> None:
        self.engine = MemorySwarm()
        self.mark = token_hex(4)
        self.engine.behave(CRASHES, crashes=0.1)
        self.engine.behave(UNHEALTHY, healthy=None)
        self.engine.behave(LATE, crashes=3.0)
        self.sleep = self.engine.sleep
        self.time = self.engine.monotonic
        self.make = self.engine.create_service

    def object(self, content: bytes, kind: Kind = "secret", name: str = "") -> EngineObject:
        return self.engine.create(kind, name or f"{token_hex(4)}-{self.mark}", content, {})

    def remove_service(self, service_id: str) -> None:
        self.engine.remove_service(self.engine.service(service_id).name)


class Real:
    """The real one."""

    sleep = staticmethod(time.sleep)
    time = staticmethod(time.monotonic)

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.image = machine.image
        self.engine = SwarmEngine((machine.host,))
        self.raw = Managers(endpoints((machine.host,)))
        self.mark = token_hex(4)

    def object(self, content: bytes, kind: Kind = "secret", name: str = "") -> EngineObject:
        return self.engine.create(kind, name or f"{token_hex(4)}-{self.mark}", content, {})

    def make(self, spec: dict[str, Any]) -> str:
        return str(self.raw.post("/services/create", spec)["ID"])

    def remove_service(self, service_id: str) -> None:
        self.raw.delete(f"/services/{service_id}")

    def clean(self) -> None:
        """Removes what has the mark."""
        for service in self.engine.services():
            if service.name.endswith(self.mark):
                self.remove_service(service.id)
        kinds: tuple[Kind, ...] = ("secret", "config")
        for kind in kinds:
            for found in self.engine.objects(kind):
                if found.name.endswith(self.mark):
                    with contextlib.suppress(NotFoundError):
                        self.engine.remove(kind, found.id)
        self.engine.close()
        self.raw.close()


@contextlib.contextmanager
def real(machine: Machine) -> Iterator[Real]:
    """The real one, clean afterwards."""
    found = Real(machine)
    try:
        yield found
    finally:
        found.clean()


def service_spec(
    ground: Ground,
    *objects: EngineObject,
    replicas: int = 2,
    mode: dict[str, Any] | None = None,
    check: bool = False,
    action: str = "rollback",
    order: str = "stop-first",
) -> dict[str, Any]:
    """A service of PROGRAM that has each object as a file of its own name."""
    container: dict[str, Any] = {
        "Image": ground.image,
        "StopGracePeriod": 2 * SECOND,
        "Secrets": [],
        "Configs": [],
    }
    paths = []
    for found in objects:
        word = found.kind.title()
        target = found.name if found.kind == "secret" else f"/{found.name}"
        file = {"Name": target, "UID": "0", "GID": "0", "Mode": 0o444}
        entry = {"File": file, f"{word}ID": found.id, f"{word}Name": found.name}
        container[f"{word}s"].append(entry)
        paths.append(target if found.kind == "config" else f"/run/secrets/{target}")
    job = "job" if mode and "Job" in next(iter(mode)) else "service"
    container["Command"] = ["/usr/bin/python3", "-ISc", PROGRAM, job, *paths]
    if check:
        container["Healthcheck"] = {
            "Test": ["CMD-SHELL", "test -e /tmp/ready"],
            "Interval": SECOND // 2,
            "Timeout": SECOND,
            "Retries": 2,
        }
    how = {"Parallelism": 1, "Monitor": MONITOR, "FailureAction": action, "Order": order}
    template: dict[str, Any] = {"ContainerSpec": container}
    if job == "service":
        template["RestartPolicy"] = {"Condition": "any", "Delay": SECOND // 2}
    spec: dict[str, Any] = {
        "Name": f"{token_hex(4)}-{ground.mark}",
        "Labels": {},
        "TaskTemplate": template,
        "Mode": mode or {"Replicated": {"Replicas": replicas}},
    }
    if job == "service":
        spec |= {"UpdateConfig": how, "RollbackConfig": how | {"FailureAction": "pause"}}
    return spec


def until(ground: Ground, true: Callable[[], bool], limit: float = LIMIT) -> None:
    """Lets time pass until it is so."""
    deadline = ground.time() + limit
    while not true():
        assert ground.time() < deadline, f"not so after {limit} seconds"
        ground.sleep(0.1)


def running(ground: Ground, service_id: str) -> list[Task]:
    """The tasks that run and shall run, by slot."""
    tasks = [task for task in ground.engine.tasks([service_id]) if task.state == "running"]
    return sorted((task for task in tasks if task.wanted), key=lambda task: task.slot)


def started(ground: Ground, spec: dict[str, Any]) -> Service:
    """A service with all of its tasks running."""
    service_id = ground.make(spec)
    wanted = ground.engine.service(service_id).replicas
    until(ground, lambda: len(running(ground, service_id)) == (1 if wanted is None else wanted))
    return ground.engine.service(service_id)


def ends(ground: Ground, service_id: str) -> list[str | None]:
    """The update states from now until one is the last."""
    states: list[str | None] = []
    last = ("completed", "paused", "rollback_completed", "rollback_paused")

    def ended() -> bool:
        state = ground.engine.service(service_id).update_state
        if state not in states:
            states.append(state)
        return state in last

    until(ground, ended)
    return states

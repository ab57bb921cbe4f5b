"""A working swarm in memory, with a virtual clock: what it does, the real one did (see
test_contract, which runs on both).

    swarm = MemorySwarm()                      # or MemorySwarm(nodes=("n1", "n2", "n3"))
    swarm.create("secret", "db-password", b"1", {})
    swarm.deploy("web", "db-password", replicas=4, order="start-first")
    swarm.settle()                             # until all tasks run

Knobs, of which none is in the way of another:

- `behave(content, crashes=…, healthy=None, schedulable=False, starts=…)`: what becomes of tasks
  that have an object with this content. Objects of that content may come later.
- `stall("web", after=1)`: the next update of web stops for ever after one slot, as if the node of
  the next one had died; another update of web goes on.
- `fail("update", error, times=1, after=False)`: that method raises, before or `after` it took
  effect. "*" is every method. `no_leader(times)`: all methods are unreachable for so many calls.
- `meddle("update", action)`: somebody does `action()` just before the next call of that method.
- `edit("web", change)`: somebody else updates web: `change(spec)` alters a copy in place.
- `calls`: how often each method was called.
- `monotonic()` and `utc()`: the clock. It goes on in `changes().wait()`, in `sleep()`, in
  `settle()`, and by `latency` seconds with each call; nothing happens by itself otherwise.
"""

from __future__ import annotations

import copy
import re
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from secretkit.engines import spec as specs
from secretkit.engines.protocol import EngineObject, Kind, Service, Task
from secretkit.errors import (
    EngineRefusedError,
    EngineUnreachableError,
    ObjectExistsError,
    ObjectInUseError,
    ObjectNotFoundError,
    OutOfSequenceError,
    ServiceNotFoundError,
)
from tests.engines.orchestrator import LIVE, Behaviour, MemoryService, Orchestrator

LIMITS: Mapping[Kind, int] = {"secret": 512_000, "config": 1_024_000}
NAME = r"[a-zA-Z0-9]+(?:[a-zA-Z0-9-_.]*[a-zA-Z0-9])?"
EPOCH = datetime(2030, 1, 1, tzinfo=UTC)


@dataclass
class Stored:
    """An object with its content."""

    found: EngineObject
    content: bytes


class MemorySwarm:
    """An engine (secretkit.engines.protocol.Engine) that is nowhere but here."""

    name = "swarm"

    def __init__(self, nodes: tuple[str, ...] = ("node1",), latency: float = 0.005) -> None:
        self.latency = latency
        self.calls: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._indexes = count(10)
        self._ids = count(1)
        self._writes = 0  # to services: what a subscription tells of
        self._objects: dict[str, Stored] = {}
        self._behaviours: dict[bytes, Behaviour] = {}
        self._faults: dict[str, deque[tuple[Exception, bool]]] = defaultdict(deque)
        self._meddlers: dict[str, deque[Callable[[], object]]] = defaultdict(deque)
        self._running = Orchestrator(nodes, self._behaviour, self._missing, self._wrote)

    # -- knobs ------------------------------------------------------------------------------

    def behave(self, content: bytes, **fields: Any) -> None:
        self._behaviours[content] = Behaviour(**fields)

    def stall(self, service: str, after: int = 1) -> None:
        self._named(service).stalls_at = after

    def fail(self, call: str, error: Exception, times: int = 1, after: bool = False) -> None:
        self._faults[call].extend([(error, after)] * times)

    def no_leader(self, times: int) -> None:
        self.fail("*", EngineUnreachableError("the swarm does not have a leader"), times)

    def meddle(self, call: str, action: Callable[[], object]) -> None:
        self._meddlers[call].append(action)

    def edit(self, service: str, change: Callable[[dict[str, Any]], object]) -> None:
        found = self.service(self._named(service).id)
        spec = copy.deepcopy(dict(found.spec))
        change(spec)
        self.update(found, spec)

    def monotonic(self) -> float:
        return self._running.now

    def utc(self) -> datetime:
        return EPOCH + timedelta(seconds=self._running.now)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            until = self._running.now + seconds
            while self._running.step(until):
                pass

    def settle(self, seconds: float = 600) -> None:
        """Lets time pass until every service has the tasks that it wants, and no update."""
        deadline = self._running.now + seconds
        while not all(map(self._settled, self._running.services.values())):
            assert self._running.now < deadline, "services do not settle"
            self.sleep(0.1)

    def deploy(
        self,
        name: str,
        *objects: str | tuple[str, str],
        replicas: int | None = 2,
        mode: str = "Replicated",
        check: bool = True,
        host_port: int | None = None,
        **update: Any,
    ) -> str:
        """Creates a service as an operator would: objects are names or (name, target).

        `update` is parallelism, delay, order, monitor, failure_action.
        """
        found = [entry if isinstance(entry, tuple) else (entry, entry) for entry in objects]
        container: dict[str, Any] = {"Image": "app:1", "Secrets": [], "Configs": []}
        for title, target in found:
            stored = next(each.found for each in self._objects.values() if each.found.name == title)
            word = stored.kind.title()
            file = {"Name": target, "UID": "0", "GID": "0", "Mode": 0o444}
            entry = {"File": file, f"{word}ID": stored.id, f"{word}Name": title}
            container[f"{word}s"].append(entry)
        if check:
            container["Healthcheck"] = {"Test": ["CMD", "true"]}
        counts: dict[str, dict[str, Any]] = {
            "Replicated": {"Replicas": replicas},
            "ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": replicas},
        }
        spec: dict[str, Any] = {
            "Name": name,
            "Labels": {},
            "TaskTemplate": {"ContainerSpec": container, "ForceUpdate": 0},
            "Mode": {mode: counts.get(mode, {})},
        }
        if host_port is not None:
            port = {"PublishedPort": host_port, "TargetPort": 80, "PublishMode": "host"}
            spec["EndpointSpec"] = {"Ports": [port]}
        return self.create_service(specs.with_update_config(spec, **update))

    def create_service(self, spec: Mapping[str, Any]) -> str:
        """Creates a service from a spec as the Engine API takes it; its id."""
        with self._lock:
            self._check(spec)
            if any(each.spec["Name"] == spec["Name"] for each in self._running.services.values()):
                raise ObjectExistsError(f"name conflicts with an existing object: {spec['Name']}")
            service = MemoryService(f"service{next(self._ids):04}", copy.deepcopy(dict(spec)))
            self._running.services[service.id] = service
            self._wrote(service)
            self._running.changed(service, None)
            return service.id

    def remove_service(self, name: str) -> None:
        with self._lock:
            self._running.remove(self._named(name))
            self._writes += 1

    # -- the engine -------------------------------------------------------------------------

    def cluster(self) -> str:
        with self._call("cluster"):
            return "cluster0000000000000000001"

    def create(
        self, kind: Kind, name: str, content: bytes, labels: Mapping[str, str]
    ) -> EngineObject:
        with self._call("create"):
            if not re.fullmatch(NAME, name) or len(name) > 64:
                raise EngineRefusedError(f"cannot create {kind} {name}: invalid name")
            if not 0 < len(content) < LIMITS[kind]:
                raise EngineRefusedError(f"cannot create {kind} {name}: too large or empty")
            if self._find(kind, name):
                raise ObjectExistsError(f"the engine has a {kind} {name} already")
            found = EngineObject(
                kind, f"{kind}{next(self._ids):04}", name, next(self._indexes), dict(labels),
                self.utc(),
            )  # fmt: skip
            self._objects[found.id] = Stored(found, content)
            return found

    def objects(self, kind: Kind, labels: Mapping[str, str] | None = None) -> list[EngineObject]:
        with self._call("objects"):
            every = (stored.found for stored in self._objects.values())
            wanted = (labels or {}).items()
            found = [each for each in every if each.kind == kind and wanted <= each.labels.items()]
            return sorted(found, key=lambda each: each.name)

    def find(self, kind: Kind, name: str) -> EngineObject | None:
        with self._call("find"):
            return self._find(kind, name)

    def content(self, config_id: str) -> bytes:
        with self._call("content"):
            return self._stored("config", config_id).content

    def relabel(self, found: EngineObject, labels: Mapping[str, str]) -> EngineObject:
        with self._call("relabel"):
            stored = self._stored(found.kind, found.id)
            if stored.found.index != found.index:
                raise OutOfSequenceError(f"{found.kind} {found.name} changed meanwhile")
            stored.found = stored.found._replace(labels=dict(labels), index=next(self._indexes))
            return stored.found

    def remove(self, kind: Kind, object_id: str) -> None:
        with self._call("remove"):
            stored = self._stored(kind, object_id)
            for service in self._running.services.values():
                if any(use.object_id == object_id for use in specs.references(service.spec)):
                    raise ObjectInUseError(
                        f"{kind} {stored.found.name} is in use by service {service.spec['Name']}"
                    )
            del self._objects[object_id]

    def services(self) -> list[Service]:
        with self._call("services"):
            found = map(self._service, self._running.services.values())
            return sorted(found, key=lambda service: service.name)

    def service(self, service_id: str) -> Service:
        with self._call("service"):
            return self._service(self._running_service(service_id))

    def update(self, service: Service, spec: Mapping[str, Any]) -> None:
        with self._call("update"):
            found = self._running_service(service.id)
            if found.index != service.index:
                raise OutOfSequenceError(f"service {service.name} changed meanwhile")
            if spec["Name"] != service.name or specs.mode_of(spec)[0] != service.mode:
                raise EngineRefusedError(f"cannot update service {service.name}: name or mode")
            self._check(spec)
            found.previous_spec, found.spec = found.spec, copy.deepcopy(dict(spec))
            found.state, found.message = None, ""
            self._wrote(found)
            self._running.changed(found, found.previous_spec["TaskTemplate"])

    def tasks(self, service_ids: Collection[str]) -> list[Task]:
        with self._call("tasks"):
            return [
                Task(
                    id=task.id,
                    service_id=service.id,
                    slot=task.place if isinstance(task.place, int) else 0,
                    node_id=task.node,
                    state=task.state,
                    desired_state=task.desired,
                    message=task.message,
                    references=specs.references({"TaskTemplate": task.template}),
                    updated=EPOCH + timedelta(seconds=task.updated),
                )
                for service in self._running.services.values()
                if service.id in service_ids
                for task in service.tasks
            ]

    def up_to_date(self, service_ids: Collection[str]) -> frozenset[str]:
        with self._call("up_to_date"):
            return frozenset(
                task.id
                for service in self._running.services.values()
                if service.id in service_ids
                for task in service.tasks
                if task.template == service.spec["TaskTemplate"]
            )

    def has_health_check(self, service: Service) -> bool | None:
        with self._call("has_health_check"):
            return specs.health_check(service.spec)

    @contextmanager
    def changes(self) -> Iterator[MemoryChanges]:
        with self._call("changes"):
            found = MemoryChanges(self)
        yield found

    # -- inside -----------------------------------------------------------------------------

    @contextmanager
    def _call(self, name: str) -> Iterator[None]:
        with self._lock:
            self.calls[name] += 1
            if self._meddlers[name]:
                self._meddlers[name].popleft()()
            self.sleep(self.latency)
            faults = self._faults[name] or self._faults["*"]
            error, after = faults.popleft() if faults else (None, False)
            if error and not after:
                raise error
            yield
            if error:
                raise error

    def _wait(self, seen: int, seconds: float) -> int:
        with self._lock:
            until = self._running.now + seconds
            while self._writes == seen and self._running.step(until):
                pass
            return self._writes

    def _find(self, kind: Kind, name: str) -> EngineObject | None:
        every = (stored.found for stored in self._objects.values())
        return next((each for each in every if (each.kind, each.name) == (kind, name)), None)

    def _stored(self, kind: Kind, object_id: str) -> Stored:
        stored = self._objects.get(object_id)
        if stored is None or stored.found.kind != kind:
            raise ObjectNotFoundError(f"the engine has no {kind} {object_id}")
        return stored

    def _named(self, name: str) -> MemoryService:
        every = self._running.services.values()
        return next(service for service in every if service.spec["Name"] == name)

    def _running_service(self, service_id: str) -> MemoryService:
        if service_id not in self._running.services:
            raise ServiceNotFoundError(f"the engine has no service {service_id}")
        return self._running.services[service_id]

    def _service(self, service: MemoryService) -> Service:
        mode, replicas = specs.mode_of(service.spec)
        return Service(
            id=service.id,
            name=service.spec["Name"],
            index=service.index,
            spec=copy.deepcopy(service.spec),
            previous_spec=copy.deepcopy(service.previous_spec),
            update_state=service.state,
            update_message=service.message,
            references=specs.references(service.spec),
            previous_references=specs.references(service.previous_spec),
            mode=mode,
            replicas=replicas,
        )

    def _check(self, spec: Mapping[str, Any]) -> None:
        """What the engine refuses: objects that are not there, two under one target."""
        title = f"cannot update service {spec['Name']}"
        targets: set[tuple[str, str]] = set()
        for use in specs.references(spec):
            if use.object_id not in self._objects:
                raise EngineRefusedError(f"{title}: {use.kind} {use.object_name} not found")
            if use.target is not None and (use.kind, use.target) in targets:
                raise EngineRefusedError(f"{title}: conflicting target {use.target}")
            targets.add((use.kind, use.target or use.object_id))

    def _wrote(self, service: MemoryService) -> None:
        service.index = next(self._indexes)
        self._writes += 1

    def _settled(self, service: MemoryService) -> bool:
        live = [task for task in service.tasks if task.desired in LIVE]
        wanted = specs.mode_of(service.spec)[1]
        job = specs.mode_of(service.spec)[0].endswith("-job")
        running = all(task.state == "running" for task in live)
        full = job or len(live) == (len(self._running.nodes) if wanted is None else wanted)
        return running and full and service.state not in ("updating", "rollback_started")

    def _behaviour(self, template: dict[str, Any]) -> Behaviour:
        """The first that `behave` knows, of the objects that the template refers to."""
        for use in specs.references({"TaskTemplate": template}):
            stored = self._objects.get(use.object_id)
            if stored is not None and stored.content in self._behaviours:
                return self._behaviours[stored.content]
        return Behaviour()

    def _missing(self, template: dict[str, Any]) -> str:
        uses = specs.references({"TaskTemplate": template})
        return next((use.object_name for use in uses if use.object_id not in self._objects), "")


class MemoryChanges:
    """A subscription to a MemorySwarm."""

    def __init__(self, swarm: MemorySwarm) -> None:
        self._swarm = swarm
        self._seen = swarm._writes

    def wait(self, seconds: float) -> bool:
        seen, self._seen = self._seen, self._swarm._wait(self._seen, seconds)
        return self._seen != seen

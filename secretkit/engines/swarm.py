"""Docker Swarm as an engine, over the Engine API (1.41 and later).

A service's spec is read without defaults and sent back whole: whatever the engine knows of a
service survives, known to this program or not.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from ..errors import (
    NotFoundError,
    ObjectNotFoundError,
    OutOfSequenceError,
    SecretkitError,
    ServiceNotFoundError,
)
from . import spec as specs
from .changes import ServiceChanges
from .endpoints import endpoints
from .managers import PATIENCE, Managers
from .protocol import Changes, EngineObject, Kind, Service, Task


class SwarmEngine:
    """A swarm, through its managers (secretkit.engines.protocol.Engine)."""

    name = "swarm"

    def __init__(self, hosts: Sequence[str] = (), *, patience: float = PATIENCE) -> None:
        """`hosts` are managers' addresses; none: what the docker client would use.

        `patience` is how long, in seconds, a read waits for a leader.
        """
        self._managers = Managers(endpoints(hosts), patience)

    @property
    def client_environment(self) -> dict[str, str]:
        """Variables with which the docker client talks to the manager that answered last."""
        return self._managers.endpoint.environment

    def close(self) -> None:
        """Closes the connections."""
        self._managers.close()

    def cluster(self) -> str:
        return str(self._managers.read("/swarm")["ID"])

    def create(
        self, kind: Kind, name: str, content: bytes, labels: Mapping[str, str]
    ) -> EngineObject:
        body = {
            "Name": name,
            "Labels": dict(labels),
            "Data": base64.b64encode(content).decode("ascii"),
        }
        try:
            made = self._managers.post(f"/{kind}s/create", body)
        except SecretkitError as error:
            refused = _named(error, f"cannot create {kind} {name}")
        else:
            return self._object(kind, made["ID"])
        raise refused

    def objects(self, kind: Kind, labels: Mapping[str, str] | None = None) -> list[EngineObject]:
        wanted = dict(labels or {})
        query = {"filters": {"label": [f"{key}={value}" for key, value in wanted.items()]}}
        found = [_object(kind, each) for each in self._managers.read(f"/{kind}s", query)]
        matching = [each for each in found if wanted.items() <= each.labels.items()]
        return sorted(matching, key=lambda each: each.name)

    def find(self, kind: Kind, name: str) -> EngineObject | None:
        # The filter matches every name that begins so.
        found = self._managers.read(f"/{kind}s", {"filters": {"name": [name]}})
        return next((_object(kind, each) for each in found if each["Spec"]["Name"] == name), None)

    def content(self, config_id: str) -> bytes:
        try:
            found = self._managers.read(f"/configs/{config_id}")
        except NotFoundError:
            raise _no_object("config", config_id) from None
        return base64.b64decode(found["Spec"].get("Data") or "")

    def relabel(self, found: EngineObject, labels: Mapping[str, str]) -> EngineObject:
        path = f"/{found.kind}s/{found.id}/update"
        body = {"Name": found.name, "Labels": dict(labels)}
        title = f"{found.kind} {found.name}"
        try:
            self._managers.post(path, body, {"version": str(found.index)})
        except NotFoundError:
            raise _no_object(found.kind, found.name) from None
        except SecretkitError as error:
            refused = _named(error, f"cannot label {title}")
        else:
            now = self._object(found.kind, found.id)
            if now.labels == dict(labels):
                return now
            refused = OutOfSequenceError(f"{title} changed again right after it was labelled")
        raise refused

    def remove(self, kind: Kind, object_id: str) -> None:
        try:
            self._managers.delete(f"/{kind}s/{object_id}")
        except NotFoundError:
            raise _no_object(kind, object_id) from None
        except SecretkitError as error:
            refused = _named(error, f"cannot remove {kind} {object_id}")
        else:
            return
        raise refused

    def services(self) -> list[Service]:
        found = [_service(each) for each in self._managers.read("/services")]
        return sorted(found, key=lambda service: service.name)

    def service(self, service_id: str) -> Service:
        try:
            return _service(self._managers.read(f"/services/{service_id}"))
        except NotFoundError:
            raise _no_service(service_id) from None

    def update(self, service: Service, spec: Mapping[str, Any]) -> None:
        # No X-Registry-Auth: the engine keeps the pull credentials that it has (moby's
        # daemon/cluster/services.go, RegistryAuthFrom), and any header would take their place.
        path = f"/services/{service.id}/update"
        try:
            self._managers.post(path, dict(spec), {"version": str(service.index)})
        except NotFoundError as error:
            # Of the service itself, or of a network that the spec names.
            missing = service.id in str(error) or service.name in str(error)
            refused: SecretkitError = _no_service(service.name) if missing else error
        except SecretkitError as error:
            refused = _named(error, f"cannot update service {service.name}")
        else:
            return
        raise refused from None

    def tasks(self, service_ids: Collection[str]) -> list[Task]:
        return [_task(each) for each in self._tasks(service_ids, {})]

    def up_to_date(self, service_ids: Collection[str]) -> frozenset[str]:
        # What the docker client waits by (docker/cli, cli/command/service/progress). A look at the
        # specs is no substitute: another placement alone changes no task that stands well, and
        # another port changes all (swarmkit, manager/orchestrator/task.go, IsTaskDirty).
        asked = {"_up-to-date": ["true"]}
        return frozenset(each["ID"] for each in self._tasks(service_ids, asked))

    def _tasks(self, service_ids: Collection[str], filters: Mapping[str, Any]) -> list[Any]:
        wanted = sorted(service_ids)
        if not wanted:
            return []
        try:
            found = self._managers.read("/tasks", {"filters": {"service": wanted, **filters}})
        except NotFoundError:
            # One of the services is gone, and the engine says nothing of the others then.
            found = self._managers.read("/tasks", {"filters": filters})
        return [each for each in found if each["ServiceID"] in service_ids]

    def has_health_check(self, service: Service) -> bool | None:
        said = specs.health_check(service.spec)
        image = specs.image_of(service.spec)
        if said is not None or not image:
            return said
        try:
            return specs.image_health_check(self._managers.read(f"/images/{image}/json"))
        except NotFoundError:
            return None

    def changes(self) -> AbstractContextManager[Changes]:
        return ServiceChanges(self._managers)

    def _object(self, kind: Kind, object_id: str) -> EngineObject:
        try:
            return _object(kind, self._managers.read(f"/{kind}s/{object_id}"))
        except NotFoundError:
            raise _no_object(kind, object_id) from None


def _named(error: SecretkitError, what: str) -> SecretkitError:
    """The same error, which now says at what it happened."""
    return type(error)(f"{what}: {error}", hint=error.hint)


def _no_object(kind: Kind, which: str) -> ObjectNotFoundError:
    return ObjectNotFoundError(f"the swarm has no {kind} {which}")


def _no_service(which: str) -> ServiceNotFoundError:
    return ServiceNotFoundError(f"the swarm has no service {which}")


def _object(kind: Kind, found: Mapping[str, Any]) -> EngineObject:
    return EngineObject(
        kind,
        id=found["ID"],
        name=found["Spec"]["Name"],
        index=found["Version"]["Index"],
        labels=dict(found["Spec"].get("Labels") or {}),
        created=datetime.fromisoformat(found["CreatedAt"]),
    )


def _service(found: Mapping[str, Any]) -> Service:
    spec = found["Spec"]
    previous = found.get("PreviousSpec")
    update = found.get("UpdateStatus") or {}
    mode, replicas = specs.mode_of(spec)
    return Service(
        id=found["ID"],
        name=spec["Name"],
        index=found["Version"]["Index"],
        spec=spec,
        previous_spec=previous,
        update_state=update.get("State") or None,
        update_message=update.get("Message") or "",
        references=specs.references(spec),
        previous_references=specs.references(previous),
        mode=mode,
        replicas=replicas,
    )


def _task(found: Mapping[str, Any]) -> Task:
    status = found["Status"]
    return Task(
        id=found["ID"],
        service_id=found["ServiceID"],
        slot=found.get("Slot") or 0,
        node_id=found.get("NodeID") or "",
        state=status["State"],
        desired_state=found["DesiredState"],
        message=status.get("Err") or status.get("Message") or "",
        references=specs.references({"TaskTemplate": found["Spec"]}),
        updated=datetime.fromisoformat(status["Timestamp"]),
    )

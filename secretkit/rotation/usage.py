"""Objects outside a rotation: who uses which, and push, adopt, prune, remove."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from .. import naming
from ..engines.protocol import Engine, EngineObject, Kind, Reference, Service, Task
from ..errors import (
    ConflictError,
    ObjectExistsError,
    ObjectInUseError,
    ObjectNotFoundError,
    RotationInProgressError,
    SecretInUseError,
    SecretNotFoundError,
    UnknownValueError,
    UsageError,
    VersionNotFoundError,
)
from . import journal, objects
from .versions import ENGINE, Versions, brought, refuse_mock

# A task in one of these has ended (swarmkit, api/types.proto: everything after RUNNING).
_ENDED = frozenset(("complete", "shutdown", "failed", "rejected", "remove", "orphaned"))


class Use(NamedTuple):
    """One reference of a service to a version, under one target."""

    service: str
    name: str  # of the secret or config
    object_name: str
    version: int
    target: str | None
    ready: int  # tasks that run on it; one with a health check only once it is healthy
    wanted: int  # tasks that should
    state: str | None  # of the service's update
    by: str  # who made the object; "" if it does not say
    created: datetime  # of the object, UTC
    drift: tuple[str, ...]  # why this is not as secretkit left it; empty: it is


class Adopted(NamedTuple):
    """What `adopt` took."""

    name: str
    current: int
    versions: tuple[int, ...]
    is_known: bool  # whether the store has the current version's value


class Pruned(NamedTuple):
    """What `prune` destroyed, and what it kept and why."""

    destroyed: tuple[int, ...]
    kept: tuple[tuple[int, str], ...]


# -- who uses what ----------------------------------------------------------------------------


def uses(
    engine: Engine,
    kind: Kind = "secret",
    name: str | None = None,
    currents: Mapping[str, int] | None = None,
) -> tuple[Use, ...]:
    """Who uses which version of `name` (default: of everything that secretkit knows), by service.

    `currents` are the current versions by name, where there is a record of them: a service on
    another one has drifted. What neither has our labels nor is in `currents` is left out, unless
    it is asked for by name.
    """
    currents = currents or {}
    known = objects.owned(engine.objects(kind), currents)
    services = engine.services()

    def wanted(found: EngineObject) -> bool:
        if name is not None:
            return objects.identity(found)[0] == name
        return objects.is_ours(found) or objects.identity(found)[0] in currents

    ours = {one.id: one for one in known if wanted(one)}
    using = [one for one in services if any(use.object_id in ours for use in one.references)]
    tasks = engine.tasks([one.id for one in using]) if using else []
    rotating = {one.name: one for one in journal.journals(engine) if one.kind == kind}
    result = []
    for service in using:
        own = [task for task in tasks if task.service_id == service.id and task.wanted]
        for use in service.references:
            if use.object_id not in ours:
                continue
            found = ours[use.object_id]
            secret, version = objects.identity(found)
            drift = list(_drift(found, service, own, ours, currents.get(secret)))
            if secret in rotating:
                drift.append(f"a rotation to v{rotating[secret].after} is under way")
            ready = sum(
                task.state == "running" and _refers(task.references, found.id) for task in own
            )
            result.append(
                Use(
                    *(service.name, secret, found.name, version, use.target, ready),
                    len(own) if service.replicas is None or service.is_job else service.replicas,
                    *(service.update_state, found.labels.get(objects.BY, "")),
                    *(found.created, tuple(drift)),
                )
            )
    return tuple(sorted(result, key=lambda one: (one.name, one.service, one.target or "")))


def _drift(
    found: EngineObject,
    service: Service,
    tasks: Iterable[Task],
    ours: Mapping[str, EngineObject],
    current: int | None,
) -> Iterable[str]:
    name, version = objects.identity(found)
    if not objects.is_ours(found):
        yield "not made by secretkit"
    if current is not None and version != current:
        yield f"v{current} is current"
    in_spec = _versions(service.references, ours, name)
    if len(in_spec) > 1:
        yield "uses several versions, " + ", ".join(f"v{one}" for one in sorted(in_spec))
    running = {
        one
        for task in tasks
        if task.state == "running"
        for one in _versions(task.references, ours, name)
    }
    if others := running - in_spec:
        why = ": its update is paused" if service.update_state == "paused" else ""
        yield "tasks still on " + ", ".join(f"v{one}" for one in sorted(others)) + why


def _versions(
    references: Iterable[Reference], ours: Mapping[str, EngineObject], name: str
) -> set[int]:
    found = [ours[use.object_id] for use in references if use.object_id in ours]
    return {version for one, version in map(objects.identity, found) if one == name}


def _refers(references: Iterable[Reference], object_id: str) -> bool:
    return any(use.object_id == object_id for use in references)


def _holders(engine: Engine) -> dict[str, list[str]]:
    """By object: why it cannot go. An engine refuses only what a current spec refers to."""
    services = engine.services()
    holders: dict[str, list[str]] = {}

    def hold(references: Iterable[Reference], why: str) -> None:
        for object_id in {use.object_id for use in references}:
            whys = holders.setdefault(object_id, [])
            if why not in whys:
                whys.append(why)

    for service in services:
        hold(service.references, f"{service.name} uses it")
    for service in services:
        hold(service.previous_references, f"{service.name} would roll back to it")
    names = {service.id: service.name for service in services}
    for task in engine.tasks(list(names)) if names else []:
        if task.state not in _ENDED:
            hold(task.references, f"a task of {names[task.service_id]} runs on it")
    return holders


# -- push and adopt ---------------------------------------------------------------------------


def push(versions: Versions, engine: Engine, name: str, number: int | None = None) -> EngineObject:
    """The object of a version (default: the current one), created if it is not there.

    Touches no service. Raises ConflictError if the engine has something else of that name, and
    MockError for a mock.
    """
    if number is None:
        number = versions.current(name)
    if number is None:
        raise VersionNotFoundError(name, "current")
    refuse_mock(versions, name, number)
    content = versions.content(name, number)
    fingerprint = versions.fingerprint(name, content)
    object_name = naming.object_name(name, number)
    labels = objects.labels(name, number, fingerprint=fingerprint, store=versions.store_id)
    try:
        return engine.create(versions.kind, object_name, content, labels)
    except ObjectExistsError:
        found = engine.find(versions.kind, object_name)
    if found is None:
        raise ConflictError(f"{object_name} was removed meanwhile", hint="run it again")
    if what := _differs(found, labels):
        raise ConflictError(
            f"{versions.kind} exists in {engine.name}, {object_name} {what}",
            hint=f"`secretkit rotate {name}` makes the next version, and brings its services to it",
        )
    return found


def _differs(found: EngineObject, labels: Mapping[str, str]) -> str:
    """What tells `found` apart from an object of these labels, "" if nothing does."""
    if not objects.is_ours(found):
        return "was not made by secretkit"
    name, number = objects.identity(found)
    if (name, number) != (labels[objects.NAME], int(labels[objects.VERSION])):
        return f"is v{number} of {name}"
    store = found.labels.get(objects.STORE, "")
    if store and store != labels.get(objects.STORE, ""):
        return objects.from_another_store(found)
    mine = labels.get(objects.FINGERPRINT, "")
    if objects.is_other(found.labels.get(objects.FINGERPRINT, ""), mine):
        return "has another content"
    return ""


def foreign(versions: Versions, name: str, found: Mapping[int, EngineObject]) -> dict[int, str]:
    """Objects that are not those of the versions which were made here, by version: why.

    By their labels: no value is read. Of configs none is: the engine's objects are their versions.
    Raises SecretNotFoundError.
    """
    numbers = versions.numbers(name) if versions.kind == "secret" else ()
    elsewhere = {number for number, said in versions.sources(name).items() if said == ENGINE}
    whys = {
        number: _differs(one, objects.labels(name, number, fingerprint="", store=versions.store_id))
        for number, one in found.items()
        if number in numbers and number not in elsewhere
    }
    return {number: why for number, why in whys.items() if why}


def adopt(versions: Versions, engine: Engine, name: str, content: bytes | None) -> Adopted:
    """Takes what is in the engine under `name` as the versions of a secret that we do not know.

    The objects get our labels; the version that services use (the highest, where they use
    several or none) becomes the current one. `content` is its value, as no engine gives one back;
    None leaves it unknown, and it can be given by adopting once more. Raises ConflictError if the
    name is known, ObjectNotFoundError if the engine has nothing of that name.
    """
    naming.check_name(name)
    if content is not None and versions.kind == "config":
        raise UsageError("a config's content is in the engine: adopt it without one")
    if content is not None:
        naming.check_value(name, content)
    found = objects.versions_of(engine, versions.kind, name)
    if not found:
        raise ObjectNotFoundError(
            f"no such {versions.kind} in {engine.name}, {name}",
            hint=f"`docker {versions.kind} ls` lists what it has",
        )
    current = _known(versions, name, found, content)
    if current is None:
        used = {use.object_id for service in engine.services() for use in service.references}
        in_use = [number for number, one in found.items() if one.id in used]
        current = max(in_use or found)
    fingerprint = ""
    if content is not None:
        fingerprint = versions.fingerprint(name, content)
        if objects.is_other(found[current].labels.get(objects.FINGERPRINT, ""), fingerprint):
            raise ConflictError(f"not the value of {found[current].name} in {engine.name}")
    # First the engine: its compare-and-swap refuses the second of two who adopt at once.
    for number, one in reversed(found.items()):
        if not objects.is_ours(one):
            said, used_once = fingerprint if number == current else "", {}
            if versions.kind == "config":
                said = versions.fingerprint(name, engine.content(one.id))
                used_once = {objects.CURRENT: "1"}
            labels = objects.labels(
                name, number, fingerprint=said, store=versions.store_id if said else ""
            )
            engine.relabel(one, {**one.labels, **labels, **used_once})
    versions.learn(name, current, content)
    for number in found:
        versions.learn(name, number)
    versions.commit(name, current, "adopt")
    return Adopted(
        name, current, versions.numbers(name), content is not None or versions.kind == "config"
    )


def _known(
    versions: Versions, name: str, found: Mapping[int, EngineObject], content: bytes | None
) -> int | None:
    """The current version if `content` is the value that we do not have; None if `name` is free.

    Raises ConflictError if there is nothing to adopt.
    """
    try:
        current = versions.current(name)
    except SecretNotFoundError:
        return None
    if versions.kind == "config":
        if all(map(objects.is_ours, found.values())):
            raise ConflictError(f"config is known already, {name}")
        return current
    if content is not None and current is not None and current in found:
        try:
            versions.content(name, current)
        except UnknownValueError:
            return current
    raise ConflictError(
        f"secret is known already, {name} v{current}",
        hint=f"`secretkit services {name}` shows who uses it; `secretkit rotate {name}` makes the"
        " next version, and brings them to it",
    )


# -- prune and remove -------------------------------------------------------------------------


def prune(
    versions: Versions, engine: Engine, name: str, keep: int = 2, *, dry_run: bool = False
) -> Pruned:
    """Destroys versions that are neither current, nor of the newest `keep`, nor needed by anybody.

    Needed is what a service refers to, would roll back to, or has a task on, and the last version
    that a stack brought: without it nobody can tell whether its file has changed. The object goes
    first, then our record. With `dry_run` nothing is destroyed. Raises RotationInProgressError.
    """
    if keep < 1:
        raise UsageError(f"prune keeps at least one version, not {keep}")
    _check_quiet(versions, engine, name)
    current, numbers = versions.current(name), versions.numbers(name)
    beyond, last = versions.beyond(name, keep), brought(versions, name)
    found = objects.versions_of(engine, versions.kind, name)
    holders = _holders(engine)
    destroyed, kept = [], []
    for number in sorted({*numbers, *found}):
        one = found.get(number)
        if number not in numbers:
            why = "not known to this store"
        elif number == current:
            why = "it is the current one"
        elif number not in beyond:
            why = f"it is among the newest {keep}"
        elif number == last:
            why = "`stack deploy` compares its file with it"
        elif one is None:
            why = ""
        elif not objects.is_ours(one):
            why = "not made by secretkit"
        else:
            why = ", ".join(holders.get(one.id, ()))
            if not why and not dry_run:
                why = _removed(engine, one)
        if why:
            kept.append((number, why))
        else:
            destroyed.append(number)
    if destroyed and not dry_run:
        versions.destroy(name, destroyed, "prune")
    return Pruned(tuple(destroyed), tuple(kept))


def remove(
    versions: Versions, engine: Engine, names: Sequence[str], version: int | None = None
) -> tuple[str, ...]:
    """Removes secrets, or one version of each, from the engine and then from our record.

    Everything is looked at before anything is removed. Returns the object names that are gone;
    an object without our labels stays. Raises SecretInUseError, RotationInProgressError.
    """
    holders = _holders(engine)
    leaving: list[EngineObject] = []
    for name in names:
        _check_quiet(versions, engine, name)
        if version is not None and version not in versions.numbers(name):
            raise VersionNotFoundError(name, f"v{version}")
        if version is not None and version == versions.current(name):
            raise SecretInUseError(
                f"version in use, {name} v{version} is the current one",
                hint="rotate or roll back first, or remove all of it",
            )
        for number, one in objects.versions_of(engine, versions.kind, name).items():
            if version not in (None, number) or not objects.is_ours(one):
                continue
            if whys := holders.get(one.id):
                raise _in_use(one, ", ".join(whys))
            leaving.append(one)
    for one in leaving:
        if why := _removed(engine, one):
            raise _in_use(one, why)
    for name in names:
        versions.destroy(name, None if version is None else [version], "remove")
    return tuple(one.name for one in leaving)


def _in_use(one: EngineObject, why: str) -> SecretInUseError:
    return SecretInUseError(
        f"{one.kind} in use, {one.name}: {why}",
        hint="take it from its services first; any later update of a service ends its rollback",
    )


def _removed(engine: Engine, one: EngineObject) -> str:
    """Removes an object; says why it could not, "" if it is gone."""
    try:
        engine.remove(one.kind, one.id)
    except ObjectInUseError:
        return "a service uses it"
    except ObjectNotFoundError:
        pass
    return ""


def _check_quiet(versions: Versions, engine: Engine, name: str) -> None:
    """Raises SecretNotFoundError, or RotationInProgressError if a rotation may need an object."""
    versions.current(name)
    if found := journal.find(engine, versions.kind, name):
        raise RotationInProgressError(
            f"a rotation of {name} is under way, by {found.owner}",
            hint=f"wait for its end, or end it: secretkit rotate {name} --abort",
        )

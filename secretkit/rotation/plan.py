"""The decision: from what the engine and the versions say, to what a rotation will do. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from .. import naming
from ..engines import spec as specs
from ..engines.protocol import EngineObject, Kind, Reference, Service
from ..errors import (
    ConflictError,
    PreflightError,
    ServiceNotFoundError,
    VersionNotFoundError,
)
from .journal import Journal
from .types import Finding, Options, Plan, Swap


class Situation(NamedTuple):
    """What is so before a rotation, read from the engine and the versions."""

    kind: Kind
    name: str
    current: int | None
    previous: int | None
    numbers: tuple[int, ...]  # that the versions know
    objects: Mapping[int, EngineObject]  # that the engine has, by version
    services: tuple[Service, ...]
    health: Mapping[str, bool | None]  # by service id: whether it has a health check
    journal: Journal | None
    taken: frozenset[int] = frozenset()  # numbers whose object names the engine has, of anybody

    def uses(self, service: Service) -> tuple[Reference, ...]:
        """The service's references to any version."""
        ids = {found.id for found in self.objects.values()}
        return tuple(use for use in service.references if use.object_id in ids)

    def version_of(self, use: Reference) -> int:
        """Which version a reference of `uses` is to."""
        return next(n for n, found in self.objects.items() if found.id == use.object_id)

    @property
    def used(self) -> tuple[Service, ...]:
        """The services that use the secret."""
        return tuple(service for service in self.services if self.uses(service))

    @property
    def next(self) -> int:
        """One above the highest number that either side knows, or that somebody else took."""
        return max((*self.numbers, *self.objects, *self.taken, self.current or 0)) + 1

    @property
    def running(self) -> int | None:
        """The version that services are on, if it is one, else the current one."""
        found = {self.version_of(use) for service in self.used for use in self.uses(service)}
        return found.pop() if len(found) == 1 else self.current


def back(situation: Situation) -> int:
    """The version that a rollback goes to by itself.

    Raises ConflictError if services are on a version that was made current elsewhere: what the
    previous one is, is then not known here. Raises VersionNotFoundError if there is none.
    """
    name = situation.name
    running = situation.running or 0
    if situation.current is not None and running > situation.current:
        raise ConflictError(
            f"versions differ, {name} v{situation.current} is current here and services use"
            f" v{running}, which was made elsewhere",
            hint="`--to N` says which version is meant",
        )
    if situation.previous is None:
        raise VersionNotFoundError(name, f"before v{situation.current}")
    return situation.previous


def decide(situation: Situation, after: int, options: Options) -> Plan:
    """The plan that brings services to version `after`.

    Raises ServiceNotFoundError for a name in options.services that no service has.
    """
    journal = situation.journal
    _check_names(situation, options.services)
    object_name = naming.object_name(situation.name, after)
    swaps = []
    skipped = []
    findings: list[Finding] = []
    for service in situation.services:
        uses = situation.uses(service)
        asked = service.name in options.services
        if not uses:
            if asked:
                findings.append(_unused(situation, service))
            continue
        there = journal is not None and service.id in journal.services
        if all(situation.version_of(use) == after for use in uses) and not there:
            continue
        if options.services and not asked:
            skipped.append((service.name, "not among the services asked for"))
        elif service.is_job and not options.jobs:
            skipped.append((service.name, "a job: --jobs rotates it too, which runs it again"))
        else:
            swaps.append(_swap(service, uses, object_name))
            if any(situation.version_of(use) != after for use in uses):
                findings += _findings(situation, service, options)
    return Plan(
        kind=situation.kind,
        name=situation.name,
        before=journal.before if journal else situation.running,
        after=after,
        creates=None if after in situation.objects else object_name,
        swaps=tuple(swaps),
        skipped=tuple(skipped),
        findings=tuple(findings),
        resumes=journal.rotation if journal else None,
    )


def refuse(plan: Plan, options: Options) -> None:
    """Raise PreflightError if a finding refuses, or any does under options.strict."""
    bad = [finding for finding in plan.findings if finding.refuses or options.strict]
    if bad:
        said = "; ".join(f"{finding.service}: {finding.message}" for finding in bad)
        hints = dict.fromkeys(finding.hint for finding in bad if finding.hint)
        raise PreflightError(
            f"cannot rotate {plan.name} as services are now, {said}", hint="; ".join(hints) or None
        )


def _check_names(situation: Situation, names: Sequence[str]) -> None:
    known = [service.name for service in situation.services]
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise ServiceNotFoundError(
                f"no such service, {name}",
                hint=f"did you mean {near[0]}?" if near else "`docker service ls` lists them",
            )


def _unused(situation: Situation, service: Service) -> Finding:
    return Finding(
        service.name,
        f"it does not use {situation.name}",
        f"`secretkit services {situation.name}` lists those that do",
        refuses=True,
    )


def _swap(service: Service, uses: Sequence[Reference], after: str) -> Swap:
    return Swap(
        service=service.name,
        service_id=service.id,
        before=tuple(dict.fromkeys(use.object_name for use in uses)),
        after=after,
        targets=tuple(use.target or "" for use in uses),
        tasks=service.replicas,
    )


def _findings(situation: Situation, service: Service, options: Options) -> Iterator[Finding]:
    name = service.name
    said = f": {service.update_message}" if service.update_message else ""
    journal = situation.journal
    # Once services are being changed, their updates are this rotation's and what became of them.
    ours = journal and journal.phase != "began" and service.id in journal.services
    if not ours and service.update_state in ("updating", "rollback_started"):
        yield Finding(name, "it is being updated", "wait until its update is done", refuses=True)
    if not ours and service.update_state in ("paused", "rollback_paused"):
        yield Finding(
            name,
            f"its last update is paused{said}",
            f"`docker service update {name}` goes on with it, `docker service rollback {name}`"
            " goes back",
            refuses=True,
        )
    versions = sorted({situation.version_of(use) for use in situation.uses(service)})
    if len(versions) > 1:
        yield Finding(
            name,
            f"it uses {' and '.join(f'v{number}' for number in versions)} at once, and will use"
            " one version under all targets",
            "",
            refuses=False,
        )
    if service.is_job:
        yield Finding(name, "it is a job, and will run once more", "", refuses=False)
        return
    if service.replicas == 0:
        return
    yield from _update_findings(situation, service, options)


def _update_findings(situation: Situation, service: Service, options: Options) -> Iterator[Finding]:
    name = service.name
    update = specs.update_config(
        specs.with_update_config(
            service.spec,
            parallelism=options.parallelism,
            order=options.order,
            failure_action=options.failure_action,
        )
    )
    if situation.health.get(service.id) is False:
        yield Finding(
            name,
            "it has no health check, so a task that runs is taken for a good one",
            f"`docker service update --health-cmd … {name}` adds one",
            refuses=False,
        )
    if update.failure_action != "rollback":
        yield Finding(
            name,
            f"its update failure action is {update.failure_action}, so a failing update stays"
            " until secretkit takes it back",
            "--failure-action rollback",
            refuses=False,
        )
    replicas = service.replicas
    if update.order == "stop-first":
        if replicas == 1:
            yield Finding(
                name,
                "it has one task, which stops before the next one starts",
                "--order start-first",
                refuses=False,
            )
        elif update.parallelism == 0 or (replicas and update.parallelism >= replicas):
            yield Finding(
                name,
                "all its tasks stop at once before the next ones start",
                "--parallelism 1, or --order start-first",
                refuses=False,
            )
    elif ports := specs.host_ports(service.spec):
        taken = ", ".join(str(port) for _, port in ports)
        yield Finding(
            name,
            f"it starts tasks first, and they publish port {taken} of their node: without a spare"
            " node no task can start",
            "--order stop-first",
            refuses=replicas is None,  # on every node there is none to spare
        )

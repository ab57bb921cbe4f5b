"""`stack deploy`: what becomes of each secret and config is decided, the versions are made, docker
deploys the files, and what they change is made current once it was seen to run.

Each step is durable before the next. The same command goes on with what was interrupted: a version
that was made and is not current is found again by its content, an object by its name, and docker
leaves alone what is as it should be.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from ... import mocks, naming
from ...engines.protocol import Engine, EngineObject, Kind, Service
from ...errors import (
    ConflictError,
    NotFoundError,
    ProjectNotFoundError,
    RotationInProgressError,
    UnknownValueError,
    UsageError,
)
from ...rotation import journal as journals
from ...rotation import objects, usage
from ...rotation.converge import converge, now
from ...rotation.objects import NAMESPACE
from ...rotation.travel import Arrival, Clock
from ...rotation.types import OnEvent
from ...rotation.versions import (
    STACK,
    ConfigVersions,
    StoreVersions,
    Versions,
    brought,
    refuse_mock,
)
from ...store import Store
from ..findings import Finding
from . import choice as choosing
from .choice import Choice, Content, Known
from .contents import content_of, look_into
from .model import KINDS, Stack
from .report import Report, VersionReport, failed, reports
from .resolve import Names, Resolution, Resolved, check_stack_name, resolve
from .rewrite import Given, rewrite

_ROUNDS = 5  # times that docker deploys, where other versions become current meanwhile
Key = tuple[Kind, str]


class Plan(NamedTuple):
    """What a deploy will do: printed by --dry-run, or carried out."""

    stack: str
    choices: Mapping[Key, Choice]  # by kind and name of the secret or config
    names: Mapping[Key, str]  # object names, by kind and key in the files: all of them
    external: frozenset[Key]  # those of `names` that docker is told
    sources: Mapping[Key, Resolved]  # what brings the content, by kind and name
    findings: tuple[Finding, ...]
    services: tuple[str, ...]  # that the files have, by their whole names
    users: Mapping[Key, tuple[str, ...]]  # whole names of services, by kind and name


class Deployment:
    """One deploy of one stack."""

    def __init__(self, stack: Stack, name: str, engine: Engine, store: Store | None) -> None:
        check_stack_name(name)
        self.stack = stack
        self.name = name
        self.engine = engine
        self._store = store
        self._versions: dict[Kind, Versions] = {"config": ConfigVersions(engine)}
        if store is not None:
            self._versions["secret"] = StoreVersions(store)
        self._contents: dict[Key, bytes] = {}
        self._there: set[str] = set()  # ids of the objects that the engine had at the plan

    def external(self) -> set[str]:
        """The secrets that the files name and do not bring."""
        return {
            one.name or one.key
            for one in self.stack.definitions.values()
            if one.kind == "secret" and one.origin == "external"
        }

    def in_engine(self) -> set[str]:
        """The names of all secrets that the engine has."""
        return {objects.identity(one)[0] for one in self.engine.objects("secret")}

    # -- the plan -------------------------------------------------------------------------------

    def plan(self, fresh: Collection[str] = ()) -> Plan:
        """What it will do now. Changes nothing.

        `fresh` are secrets that will have been created before. Raises UsageError for the files,
        MockError for a mock that would go to the engine, NotFoundError for what is external and
        nowhere, RotationInProgressError.
        """
        for document in self.stack.documents:
            mocks.refuse(
                document.path,
                document.text.encode(errors="replace"),
                hint="name a secret there instead",
            )
        found = {kind: self.engine.objects(kind) for kind in KINDS}
        self._there = {one.id for kind in KINDS for one in found[kind]}
        services = self.engine.services()
        names: Names = {kind: self._names(kind, found[kind], fresh) for kind in KINDS}
        there: Names = {kind: {one.name for one in found[kind]} for kind in KINDS}
        resolution = resolve(self.stack, self.name, names, there)
        _refuse_missing(resolution)
        choices: dict[Key, Choice] = {}
        object_names: dict[Key, str] = {}
        told: set[Key] = set()
        sources: dict[Key, Resolved] = {}
        for one in resolution.definitions:
            kind = one.definition.kind
            if one.becomes == "docker":
                object_names[kind, one.definition.key] = one.name
                look_into(one, self.stack.variables)
                continue
            key = kind, one.name
            if one.becomes == "given":
                self._take(one, sources)
            if key not in choices or one.becomes == "given":
                known = self._known(kind, one.name, found[kind], services)
                if one.name in fresh and kind == "secret" and not known.numbers:
                    choices[key] = Choice(kind, one.name, None, 1, makes=True, creates=True)
                else:
                    choices[key] = self._choice(known, is_given=one.becomes == "given")
            object_names[kind, one.definition.key] = choices[key].object_name
            told.add((kind, one.definition.key))
        for choice in choices.values():
            if choice.creates and choice.kind in self._versions:
                refuse_mock(self._versions[choice.kind], choice.name, choice.after)
        self._refuse_rotating(choices)
        return Plan(
            self.name,
            choices,
            object_names,
            frozenset(told),
            sources,
            resolution.findings,
            tuple(f"{self.name}_{service}" for service in self.stack.services),
            self._users(resolution),
        )

    def _names(self, kind: Kind, found: Iterable[EngineObject], fresh: Collection[str]) -> set[str]:
        """Of secrets and configs that have versions, here or elsewhere."""
        names = {one.labels[objects.NAME] for one in found if objects.is_ours(one)}
        if kind == "secret":
            names |= {*fresh, *(one.name for one in self._store.list())} if self._store else set()
        return names

    def _take(self, one: Resolved, sources: dict[Key, Resolved]) -> None:
        """Reads what the stack brings; raises UsageError if two of one name differ."""
        key = one.definition.kind, one.name
        naming.check_name(one.name)
        if key[0] == "secret" and self._store is None:
            raise ProjectNotFoundError(
                ".",
                hint=f"{one.definition.place} brings the value of a secret, whose versions are"
                " kept in a store: `secretkit init` makes one, --project names it",
            )
        content = content_of(one, self.stack.variables)
        if self._contents.setdefault(key, content) != content:
            raise UsageError(
                f"{one.definition.place}: the {key[0]} {one.name} is also defined with another"
                " content"
            )
        sources[key] = one

    def _known(
        self,
        kind: Kind,
        name: str,
        there: Collection[EngineObject],
        services: Collection[Service],
    ) -> Known:
        """`there` are the engine's objects of the kind."""
        versions = self._versions.get(kind)
        numbers: tuple[int, ...] = ()
        if versions is not None:
            with contextlib.suppress(NotFoundError):
                numbers = versions.numbers(name)
        known = (name,) if numbers and kind == "secret" else ()
        found = objects.by_name(there, known).get(name, {})
        labels = {one.labels.get(NAMESPACE, "") for one in found.values()}
        stacks = frozenset(labels - {"", self.name})
        try:
            if versions is None:
                return choosing.known(kind, name, found, services)
            return choosing.known(
                *(kind, name, found, services),
                numbers=numbers,
                current=versions.current(name),
                staged=versions.staged(name),
                store_id=versions.store_id,
                foreign=usage.foreign(versions, name, found),
                stacks=stacks,
                taken=objects.taken(there, name),
            )
        except NotFoundError:
            return choosing.known(kind, name, found, services, stacks=stacks)

    def _choice(self, known: Known, *, is_given: bool) -> Choice:
        if is_given:
            return choosing.choose_for(known, self._compared(known))
        return choosing.choose(known)

    def _compared(self, known: Known) -> Content:
        """How the content that the stack brings compares with the versions."""
        versions, name = self._versions[known.kind], known.name
        content = self._contents[known.kind, name]
        if not known.numbers:
            return Content(frozenset(), frozenset(known.objects), None)
        last = brought(versions, name)
        mine = versions.fingerprint(name, content)
        equal, unknown = set(), set()
        there = {*known.numbers, *known.objects}
        for number in there:
            if number < (last or 0) and number != known.current:
                continue
            found = known.objects.get(number)
            label = found.labels.get(objects.FINGERPRINT, "") if found else ""
            # An object that somebody else made under the number of a version of ours is theirs.
            if objects.is_other(label, mine):
                continue
            try:
                # What a copy of the store does not know, an object's label may still tell.
                if label == mine or versions.content(name, number) == content:
                    equal.add(number)
            except (UnknownValueError, NotFoundError):
                unknown.add(number)
        # Those that are gone: all where `last` may be among them, else what a copy does not know.
        since = 1 if last is None else max(known.numbers) + 1
        unknown |= {*range(since, max(there))} - there - known.taken
        return Content(frozenset(equal), frozenset(unknown), last)

    @property
    def _source(self) -> str:
        """What versions that this stack brings say of where they come from."""
        return f"{STACK}{self.name}"

    def _users(self, resolution: Resolution) -> dict[Key, tuple[str, ...]]:
        called = {(one.definition.kind, one.definition.key): one for one in resolution.definitions}
        users: dict[Key, tuple[str, ...]] = {}
        for use in self.stack.uses:
            key = use.kind, called[use.kind, use.source].name
            users[key] = (*users.get(key, ()), f"{self.name}_{use.service}")
        return users

    def _again(self, plan: Plan) -> Plan:
        """The same with the versions that count now, while docker deploys or after it.

        Raises RotationInProgressError, and ConflictError if another store made a version meanwhile:
        whether that is current is not known here.
        """
        # First the journals: whoever begins after this looks at what docker has changed.
        self._refuse_rotating(plan.choices, f" while stack {self.name} is deployed")
        services = self.engine.services()
        there = {kind: self.engine.objects(kind) for kind in KINDS}
        choices: dict[Key, Choice] = {}
        names: dict[tuple[Kind, str], str] = {}  # object names, by those that were deployed
        for key, one in plan.choices.items():
            known = self._known(*key, there[one.kind], services)
            found = known.objects
            late = [n for n in found if found[n].id not in self._there and n not in known.numbers]
            if late:
                raise ConflictError(
                    f"{one.kind} {one.name} v{late[-1]} was made elsewhere while stack"
                    f" {self.name} was deployed",
                    hint=f"services may have been taken back to v{one.after}: `secretkit services"
                    f" {one.name}` shows it; ask who made it, and rotate or deploy again",
                )
            choices[key] = self._choice(known, is_given=key in plan.sources)
            names[one.kind, one.object_name] = choices[key].object_name
        return plan._replace(
            choices=choices,
            names={
                key: names[key[0], name] if key in plan.external else name
                for key, name in plan.names.items()
            },
        )

    def _refuse_rotating(self, choices: Mapping[Key, Choice], when: str = "") -> None:
        for journal in journals.journals(self.engine):
            if (journal.kind, journal.name) in choices:
                again, end = journals.commands(journal)
                raise RotationInProgressError(
                    f"a {'rotation' if journal.action == 'rotate' else 'rollback'} is under way"
                    f"{when}, {journal.name} to v{journal.after} by {journal.owner}",
                    hint=f"wait for its end and deploy again; `{again}` goes on with one that was"
                    f" left, `{end}` ends it",
                )

    # -- the doing ------------------------------------------------------------------------------

    def carry_out(
        self,
        plan: Plan,
        docker: Callable[[Given], None],
        watch: Callable[[Callable[[OnEvent], dict[str, Arrival]]], dict[str, Arrival]],
        *,
        soak: float = 0.0,
        timeout: float = 600.0,
        say: Callable[[str], None] = lambda _: None,
    ) -> Report:
        """Makes what is to be made, lets docker deploy, and waits for the services.

        `docker` deploys the files; `watch` runs the waiting, and shows its events. Durations are
        seconds. Raises RolloutFailedError, whose `report` is a Report, if a service did not
        arrive; else as the store and the engine do.
        """
        clock = Clock.of(self.engine)
        began = clock.monotonic()
        for key, one in plan.choices.items():
            self._prepare(one, plan.sources.get(key), say)
        # Somebody may have begun meanwhile; after this, their rotation looks at what we changed.
        self._refuse_rotating(plan.choices)
        before = self.services()
        since = now(self.engine, before)
        for _ in range(_ROUNDS):
            docker(self.given(plan))
            after = [one for one in self.services() if one.name in plan.services]
            again = self._again(plan)
            if again.names == plan.names:
                arrivals = watch(
                    lambda on_event, after=after: converge(  # type: ignore[misc]
                        *(self.engine, before, after),
                        since=since,
                        soak=soak,
                        timeout=timeout,
                        on_event=on_event,
                    )
                )
                again = self._again(plan)
            if again.names == plan.names:
                break
            say("other versions have become current meanwhile: deploying those")
            plan = again
            for key, one in plan.choices.items():
                self._prepare(one, plan.sources.get(key), say)
        else:
            raise ConflictError(
                f"other versions become current again and again while stack {plan.stack} is"
                " deployed",
                hint="deploy again when nobody rotates its secrets and configs",
            )
        failures = {one.name: arrivals[one.id].failure for one in after}
        current = self._commit(plan, failures)
        final = self.services()
        report = Report(
            self.name,
            "failed" if any(failures.values()) else "completed",
            clock.monotonic() - began,
            tuple(
                VersionReport(one.kind, one.name, one.before or None, one.after, key in current)
                for key, one in plan.choices.items()
            ),
            reports(before, after, final, arrivals),
        )
        if any(failures.values()):
            raise failed(report, failures, final)
        return report

    def given(self, plan: Plan) -> Given:
        """What docker is given."""
        return rewrite(self.stack, {key: plan.names[key] for key in plan.external})

    def services(self) -> list[Service]:
        """Those that the stack has now."""
        found = self.engine.services()
        return [one for one in found if (one.spec.get("Labels") or {}).get(NAMESPACE) == self.name]

    def _prepare(self, one: Choice, source: Resolved | None, say: Callable[[str], None]) -> None:
        """The version and its object are there, and no service has been touched."""
        versions = self._versions.get(one.kind)
        if versions is None:
            return  # without a store, what the engine has is all there is
        if one.adopts:
            adopted = usage.adopt(versions, self.engine, one.name, None)
            say(f"took {one.kind} {one.name} v{adopted.current} from the engine")
        if one.makes:
            content = self._contents[one.kind, one.name]
            if one.before is None:
                versions.begin(one.name, content, self._source)
            else:
                versions.stage(one.name, one.after, content, self._source)
            say(f"made {one.kind} {one.name} v{one.after}")
        if not one.creates:
            return
        found = usage.push(versions, self.engine, one.name, one.after)
        labels = {**source.definition.labels, NAMESPACE: self.name} if source else {}
        if not labels.items() <= found.labels.items():
            self.engine.relabel(found, {**labels, **found.labels})
        say(f"created {one.kind} {found.name} in {self.engine.name}")

    def _commit(self, plan: Plan, failures: Mapping[str, str]) -> set[Key]:
        """Makes current what all its services have arrived with; returns what is current."""
        current = set()
        for key, one in plan.choices.items():
            if any(failures.get(service) for service in plan.users.get(key, ())):
                if not one.commits:
                    current.add(key)
                continue
            if one.commits:
                self._versions[one.kind].commit(one.name, one.after, "rotate")
            current.add(key)
        return current


def _refuse_missing(resolution: Resolution) -> None:
    missing = [one for one in resolution.findings if one.severity == "error"]
    if missing:
        raise NotFoundError(
            "; ".join(f"{one.place}: {one.message}" for one in missing),
            hint="; ".join(dict.fromkeys(one.remedy for one in missing)),
        )

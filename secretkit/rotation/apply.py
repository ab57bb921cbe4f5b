"""The execution of a rotation: each step is durable before the next, and none is done twice.

Nothing is remembered here that the journal, the versions and the engine cannot tell again, so a
rotation that was interrupted anywhere goes on when it is asked for again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from hmac import compare_digest
from typing import Any, Literal

from .. import naming
from ..engines import spec as specs
from ..engines.protocol import Changes, Engine, EngineObject, Reference, Service
from ..errors import (
    ConflictError,
    EngineError,
    HookError,
    NotFoundError,
    ObjectExistsError,
    RolloutFailedError,
    SecretkitError,
    UnknownValueError,
    UsageError,
    VersionNotFoundError,
)
from . import hooks as programs
from . import journal as journals
from . import objects
from .hooks import Hooks
from .journal import Action, Held, Journal, Was
from .plan import Situation, back, decide, refuse
from .survey import survey
from .travel import Arrival, Clock, Patience, Traveller, Way
from .types import Event, OnEvent, Options, Outcome, Plan, Report, ServiceReport
from .verify import ENDED, Goal, Look
from .versions import Versions

GIVEN = "given"
_ROUNDS = 5  # times that services are looked for again before we give up


class Rotation:
    """One rotation of one secret or config."""

    def __init__(
        self,
        versions: Versions,
        engine: Engine,
        name: str,
        options: Options,
        hooks: Hooks,
        on_event: OnEvent | None,
    ) -> None:
        self._versions = versions
        self._engine = engine
        self._name = name
        self._options = options
        self._hooks = hooks
        self._on_event = on_event
        self._clock = Clock.of(engine)
        self._began = self._clock.monotonic()
        self._patient = Patience(
            self._clock, options.timeout, lambda said: self._tell("journal", None, said)
        )
        self._arrivals: dict[str, Arrival] = {}
        self._reasons: dict[str, str] = {}
        self._warnings: tuple[str, ...] = ()
        self._skipped: tuple[tuple[str, str], ...] = ()
        self._returned: dict[str, Arrival] = {}
        self._health: Mapping[str, bool | None] = {}

    # -- the two requests -------------------------------------------------------------------

    def run(self, action: Action, to: int | None, content: bytes | None, source: str) -> Report:
        """Rotates to a next version with this content, or to version `to`; or goes on with it."""
        with self._guarded(), self._engine.changes() as changes:
            situation = survey(self._versions, self._engine, self._name)
            wanted = situation.journal
            if wanted is None:
                after = self._number(situation, action, to, content)
                plan = decide(situation, after, self._options)
                refuse(plan, self._options)
                if action == "rollback" and not plan.swaps and situation.current == after:
                    return self._report(None, after, "completed", "completed")
                draft = journals.draft(self._versions.kind, self._name, action, plan.before, after)
            else:
                _check_same(wanted, action, to)
                draft = wanted._replace(**_owner(wanted))
            with self._take(wanted, draft) as held:
                if wanted is None:
                    situation = self._again(held, situation, action, to, content)
                self._tell("journal")
                return self._go_on(held, situation, changes, content, source)

    def abort(self) -> Report:
        """Ends a rotation under way by going back to what was before it."""
        with self._guarded(), self._engine.changes() as changes:
            found = journals.find(self._engine, self._versions.kind, self._name)
            if found is None:
                raise NotFoundError(f"no rotation of {self._name} is under way")
            with self._take(found, found._replace(**_owner(found))) as held:
                self._tell("journal")
                if found.phase == "committed":
                    self._release(held)
                    return self._report(held.journal, found.after, "completed", "completed")
                held.advance(phase="returning", reason=f"aborted by {held.journal.owner}")
                return self._return(held, changes)

    # -- forward ------------------------------------------------------------------------------

    def _go_on(
        self,
        held: Held,
        situation: Situation,
        changes: Changes,
        content: bytes | None,
        source: str,
    ) -> Report:
        if held.journal.action == "rotate":
            self._stage(held, situation, content, source)
        if held.journal.phase == "returning":
            report = self._return(held, changes)
            raise self._failed(report, held.journal.reason)
        if held.journal.phase != "committed":
            following = self._create(held, situation)
            self._begin(held)
            self._roll(held, following, changes)
            self._versions.commit(self._name, held.journal.after, held.journal.action)
            held.advance(phase="committed")
            self._tell("commit")
        self._finish(held)
        self._release(held)
        return self._report(held.journal, held.journal.after, "completed", "completed")

    def _number(
        self, situation: Situation, action: Action, to: int | None, content: bytes | None
    ) -> int:
        """The version to rotate to; raises if there cannot be such a rotation."""
        if action == "rotate":
            if content is None:
                raise UsageError(
                    f"no value for {self._name}, and no rotation of it is under way to go on with"
                )
            limit = naming.CONFIG_LENGTH if situation.kind == "config" else naming.VALUE_LENGTH
            naming.check_value(self._name, content, limit)
            naming.object_name(self._name, situation.next)
            return situation.next
        after = back(situation) if to is None else to
        if after not in situation.objects:
            self._versions.content(self._name, after)  # raises if it is not there, or unknown
        return after

    def _again(
        self,
        held: Held,
        before: Situation,
        action: Action,
        to: int | None,
        content: bytes | None,
    ) -> Situation:
        """What is so now that nobody else rotates: somebody may have until a moment ago."""
        try:
            now = survey(self._versions, self._engine, self._name, health=before.health)
            now = now._replace(journal=None)
            after = self._number(now, action, to, content)
            plan = decide(now, after, self._options)
            refuse(plan, self._options)
        except SecretkitError:
            held.release()
            raise
        if (after, plan.before) != (held.journal.after, held.journal.before):
            held.advance(after=after, before=plan.before)
        return now

    def _stage(self, held: Held, situation: Situation, content: bytes | None, source: str) -> None:
        """The value is in the store before the engine hears of it, and stays what it is."""
        after = held.journal.after
        for number in situation.objects:
            if number not in situation.numbers and number != after:
                self._versions.learn(self._name, number)
        if after not in situation.numbers:
            if content is None and after in situation.objects:
                self._versions.learn(self._name, after)
            elif content is None:
                raise UsageError(
                    f"no value for {self._name} v{after}: its rotation was interrupted before the"
                    " value was kept",
                    hint=f"give the value again, or end it: secretkit rotate {self._name} --abort",
                )
            else:
                self._versions.stage(self._name, after, content, source)
        elif content is not None and source == GIVEN:
            self._check_value(held.journal, content)
        self._tell("stage")

    def _check_value(self, journal: Journal, content: bytes) -> None:
        """A value that is given again has to be the one that is under way."""
        try:
            known = self._versions.content(self._name, journal.after)
        except UnknownValueError:
            known = b""
        if not compare_digest(known, content):
            raise ConflictError(
                f"a rotation is under way, {self._name} v{journal.after} has another value than"
                " the one given",
                hint="without a value the rotation goes on;"
                f" `secretkit rotate {self._name} --abort` ends it",
            )

    def _create(self, held: Held, situation: Situation) -> EngineObject:
        """The object of the version; of the next number if somebody took this one."""
        versions, name = self._versions, self._name
        kind, rotation = versions.kind, held.journal.rotation
        while True:
            after = held.journal.after
            title = naming.object_name(name, after)
            found = situation.objects.get(after) or self._engine.find(kind, title)
            if found is None:
                content = versions.content(name, after)
                labels = objects.labels(
                    name,
                    after,
                    fingerprint=versions.fingerprint(name, content),
                    store=versions.store_id,
                    rotation=rotation,
                )
                make = partial(self._engine.create, kind, title, content, labels)
                try:
                    found = self._patient(make)
                except ObjectExistsError:
                    found = self._patient(partial(self._engine.find, kind, title))
                    if found is None:
                        continue
            if held.journal.action == "rollback" or self._is_ours(held.journal, found):
                self._tell("create", None, title)
                return found
            # Somebody made an object of that name since we counted: its number is theirs.
            content = versions.content(name, after)
            held.advance(after=after + 1)
            versions.stage(name, after + 1, content, GIVEN)

    def _is_ours(self, journal: Journal, found: EngineObject) -> bool:
        if found.labels.get(objects.ROTATION) == journal.rotation:
            return True
        # A config's object is its record, made when it was staged.
        content = self._versions.content(self._name, journal.after)
        mine = self._versions.fingerprint(self._name, content)
        return found.labels.get(objects.FINGERPRINT) == mine

    def _begin(self, held: Held) -> None:
        """What services have is in the journal before the first of them is touched."""
        situation = self._survey(held)
        plan = decide(situation, held.journal.after, self._options)
        refuse(plan, self._options)
        self._note(held, situation, plan)
        self._warnings = tuple(f"{finding.service}: {finding.message}" for finding in plan.findings)
        self._skipped = plan.skipped
        self._tell("plan")
        if held.journal.phase == "began":
            try:
                self._hook("before", held.journal)
            except HookError:
                held.release()
                raise
            held.advance(phase="rolling")
        self._tell("before")

    def _note(self, held: Held, situation: Situation, plan: Plan) -> None:
        services = dict(held.journal.services)
        names = dict(held.journal.names)
        by_id = {service.id: service for service in situation.services}
        for swap in plan.swaps:
            if swap.service_id not in services:
                names[swap.service_id] = swap.service
                services[swap.service_id] = tuple(
                    Was(use.target, use.object_id, use.object_name)
                    for use in situation.uses(by_id[swap.service_id])
                )
        if services != held.journal.services:
            held.advance(services=services, names=names)

    def _roll(self, held: Held, following: EngineObject, changes: Changes) -> None:
        """Every service to the next version, until none is found that is not."""
        since = self._since(held)
        for turn in range(_ROUNDS):
            situation = self._survey(held)
            plan = decide(situation, held.journal.after, self._options)
            todo = {
                swap.service_id: swap.service
                for swap in plan.swaps
                if turn == 0 or set(swap.before) != {following.name}
            }
            if not todo:
                self._tell("settle")
                return
            self._note(held, situation, plan)
            stop = self._options.on_failure == "stop"
            way = self._forward(held.journal, situation, following, since)
            self._travel(held, changes, way, todo, halt=True, abandon=not stop)
            self._reasons = {
                held.journal.names[key]: arrival.failure
                for key, arrival in self._arrivals.items()
                if arrival.failure
            }
            if self._reasons:
                self._fail(held, changes)
        self._reasons = dict.fromkeys(
            todo.values(), f"it is changed back again and again, {_ROUNDS} times"
        )
        self._fail(held, changes)

    def _since(self, held: Held) -> datetime:
        """From when on, by the engine's clock, tasks are of this attempt.

        A rotation that was stopped has left tasks that failed, and services that went back.
        """
        journal = held.journal
        if not journal.reason:
            return journal.since
        tasks = self._patient(partial(self._engine.tasks, list(journal.services)))
        last = max((task.updated for task in tasks), default=journal.since)
        held.advance(reason="")
        return last + timedelta(microseconds=1)

    # -- back ---------------------------------------------------------------------------------

    def _fail(self, held: Held, changes: Changes) -> None:
        reason = "; ".join(f"{service}: {why}" for service, why in self._reasons.items())
        if self._options.on_failure == "rollback":
            held.advance(phase="returning", reason=reason)
            raise self._failed(self._return(held, changes), reason)
        failed = {key for key, name in held.journal.names.items() if name in self._reasons}
        self._take_back(held, changes, failed)
        held.advance(reason=reason)  # so that whoever goes on takes the tasks for history
        report = self._report(held.journal, held.journal.after, "stopped", "completed")
        raise self._failed(report, reason)

    def _return(self, held: Held, changes: Changes) -> Report:
        """Every service back to what it had. The journal is gone if all are."""
        aborted = held.journal.reason.startswith("aborted by")
        if self._take_back(held, changes, None):
            return self._report(held.journal, held.journal.after, "stopped", "rolled back")
        journal = held.journal
        self._release(held)
        outcome: Literal["aborted", "rolled back"] = "aborted" if aborted else "rolled back"
        return self._report(journal, journal.after, outcome, "rolled back")

    def _take_back(self, held: Held, changes: Changes, only: set[str] | None) -> dict[str, str]:
        """Takes services back, the last first; those that did not arrive, with why."""
        journal = held.journal
        for _ in range(_ROUNDS):
            situation = self._survey(held)
            following = situation.objects.get(journal.after)
            if following is None:
                return {}  # it never was, or nobody can refer to it
            known = [service for service in situation.services if service.id in journal.services]
            late = [service for service in situation.services if service not in known]
            tasks = self._patient(partial(self._engine.tasks, [service.id for service in known]))
            touched = {
                task.service_id
                for task in tasks
                if task.updated >= journal.since and _refers(task.references, following.id)
            }
            order = {key: turn for turn, key in enumerate(journal.services)}
            known.sort(key=lambda service: order[service.id], reverse=True)
            if journal.action == "rollback":
                late = []  # what they have, they had before
            todo = {
                service.id: service.name
                for service in (*late, *known)
                if (only is None or service.id in only)
                and (
                    _refers(service.references, following.id)
                    or (service.id in touched and service.id not in self._returned)
                )
            }
            if not todo:
                return {}
            way = self._backward(journal, situation, following)
            arrivals = self._travel(held, changes, way, todo, halt=False, abandon=False)
            self._returned.update(arrivals)
            failed = {
                todo[key]: arrival.failure for key, arrival in arrivals.items() if arrival.failure
            }
            if failed:
                return failed
        return {}

    # -- ways ---------------------------------------------------------------------------------

    def _forward(
        self, journal: Journal, situation: Situation, following: EngineObject, since: datetime
    ) -> Way:
        others = {found.id for found in situation.objects.values()} - {following.id}
        options = self._options

        def is_met(references: Sequence[Reference]) -> bool:
            ids = {use.object_id for use in references}
            return following.id in ids and not ids & others

        def spec(service: Service) -> dict[str, Any] | None:
            uses = {use.object_id for use in service.references} & others
            if not uses:
                return None
            swapped = specs.swapped(
                service.spec, journal.kind, dict.fromkeys(uses, (following.id, following.name))
            )
            return specs.with_update_config(
                swapped,
                parallelism=options.parallelism,
                delay=options.delay,
                order=options.order,
                monitor=options.monitor,
                failure_action=options.failure_action,
            )

        goal = Goal(is_met, is_next=True, soak=options.soak, since=since)
        return Way(
            lambda _: goal,
            spec,
            "swap",
            "verified",
            lambda service: self._hook("verify", journal, service.name),
        )

    def _backward(self, journal: Journal, situation: Situation, following: EngineObject) -> Way:
        default = situation.objects.get(journal.before or 0)

        def is_met(references: Sequence[Reference]) -> bool:
            return not _refers(references, following.id)

        def spec(service: Service) -> dict[str, Any] | None:
            result = dict(service.spec)
            for was in journal.services.get(service.id, ()):
                result = specs.swapped(
                    result,
                    journal.kind,
                    {following.id: (was.object_id, was.object_name)},
                    target=was.target,
                )
            if default is not None:  # a reference that was not there before
                result = specs.swapped(
                    result, journal.kind, {following.id: (default.id, default.name)}
                )
            return None if result == service.spec else result

        goal = Goal(is_met, is_next=False, soak=0.0, since=journal.since)
        return Way(lambda _: goal, spec, "undo", "undone", lambda _: None)

    def _travel(
        self,
        held: Held,
        changes: Changes,
        way: Way,
        services: Mapping[str, str],
        *,
        halt: bool,
        abandon: bool,
    ) -> dict[str, Arrival]:
        traveller = Traveller(self._engine, held, self._clock, changes, self._patient, self._tell)
        arrivals = traveller.go(
            services,
            way,
            at_once=self._options.max_parallel,
            timeout=self._options.timeout,
            halt=halt,
            abandon=abandon,
        )
        if way.swapped == "swap":
            self._arrivals.update(arrivals)
        return arrivals

    # -- the end ------------------------------------------------------------------------------

    def _finish(self, held: Held) -> None:
        """The hook `after`: it may revoke the previous value, so nobody may be using that."""
        if not self._hooks.after:
            return
        situation = self._survey(held)
        others = {found.id for found in situation.objects.values()}
        others.discard(situation.objects[held.journal.after].id)
        skipped = [
            service.name
            for service in situation.used
            if any(use.object_id in others for use in service.references)
        ]
        if skipped:
            self._warnings += (
                f"hook after was not run: {', '.join(skipped)} still use an earlier version",
            )
            return
        ids = [service.id for service in situation.services]
        began = self._clock.monotonic()
        while True:
            tasks = self._patient(partial(self._engine.tasks, ids))
            using = [
                task
                for task in tasks
                if task.state not in ENDED
                and any(use.object_id in others for use in task.references)
            ]
            if not using:
                break
            if self._clock.monotonic() - began >= self._options.timeout:
                raise HookError(
                    f"hook after of {self._name} was not run, a task still uses an earlier version",
                    hint=f"the rotation is done but for that; the same command tries again,"
                    f" `secretkit rotate {self._name} --abort` leaves the hook out",
                )
            self._tell("after", None, "waiting for tasks that end")
            self._clock.sleep(1.0)
        self._hook("after", held.journal)
        self._tell("after")

    def _release(self, held: Held) -> None:
        held.release()
        self._tell("release")

    def _hook(
        self,
        hook: Literal["before", "after", "verify"],
        journal: Journal,
        service: str | None = None,
    ) -> None:
        argv = getattr(self._hooks, hook)
        if not argv:
            return
        before = journal.before
        programs.run(
            hook,
            argv,
            name=self._name,
            before=None if before is None else (before, self._value(before)),
            after=(journal.after, self._value(journal.after)),
            service=service,
            folder=self._hooks.folder,
            on_output=lambda line: self._tell(hook, service, line),
        )

    def _value(self, number: int) -> bytes | None:
        try:
            return self._versions.content(self._name, number)
        except (UnknownValueError, VersionNotFoundError):
            return None

    # -- telling ------------------------------------------------------------------------------

    def _tell(
        self, step: str, service: str | None = None, message: str = "", look: Look | None = None
    ) -> None:
        if self._on_event is not None:
            counts = (look.previous, look.ready, look.wanted) if look else (0, 0, 0)
            seconds = self._clock.monotonic() - self._began
            self._on_event(Event(seconds, step, service, message, *counts))

    def _report(
        self,
        journal: Journal | None,
        after: int,
        outcome: Literal["completed", "rolled back", "stopped", "aborted"],
        each: Outcome,
    ) -> Report:
        services = []
        if journal is not None:
            services = [self._service_report(journal, key, each) for key in journal.services]
        services += [
            ServiceReport(name, "", "", 0, 0.0, "skipped", why) for name, why in self._skipped
        ]
        return Report(
            kind=self._versions.kind,
            name=self._name,
            rotation=journal.rotation if journal else "",
            before=journal.before if journal else after,
            after=after,
            current=self._versions.current(self._name),
            outcome=outcome,
            seconds=self._clock.monotonic() - self._began,
            services=tuple(services),
            warnings=self._warnings,
        )

    def _service_report(self, journal: Journal, key: str, each: Outcome) -> ServiceReport:
        name = journal.names[key]
        before = ", ".join(dict.fromkeys(was.object_name for was in journal.services[key]))
        following = naming.object_name(self._name, journal.after)
        there, back_ = self._arrivals.get(key), self._returned.get(key)
        reason = self._reasons.get(name, "")
        seconds = sum(arrival.seconds for arrival in (there, back_) if arrival)
        outcome: Outcome
        if back_ is not None:
            outcome = "failed" if back_.failure else "rolled back"
            reason = "; ".join(filter(None, (reason, back_.failure)))
            return ServiceReport(name, before, before, back_.tasks, seconds, outcome, reason)
        if there is None:
            outcome = "completed" if each == "completed" and not self._reasons else "unchanged"
            after = following if outcome == "completed" else before
            return ServiceReport(name, before, after, 0, seconds, outcome, reason)
        if there.gone:
            return ServiceReport(name, before, before, 0, seconds, "skipped", "it is gone")
        if there.failure:
            return ServiceReport(name, before, before, there.tasks, seconds, "rolled back", reason)
        return ServiceReport(name, before, following, there.tasks, seconds, "completed", reason)

    def _failed(self, report: Report, reason: str) -> RolloutFailedError:
        stuck = [one.service for one in report.services if one.outcome == "failed"]
        again = f"secretkit rotate {self._name}"
        before = "before" if report.before is None else f"v{report.before}"
        hint: str | None
        if stuck:
            where = f"{', '.join(stuck)} could not be brought back to {before} yet"
            hint = f"`{again}` tries again"
        elif report.outcome == "stopped":
            there = [one.service for one in report.services if one.outcome == "completed"]
            where = f"it is on {before} again, and {', '.join(there) or 'no service'} on"
            where += f" v{report.after}"
            hint = f"`{again}` goes on, `{again} --abort` takes all back"
        else:
            where = f"every service is on {before}"
            hint = f"v{report.after} is kept and is not current; mend the cause and rotate again"
        return RolloutFailedError(
            f"rollout of {self._name} v{report.after} failed, {reason}; {where}", report, hint=hint
        )

    # -- the journal --------------------------------------------------------------------------

    def _take(self, wanted: Journal | None, draft: Journal) -> Held:
        clock = self._clock
        return journals.take(
            self._engine, wanted, draft, clock.monotonic, self._patient, clock.sleep
        )

    def _survey(self, held: Held) -> Situation:
        found = self._patient(
            lambda: survey(self._versions, self._engine, self._name, health=self._health)
        )
        self._health = found.health
        return found._replace(journal=held.journal)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Whatever ends us before the end says how to go on."""
        again = f"the same command goes on; `secretkit rotate {self._name} --abort` goes back"
        try:
            yield
        except EngineError as error:
            error.hint = error.hint or again
            raise
        except KeyboardInterrupt as error:
            error.add_note(f"the rotation of {self._name} is interrupted: {again}")
            raise


def _refers(references: Sequence[Reference], object_id: str) -> bool:
    return any(use.object_id == object_id for use in references)


def _owner(journal: Journal) -> dict[str, Any]:
    ours = journals.draft(journal.kind, journal.name, journal.action, journal.before, journal.after)
    return {"owner": ours.owner, "process": ours.process, "lease": ours.lease}


def _check_same(journal: Journal, action: Action, to: int | None) -> None:
    if journal.action != action or to not in (None, journal.after):
        said = "rotation" if journal.action == "rotate" else "rollback"
        raise ConflictError(
            f"a {said} is under way, {journal.name} to v{journal.after} by {journal.owner}",
            hint=f"`secretkit {journal.action} {journal.name}` goes on with it;"
            f" `secretkit rotate {journal.name} --abort` ends it",
        )

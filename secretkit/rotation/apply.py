"""The execution of a rotation: each step is durable before the next, and none is done twice.

Nothing is remembered here that the journal, the versions and the engine cannot tell again, so a
rotation that was interrupted anywhere goes on when it is asked for again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from hmac import compare_digest
from typing import Any, Literal

from .. import mocks, naming
from ..engines.protocol import Changes, Engine, EngineObject
from ..errors import (
    ConflictError,
    EngineError,
    HookError,
    NotFoundError,
    ObjectExistsError,
    SecretkitError,
    UnknownValueError,
    UsageError,
    VersionNotFoundError,
)
from . import hooks as programs
from . import journal as journals
from . import objects, ways
from .account import Account
from .hooks import Hooks
from .journal import Action, Held, Journal, Was
from .plan import Situation, back, decide, refuse
from .survey import survey
from .travel import Arrival, Clock, Patience, Traveller, Way
from .types import Event, OnEvent, Options, Plan, Report
from .verify import ENDED, Look
from .versions import GIVEN, Versions, refuse_mock
from .ways import refers

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
        self._account = Account(versions.kind, name)
        self._end = journals.ending(versions.kind, name)
        self._health: Mapping[str, bool | None] = {}

    # -- the two requests -------------------------------------------------------------------

    def run(self, action: Action, to: int | None, content: bytes | None, source: str) -> Report:
        """Rotates to a next version with this content, or to version `to`; or goes on with it."""
        if content is not None:
            what = f"the value given for {self._versions.kind} {self._name}"
            mocks.refuse(what, content, hint="give a real one, or have a generator make it")
        with self._guarded(), self._engine.changes() as changes:
            situation = survey(self._versions, self._engine, self._name)
            wanted = situation.journal
            if wanted is None:
                after = self._number(situation, action, to, content)
                plan = decide(situation, after, self._options)
                refuse(plan, self._options)
                if action == "rollback" and not plan.swaps and situation.current == after:
                    return self._report(None, after, "completed")
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
                    return self._report(held.journal, found.after, "completed")
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
        for number in situation.objects:
            mine = held.journal.action == "rotate" and number == held.journal.after
            if number not in situation.numbers and not mine:
                self._versions.learn(self._name, number)
        if held.journal.action == "rotate":
            self._stage(held, situation, content, source)
        if held.journal.phase == "returning":
            report = self._return(held, changes)
            raise self._account.failed(report, held.journal, held.journal.reason)
        if held.journal.phase != "committed":
            following = self._create(held, situation)
            self._begin(held)
            self._roll(held, following, changes)
            self._versions.commit(self._name, held.journal.after, held.journal.action)
            held.advance(phase="committed")
            self._tell("commit")
        self._finish(held)
        self._release(held)
        return self._report(held.journal, held.journal.after, "completed")

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
        refuse_mock(self._versions, self._name, after)
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
        if after not in situation.numbers:
            if content is None and after in situation.objects:
                self._versions.learn(self._name, after)
            elif content is None:
                raise UsageError(
                    f"no value for {self._name} v{after}: its rotation was interrupted before the"
                    " value was kept",
                    hint=f"give the value again, or end it: {self._end}",
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
                hint=f"without a value the rotation goes on; `{self._end}` ends it",
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
        self._account.warnings = tuple(
            f"{finding.service}: {finding.message}" for finding in plan.findings
        )
        self._account.skipped = plan.skipped
        self._tell("plan")
        if held.journal.phase == "began":
            try:
                self._hook("before", held.journal)
            except HookError as error:
                held.release()
                error.hint = error.hint or "no service was touched; mend the cause and try again"
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
            way = ways.forward(
                held.journal,
                situation,
                following,
                since,
                self._options,
                lambda service: self._hook("verify", held.journal, service.name),
            )
            self._travel(held, changes, way, todo, halt=True, abandon=not stop)
            self._account.reasons = {
                held.journal.names[key]: arrival.failure
                for key, arrival in self._account.arrivals.items()
                if arrival.failure
            }
            if self._account.reasons:
                self._fail(held, changes)
        self._account.reasons = dict.fromkeys(
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
        reason = "; ".join(f"{service}: {why}" for service, why in self._account.reasons.items())
        if self._options.on_failure == "rollback":
            held.advance(phase="returning", reason=reason)
            raise self._account.failed(self._return(held, changes), held.journal, reason)
        failed = {key for key, name in held.journal.names.items() if name in self._account.reasons}
        self._take_back(held, changes, failed)
        held.advance(reason=reason)  # so that whoever goes on takes the tasks for history
        report = self._report(held.journal, held.journal.after, "stopped")
        raise self._account.failed(report, held.journal, reason)

    def _return(self, held: Held, changes: Changes) -> Report:
        """Every service back to what it had. The journal is gone if all are."""
        aborted = held.journal.reason.startswith("aborted by")
        if self._take_back(held, changes, None):
            return self._report(held.journal, held.journal.after, "stopped")
        journal = held.journal
        self._release(held)
        outcome: Literal["aborted", "rolled back"] = "aborted" if aborted else "rolled back"
        return self._report(journal, journal.after, outcome)

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
                if task.updated >= journal.since and refers(task.references, following.id)
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
                    refers(service.references, following.id)
                    or (service.id in touched and service.id not in self._account.returned)
                )
            }
            if not todo:
                return {}
            way = ways.backward(journal, situation, following)
            arrivals = self._travel(held, changes, way, todo, halt=False, abandon=False)
            self._account.returned.update(arrivals)
            failed = {
                todo[key]: arrival.failure for key, arrival in arrivals.items() if arrival.failure
            }
            if failed:
                return failed
        return {}

    # -- ways ---------------------------------------------------------------------------------

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
        traveller = Traveller(
            self._engine, held.confirm, self._clock, changes, self._patient, self._tell
        )
        arrivals = traveller.go(
            services,
            way,
            at_once=self._options.max_parallel,
            timeout=self._options.timeout,
            halt=halt,
            abandon=abandon,
        )
        if way.swapped == "swap":
            self._account.arrivals.update(arrivals)
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
            self._account.warnings += (
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
                    f" `{self._end}` leaves the hook out",
                )
            self._tell("after", None, "waiting for tasks that end")
            self._clock.sleep(1.0)
        try:
            self._hook("after", held.journal)
        except HookError as error:
            error.hint = (
                f"its services are on v{held.journal.after}, which is current; the same command"
                f" tries the hook again, `{self._end}` leaves it out"
            )
            raise
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
    ) -> Report:
        current = self._versions.current(self._name)
        seconds = self._clock.monotonic() - self._began
        return self._account.report(journal, after, outcome, current, seconds)

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
        again = f"the same command goes on; `{self._end}` goes back"
        try:
            yield
        except EngineError as error:
            error.hint = error.hint or again
            raise
        except KeyboardInterrupt as error:
            error.add_note(f"the rotation of {self._name} is interrupted: {again}")
            raise


def _owner(journal: Journal) -> dict[str, Any]:
    ours = journals.draft(journal.kind, journal.name, journal.action, journal.before, journal.after)
    return {"owner": ours.owner, "process": ours.process, "lease": ours.lease}


def _check_same(journal: Journal, action: Action, to: int | None) -> None:
    if journal.action != action or to not in (None, journal.after):
        again, end = journals.commands(journal)
        said = "rotation" if journal.action == "rotate" else "rollback"
        raise ConflictError(
            f"a {said} is under way, {journal.name} to v{journal.after} by {journal.owner}",
            hint=f"`{again}` goes on with it; `{end}` ends it",
        )

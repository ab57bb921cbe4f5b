"""What became of each service, and of the rotation: the report and the one explanation."""

from __future__ import annotations

from typing import Literal

from .. import naming
from ..engines.protocol import Kind
from ..errors import RolloutFailedError
from .journal import Journal, commands
from .travel import Arrival
from .types import Outcome, Report, ServiceReport


class Account:
    """What is noted on the way, for the report."""

    def __init__(self, kind: Kind, name: str) -> None:
        self._kind = kind
        self._name = name
        self.arrivals: dict[str, Arrival] = {}  # forward, by service id
        self.returned: dict[str, Arrival] = {}  # back, by service id
        self.reasons: dict[str, str] = {}  # of failures, by service name
        self.warnings: tuple[str, ...] = ()
        self.skipped: tuple[tuple[str, str], ...] = ()

    def report(
        self,
        journal: Journal | None,
        after: int,
        outcome: Literal["completed", "rolled back", "stopped", "aborted"],
        current: int | None,
        seconds: float,
    ) -> Report:
        """The report at the end; without a journal there was nothing to do."""
        services = []
        if journal is not None:
            services = [self._of(journal, key, outcome) for key in journal.services]
        services += [
            ServiceReport(name, "", "", 0, 0.0, "skipped", why) for name, why in self.skipped
        ]
        return Report(
            kind=self._kind,
            name=self._name,
            rotation=journal.rotation if journal else "",
            before=journal.before if journal else after,
            after=after,
            current=current,
            outcome=outcome,
            seconds=seconds,
            services=tuple(services),
            warnings=self.warnings,
        )

    def _of(self, journal: Journal, key: str, ended: str) -> ServiceReport:
        name = journal.names[key]
        before = ", ".join(dict.fromkeys(was.object_name for was in journal.services[key]))
        following = naming.object_name(self._name, journal.after)
        there, back = self.arrivals.get(key), self.returned.get(key)
        reason = self.reasons.get(name, "")
        seconds = sum(arrival.seconds for arrival in (there, back) if arrival)
        outcome: Outcome
        if back is not None:
            outcome = "failed" if back.failure else "rolled back"
            reason = "; ".join(filter(None, (reason, back.failure)))
            return ServiceReport(name, before, before, back.tasks, seconds, outcome, reason)
        if there is None:
            outcome = "completed" if ended == "completed" else "unchanged"
            after = following if outcome == "completed" else before
            return ServiceReport(name, before, after, 0, seconds, outcome, reason)
        if there.gone:
            return ServiceReport(name, before, before, 0, seconds, "skipped", "it is gone")
        if there.failure:
            return ServiceReport(name, before, before, there.tasks, seconds, "rolled back", reason)
        return ServiceReport(name, before, following, there.tasks, seconds, "completed", reason)

    def failed(self, report: Report, journal: Journal, reason: str) -> RolloutFailedError:
        """The one explanation: which service, what was said of its tasks, where all are now."""
        stuck = [one.service for one in report.services if one.outcome == "failed"]
        again, end = commands(journal)
        before = "before" if report.before is None else f"v{report.before}"
        hint: str | None
        if stuck:
            where = f"{', '.join(stuck)} could not be brought back to {before} yet"
            hint = f"`{again}` tries again"
        elif report.outcome == "stopped":
            there = [one.service for one in report.services if one.outcome == "completed"]
            where = f"it is on {before} again, and {', '.join(there) or 'no service'} on"
            where += f" v{report.after}"
            hint = f"`{again}` goes on, `{end}` takes all back"
        else:
            where = f"every service is on {before}"
            hint = f"v{report.after} is kept and is not current; mend the cause and try again"
        return RolloutFailedError(
            f"rollout of {self._name} v{report.after} failed, {reason}; {where}", report, hint=hint
        )

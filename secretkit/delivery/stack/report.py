"""What became of a deploy: of its versions, of its services, and the one explanation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from ...engines.protocol import Kind, Service
from ...errors import RolloutFailedError
from ...rotation.travel import Arrival
from ...rotation.types import Outcome, ServiceReport


class VersionReport(NamedTuple):
    """What became of one secret or config."""

    kind: Kind
    name: str
    before: int | None
    after: int  # the version that was deployed
    is_current: bool


class Report(NamedTuple):
    """What became of a deploy."""

    stack: str
    outcome: str  # "completed" or "failed"
    seconds: float
    versions: tuple[VersionReport, ...]
    services: tuple[ServiceReport, ...]


def reports(
    before: Collection[Service],
    after: Collection[Service],
    final: Collection[Service],
    arrivals: Mapping[str, Arrival],
) -> tuple[ServiceReport, ...]:
    """What became of each service.

    `before` and `after` are those just before and after docker was done, `final` those at the end.
    """
    had = {one.id: one for one in before}
    now_there = {one.id: one for one in final}
    found = []
    for one in after:
        arrival, was, ends = arrivals[one.id], had.get(one.id), now_there.get(one.id, one)
        outcome: Outcome = "completed"
        if arrival.failure:
            back = ends.update_state in ("rollback_completed",)
            outcome = "rolled back" if back else "failed"
        elif was is not None and was.spec == one.spec:
            outcome = "unchanged"
        first, last = _differing(was, ends)
        found.append(
            ServiceReport(
                one.name, first, last, arrival.tasks, arrival.seconds, outcome, arrival.failure
            )
        )
    for one in before:
        if one.id not in now_there:
            first = ", ".join(use.object_name for use in one.references)
            found.append(ServiceReport(one.name, first, "", 0, 0.0, "removed"))
    return tuple(sorted(found, key=lambda report: report.service))


def _differing(was: Service | None, one: Service) -> tuple[str, str]:
    """The objects that a service had and has not, and those that it has and had not."""
    before = {use.object_name: None for use in was.references} if was else {}
    after = {use.object_name: None for use in one.references}
    return (
        ", ".join(name for name in before if name not in after),
        ", ".join(name for name in after if name not in before),
    )


def failed(
    report: Report, failures: Mapping[str, str], final: Collection[Service]
) -> RolloutFailedError:
    """The one explanation: which service, why, and what is so now, by the services at the end."""
    reason = "; ".join(f"{name}: {why}" for name, why in failures.items() if why)
    paused = {one.name for one in final if one.update_state in ("paused", "rollback_paused")}
    states: dict[str, list[str]] = {}
    for one in report.services:
        if one.outcome == "rolled back":
            states.setdefault("back on what was before", []).append(one.service)
        elif one.outcome == "failed" and one.service in paused:
            states.setdefault("its update paused half-way", []).append(one.service)
        elif one.outcome == "failed":
            states.setdefault("as deployed, and not well", []).append(one.service)
    where = "".join(f"; {state}: {', '.join(names)}" for state, names in states.items())
    kept = [f"{one.name} v{one.after}" for one in report.versions if not one.is_current]
    are = "are kept and not current; " if len(kept) > 1 else "is kept and not current; "
    hint = f"{', '.join(kept)} {are}" if kept else ""
    return RolloutFailedError(
        f"deploy of stack {report.stack} failed, {reason}{where}",
        report,
        hint=f"{hint}services that arrived stay: mend the cause and deploy again",
    )

"""The JSON shapes of what the library hands out; documented in docs/commands.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model import AuditEntry, CheckReport, KeySlot, Secret, Version
from .output import iso

if TYPE_CHECKING:
    from ..delivery.findings import Finding
    from ..delivery.stack.choice import Choice
    from ..delivery.stack.report import Report as Deployed
    from ..engines.protocol import EngineObject
    from ..rotation.types import Event, Plan, Report
    from ..rotation.usage import Use


def version(one: Version) -> dict[str, Any]:
    return {
        "name": one.name,
        "version": one.number,
        "created": iso(one.created),
        "source": one.source,
        "size": one.size if one.is_known else None,
    }


def secret(one: Secret) -> dict[str, Any]:
    return {
        "name": one.name,
        "current": one.current,
        "versions": list(one.versions),
        "created": iso(one.created),
        "updated": iso(one.updated),
        "generator": one.generator,
        "labels": dict(one.labels),
    }


def key(one: KeySlot) -> dict[str, Any]:
    return {"number": one.number, "kind": one.kind, "created": iso(one.created)}


def audit(one: AuditEntry) -> dict[str, Any]:
    return {
        "number": one.number,
        "time": iso(one.time),
        "action": one.action,
        "name": one.name,
        "version": one.version,
        "user": one.user,
        "uid": one.uid,
    }


def check(one: CheckReport) -> dict[str, Any]:
    return {
        "ok": one.ok,
        "secrets": one.secrets,
        "versions": one.versions,
        "audit_entries": one.audit_entries,
        "findings": [{"what": found.what, "hint": found.hint} for found in one.findings],
    }


def plan(one: Plan) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "name": one.name,
        "before": one.before,
        "after": one.after,
        "creates": one.creates,
        "resumes": one.resumes,
        "services": [
            {
                "service": swap.service,
                "id": swap.service_id,
                "before": list(swap.before),
                "after": swap.after,
                "targets": list(swap.targets),
                "tasks": swap.tasks,
            }
            for swap in one.swaps
        ],
        "skipped": [{"service": service, "reason": reason} for service, reason in one.skipped],
        "findings": [found._asdict() for found in one.findings],
    }


def event(one: Event) -> dict[str, Any]:
    return {"type": "event", **one._asdict(), "seconds": round(one.seconds, 3)}


def report(one: Report) -> dict[str, Any]:
    services = [{**each._asdict(), "seconds": round(each.seconds, 3)} for each in one.services]
    return {
        "type": "report",
        **one._asdict(),
        "seconds": round(one.seconds, 3),
        "services": services,
        "warnings": list(one.warnings),
    }


def choice(one: Choice) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "name": one.name,
        "before": one.before or None,
        "after": one.after,
        "object": one.object_name,
        "adopts": one.adopts,
        "makes": one.makes,
        "creates": one.creates,
        "warning": one.warning or None,
    }


def deployed(one: Deployed) -> dict[str, Any]:
    return {
        "type": "report",
        "stack": one.stack,
        "outcome": one.outcome,
        "seconds": round(one.seconds, 3),
        "versions": [each._asdict() for each in one.versions],
        "services": [
            {**each._asdict(), "seconds": round(each.seconds, 3)} for each in one.services
        ],
    }


def use(one: Use) -> dict[str, Any]:
    return {
        "service": one.service,
        "name": one.name,
        "object": one.object_name,
        "version": one.version,
        "target": one.target,
        "ready": one.ready,
        "wanted": one.wanted,
        "state": one.state,
        "by": one.by,
        "created": iso(one.created),
        "drift": list(one.drift),
    }


def engine_object(one: EngineObject) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "id": one.id,
        "object": one.name,
        "created": iso(one.created),
        "labels": dict(one.labels),
    }


def finding(one: Finding) -> dict[str, Any]:
    return {
        "path": one.place.path,
        "line": one.place.line or None,
        "column": one.place.column or None,
        "rule": one.rule,
        "severity": one.severity,
        "message": one.message,
        "remedy": one.remedy,
    }

"""The JSON shapes of what the library hands out; documented in docs/commands.md."""

from __future__ import annotations

from typing import Any

from ..model import AuditEntry, CheckReport, KeySlot, Secret, Version
from .output import iso


def version(one: Version) -> dict[str, Any]:
    return {
        "name": one.name,
        "version": one.number,
        "created": iso(one.created),
        "source": one.source,
        "size": one.size,
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

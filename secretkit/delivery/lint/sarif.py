"""Findings as SARIF 2.1.0 (OASIS), which code review tools read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..findings import RULES, Finding, Place

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def sarif(found: Sequence[Finding], version: str, folder: Path) -> dict[str, Any]:
    """One run of secretkit `version`; paths are told relative to `folder`, where they are below."""
    rules = list(RULES)
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "secretkit",
                        "semanticVersion": version,
                        "rules": [_rule(name) for name in rules],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [
                    {
                        "ruleId": one.rule,
                        "ruleIndex": rules.index(one.rule),
                        "level": one.severity,
                        "message": {"text": "\n".join(filter(None, (one.message, one.remedy)))},
                        "locations": [{"physicalLocation": _location(one.place, folder)}],
                    }
                    for one in found
                ],
            }
        ],
    }


def _rule(name: str) -> dict[str, Any]:
    rule = RULES[name]
    return {
        "id": name,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.why},
        "defaultConfiguration": {"level": rule.severity},
    }


def _location(place: Place, folder: Path) -> dict[str, Any]:
    path = folder.joinpath(place.path).resolve()
    artifact = {"uri": path.as_uri()}
    if path.is_relative_to(folder.resolve()):
        relative = path.relative_to(folder.resolve())
        artifact = {"uri": quote(str(relative)), "uriBaseId": "%SRCROOT%"}
    region = {"startLine": max(place.line, 1)}
    if place.column:
        region["startColumn"] = place.column
    return {"artifactLocation": artifact, "region": region}

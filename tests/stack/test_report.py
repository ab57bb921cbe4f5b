"""What is said of a deploy that failed, and of what docker says."""

from __future__ import annotations

import pytest

from secretkit.delivery.stack import docker
from secretkit.delivery.stack.report import Report, VersionReport, failed
from secretkit.engines.protocol import Service
from secretkit.rotation.types import Outcome, ServiceReport


def service(name: str, state: str | None) -> Service:
    return Service(name, name, 1, {}, None, state, "", (), (), "replicated", 1)


def report(**outcomes: Outcome) -> Report:
    versions = [VersionReport("secret", key, 1, 2, is_current=False) for key in ("k", "l")]
    services = [ServiceReport(name, "", "", 0, 0.0, each) for name, each in outcomes.items()]
    return Report("s", "failed", 0.0, tuple(versions), tuple(services))


def test_what_each_service_is_left_with() -> None:
    """Taken back, stopped half-way by the engine, or on what was deployed, and why."""
    found = failed(
        report(a="rolled back", b="failed", c="failed", d="completed"),
        {"a": "x", "b": "y", "c": "z", "d": ""},
        [service("b", "paused"), service("c", None), service("d", "completed")],
    )
    assert str(found) == (
        "deploy of stack s failed, a: x; b: y; c: z; back on what was before: a;"
        " its update paused half-way: b; as deployed, and not well: c"
    )
    assert found.hint is not None
    assert found.hint.startswith("k v2, l v2 are kept and not current; services that arrived stay")


SAID = {
    "invalid env file (b.env): no variable name on line '=canary'": "variable name on line '…'",
    "variable 'MY can'ary' contains whitespaces": "variable '…' contains whitespaces",
    'network "site_net" is declared as external': 'network "site_net" is declared as external',
    'service web: invalid value "canary and no end': "service web: invalid value …",
    "image x:1 could not be accessed on a registry to record": "no registry tells the digest of",
}


@pytest.mark.parametrize("line", SAID)
def test_what_docker_quotes_is_not_repeated(line: str) -> None:
    """It may be a value, but for names of what the files define."""
    (told,) = docker.told([line, line, "versions of the image."])
    assert SAID[line] in told
    assert "can" not in told

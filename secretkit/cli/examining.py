"""What `doctor` looks at in an engine: that it answers, who may ask it, rotations, drift."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .command import App
from .output import ago, counted

if TYPE_CHECKING:
    from ..store import Store

OK, WARNING, ERROR = "ok", "warning", "error"
_SOCKET = "/var/run/docker.sock"


class Diagnosis(NamedTuple):
    """What one look found."""

    state: str
    what: str
    hint: str | None = None


def look_at_engine(app: App, store: Store) -> Iterator[Diagnosis]:
    """Raises EngineError if no manager answers, which is a finding too."""
    from ..rotation.journal import journals
    from ..rotation.objects import STORE, by_name
    from ..rotation.usage import foreign, uses
    from ..rotation.versions import StoreVersions

    yield from _socket(app)
    engine = app.connect("doctor")
    yield Diagnosis(OK, f"{engine.name} {engine.cluster()}, a manager answers")
    for journal in journals(engine):
        command = "config rotate" if journal.kind == "config" else "rotate"
        yield Diagnosis(
            WARNING,
            f"a rotation of {journal.name} to v{journal.after} is under way, begun by"
            f" {journal.owner}, {ago(journal.since)}",
            f"if nobody is at it: secretkit {command} {journal.name} goes on, --abort goes back",
        )
    currents = {secret.name: secret.current for secret in store.list()}
    versions = StoreVersions(store)
    there = by_name(engine.objects("secret"))
    others = set()
    for name in currents.keys() & there.keys():
        whys = foreign(versions, name, there[name])
        if whys:
            strangers = (one for one in there[name].values() if one.labels.get(STORE) != store.id)
            others |= {one.name for one in strangers}
        for number, why in whys.items():
            yield Diagnosis(
                WARNING,
                f"another secret in {engine.name} has the name, {name} v{number} {why}",
                "give it another name here; `secretkit adopt` takes over what an engine has",
            )
    found = [
        one
        for one in uses(engine, currents=currents)
        if one.name in currents and one.object_name not in others
    ]
    for one in found:
        if one.drift:
            yield Diagnosis(
                WARNING,
                f"{one.service} has drifted, {one.object_name} at {one.target}:"
                f" {', '.join(one.drift)}",
                f"secretkit rotate {one.name} brings all its services to one version",
            )
    if not any(one.drift for one in found):
        services = len({one.service for one in found})
        yield Diagnosis(OK, f"no drift, {counted(services, 'service')} with secrets of this store")


def _socket(app: App) -> Iterator[Diagnosis]:
    """Who may use the socket is root on the machine: docker has no finer rights."""
    hosts = app.project.hosts or (os.environ.get("DOCKER_HOST") or f"unix://{_SOCKET}",)
    for host in hosts:
        path = Path(host.removeprefix("unix://"))
        if not host.startswith("unix://") or not path.exists():
            continue
        rights = path.stat()
        if rights.st_mode & stat.S_IWOTH:
            yield Diagnosis(
                ERROR,
                f"every user of this machine may use {path}, and so be root on it",
                f"chmod o-rw {path}",
            )
        elif rights.st_mode & stat.S_IWGRP and rights.st_gid != 0:
            group, members = _group(rights.st_gid)
            yield Diagnosis(
                WARNING if members else OK,
                f"group {group} may use {path}, and so be root and read every secret in the"
                f" swarm: {', '.join(members) or 'no member'}",
                f"gpasswd -d USER {group} takes one out" if members else None,
            )
        else:
            yield Diagnosis(OK, f"root alone may use {path}")


def _group(number: int) -> tuple[str, list[str]]:
    try:
        found = grp.getgrgid(number)
    except KeyError:
        return str(number), []
    return found.gr_name, found.gr_mem

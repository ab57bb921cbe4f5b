"""Where services run. `load` gives the engine of a name."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import UsageError
from .protocol import Engine


def load(name: str, *, hosts: Sequence[str] = ()) -> Engine:
    """The engine called `name`: "swarm". It makes no request yet.

    `hosts` are addresses of managers, tried in turn; without any, it is the engine that the
    docker client would use (DOCKER_HOST, docker's context, TLS variables, the default socket).
    Raises UsageError for another name, EngineError for an address or TLS files that are no use.
    """
    if name != "swarm":
        raise UsageError(f"no such engine, {name}", hint="the engines are: swarm")
    from .swarm import SwarmEngine

    return SwarmEngine(hosts)

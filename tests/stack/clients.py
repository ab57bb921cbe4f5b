"""The docker clients of this machine, and stacks deployed with them."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from secretkit.delivery.stack.rewrite import Given
from tests.engine import Engine


def clients() -> list[str]:
    """Every docker client on PATH: they differ in what they take."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    found = (Path(folder, "docker") for folder in folders if folder)
    return list(dict.fromkeys(str(one.resolve()) for one in found if os.access(one, os.X_OK)))


def version(client: str) -> tuple[int, ...]:
    """Of a client: (20, 10)."""
    said = subprocess.run([client, "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"(\d+)\.(\d+)", said)
    assert match
    return int(match[1]), int(match[2])


class Stacks:
    """Stacks on a swarm with a name of their own, by one client; removed afterwards."""

    def __init__(self, engine: Engine, client: str) -> None:
        self.engine = engine
        self.client = client
        self.mark = token_hex(4)
        self.made: set[str] = set()

    def run(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """The client, in a folder and with variables of its own."""
        environ = {**os.environ, **self.engine.environment(), **options.pop("variables", {})}
        return subprocess.run(
            [self.client, *words],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            **({"stdin": subprocess.DEVNULL} | options),
        )

    def deploy(self, name: str, *words: str, **options: Any) -> str:
        """`docker stack deploy` with these options; what it says on stderr, "" if it worked."""
        self.made.add(name)
        done = self.run("stack", "deploy", "--resolve-image", "never", *words, name, **options)
        return done.stderr.strip() if done.returncode else ""

    def deploy_given(
        self, name: str, given: Given, variables: Mapping[str, str] | None = None
    ) -> str:
        """The same with what `rewrite` made."""
        with given.opened() as (words, options):
            return self.deploy(name, *words, variables=variables or {}, **options)

    def specs(self, name: str) -> dict[str, Any]:
        """The spec of each service of a stack, by its name in the file."""
        listed = self.engine.docker(
            *("service", "ls", "--quiet", "--filter", f"label=com.docker.stack.namespace={name}")
        ).split()
        found = json.loads(self.engine.docker("service", "inspect", *listed)) if listed else []
        return {one["Spec"]["Name"].removeprefix(f"{name}_"): one["Spec"] for one in found}

    def make(self, kind: str, name: str) -> str:
        """An object; returns its name."""
        self.engine.docker(kind, "create", "--label", f"mark={self.mark}", name, "/etc/hostname")
        return name

    def remove(self) -> None:
        """All of it, and wait for nothing."""
        for name in self.made:
            self.engine.docker("stack", "rm", name, check=False)
        for kind in ("secret", "config"):
            made = self.engine.docker(kind, "ls", "-q", "--filter", f"label=mark={self.mark}")
            if made:
                self.engine.docker(kind, "rm", *made.split(), check=False)


def references(spec: Mapping[str, Any], kind: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """By target, the object's name and the rest of how a service gets it."""
    title = kind.title()
    uses = spec["TaskTemplate"]["ContainerSpec"].get(f"{title}s") or []
    return {one["File"]["Name"]: (one[f"{title}Name"], one["File"]) for one in uses}


@contextmanager
def stacks_of(engine: Engine, client: str) -> Iterator[Stacks]:
    """Stacks that are gone afterwards."""
    found = Stacks(engine, client)
    try:
        yield found
    finally:
        found.remove()


def options(paths: Sequence[str]) -> list[str]:
    """`-c` for each file."""
    return [word for path in paths for word in ("-c", path)]

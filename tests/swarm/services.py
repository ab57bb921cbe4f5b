"""Services on a real swarm for one test: made with the docker client, as operators do."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from tests.cli.program import Done, Program, environment
from tests.engine import Engine

PROGRAM = Path(__file__).with_name("program.py").read_text()
TARGET = "db-password"
# How tests update: the engine's own defaults wait for 5 seconds after each task.
ROLLING = (
    *("--update-monitor", "300ms", "--rollback-monitor", "300ms", "--restart-delay", "500ms"),
    *("--update-failure-action", "rollback", "--update-order", "start-first"),
)
HEALTHY = (
    *("--health-cmd", "cat /tmp/ready", "--health-interval", "500ms"),
    *("--health-retries", "2", "--health-start-period", "0s"),
)
LIMIT = 60  # seconds that anything here may take


def until(what: str, true: Callable[[], object], limit: float = LIMIT) -> None:
    """Wait for it to be so."""
    deadline = time.monotonic() + limit
    while not true():
        assert time.monotonic() < deadline, f"waited {limit:g} s for {what}"
        time.sleep(0.1)


def report_of(done: Done) -> Any:
    """The last line that `--json` gives: the report, after the events."""
    found = json.loads(done.text.splitlines()[-1])
    assert found["type"] == "report"
    return found


class Services:
    """The services and the one secret of a test, with names that no other test has."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.docker = engine.docker
        self.mark = token_hex(4)
        self.secret = f"db-password-{self.mark}"
        self.made: list[str] = []

    def create(
        self,
        name: str,
        *options: str,
        replicas: int | None = 1,
        arguments: tuple[str, ...] = (),
        update: tuple[str, ...] = ROLLING,
        references: tuple[str, ...] | None = None,
        wait: bool = True,
    ) -> str:
        """A service of the program that uses the secret; its whole name."""
        full = f"{name}-{self.mark}"
        self.made.append(full)
        if references is None:
            references = (f"source={self.secret},target={TARGET}",)
        words = [word for reference in references for word in ("--secret", reference)]
        if replicas is not None:
            words += ["--replicas", str(replicas)]
        path = f"/run/secrets/{TARGET}"
        self.docker(
            *("service", "create", "--quiet", "--detach", "--name", full),
            *(*update, *words, *options, self.engine.image),
            *("python3", "-ISc", PROGRAM, path, *arguments),
        )
        if wait:
            until(f"{full} to run", lambda: self.running(full) == (replicas or 1))
        return full

    def inspect(self, service: str) -> Any:
        """What the engine has of it: without the defaults that the client would show."""
        return json.loads(self.docker("service", "inspect", service))[0]

    def references(self, service: str) -> list[tuple[str, str]]:
        """The (object name, target) pairs of its spec, as the test's names begin."""
        container = self.inspect(service)["Spec"]["TaskTemplate"]["ContainerSpec"]
        return [
            (entry["SecretName"].replace(self.secret, "db-password"), entry["File"]["Name"])
            for entry in container.get("Secrets") or ()
        ]

    def tasks(self, service: str) -> list[dict[str, Any]]:
        """Its tasks that should run, as the engine has them."""
        ids = self.docker(
            "service", "ps", "--quiet", "--no-trunc", "--filter", "desired-state=running", service
        )
        return json.loads(self.docker("inspect", "--type", "task", *ids.split())) if ids else []

    def containers(self, service: str) -> list[str]:
        """The containers of its tasks that run and should."""
        return [
            task["Status"]["ContainerStatus"]["ContainerID"]
            for task in self.tasks(service)
            if task["Status"]["State"] == "running"
        ]

    def running(self, service: str) -> int:
        """How many of its tasks run, and are healthy where there is a health check."""
        return len(self.containers(service))

    def values(self, service: str, target: str = TARGET) -> list[str]:
        """What each of its tasks finds in the file."""
        path = f"/run/secrets/{target}"
        return [self.docker("exec", one, "cat", path) for one in self.containers(service)]

    def objects(self, kind: str = "secret") -> list[str]:
        """The names of the versions that the engine has, as the test's names begin."""
        names = self.docker(kind, "ls", "--format", "{{.Name}}").split()
        mine = [name for name in names if name.startswith(self.secret)]
        return sorted(name.replace(self.secret, "db-password") for name in mine)

    def journals(self) -> list[str]:
        """The journals of rotations of this secret that are in the swarm."""
        names = self.docker("config", "ls", "--format", "{{.Name}}").split()
        found = []
        for name in names:
            if name.startswith("secretkit-rotation-"):
                said = self.docker("config", "inspect", name, check=False)
                found += [name] if self.secret in said or self.mark in said else []
        return found

    def remove(self) -> None:
        """All of it, and wait for nothing."""
        if self.made:
            self.docker("service", "rm", *self.made, check=False)
        for kind in ("secret", "config"):
            names = self.docker(kind, "ls", "--format", "{{.Name}}", check=False).split()
            mine = [name for name in names if self.mark in name]
            if mine:
                self.docker(kind, "rm", *mine, check=False)
        for name in self.journals():
            self.docker("config", "rm", name, check=False)


@contextmanager
def services_of(engine: Engine) -> Iterator[Services]:
    """Services that are gone afterwards."""
    found = Services(engine)
    try:
        yield found
    finally:
        found.remove()


@contextmanager
def operator(services: Services) -> Iterator[Program]:
    """The program in a project on the swarm; version 1 of the secret is `one`, and pushed."""
    # On tmpfs, as $XDG_RUNTIME_DIR is.
    with tempfile.TemporaryDirectory(prefix="secretkit-test-", dir="/dev/shm") as name:
        home, memory, project = (Path(name, each) for each in ("home", "memory", "project"))
        for folder in (home, memory, project):
            folder.mkdir(mode=0o700)
        chosen = {"SECRETKIT_ENGINE": "swarm", "DOCKER_HOST": services.engine.host}
        program = Program(project, environment(home, memory) | chosen)
        program.ok("--quiet", "init")
        program.create(services.secret, b"one")
        program.ok("push", services.secret)
        yield program


@contextmanager
def started(
    command: list[str], value: bytes, environ: dict[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs beside the test, and is killed if the test ends before it."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
        cwd=folder,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(value)
        process.stdin.close()
        process.stdin = None
        yield process
    finally:
        process.kill()
        process.communicate()

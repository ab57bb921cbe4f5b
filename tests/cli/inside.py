"""The program inside this process, over a swarm in memory."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from secretkit import cli
from tests.cli.program import Done, Program
from tests.engines.memory import MemorySwarm


@dataclass
class Inside:
    """`secretkit --engine swarm` in a project, with the swarm that it talks to."""

    swarm: MemorySwarm
    program: Program  # the same project from outside, on the local engine
    capture: pytest.CaptureFixture[bytes]
    patch: pytest.MonkeyPatch

    @property
    def folder(self) -> Path:
        return self.program.folder

    def __call__(self, *arguments: str, input: bytes = b"") -> Done:  # noqa: A002 - as Program
        """Run a command line."""
        self.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(input)))
        self.capture.readouterr()
        code = cli.run([*arguments, "--engine", "swarm"])
        printed = self.capture.readouterr()
        return Done(code, printed.out, printed.err.decode())

    def ok(self, *arguments: str, input: bytes = b"") -> Done:  # noqa: A002 - as Program
        """Run it, and expect success."""
        done = self(*arguments, input=input)
        assert done.code == 0, done.err
        return done

    def deployed(self, name: str = "db", *services: str, replicas: int = 2) -> None:
        """A secret with version 1, and services that use it."""
        self.program.create(name, b"first")
        self.ok("push", name)
        for service in services:
            self.swarm.deploy(service, name, replicas=replicas, failure_action="rollback")
        self.swarm.settle()

    def current(self, name: str = "db") -> int:
        found: int = self.program.ok("inspect", name, "--json").json["current"]
        return found


@pytest.fixture
def inside(
    cli: Program, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Inside:
    """The program in a fresh project, over an empty swarm."""
    swarm = MemorySwarm()
    monkeypatch.chdir(cli.folder)
    for variable, value in cli.environ.items():
        monkeypatch.setenv(variable, value)
    # It would stay with this process.
    monkeypatch.setattr("secretkit.cli.hardening.harden", lambda: None)
    monkeypatch.setattr("secretkit.engines.load", lambda _name, *, hosts=(): swarm)
    return Inside(swarm, cli, capfdbinary, monkeypatch)

"""Rotation on a real swarm, for long: what tests/swarm tries once, tried at every request.

`downtime`: a client asks four replicas without a pause during 20 rotations; no request may fail.
`kills`: SIGKILL for secretkit before and after each of its requests that change something in the
engine, one by one. `faults`: an error or the end of the connection at each request, before the
engine gets it and instead of its answer. After either the rotation is done, or the same command
once more ends as if nothing had been.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.program import EXECUTABLE, Program
from tests.engine import Engine, image, named_engine, private_engine
from tests.swarm.asking import Told, asking, overlay
from tests.swarm.proxy import Fault, Proxy, Request, proxied
from tests.swarm.services import HEALTHY, LIMIT, Services, operator, services_of

FAULTS = {
    "500": Fault(500, "rpc error: code = DeadlineExceeded desc = context deadline exceeded"),
    "503": Fault(503, "rpc error: code = Unavailable desc = transport is closing"),
    "cut": Fault(),
}
PLACES = (False, True)  # before the engine gets the request; after it has answered


def downtime(engine: Engine, rotations: int) -> Told:
    """What a client was told during so many rotations of a service of four replicas."""
    with (
        services_of(engine) as services,
        operator(services) as secretkit,
        overlay(services) as network,
    ):
        web = services.create(
            "web",
            *("--network", network, "--endpoint-mode", "dnsrr", "--update-parallelism", "2"),
            *HEALTHY,
            replicas=4,
            arguments=("serve",),
        )
        with asking(services, network, web) as client:
            for number in range(rotations):
                value = f"value {number}".encode()
                secretkit.ok("rotate", services.secret, "-", input=value)
            return client.stop()


class At:
    """A rule for one request of those that `counts`: a fault there, and what else is done."""

    def __init__(
        self,
        number: int,
        happened: bool,
        fault: Fault,
        counts: Callable[[Request], bool] = lambda request: True,
        act: Callable[[], None] = lambda: None,
    ) -> None:
        self.left = number
        self.happened = happened
        self.fault = fault
        self.counts = counts
        self.act = act
        self.hit = ""
        self._lock = threading.Lock()  # requests come from several threads

    def __call__(self, request: Request, happened: bool) -> Fault | None:
        if happened != self.happened or not self.counts(request):
            return None
        with self._lock:
            self.left -= 1
            if self.left:
                return None
        self.hit = f"{request.kind}, {'answered' if happened else 'not sent on'}"
        self.act()
        return self.fault


class Trial:
    """A project and a service, whose rotations go through a proxy, one version after another."""

    def __init__(self, services: Services, secretkit: Program, proxy: Proxy) -> None:
        self.services = services
        self.secretkit = secretkit
        self.proxy = proxy
        self.web = services.create("web")
        self.version = 1
        secretkit.environ["DOCKER_HOST"] = proxy.host

    def problem(self, rule: At) -> str:
        """What is wrong after a rotation under the rule, and the same command again if it did not
        end well; or ""."""
        self.version += 1
        command = [EXECUTABLE, "rotate", self.services.secret, "-"]
        value = f"value {self.version}".encode()
        self.proxy.rule = rule
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self.secretkit.folder,
            env=self.secretkit.environ,
        )
        _, said = self.process.communicate(value, timeout=2 * LIMIT)
        self.proxy.rule = lambda request, happened: None
        if "Traceback" in said.decode():
            return said.decode()
        # After its last request it was done, and the same command would be a rotation of its own.
        if self.process.returncode != 0 and self.wrong(value):
            again = self.secretkit(*command[1:], input=value)
            if again.code:
                return f"ended with {self.process.returncode}, {said.decode()}; then {again.err}"
        return self.wrong(value)

    def kill(self) -> None:
        """SIGKILL for the rotation."""
        self.process.kill()

    def wrong(self, value: bytes) -> str:
        """What is not as it has to be after a rotation to the value, or ""."""
        further = [f"db-password-v{number}" for number in range(2, self.version + 1)]
        found = {
            "value": (self.services.values(self.web), [value.decode()]),
            "store": (self.secretkit.ok("show", self.services.secret).out, value),
            "journals": (self.services.journals(), []),
            "objects": (self.services.objects(), sorted(["db-password", *further])),
        }
        return "; ".join(f"{what}: {one}" for what, (one, right) in found.items() if one != right)


def trials(engine: Engine, rules: Callable[[Trial, int], At]) -> tuple[int, list[str]]:
    """Rotations under rules 1, 2 … until one is not hit: how many were, and the defects."""
    defects: list[str] = []
    with (
        services_of(engine) as services,
        operator(services) as secretkit,
        tempfile.TemporaryDirectory() as folder,
        proxied(engine.host, Path(folder, "proxy")) as proxy,
    ):
        trial = Trial(services, secretkit, proxy)
        for number in itertools.count(1):
            rule = rules(trial, number)
            problem = trial.problem(rule)
            if problem:
                defects.append(f"{rule.hit}: {problem}")
                print(f"  {defects[-1]}", flush=True)
            if not rule.hit:
                break
    return number - 1, defects


def kills(engine: Engine) -> tuple[int, list[str]]:
    """Between two requests that only read, nothing changes: the others are tried, each."""
    count, defects = 0, []
    for place in PLACES:
        done = trials(
            engine,
            lambda trial, number, place=place: At(
                number, place, Fault(), lambda request: request.writes, trial.kill
            ),
        )
        count, defects = count + done[0], defects + done[1]
    return count, defects


def faults(engine: Engine, step: int) -> tuple[int, list[str]]:
    """At each `step`th request."""
    count, defects = 0, []
    for fault in FAULTS.values():
        for place in PLACES:
            done = trials(
                engine,
                lambda trial, number, fault=fault, place=place: At(
                    1 + (number - 1) * step, place, fault
                ),
            )
            count, defects = count + done[0], defects + done[1]
    return count, defects


def main(argv: list[str] | None = None) -> int:
    """All three; 1 if a request failed or a rotation did not end as it has to."""
    parser = argparse.ArgumentParser(prog="rotation", description=__doc__)
    parser.add_argument("--rotations", type=int, default=20)
    parser.add_argument("--step", type=int, default=1, help="faults at every Nth request only")
    options = parser.parse_args(argv)
    try:
        named_engine()
        with private_engine(swarm=True) as engine, image(engine):
            told = downtime(engine, options.rotations)
            print(
                f"downtime: {options.rotations} rotations, {told.requests} requests,"
                f" {sum(told.failed.values())} failed {told.failed or ''}",
                flush=True,
            )
            killed, unsound = kills(engine)
            print(f"kills: {killed}, {len(unsound)} did not end well", flush=True)
            failed, unsettled = faults(engine, options.step)
            print(f"faults: {failed}, {len(unsettled)} did not end well", flush=True)
    except pytest.skip.Exception as missing:
        print(f"not run, {missing}")
        return 0
    return int(bool(told.failed or unsound or unsettled))


if __name__ == "__main__":
    raise SystemExit(main())

"""What `secretkit rotate` costs on a real swarm, beside the docker client's commands for the same.

One service: a rotation over `docker service update --secret-rm … --secret-add …`, which swaps
another secret of the same service; in the order A B B A, so that a change of the machine's load
hits both; the figure is the median of the paired ratios, and the client against itself gives the
noise. Ten services: `--max-parallel 10` over ten commands one after another. The requests to the
engine are counted by a proxy.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.engine import Engine, image, named_engine, private_engine
from tests.swarm.proxy import proxied
from tests.swarm.services import TARGET, Services, operator, services_of

# From the issue that made it.
ONE, TEN = 1.10, 4.0
MONITOR = ("--update-monitor", "1s")
VALUES = count(2)
ONE_TASK, SIX_TASKS = "1 service, 1 task", "1 service, 6 tasks, 3 s between them"
TEN_SERVICES = "10 services, 1 task each"


class Bench:
    """A secret that secretkit rotates, and another one that the docker client swaps by hand."""

    def __init__(self, services: Services, secretkit: Program) -> None:
        self.services = services
        self.secretkit = secretkit
        self.by_hand = [f"by-hand-{services.mark}-{letter}" for letter in "ab"]
        for name in self.by_hand:
            services.docker("secret", "create", name, __file__)

    def create(self, name: str, *options: str, replicas: int = 1, wait: bool = True) -> str:
        """A service that uses both."""
        references = (
            f"source={self.services.secret},target={TARGET}",
            f"source={self.by_hand[0]},target=by-hand",
        )
        return self.services.create(
            name, *MONITOR, *options, replicas=replicas, references=references, wait=wait
        )

    def rotate(self, *options: str) -> None:
        """One rotation, of every service."""
        value = f"value {next(VALUES)}".encode()
        self.secretkit.ok("rotate", self.services.secret, "-", *options, input=value)

    def swap(self, *services: str) -> None:
        """The docker client's commands, one after another."""
        previous, following = self.by_hand
        for service in services:
            added = f"source={following},target=by-hand"
            swap = ("--secret-rm", previous, "--secret-add", added)
            self.services.docker("service", "update", "--quiet", *swap, service)
        self.by_hand.reverse()


def seconds(act: Callable[[], None]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def ratio(base: Callable[[], None], act: Callable[[], None], pairs: int) -> float:
    """The median of how many times `base` the `act` takes."""
    ratios = []
    for _ in range(pairs):
        first = seconds(base), seconds(act)
        second = seconds(act), seconds(base)
        ratios += [first[1] / first[0], second[0] / second[1]]
    return statistics.median(ratios)


def one_service(bench: Bench, pairs: int) -> tuple[float, float]:
    """The client over itself, and secretkit over the client."""
    web = bench.create("web", replicas=2)
    bench.swap(web)
    bench.rotate()
    noise = ratio(lambda: bench.swap(web), lambda: bench.swap(web), max(1, pairs // 2))
    return noise, ratio(lambda: bench.swap(web), bench.rotate, pairs)


def ten_services(bench: Bench) -> float:
    """The ten commands one after another over one rotation of ten services at a time."""
    with ThreadPoolExecutor(5) as pool:
        names = list(pool.map(lambda number: bench.create(f"s{number}"), range(10)))
    return 1 / ratio(lambda: bench.swap(*names), lambda: bench.rotate("--max-parallel", "10"), 1)


def calls(bench: Bench) -> dict[tuple[str, str], int]:
    """The requests of one rotation, and of the client's commands for the same, by both."""
    found: dict[tuple[str, str], int] = {}
    upstream = bench.services.engine.host
    with (
        tempfile.TemporaryDirectory() as folder,
        proxied(upstream, Path(folder, "proxy")) as proxy,
    ):

        def counted(what: str, services: int, *options: str, replicas: int) -> None:
            names = [bench.create(f"c{n}", *options, replicas=replicas) for n in range(services)]
            bench.secretkit.environ["DOCKER_HOST"] = proxy.host
            bench.services.docker = Engine(proxy.host).docker
            for who, act in (
                ("secretkit", lambda: bench.rotate("--max-parallel", "10")),
                ("docker", lambda: bench.swap(*names)),
            ):
                before = len(proxy.requests)
                act()
                found[who, what] = len(proxy.requests) - before
            bench.secretkit.environ["DOCKER_HOST"] = upstream
            bench.services.docker = bench.services.engine.docker
            bench.services.docker("service", "rm", *names)
            bench.services.made.clear()

        counted(ONE_TASK, 1, replicas=1)
        counted(SIX_TASKS, 1, "--update-delay", "3s", replicas=6)
        counted(TEN_SERVICES, 10, replicas=1)
    return found


def measure(engine: Engine, pairs: int) -> bool:
    """Prints every figure; whether all are within their limits."""
    holds = []

    def row(what: str, figure: float, limit: str, good: bool) -> None:
        holds.append(good)
        print(f"  {what:<58} {figure:5.2f}   {limit:<14} {'ok' if good else 'OVER'}", flush=True)

    print(f"rotation on a swarm (load {os.getloadavg()[0]:.1f})", flush=True)
    with services_of(engine) as services, operator(services) as secretkit:
        noise, one = one_service(Bench(services, secretkit), pairs)
        print(f"  {'docker service update over itself':<58} {noise:5.2f}")
        row("secretkit rotate over docker service update", one, f"at most {ONE}", one <= ONE)
    with services_of(engine) as services, operator(services) as secretkit:
        ten = ten_services(Bench(services, secretkit))
        row("10 services: commands over --max-parallel 10", ten, f"at least {TEN:g}", ten >= TEN)
    with services_of(engine) as services, operator(services) as secretkit:
        counted = calls(Bench(services, secretkit))
    for (who, what), number in counted.items():
        print(f"  {f'requests by {who}: {what}':<58} {number:5d}")
    ours = counted["secretkit", SIX_TASKS] / counted["docker", SIX_TASKS]
    row("requests for 6 tasks over docker's", ours, "at most 1", ours <= 1)
    many = counted["secretkit", TEN_SERVICES] / counted["secretkit", ONE_TASK]
    row("requests for 10 services over those for 1", many, "at most 10", many <= 10)
    return all(holds)


def main(argv: list[str] | None = None) -> int:
    """Print the figures; returns 1 if a limit does not hold."""
    parser = argparse.ArgumentParser(prog="rotation", description=__doc__)
    parser.add_argument("--pairs", type=int, default=3, help="of A B B A")
    options = parser.parse_args(argv)
    try:
        named_engine()
        with private_engine(swarm=True) as engine, image(engine):
            return int(not measure(engine, options.pairs))
    except pytest.skip.Exception as missing:
        print(f"rotation: not measured, {missing}")
        return 0


if __name__ == "__main__":
    sys.exit(main())

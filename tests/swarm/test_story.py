"""The story of the book: create, push, rotate, roll back, through the command line."""

from __future__ import annotations

import copy
from typing import Any

from tests.cli.program import Program
from tests.swarm.services import HEALTHY, TARGET, Services


def test_every_task_gets_the_next_value_under_the_same_target(
    secretkit: Program, services: Services
) -> None:
    """After `rotate` each task reads the next value, after `rollback` the previous one."""
    web = services.create("web", *HEALTHY, replicas=2)
    assert services.values(web) == ["one", "one"]

    secretkit.ok("rotate", services.secret, "-", input=b"two")
    assert services.values(web) == ["two", "two"]
    assert services.references(web) == [("db-password-v2", TARGET)]
    assert secretkit.ok("show", services.secret).out == b"two"

    secretkit.ok("rollback", services.secret)
    assert services.values(web) == ["one", "one"]
    assert services.references(web) == [("db-password", TARGET)]
    assert secretkit.ok("show", services.secret).out == b"one"
    assert services.objects() == ["db-password", "db-password-v2"]
    assert services.journals() == []


def test_nothing_that_was_printed_holds_a_value(secretkit: Program, services: Services) -> None:
    """Messages, plans and events of a rotation name versions; no value is in them."""
    services.create("web")
    canary = b"canary-5ZkQ9"
    plan = secretkit.ok("rotate", services.secret, "-", "--dry-run", "--json", input=canary)
    done = secretkit.ok("rotate", services.secret, "-", "--json", input=canary)
    said = secretkit.ok("services", services.secret), secretkit.ok("inspect", services.secret)
    for one in (plan, done, *said):
        assert canary not in one.out + one.err.encode()


def test_a_dry_run_touches_nothing(secretkit: Program, services: Services) -> None:
    """`--dry-run` prints what would be done; the engine and the store are as before."""
    web = services.create("web")
    index = services.inspect(web)["Version"]["Index"]
    plan = secretkit.ok("rotate", services.secret, "-", "--dry-run", "--json", input=b"two").json
    assert (plan["before"], plan["after"]) == (1, 2)
    assert [(swap["service"], swap["targets"]) for swap in plan["services"]] == [(web, [TARGET])]
    assert services.inspect(web)["Version"]["Index"] == index
    assert services.objects() == ["db-password"]
    assert secretkit.ok("show", services.secret).out == b"one"


def test_only_the_id_and_name_of_the_object_differ(secretkit: Program, services: Services) -> None:
    """A service made with much of what the client can say keeps all of it."""
    services.docker("config", "create", f"conf-{services.mark}", __file__)
    services.docker("secret", "create", f"other-{services.mark}", __file__)
    web = services.create(
        "web",
        *(*HEALTHY, "--stop-signal", "SIGTERM", "--stop-grace-period", "3s", "--init"),
        *("--secret", f"source=other-{services.mark},target=other,uid=7,gid=8,mode=0440"),
        *("--config", f"source=conf-{services.mark},target=/etc/conf,mode=0400"),
        *("--mount", "type=tmpfs,destination=/scratch,tmpfs-size=1048576"),
        *("--limit-memory", "128m", "--reserve-memory", "8m", "--limit-pids", "50"),
        *("--ulimit", "nofile=1024:2048", "--sysctl", "kernel.shmmax=1000000"),
        *("--cap-add", "NET_ADMIN", "--cap-drop", "MKNOD", "--constraint", "node.role==manager"),
        *("--placement-pref", "spread=node.labels.rack", "--restart-condition", "any"),
        *("--restart-max-attempts", "5", "--restart-window", "9s", "--host", "db:10.9.8.7"),
        *("--dns", "10.1.1.1", "--dns-option", "timeout:2", "--dns-search", "example.test"),
        *("--log-driver", "json-file", "--log-opt", "max-size=1m", "--label", "team=db"),
        *("--container-label", "tier=front", "--env", "MODE=test", "--hostname", "h{{.Task.Slot}}"),
        *("--workdir", "/tmp", "--user", "0:0", "--read-only=false", "--group", "5"),
        *("--update-max-failure-ratio", "0.1", "--rollback-order", "start-first"),
        references=(
            f"source={services.secret},target={TARGET},uid=3,gid=4,mode=0400",
            f"source={services.secret},target=legacy/pass,mode=0444",
        ),
    )
    before = services.inspect(web)["Spec"]
    secretkit.ok("rotate", services.secret, "-", input=b"two")
    assert services.inspect(web)["Spec"] == _swapped(services, before)
    assert (services.values(web), services.values(web, "legacy/pass")) == (["two"], ["two"])


def _swapped(services: Services, spec: dict[str, Any]) -> dict[str, Any]:
    identity = services.docker("secret", "inspect", "-f", "{{.ID}}", f"{services.secret}-v2")
    expected = copy.deepcopy(spec)
    for entry in expected["TaskTemplate"]["ContainerSpec"]["Secrets"]:
        if entry["SecretName"] == services.secret:
            entry |= {"SecretID": identity, "SecretName": f"{services.secret}-v2"}
    return expected

"""Around a rotation: adopt, services, prune, rm, configs, hooks, a stack that is deployed again."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.cli.program import Program
from tests.swarm.services import TARGET, Services, until


def states(secretkit: Program, services: Services) -> dict[str, str]:
    """What `secretkit services NAME` says of each service."""
    lines = secretkit.ok("services", services.secret).text.splitlines()
    assert lines[0].split() == ["SERVICE", "SECRET", "VERSION", "TARGET", "TASKS", "STATE"]
    fields = [line.split(maxsplit=5) for line in lines[1:]]
    return {each[0]: f"{each[2]} {each[4]} {each[5]}" for each in fields}


def test_a_secret_of_the_engine_is_adopted_and_rotated(
    secretkit: Program, services: Services, tmp_path: Path
) -> None:
    """What `docker secret create` made: its value may be given or stay unknown; both rotate."""
    name = f"found-{services.mark}"
    value = tmp_path / "value"
    value.write_bytes(b"of old")
    services.docker("secret", "create", name, str(value))
    web = services.create("web", references=(f"source={name},target={TARGET}",))
    secretkit.ok("adopt", name)
    assert secretkit("show", name).code == 3
    secretkit.ok("rotate", name, "-", input=b"next")
    assert services.values(web) == ["next"]
    secretkit.ok("rollback", name)
    assert services.values(web) == ["of old"]


def test_services_tell_drift(secretkit: Program, services: Services) -> None:
    """A service that somebody put back on an earlier version is named, with the reason."""
    web, api = services.create("web"), services.create("api")
    secretkit.ok("rotate", services.secret, "-", input=b"two")
    assert states(secretkit, services) == {web: "v2 1/1 completed", api: "v2 1/1 completed"}
    services.docker(
        *("service", "update", "--quiet", "--secret-rm", f"{services.secret}-v2"),
        *("--secret-add", f"source={services.secret},target={TARGET}", web),
    )
    found = states(secretkit, services)
    assert found[api] == "v2 1/1 completed"
    assert found[web].startswith("v1 1/1 drift: ")


def test_prune_keeps_what_a_rollback_needs(secretkit: Program, services: Services) -> None:
    """Three rotations, one service left behind: only a version that nothing needs is destroyed."""
    services.create("web")
    for value in (b"two", b"three", b"four"):
        secretkit.ok("rotate", services.secret, "-", input=value)
    late = services.create("late", replicas=0, wait=False)
    until("its tasks to be gone", lambda: not earlier_tasks(services))
    assert secretkit.ok("prune", services.secret, "--keep", "1").code == 0
    # v4 is current, v3 is where the engine would roll back to, v1 is what `late` refers to.
    assert services.objects() == ["db-password", "db-password-v3", "db-password-v4"]
    assert services.references(late) == [("db-password", TARGET)]


def earlier_tasks(services: Services) -> list[str]:
    """The containers that still run, beside the one of the task that should."""
    there = services.docker("ps", "--quiet", "--filter", f"name=-{services.mark}")
    return there.split()[1:]


def test_rm_refuses_what_is_in_use(secretkit: Program, services: Services) -> None:
    """Exit 4, and nothing is destroyed; without the service it is, in the engine too."""
    web = services.create("web")
    assert secretkit("rm", services.secret).code == 4
    assert services.objects() == ["db-password"]
    services.docker("service", "rm", web)
    until("its tasks to be gone", lambda: not services.docker("ps", "-q", "-f", f"name={web}"))
    secretkit.ok("rm", services.secret)
    assert services.objects() == []


def test_a_config_is_rotated_by_the_same_code(secretkit: Program, services: Services) -> None:
    """A config of 1 000 000 bytes: create, rotate, roll back; the tasks have its content."""
    name = f"conf-{services.mark}"
    size = 1_000_000
    secretkit.ok("config", "create", name, "-", input=b"a" * size)
    web = services.create("web", "--config", f"source={name},target=/etc/app.conf,mode=0400")

    def content() -> str:
        (one,) = services.containers(web)
        return services.docker("exec", one, "cat", "/etc/app.conf")

    secretkit.ok("config", "rotate", name, "-", input=b"b" * size)
    assert content() == "b" * size
    secretkit.ok("config", "rollback", name)
    assert content() == "a" * size


def test_hooks_are_run_around_the_rollout(secretkit: Program, services: Services) -> None:
    """`before` has both values while every task is on the previous one; `after`, when none is."""
    web = services.create("web", replicas=2)
    hook = secretkit.write("hook.py", HOOK)
    calls = secretkit.folder / "calls"
    hooks = {name: [sys.executable, str(hook), name, str(calls)] for name in ("before", "after")}
    lines = [f"{name} = {command}" for name, command in hooks.items()]
    project = secretkit.folder / "secretkit.toml"
    table = [f"[secrets.{services.secret}.hooks]", *lines]
    project.write_text("\n".join([project.read_text(), *table, ""]).replace("'", '"'))
    secretkit.environ["SERVICE"] = web
    secretkit.ok("rotate", services.secret, "-", input=b"two")
    assert calls.read_text().splitlines() == [
        "before one two db-password db-password",
        "after one two db-password-v2 db-password-v2",
    ]
    assert services.values(web) == ["two", "two"]


HOOK = """
import os, subprocess, sys

def value(name):
    with open(os.environ[name]) as file:
        return file.read()

words = ["docker", "service", "ps", "-q", "--no-trunc", "-f", "desired-state=running"]
ids = subprocess.run([*words, os.environ["SERVICE"]], capture_output=True, text=True).stdout.split()
form = "{{range .Spec.ContainerSpec.Secrets}}{{.SecretName}}{{end}}"
said = subprocess.run(
    ["docker", "inspect", "--type", "task", "-f", form, *ids], capture_output=True, text=True
).stdout.split()
objects = [name[:11] + name[20:] for name in said]
with open(sys.argv[2], "a") as calls:
    values = value("SECRETKIT_PREVIOUS_FILE"), value("SECRETKIT_NEXT_FILE")
    print(sys.argv[1], *values, *objects, file=calls)
"""


def test_a_stack_deploy_reverts_and_is_told(
    secretkit: Program, services: Services, tmp_path: Path
) -> None:
    """A stack file with a fixed object name puts the service back: `services` says so, and a
    rotation to the same versions brings it forward again."""
    stack = f"stack-{services.mark}"
    file = tmp_path / "stack.yml"
    file.write_text(
        STACK.format(image=services.engine.image, secret=services.secret, target=TARGET)
    )
    web = f"{stack}_web"
    services.made.append(web)
    services.docker("stack", "deploy", "--compose-file", str(file), stack)
    until("the task", lambda: services.running(web) == 1)
    secretkit.ok("rotate", services.secret, "-", input=b"two")
    services.docker("stack", "deploy", "--compose-file", str(file), stack)
    until("the revert", lambda: services.values(web) == ["one"])
    assert " drift: " in states(secretkit, services)[web]
    secretkit.ok("rotate", services.secret, "-", input=b"three")
    assert services.values(web) == ["three"]


STACK = """
version: "3.8"
services:
  web:
    image: {image}
    command: ["python3", "-c", "import signal; signal.pause()"]
    init: true
    deploy: {{update_config: {{monitor: 300ms}}}}
    secrets: [{{source: password, target: {target}}}]
secrets:
  password: {{external: true, name: {secret}}}
"""

"""A swap changes the references of a service and nothing else, whatever the engine knows of it."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from secretkit.engines import spec as specs
from secretkit.engines.protocol import Kind
from secretkit.errors import OutOfSequenceError
from tests.engines.ground import Real

# All that `docker service create` of 20.10 has, but for what is for another mode, for Windows, or
# stands in the way of another option. Without tasks nothing of it has to be there.
EVERYTHING = """
--replicas 0 --env A=1 --env B= --label team=a --label empty= --container-label inside=yes
--health-cmd true --health-interval 7s --health-retries 4 --health-start-period 3s
--health-timeout 2s
--mount type=volume,source=data,target=/data,volume-label=x=y,volume-nocopy
--mount type=bind,source=/tmp,target=/outside,readonly,bind-propagation=rslave
--mount type=tmpfs,target=/scratch,tmpfs-size=1m,tmpfs-mode=1770
--limit-cpu 0.5 --limit-memory 64m --limit-pids 100 --reserve-cpu 0.1 --reserve-memory 8m
--generic-resource gpu=2
--ulimit nofile=100:200 --ulimit nproc=50 --sysctl net.core.somaxconn=100
--cap-add NET_ADMIN --cap-add SYS_TIME --cap-drop CHOWN
--constraint node.role==manager --constraint node.labels.a!=b --placement-pref spread=node.labels.z
--replicas-max-per-node 3
--update-parallelism 2 --update-delay 3s --update-order start-first --update-monitor 9s
--update-failure-action rollback --update-max-failure-ratio 0.3
--rollback-parallelism 3 --rollback-delay 2s --rollback-order stop-first --rollback-monitor 8s
--rollback-failure-action continue --rollback-max-failure-ratio 0.25
--restart-condition on-failure --restart-delay 3s --restart-max-attempts 5 --restart-window 20s
--log-driver json-file --log-opt max-size=1m --log-opt max-file=2
--dns 192.0.2.1 --dns-option ndots:2 --dns-search example.test --host db:192.0.2.7
--hostname {{.Node.Hostname}}-{{.Task.Slot}}
--publish mode=host,target=80,published=20081 --publish mode=host,target=53,protocol=udp
--endpoint-mode dnsrr --init --stop-signal SIGINT --stop-grace-period 33s --tty --read-only
--user nobody --group 7 --group 8 --workdir /app --isolation default --entrypoint /bin/sh
"""


def paths(before: Any, after: Any, at: str = "") -> set[str]:
    """Where two JSON values differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        return {
            path
            for key in before.keys() | after.keys()
            for path in paths(before.get(key, ...), after.get(key, ...), f"{at}.{key}")
        }
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return {path for n, (a, b) in pairs for path in paths(a, b, f"{at}[{n}]")}
    return set() if before == after else {at}


def raw(docker: Real, service_id: str) -> Any:
    """The spec as the engine has it."""
    return docker.raw.read(f"/services/{service_id}")["Spec"]


@pytest.mark.parametrize("kind", ["secret", "config"])
@pytest.mark.parametrize("action", [None, "pause"])
def test_a_service_with_everything(docker: Real, kind: Kind, action: Any) -> None:
    """Its spec differs in the ids and names of the swapped references alone, of two targets;
    and in the update parameters that were asked for."""
    first, second, other, setting, setting2 = (
        docker.object(b"1"),
        docker.object(b"2"),
        docker.object(b"3"),
        docker.object(b"4", "config"),
        docker.object(b"5", "config"),
    )
    name = f"full-{docker.mark}"
    network = f"net-{docker.mark}"
    docker.machine.docker("network", "create", "--driver", "overlay", network)
    docker.machine.docker(
        *("service", "create", "--quiet", "--detach", "--name", name, *EVERYTHING.split()),
        *("--secret", f"source={first.name},target=db-password,uid=1,gid=2,mode=0400"),
        *("--secret", f"source={other.name}"),
        *("--secret", f"source={first.name},target=/app/db,uid=3,mode=0111"),
        *("--config", f"source={setting.name},target=/app/conf,uid=4,gid=5,mode=0644"),
        *("--config", f"source={setting.name},target=/etc/conf"),
        *("--network", f"name={network},alias=db,driver-opt=a=b"),
        *(docker.image, "-c", "true"),
    )
    try:
        new = {first.id: (second.id, second.name), setting.id: (setting2.id, setting2.name)}
        while True:
            (service,) = [each for each in docker.engine.services() if each.name == name]
            spec = specs.swapped(service.spec, kind, new)
            spec = specs.with_update_config(spec, failure_action=action)
            # The engine itself writes once more when it has found addresses.
            with contextlib.suppress(OutOfSequenceError):
                docker.engine.update(service, spec)
                break
        before = service.spec
        after = raw(docker, service.id)
        word = kind.title()
        at = f".TaskTemplate.ContainerSpec.{word}s"
        numbers = [
            n
            for n, entry in enumerate(before["TaskTemplate"]["ContainerSpec"][f"{word}s"])
            if entry[f"{word}ID"] in new
        ]
        changed = {f"{at}[{n}].{word}{field}" for n in numbers for field in ("ID", "Name")}
        assert len(changed) == 4
        changed |= {".UpdateConfig.FailureAction"} if action else set()
        assert paths(before, after) == changed
        uses = [use for use in docker.engine.service(service.id).references if use.kind == kind]
        wanted = second if kind == "secret" else setting2
        assert {use.object_name for use in uses if use.object_id == wanted.id} == {wanted.name}
    finally:
        docker.remove_service(name)
        docker.machine.docker("network", "rm", network)


def test_a_service_with_nothing(docker: Real) -> None:
    """No default is written into a sparse spec."""
    first, second = docker.object(b"1"), docker.object(b"2")
    name = f"sparse-{docker.mark}"
    file = {"Name": "db-password", "UID": "0", "GID": "0", "Mode": 292}
    entry = {"File": file, "SecretID": first.id, "SecretName": first.name}
    template = {"ContainerSpec": {"Image": docker.image, "Secrets": [entry]}}
    service_id = docker.make({"Name": name, "TaskTemplate": template})
    service = docker.engine.service(service_id)
    before = raw(docker, service_id)
    assert "UpdateConfig" not in before
    new = {first.id: (second.id, second.name)}
    docker.engine.update(service, specs.swapped(service.spec, "secret", new))
    at = ".TaskTemplate.ContainerSpec.Secrets[0]"
    assert paths(before, raw(docker, service_id)) == {f"{at}.SecretID", f"{at}.SecretName"}


def test_the_update_parameters_of_a_sparse_spec(docker: Real) -> None:
    """One that is given leaves the engine's defaults for the others: one task at a time."""
    spec = {"Name": f"sparse-{docker.mark}", "Mode": {"Replicated": {"Replicas": 0}}}
    spec["TaskTemplate"] = {"ContainerSpec": {"Image": docker.image}}
    service = docker.engine.service(docker.make(spec))
    assert specs.update_config(service.spec) == specs.UpdateConfig()
    changed = specs.with_update_config(service.spec, delay=1.5, monitor=0.25)
    docker.engine.update(service, changed)
    found = docker.engine.service(service.id)
    assert specs.update_config(found.spec) == specs.UpdateConfig(delay=1.5, monitor=0.25)
    # What the engine itself makes of it.
    full = docker.raw.read(f"/services/{service.id}", {"insertDefaults": "true"})["Spec"]
    assert specs.update_config(full) == specs.UpdateConfig(delay=1.5, monitor=0.25)


def test_a_health_check_of_the_image(docker: Real) -> None:
    """Counts where the spec says nothing, unless the spec switches it off; unknown where the
    engine does not have the image."""
    image = f"{docker.image}-checked"
    container = docker.machine.docker("create", docker.image)
    docker.machine.docker("commit", "--change", "HEALTHCHECK CMD true", container, image)
    docker.machine.docker("rm", container)
    wanted = {
        (image, None): True,
        (image, ("NONE",)): False,
        (image, ("CMD", "false")): True,
        (docker.image, None): False,
        ("registry.invalid/nosuch:1", None): None,
    }
    found = {}
    try:
        for number, (name, test) in enumerate(wanted):
            container_spec: dict[str, Any] = {"Image": name}
            if test:
                container_spec["Healthcheck"] = {"Test": list(test)}
            spec = {
                "Name": f"health{number}-{docker.mark}",
                "Mode": {"Replicated": {"Replicas": 0}},
            }
            service_id = docker.make(spec | {"TaskTemplate": {"ContainerSpec": container_spec}})
            service = docker.engine.service(service_id)
            found[name, test] = docker.engine.has_health_check(service)
    finally:
        docker.machine.docker("image", "rm", image)
    assert found == wanted

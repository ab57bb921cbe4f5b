"""What --check says mends a problem, pasted as it stands into a real engine, mends it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest
import yaml

from secretkit.delivery.shim import export
from tests.engine import Engine, swarm
from tests.needs import need_program
from tests.swarm.services import until

__all__ = ["swarm"]

SHIM = ("/usr/bin/python3", "-ISB", "/opt/secretkit/secretkit-entrypoint", "--check", "--json")
RENDER = ("--render", "/opt/secretkit/t.yaml:/run/app/x.yaml")
USER = "999:999"


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    """The exported shim with a template in it, to mount into containers."""
    export(tmp_path / "shim")
    (tmp_path / "shim" / "t.yaml").write_text("a: 1\n")
    return tmp_path / "shim"


def mending(found: dict, platform: str) -> list[str]:
    """Every remedy for a platform, in order."""
    return [each["remedies"][platform] for each in found["errors"] if platform in each["remedies"]]


def of_service(line: str) -> dict:
    """The YAML of a line for a service."""
    return yaml.safe_load(line.partition(" of the service")[0])


def beside(line: str) -> dict:
    """The YAML of a line's second half, for the top of the file."""
    return yaml.safe_load(line.partition(" and ")[2].removesuffix(" beside the services"))


def test_docker_run_with_every_line(swarm: Engine, shim: Path, monkeypatch) -> None:
    """A read-only root, another user, two secrets missing: --tmpfs and -v make it fit."""
    for name in ("api-key", "db-password"):
        (shim.parent / name).write_text("s3cret")
    monkeypatch.setenv("PWD", str(shim.parent))

    def check(*options: str) -> dict:
        return json.loads(
            swarm.docker(
                *("run", "--rm", "--network", "none", "--read-only", "--user", USER),
                *("-v", f"{shim}:/opt/secretkit:ro", *options, swarm.image),
                *(*SHIM, "--env=A=api-key", "--env=B=db-password", *RENDER, "sh"),
                check=False,
            )
        )

    lines = [shlex.split(os.path.expandvars(line)) for line in mending(check(), "docker")]
    assert [line[:3] for line in lines] == [["docker", "run", "-v"], ["docker", "run", "--tmpfs"]]
    assert check(*lines[0][2:], *lines[1][2:])["ok"]


def test_compose_with_every_line(swarm: Engine, shim: Path) -> None:
    """A secret that only root reads on the host, a missing one, no tmpfs: all three lines."""
    compose = need_program("docker-compose")
    (shim.parent / "db-password").write_text("s3cret")
    (shim.parent / "api-key").write_text("s3cret")
    (shim.parent / "db-password").chmod(0o600)
    service: dict = {
        "image": swarm.image,
        "command": [*SHIM, "--env=A=db-password", "--env=B=api-key", *RENDER, "sh"],
        "user": USER,
        "read_only": True,
        "network_mode": "none",
        "volumes": [f"{shim}:/opt/secretkit:ro"],
        "secrets": ["db-password"],
    }
    file: dict = {"version": "3.8", "services": {"app": service}}
    file["secrets"] = {"db-password": {"file": "./db-password"}}

    def check() -> dict:
        path = shim.parent / "compose.yaml"
        path.write_text(yaml.safe_dump(file))
        project = ["--file", str(path), "--project-name", token_hex(8)]
        done = subprocess.run(
            [compose, *project, "run", "--rm", "-T", "app"],
            env=os.environ | swarm.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.stdout, done.stderr.decode()
        return json.loads(done.stdout)

    readable, present, tmpfs = mending(check(), "compose")
    assert readable.startswith("on the host: chown 999:999 FILE")
    os.chown(shim.parent / "db-password", 999, 999)
    service["secrets"] += of_service(present)["secrets"]
    file["secrets"] |= beside(present)["secrets"]
    service |= of_service(tmpfs)
    after = check()
    assert (after["errors"], after["secrets"]) == ([], 2)


class Cluster:
    """Makes secrets and checks in a swarm, under names that no other test has."""

    def __init__(self, swarm: Engine, shim: Path) -> None:
        self.docker = swarm.docker
        self.shim = shim
        self.image = swarm.image
        self.mark = token_hex(4)
        self.secrets = [f"db-password-{self.mark}", f"api-key-{self.mark}"]
        for name in self.secrets:
            file = shim.parent / name
            file.write_text("s3cret")
            self.docker("secret", "create", name, str(file))
        words = (f"--env=A={self.secrets[0]}", f"--env=B={self.secrets[1]}", *RENDER, "sh")
        self.command = (*SHIM, *words)

    def service(self, name: str, *options: str) -> dict:
        """What --check says in a service of that name."""
        self.docker(
            *("service", "create", "--quiet", "--detach", "--name", f"{name}-{self.mark}"),
            *("--restart-condition", "none", "--read-only", "--user", USER),
            *("--mount", f"type=bind,source={self.shim},target=/opt/secretkit,readonly"),
            *(*options, self.image, *self.command),
        )
        return self.said(f"{name}-{self.mark}")

    def said(self, service: str) -> dict:
        """The JSON that the one task of a service has printed."""
        text: list[str] = []

        def whole() -> bool:
            text[:] = [self.docker("service", "logs", "--raw", service, check=False)]
            return text[0].rstrip().endswith("\n}")

        until(f"{service} to report", whole)
        return json.loads(text[0])

    def remove(self) -> None:
        for kind in ("stack", "service", "secret"):
            names = self.docker(kind, "ls", "--format", "{{.Name}}", check=False).split()
            mine = [name for name in names if self.mark in name]
            if mine:
                self.docker(kind, "rm", *mine, check=False)


@pytest.fixture
def cluster(swarm: Engine, shim: Path) -> Iterator[Cluster]:
    made = Cluster(swarm, shim)
    yield made
    made.remove()


def test_docker_service_create_with_every_option(cluster: Cluster) -> None:
    """An unreadable secret, a missing one, no tmpfs: the three lines together leave no problem."""
    unreadable = f"source={cluster.secrets[0]},target={cluster.secrets[0]},uid=0,gid=0,mode=0400"
    found = cluster.service("before", "--secret", unreadable)
    lines = mending(found, "Swarm")
    assert [shlex.split(line)[3] for line in lines] == ["--secret", "--secret", "--mount"]
    options = [word for line in lines for word in shlex.split(line)[3:]]
    after = cluster.service("after", *options)
    assert (after["errors"], after["secrets"]) == ([], 2)


def test_docker_stack_deploy_with_every_line(cluster: Cluster) -> None:
    """The same in a compose file of version 3, as `docker stack deploy` reads it."""
    name = cluster.secrets[0]
    secrets: list = [{"source": name, "target": name, "uid": "0", "gid": "0", "mode": 0o400}]
    service: dict = {
        "image": cluster.image,
        "command": list(cluster.command),
        "user": USER,
        "read_only": True,
        "deploy": {"restart_policy": {"condition": "none"}},
        "volumes": [f"{cluster.shim}:/opt/secretkit:ro"],
        "secrets": secrets,
    }
    file: dict = {"version": "3.8", "services": {"before": service}}
    file["secrets"] = {name: {"external": True}}

    def deploy(name: str) -> dict:
        path = cluster.shim.parent / "stack.yaml"
        path.write_text(yaml.safe_dump(file))
        cluster.docker("stack", "deploy", "--compose-file", str(path), f"stack-{cluster.mark}")
        return cluster.said(f"stack-{cluster.mark}_{name}")

    found = deploy("before")
    (readable,), (present, _tmpfs) = mending(found, "stack"), mending(found, "compose")[1:]
    service["secrets"] = [*of_service(readable)["secrets"], *of_service(present)["secrets"]]
    file["secrets"] |= beside(present)["secrets"]
    # What docker stack deploy knows of a tmpfs; the line is docker compose's.
    service["volumes"].append({"type": "tmpfs", "target": "/run/app"})
    file["services"] = {"after": service}
    after = deploy("after")
    assert (after["errors"], after["secrets"]) == ([], 2)

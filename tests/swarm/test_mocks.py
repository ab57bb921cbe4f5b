"""Mocks on a real swarm: refused before anything is changed, there or in the store."""

from __future__ import annotations

import json
from typing import Any

import pytest

from secretkit.mocks import Mock, mock_for
from tests.cli.program import Done, Program
from tests.swarm.services import Services

MOCK = mock_for("db-password", "password", Mock("plain", 0))["db-password"]
NASTY = mock_for("db-password", "password", Mock("nasty", 0))["db-password"]


class Ground:
    """A project whose secret is on the swarm with v1, and a service that uses it."""

    def __init__(self, services: Services, secretkit: Program) -> None:
        self.services = services
        self.secretkit = secretkit
        self.secret = services.secret
        self.web = services.create("web")

    def state(self) -> Any:
        """What no refusal changes."""
        spec = self.services.inspect(self.web)["Spec"]
        store = self.secretkit.ok("inspect", self.secret, "--json").json["versions"]
        objects = self.services.objects(), self.services.objects("config")
        return spec, self.services.tasks(self.web)[0]["ID"], objects, len(store)

    def refused(self, *words: str, **options: Any) -> Done:
        """The command ends as what it is, a wrong request; nothing is said of the value."""
        before = self.state()
        done = self.secretkit(*words, **options)
        assert (done.code, done.out) == (2, b""), done.err
        assert self.state() == before
        assert self.services.journals() == []
        assert "facade" not in done.err
        error, hint = done.lines[-2:]
        assert error.startswith("secretkit: error: a mock stays on this machine, ")
        assert hint.startswith("hint: ")
        return done

    def local(self, *words: str, **options: Any) -> Done:
        return self.secretkit.ok(*words, SECRETKIT_ENGINE="local", **options)


@pytest.fixture
def ground(services: Services, secretkit: Program) -> Ground:
    return Ground(services, secretkit)


def test_mocks_stay_where_they_are(ground: Ground) -> None:
    """`push`, `rotate`, `rollback` and `config` refuse them, by name and version."""
    name = ground.secret
    for value in (MOCK, NASTY, b"postgres://app:" + MOCK + b"@db/shop"):
        ground.refused("rotate", name, "-", "--keep-newline", input=value)
    ground.refused("config", "create", name, "-", input=b"password: " + MOCK + b"\n")

    done = ground.local("rotate", name, "-", "--keep-newline", input=MOCK)
    assert f"the value of {name} is a mock" in done.err
    done = ground.refused("push", name)
    assert f"secret {name} v2" in done.lines[-2]
    assert f"`secretkit rotate {name}`" in done.lines[-1]

    ground.secretkit.ok("rotate", name, "-", input=b"real")
    assert ground.services.values(ground.web) == ["real"]
    for words in ((), ("--to", "2"), ("--dry-run",)):
        assert f"secret {name} v2" in ground.refused("rollback", name, *words).lines[-2]
    ground.secretkit.ok("rollback", name, "--to", "1")
    assert ground.services.values(ground.web) == ["one"]

    ground.secretkit.ok("config", "create", name, "-", input=b"password: real\n")
    ground.refused("config", "rotate", name, "-", input=b"password: " + MOCK + b"\n")


def test_a_stack_brings_no_mock(ground: Ground) -> None:
    """Neither in a file, in a variable, in a text of its own, nor in one that docker reads."""
    stack, folder = f"shop-{ground.services.mark}", ground.secretkit.folder
    (folder / "value").write_bytes(NASTY)
    (folder / "real").write_text("real")
    (folder / "conf.yml").write_bytes(b"password: " + MOCK)
    done = ground.local("create", f"outer-{ground.services.mark}", "-", input=MOCK)
    assert "is a mock" in done.err
    real = {"file": "./real"}
    outer = {"external": True, "name": f"outer-{ground.services.mark}"}
    image = {"image": ground.services.engine.image, "command": ["sleep", "60"]}
    for secret, config, named in (
        ({"file": "./value"}, real, f"secret {stack}_key from file"),
        ({"environment": "KEY"}, real, f"secret {stack}_key from environment"),
        (real, {"file": "./conf.yml"}, f"config {stack}_conf from file"),
        (real, {"content": "password: $KEY"}, f"config {stack}_conf from content"),
        (real, {"file": "./conf.yml", "template_driver": "golang"}, f"config {stack}_conf from fi"),
        (outer, real, f"secret outer-{ground.services.mark} v1"),
        (real | {"labels": {"note": MOCK.decode()}}, real, "stack.yml"),
    ):
        file = {
            "version": "3.8",
            "services": {"app": {**image, "secrets": ["key"], "configs": ["conf"]}},
            "secrets": {"key": secret},
            "configs": {"conf": config},
        }
        (folder / "stack.yml").write_text(json.dumps(file))
        done = ground.refused("stack", "deploy", "-c", "stack.yml", stack, KEY=MOCK.decode())
        assert named in done.lines[-2], done.err
    ground.refused("stack", "deploy", "-c", "stack.yml", "--dry-run", stack)
    listed = ground.services.docker("service", "ls", "--format", "{{.Name}}").split()
    assert f"{stack}_app" not in listed
    names = [one["name"] for one in ground.secretkit.ok("ls", "--json").json]
    assert f"{stack}_key" not in names


def test_adopting_a_mock_is_said(ground: Ground) -> None:
    """It is in the swarm already: the store may know it, and the user is told."""
    name = f"theirs-{ground.services.mark}"
    path = ground.secretkit.folder / "theirs"
    path.write_bytes(MOCK)
    ground.services.docker("secret", "create", name, str(path))
    done = ground.secretkit.ok("adopt", name, "--value", "theirs")
    assert f"warning: the value of {name} is a mock" in done.err

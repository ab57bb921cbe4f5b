"""No value of a secret gets into an image, its build, or what a container of it writes to disk."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import pytest

from tests.bake.scanning import Scan
from tests.cli.program import Program
from tests.engine import Engine

# Says that it has the values, without saying them, and goes on.
LEGACY = """
import hashlib, os, sys, time
config = open("/app/app.yaml").read()
print("started", len(os.environ["API_TOKEN"]), len(config), flush=True)
time.sleep(600)
"""
TABLE = """
[entrypoint]
env = { API_TOKEN = "api-token" }

[[entrypoint.render]]
source = "app.yaml"
destination = "/app/app.yaml"
"""
PATIENCE = 60  # seconds


@dataclass
class Case:
    """A project with two secrets, and an image for its program."""

    cli: Program
    engine: Engine
    scan: Scan
    image: str
    baked: str
    secrets: Path

    def docker(self, *words: str) -> str:
        return self.engine.docker(*words)

    def started(self, image: str, *options: str) -> str:
        """A container with the secrets, once its program has begun."""
        mount = f"{self.secrets}:/run/secrets:ro"
        words = ["run", "--detach", "--network", "none", "--volume", mount, *options, image]
        container = self.docker(*words)
        deadline = time.monotonic() + PATIENCE
        while not (said := self.docker("logs", container)).startswith("started"):
            running = self.docker("inspect", "-f", "{{.State.Running}}", container) == "true"
            assert running and time.monotonic() < deadline, said
            time.sleep(0.1)
        return container


@pytest.fixture
def case(cli: Program, engine: Engine, tmp_path: Path) -> Iterator[Case]:
    """What it makes on the engine is removed afterwards."""
    values = [b'C&N/"a$\\' + os.urandom(12).hex().encode() + b"'<z>" for _ in range(2)]
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name, value in zip(("db-password", "api-token"), values, strict=True):
        cli.create(name, value)
        (secrets / name).write_bytes(value)
    cli.write("secretkit.toml", TABLE)
    cli.write("app.yaml", 'password: "<<db-password>>"\n')
    image, baked = (f"secretkit-test:{token_hex(8)}" for _ in range(2))
    own = tmp_path / "own"
    own.mkdir()
    (own / "legacy.py").write_text(LEGACY)
    (own / "Dockerfile").write_text(
        f"FROM {engine.image}\nCOPY legacy.py /app/\n"
        'ENTRYPOINT ["python3", "/app/legacy.py"]\nCMD ["serve"]\n'
    )
    engine.docker("build", "--tag", image, str(own))
    cli.environ |= engine.environment()
    yield Case(cli, engine, Scan(engine, values), image, baked, secrets)
    for name in (baked, image):
        held = engine.docker("ps", "--all", "--quiet", "--filter", f"ancestor={name}").split()
        if held:
            engine.docker("rm", "--force", "--volumes", *held)
        engine.docker("image", "rm", "--force", name, check=False)


def test_no_value_is_in_an_image_nor_on_a_disk(case: Case, tmp_path: Path) -> None:
    """Not in a layer, the history, the build and its folder, nor in a container that has run."""
    done = case.cli.ok("bake", case.image, "--from-project", "-t", case.baked)
    folder = tmp_path / "context"
    written = case.cli.ok("bake", case.image, "--from-project", "--dockerfile", folder)
    checked = case.cli.ok("bake", case.image, "--from-project", "--check")
    found = [
        found
        for name, said in (("bake", done), ("--dockerfile", written), ("--check", checked))
        for found in case.scan.text(name, said.out + said.err.encode())
    ]
    found += case.scan.folder(folder)
    found += case.scan.image(case.baked)
    container = case.started(case.baked)
    case.docker("stop", "--time", "1", container)
    found += case.scan.container(container)
    assert found == []
    # What was looked at is what is meant: the layers with the shim, the export with the program.
    places = " ".join(case.scan.looked_at)
    for name in ("opt/secretkit/secretkit-entrypoint", "entrypoint.json", "app/legacy.py"):
        assert name in places
    assert min(case.scan.looked_at[name] for name in ("docker history", "docker inspect")) > 500


def test_a_dev_folder_has_no_templates(case: Case) -> None:
    """Wherever it is, and with `--from-project` or without; nor has the folder of overrides."""
    (case.cli.folder / "sub").mkdir()
    for name in ("somewhere", "sub/else", "dev-secrets.local"):
        if name == "dev-secrets.local":
            case.cli.ok("dev", "overrides")
            case.cli.write(f"{name}/db-password", "by hand")
        else:
            case.cli.ok("dev", "up", name, "--on-disk")
        words = ["bake", case.image, "-t", case.baked, "--render", f"{name}/db-password:/x"]
        for more in ([], ["--from-project"], ["--check"]):
            done = case.cli(*words, *more)
            assert "cannot be a template of an image" in done.err + done.text
            assert done.code == (1 if more == ["--check"] else 2)


def test_the_same_scan_finds_values_where_they_are(case: Case, tmp_path: Path) -> None:
    """In a layer though a later one removes it, in the history, in the writable layer."""
    value = (case.secrets / "db-password").read_bytes()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "value").write_bytes(value)
    (tmp_path / "bad" / "Dockerfile").write_text(
        f"FROM {case.image}\nCOPY value /value\nLABEL value={value.hex()}\n"
        'RUN ["/usr/bin/python3", "-c", "import os; os.remove(\'/value\')"]\n'
    )
    case.docker("build", "--tag", case.baked, str(tmp_path / "bad"))
    found = case.scan.image(case.baked)
    assert [one for one in found if one.endswith(": value: raw")]
    assert {"docker history: hex", "docker image inspect: hex"} <= set(found)

    words = ["--from-project", "--allow-disk", "-t", case.baked]
    case.cli.ok("bake", case.image, *words)
    container = case.started(case.baked)
    found = case.scan.container(container)
    assert "docker export: app/app.yaml: core" in found

"""What compose makes of the override, on a real engine: docker-compose 1.29, and v2 where it is."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.cli.program import Program
from tests.engine import Engine
from tests.needs import need, need_program

FILES = ("-f", "compose.yaml", "-f", "more.yaml", "-f", "compose.secretkit.yaml")
FILE = """\
version: "3.7"
x-all: &all
  image: $IMAGE
  network_mode: none
  entrypoint: [python3, -c, "import time; time.sleep(999)"]
  stop_signal: KILL
services:
  short:
    <<: *all
    secrets: [db-password]
  long:
    <<: *all
    labels: ["mine=1"]
    secrets:
      - source: db-password
        target: renamed
        uid: "103"
        mode: 0400
      - {source: key, target: /etc/api.key}
  hardened:
    <<: *all
    user: "1234"
    read_only: true
    cap_drop: [ALL]
    secrets: [db-password, mine]
  extending:
    extends: {service: short}
  key-only:
    <<: *all
    secrets: [key]
  later: *all
  none: *all
secrets:
  db-password:
    external: true
  key:
    external: {name: api-key}
  file: {file: ./not-there}
  mine: {file: ./mine.txt}
"""
MORE = """\
version: "3.7"
services:
  later:
    secrets: [{source: file, target: sub/deep}]
secrets:
  file: {file: ./not-there, name: db-password, template_driver: golang}
"""
USERS = {"short", "long", "hardened", "extending", "later"}
READ = """\
import os, sys
for top in sys.argv[1:] or ["/run/secrets"]:
    for path in [top] if os.path.isfile(top) else [
        os.path.join(at, name) for at, _, names in sorted(os.walk(top)) for name in sorted(names)
    ]:
        print(path, open(path).read().strip())
"""


class Compose:
    """One compose, in a project of its own."""

    def __init__(self, words: list[str], project: Program, engine: Engine) -> None:
        self.words = words
        self.project = project
        self.engine = engine

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [*self.words, *FILES, *words],
            cwd=self.project.folder,
            env=os.environ | self.engine.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stderr

    def up(self) -> dict[str, str]:
        """The container of each service, after `up`."""
        self("up", "-d", "-t", "0")
        shown = self.engine.docker(
            *("ps", "--no-trunc", "--filter", f"label=project={self.project.folder}"),
            *("--format", '{{.Label "com.docker.compose.service"}} {{.ID}}'),
        )
        return dict(line.split() for line in shown.splitlines() if " " in line)

    def read(self, container: str, *paths: str) -> list[str]:
        return self.engine.docker("exec", container, "python3", "-c", READ, *paths).splitlines()


def words_of(version: str) -> list[str]:
    """How to start it; Debian has v1 only."""
    if version == "1.29":
        return [need_program("docker-compose")]
    docker = need_program("docker")
    asked = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
    need("compose-v2", asked.returncode == 0, "needs docker compose v2")
    return [docker, "compose"]


@pytest.fixture(params=["1.29", "2"])
def compose(request: pytest.FixtureRequest, cli: Program, engine: Engine) -> Iterator[Compose]:
    """A project with its compose files, synced; what compose started is removed."""
    found = Compose(words_of(request.param), cli, engine)
    folder = cli.folder.rename(cli.folder.with_name(f"project{os.getpid()}"))
    cli.folder = folder
    everywhere = f'stop_signal: KILL\n  labels: ["project={folder}"]'
    text = FILE.replace("$IMAGE", engine.image).replace("stop_signal: KILL", everywhere)
    cli.write("compose.yaml", text.replace('["mine=1"]', f'["mine=1", "project={folder}"]'))
    cli.write("more.yaml", MORE)
    cli.write("mine.txt", "mine")
    cli.create("db-password", b"first")
    cli.create("api-key", b"the-key")
    yield found
    if (folder / "compose.secretkit.yaml").exists():
        found("down", "-t", "0")
    shutil.rmtree(folder)


def test_up_recreates_what_has_a_changed_secret(compose: Compose) -> None:
    """Containers have the values at their targets, in every shape. After a rotation a running one
    keeps what it has; `compose sync` and `up` recreate those that use the secret, and no other."""
    sync = ("compose", "sync", *FILES[:-2])
    compose.project.ok(*sync)
    first = compose.up()
    assert set(first) == USERS | {"key-only", "none"}
    assert compose.read(first["short"]) == ["/run/secrets/db-password first"]
    assert compose.read(first["long"], "/run/secrets", "/etc/api.key") == [
        "/run/secrets/renamed first",
        "/etc/api.key the-key",
    ]
    assert compose.read(first["hardened"]) == [
        "/run/secrets/db-password first",
        "/run/secrets/mine mine",
    ]
    assert compose.read(first["extending"]) == ["/run/secrets/db-password first"]
    assert compose.read(first["later"]) == ["/run/secrets/sub/deep first"]

    compose.project.ok(*sync)
    assert compose.up() == first

    compose.project.ok("rotate", "db-password", "-", input=b"second")
    assert compose.up() == first
    assert compose.read(first["short"]) == ["/run/secrets/db-password first"]

    compose.project.ok(*sync)
    second = compose.up()
    assert {name for name in first if second[name] != first[name]} == USERS
    assert compose.read(second["short"]) == ["/run/secrets/db-password second"]
    assert compose.read(second["later"]) == ["/run/secrets/sub/deep second"]


def test_what_compose_ignores(compose: Compose) -> None:
    """It says itself, without a line, that it ignores uid, gid and mode; we name the line."""
    done = compose.project.ok("compose", "sync", *FILES[:-2])
    assert (
        "secretkit: warning: compose.yaml:16:9: compose ignores the uid, mode of a secret,"
        " service long; the file is the dev folder's, 0444 and yours; a swarm does what is asked"
        " for"
    ) in done.lines
    said = compose("up", "--no-start", "long")
    assert "uid" in said
    assert "mode" in said

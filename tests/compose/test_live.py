"""`--live`: services that have the folder itself, and see what changes while they run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.program import Program
from tests.compose.test_sync import OURS, project, written
from tests.compose.test_up import words_of
from tests.engine import Engine
from tests.needs import need_program

__all__ = ["project"]

FILE = """\
x-all: &all
  image: $IMAGE
  network_mode: none
  entrypoint: [python3, -c, "import time; time.sleep(999)"]
  stop_signal: KILL
services:
  api:
    <<: *all
    user: "1234"
    read_only: true
    secrets: [db-password, {source: key, target: api-key}]
  extending:
    extends: {service: api}
  absolute:
    <<: *all
    secrets: [{source: db-password, target: /run/secrets/db-password, mode: 0400}]
  renamed:
    <<: *all
    secrets: [db-password, key]
  mixed:
    <<: *all
    secrets: [db-password, mine]
  none: *all
secrets:
  db-password: {external: true}
  key: {external: true, name: api-key}
  mine: {file: ./mine.txt}
"""
LIVE = ["api", "extending", "absolute"]


def label(found: Any, service: str) -> str:
    """The one label that our file gives a service."""
    (text,) = found["services"][service]["labels"].values()
    return str(text)


def test_the_folder_where_it_fits(project: Program) -> None:
    """A service whose secrets are all of the project, under their own names, has the folder and no
    version on it; the others keep files, which is said with the line."""
    project.write("compose.yaml", FILE)
    done = project.ok("compose", "sync", "--live")
    found = written(project)["services"]
    assert [name for name in found if "volumes" in found[name]] == LIVE
    assert found["api"] == {
        "labels": {"secretkit.folder": label({"services": found}, "api")},
        "secrets": "reset",
        "volumes": [
            {
                "type": "bind",
                "source": "./dev-secrets",
                "target": "/run/secrets",
                "read_only": True,
                "bind": {"create_host_path": False},
            }
        ],
    }
    assert list(found["renamed"]["labels"]) == ["secretkit.versions"]
    said = "so service {} has files, which it sees change after `up`"
    assert [line for line in done.lines if "service" in line or "all of" in line] == [
        "secretkit: warning: compose.yaml:19:28: api-key at another place, "
        + said.format("renamed"),
        "secretkit: warning: compose.yaml:22:28: not in the dev folder, " + said.format("mixed"),
        "secretkit: api, extending, absolute: all of the folder, in which a running container sees"
        " what changes",
        "secretkit: warning: compose.yaml:16:15: compose ignores the mode of a secret, service"
        " absolute; the file is the dev folder's, 0444 and yours; a swarm does what is asked for",
    ]
    done = project.ok("dev", "compose", "--live", "--json")
    assert (done.json["live"], done.json["changed"]) == (LIVE, False)


def test_a_service_by_name(project: Program) -> None:
    """The others are as without it. One that cannot, or is not there, is refused before anything is
    made."""
    project.write("compose.yaml", FILE)
    done = project("compose", "sync", "--live=renamed")
    assert done.code == 2
    assert done.lines == [
        "secretkit: error: compose.yaml:19:28: api-key at another place,"
        " so service renamed cannot have the folder itself",
        "hint: take it out of --live, or give the service all secrets as /run/secrets/NAME",
    ]
    done = project("compose", "sync", "--live=none")
    assert (done.code, done.lines[1][:36]) == (3, "hint: services that do: api, extendi")
    assert not os.path.lexists(project.folder / "dev-secrets")
    assert project.ok("compose", "sync", "--live=api", "--live=absolute", "--json").json[
        "live"
    ] == ["api", "absolute"]


@pytest.mark.parametrize("options", ["", " --live", " --live=api --live=extending"])
def test_a_rotation_reminds_of_it_as_it_was_made(project: Program, options: str) -> None:
    """With the same services live."""
    project.write("compose.yaml", FILE)
    project.ok("compose", "sync", *options.split())
    said = project.ok("rotate", "db-password", "-", input=b"next").lines[-1]
    assert said == f"secretkit: {OURS} is of before: `secretkit compose sync{options}`"


def test_no_reminder_where_all_see_it(project: Program) -> None:
    """If every service has the folder, the file holds for the next version too."""
    mixed = FILE.replace("[db-password, key]", "[db-password]").replace(", mine]", "]")
    project.write("compose.yaml", mixed)
    project.ok("compose", "sync", "--live")
    assert "of before" not in project.ok("rotate", "db-password", "-", input=b"next").err
    assert project.ok("compose", "sync", "--live", "--json").json["changed"] is False


def test_the_label_is_of_the_folder(project: Program) -> None:
    """A rotation leaves it; a folder that is wiped and made anew has another, as a container keeps
    the one that it began with."""
    project.write("compose.yaml", FILE)

    def now() -> str:
        project.ok("compose", "sync", "--live")
        return label(written(project), "api")

    first = now()
    project.ok("rotate", "db-password", "-", input=b"next")
    assert now() == first
    # Held, as a container's mount does, so that its number is not given to another.
    held = os.open(project.folder / "dev-secrets", os.O_PATH)
    project.ok("dev", "down")
    assert now() != first
    os.close(held)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("dev compose --live=", ["api", "absolute", "renamed", "mixed"]),
        ("dev compose --live=a", ["api", "absolute"]),
        ("compose sync --live=api --live=a", ["absolute"]),
        ("compose sync -f missing.yaml --live=a", []),
    ],
)
def test_services_are_completed(project: Program, words: str, found: list[str]) -> None:
    """Those of the compose file that use secrets, each once."""
    project.write("compose.yaml", FILE)
    done = project.ok(
        _SECRETKIT_COMPLETE="bash_complete",
        COMP_WORDS=f"secretkit {words}",
        COMP_CWORD=str(words.count(" ") + 1),
    )
    assert [line.partition(",")[2] for line in done.text.split()] == found


def test_compose_1_refuses_it(project: Program) -> None:
    """By the tag, which it does not know: services are not started in another way than is meant."""
    docker_compose = need_program("docker-compose")
    project.write("compose.yaml", FILE)
    project.ok("compose", "sync", "--live")
    assert "Needs docker compose 2.24" in (project.folder / OURS).read_text()
    done = subprocess.run(
        [docker_compose, "-f", "compose.yaml", "-f", OURS, "config"],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert "!reset" in done.stderr


@pytest.fixture
def shop(cli: Program, engine: Engine) -> Iterator[Program]:
    """A project with its compose file; what compose started is removed."""
    words_of("2")
    cli.folder = cli.folder.rename(cli.folder.with_name(f"live{os.getpid()}"))
    cli.write("compose.yaml", FILE.replace("$IMAGE", engine.image))
    cli.write("mine.txt", "mine")
    cli.create("db-password", b"first")
    cli.create("api-key", b"the-key")
    yield cli
    if (cli.folder / OURS).exists():
        compose(cli, engine, "down", "-t", "0")
    shutil.rmtree(cli.folder)


def compose(shop: Program, engine: Engine, *words: str) -> str:
    """What compose v2 prints."""
    done = subprocess.run(
        [*words_of("2"), "-f", "compose.yaml", "-f", OURS, *words],
        cwd=shop.folder,
        env=os.environ | engine.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def up(shop: Program, engine: Engine) -> dict[str, str]:
    """The container of each service, after `up`."""
    compose(shop, engine, "up", "-d", "-t", "0")
    shown = compose(shop, engine, "ps", "--no-trunc", "--format", "{{.Service}} {{.ID}}")
    return dict(line.split() for line in shown.splitlines())


def read(engine: Engine, container: str, name: str = "db-password") -> str:
    """A secret as the container sees it now."""
    code = f"print(open('/run/secrets/{name}').read())"
    return engine.docker("exec", container, "python3", "-c", code)


@pytest.mark.parametrize("layout", ["swarm", "kubernetes"])
def test_a_running_container_sees_a_rotation(shop: Program, engine: Engine, layout: str) -> None:
    """At once and without `up`, which then recreates nothing but the services with files. They all
    have the values, in either layout. A folder made anew is mounted anew."""
    shop.write("secretkit.toml", f'[dev]\nlayout = "{layout}"\n')
    shop.ok("compose", "sync", "--live")
    first = up(shop, engine)
    names = [*LIVE, "renamed", "mixed"]
    assert [read(engine, first[name]) for name in names] == ["first"] * 5
    assert [read(engine, first[name], "api-key") for name in LIVE] == ["the-key"] * 3

    shop.ok("rotate", "db-password", "-", input=b"second")
    seen = [read(engine, first[name]) for name in names]
    assert seen == ["second"] * 3 + ["first"] * 2
    shop.ok("compose", "sync", "--live")
    second = up(shop, engine)
    assert {name for name in first if second[name] != first[name]} == {"renamed", "mixed"}
    assert [read(engine, second[name]) for name in names] == ["second"] * 5

    shop.ok("dev", "down")
    shop.ok("compose", "sync", "--live")
    third = up(shop, engine)
    assert [read(engine, third[name]) for name in LIVE] == ["second"] * 3
    assert {name for name in LIVE if third[name] != second[name]} == set(LIVE)

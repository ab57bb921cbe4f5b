"""`bake --check` on real images: what it finds there, and that its remedies are remedies."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bake.ground import Ground, busybox
from tests.cli.program import Program
from tests.engine import Engine

SCRIPT = """#!/bin/sh
export DB_PASSWORD=$(cat /run/secret/db-password)
/app/record "$@"
"""
PATIENCE = 60  # seconds


@pytest.fixture
def ground(cli: Program, engine: Engine, tmp_path: Path) -> Iterator[Ground]:
    """One secret, db-password."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "db-password").write_text("s3cret & more")
    found = Ground(cli, engine, secrets)
    yield found
    found.close()


def rules(ground: Ground, image: str, *words: str, code: int = 0) -> list[str]:
    """The rules that an image breaks."""
    found = ground.bake(image, "--check", "--json", *words, code=code).json["findings"]
    return [one["rule"] for one in found]


def test_an_image_with_mistakes(ground: Ground) -> None:
    """Found through a link and PATH, with the lines of the script in the image."""
    image = ground.image(
        "COPY start /opt/start-1",
        'RUN ["python3", "-c", "import os; os.symlink(\'/opt/start-1\', \'/usr/bin/start\')"]',
        "EXPOSE 80",
        "USER nobody",
        "ENV API_TOKEN=s3cret-canary DB_USER=app",
        'ENTRYPOINT ["start"]',
        'CMD ["--serve"]',
        start=SCRIPT,
    )
    done = ground.bake(image, "--check", "--json", "--env", "DB_USER=db-password", code=1)
    found = {one["rule"]: one for one in done.json["findings"]}
    assert found["run-secret-path"]["path"] == f"{image}:/usr/bin/start"
    assert found["missing-exec"]["line"] == 3
    assert {"plaintext-secret", "privileged-port"} <= found.keys()
    assert b"s3cret-canary" not in done.out
    assert "s3cret-canary" not in done.err
    plan = {one["what"]: one["how"] for one in done.json["plan"]}
    assert json.loads(plan["ENTRYPOINT"])[-2:] == ["--", "start"]
    assert plan["USER"] == "nobody, as it is"


def test_an_image_without_python(ground: Ground) -> None:
    """All of it is told at once, and baking would end so."""
    image = ground.built("COPY busybox /bin/sh", "CMD app", base="scratch", busybox=busybox())
    assert rules(ground, image, code=1) == ["no-python", "cmd-shell-form"]
    ground.bake(image, "-t", "never:made", code=3)


def test_what_bake_refuses_is_found_before(ground: Ground) -> None:
    """A volume over a destination, a template that is not there, the shim in it already."""
    volume = ground.image("VOLUME /data")
    words = ("--render", "/app/record:/data/x")
    assert rules(ground, volume, *words, code=1) == ["bake-refused"]
    ground.bake(volume, "-t", "never:made", *words, code=4)
    words = ("--render", "none.tmpl:/app/x")
    assert rules(ground, volume, *words, code=1) == ["bake-refused"]
    assert rules(ground, ground.baked(volume), code=1) == ["bake-refused"]


def test_the_program_of_a_health_check_is_read(ground: Ground) -> None:
    """By its path, from the working folder and from PATH, with nothing said of which go where."""
    for command in ("/app/check", "./check -v", "python3 check", "exec check || exit 1"):
        image = ground.image(
            "COPY check /app/check",
            "ENV PATH=/usr/bin:/bin:/app",
            "WORKDIR /app",
            f"HEALTHCHECK CMD {command}",
            check="#!/usr/bin/python3\nimport os; len(os.environ['DB_PASSWORD'])\n",
        )
        done = ground.bake(image, "--check", "--json").json
        assert [one["rule"] for one in done["findings"]] == ["healthcheck-without-shim"]
        assert (
            "all become variables" in {one["what"]: one["how"] for one in done["plan"]}["secrets"]
        )


def test_nothing_is_made(ground: Ground) -> None:
    """No image, no container, no file, whatever else is said."""
    image, tag = ground.image(), ground.name()
    folder = ground.cli.folder / "context"
    words = ("-t", tag, "--dockerfile", str(folder), "--env", "A=db-password")
    assert rules(ground, image, *words) == []
    assert ground.engine.docker("images", "--quiet", tag) == ""
    assert ground.engine.docker("ps", "--all", "--quiet", "--filter", f"ancestor={image}") == ""
    assert not folder.exists()


def test_options_that_the_shim_refuses(ground: Ground) -> None:
    """They are a mistake of the caller, not of the image."""
    ground.bake(ground.engine.image, "--check", "--render", "nothing", code=2)
    ground.bake("no-such-image", "--check", code=3)


def test_the_remedy_of_a_health_check_makes_it_healthy(ground: Ground) -> None:
    """As it is it never is; the line that is given is put into a Dockerfile as it stands."""
    health = 'HEALTHCHECK --interval=1s --timeout=9s --retries=2 CMD test -n "$DB_PASSWORD"'
    image = ground.image(health, 'ENTRYPOINT ["/app/record", "wait"]')
    words = ("--env", "DB_PASSWORD=db-password")
    (found,) = ground.bake(image, "--check", "--json", *words).json["findings"]
    assert found["rule"] == "healthcheck-without-shim"
    baked = ground.baked(image, *words)
    mended = ground.built(found["remedy"], base=baked)
    for name, expected in ((baked, "unhealthy"), (mended, "healthy")):
        with ground.started(name) as container:
            assert settled(ground.engine, container) == expected
    assert ground.config(mended)["Healthcheck"]["Timeout"] == 9_000_000_000


def settled(engine: Engine, container: str) -> str:
    """A container's health, once there is one."""
    deadline = time.monotonic() + PATIENCE
    while (said := engine.docker("inspect", "-f", "{{.State.Health.Status}}", container)) == (
        "starting"
    ):
        assert time.monotonic() < deadline, said
        time.sleep(0.2)
    return said

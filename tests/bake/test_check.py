"""`bake --check` on real images: what it finds there, and that its remedies are remedies."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bake.ground import Ground, busybox
from tests.cli.program import Program
from tests.engine import PYTHON, Engine

SCRIPT = """#!/bin/sh
export DB_PASSWORD=$(cat /run/secret/db-password)
/app/record "$@"
"""
PATIENCE = 60  # seconds
# Options with which no container starts, and what is said of them.
NO_START = {
    "--user nosuch --env A=x": "no user nosuch in /etc/passwd",
    "--user 4321 --env A=x": "uid 4321 has no entry",
    "--render fine.yml:/app/x.yml,owner=nosuch:1": "no user nosuch",
    "--render wrong.yml:/app/x.yml": "unknown filter 'nofilter'",
    "--render loop.j2:/app/x.yml": "needs Jinja2",
    "--render open.j2:/app/x.yml --with-jinja2": "open.j2",
    "--render fine.yml:STDLIB/encodings/__init__.py": "does not start with these files",
    "--render fine.yml:/app/record,format=yaml": "/app/record",
    "--no-env": "/nowhere",
    "--config /etc/nofile.json": "config: cannot read /etc/nofile.json",
}


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

    words = ("-t", ground.name(), "--env", "DB_USER=db-password")
    done = ground.bake(image, *words, code=1)
    assert "[run-secret-path]" in done.err
    assert "[plaintext-secret]" in done.err
    assert "s3cret-canary" not in done.err
    assert "--ignore RULE" in done.lines[-1]
    assert ground.engine.docker("images", "--quiet", words[1]) == ""
    ignored = ("--ignore", "run-secret-path", "--ignore", "plaintext-secret")
    ground.bake(image, *words, *ignored)
    assert "run-secret-path" not in rules(ground, image, *ignored)


def test_an_image_without_python(ground: Ground) -> None:
    """All of it is told at once, and baking would end so."""
    image = ground.built("COPY busybox /bin/sh", "CMD app", base="scratch", busybox=busybox())
    assert rules(ground, image, code=1) == ["no-python", "cmd-shell-form"]
    ground.bake(image, "-t", "never:made", code=3)


def test_an_image_whose_user_is_not_there(ground: Ground) -> None:
    """That is told, and not that a Python does not run."""
    for user, reason in (("nosuch", "no user nosuch"), ("1000:nosuch", "no group nosuch")):
        image = ground.image(f"USER {user}")
        assert rules(ground, image, code=1) == ["bake-refused"]
        error, hint = ground.bake(image, "-t", "never:made", code=4).lines
        assert error.endswith(f"the image has {reason}, which its USER names")
        assert hint.startswith("hint: ")


def test_what_bake_refuses_is_found_before(ground: Ground) -> None:
    """A volume over a destination, a template that is not there, the shim in it already."""
    volume = ground.image("VOLUME /data")
    words = ("--render", "/app/record:/data/x")
    assert rules(ground, volume, *words, code=1) == ["bake-refused"]
    ground.bake(volume, "-t", "never:made", *words, code=4)
    words = ("--render", "none.tmpl:/app/x")
    assert rules(ground, volume, *words, code=1) == ["bake-refused"]
    assert rules(ground, ground.baked(volume), code=1) == ["bake-refused"]


@pytest.mark.parametrize("words", NO_START)
def test_what_no_container_would_start_with(words: str, ground: Ground) -> None:
    """The check and the bake say so before anything is built; the shim is asked in the image."""
    ground.cli.write("fine.yml", "<<db-password>>\n")
    ground.cli.write("wrong.yml", "<<db-password|nofilter>>\n")
    ground.cli.write("loop.j2", "{% for x in secrets %}{{ x }}{% endfor %}\n")
    ground.cli.write("open.j2", "{% if db_password %}\n")
    image = ground.image(
        "ENV TOKEN_FILE=/run/secrets/token",
        "USER 1000" if "--user" not in words else "USER 0",
        'CMD ["/nowhere"]' if words == "--no-env" else 'CMD ["/app/record"]',
    )
    asked = [PYTHON, "-ISc", "import sysconfig; print(sysconfig.get_path('stdlib'), end='')"]
    library = subprocess.run(asked, capture_output=True, check=True).stdout.decode()
    given = words.replace("STDLIB", library).split()
    assert rules(ground, image, *given, code=1) == ["bake-refused"]
    done = ground.cli("bake", image, "-t", "never:made", *given, **ground.engine.environment())
    assert done.code in (2, 4)
    assert re.search(NO_START[words], done.err)
    assert "hint: " in done.lines[-1]


def test_a_variable_that_the_shim_does_not_know(ground: Ground) -> None:
    """The shim's own words are the reason: it comes to no report then."""
    image = ground.image("ENV SECRETKIT_CONFGI=s3cret-canary", 'CMD ["/app/record"]')
    done = ground.bake(image, "-t", "never:made", code=2)
    assert "unknown variable SECRETKIT_CONFGI" in done.err
    assert "s3cret-canary" not in done.err


def test_what_only_a_start_has_is_no_mistake(ground: Ground) -> None:
    """Secrets, whatever names them, and memory that the user mounts."""
    ground.cli.write("t.conf", "a <<db-password>> <<json#/a/b>> <<x|base64>>\n")
    ground.cli.write("t.yml.j2", "{% for n in names %}{{ n }}{{ db_password | yaml }}{% endfor %}")
    image = ground.image("ENV TOKEN_FILE=/run/secrets/t X_FILE=/mnt/x", 'CMD ["/app/record"]')
    for words in (
        "--env A=db-password --env B=json#/a --require x --stdin y --fd F_FILE=z --optional o",
        "--arg a --allow-argv --env-all --env-prefix P_",
        "--expand-file TOKEN --expand-file X --keystore /app/k.p12,password=p,key=k,cert=c",
        "--tmpfs /mem --render t.conf:/mem/t.conf,format=yaml --render t.yml.j2:/app/t.yml"
        " --with-jinja2 --user nobody --cap-drop ALL --no-new-privs",
        "--watch --on-change signal:HUP --render t.conf:/new/t.yml --secrets-dir /mnt --pristine",
        "",
    ):
        assert "bake-refused" not in rules(ground, image, *words.split()), words


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

"""Images that know `NAME_FILE`: the page's stack file, with real PostgreSQL and MariaDB."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cli.program import Program
from tests.engine import Engine
from tests.examples.confined import with_programs
from tests.needs import need, need_program
from tests.swarm.services import until

from .page import blocks

ENTRYPOINT = Path(__file__).with_name("entrypoint.sh")
VALUE = rb"""a 'b' "c" $x `id` \ & %41 # \n"""
LOGIN = {
    "postgres": "PGPASSWORD=$password psql -h 127.0.0.1 -U postgres -Atc 'select 42'",
    "mariadb": "MYSQL_PWD=$password mariadb -S /tmp/socket -u root -Ne 'select 42'",
}


@pytest.fixture(scope="module")
def databases(swarm: Engine) -> Iterator[Engine]:
    """The swarm, with an image that has both servers behind the script."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*"))
    need("consumers", bool(folders), "needs a PostgreSQL server")
    postgres, share = folders[-1], Path("/usr/share/mysql")
    paths = [postgres / "bin" / name for name in ("psql", "initdb", "postgres")]
    paths += [postgres / "lib" / name for name in ("plpgsql.so", "dict_snowball.so")]
    paths += [Path("/usr/share/postgresql", postgres.name)]
    programs = ("mariadbd", "mariadb", "mariadb-install-db", "my_print_defaults", "resolveip")
    paths += [Path(need_program(name)) for name in programs]
    paths += [share / "charsets", share / "english", *share.glob("*.sql")]
    lines = (f"ENV PATH={postgres}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "USER nobody")
    start = f'ENTRYPOINT ["sh", "{ENTRYPOINT}"]'
    with with_programs(swarm, [*paths, ENTRYPOINT], *lines, start) as found:
        yield found


def test_the_stack_file_and_the_dev_folder(databases: Engine, project: Program) -> None:
    """On a swarm, and in a container with the dev folder, the servers take the secret's value as
    their password, and no other."""
    (page,) = blocks("yaml")
    stack, images = re.subn(r"image: \S+", f"image: {databases.image}", page)
    assert images == len(LOGIN)
    project.write("stack.yml", stack)
    project.create("db-password", VALUE)

    options = ("--detach", "--network", "none")
    options += ("--volume", f"{project.folder}/dev-secrets:/run/secrets:ro")
    containers = {}
    try:
        project.ok("--engine", "swarm", "stack", "deploy", "-c", "stack.yml", "files")
        project.ok("dev", "up")
        for service, entry in yaml.safe_load(stack)["services"].items():
            variables = [f"--env={name}={path}" for name, path in entry["environment"].items()]
            containers[service] = databases.docker("run", *options, *variables, databases.image)
        for service, container in containers.items():
            check(databases, container, service)
            check(databases, task_of(databases, f"files_{service}"), service)
    finally:
        databases.docker("rm", "--force", *containers.values(), check=False)
        databases.docker("stack", "rm", "files", check=False)


def task_of(engine: Engine, service: str) -> str:
    """The container of the service's task, once it runs."""
    words = ("ps", "--quiet", "--filter", f"label=com.docker.swarm.service.name={service}")
    until(f"a task of {service}", lambda: engine.docker(*words))
    return engine.docker(*words)


def check(engine: Engine, container: str, service: str) -> None:
    """Once the server is up, the value is its password, and another is refused."""
    until(f"{service} to let in", lambda: lets_in(engine, container, service, "$value"))
    assert not lets_in(engine, container, service, "${value}x")


def lets_in(engine: Engine, container: str, service: str, password: str) -> bool:
    """Whether the server takes this password, which may be made of the file's $value."""
    script = f'value="$(cat /run/secrets/db-password)"; password="{password}"; {LOGIN[service]}'
    return engine.docker("exec", container, "sh", "-c", script, check=False) == "42"

"""examples/postgres-client: real logins of psql, by a password file and by a URL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine import Engine
from tests.needs import need, need_program

from .confined import SLACK, Image, new_canary, with_programs
from .conftest import Example

NASTY = b"""'"; \\' \\" \\: $x & # %41 %zz `id` @h:1/d?a=b \\n <<y>> \xc3\xa9 \xe2\x82\xac \\"""


@pytest.fixture(scope="module")
def postgres(engine: Engine) -> Iterator[Engine]:
    """The engine, with an image that has PostgreSQL's server and client."""
    need_program("psql")
    folders = sorted(Path("/usr/lib/postgresql").glob("*"))
    need("consumers", bool(folders), "needs a PostgreSQL server")
    folder = folders[-1]
    paths = [folder / "bin" / name for name in ("psql", "initdb", "postgres")]
    paths += [folder / "lib" / name for name in ("plpgsql.so", "dict_snowball.so")]
    paths.append(Path("/usr/share/postgresql", folder.name))
    with with_programs(engine, paths, f"ENV PATH={folder}/bin:/usr/bin:/bin") as found:
        yield found


def test_the_page_works(example: Callable[[str], Example], postgres: Engine) -> None:
    """Image, server, both logins and a rotation do what the page says."""
    example("postgres-client").run_page_with(postgres)


def test_any_password_is_taken(example: Callable[[str], Example], postgres: Engine) -> None:
    """As a user without rights on a read-only root; nothing of the value stays behind."""
    here = example("postgres-client")
    canary = new_canary()
    here.create(db_password=canary.encode() + NASTY)
    other = here.folder / "other"
    other.mkdir()
    (other / "db-password").write_bytes(canary.encode() + NASTY + b"x")
    with here.image(postgres) as name:
        image = Image(postgres, name, here.folder / "dev-secrets")
        image.check()
        options = ("--tmpfs", "/tmp", "--entrypoint", "sh")
        with image.start(*options, words=["/app/server.sh"]) as server:
            image.until(server, ("sh", "-c", "tail -n 1 /tmp/data/postmaster.pid"), "ready")
            network = ("--network", f"container:{server}")
            url = ("sh", "-c", 'psql "$(cat /dev/shm/database.url)" -Atc "select user"')
            wrong = Image(postgres, name, other)
            assert image.once(*network) == (0, "hello, app")
            assert image.once(*network, words=url) == (0, "app")
            for words in ((), url):
                status, said = wrong.once(*network, words=words)
                assert status == 2 and "password authentication failed" in said
            (other / "db-password").write_bytes(canary.encode() + b"\nx")
            status, said = wrong.once()
            assert status == 125 and "app.pgpass:1:" in said and canary not in said
            query = ("-h", "localhost", "-U", "app", "-c", "select pg_sleep(600)", "postgres")
            with image.start(*network, words=("psql", *query)) as client:
                image.until(client, ("cat", "/proc/1/comm"), "psql")
                assert image.process_1(client) == "psql"
                took, status = image.stop(client, seconds=1)
                assert postgres.docker("diff", client) == ""
                assert not image.holds(client, canary)
            password = f"PGPASSWORD={canary}{NASTY.decode()}"
            options = ("--entrypoint", "psql", "--env", password)
            with image.start(*network, *options, words=query) as client:
                without, same = image.stop(client, seconds=1)
            # psql has no handler of SIGTERM, and the kernel gives a process 1 no other end by it.
            assert status == same == 137
            assert took < without + SLACK

"""examples/mariadb: a real server whose root password is a secret, and its client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine import Engine
from tests.needs import need_program

from .confined import SLACK, Image, new_canary, told, with_programs
from .conftest import Example

SQL = ("mariadb", "--defaults-file=/dev/shm/my.cnf", "-N", "-e", "select user()")
NASTY = b"""'"; drop table x; -- \\' \\" $x & # % `id` \\n\\x41"""
NASTY += b" \xc3\xa9 \xff\x1a\r\ntwo\n\t[client]\\"


@pytest.fixture(scope="module")
def mariadb(engine: Engine) -> Iterator[Engine]:
    """The engine, with an image that has MariaDB's server and client."""
    programs = ["mariadbd", "mariadb", "mariadb-install-db", "my_print_defaults", "resolveip"]
    paths = [Path(need_program(name)) for name in programs]
    folder = Path("/usr/share/mysql")
    paths += [folder / "charsets", folder / "english", *folder.glob("*.sql")]
    account = "RUN echo mysql:x:998:998::/:/bin/false >> /etc/passwd"
    with with_programs(engine, paths, account) as found:
        yield found


def test_the_page_works(example: Callable[[str], Example], mariadb: Engine) -> None:
    """Image, login, rotation and restart do what the page says."""
    example("mariadb").run_page_with(mariadb)


def test_any_password_is_taken(example: Callable[[str], Example], mariadb: Engine) -> None:
    """As a user without rights on a read-only root; nothing of the value stays behind."""
    here = example("mariadb")
    canary = new_canary()
    here.create(root_password=canary.encode() + NASTY)
    other = here.folder / "other"
    other.mkdir()
    (other / "root-password").write_bytes(canary.encode() + NASTY + b"x")
    with here.image(mariadb) as name:
        image = Image(mariadb, name, here.folder / "dev-secrets")
        image.check()
        # The log has every statement of the script, too.
        with image.start(words=("mariadbd", SQL[1], "--general-log")) as server:
            image.until(server, SQL, "root@localhost")
            network = ("--network", f"container:{server}")
            login = (SQL[0], SQL[1], "-h", "127.0.0.1", *SQL[2:])
            assert image.once(*network, words=login) == (0, "root@localhost")
            status, said = Image(mariadb, name, other).once(*network, words=login)
            assert status == 1 and "Access denied for user 'root'@'localhost'" in said
            assert image.process_1(server) == "mariadbd"
            took, status = image.stop(server)
            assert mariadb.docker("diff", server) == ""
            assert not image.holds(server, canary)
            data = image.bytes_of("cp", f"{server}:/data", "-")
            assert b"IDENTIFIED BY PASSWORD '*" in data and not told(data, canary)
        words = ("--no-defaults", "--datadir=/data", "--tmpdir=/dev/shm", "--socket=/dev/shm/s")
        with image.start("--entrypoint", "mariadbd", words=words) as server:
            image.until(server, (SQL[0], words[0], words[-1], *SQL[2:]), "mysql@localhost")
            without, same = image.stop(server)
        assert status == same == 0
        assert took < without + SLACK

"""examples/php-config: a real PHP program that reads its settings from config.php."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine import Engine
from tests.needs import need_program

from .confined import SLACK, Image, new_canary, with_programs
from .conftest import Example

GET = ("wget", "-q", "-O", "-")
NASTY = b"""'"; system('id'); // \\' \\" $x ${x} {$x} & ?> <?php \\1"""
NASTY += b" \xc3\xa9 \xff\0\r\ntwo\n\t`id`\\"


@pytest.fixture(scope="module")
def php(engine: Engine) -> Iterator[Engine]:
    """The engine, with an image that has PHP."""
    with with_programs(engine, [Path(need_program("php"))]) as found:
        yield found


def test_the_page_works(example: Callable[[str], Example], php: Engine) -> None:
    """Workstation, image, container and rotation do what the page says."""
    example("php-config").run_page_with(php)


def test_php_gets_any_bytes(example: Callable[[str], Example], php: Engine) -> None:
    """As a user without rights on a read-only root; nothing of the value stays behind."""
    here = example("php-config")
    canary = new_canary()
    value = canary.encode() + NASTY
    here.create(db_password=value)
    with here.image(php) as name:
        image = Image(php, name, here.folder / "dev-secrets")
        image.check()
        with image.start() as server:
            image.until(server, (*GET, "http://localhost:8080"), hashlib.sha256(value).hexdigest())
            assert image.process_1(server) == "php"
            took, status = image.stop(server)
            assert php.docker("diff", server) == ""
            assert not image.holds(server, canary)
        words = ("-S", "0.0.0.0:8080", "-t", "/app")
        template = (here.folder / "config.php.tmpl").read_text().strip()
        with image.start("--entrypoint", "php", words=words) as server:
            image.until(server, (*GET, "http://localhost:8080/config.php.tmpl"), template)
            without, same = image.stop(server)
        assert status == same == 0
        assert took < without + SLACK

"""examples/nginx: a real nginx with a key, users and a token from secrets."""

from __future__ import annotations

from collections.abc import Callable

from tests.engine import Engine
from tests.needs import need, need_program

from .conftest import Example


def test_the_page_works_on_a_workstation(example: Callable[[str], Example]) -> None:
    """Every command above the container's part does what the page says."""
    for program in ("nginx", "openssl", "curl"):
        need_program(program)
    example("nginx").run_page(upto="In a container")


def test_the_page_works_with_an_engine(example: Callable[[str], Example], engine: Engine) -> None:
    """Image, container as nginx on a read-only root, TLS, logins, rotation: as the page says."""
    for program in ("nginx", "openssl", "curl"):
        need_program(program)
    found = engine.docker("run", "--rm", engine.image, "sh", "-c", "command -v nginx", check=False)
    need("engine", bool(found), "needs nginx in the image")
    example("nginx").run_page_with(engine)


def test_a_dollar_in_another_place_starts_nothing(example: Callable[[str], Example]) -> None:
    """The token used where nginx would expand a part of it is told before the start."""
    here = example("nginx")
    here.run("secretkit", "init")
    here.run("secretkit", "create", "web-password-hash", "-", value=b"$6$x")
    here.run("secretkit", "create", "api-token", "-", value=b"a$uri")
    here.run("secretkit", "dev", "up")
    template = here.folder / "nginx.conf"
    template.write_text(template.read_text().replace("${api_token}", "<<api-token>>"))
    said = here.run("secretkit", "run", "--", "true", status=125)
    assert "nginx.conf:28:" in said and "it holds a `$`" in said and "uri" not in said

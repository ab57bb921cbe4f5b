"""Five services, four secrets: deployed, each rotated, deployed again, each rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.engine import Engine, swarm
from tests.examples.conftest import Example, example
from tests.needs import need_program

from .shop import Shop, shop_of

__all__ = ["example", "swarm"]

USERS = {
    "postgres_password": {"appserver", "database"},
    "staging_token": {"payment_gateway"},
    "revprox_cert": {"reverse_proxy"},
    "revprox_key": {"reverse_proxy"},
}
FIRST = {
    "appserver": {"postgres_password": ("postgres_password", "0", "0", 0o444)},
    "database": {"postgres_password": ("postgres_password", "0", "0", 0o444)},
    "payment_gateway": {"payment_token": ("staging_token", "1234", "0", 0o400)},
    "portal": {},
    "reverse_proxy": {
        "revprox_cert": ("revprox_cert", "0", "0", 0o444),
        "revprox_key": ("revprox_key", "1234", "1234", 0o400),
    },
}


@pytest.fixture
def shop(swarm: Engine, example: Callable[[str], Example]) -> Iterator[Shop]:
    """The shop, with its image and nothing deployed."""
    need_program("openssl")
    with shop_of(swarm, example("shop")) as found:
        yield found


def test_rotations_last_and_reach_who_uses_the_secret(shop: Shop) -> None:
    """Each rotation, and each way back, changes the object names of that secret, and the tasks of
    the services that use it; the unchanged file changes nothing; a client is served all the time.
    """
    shop.secretkit("init")
    shop.secretkit("create", "revprox_key")
    shop.secretkit("create", "revprox_cert", "-", value=shop.run("./certificate.sh").encode())
    shop.deploy()
    assert references(shop) == FIRST
    assert shop.visit().startswith("200 3 orders, signed ")
    password = shop.secretkit("show", "postgres_password")

    with shop.browsing() as answers:
        rotate_all(shop)
        assert shop.accepts(shop.secretkit("show", "postgres_password"))
        assert not shop.accepts(password)
        unchanged(shop, shop.deploy)
        roll_back_all(shop)
        unchanged(shop, shop.deploy)
        assert references(shop) == FIRST
        assert shop.secretkit("show", "postgres_password") == password
        assert shop.accepts(password)
        assert shop.visit().startswith("200 3 orders, signed ")
    assert list(answers) == ["3 orders"]


def rotate_all(shop: Shop) -> None:
    """A certificate is renewed for its key. A key alone would end reverse_proxy, and is taken back:
    the two change in the store, and a deploy brings both.
    """
    moved(shop, {"postgres_password": 2}, lambda: shop.secretkit("rotate", "postgres_password"))
    moved(shop, {"staging_token": 2}, lambda: shop.secretkit("rotate", "staging_token"))
    certificate = shop.run("./certificate.sh").encode()
    renew = ("rotate", "revprox_cert", "-")
    moved(shop, {"revprox_cert": 2}, lambda: shop.secretkit(*renew, value=certificate))
    unchanged(shop, lambda: shop.secretkit("rotate", "revprox_key", status=6))

    def pair() -> None:
        shop.secretkit("rotate", "revprox_key", "--engine", "local")
        certificate = shop.run("./certificate.sh").encode()
        shop.secretkit(*renew, "--engine", "local", value=certificate)
        shop.deploy()

    moved(shop, {"revprox_key": 3, "revprox_cert": 3}, pair)


def roll_back_all(shop: Shop) -> None:
    """In another order than they came."""
    back = shop.secretkit
    moved(shop, {"staging_token": 1}, lambda: back("rollback", "staging_token"))
    moved(shop, {"postgres_password": 1}, lambda: back("rollback", "postgres_password"))

    def pair() -> None:
        for name in ("revprox_key", "revprox_cert"):
            back("rollback", name, "--to", "1", "--engine", "local")
        shop.deploy()

    moved(shop, {"revprox_key": 1, "revprox_cert": 1}, pair)


def moved(shop: Shop, versions: dict[str, int], change: Callable[[], object]) -> None:
    """`change` brings secrets to these versions, under the same targets, and nothing else."""
    before = shop.state()
    change()
    after = shop.state()
    values = {secret: shop.secretkit("show", secret).strip() for secret in versions}
    for name, service in after.items():
        if any(name in USERS[secret] for secret in versions):
            assert service.containers.keys().isdisjoint(before[name].containers), name
        else:
            assert service == before[name], name
        for target, (object_name, *file) in service.references().items():
            previous, *same = before[name].references()[target]
            assert file == same
            secret = previous.partition("-v")[0]
            version = versions.get(secret)
            wanted = secret if version == 1 else f"{secret}-v{version}"
            assert object_name == (wanted if version else previous)
            for container in service.containers.values() if version else ():
                path = f"/run/secrets/{target}"
                assert shop.engine.docker("exec", container, "cat", path) == values[secret]


def references(shop: Shop) -> dict[str, dict[str, tuple[str, str, str, int]]]:
    """By service and target."""
    return {name: service.references() for name, service in shop.state().items()}


def unchanged(shop: Shop, change: Callable[[], object]) -> None:
    """`change` leaves every spec and every task as it is."""
    before = shop.state()
    change()
    assert shop.state() == before

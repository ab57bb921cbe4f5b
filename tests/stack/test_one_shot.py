"""Services whose tasks end by themselves, such as migrations, deployed on a real swarm."""

from __future__ import annotations

import json

from tests.stack.test_deploy import Shop, shop
from tests.swarm.services import report_of

__all__ = ["shop"]


def test_a_task_that_has_done_its_work(shop: Shop) -> None:
    """It has arrived when it ended with status 0, in a first deploy, an unchanged one, and with the
    next version, which becomes current; another status is a failure."""
    service = {
        "image": shop.services.engine.image,
        "command": ["sh", "-c", "exit $$(cat /run/secrets/key)"],
        "secrets": ["key"],
        "deploy": {"restart_policy": {"condition": "none"}, "update_config": {"monitor": "300ms"}},
    }
    services = {
        "none": service,
        "on-failure": service | {"deploy": {"restart_policy": {"condition": "on-failure"}}},
        "agent": service | {"deploy": {"restart_policy": {"condition": "none"}, "mode": "global"}},
    }
    shop.services.made += [f"{shop.name}_{name}" for name in services]
    content = {"version": "3.8", "services": services, "secrets": {"key": {"file": "./key"}}}
    (shop.folder / "stack.yml").write_text(json.dumps(content))
    shop.bring(key="0")
    for number, key in ((1, "0"), (1, "0"), (2, "00")):
        shop.bring(key=key)
        report = report_of(shop.deploy("--json", "--timeout", "30s"))
        assert [one["tasks"] for one in report["services"]] == [1, 1, 1]
        assert shop.current() == number
    shop.bring(key="3")
    del services["on-failure"]
    (shop.folder / "stack.yml").write_text(json.dumps(content))
    done = shop.deploy("--timeout", "30s", code=6)
    assert "non-zero exit (3)" in done.err
    assert shop.current() == 2

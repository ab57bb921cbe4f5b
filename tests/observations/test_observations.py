"""A process sees the same secrets in the same way: in a swarm task, and on a laptop.

One program looks at /run/secrets in each place. What is not the same is listed, with the reason, in
`differences` and in docs/dev-mode.md; both must be all of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.cli.program import Program
from tests.engine import Engine, left_as_it_was
from tests.mount.person import UID
from tests.needs import need_namespaces, need_program, need_root
from tests.observations.differences import expected, spoken, tables
from tests.observations.places import Compose, Seen, Swarm, container, dev_run, fill
from tests.observations.values import VALUES

# What the shim is asked for that it can do; the rest is refused, with reasons.
WELL = ("--env", "--no-env", "--stdin", "--render", "--check --json")
PAGE = Path(__file__).parents[2] / "docs" / "dev-mode.md"


def test_the_same_in_all_places(swarm: Engine, user: Program, cli: Program) -> None:
    """A task, a container with the dev folder, one of compose, and `dev run`; as root and as a
    user, in both layouts. Each observation is as in the task, or as it is listed."""
    need_root()
    need_namespaces()
    need_program("busybox")
    hashes = {name: hashlib.sha256(value).hexdigest() for name, value in VALUES.items()}
    wrong: list[str] = []
    with left_as_it_was(swarm):
        task = Swarm(swarm, (0, UID))
        for program in (user, cli):
            fill(program)
        user.ok("dev", "up")
        user.ok("dev", "up", "--layout", "kubernetes", "linked")
        user.ok("dev", "up", "--on-disk", "disk")
        folder, linked, disk = (
            (user.folder / name).resolve() for name in ("dev-secrets", "linked", "disk")
        )
        own = {0: cli, UID: user}
        places: dict[tuple[str, str], Callable[[int], Seen]] = {
            ("swarm", "swarm"): task.seen,
            ("mounted", "swarm"): lambda uid: container(swarm, uid, folder),
            ("mounted", "kubernetes"): lambda uid: container(swarm, uid, linked),
            ("compose", "swarm"): Compose(swarm, user).seen,
            ("run", "swarm"): lambda uid: dev_run(own[uid]),
            ("run", "kubernetes"): lambda uid: dev_run(own[uid], "--layout", "kubernetes"),
        }
        for who, uid in (("root", 0), ("user", UID)):
            with ThreadPoolExecutor(3) as pool:
                seen = {place: pool.submit(look, uid) for place, look in places.items()}
            there = seen["swarm", "swarm"].result()
            assert there["contents"] == hashes
            assert all(there[f"shim: {option}"][-1] == "exit 0" for option in WELL)
            for (place, layout), looked in seen.items():
                found = looked.result()
                wanted = expected(place, who, there, layout)
                wrong += [
                    f"{place}, {layout}, {who}: {name}: {found.get(name)}, not {wanted.get(name)}"
                    for name in {**wanted, **found}
                    if spoken(found.get(name)) != wanted.get(name)
                ]
        assert not wrong, "\n".join(wrong)
        on_disk = container(swarm, 0, disk)
        wanted = expected("mounted", "root", there)
        differ = {name for name in wanted if wanted[name] != spoken(on_disk[name])}
        assert differ - {"mount of the folder", "stat -f of a file"} == {"hidden entries"}


def test_the_page_lists_all_of_it() -> None:
    """docs/dev-mode.md has what the observations are held against, and the reasons."""
    page = PAGE.read_text()
    assert [one for one in tables() if one not in re.sub(r"\n  +", " ", page)] == []

"""How the files of a dev folder lie there: plain, as a swarm has them, or as the kubelet does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from ..project import Layout
from . import private

DATA = "..data"


def write_layout(
    place: Path, files: Mapping[str, bytes], mode: int, layout: Layout = "swarm"
) -> None:
    """Put `files` into the empty folder `place`, as the layout has them."""
    if layout == "swarm":
        for name, content in files.items():
            private.write_file(place / name, content, mode)
        return
    data = place / fresh_name()
    data.mkdir(mode=0o755)
    data.chmod(0o755)
    for name, content in files.items():
        private.write_file(data / name, content, mode)
    (place / DATA).symlink_to(data.name)
    for name in files:
        (place / name).symlink_to(f"{DATA}/{name}")


def fresh_name() -> str:
    """The name of a folder of one state of the files: `..<UTC time>.<random>`, as the kubelet's."""
    now = datetime.now(UTC)
    return f"..{now:%Y_%m_%d_%H_%M_%S}.{int.from_bytes(os.urandom(4)):010d}"

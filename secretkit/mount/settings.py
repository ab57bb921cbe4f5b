"""How a dev folder is to be, and where what it holds comes from."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..mocks import Mock
from ..project import Layout

FILE_MODE = 0o444


class Settings(NamedTuple):
    """What `dev up` was asked for. It is recorded, so that a refresh follows it."""

    on_disk: bool = False
    mode: int = FILE_MODE  # of the files
    layout: Layout = "swarm"
    overrides: Path | None = None  # a folder of hand-made files that win; need not exist
    mock: Mock | None = None  # instead of the store's values

"""`python -m tests.swarm.dying STEP COUNT PROJECT NAME`: a rotation that dies on the way.

It rotates the secret to the value on stdin, as `secretkit rotate NAME -` in the folder does, and
kills itself with SIGKILL when the step is told for the COUNTth time.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from secretkit import rotation
from secretkit.engines import load
from secretkit.rotation.types import Event
from secretkit.rotation.versions import StoreVersions
from secretkit.store import Store


def main(step: str, count: str, folder: str, name: str) -> None:
    """Dies, unless the step is not reached."""
    left = int(count)

    def die(event: Event) -> None:
        nonlocal left
        left -= event.step == step
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    with Store.open(Path(folder)) as store:
        versions, engine = StoreVersions(store), load("swarm")
        rotation.rotate(
            versions, engine, name, sys.stdin.buffer.read(), source="given", on_event=die
        )


if __name__ == "__main__":
    main(*sys.argv[1:])

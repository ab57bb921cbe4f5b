"""The shim's templates and formats. The shim is no installed package, so its folder is added."""

import sys
from pathlib import Path

ENTRYPOINTS = Path(__file__).parents[2] / "entrypoints"
sys.path.insert(0, str(ENTRYPOINTS))

"""An engine to bake on, and the program in a project."""

from tests.cli.conftest import bare, cli, memory
from tests.engine import engine

__all__ = ["bare", "cli", "engine", "memory"]

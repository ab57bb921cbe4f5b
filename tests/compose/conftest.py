"""A project for each test, as for the command line, and the engine."""

from tests.cli.conftest import bare, cli, memory
from tests.engine import engine

__all__ = ["bare", "cli", "engine", "memory"]

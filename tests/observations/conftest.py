"""The swarm, and the program as root and as a user without privileges."""

from tests.cli.conftest import bare, cli, memory, user
from tests.engine import swarm

__all__ = ["bare", "cli", "memory", "swarm", "user"]

"""An engine for the formats that a container reads."""

from tests.engine import engine

__all__ = ["engine"]

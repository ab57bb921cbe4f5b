"""The embedded encrypted store: SQLite rows sealed with AES-256-GCM."""

from .store import NewSecret, Store

__all__ = ["NewSecret", "Store"]

"""Versioned secrets for containers, and adapters for programs that cannot read /run/secrets.

    from secretkit import Store, generate

    with Store.open() as store:
        store.create("db-password", generate("password:32"))

What is listed in `__all__` is public, and so are `secretkit.errors` and `secretkit.mount`. Names
are loaded when they are used: importing secretkit loads neither SQLite nor cryptography.
"""

from __future__ import annotations

TYPE_CHECKING = False  # true for type checkers; `typing` takes longer to load than all of this
if TYPE_CHECKING:
    from typing import Any

    from .errors import SecretkitError as SecretkitError
    from .generators import generate as generate
    from .model import AuditEntry as AuditEntry
    from .model import CheckReport as CheckReport
    from .model import Finding as Finding
    from .model import KeySlot as KeySlot
    from .model import Secret as Secret
    from .model import Value as Value
    from .model import Version as Version
    from .rotation.hooks import Hooks as Hooks
    from .rotation.secrets import rotate as rotate
    from .rotation.types import Event as Event
    from .rotation.types import Options as Options
    from .rotation.types import Report as Report
    from .store import NewSecret as NewSecret
    from .store import Store as Store

_HOMES = {
    "AuditEntry": "model",
    "CheckReport": "model",
    "Event": "rotation.types",
    "Finding": "model",
    "Hooks": "rotation.hooks",
    "KeySlot": "model",
    "NewSecret": "store",
    "Options": "rotation.types",
    "Report": "rotation.types",
    "Secret": "model",
    "SecretkitError": "errors",
    "Store": "store",
    "Value": "model",
    "Version": "model",
    "generate": "generators",
    "rotate": "rotation.secrets",
}
__all__ = sorted(_HOMES)  # noqa: PLE0605 - a list of names, made from the one table


def __getattr__(name: str) -> Any:
    """Load a public name from the module that has it (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value

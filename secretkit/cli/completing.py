"""Candidates for shell completion.

Names come from a read that leaves no audit entry and asks for no passphrase: where only a
passphrase opens the store, there are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from ..errors import SecretkitError
from .command import App

if TYPE_CHECKING:
    from ..engines.protocol import Engine

_PATIENCE = 2.0  # seconds that a shell waits for an engine's candidates


def complete_names(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """The names of the project's secrets."""
    from ..store import Store
    from .hardening import harden

    app = context.find_object(App) or App()
    harden()
    try:
        with Store.open(app.folder) as store:
            names = [secret.name for secret in store.list()]
    except (SecretkitError, OSError):
        return []
    taken = context.params.get(str(parameter.name)) or ()
    return [name for name in names if name.startswith(incomplete) and name not in taken]


def complete_kinds(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[str]:
    """The generators."""
    from ..generators import KINDS

    return [kind for kind in KINDS if kind.startswith(incomplete)]


def complete_services(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """The engine's services."""
    return _of_engine(
        context,
        parameter,
        incomplete,
        lambda engine: (service.name for service in engine.services()),
    )


def complete_configs(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """The names of the engine's configs that secretkit made."""

    def names(engine: Engine) -> Iterable[str]:
        from ..rotation.objects import NAME

        return (found.labels[NAME] for found in engine.objects("config") if NAME in found.labels)

    return _of_engine(context, parameter, incomplete, names)


def _of_engine(
    context: click.Context,
    parameter: click.Parameter,
    incomplete: str,
    ask: Callable[[Engine], Iterable[str]],
) -> list[str]:
    """What an engine that answers soon says; nothing of one that does not, or fails."""
    from threading import Thread

    app = context.find_object(App) or App()
    found: list[str] = []

    def look() -> None:
        try:
            found.extend(sorted(set(ask(app.connect("completion")))))
        except (SecretkitError, OSError):
            return

    # A daemon: the program ends while it still waits.
    asking = Thread(target=look, daemon=True)
    asking.start()
    asking.join(_PATIENCE)
    taken = context.params.get(str(parameter.name)) or ()
    return [name for name in found if name.startswith(incomplete) and name not in taken]

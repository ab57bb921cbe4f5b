"""Candidates for shell completion.

Names come from a read that leaves no audit entry and asks for no passphrase: where only a
passphrase opens the store, there are none.
"""

from __future__ import annotations

import click

from ..errors import SecretkitError
from .command import App


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

"""`services`: who uses which version of a secret, once or for as long as one watches."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from ..errors import ProjectNotFoundError, SecretNotFoundError, StoreNotFoundError
from ..naming import check_name
from . import shapes
from .command import App, Command, pass_app
from .completing import complete_names
from .output import aligned

if TYPE_CHECKING:
    from ..engines.protocol import Engine
    from ..rotation.usage import Use

HEADERS = ("SERVICE", "SECRET", "VERSION", "TARGET", "TASKS", "STATE")
_LOOK = 2.0  # seconds: a task's state changes without a word about its service


@click.command(
    cls=Command,
    example="""
    $ secretkit services db-password --engine swarm
    SERVICE   SECRET        VERSION   TARGET        TASKS   STATE
    api       db-password   v2        db-password   4/4     completed
    web       db-password   v1        db-password   2/2     drift: v2 is current
    """,
)
@click.argument("name", type=check_name, required=False, shell_complete=complete_names)
@click.option("--watch", is_flag=True, help="Show it anew whenever it changes, until Ctrl-C.")
@pass_app
def services(app: App, name: str | None, watch: bool) -> None:
    """Show which services use which version of a secret, and whether their tasks run.

    TASKS are those that run with that version, of those that should. A service that is not as
    secretkit left it has drifted, and STATE says how. Without a store here, what the engine says
    of itself is shown.
    """
    from ..rotation.usage import uses

    engine = app.connect("services")
    currents = _currents(app)

    def look() -> tuple[Use, ...]:
        return uses(engine, name=name, currents=currents)

    if not watch:
        found = look()
        if name and not found and currents is not None and name not in currents:
            raise SecretNotFoundError(name)
        _show(app, found)
        return
    with contextlib.suppress(KeyboardInterrupt):
        _watch(app, engine, look)


def _currents(app: App) -> Mapping[str, int] | None:
    """The store's current versions; None where there is no store, as on a server."""
    try:
        with app.store() as store:
            return {secret.name: secret.current for secret in store.list()}
    except (ProjectNotFoundError, StoreNotFoundError):
        return None


def _show(app: App, found: Sequence[Use]) -> None:
    if app.out.json:
        app.out.document([shapes.use(one) for one in found])
    else:
        app.out.table(HEADERS, rows(found))


def rows(found: Sequence[Use]) -> list[tuple[str, ...]]:
    """The cells of the table."""
    return [
        (
            one.service,
            one.name,
            f"v{one.version}",
            one.target or "",
            f"{one.ready}/{one.wanted}",
            f"drift: {', '.join(one.drift)}" if one.drift else one.state or "",
        )
        for one in found
    ]


def _watch(app: App, engine: Engine, look: Callable[[], tuple[Use, ...]]) -> None:
    before: Sequence[Use] | None = None
    with engine.changes() as changes, _screen(app) as draw:
        while True:
            found = look()
            if found != before:
                draw(found)
                before = found
            changes.wait(_LOOK)


@contextlib.contextmanager
def _screen(app: App) -> Iterator[Callable[[Sequence[Use]], None]]:
    """Where a state is drawn: in place on a terminal, below the last one elsewhere."""
    if app.out.json:
        yield lambda found: app.out.line([shapes.use(one) for one in found])
    elif not sys.stdout.isatty():
        yield lambda found: app.out.text("\n".join(aligned(HEADERS, rows(found))) + "\n\n")
    else:
        from rich.live import Live
        from rich.text import Text

        def drawn(found: Sequence[Use]) -> Text:
            return Text("\n".join(aligned(HEADERS, rows(found))), no_wrap=True)

        with Live(auto_refresh=False) as live:
            yield lambda found: live.update(drawn(found), refresh=True)

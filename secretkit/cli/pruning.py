"""`prune` and `rm` on an engine: the object goes first, then the record of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .command import App
from .output import counted

if TYPE_CHECKING:
    from ..engines.protocol import Engine
    from ..rotation.versions import Versions


def prune_on_engine(
    app: App, versions: Versions, engine: Engine, names: Iterable[str], keep: int, dry_run: bool
) -> None:
    """Destroy what nobody needs, name by name, and say why the rest stays; or say what would go."""
    from ..rotation.usage import prune

    gone: list[tuple[str, int | None]] = []
    steps: list[str] = []
    for name in names:
        pruned = prune(versions, engine, name, keep, dry_run=dry_run)
        if dry_run and pruned.destroyed:
            steps.append(f"destroy {name} {', '.join(f'v{one}' for one in pruned.destroyed)}")
        gone += [(name, number) for number in pruned.destroyed]
        for number, why in pruned.kept:
            app.out.say(f"{'keep' if dry_run else 'kept'} {name} v{number}: {why}")
    if not dry_run:
        report_gone(app, gone)
    elif app.out.json:
        app.out.document({"steps": steps})
    else:
        for step in steps:
            app.out.data(step)


def remove_on_engine(
    app: App, versions: Versions, engine: Engine, names: Sequence[str], version: int | None
) -> None:
    """Remove secrets, or one version of one, from the engine and from the store."""
    from ..rotation.usage import remove

    objects = remove(versions, engine, names, version)
    app.out.say(f"removed {counted(len(objects), 'object')} from {engine.name}")
    report_gone(app, [(name, version) for name in names])


def report_gone(app: App, gone: Sequence[tuple[str, int | None]]) -> None:
    """What was destroyed: a version, or (None) all of a name."""
    if app.out.json:
        app.out.document([{"name": name, "version": number} for name, number in gone])
    else:
        for name, number in gone:
            app.out.data(name if number is None else f"{name} v{number}")

"""What a change will do, as steps: the same list is printed by `--dry-run` or carried out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import MountError
from .command import App

if TYPE_CHECKING:
    from ..mount import DevFolder
    from ..store import Store


class Step(NamedTuple):
    """One thing to do, in words, and the doing. What it returns is part of the result."""

    text: str
    act: Callable[[], Sequence[Any]]


def perform(app: App, steps: Sequence[Step], *, dry_run: bool) -> list[Any] | None:
    """Carry the steps out and return what they made; or print them and return None.

    A secretkit.toml that is wrong, or names an engine that is not there, stops every change.
    """
    app.check_project()
    if dry_run:
        if app.out.json:
            app.out.document({"steps": [step.text for step in steps]})
        else:
            for step in steps:
                app.out.data(step.text)
        return None
    made: list[Any] = []
    for step in steps:
        made += step.act()
    return made


def refresh_steps(app: App, store: Store, names: Collection[str] = ()) -> list[Step]:
    """The last step of every change: the dev folders that are up follow the store.

    `names` are the secrets that change; it is said where an override hides that.
    """
    from .. import mount
    from ..project import COMPOSE_OVERRIDE

    up = [str(folder.path) for folder in mount.folders(store.folder) if folder.is_up]

    def act() -> Sequence[Any]:
        try:
            refreshed = mount.refresh(store)
        except MountError as error:
            raise MountError(
                f"the store has changed, a dev folder has not: {error}",
                hint="`secretkit dev up` brings it up to date, once the cause is gone",
            ) from None
        for folder in refreshed:
            _tell_of(app, folder, names)
            warn_of_foreign(app, folder, store)
        path = store.folder / COMPOSE_OVERRIDE
        if refreshed and path.is_file():
            from ..delivery.compose import outdated

            if command := outdated(path):
                app.out.say(f"{COMPOSE_OVERRIDE} is of before: `{command}`")
        return ()

    return [Step(f"refresh {', '.join(up)}", act)] if up else []


def _tell_of(app: App, folder: DevFolder, names: Collection[str]) -> None:
    if folder.settings.mock:
        app.out.say(f"{folder.path} keeps its mock values")
        return
    app.out.say(f"refreshed {folder.path}")
    sources = folder.sources
    kept = [name for name in names if name in sources and sources[name].origin == "override"]
    if kept:
        app.out.warn(f"{folder.path} keeps the override of {', '.join(kept)}")


def warn_of_foreign(app: App, folder: DevFolder, store: Store | None) -> None:
    """Say which secrets are not in the folder, because something of the user's is at their name,
    or an override that cannot be used hides them.
    """
    from ..mount import find_overrides

    for one in find_overrides(folder.settings.overrides).complaints:
        app.out.warn(
            f"{folder.path} keeps what it has, as an override cannot be used, {one};"
            " mend it, or delete it to have the store's value"
        )
    names = [one.name for one in folder.states(store) if one.state == "foreign" and one.origin]
    if names:
        app.out.warn(
            f"{folder.path} holds what secretkit did not write, {', '.join(names)}: it stays;"
            " move it away, then `secretkit dev up`"
        )

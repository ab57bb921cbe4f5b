"""`dev up|down|status`: a folder of secret files for this machine."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from ..errors import UsageError
from .command import App, Group, Number, pass_app
from .output import counted
from .steps import warn_of_foreign

if TYPE_CHECKING:
    from ..model import Secret
    from ..mount import DevFolder, Settings
    from ..project import Layout
    from ..store import Store

# Those that are not here; a module is imported when its command is used.
dev = Group(
    "dev",
    table={
        "run": ("contained", "Run a command that sees the secrets at /run/secrets, it alone."),
        "compose": (
            "compose:dev_compose",
            "Write compose.secretkit.yaml, by which compose takes the project's secrets.",
        ),
    },
    help="A folder of secret files for this machine, as at /run/secrets.",
)

_directory = click.argument("directory", metavar="[DIR]", type=click.Path(), required=False)


class Up(NamedTuple):
    """What `bring_up` has brought up."""

    folder: DevFolder
    secrets: tuple[Secret, ...]  # of the store
    created: list[str]  # names


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options `--layout`, `--mock` and `--seed`: parameters of `settings_of`."""
    for option in (
        click.option("--seed", type=Number(0), help="Other mock values for another number."),
        click.option(
            "--mock",
            type=click.Choice(["plain", "nasty"]),
            is_flag=False,
            flag_value="plain",
            metavar="[=nasty]",
            help="Made-up values instead of the store's; nasty ones break naive programs.",
        ),
        click.option(
            "--layout",
            type=click.Choice(["swarm", "kubernetes"]),
            help="How the files lie there; default: as secretkit.toml says, else swarm.",
        ),
    ):
        command = option(command)
    return command


def settings_of(
    app: App,
    *,
    on_disk: bool = False,
    mode: str = "0444",
    layout: Layout | None = None,
    mock: Literal["plain", "nasty"] | None = None,
    seed: int | None = None,
) -> Settings:
    """The settings that the options and secretkit.toml say. Raises UsageError."""
    from ..mocks import Mock
    from ..mount import Settings

    if seed is not None and mock is None:
        raise UsageError("--seed is for mock values", hint="add --mock")
    return Settings(
        on_disk,
        _file_mode(mode),
        layout or app.project.dev_layout,
        app.project.dev_overrides,
        Mock(mock, seed or 0) if mock else None,
    )


@dev.command(
    example="""
    $ secretkit dev up
    docker run -v "$PWD/dev-secrets:/run/secrets:ro" ...
    """,
)
@_directory
@click.option("--on-disk", is_flag=True, help="A real folder, where there is no tmpfs.")
@click.option("--mode", default="0444", show_default=True, help="Of the files, octal.")
@settings_options
@pass_app
def up(app: App, /, directory: str | None, **options: Any) -> None:
    """Make the folder DIR, one file per secret, or bring it up to date.

    DIR is ./dev-secrets if secretkit.toml names no other. The files are in memory (tmpfs) and DIR
    is a link to them. Secrets that secretkit.toml declares are created from their generators first,
    and so is the store, so that a fresh clone needs this one command. Prints what to give docker.
    """
    settings = settings_of(app, **options)
    path = _place(app, directory)
    folder, _, created = bring_up(app, path, settings)
    line = f"docker run -v {_mounted_as(path)} ..."
    if app.out.json:
        document: dict[str, Any] = {
            "folder": str(folder.path),
            "place": str(folder.place),
            "on_disk": settings.on_disk,
            "secrets": dict(folder.versions),
            "created": created,
            "docker": line,
        }
        app.out.document(document)
    else:
        app.out.data(line)


@dev.command(
    example="""
    $ secretkit dev down
    """,
)
@_directory
@pass_app
def down(app: App, directory: str | None) -> None:
    """Wipe the folder DIR; without DIR, every dev folder of the project. Again is fine."""
    from .. import mount

    gone = mount.down(app.folder, Path(directory) if directory else None)
    for folder in gone:
        if folder.on_disk and folder.path.exists():
            app.out.warn(f"{folder.path} stays, with files that secretkit did not write")
    if app.out.json:
        app.out.document([str(folder.path) for folder in gone])
    elif gone:
        app.out.say(f"wiped {', '.join(str(folder.path) for folder in gone)}")
    else:
        app.out.say("no dev folder is up")


@dev.command(
    example="""
    $ secretkit dev status
    /home/ada/app/dev-secrets: up, in memory
    NAME          MOUNTED   CURRENT   STATE
    db-password   v2        v2        same
    """,
)
@pass_app
def status(app: App) -> None:
    """Show the dev folders: which version each file holds, and what differs from the store.

    States: same; behind (an earlier version is mounted); changed (not what was written); missing;
    removed (from the store); foreign (not written by secretkit). `dev up` repairs all but the last.
    """
    from .. import mount

    with app.store() as store:
        found = [
            (folder, folder.states(store) if folder.is_up else ())
            for folder in mount.folders(store.folder)
        ]
    if app.out.json:
        app.out.document(
            [
                {
                    "folder": str(folder.path),
                    "place": str(folder.place),
                    "on_disk": folder.on_disk,
                    "up": folder.is_up,
                    "secrets": [
                        {
                            "name": one.name,
                            "mounted": one.mounted,
                            "current": one.current,
                            "state": one.state,
                        }
                        for one in states
                    ],
                }
                for folder, states in found
            ]
        )
        return
    if not found:
        app.out.say("no dev folder is up; `secretkit dev up` makes one")
    for folder, states in found:
        where = "on disk" if folder.on_disk else "in memory"
        if not folder.is_up:
            app.out.data(f"{folder.path}: gone, {where}; `secretkit dev up` makes it again")
            continue
        app.out.data(f"{folder.path}: up, {where}")
        app.out.table(
            ("NAME", "MOUNTED", "CURRENT", "STATE"),
            [
                (
                    one.name,
                    f"v{one.mounted}" if one.mounted else "-",
                    f"v{one.current}" if one.current else "-",
                    one.state,
                )
                for one in states
            ],
        )


def bring_up(
    app: App,
    path: Path,
    settings: Settings,
    *,
    check: Callable[[Collection[str]], object] = len,
) -> Up:
    """Make the dev folder `path` or bring it up to date, and say so; what is declared and missing
    is created first, the store too.

    `check` is given the names of all secrets that there will be, before anything changes.
    """
    from .. import mount
    from ..project import STORE_FOLDER
    from . import git
    from .creating import create, missing

    if not (app.folder / STORE_FOLDER).exists():
        check({name for one in app.project.secrets.values() for name in one.makes})
    with _store(app) as store:
        there = {one.name for one in store.list()}
        lacking = missing(app.project, there)
        check(there.union(*(one.names for one in lacking)))
        created = create(store, lacking)
        for new in created:
            app.out.say(f"created {new.name} v1 from generator {new.generator}")
        secrets = tuple(store.list())
        folder = mount.up(store, path, on_disk=settings.on_disk, mode=settings.mode)
        warn_of_foreign(app, folder, store)
    if settings.on_disk:
        app.out.warn(
            f"{path} holds plaintext on disk: it outlives this session, backups copy it, and every"
            " user who can reach the folder reads it; `secretkit dev down` deletes it"
        )
    if git.ignores(folder.path) is False:
        app.out.warn(
            f"git does not ignore {folder.path}:"
            f" echo {folder.path.name} >> {folder.path.parent}/.gitignore"
        )
    where = "on disk" if settings.on_disk else f"in memory, {folder.place}"
    app.out.say(f"{counted(len(folder.versions), 'secret')} in {path} ({where})")
    return Up(folder, secrets, [new.name for new in created])


def contents(app: App, settings: Settings) -> dict[str, bytes]:  # noqa: ARG001
    """What a dev folder would hold now, by name. What is declared and missing is created first."""
    with _store(app) as store:
        return dict(store.read_all(action="mount"))


def _place(app: App, directory: str | None) -> Path:
    return Path(directory) if directory else app.project.dev_folder


def _store(app: App) -> Store:
    """The project's store; a fresh clone has none yet."""
    from ..project import STORE_FOLDER

    if (app.folder / STORE_FOLDER).exists():
        return app.store()
    from .init import make

    store = make(app.folder)
    from ..store.slots import default_key_path

    key = default_key_path(bytes.fromhex(store.id))
    app.out.say(f"made {STORE_FOLDER} in {app.folder}; keep a copy of its key, {key}")
    return store


def _file_mode(text: str) -> int:
    """Read permission only, and the owner's always: 0400, 0440, 0444 …"""
    valid = text.isascii() and text.isdigit() and 3 <= len(text) <= 4 and not set("89") & set(text)
    mode = int(text, 8) if valid else 0
    if not mode & 0o400 or mode & ~0o444:
        raise UsageError("--mode is for reading only", hint="0444, 0440 or 0400")
    return mode


def _mounted_as(path: Path) -> str:
    """The argument of docker's -v, in the shell's quotes; from here if it is below."""
    absolute = Path.cwd() / path
    if absolute.is_relative_to(Path.cwd()):
        below = str(absolute.relative_to(Path.cwd()))
        if shlex.quote(below) == below:
            return f'"$PWD/{below}:/run/secrets:ro"'
    return shlex.quote(f"{absolute}:/run/secrets:ro")

"""`dev up|down`: a folder of secret files for this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from ..errors import (
    NotFoundError,
    ProjectExistsError,
    SecretExistsError,
    StoreIOError,
    StoreKeyError,
    StorePermissionError,
    UsageError,
)
from .command import App, Group, Number, pass_app
from .output import counted, quoted
from .steps import warn_of_foreign

if TYPE_CHECKING:
    from ..model import Secret
    from ..mount import DevFolder, Overrides, Settings
    from ..project import Layout
    from ..store import NewSecret, Store

# Those that are not here; a module is imported when its command is used.
dev = Group(
    "dev",
    table={
        "status": ("folders", "Show the dev folders, and what is to be written anew."),
        "overrides": ("overriding", "The folder of hand-made files that win over the store."),
        "run": ("contained", "Run a command that sees the secrets at /run/secrets, it alone."),
        "watch": ("watching", "Keep the folder fresh, and a command that runs on it."),
        "compose": (
            "compose:dev_compose",
            "Write compose.secretkit.yaml, by which compose takes the project's secrets.",
        ),
    },
    help="A folder of secret files for this machine, as at /run/secrets.",
)

_directory = click.argument("directory", metavar="[DIR]", type=click.Path(), required=False)


def options_of(settings: Settings) -> str:
    """The options of `dev up` for these settings, each after a space."""
    mode, mock = f"{settings.mode:04o}", settings.mock
    return (
        (" --on-disk" if settings.on_disk else "")
        + (f" --mode {mode}" if mode != "0444" else "")
        + (f" --layout {settings.layout}" if settings.layout != "swarm" else "")
        + (f" --mock={mock.style} --seed {mock.seed}" if mock else "")
    )


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
    line = f"docker run {_mounted_as(path)} ..."
    if app.out.json:
        document: dict[str, Any] = {
            "folder": str(folder.path),
            "place": str(folder.place),
            "on_disk": settings.on_disk,
            "layout": settings.layout,
            "mock": settings.mock and settings.mock._asdict(),
            "secrets": {name: one.version for name, one in folder.sources.items()},
            "overrides": sorted(_overridden(folder)),
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
    """Wipe the folder DIR; without DIR, every dev folder of the project. Again is fine.

    A DIR that is none is an error if others are up, but for the default.
    """
    from .. import mount

    gone = mount.down(app.folder, Path(directory) if directory else None)
    if directory and not gone and Path(directory).absolute() != app.project.dev_folder.absolute():
        others = [str(one.path) for one in mount.folders(app.folder) if one.is_up]
        if others:
            raise NotFoundError(
                f"no dev folder, {Path(directory).absolute()}",
                hint=f"what is up: {', '.join(others)}",
            )
    for folder in gone:
        if folder.on_disk and folder.path.exists():
            app.out.warn(f"{folder.path} stays, with files that secretkit did not write")
    if app.out.json:
        app.out.document([str(folder.path) for folder in gone])
    elif gone:
        app.out.say(f"wiped {', '.join(str(folder.path) for folder in gone)}")
    else:
        app.out.say("no dev folder is up")


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
    from . import git

    absolute = os.path.abspath(path)
    at = Path(os.path.realpath(os.path.dirname(absolute)), os.path.basename(absolute))
    if settings.overrides and at.is_relative_to(os.path.realpath(settings.overrides)):
        raise UsageError(
            f"no place for a dev folder, {path} is for overrides",
            hint="name another folder: secretkit dev up DIR",
        )
    with _prepared(app, settings, check) as (store, created):
        secrets = tuple(store.list()) if store else ()
        before = mount.locate(app.folder, path)
        replaced = before.place if before and before.is_up else None
        folder = mount.up(app.folder, path, settings, store=store)
        warn_of_foreign(app, folder, store)
    if settings.on_disk and any(one.origin != "mock" for one in folder.sources.values()):
        app.out.warn(
            f"{path} holds plaintext on disk: it outlives this session, backups copy it, and every"
            " user who can reach the folder reads it; `secretkit dev down` deletes it"
        )
    if replaced and replaced != folder.place:
        app.out.warn(f"it is another folder now: start containers again that have {path} mounted")
    if git.ignores(folder.path) is False:
        app.out.warn(f"git does not ignore {folder.path}: {git.ignoring(folder.path)}")
    where = "on disk" if settings.on_disk else f"in memory, {folder.place}"
    app.out.say(f"{counted(len(folder.sources), 'secret')} in {path} ({where})")
    if overridden := _overridden(folder):
        app.out.say(f"overrides from {settings.overrides}: {', '.join(sorted(overridden))}")
    if settings.mock:
        which = "all other values" if overridden else "the values"
        app.out.say(f"{which} are mocks; `secretkit dev up` brings the store's")
    return Up(folder, secrets, created)


def contents(app: App, settings: Settings) -> dict[str, bytes]:
    """What a dev folder would hold now, by name. What is declared and missing is created first."""
    from .. import mount

    with _prepared(app, settings) as (store, _):
        return mount.contents(app.folder, settings, store=store)


@contextmanager
def _prepared(
    app: App, settings: Settings, check: Callable[[Collection[str]], object] = len
) -> Iterator[tuple[Store | None, list[str]]]:
    """The store with all that is declared, and the names of what had to be created for that.

    For mocks the store is looked at if it opens without a question, and nothing is created.
    """
    from .. import mount
    from ..project import STORE_FOLDER
    from .creating import create, missing

    found = mount.find_overrides(settings.overrides)
    warn_of_overrides(app, found)
    found.check()
    overridden = set(found.files)
    declared = {name for one in app.project.secrets.values() for name in one.makes}
    if settings.mock or not (app.folder / STORE_FOLDER).exists():
        with _store_at_hand(app) as store:
            there = {one.name for one in store.list()} if store else set()
            check(declared | there | overridden)
            if settings.mock:
                yield store, []
                return
    with _store(app) as store:

        def create_missing() -> list[NewSecret]:
            there = {one.name for one in store.list()}
            lacking = missing(
                *(app.project, there),
                overridden=overridden,
                otherwise="; `secretkit dev overrides` and `--mock` are for this machine alone",
            )
            check(there.union(overridden, *(one.names for one in lacking)))
            return create(store, lacking)

        try:
            created = create_missing()
        except SecretExistsError:  # somebody was quicker
            created = create_missing()
        for new in created:
            app.out.say(f"created {new.name} v1 from generator {new.generator}")
        yield store, [new.name for new in created]


@contextmanager
def _store_at_hand(app: App) -> Iterator[Store | None]:
    """The store if there is one that gives its names without a question.

    One that this user may not open is gone without. One that was changed by somebody is an error.
    """
    from ..project import STORE_FOLDER
    from ..store import Store
    from .hardening import harden

    harden()
    if not (app.folder / STORE_FOLDER).exists():
        yield None
        return
    with ExitStack() as stack:
        store: Store | None = None
        try:
            opened = stack.enter_context(Store.open(app.folder))
            opened.list()
            store = opened
        except (StoreKeyError, StorePermissionError, StoreIOError, UsageError) as error:
            why = "the store is locked" if isinstance(error, StoreKeyError) else str(error)
            app.out.say(f"{why}; what secretkit.toml declares is all that is known")
        yield store


def _overridden(folder: DevFolder) -> set[str]:
    return {name for name, one in folder.sources.items() if one.origin == "override"}


def warn_of_overrides(app: App, found: Overrides) -> None:
    """Say which files cannot be used, and what the maker of the others may not know."""
    from ..mount import is_line
    from . import git

    for one in found.passed_over:
        app.out.warn(f"not an override, {one}")
    if found.folder and found.files and git.ignores(found.folder) is False:
        mend = f"echo '*' > {quoted(str(found.folder / '.gitignore'))}"
        app.out.warn(f"git does not ignore {found.folder}: {mend}")
    for override in found.files.values():
        if is_line(override):
            app.out.warn(f"the newline at the end of {override.path} is part of the value")


def _place(app: App, directory: str | None) -> Path:
    return Path(directory) if directory else app.project.dev_folder


def _store(app: App) -> Store:
    """The project's store; a fresh clone has none yet."""
    from ..project import STORE_FOLDER

    if (app.folder / STORE_FOLDER).exists():
        return app.store()
    from .init import make

    try:
        store = make(app.folder)
    except ProjectExistsError:  # somebody was quicker
        return app.store()
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
    """The option of docker that mounts a folder, for a shell; from here if it is below.

    -v takes no colon in a path. --mount takes fields of CSV, RFC 4180 (docker/cli, opts/mount.go).
    """
    absolute = Path.cwd() / path
    if ":" in str(absolute) or not str(absolute).isprintable():
        source = f"src={absolute}"
        if set(',"\r\n') & set(source):
            source = '"' + source.replace('"', '""') + '"'
        return f"--mount {quoted(f'type=bind,{source},dst=/run/secrets,readonly')}"
    if absolute.is_relative_to(Path.cwd()):
        below = str(absolute.relative_to(Path.cwd()))
        if quoted(below) == below:
            return f'-v "$PWD/{below}:/run/secrets:ro"'
    return f"-v {quoted(f'{absolute}:/run/secrets:ro')}"

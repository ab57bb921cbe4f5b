"""`doctor`: everything that would stop this project from working here, all at once."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import SecretkitError
from .command import LOCAL, App, Command, pass_app
from .examining import ERROR, OK, WARNING, Diagnosis, look_at_engine
from .exits import FAILED
from .output import counted, quoted

if TYPE_CHECKING:
    from ..project import Project
    from ..store import Store


@click.command(
    cls=Command,
    example="""
    $ secretkit doctor
    ok        python 3.11.7
    ok        project /home/ada/app
    """,
)
@pass_app
def doctor(app: App) -> int:
    """Look at everything that would stop this project from working here; each with its remedy.

    Exits with 1 if there is an error; a warning is none.
    """
    found = list(_examine(app))
    if app.out.json:
        app.out.document([one._asdict() for one in found])
    else:
        for one in found:
            app.out.data(f"{one.state:<9} {one.what}")
            if one.hint:
                app.out.data(f"{'':<9} hint: {one.hint}")
    return FAILED if any(one.state == ERROR for one in found) else 0


def _examine(app: App) -> Iterator[Diagnosis]:
    yield Diagnosis(OK, f"python {sys.version.split()[0]}")
    yield from _look(_hardening)
    yield from _look(_memory)
    yield from _swap()
    yield from _look(_shim)
    folder = project = None
    try:
        folder = app.folder
        yield Diagnosis(OK, f"project {folder}")
        project = app.project
    except SecretkitError as error:
        yield _failure(error)
    if folder:
        yield from _git(folder)
        try:
            store = app.store()
        except SecretkitError as error:
            yield _failure(error)
        else:
            with store:
                yield from _look(_store, store)
                if project:
                    yield from _look(_declared, project, store)
                    yield from _look(_entrypoint, project, store)
                yield from _look(_dev_folders, store)
                if project and app.engine_name != LOCAL:
                    yield from _look(look_at_engine, app, store)


def _look(look: Callable[..., Iterator[Diagnosis]], *subjects: object) -> Iterator[Diagnosis]:
    """What `look` finds; an error that ends it is one more finding."""
    try:
        yield from look(*subjects)
    except SecretkitError as error:
        yield _failure(error)


def _failure(error: SecretkitError) -> Diagnosis:
    return Diagnosis(ERROR, str(error), error.hint)


def _hardening() -> Iterator[Diagnosis]:
    from .hardening import harden, is_hardened

    harden()
    if is_hardened():
        yield Diagnosis(OK, "no core dumps, no reading by other processes")
    else:
        yield Diagnosis(
            WARNING,
            "the system does not keep core dumps and debuggers from this process",
            "on Linux prctl(2) does: elsewhere use a machine that you do not share",
        )


def _memory() -> Iterator[Diagnosis]:
    from ..mount import private

    yield Diagnosis(OK, f"memory file system {private.base()}")


def _swap() -> Iterator[Diagnosis]:
    with contextlib.suppress(OSError):
        swaps = Path("/proc/swaps").read_text().splitlines()[1:]
        disks = [line.split()[0] for line in swaps if not line.startswith("/dev/zram")]
        if disks:
            yield Diagnosis(
                WARNING,
                f"swap is on, {', '.join(disks)}: what is in memory can reach the disk",
                "encrypt the swap, or turn it off: swapoff -a",
            )


def _shim() -> Iterator[Diagnosis]:
    from ..delivery.shim import command

    words = [*command(), "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode == 0:
        yield Diagnosis(OK, f"shim {done.stdout.strip()}")
    else:
        yield Diagnosis(ERROR, "the shim does not start", "install secretkit again")


def _git(folder: Path) -> Iterator[Diagnosis]:
    """Nothing of the store, a dev folder or its overrides may be in version control."""
    from .. import mount
    from ..project import STORE_FOLDER
    from . import git

    private = [folder / STORE_FOLDER] if (folder / STORE_FOLDER).exists() else []
    ups = mount.folders(folder)
    private += [one.path for one in ups if os.path.lexists(one.path)]
    private += sorted({path for one in ups if (path := one.settings.overrides) and path.is_dir()})
    for path in private:
        if git.tracks(path):
            yield Diagnosis(
                ERROR,
                f"{path.name} is in version control",
                f"git rm -r --cached {quoted(path.name)}; whoever has a copy of a store and the key"
                " reads it",
            )
        elif git.ignores(path) is False:
            yield Diagnosis(
                ERROR,
                f"git does not ignore {path.name}",
                git.ignoring(path),
            )
        elif git.ignores(path):
            yield Diagnosis(OK, f"git ignores {path.name}")


def _store(store: Store) -> Iterator[Diagnosis]:
    from ..store.files import check_private_folder, keys_folder

    secrets = store.list()
    yield Diagnosis(OK, f"store {store.path}, {counted(len(secrets), 'secret')}")
    check_private_folder(keys_folder())
    chosen = os.environ.get("SECRETKIT_KEY_FILE")
    for key in filter(None, (chosen, str(keys_folder() / f"{store.id}.key"))):
        if Path(key).resolve().is_relative_to(store.folder):
            yield Diagnosis(
                ERROR,
                f"the key is inside the project, {key}",
                "whoever gets the folder gets the key with it: move it, and name it with"
                " SECRETKIT_KEY_FILE",
            )


def _declared(project: Project, store: Store) -> Iterator[Diagnosis]:
    have = {secret.name for secret in store.list()}
    for one in project.secrets.values():
        for name in one.makes:
            if name not in have:
                remedy = "secretkit dev up" if one.generate else f"secretkit create {name}"
                yield Diagnosis(
                    ERROR, f"declared and not created, {name}", f"`{remedy}` creates it"
                )


def _entrypoint(project: Project, store: Store) -> Iterator[Diagnosis]:
    """Secrets and templates that [entrypoint] names."""
    have = {secret.name for secret in store.list()}
    table = project.entrypoint
    optional = set(table.get("optional", []))
    # `db#/user` and `db|base64d` are about the secret db.
    named = {re.split("[#|]", one)[0] for one in _named(table) if one not in optional}
    for name in sorted(named - have - optional):
        yield Diagnosis(
            ERROR,
            f"[entrypoint] needs a secret that is not there, {name}",
            f"secretkit create {name}",
        )
    for entry in table.get("render", []):
        source = project.folder / entry["source"]
        if not source.is_file():
            yield Diagnosis(
                ERROR,
                f"[[entrypoint.render]] needs a template that is not there, {source}",
                "write it, or correct its path in secretkit.toml",
            )


def _named(table: Mapping[str, Any]) -> Iterator[str]:
    """Every secret, or value in one, that [entrypoint] names."""
    for key in ("env", "fd"):
        yield from table.get(key, {}).values()
    for key in ("require", "arg"):
        yield from table.get(key, [])
    if "stdin" in table:
        yield table["stdin"]
    for entry in table.get("keystore", []):
        yield from (entry[key] for key in ("key", "cert", "ca", "password") if key in entry)


def _dev_folders(store: Store) -> Iterator[Diagnosis]:
    from .. import mount
    from .dev import options_of

    for folder in mount.folders(store.folder):
        again = f"secretkit dev up {quoted(str(folder.path))}{options_of(folder.settings)}"
        if not folder.is_up:
            yield Diagnosis(WARNING, f"the dev folder is gone, {folder.path}", again)
            continue
        odd = [one.name for one in folder.states(store) if one.state not in ("same", "foreign")]
        if odd:
            yield Diagnosis(
                WARNING, f"{folder.path} differs from the store, {', '.join(odd)}", again
            )
        else:
            yield Diagnosis(OK, f"dev folder {folder.path}")

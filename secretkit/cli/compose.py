"""`compose sync`, also as `dev compose`: the dev folder, and an override file for compose."""

from __future__ import annotations

import copy
import os
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from ..errors import SecretkitError, UsageError
from . import shapes
from .command import App, Command, Group, pass_app

if TYPE_CHECKING:
    from ..delivery.compose import Override

compose = Group("compose", help="The project's secrets for docker compose, on this machine.")


def _complete_services(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """The services that use secrets."""
    from ..delivery import compose_files

    try:
        files = context.params["files"] or compose_files.default_files(Path.cwd(), os.environ)
        uses = compose_files.load([str(file) for file in files], os.environ).uses
    except (SecretkitError, OSError):
        return []
    names = dict.fromkeys(use.service for use in uses if use.kind == "secret")
    taken = context.params.get(str(parameter.name)) or ()
    return [name for name in names if name.startswith(incomplete) and name not in taken]


@compose.command(
    example="""
    $ secretkit compose sync
    secretkit: 2 secrets in /home/ada/app/dev-secrets (in memory, /run/user/1000/secretkit/…)
    secretkit: wrote compose.secretkit.yaml, for api, worker
    docker compose -f compose.yaml -f compose.secretkit.yaml up -d
    """,
)
@click.option(
    *("-f", "--file", "files"),
    metavar="FILE",
    type=click.Path(),
    multiple=True,
    help="A compose file, in compose's order; default: those that it takes by itself.",
)
@click.option("--on-disk", is_flag=True, help="A real dev folder, where there is no tmpfs.")
@click.option(
    "--live",
    metavar="[=SERVICE]",
    is_flag=False,
    flag_value="*",  # delivery.compose.EVERY
    multiple=True,
    shell_complete=_complete_services,
    help="Mount the folder itself, so that a running container sees what changes; default: into"
    " each service that it fits.",
)
@pass_app
def sync(app: App, files: Sequence[str], on_disk: bool, live: Sequence[str]) -> None:
    """Write compose.secretkit.yaml, by which compose takes the project's secrets, and their folder.

    The dev folder is made, or brought up to date, as by `dev up`. The file goes beside the first
    compose file: it gives each secret that the project has its file in that folder, and each
    service that uses one a label with the version, so that `up` recreates what has a changed secret
    and nothing else. Run it again after a rotation; services of --live need that no more, as they
    have all of the folder. Prints the line that starts the services.
    """
    from .. import mount
    from ..delivery import compose as delivery
    from ..delivery import compose_files
    from ..project import COMPOSE_OVERRIDE
    from .dev import bring_up, settings_of

    here = Path.cwd()
    # Not of this folder with -f, as in compose.
    around = os.environ if files else _variables(app, here, os.environ)
    given = [_from_here(path) for path in files or compose_files.default_files(here, around)]
    paths = [path for path in given if Path(path).name != COMPOSE_OVERRIDE]
    if not paths:
        raise UsageError("no compose file is named but our own", hint="name yours: -f compose.yaml")
    beside = Path(paths[0]).parent
    stack = compose_files.load(paths, _variables(app, beside, around))
    place = app.project.dev_folder
    before = mount.locate(app.folder, place)
    settings = before.settings if before else settings_of(app)
    settings = settings._replace(on_disk=on_disk or settings.on_disk)
    path = beside / COMPOSE_OVERRIDE
    delivery.check_is_ours(path)
    check = partial(delivery.check, stack, live)
    folder, secrets, created = bring_up(app, place, settings, check=check)
    found = folder.place.stat()
    seen = delivery.Folder(
        _seen_from(beside, folder.path),
        settings.mode,
        delivery.stamps(secrets, folder.sources),
        f"{found.st_dev:x}-{found.st_ino:x}",
    )
    override = delivery.plan(stack, seen, live)
    changed = delivery.write(path, override.text)
    _tell(app, override)
    if changed:
        app.out.say(f"wrote {path}, for {', '.join(override.services)}")
    else:
        app.out.say(f"{path} is up to date")
    # What COMPOSE_FILE names, compose takes by itself.
    words = [] if not files and len(paths) < len(given) else [*paths, str(path)]
    line = shlex.join(["docker", "compose", *(word for one in words for word in ("-f", one))])
    if app.out.json:
        document: dict[str, Any] = {
            "file": os.path.abspath(path),
            "changed": changed,
            "folder": str(folder.path),
            "created": created,
            "secrets": dict(override.secrets),
            "services": {name: list(names) for name, names in override.services.items()},
            "live": list(override.live),
            "left_alone": [one.key for one in override.unknown],
            "findings": [shapes.finding(found) for found in override.findings],
            "up": f"{line} up -d",
        }
        app.out.document(document)
    else:
        app.out.data(f"{line} up -d")


# Under a second name, where who works with dev folders looks for it.
dev_compose = cast(Command, copy.copy(sync))
dev_compose.name = "compose"
dev_compose.example = """
    $ secretkit dev compose --live
    secretkit: 2 secrets in /home/ada/app/dev-secrets (in memory, /run/user/1000/secretkit/…)
    secretkit: api, worker: all of the folder, in which a running container sees what changes
    secretkit: wrote compose.secretkit.yaml, for api, worker
    docker compose -f compose.yaml -f compose.secretkit.yaml up -d
    """


def _variables(app: App, folder: Path, around: Mapping[str, str]) -> Mapping[str, str]:
    """What compose puts in place of `${NAME}`: the environment over the `.env` of `folder`."""
    from ..delivery.envfile import read

    path = folder / ".env"
    if not path.is_file():
        return around
    try:
        return {**read(_from_here(path), around), **around}
    except UsageError as error:
        app.out.warn(f"{error}; no variable of {_from_here(path)} is used")
        return around


def _tell(app: App, override: Override) -> None:
    """What the override does not reach, with the lines."""
    for one in override.unknown:
        said = f"{one.place}: not a secret of this project, {one.name or one.key}: left as it is"
        if one.origin == "external":
            app.out.warn(f"{said}, and compose has no external ones")
        else:
            app.out.say(said)
    for service, reason in override.not_live.items():
        app.out.warn(f"{reason}, so service {service} has files, which it sees change after `up`")
    if override.live:
        names = ", ".join(override.live)
        app.out.say(f"{names}: all of the folder, in which a running container sees what changes")
    for found in override.findings:
        app.out.warn(f"{found.place}: {found.message}; {found.remedy}")


def _from_here(path: str | Path) -> str:
    """A path as the user would write it."""
    return os.path.relpath(path) if os.path.isabs(path) else str(path)


def _seen_from(beside: Path, folder: Path) -> str:
    """`folder` as compose finds it from the folder `beside`, without a path of this machine.

    Only above a link that is no use: compose takes `..` from the path as it is written.
    """
    real = beside.resolve()
    relative = os.path.relpath(folder, real)
    if not relative.startswith(".."):
        return f"./{relative}"
    return relative if real == Path(os.path.abspath(beside)) else str(folder)

"""`render`: templates by the shim's own code, with the store's current values."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from ..errors import SecretkitError, UsageError
from ..project import Project
from .command import App, Command, pass_app
from .exits import FAILED
from .running import current_values, write_private

_PREFIX = "secretkit-entrypoint: error: "
_CONFIG = "entrypoint.json"  # an empty one, in place of the machine's


class _Rendering(NamedTuple):
    """One SRC:DEST[,setting=…]."""

    source: str
    destination: str
    settings: str  # ",format=yaml,mode=0400", or ""

    def option(self, destination: str | Path | None = None) -> str:
        """The shim's argument, to another destination if one is given."""
        return f"{self.source}:{destination or self.destination}{self.settings}"


@click.command(
    cls=Command,
    example="""
    $ secretkit render app.conf:/dev/shm/app.conf
    /dev/shm/app.conf
    """,
)
@click.argument("renderings", metavar="[SRC:DEST[,format=F][,mode=0400]]...", nargs=-1)
@click.option("--check", is_flag=True, help="Report every problem, and write nothing.")
@click.option("--diff", is_flag=True, help="Show what would change, masked, and write nothing.")
@click.option("--allow-disk", is_flag=True, help="Also where a file outlives this session.")
@pass_app
def render(
    app: App, renderings: tuple[str, ...], check: bool, diff: bool, allow_disk: bool
) -> int | None:
    """Render templates with the current values; without arguments, those of [[entrypoint.render]].

    The code is the shim's, so a file is the same here and in a container. A diff shows lines of the
    template as they stand there, and masks every other.
    """
    wanted = [_parse(text) for text in renderings] or _declared(app.project)
    disk = ["--allow-disk"] * (allow_disk or bool(app.project.entrypoint.get("allow_disk")))
    with current_values(app) as folder:
        secrets = folder / "secrets"
        write_private(folder / _CONFIG, b"{}")
        options = [one.option() for one in wanted]
        if not _shim(app, secrets, options, disk, check=check or diff):
            return FAILED
        if not diff:
            _report(app, wanted, check=check)
            return None
        from .masking import masked_diff

        changes = []
        for number, one in enumerate(wanted):
            real = _scratch(folder, number, one)
            if not _shim(app, secrets, [one.option(real)], [], check=False):
                return FAILED
            source, before = _content(Path(one.source)), _content(Path(one.destination))
            lines = masked_diff(one.destination, source, before, real.read_bytes())
            changes.append((one.destination, lines))
    _report_changes(app, changes)
    return None


def _parse(text: str) -> _Rendering:
    files, comma, settings = text.partition(",")
    source, _, destination = files.partition(":")
    if not source or not destination:
        raise UsageError("a rendering is SRC:DEST", hint="for example app.conf:/run/app.conf")
    return _Rendering(source, destination, comma + settings)


def _declared(project: Project) -> list[_Rendering]:
    """[[entrypoint.render]], with relative paths from the project folder."""
    found = [
        _Rendering(
            str(project.folder / entry["source"]),
            str(project.folder / entry["destination"]),
            "".join(f",{key}={entry[key]}" for key in ("format", "mode", "owner") if key in entry),
        )
        for entry in project.entrypoint.get("render", [])
    ]
    if not found:
        raise UsageError(
            "nothing to render", hint="name SRC:DEST, or write [[entrypoint.render]] in the file"
        )
    return found


def _shim(
    app: App, secrets: Path, options: Sequence[str], disk: Sequence[str], *, check: bool
) -> bool:
    """Let the shim render; its complaints become ours. Returns whether there were none."""
    from ..delivery.shim import command

    config = str(secrets.parent / _CONFIG)
    words = [*command(), "--config", config, "--secrets-dir", str(secrets), "--no-env", *disk]
    for option in options:
        words += ["--render", option]
    words += ["--check"] if check else ["--", sys.executable, "-ISc", ""]
    # What a variable says would be rendered as well.
    environ = {k: v for k, v in os.environ.items() if not k.startswith("SECRETKIT_")}
    done = subprocess.run(  # noqa: S603 - an argv of ours
        words,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    for line in done.stderr.splitlines():
        # Not what --check adds for a container: its warnings and its remedies.
        if line.startswith(_PREFIX):
            app.out.error(line.removeprefix(_PREFIX))
    return done.returncode == 0


def _scratch(folder: Path, number: int, one: _Rendering) -> Path:
    """A place in memory with the destination's name, whose suffix may say the format."""
    place = folder / f"real-{number}"
    place.mkdir(mode=0o700)
    return place / Path(one.destination).name


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise SecretkitError(f"cannot read {path}, {str(error.strerror).lower()}") from None


def _report(app: App, wanted: Sequence[_Rendering], *, check: bool) -> None:
    paths = [one.destination for one in wanted]
    if app.out.json:
        app.out.document({"rendered": [] if check else paths, "checked": paths})
    elif check:
        app.out.say(f"nothing stands in the way of {', '.join(paths)}")
    else:
        for path in paths:
            app.out.data(path)


def _report_changes(app: App, changes: Sequence[tuple[str, list[str]]]) -> None:
    if app.out.json:
        app.out.document(
            [
                {"destination": path, "changed": bool(lines), "diff": lines}
                for path, lines in changes
            ]
        )
        return
    for path, lines in changes:
        if not lines:
            app.out.say(f"no change in {path}")
        for line in lines:
            app.out.data(line)

"""`shim`: the entrypoint shim as files for an image, and what a script becomes under it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ConflictError, NotFoundError, UsageError
from .command import App, Group, pass_app

if TYPE_CHECKING:
    from ..delivery.scripts.conversion import Conversion

shim = Group("shim", help="The entrypoint shim, as files.")


@shim.command(
    example="""
    $ secretkit shim export shim
    COPY shim /opt/secretkit
    """,
)
@click.argument("directory", metavar="DIR", type=click.Path())
@click.option("--force", is_flag=True, help="Replace files that differ.")
@click.option("--with-jinja2", is_flag=True, help="Add Jinja2, for templates with blocks.")
@pass_app
def export(app: App, directory: str, force: bool, with_jinja2: bool) -> None:
    """Copy the shim into DIR: a launcher and its package, for `COPY` in a Dockerfile.

    Prints the lines for a Dockerfile in this folder. The shim needs Python 3.6 or later, and
    nothing else; Jinja2 only for templates *.j2 that have more than {{ name }}.
    """
    from ..delivery.shim import dockerfile, jinja2_version
    from ..delivery.shim import export as copy

    target = Path(directory)
    paths = copy(target, force=force, with_jinja2=with_jinja2)
    added = f", with Jinja2 {jinja2_version()}" if with_jinja2 else ""
    app.out.say(f"{len(paths)} files in {directory}{added}")
    if app.out.json:
        app.out.document([str(path) for path in paths])
        return
    if not target.resolve().is_relative_to(Path.cwd()):
        app.out.say(f"{directory} is not in this folder: COPY takes what is in the build's folder")
    for line in dockerfile(target):
        app.out.data(line)


@shim.command(
    example="""
    $ secretkit shim convert entrypoint.sh
    [entrypoint]
    env = { DB_PASSWORD = "db_password" }
    """,
)
@click.argument("script", metavar="SCRIPT|-", type=click.Path())
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(),
    help="Write the table there, and templates that the script has in itself beside it.",
)
@pass_app
def convert(app: App, script: str, output: str | None) -> None:
    """Print the [entrypoint] table that does what an entrypoint script does.

    Says on stderr, with its line, what is not translated because it is not certain, and what goes
    wrong in the script as it is.
    """
    from ..delivery.scripts.conversion import toml
    from ..delivery.scripts.convert import convert as translate

    made = translate("stdin" if script == "-" else script, _content(script))
    if output:
        target = Path(output)
        _write({target: toml(made), **{target.parent / n: t for n, t in made.templates.items()}})
    if app.out.json:
        app.out.document(_shape(made))
    elif not output:
        app.out.text(toml(made))
    if app.out.json:
        return
    for found in made.findings:
        app.out.say(f"{found.place}: {found.severity}: {found.message} [{found.rule}]")
        app.out.say(f"    {found.remedy}")
    for name in made.templates if not output else ():
        app.out.say(f"the template {name} is in the script: --output FILE writes it beside FILE")


def _content(script: str) -> str:
    """The text of a script. Raises UsageError for bytes that are no UTF-8: TOML holds none."""
    if script == "-":
        if sys.stdin.isatty():
            raise UsageError("stdin is a terminal", hint="name the script")
        return _decoded("stdin", sys.stdin.buffer.read())
    path = Path(script)
    if not path.exists():
        raise NotFoundError(f"no such file, {script}", hint="name the script of ENTRYPOINT")
    if not path.is_file():
        raise UsageError(f"not a regular file, {script}", hint="name the script of ENTRYPOINT")
    return _decoded(script, path.read_bytes())


def _decoded(script: str, content: bytes) -> str:
    try:  # a program of zeros and ones is refused as what it is
        return content.decode(errors="replace" if b"\0" in content else "strict")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    raise UsageError(
        f"cannot convert {script}:{line}, not UTF-8",
        hint="iconv -f latin1 -t utf-8 writes it so, if that is what it is in",
    )


def _write(files: dict[Path, str]) -> None:
    """Write all of them, or none if one is in the way and differs."""
    taken = [str(path) for path, text in files.items() if path.exists() and not _has(path, text)]
    if taken:
        raise ConflictError(
            f"not overwriting {', '.join(taken)}", hint="choose another FILE, or leave --output out"
        )
    for folder in {path.parent for path in files if not path.parent.is_dir()}:
        raise NotFoundError(f"no such folder, {folder}", hint="make it, or choose another FILE")
    for path, text in files.items():
        path.write_text(text)


def _has(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _shape(made: Conversion) -> dict[str, object]:
    from .shapes import finding

    keys = ("source", "destination", "mode", "owner")
    render = [
        {key: getattr(one, key) for key in keys if getattr(one, key)} for one in made.renderings
    ]
    return {
        "entrypoint": {**made.table, **({"render": render} if render else {})},
        "dockerfile": made.instructions,
        "replacements": [
            {"template": name, "written": change.written, "write": change.write}
            for name, change in made.replacements
        ],
        "templates": made.templates,
        "findings": [finding(one) for one in made.findings],
    }

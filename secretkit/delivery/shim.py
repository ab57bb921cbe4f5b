"""The shim as files: where they are, how to start them, how to copy them for an image.

The shim is run or copied and never imported, so that a value is rendered by the same code on a
laptop and in a container.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path

from secretkit.errors import ConflictError, NotFoundError, SecretkitError

LAUNCHER = "secretkit-entrypoint"
PACKAGE = "secretkit_entrypoint"


def locate() -> Path:
    """The folder that holds the launcher and its package.

    In a wheel that is `secretkit/entrypoints`, in a checkout `entrypoints` beside the package.
    Raises NotFoundError if neither is complete.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "entrypoints", package.parent / "entrypoints"):
        if (folder / LAUNCHER).is_file() and (folder / PACKAGE / "__init__.py").is_file():
            return folder
    raise NotFoundError(
        f"the files of {LAUNCHER} are not beside {package}", hint="install secretkit again"
    )


def command(python: str = sys.executable) -> list[str]:
    """The start of an argv that runs the shim from here under `python`.

    Isolated, without the site module and writing no bytecode, as in a container. A template that
    needs the real Jinja2 still finds the one installed for `python`: the shim loads site then.
    """
    return [python, "-ISB", str(locate() / LAUNCHER)]


def export(directory: Path, *, force: bool = False, with_jinja2: bool = False) -> tuple[Path, ...]:
    """Copies launcher and package into `directory`, which is made if it is missing.

    `with_jinja2` adds the Jinja2 that is installed here, with its licence, as the folder `jinja2`.
    Returns the paths written, the launcher (mode 0755) first, other files (0644) after it. A
    file that is there already with the same content is left alone and counts as written.
    Raises ConflictError, before anything is written, if a file is in the way that differs; with
    `force` it is replaced. Raises SecretkitError if `directory` cannot be written.
    """
    source = locate()
    modules = sorted((source / PACKAGE).rglob("*.py"))
    pairs = [(path, directory / path.relative_to(source)) for path in (source / LAUNCHER, *modules)]
    if with_jinja2:
        pairs += [(path, directory / "jinja2" / path.name) for path in _jinja2()]
    try:
        in_the_way = [
            str(target) for path, target in pairs if not _replaceable(path, target, force)
        ]
        if in_the_way:
            raise ConflictError(
                f"not overwriting {', '.join(in_the_way)}",
                hint="choose an empty directory, or say --force",
            )
        for path, target in pairs:
            _make(target.parent, directory)
            _copy(path, target)
    except OSError as error:
        raise SecretkitError(
            f"cannot export the shim to {directory}: {error.strerror}: {error.filename}",
            hint="choose a directory that you can write to",
        ) from None
    return tuple(target for _, target in pairs)


def dockerfile(directory: Path) -> tuple[str, ...]:
    """The lines that bring an exported shim into an image. The build context is this folder; of a
    `directory` elsewhere, COPY gets the name.
    """
    path, here = directory.resolve(), Path.cwd()
    name = str(path.relative_to(here) if path.is_relative_to(here) else path.name)
    plain = name.isprintable() and not set(name) & set(" \t\"'\\$*?[")
    start = ["python3", "-ISB", f"/opt/secretkit/{LAUNCHER}"]
    return (
        f"COPY {name} /opt/secretkit" if plain else f"COPY {json.dumps([name, '/opt/secretkit'])}",
        f"RUN {json.dumps([*start, '--compile'])}",
        f"ENTRYPOINT {json.dumps([*start, '--'])}",
    )


def jinja2_version() -> str:
    """The version that `export` adds."""
    from importlib.metadata import version

    return version("jinja2")


def _jinja2() -> list[Path]:
    """The licence and the modules of the Jinja2 installed here. It needs MarkupSafe, but the shim
    has what it needs of that (jinja_unused.py).

    Raises NotFoundError if either is missing.
    """
    from importlib.metadata import PackageNotFoundError, files

    try:
        named = [(path, path.name.upper()) for path in files("jinja2") or ()]
    except PackageNotFoundError:
        named = []
    licences = [path for path, name in named if name.startswith(("LICENSE", "LICENCE", "COPYING"))]
    modules = [
        path for path, name in named if path.parent.name == "jinja2" and path.suffix == ".py"
    ]
    if not licences or not modules:
        raise NotFoundError(
            "Jinja2 and its licence are not installed here", hint="pip install --force jinja2"
        )
    return [Path(str(path.locate())) for path in (*licences, *modules)]


def _make(folder: Path, top: Path) -> None:
    """A folder that the users of an image may look into, whatever the umask; `top` is the user's
    own if it is there already."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(0o755)
    elif folder != top:
        folder.chmod(0o755)


def _replaceable(path: Path, target: Path, force: bool) -> bool:
    """Whether `target` is free, the same file already, or (with force) a file to replace."""
    if not os.path.lexists(target):
        return True
    if target.is_symlink() or not target.is_file():
        return False
    return force or target.read_bytes() == path.read_bytes()


def _copy(path: Path, target: Path) -> None:
    """Replaces `target` in one rename, so that a shim in use is never half a file."""
    staged = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        staged.write_bytes(path.read_bytes())
        staged.chmod(0o755 if path.name == LAUNCHER else 0o644)
        staged.replace(target)
    finally:
        staged.unlink(missing_ok=True)

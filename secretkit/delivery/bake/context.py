"""The folder that a build reads: Dockerfile, shim, entrypoint.json, templates. And the build."""

from __future__ import annotations

import io
import json
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from secretkit import mocks
from secretkit.errors import (
    ConflictError,
    EngineError,
    NotFoundError,
    ProjectNotFoundError,
    SecretkitError,
    UsageError,
)
from secretkit.project import STORE_FOLDER, find_folder, load
from secretkit.project.reading import DEV_FOLDER

from .. import shim
from . import dockerfile
from .recipe import LARGEST, Recipe

if TYPE_CHECKING:
    from secretkit.engines.images import Images

NAME_IT = "name the secret there instead: <<db-password>>"  # of a template with a mock in it


def read_templates(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    """The templates of a recipe, files in `folder`, by their names.

    Raises UsageError for one outside of it, or in a store or a dev folder: what is there is no
    template. Raises MockError for one with a mock in it, NotFoundError for one that is no file.
    """
    root = folder.resolve()
    found = {}
    for name in names:
        try:
            path = (root / name).resolve()
        except (RuntimeError, ValueError):  # links in a circle; a zero byte
            raise NotFoundError(f"no template {name} in {folder}") from None
        among_secrets = {STORE_FOLDER, DEV_FOLDER} & {*path.parts} or any(
            path.is_relative_to(one) for one in _dev_folders(path)
        )
        if among_secrets or not path.is_relative_to(root):
            raise UsageError(
                f"{name} cannot be a template of an image: it is outside of {folder}, or among"
                " secrets",
                hint="templates are files of the project; values come at the start",
            )
        if not path.is_file():
            raise NotFoundError(
                f"no template {name} in {folder}",
                hint="for a file of the image write its absolute path",
            )
        with path.open("rb") as file:
            found[name] = file.read(LARGEST + 1)
        if len(found[name]) > LARGEST:
            raise UsageError(f"the template {name} is larger than 1 MiB")
        mocks.refuse(f"template {name}", found[name], NAME_IT)
    return found


def _dev_folders(path: Path) -> Iterator[Path]:
    """Those of every project that a file is in: as secretkit.toml names them, and all that are up;
    and the folders of overrides.
    """
    from secretkit.mount import folders

    for above in path.parents:
        try:
            project = find_folder(above)
        except ProjectNotFoundError:
            return
        if project == above:
            said = load(project)
            yield from (said.dev_folder.resolve(), said.dev_overrides.resolve())
            yield from (one.path.resolve() for one in folders(project))


def write(
    recipe: Recipe,
    templates: Mapping[str, bytes],
    directory: Path,
    *,
    force: bool = False,
    with_jinja2: bool = False,
) -> tuple[Path, ...]:
    """Writes the folder, the Dockerfile first; what is there with the same content stays.

    Raises ConflictError, before anything is written, if a file differs; with `force` it is
    replaced. A link in the folder is a conflict in any case: what it leads to is not ours.
    Raises SecretkitError if the folder cannot be written.
    """
    files = {
        directory / "Dockerfile": dockerfile.text(recipe).encode(),
        directory / ".dockerignore": dockerfile.IGNORE.encode(),
    }
    if recipe.table:
        files[directory / "entrypoint.json"] = json.dumps(recipe.table, indent=2).encode() + b"\n"
    for name, content in templates.items():
        files[directory / "templates" / name] = content
    try:
        links = [str(path) for path in _links(directory)]
        if links:
            raise ConflictError(
                f"not writing through links, {', '.join(links)}", hint="choose an empty directory"
            )
        differ = [
            str(path)
            for path, content in files.items()
            if os.path.lexists(path) and (not path.is_file() or path.read_bytes() != content)
        ]
        if differ and not force:
            raise ConflictError(
                f"not overwriting {', '.join(differ)}",
                hint="choose an empty directory, or say --force",
            )
        copied = shim.export(directory / "shim", force=force, with_jinja2=with_jinja2)
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for path in (*files, *copied):
            # For every user of the image, whatever the umask; COPY keeps modes.
            for folder in path.parents:
                if folder != directory and folder.is_relative_to(directory):
                    folder.chmod(0o755)
            if path in files:
                path.chmod(0o644)
    except OSError as error:
        raise SecretkitError(
            f"cannot write {error.filename or directory}: {(error.strerror or 'I/O error').lower()}"
        ) from None
    return (*files, *copied)


def _links(directory: Path) -> Iterator[Path]:
    """The links at or below what is written in a folder."""
    for name in ("Dockerfile", ".dockerignore", "entrypoint.json", "shim", "templates"):
        path = directory / name
        below = () if path.is_symlink() else path.rglob("*")
        yield from (one for one in (path, *below) if one.is_symlink())


def build(
    images: Images,
    recipe: Recipe,
    templates: Mapping[str, bytes],
    *,
    with_jinja2: bool = False,
    step: Callable[[int, int], None] | None = None,
) -> str:
    """Builds the recipe; returns the image's id. It has no name yet.

    Raises EngineError if the build fails, or if the image's name came to mean another one.
    """
    made = images.build(tar(recipe, templates, with_jinja2=with_jinja2), step)
    layers = images.inspect(made)["RootFS"]["Layers"]
    if tuple(layers[: len(recipe.image.layers)]) != recipe.image.layers:
        raise EngineError(
            f"{recipe.image.name} became another image while it was baked", hint="bake it again"
        )
    return made


def tar(recipe: Recipe, templates: Mapping[str, bytes], *, with_jinja2: bool = False) -> bytes:
    """The folder as the engine takes it: of root, the same bytes for the same content."""
    packed = io.BytesIO()
    with (
        tempfile.TemporaryDirectory(prefix="secretkit-bake-") as name,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        folder = Path(name)
        write(recipe, templates, folder, with_jinja2=with_jinja2)
        for path in sorted(folder.rglob("*")):
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            if path.is_dir():
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
                continue
            content = path.read_bytes()
            entry.size = len(content)
            entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()

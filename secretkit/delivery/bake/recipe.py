"""What is to be built: an image's facts, the shim's options and the project give a Recipe.

Nothing here reads a file or asks an engine but through what it is given.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from secretkit.errors import ConflictError, NotFoundError, UsageError

from ..shim import LAUNCHER
from . import options as shim_options
from .image import Image, Python
from .options import Entry, Option

if TYPE_CHECKING:
    from secretkit.engines.images import Entry as Found

SHIM = "/opt/secretkit"
CONFIG = "/etc/secretkit/entrypoint.json"
TEMPLATES = "/etc/secretkit/templates"  # of the project
ORIGINALS = "/etc/secretkit/originals"  # of the image, moved out of the way
# A tmpfs of mode 1777 in every container, also with a read-only root (moby, oci/defaults.go).
MEMORY = "/dev/shm"  # noqa: S108 - in the image
Look = Callable[[str], "Found | None"]  # what a path in the image leads to


class Wish(NamedTuple):
    """What is asked for, beside the image."""

    options: tuple[Option, ...] = ()
    table: Mapping[str, Any] = {}  # [entrypoint]
    tmpfs: tuple[str, ...] = ()  # folders in which the user mounts memory


class Step(NamedTuple):
    """What the build does for one file, in this order."""

    moved: tuple[str, str] | None = None  # a template: from, to
    folder: str | None = None  # to make
    removed: str | None = None  # what is in the link's place
    link: tuple[str, str] | None = None  # its path, what it leads to


class Recipe(NamedTuple):
    """An image to build."""

    image: Image
    python: Python
    options: tuple[Option, ...]  # as they stand in the ENTRYPOINT
    table: Mapping[str, Any]  # what entrypoint.json says
    templates: tuple[str, ...]  # files of the project, relative
    steps: tuple[Step, ...]

    @property
    def start(self) -> tuple[str, ...]:
        """What starts the shim."""
        return (self.python.path, "-ISB", f"{SHIM}/{LAUNCHER}")

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """The ENTRYPOINT to be."""
        words = (word for option in self.options for word in option.words)
        return (*self.start, *words, "--", *self.image.entrypoint)


def decide(image: Image, python: Python, wish: Wish, look: Look) -> Recipe:
    """The recipe for an image.

    A destination that is not in memory becomes a link to a file that is. Raises ConflictError for
    an image that is baked already or in whose volumes something would have to be, UsageError and
    NotFoundError for files that cannot be had.
    """
    if image.os != "linux":
        raise UsageError(f"{image.name} is for {image.os}", hint="the shim runs on linux")
    if image.is_baked:
        raise ConflictError(
            f"{image.name} has the shim already, in its ENTRYPOINT",
            hint="bake the image that it was made from",
        )
    for path in (SHIM, CONFIG):
        _refuse_volume(image, path, f"start from an image without VOLUME {path}")
    places = _Places(image, wish, look)
    files = {entry: places.place(entry) for entry in places.entries}
    options, table = shim_options.with_files(wish.options, wish.table, files)
    return Recipe(
        image, python, tuple(options), table, tuple(places.templates), tuple(places.steps())
    )


class _Places:
    """Where each file of a start is in the image and in memory."""

    def __init__(self, image: Image, wish: Wish, look: Look) -> None:
        self.image = image
        self.look = look
        self.memory = (MEMORY, *wish.tmpfs)
        self.entries = list(dict.fromkeys(shim_options.entries(wish.options, wish.table)))
        self.templates: dict[str, None] = {}
        self.moved: dict[str, str] = {}
        self.links: dict[str, str] = {}
        on_disk = wish.table.get("allow_disk") or any(
            option.name == "--allow-disk" for option in wish.options
        )
        destinations = [self.absolute(entry.destination) for entry in self.entries]
        self.hidden = (*wish.tmpfs, *destinations)  # what is there cannot be read at a start
        taken = {path for path in destinations if posixpath.dirname(path) == MEMORY}
        for path in dict.fromkeys(destinations):
            if not (on_disk or any(_inside(path, folder) for folder in self.memory)):
                self.links[path] = self._free(path, taken)

    def absolute(self, path: str) -> str:
        """The path of a file to be, its folder without links."""
        full = "/" + posixpath.join(self.image.workdir, path).lstrip("/")
        if ".." in full.split("/") or full.endswith(("/", "/.")):
            raise UsageError(f"cannot render to {path}: name a file, by a path without ..")
        folder, name = posixpath.split(posixpath.normpath(full))
        found = self.look(folder)
        full = posixpath.join(found.path if found else folder, name)
        nearest = max((one for one in self.memory if _inside(full, one)), key=len, default="")
        if nearest == MEMORY and posixpath.dirname(full) != MEMORY:
            raise UsageError(
                f"cannot render to {path}: {MEMORY} is empty when a container starts",
                hint=f"render to {MEMORY}/{name}",
            )
        return full

    def place(self, entry: Entry) -> Entry:
        """The entry with the paths that the shim is told."""
        destination = self.absolute(entry.destination)
        return Entry(self._source(entry.source), self.links.get(destination, destination))

    def _source(self, source: str | None) -> str | None:
        if source is None:
            return None
        if not source.startswith("/"):
            self.templates[posixpath.normpath(source)] = None
            return f"{TEMPLATES}/{posixpath.normpath(source)}"
        found = self.look(posixpath.normpath(source))
        if found is None or found.kind != "file":
            raise NotFoundError(
                f"no template {source} in {self.image.name}",
                hint="an absolute path is one in the image; a relative one is a file here",
            )
        path = found.path
        if any(_inside(path, hidden) for hidden in self.hidden):
            self.moved[path] = ORIGINALS + path
        return self.moved.get(path, path)

    @staticmethod
    def _free(path: str, taken: set[str]) -> str:
        """A file in memory for a destination; of the same name, by which the shim tells formats."""
        name = f"{MEMORY}/{posixpath.basename(path)}"
        if name in taken:
            name = f"{MEMORY}/{path[1:].replace('/', '-')}"
        while name in taken:
            name = f"{MEMORY}/-{posixpath.basename(name)}"
        taken.add(name)
        return name

    def steps(self) -> Iterator[Step]:
        moved = dict(self.moved)
        for path, target in self.links.items():
            found = self.look(path)
            is_folder = found is not None and found.kind == "folder"
            if is_folder or any(_inside(path, one) for one in ("/proc", "/sys", "/dev")):
                raise UsageError(f"cannot render to {path}: no file can be there")
            _refuse_volume(
                self.image,
                path,
                "mount a tmpfs there and say so with --tmpfs, or render to another place",
            )
            away = (path, moved.pop(path)) if path in moved else None
            folder = posixpath.dirname(path)
            yield Step(
                moved=away,
                folder=folder if self.look(folder) is None else None,
                removed=path if found is not None and away is None else None,
                link=(path, target),
            )
        yield from (Step(moved=pair) for pair in moved.items())


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _refuse_volume(image: Image, path: str, hint: str) -> None:
    """What a build changes in a volume is lost (docker, Dockerfile reference, VOLUME)."""
    for volume in image.volumes:
        if _inside(path, posixpath.normpath(volume)):
            raise ConflictError(f"{path} is in a VOLUME of {image.name}, {volume}", hint=hint)

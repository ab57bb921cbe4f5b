"""What is to be built: an image's facts, the shim's options and the project give a Recipe.

Nothing here reads a file or asks an engine but through what it is given.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from secretkit.errors import ConflictError, NotFoundError, UsageError

from ..shim import LAUNCHER
from ..shimmed import Shimmed
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
LARGEST = 1 << 20  # bytes of a template, as the shim takes it
# What docker reads, or puts there, when a container starts.
_DOCKERS = ("/etc/passwd", "/etc/group", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
# What is not said of an argument: it may come with the command of a container.
NO_PLACE = "neither ENTRYPOINT nor CMD has it: no container starts whose command has not"
# What is said of a folder that only a tmpfs with an owner opens to the image's user.
CLOSED = "the image's USER cannot write to it as it is: --tmpfs DIR:uid=ID for docker run"
# What is not expected of a shim that is told nothing.
ALL = "nothing says which go where: all become variables of the environment"
Look = Callable[[str], "Found | None"]  # what a path in the image leads to


class Wish(NamedTuple):
    """What is asked for, beside the image."""

    options: tuple[Option, ...] = ()
    table: Mapping[str, Any] = {}  # [entrypoint]
    tmpfs: tuple[str, ...] = ()  # folders in which the user mounts memory

    def shim(self, python: str) -> Shimmed:
        """The shim as it would be started, with what its config file says as options."""
        given = [(option.name, option.argument or "") for option in self.options]
        table = [(f"--{key.replace('_', '-')}", "") for key in self.table]
        return Shimmed((python, "-ISB", f"{SHIM}/{LAUNCHER}"), (*given, *table), True, ())


class Step(NamedTuple):
    """What the build does for one file, in this order."""

    moved: tuple[str, str] | None = None  # a template: from, to
    folder: str | None = None  # to make
    mode: int | None = None  # of that folder, if it is not to be root's alone
    removed: str | None = None  # what is in the file's or the link's place
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
    def without_place(self) -> list[str]:
        """The secrets of --arg that stand in no argument of ENTRYPOINT and CMD."""
        names = [one.argument for one in self.options if one.name == "--arg" and one.argument]
        words = [*self.image.entrypoint, *self.image.cmd][1:]
        return [
            name
            for name in (*names, *self.table.get("arg", ()))
            if not any(f"<<{name}>>" in word for word in words)
        ]

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
    if not re.fullmatch(r"\S*", image.user) or not image.user.isprintable():
        raise UsageError(
            f"{image.name} has a USER that no Dockerfile can state",
            hint="build it with a USER without spaces",
        )
    if image.is_baked:
        raise ConflictError(
            f"{image.name} has the shim already, in its ENTRYPOINT",
            hint="bake the image that it was made from",
        )
    places = _Places(image, python, wish, look)
    for path in (SHIM, CONFIG):
        places.refuse_volume(path, f"start from an image without VOLUME {path}")
    files = {entry: places.place(entry) for entry in places.entries}
    options, table = shim_options.with_files(wish.options, wish.table, files)
    return Recipe(
        image, python, tuple(options), table, tuple(places.templates), tuple(places.steps())
    )


class _Places:
    """Where each file of a start is in the image and in memory."""

    def __init__(self, image: Image, python: Python, wish: Wish, look: Look) -> None:
        self.image = image
        self.python = python
        self.look = look
        tmpfs = [self._real(posixpath.normpath(folder)) for folder in wish.tmpfs]
        self.memory = (MEMORY, *tmpfs)
        self.entries = list(dict.fromkeys(shim_options.entries(wish.options, wish.table)))
        self.templates: dict[str, None] = {}
        self.moved: dict[str, str] = {}
        self.stored: dict[str, str | None] = {}  # what is not in memory: where its link leads
        on_disk = wish.table.get("allow_disk") or any(
            option.name == "--allow-disk" for option in wish.options
        )
        destinations = [self.absolute(entry.destination) for entry in self.entries]
        # What an option renders goes before what [entrypoint] renders there, as in the shim.
        given = (shim_options.entries(wish.options, {}), shim_options.entries((), wish.table))
        for paths in ([self.absolute(entry.destination) for entry in level] for level in given):
            if len(paths) > len(set(paths)):
                raise UsageError(
                    f"{max(paths, key=paths.count)} is rendered twice",
                    hint="name each destination once",
                )
        self.secrets = [self._real(folder) for folder in ("/run/secrets", *_secrets_dirs(wish))]
        self.hidden = (*tmpfs, *destinations)  # what is there cannot be read at a start
        taken = {path for path in destinations if posixpath.dirname(path) == MEMORY}
        for path in dict.fromkeys(destinations):
            if not any(_inside(path, folder) for folder in self.memory):
                self.stored[path] = None if on_disk else self._free(path, taken)

    def absolute(self, path: str) -> str:
        """The path of a file to be, its folder without links, as the shim wants it."""
        full = "/" + posixpath.join(self.image.workdir, path).lstrip("/")
        if ".." in full.split("/") or full.endswith(("/", "/.")):
            raise UsageError(
                f"cannot render to {path}, which is no path of a file without ..",
                hint="write it as it is in the image, for example /etc/app/app.conf",
            )
        folder, name = posixpath.split(posixpath.normpath(full))
        folder = self._real(folder)
        full = posixpath.join(folder, name)
        there = self.look(folder)
        if there is not None and there.kind != "folder":
            raise UsageError(
                f"{folder} is no folder in {self.image.name}", hint="name another folder"
            )
        nearest = max((one for one in self.memory if _inside(full, one)), key=len, default=folder)
        if folder != nearest:
            raise UsageError(
                f"cannot render to {path}: {nearest} is empty when a container starts",
                hint=f"render to {nearest}/{name}",
            )
        return full

    def _real(self, folder: str) -> str:
        """A folder without links, also if only those above it are there."""
        found = self.look(folder)
        if found is None and folder != "/":
            above, name = posixpath.split(folder)
            return posixpath.join(self._real(above), name)
        if found is not None and found.kind == "file":
            raise UsageError(
                f"{folder} is no folder in {self.image.name}", hint="name another folder"
            )
        return found.path if found else folder

    def place(self, entry: Entry) -> Entry:
        """The entry with the paths that the shim is told."""
        destination = self.absolute(entry.destination)
        return Entry(self._source(entry.source), self.stored.get(destination) or destination)

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
        if found.size > LARGEST:
            raise UsageError(
                f"the template {source} is larger than 1 MiB", hint="the shim reads no larger one"
            )
        path = found.path
        if any(_inside(path, folder) for folder in self.secrets):
            raise UsageError(
                f"the template {source} is among the secrets, which hide it",
                hint="have it in another folder of the image, or here, by a relative path",
            )
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
        for path, target in self.stored.items():
            found = self.look(path)
            self._refuse(path, found)
            folder = posixpath.dirname(path)
            missing = self.look(folder) is None
            away = (path, moved.pop(path)) if path in moved else None
            # The shim replaces a file, and writes through no link.
            plain = found is None or (found.kind == "file" and found.path == path)
            removed = away is None and found is not None and not (plain and target is None)
            if target or missing or removed:
                self.refuse_volume(
                    path, "mount a tmpfs there and say so with --tmpfs, or render to another place"
                )
            step = Step(
                moved=away,
                folder=folder if missing else None,
                mode=0o1777 if missing and not (target or self.image.is_root) else None,
                removed=path if removed else None,
                link=(path, target) if target else None,
            )
            if any(step):
                yield step
        yield from (Step(moved=pair) for pair in moved.items())

    def refuse_volume(self, path: str, hint: str) -> None:
        """What a build changes in a volume is lost (docker, Dockerfile reference, VOLUME)."""
        folder, name = posixpath.split(path)
        full = posixpath.join(self._real(folder), name)
        for volume in self.image.volumes:
            if _inside(full, self._real(posixpath.normpath(volume))):
                raise ConflictError(
                    f"{path} is in a VOLUME of {self.image.name}, {volume}", hint=hint
                )

    def _refuse(self, path: str, found: Found | None) -> None:
        """Refuses a destination where no file can be, or without which no container starts."""
        is_folder = found is not None and found.kind == "folder"
        python = self.look(self.python.path)
        is_python = found is not None and python is not None and found.path == python.path
        if is_folder or any(_inside(path, one) for one in ("/proc", "/sys", "/dev")):
            reason = "no file can be there"
        elif any(_inside(path, one) for one in self.secrets):
            reason = "the secrets hide what is there"
        elif path in _DOCKERS:
            reason = "docker needs it before the shim starts"
        elif is_python or any(_inside(path, one) for one in (SHIM, posixpath.dirname(CONFIG))):
            reason = "the shim needs what is there"
        else:
            return
        raise UsageError(
            f"cannot render to {path}: {reason}",
            hint="render to a file of the program's own, for example /etc/app/app.conf",
        )


def _secrets_dirs(wish: Wish) -> Iterator[str]:
    """Where the options have the secrets."""
    folders = [one.argument for one in wish.options if one.name == "--secrets-dir"]
    for folder in (*folders, wish.table.get("secrets_dir")):
        if folder:
            yield posixpath.normpath("/" + folder.lstrip("/"))


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")

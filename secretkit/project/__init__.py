"""`secretkit.toml`: find it, read it, refuse what it cannot mean.

A project is a folder with a `secretkit.toml` (what the project needs; goes into version control) or
a `.secretkit/` (the store; does not). Either is enough: a fresh clone has only the first, a store
made from Python only the second.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from ..errors import InvalidProjectError, ProjectNotFoundError

FILE = "secretkit.toml"
STORE_FOLDER = ".secretkit"
COMPOSE_OVERRIDE = "compose.secretkit.yaml"
ENGINES = ("local", "swarm")
Layout = Literal["swarm", "kubernetes"]  # of a dev folder
LAYOUTS: tuple[Layout, ...] = ("swarm", "kubernetes")
_LARGEST = 1 << 20  # bytes

_NO_HOOKS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class Declared(NamedTuple):
    """What `[secrets.NAME]` says of one secret."""

    name: str
    generate: str | None  # a kind of secretkit.generators
    description: str | None
    labels: Mapping[str, str]
    hooks: Mapping[str, tuple[str, ...]] = _NO_HOOKS  # by one of HOOKS: program and arguments

    @property
    def makes(self) -> tuple[str, ...]:
        """The secrets that this declares: NAME, or for `tls` NAME-key and NAME-cert."""
        from ..generators import names_for

        return names_for(self.name, self.generate) if self.generate else (self.name,)


class Project(NamedTuple):
    """A project folder and what its `secretkit.toml` says; without one, the defaults."""

    folder: Path
    engine: str
    secrets: Mapping[str, Declared]  # by the name in [secrets.NAME]
    entrypoint: Mapping[str, Any]  # [entrypoint], validated
    dev_folder: Path  # absolute
    dev_overrides: Path  # absolute
    dev_layout: Layout
    hosts: tuple[str, ...] = ()  # [swarm] hosts: the managers, as in DOCKER_HOST

    def declared(self, secret: str) -> Declared | None:
        """What declares `secret`, also as one half of a pair."""
        return next((one for one in self.secrets.values() if secret in one.makes), None)


def find_folder(start: Path | None = None) -> Path:
    """The project folder: SECRETKIT_PROJECT, or the nearest one from `start` (default: the current
    folder) upwards. Raises ProjectNotFoundError.
    """
    chosen = os.environ.get("SECRETKIT_PROJECT") if start is None else None
    if chosen:
        folder = Path(chosen).resolve()
        if not _is_project(folder):
            raise ProjectNotFoundError(str(folder), named="SECRETKIT_PROJECT")
        return folder
    try:
        begin = (start or Path()).resolve()
    except FileNotFoundError:
        raise ProjectNotFoundError(".", hint="the current folder was removed: cd away") from None
    for folder in (begin, *begin.parents):
        if _is_project(folder):
            return folder
    raise ProjectNotFoundError(str(begin))


def _is_project(folder: Path) -> bool:
    return os.path.lexists(folder / FILE) or os.path.lexists(folder / STORE_FOLDER)


def load(folder: Path) -> Project:
    """Read and validate `folder/secretkit.toml`.

    Raises InvalidProjectError, which names file and line, for what is not TOML, not UTF-8, has a
    key that does not exist, or a value of the wrong type.
    """
    path = folder / FILE
    try:
        content = _content(path)
    except OSError as error:
        reason = (error.strerror or "I/O error").lower()
        raise InvalidProjectError(str(path), f"cannot be read, {reason}") from None
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidProjectError(f"{path}:{line}", "not UTF-8") from None
    from .reading import Reader

    return Reader(path, text).project(folder)


def _content(path: Path) -> bytes:
    """The file's content; none if there is no such name. Waits for nobody, as for a FIFO."""
    if not os.path.lexists(path):
        return b""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if stat.S_ISDIR(os.fstat(file.fileno()).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise InvalidProjectError(str(path), "not a regular file")
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise InvalidProjectError(str(path), "larger than 1 MiB")
    return content


def entrypoint_json(project: Project, *, absolute: bool = False) -> bytes:
    """The shim's config file for `[entrypoint]`, as JSON in ASCII.

    With `absolute`, relative sources and destinations start at the project folder, as they must
    when the shim is run on this machine from anywhere; otherwise they stay as written, for a
    container's working folder.
    """
    import json

    table = dict(project.entrypoint)
    if absolute:
        for key in {"render", "keystore"} & table.keys():
            table[key] = [
                {
                    name: str(project.folder / text) if name in ("source", "destination") else text
                    for name, text in entry.items()
                }
                for entry in table[key]
            ]
    return json.dumps(table, indent=2).encode() + b"\n"

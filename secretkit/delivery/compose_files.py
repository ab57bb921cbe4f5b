"""Which files compose takes, and what is in them, with those that they include."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import NotFoundError, UsageError
from .documents import Document, Node, ScalarNode, read
from .stack.model import Stack

# What compose takes in a folder without -f, and adds to it (compose-go, cli/options.go).
_DEFAULTS = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_DEEPEST = 100  # files and services that lead to each other
_OVERRIDES = tuple(name.replace("compose.", "compose.override.") for name in _DEFAULTS)


def default_files(folder: Path, variables: Mapping[str, str]) -> tuple[Path, ...]:
    """The files that compose itself takes in `folder`: those of COMPOSE_FILE, else the nearest
    upwards of one of its names, with the override file beside it.

    Raises NotFoundError; UsageError if it depends on compose's version which file it takes.
    """
    if named := variables.get("COMPOSE_FILE"):
        separator = variables.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
        return tuple(folder / name for name in named.split(separator) if name)
    for place in (folder, *folder.parents):
        if base := _only(place, _DEFAULTS):
            return (*base, *_only(place, _OVERRIDES))
    raise NotFoundError(
        f"no compose file, in {folder} and above",
        hint="run it where the compose file is, or name it: secretkit compose sync -f FILE",
    )


def _only(folder: Path, names: Sequence[str]) -> list[Path]:
    found = [folder / name for name in names if (folder / name).is_file()]
    if len(found) > 1:
        raise UsageError(
            f"versions of compose differ in which they take, {' or '.join(map(str, found))}",
            hint=f"name it: secretkit compose sync -f {found[0].name}",
        )
    return found


def load(paths: Sequence[str], variables: Mapping[str, str]) -> Stack:
    """The project of these files and of those that they include. Raises UsageError."""
    read_so_far: set[str] = set()
    reader = Stack([], variables)
    return Stack([one for path in paths for one in _files(reader, path, read_so_far)], variables)


def _files(reader: Stack, path: str, read_so_far: set[str], depth: int = 0) -> Iterator[Document]:
    """A file's document, behind those that it includes: it may override what they say."""
    if (real := os.path.realpath(path)) in read_so_far:
        return
    read_so_far.add(real)
    document = read(path)
    for entry in document.items(document.get(document.root, "include")):
        for node in _paths(document, entry):
            name = reader.interpolated(document, node)
            if name and "://" not in name:  # what is not on this machine is compose's own matter
                check_depth(document, node, depth)
                yield from _files(reader, beside(document, name), read_so_far, depth + 1)
    yield document


def check_depth(document: Document, node: Node, depth: int) -> None:
    """Refuse what leads on and on; raises UsageError."""
    if depth >= _DEEPEST:
        raise UsageError(
            f"{document.place(node)}: more than {_DEEPEST}, each of which names the next",
            hint="name fewer: compose reads them all, one in the other",
        )


def beside(document: Document, name: str) -> str:
    """A path that a file names, which is relative to that file."""
    return os.path.join(os.path.dirname(document.path), name)


def _paths(document: Document, entry: Node) -> list[Node]:
    """An entry of `include:` is a path, or a mapping whose `path:` is one or a list of them."""
    node = entry if isinstance(entry, ScalarNode) else document.get(entry, "path")
    return [node] if isinstance(node, ScalarNode) else document.items(node)

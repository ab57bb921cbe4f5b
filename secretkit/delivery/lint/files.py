"""Which files a lint looks at, and of which kind each is: by its name, else by what is in it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from ...errors import UsageError
from ...project import COMPOSE_OVERRIDE

Kind = Literal["Dockerfile", "stack", "script", "folder"]  # a folder only if it is unreadable

# What is no part of a project's own files, or holds values.
SKIPPED = {
    ".git", ".hg", ".svn", "node_modules", ".venv", "venv", ".tox", ".nox", "__pycache__",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".terraform", ".secretkit", "dev-secrets",
    "dev-secrets.local", COMPOSE_OVERRIDE,
}  # fmt: skip
LARGEST = 4 << 20  # bytes
_DOCKERFILE = re.compile(
    r"(Dockerfile|Containerfile)(\.(?!dockerignore$|md$|txt$).+)?|.+\.(Dockerfile|Containerfile)",
    re.IGNORECASE | re.DOTALL,
)
_STACK = re.compile(
    r"(.+[._-])?(docker-)?(compose|stack|swarm)([._-].+)?\.ya?ml", re.IGNORECASE | re.DOTALL
)
_YAML = (".yml", ".yaml")
_SERVICES = re.compile(rb"^(?:\xef\xbb\xbf)?[\"']?services[\"']?\s*:", re.MULTILINE)
_SHELL = re.compile(rb"#!\s*\S*?/(?:env\s+(?:-S\s+)?)?(?:busybox\s+)?(?:ba|da|a|k)?sh\b")
_SCRIPT = re.compile(r".*(entry[-_.]?point|docker-init).*", re.IGNORECASE | re.DOTALL)
_SECRETS = re.compile(rb"/run/secret|file_env")


class File(NamedTuple):
    """One file to check."""

    path: str  # as the user named it, or the folder that it was found in
    kind: Kind
    content: bytes
    certain: bool  # by its own name, or because it was named: what cannot be read is told
    named: bool = False
    problem: str = ""  # why it could not be read


def find(paths: Sequence[str]) -> Iterator[File]:
    """The files of these paths, folders with all that is below them, in order, each once.

    Raises UsageError for a path that is not there, and for a file that was named and of which
    nothing is known to check.
    """
    seen: set[str] = set()
    for path in paths:
        for one in _below(path) if os.path.isdir(path) else [_named(path)]:
            if (real := os.path.realpath(one.path)) not in seen:
                seen.add(real)
                yield one


def _named(path: str) -> File:
    try:
        content = _content(path)
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {_reason(error)}", hint="name files and folders"
        ) from None
    name = Path(path).name
    kind = _kind(name) or _kind_inside(name, content)
    if kind is None and (name.endswith((".sh", ".bash")) or _SHELL.match(content)):
        kind = "script"
    if kind is None and name.endswith(_YAML):
        kind = "stack"
    if kind is None:
        raise UsageError(
            f"cannot check {path}: no Dockerfile, stack or compose file, or shell script",
            hint="what it is is told by its name: Dockerfile, compose.yml, stack.yml, *.sh",
        )
    return File(path, kind, content, certain=True, named=True)


def _below(top: str) -> Iterator[File]:
    unread: list[OSError] = []
    for folder, folders, names in os.walk(top, onerror=unread.append):
        folders[:] = sorted(set(folders) - SKIPPED)
        for name in sorted(set(names) - SKIPPED):
            kind = _kind(name)
            if kind is None and not (name.endswith((*_YAML, ".sh", ".bash")) or "." not in name):
                continue
            path = name if folder == "." else str(Path(folder, name))
            try:
                content = _content(path)
            except OSError as error:
                if kind is None and _SCRIPT.fullmatch(name) and error.errno != errno.EFBIG:
                    kind = "script"  # a program may have such a name too, and is large
                if kind:
                    yield File(path, kind, b"", certain=True, problem=_reason(error))
                continue
            if found := kind or _kind_inside(name, content):
                yield File(path, found, content, kind is not None)
    for one in unread:
        path = str(Path(one.filename))
        yield File(path, "folder", b"", certain=True, problem=_reason(one))


def _content(path: str) -> bytes:
    """What is in a file. Raises OSError, also for what is none, such as a pipe, or too large."""
    if not Path(path).is_file() and Path(path).exists():
        raise OSError(errno.EINVAL, "neither file nor folder")
    with Path(path).open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError(errno.EFBIG, f"larger than {LARGEST >> 20} MiB")
    return content


def _reason(error: OSError) -> str:
    said = error.strerror or "I/O error"
    return said[:1].lower() + said[1:]


def _kind(name: str) -> Kind | None:
    if _DOCKERFILE.fullmatch(name):
        return "Dockerfile"
    return "stack" if _STACK.fullmatch(name) else None


def _kind_inside(name: str, content: bytes) -> Kind | None:
    if name.endswith(_YAML):
        return "stack" if _SERVICES.search(content) else None
    if name.endswith((".sh", ".bash")) or _SHELL.match(content):
        return "script" if _SCRIPT.fullmatch(name) or _SECRETS.search(content) else None
    return None

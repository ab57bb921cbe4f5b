"""`lint`: every check of the files that it finds, and the comments that silence one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from ...errors import UsageError
from ..documents import Document, read
from ..findings import Finding, Place
from .files import File, find
from .stack import describes_services, findings_of_document

_IGNORE = re.compile(r"#\s*secretkit:\s*ignore=(?P<rules>[\w,-]+)")
_POSITION = re.compile(r":(\d+)(?::(\d+))?: ")


def check(
    paths: Sequence[str], *, swarm: bool | None = None, ignore: Collection[str] = ()
) -> tuple[list[Finding], int]:
    """What is wrong in these files and folders, by file and line, and how many were checked.

    `swarm` says whether YAML files are stacks for a swarm or compose files; None: as each looks.
    Raises UsageError for a path of which nothing can be checked.
    """
    files = list(find(paths))
    documents: dict[str, Document] = {}
    found: list[Finding] = []
    checked = 0
    for file in files:
        if file.kind == "stack":
            try:
                document = read(file.path, file.content)
            except UsageError as error:
                found += [_unreadable(file.path, error)] if file.certain else []
                checked += file.certain
                continue
            if describes_services(document):
                documents[file.path] = document
        else:
            found += _of_text(file)
            checked += 1
    for path, document in documents.items():
        try:
            found += findings_of_document(document, _siblings(path, documents), swarm)
        except UsageError as error:
            found.append(_unreadable(path, error))
    checked += len(documents)
    kept = [one for one in found if one.rule not in ignore]
    kept = _without_silenced(kept, {file.path: file.content for file in files})
    order = {file.path: number for number, file in enumerate(files)}
    return sorted(kept, key=lambda one: (order[one.place.path], *one.place[1:], one.rule)), checked


def _of_text(file: File) -> list[Finding]:
    from .dockerfile import findings_of_dockerfile
    from .script import findings_of_script

    text = file.content.decode("utf-8-sig", errors="replace")
    if file.kind == "Dockerfile":
        return findings_of_dockerfile(file.path, text, Path(file.path).parent)
    return findings_of_script(file.path, text)


def _siblings(path: str, documents: Mapping[str, Document]) -> list[Document]:
    """Files that may be taken together with one: compose.yml, compose.override.yml."""
    own = Path(path)
    stem = own.name.split(".")[0]
    return [
        document
        for other, document in documents.items()
        if other != path and Path(other).parent == own.parent and _stem(other) == stem
    ]


def _stem(path: str) -> str:
    return Path(path).name.split(".")[0]


def _unreadable(path: str, error: UsageError) -> Finding:
    """What the reader of a file says, which names the place first."""
    said = str(error).removeprefix(path)
    position = _POSITION.match(said)
    place = Place(path, int(position[1]), int(position[2] or 0)) if position else Place(path)
    message = said[position.end() :] if position else said.removeprefix(": ")
    return Finding("unreadable-file", place, message, "mend it: nothing in it was checked")


def _without_silenced(found: Sequence[Finding], contents: Mapping[str, bytes]) -> list[Finding]:
    """Without what `# secretkit: ignore=RULE` silences, on its line or in comments above it."""
    silenced = {path: dict(_ignored(contents[path])) for path in {one.place.path for one in found}}
    return [
        one for one in found if one.rule not in silenced[one.place.path].get(one.place.line, ())
    ]


def _ignored(content: bytes) -> Iterator[tuple[int, set[str]]]:
    """By line, the rules that are silenced there."""
    if b"secretkit:" not in content:
        return
    above: set[str] = set()
    for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
        match = _IGNORE.search(line)
        rules = set(match["rules"].split(",")) if match else set()
        alone = line.lstrip().startswith("#")
        yield number, rules | above
        above = rules | above if alone else set()

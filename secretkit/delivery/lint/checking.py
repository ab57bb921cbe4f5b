"""`lint`: every check of the files that it finds, and the comments that silence one."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from ...errors import UsageError
from ..documents import Document, read
from ..findings import RULES, Finding, Place
from .files import File, find
from .stack import describes_services, findings_of_document, refusal

_LISTED = "`secretkit lint --rules` lists them"
_IGNORE = re.compile(r"#\s*secretkit:\s*ignore=(?P<rules>[\w-]+(?:\s*,\s*[\w-]+)*)")


def check(
    paths: Sequence[str], *, swarm: bool | None = None, ignore: Collection[str] = ()
) -> tuple[list[Finding], int]:
    """What is wrong in these files and folders, by file and line, and how many were checked.

    `swarm` says whether YAML files are stacks for a swarm or compose files; None: as each looks.
    Raises UsageError for a path of which nothing can be checked.
    """
    files = list(find(paths))
    unread = [
        Finding("unreadable-file", Place(file.path), file.problem, "mend it, or take it away")
        for file in files
        if file.problem
    ]
    there = [file for file in files if not file.problem]
    documents, found = _documents([file for file in there if file.kind == "stack"])
    texts = [file for file in there if file.kind != "stack"]
    folders = sum(file.kind == "folder" for file in files)
    checked = len(documents) + len(found) + len(texts) + len(unread) - folders
    if not checked and not unread:
        raise UsageError(
            f"nothing to check in {', '.join(paths)}: no Dockerfile, stack or compose file, script",
            hint="name files, or the folder of a project",
        )
    found += unread
    for file in texts:
        found += _followed(file.path, _of_text, file)
    families: dict[tuple[str, str], list[Document]] = {}
    for document in documents:
        families.setdefault(_family(document.path), []).append(document)
    for document in documents:
        siblings = [one for one in families[_family(document.path)] if one is not document]
        found += _followed(document.path, findings_of_document, document, siblings, swarm)
    contents = {file.path: file.content for file in files}
    order = {path: number for number, path in enumerate(contents)}
    kept = without(found, ignore, contents)
    kept.sort(key=lambda one: (order[one.place.path], *one.place[1:], one.rule, one.message))
    return kept, checked


def _followed(path: str, check_: Callable[..., list[Finding]], *given: object) -> list[Finding]:
    """What is found in one file; one that cannot be followed does not end the check of others."""
    try:
        return check_(*given)
    except (RecursionError, MemoryError):
        place = Place(path)
        return [Finding("unreadable-file", place, "too deep or too much to follow", "make it less")]


def _documents(files: Sequence[File]) -> tuple[list[Document], list[Finding]]:
    """Those that describe services, and what is wrong with those that cannot be read."""
    documents: list[Document] = []
    unread: list[Finding] = []
    for file in files:
        try:
            document = read(file.path, file.content)
        except UsageError as error:
            if file.certain:
                unread.append(refusal(error, [Document(file.path, None)]))
            continue
        if describes_services(document):
            documents.append(document)
        elif file.named:
            raise UsageError(f"cannot check {file.path}: no services, secrets or configs in it")
    return documents, unread


def _of_text(file: File) -> list[Finding]:
    from .dockerfile import findings_of_dockerfile
    from .script import findings_of_script

    text = file.content.decode("utf-8-sig", errors="replace")
    if file.kind == "Dockerfile":
        return findings_of_dockerfile(file.path, text, Path(file.path).parent)
    return findings_of_script(file.path, text)


def _family(path: str) -> tuple[str, str]:
    """What files that may be taken together have in common: compose.yml, compose.override.yml."""
    folder, name = posixpath.split(path)
    return folder, name.partition(".")[0]


def without(
    found: Sequence[Finding], ignore: Collection[str], contents: Mapping[str, bytes]
) -> list[Finding]:
    """Without what is to be ignored, in all files or by a comment in one.

    `# secretkit: ignore=RULE` counts for its line, and alone on a line for the next one. One that
    names no rule is a finding itself.
    """
    silenced = {path: dict(_ignored(content)) for path, content in contents.items()}
    unknown = [
        Finding("no-such-rule", Place(path, number), "this comment names no rule", _LISTED)
        for path, lines in silenced.items()
        for number, rules in lines.items()
        if rules - RULES.keys() - lines.get(number - 1, set())
    ]
    return [
        one
        for one in (*found, *unknown)
        if one.rule not in ignore
        and one.rule not in silenced[one.place.path].get(one.place.line, ())
    ]


def _ignored(content: bytes) -> Iterator[tuple[int, set[str]]]:
    """By line, the rules that are silenced there."""
    if b"secretkit:" not in content:
        return
    above: set[str] = set()
    for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
        match = _IGNORE.search(line)
        rules = set(re.split(r"\s*,\s*", match["rules"])) if match else set()
        alone = line.lstrip().startswith("#")
        yield number, rules | above
        above = rules | above if alone else set()

"""What `docker stack deploy` is given: the user's files as they are, and one file on top of them.

docker reads, merges and interpolates the files itself, so that they mean what they meant. The file
on top makes each secret and config that is ours an external one with the name of a version: where
several files define one, docker takes the last whole (docker/cli, cli/compose/loader/merge.go).
Nothing else changes, so a service that gets the same versions again is not touched.

Two fields of compose, `environment` and `content`, docker refuses in a stack file. What such a file
says is changed in this one word, to `file`, which the file on top then takes the place of.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ...engines.protocol import Kind
from ..documents import Document
from .model import KINDS, Stack

_FOREIGN = ("environment", "content")


class Given(NamedTuple):
    """The files of one `docker stack deploy`, in order."""

    files: tuple[tuple[str, bytes | None], ...]  # path, and its content if it is not read there
    folder: str  # absolute: what relative paths in the files begin with

    @contextmanager
    def opened(self) -> Iterator[tuple[list[str], dict[str, Any]]]:
        """The `-c` options, and what subprocess.run needs with them; closed afterwards.

        docker takes the first file's folder for that of all paths in them, and its own current
        folder if that file is stdin: by PWD, if that is right. Others are files in memory.
        """
        with ExitStack() as stack:
            options: list[str] = []
            more: dict[str, Any] = {"pass_fds": []}
            for path, content in self.files:
                if content is None:
                    options += ["--compose-file", path]
                    continue
                file = stack.enter_context(os.fdopen(os.memfd_create("stack"), "w+b"))
                file.write(content)
                file.seek(0)
                if not options:
                    options += ["--compose-file", "-"]
                    more["stdin"] = file
                    more["cwd"] = self.folder
                else:
                    options += ["--compose-file", f"/dev/fd/{file.fileno()}"]
                    more["pass_fds"].append(file.fileno())
            yield options, more


def rewrite(stack: Stack, names: Mapping[tuple[Kind, str], str]) -> Given:
    """The files of a stack, with an object name for each of these definitions, by kind and key."""
    files: list[tuple[str, bytes | None]] = []
    for document in stack.documents:
        text = _in_dockers_words(document)
        # The first as it is named, if that is no list for docker: it takes this path's folder.
        as_it_is = not files and document.path != "-" and not {",", '"'} & {*document.path}
        as_it_is = as_it_is and Path(document.path).is_file() and text == document.text
        files.append((document.path, None if as_it_is else text.encode()))
    if names:
        files.append(("", _on_top(stack, names)))
    return Given(tuple(files), stack.absolute_folder)


def _in_dockers_words(document: Document) -> str:
    """The text of a file, with `file` for each word that docker does not know."""
    spans = {
        (key.start_mark.index, key.end_mark.index)
        for kind in KINDS
        for entry in document.entries(document.get(document.root, f"{kind}s"))
        for key, _ in document.pairs(entry.value)
        if key.value in _FOREIGN
    }
    text = document.text
    for start, end in sorted(spans, reverse=True):
        text = f"{text[:start]}file{text[end:]}"
    return text


def _on_top(stack: Stack, names: Mapping[tuple[Kind, str], str]) -> bytes:
    """A file that makes them external. As JSON, which every reader of YAML takes in the same way.

    docker refuses files of different versions. Before 3.5, `name` stands under `external`.
    """
    version = stack.version
    is_early = version in ("3.1", "3.2", "3.3", "3.4")
    content: dict[str, Any] = {} if version is None else {"version": version}
    for (kind, key), name in names.items():
        named = {"external": {"name": name}} if is_early else {"external": True, "name": name}
        content.setdefault(f"{kind}s", {})[key] = named
    return json.dumps(content, indent=1).encode()

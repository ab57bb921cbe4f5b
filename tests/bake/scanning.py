"""Look for values in an image and in a container: in all layers, and in what the engine says."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaigns.leaks import forms
from tests.engine import Engine

Found = list[str]


@dataclass
class Scan:
    """Values that must be nowhere, in each form in which they might appear."""

    engine: Engine
    values: Iterable[bytes]
    looked_at: dict[str, int] = field(default_factory=dict)  # bytes, by where

    def __post_init__(self) -> None:
        self._forms = [pair for value in self.values for pair in forms(value).items()]

    def text(self, where: str, content: bytes) -> Found:
        """Where the values are in what was said."""
        self.looked_at[where] = self.looked_at.get(where, 0) + len(content)
        return [f"{where}: {form}" for form, letters in self._forms if letters in content]

    def image(self, name: str) -> Found:
        """In its layers, its configuration, its history."""
        return [
            *self._tar("docker save", self._docker("save", name)),
            *self.text("docker history", self._docker("history", "--no-trunc", name)),
            *self.text("docker image inspect", self._docker("image", "inspect", name)),
        ]

    def container(self, name: str) -> Found:
        """In its writable layer and in what the engine knows of it."""
        return [
            *self._tar("docker export", self._docker("export", name)),
            *self.text("docker diff", self._docker("diff", name)),
            *self.text("docker inspect", self._docker("inspect", name)),
            *self.text("docker logs", self._docker("logs", name)),
        ]

    def folder(self, path: Path) -> Found:
        """In the files of a folder, and in their names."""
        files = [file for file in path.rglob("*") if file.is_file()]
        names = "\n".join(map(str, files)).encode()
        return [
            *self.text("names of files", names),
            *(one for file in files for one in self.text("files", file.read_bytes())),
        ]

    def _docker(self, *words: str) -> bytes:
        return subprocess.run(
            ["docker", *words],
            env=os.environ | self.engine.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if words[0] == "logs" else None,
            check=True,
            timeout=120,
        ).stdout

    def _tar(self, where: str, content: bytes) -> Found:
        return [
            one for name, part in members(content) for one in self.text(f"{where}: {name}", part)
        ]


def members(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The files in a tar, with those of the tars in it, which are an image's layers.

    Each with its name, the target of a link and its other attributes, as a tar has them.
    """
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for entry in tar:
            yield entry.name, f"{entry.name} {entry.linkname} {entry.pax_headers}".encode()
            file = tar.extractfile(entry) if entry.isfile() else None
            part = file.read() if file else b""
            if part[:2] == b"\x1f\x8b" and "/blobs/" in f"/{entry.name}":
                part = gzip.decompress(part)
            if part[257:262] == b"ustar":
                for name, inner in members(part):
                    yield f"{entry.name[:12]}: {name}", inner
            else:
                yield entry.name, part

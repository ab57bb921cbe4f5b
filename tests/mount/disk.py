"""Look for values in what was written since a moment: files on disk, and system calls."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaigns.leaks import forms

# Where programs leave files without being told to; others write there too.
SHARED = {Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"), Path.home()}
# System calls by which a value gets out of a process, or under a name.
CALLS = "write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,sendmmsg,execve,%file"
CALLS += ",sendfile,copy_file_range,splice"  # what they copy strace does not see
_PATH = re.compile(r"\d+ +\w+\(\d+<([^>]*)>")
_COPY = re.compile(r"\d+ +(?:sendfile|copy_file_range|splice)\(.* = [1-9]")
_BYTE = re.compile(r"\\x([0-9a-f]{2})")


@dataclass
class Canaries:
    """Values of several kinds, which all have one random text in them."""

    core: bytes = field(default_factory=lambda: os.urandom(16).hex().encode())

    @property
    def values(self) -> dict[str, bytes]:
        """By name: short and full of quotes, binary, lines, and the largest that is usual."""
        core = self.core
        return {
            "text": b"a\"b\\c $'<" + core + b">\n",
            "binary": bytes(range(256)) + core + b"\0",
            "lines": b"-----BEGIN KEY-----\n" + (core + core + b"\n") * 20 + b"-----END KEY-----\n",
            "large": (core + b"0123456789abcdef" * 30) * 128,  # 64 KiB
        }

    @property
    def forms(self) -> dict[str, bytes]:
        """The text as it might appear, by name."""
        return forms(self.core) | {"HEX": self.core.hex().upper().encode()}

    def found(self, content: bytes) -> list[str]:
        """The forms in which it is in `content`, also if that is compressed."""
        texts = [content, *_unpacked(content)]
        return [name for name, form in self.forms.items() if any(form in text for text in texts)]


def _unpacked(content: bytes) -> Iterator[bytes]:
    try:
        if content[:2] == b"\x1f\x8b":
            yield gzip.decompress(content)
        elif content[:1] == b"\x78":
            yield zlib.decompress(content)
    except (OSError, EOFError, zlib.error):
        return


@dataclass
class Disk:
    """What was written below `folders`, or into a shared folder itself, since this was made."""

    canaries: Canaries
    folders: Sequence[Path]
    since: float = field(default_factory=lambda: time.time() - 1)
    looked_at: int = 0  # files

    def hits(self) -> list[str]:
        """The files with the text, in names too, and in which form."""
        found = []
        for path in self._files():
            try:
                content = path.read_bytes()
            except OSError:  # gone meanwhile
                continue
            self.looked_at += 1
            forms = self.canaries.found(content) or self.canaries.found(bytes(path))
            found += [f"{path}: {form}" for form in forms]
        return found

    def _files(self) -> Iterator[Path]:
        for folder in SHARED:
            yield from self._changed(folder.iterdir())
        for folder in self.folders:
            for place, _, names in os.walk(folder):
                yield from self._changed(Path(place, name) for name in names)

    def _changed(self, paths: Iterable[Path]) -> Iterator[Path]:
        for path in paths:
            try:
                # No program sets this time, unlike that of the content.
                new = path.lstat().st_ctime >= self.since
            except OSError:
                continue
            if new and path.is_file() and not path.is_symlink():
                yield path


def traced(
    words: Sequence[str | Path], trace: Path, folder: Path, environ: dict[str, str]
) -> list[str]:
    """The calls of a program and its children, as strace(1) has them; a byte is a character.

    `trace` is where they are kept meanwhile: a place in memory, as the values are in them.
    """
    strace = ["strace", "-f", "-y", "-v", "-xx", "-s", "200000", "-e", f"trace={CALLS}"]
    done = subprocess.run(
        [*strace, "-o", trace, "--", *words],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0, said
    calls = trace.read_text().splitlines()
    trace.unlink()
    return [_BYTE.sub(lambda match: chr(int(match[1], 16)), call) for call in calls]


def written(calls: Iterable[str], canaries: Canaries) -> list[str]:
    """Where calls put the text, each once: the path of the descriptor, or the call itself.

    A call that copies from file to file counts, whatever it copies. What a program writes by
    mapping a file is not seen.
    """
    texts = [form.decode() for form in canaries.forms.values()]
    places = []
    for call in calls:
        if _COPY.match(call) or any(text in call for text in texts):
            match = _PATH.match(call)
            places.append(match[1] if match else " ".join(call.split())[:60])
    return list(dict.fromkeys(places))

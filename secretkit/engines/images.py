"""Images of an engine: their configuration, the files in them, and building one.

Nothing of an image is run to read its files: a container is created, never started, and removed.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import posixpath
import re
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from docker.utils import parse_repository_tag

from ..errors import (
    ConflictError,
    EngineError,
    EngineUnreachableError,
    NotFoundError,
    UsageError,
)
from .endpoints import endpoints
from .managers import Managers

LARGEST = 1 << 20  # bytes of a file that is read
_LONGEST = 255  # characters of a name, with what stands for Docker Hub
_PATIENCE = 10.0  # seconds, for a command that is run
LABEL = "secretkit.throw-away"  # of a container that is removed at once
# Bits of Go's io/fs.FileMode, which the engine speaks of.
_FOLDER, _LINK, _NO_FILE = 1 << 31, 1 << 27, 0x8F28 << 16


class Entry(NamedTuple):
    """A file or folder of an image, after all links."""

    path: str  # where the links lead to
    kind: Literal["file", "folder", "other"]
    mode: int  # permission bits
    size: int  # bytes


class Ran(NamedTuple):
    """What came of a command."""

    status: int
    output: bytes  # its standard output
    complaint: bytes = b""  # its standard error


class Images:
    """The images of the engine that the docker client would use; it need not be in a swarm."""

    def __init__(self, hosts: Sequence[str] = ()) -> None:
        self._engine = Managers(endpoints(hosts), 0, "the engine")

    def close(self) -> None:
        """Closes the connections."""
        self._engine.close()

    def inspect(self, name: str) -> Mapping[str, Any]:
        """What the engine says of an image, by name or id (ImageInspect of the Engine API).

        Raises NotFoundError: nothing is pulled.
        """
        try:
            found = self._engine.read(f"/images/{quote(name, safe='/:@')}/json")
        except NotFoundError:
            found = None
        if not isinstance(found, dict) or "Id" not in found:
            raise NotFoundError(
                f"the engine has no image {name}", hint=f"`docker pull {name}`, or build it"
            )
        return found

    def history(self, image_id: str) -> list[Mapping[str, Any]]:
        """Its layers' history, the last one first. `CreatedBy` may hold what somebody put in."""
        return list(self._engine.read(f"/images/{image_id}/history"))

    def architecture(self) -> str:
        """The engine's own, in the words of images: amd64, arm64."""
        return str(self._engine.read("/version")["Arch"])

    @contextlib.contextmanager
    def files(self, image_id: str) -> Iterator[Files]:
        """Its files, for the block."""
        with self._container(image_id, ["none"]) as container:
            yield Files(self._engine, container)

    def run(
        self, image_id: str, command: Sequence[str], added: bytes = b"", tmpfs: Sequence[str] = ()
    ) -> Ran | None:
        """What came of a command in a throw-away container; None if it does not start, or does not
        end in ten seconds.

        It has no network and none of the image's own ENTRYPOINT. `added` is a tar of files that
        are put into it; without one its root is read-only. `tmpfs` are folders of memory.
        Raises ConflictError if the image's user is not there.
        """
        with self._container(image_id, command, read_only=not added, tmpfs=tmpfs) as container:
            path = f"/containers/{container}"
            if added:
                query = {"path": "/"}
                self._engine.upload(
                    f"{path}/archive", added, "application/x-tar", query, "_put"
                ).close()
            try:
                self._engine.post(f"{path}/start", None)
            except EngineError as error:
                # In /etc/passwd and /etc/group of the image (moby, daemon/oci_linux.go).
                absent = re.search(r"unable to find (user|group) ([^:\s]+)", str(error))
                if absent is None:
                    return None  # no such file, for another machine, no permission
                kind, name = absent.groups()
                raise ConflictError(
                    f"the image has no {kind} {name}, which its USER names",
                    hint="add it in the image's Dockerfile, or let USER be a number",
                ) from None
            deadline = time.monotonic() + _PATIENCE
            while (state := self._engine.read(f"{path}/json")["State"])["Running"]:
                if time.monotonic() > deadline:
                    return None
                time.sleep(0.02)
            query = {"stdout": "1", "stderr": "1"}
            with contextlib.closing(self._engine.stream(f"{path}/logs", query)) as said:
                return Ran(int(state["ExitCode"]), *_outputs(said.content))

    def build(self, context: bytes, step: Callable[[int, int], None] | None = None) -> str:
        """The id of the image that a context (a tar with a Dockerfile) makes; it has no name yet.

        By the engine's classic builder, which every engine has, without a network. `step` is told
        the step that begins and their number. Raises EngineError that names the step which failed.
        """
        query = {"version": "1", "networkmode": "none", "rm": "1", "forcerm": "1"}
        answer = self._engine.upload("/build", context, "application/x-tar", query)
        place, said, made = "", "", ""
        with contextlib.closing(answer):
            for told in _documents(answer.iter_lines()):
                text = str(told.get("stream", "")).strip()
                if text.startswith("Step "):
                    place, _, instruction = text[5:].partition(" : ")
                    place, said = f"{place}, {instruction.split(' ')[0]}", ""
                    if step is not None:
                        done, _, whole = text[5:].partition(" ")[0].partition("/")
                        step(int(done), int(whole))
                elif "error" in told:
                    reason = " ".join(f"{told['error']} {said}".split())
                    raise EngineError(f"the build failed at step {place}: {reason[:500]}")
                elif "aux" in told:
                    made = str(told["aux"].get("ID") or made)
                elif text and not text.startswith(("--->", "Removing ")):
                    said = text
        if not made:
            raise EngineError(f"the build ended without an image, at step {place}")
        return made

    def tag(self, image_id: str, name: str) -> None:
        """Gives an image a name, as `check_tag` takes it; one that had it loses it."""
        repository, tag = parse_repository_tag(name)
        query = {"repo": repository, "tag": tag or "latest"}
        self._engine.post(f"/images/{image_id}/tag", None, query)

    @contextlib.contextmanager
    def _container(
        self,
        image_id: str,
        command: Sequence[str],
        *,
        read_only: bool = True,
        tmpfs: Sequence[str] = (),
    ) -> Iterator[str]:
        """A container that is created and removed, with the volumes that its image asks for.

        Both in a thread, which an interrupt does not reach: no answer with an id is lost.
        """
        body = {
            "Image": image_id,
            "Labels": {LABEL: ""},
            "Entrypoint": list(command),
            "Cmd": [],
            "NetworkDisabled": True,
            "Healthcheck": {"Test": ["NONE"]},
            "HostConfig": {
                "NetworkMode": "none",
                "ReadonlyRootfs": read_only,
                "Tmpfs": dict.fromkeys(tmpfs, ""),
                "LogConfig": {"Type": "json-file"},
            },
        }
        made: list[str] = []

        def make() -> None:
            made.append(self._engine.post("/containers/create", body)["Id"])

        def remove() -> None:
            while made:
                self._engine.delete(f"/containers/{made.pop()}?v=1&force=1")

        with ThreadPoolExecutor(1) as thread:
            try:
                try:
                    thread.submit(make).result()
                    yield made[0]
                finally:
                    thread.submit(remove).result()
            finally:
                thread.submit(remove)  # again, if an interrupt has stopped the first


class Files:
    """The files of one image."""

    def __init__(self, engine: Managers, container: str) -> None:
        self._engine = engine
        self._archive = f"/containers/{container}/archive"
        self._known: dict[str, Entry | None] = {}

    def stat(self, path: str) -> Entry | None:
        """What an absolute path leads to, through links inside the image's root; None: nothing.

        A link that leads nowhere, or to itself, is "other".
        """
        if path not in self._known:
            self._known[path] = self._stat(path)
        return self._known[path]

    def _stat(self, path: str) -> Entry | None:
        folder, name = posixpath.split(path)
        above = self.stat(folder) if name else None
        if name and (above is None or above.kind != "folder"):
            return None
        try:
            headers = self._engine.head(self._archive, {"path": path})
        except NotFoundError:
            return None
        except EngineUnreachableError:
            if not self._is_loop(path):
                raise
            return Entry(path, "other", 0, 0)
        told = json.loads(base64.b64decode(headers["X-Docker-Container-Path-Stat"]))
        mode = told["mode"]
        if mode & _LINK:
            target = told["linkTarget"]  # the engine has followed every link
            return self.stat(target) or Entry(target, "other", 0, 0)
        kind: Literal["file", "folder", "other"] = "other" if mode & _NO_FILE else "file"
        return Entry(
            posixpath.join(above.path, name) if above else path,
            "folder" if mode & _FOLDER else kind,
            mode & 0o777,
            told["size"],
        )

    def _is_loop(self, path: str) -> bool:
        """Whether a path's links lead to each other: status 500, and only GET says why."""
        try:
            self._engine.stream(self._archive, {"path": path}).close()
        except EngineUnreachableError as error:
            return re.search(r"too many (?:links|levels of symbolic links)", str(error)) is not None
        return False

    def read(self, path: str) -> bytes | None:
        """The content of the file that `path` leads to; None if it is no file, or over 1 MiB."""
        found = self.stat(path)
        if found is None or found.kind != "file" or found.size > LARGEST:
            return None
        answer = self._engine.stream(self._archive, {"path": found.path})
        with contextlib.closing(answer), tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
            member = tar.next()
            content = tar.extractfile(member) if member is not None else None
            return None if content is None else content.read()


def check_tag(name: str) -> None:
    """Raises UsageError for what no image can be called (distribution/reference, reference.go)."""
    repository, tag = parse_repository_tag(name)
    first, slash, rest = repository.partition("/")
    # What has no dot, colon and is not localhost is no host, whose case does not matter.
    host = first if slash and (re.search(r"[.:]", first) or first == "localhost") else ""
    hub = "" if host else "docker.io/" if slash else "docker.io/library/"
    part = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
    path = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
    if (
        "@" in name
        or (host and not re.fullmatch(rf"(?:{part}(?:\.{part})*|\[[a-fA-F0-9:]+\])(?::\d+)?", host))
        or not re.fullmatch(rf"{path}(?:/{path})*", rest if host else repository)
        or not re.fullmatch(r"(?a:\w[\w.-]{0,127})", "latest" if tag is None else tag)
        or re.fullmatch(r"[a-f0-9]{64}", repository)
        or len(hub + repository) > _LONGEST
    ):
        raise UsageError(
            f"not a name for an image, {name}",
            hint="lower case, for example shop:1.4 or registry.example/shop:1.4",
        )


def full_name(name: str) -> str:
    """A name as the engine lists it: with a tag, without what stands for Docker Hub."""
    repository, tag = parse_repository_tag(name)
    short = re.sub(r"^(?:index\.)?docker\.io/(?:library/)?", "", repository)
    return f"{short}:{tag or 'latest'}"


def _outputs(content: bytes) -> tuple[bytes, bytes]:
    """Standard output and error in the frames of a stream: 8 bytes, the first says which of them (1
    or 2), the last four the size (moby, pkg/stdcopy).
    """
    found: dict[int, list[bytes]] = {1: [], 2: []}
    while content:
        end = 8 + int.from_bytes(content[4:8], "big")
        found[content[0]].append(content[8:end])
        content = content[end:]
    return b"".join(found[1]), b"".join(found[2])


def _documents(lines: Iterator[bytes]) -> Iterator[Mapping[str, Any]]:
    """The JSON objects of an answer, one a line."""
    for line in lines:
        if line.strip():
            yield json.loads(line)

"""What stack and compose files say of services, secrets and configs, with the line of each. Pure.

Several files are one stack: later ones add to earlier ones and win over them, as docker has it.
Values that this does not ask for are neither read nor interpolated: docker does that itself.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal, NamedTuple

from ...engines.protocol import Kind
from ...errors import UsageError
from ..documents import TRUE, Document, Entry, Node, ScalarNode, text
from ..findings import Place
from ..interpolation import InterpolationError, interpolate

KINDS: tuple[Kind, ...] = ("secret", "config")
Origin = Literal["external", "file", "environment", "content", "driver"]


class Definition(NamedTuple):
    """One entry of the `secrets:` or `configs:` at the top of a file: the last file's counts."""

    kind: Kind
    key: str  # what services call it
    origin: Origin | None  # where its content comes from; None: the file does not say
    # The file's path, the variable's name, the inline content's or the driver's; "" if external.
    source: str
    name: str | None  # `name:` (or `external: {name:}`), interpolated; None: it has none
    raw_name: str | None  # the same as it is written
    labels: Mapping[str, str]
    template_driver: str | None
    place: Place  # of its key
    document: Document
    node: Node

    def __repr__(self) -> str:
        return f"Definition({self.kind}, {self.key}, {self.place})"


class Use(NamedTuple):
    """One entry of a service's `secrets:` or `configs:`."""

    service: str
    kind: Kind
    source: str  # the key of a Definition
    target: str | None  # as it is written; None: not given
    uid: str | None
    gid: str | None
    mode: str | None  # as it is written
    place: Place


class ServiceEntry(NamedTuple):
    """One service, as all files together have it."""

    name: str
    layers: tuple[tuple[Document, Node], ...]  # by file, the last one wins
    place: Place  # where it is named first

    def find(self, *path: str) -> tuple[Document, Node] | None:
        """What these keys lead to in the last file that has them."""
        for document, node in reversed(self.layers):
            found = document.get(node, *path)
            if found is not None:
                return document, found
        return None


class Stack:
    """Stack or compose files, taken together."""

    def __init__(self, documents: Sequence[Document], variables: Mapping[str, str]) -> None:
        self.documents = tuple(documents)
        self.variables = variables

    @cached_property
    def folder(self) -> str:
        """What relative paths of all files begin with: the folder of the first, as docker has it.

        "" is the current folder, which is also that of stdin.
        """
        return posixpath.dirname(self.documents[0].path) if self.documents else ""

    @cached_property
    def absolute_folder(self) -> str:
        """The same from the root, by the names that lead there and not by what is behind links."""
        here = os.environ.get("PWD", "")
        try:
            is_here = os.path.isabs(here) and os.path.samefile(here, os.curdir)
        except OSError:
            is_here = False  # so decides Go's os.Getwd
        return os.path.normpath(os.path.join(here if is_here else os.getcwd(), self.folder))

    @cached_property
    def version(self) -> str | None:
        """`version:` of the first file that has one, as it is written."""
        found = (text(one.get(one.root, "version")) for one in self.documents)
        return next((one for one in found if one), None)

    @cached_property
    def services(self) -> Mapping[str, ServiceEntry]:
        """The services by name, in the order in which they are named first."""
        found: dict[str, ServiceEntry] = {}
        for document in self.documents:
            for key, place, node in document.entries(document.get(document.root, "services")):
                before = found.get(key, ServiceEntry(key, (), place))
                found[key] = before._replace(layers=(*before.layers, (document, node)))
        return found

    @cached_property
    def definitions(self) -> Mapping[tuple[Kind, str], Definition]:
        """Secrets and configs by kind and key."""
        found: dict[tuple[Kind, str], Definition] = {}
        for document in self.documents:
            for kind in KINDS:
                section = document.get(document.root, f"{kind}s")
                for entry in document.entries(section):
                    found[kind, entry.key] = self._definition(kind, document, entry)
        return found

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Every use of a secret or config by a service.

        Where several files give them to one service, the last use of a key is the only one, as
        docker has it (docker/cli, cli/compose/loader/merge.go).
        """
        return tuple(
            use
            for service in self.services.values()
            for kind in KINDS
            for use in self._uses(service, kind)
        )

    def interpolated(self, document: Document, node: Node | None) -> str | None:
        """A scalar with its variables in place; raises UsageError, which names the line."""
        written = text(node)
        if node is None or written is None:
            return None
        try:
            return interpolate(written, self.variables)
        except InterpolationError as error:
            raise UsageError(f"{document.place(node)}: {error}") from None

    def _uses(self, service: ServiceEntry, kind: Kind) -> list[Use]:
        layers = [
            [self._use(service.name, kind, document, item) for item in document.items(section)]
            for document, node in service.layers
            if (section := document.get(node, f"{kind}s")) is not None
        ]
        if len(layers) == 1:
            return layers[0]
        return list({use.source: use for layer in layers for use in layer}.values())

    def _is_external(self, document: Document, node: Node | None) -> bool:
        """Of the value of `external:`: a mapping is; a scalar may be a variable."""
        if isinstance(node, ScalarNode):
            return (self.interpolated(document, node) or "").lower() in TRUE
        return node is not None

    def _definition(self, kind: Kind, document: Document, entry: Entry) -> Definition:
        node = entry.value
        external = document.get(node, "external")
        origin: Origin | None = "external" if self._is_external(document, external) else None
        source: Node | None = None
        for each in ("file", "environment", "content", "driver") if origin is None else ():
            if (source := document.get(node, each)) is not None:
                origin = each
                break
        named = document.get(node, "name") or document.get(external, "name")
        return Definition(
            *(kind, entry.key, origin, self.interpolated(document, source) or ""),
            *(self.interpolated(document, named), text(named), self._labels(document, node)),
            text(document.get(node, "template_driver")),
            *(entry.place, document, node),
        )

    def _labels(self, document: Document, node: Node) -> dict[str, str]:
        """A mapping, or a list of `name=text`."""
        found = document.get(node, "labels")
        pairs = [
            (one.key, self.interpolated(document, one.value)) for one in document.entries(found)
        ]
        for item in document.items(found):
            name, _, said = (self.interpolated(document, item) or "").partition("=")
            pairs.append((name, said))
        return {name: said or "" for name, said in pairs}

    def _use(self, service: str, kind: Kind, document: Document, item: Node) -> Use:
        if isinstance(item, ScalarNode):
            key = self.interpolated(document, item) or ""
            return Use(service, kind, key, None, None, None, None, document.place(item))
        source, target, uid, gid, mode = (
            self.interpolated(document, document.get(item, field))
            for field in ("source", "target", "uid", "gid", "mode")
        )
        place = document.place(item)
        return Use(service, kind, source or "", target, uid, gid, mode, place)


def load(paths: Sequence[str], variables: Mapping[str, str], stdin: bytes | None = None) -> Stack:
    """The stack of these files; `-` stands for `stdin`. Raises UsageError."""
    from ..documents import read

    return Stack([read(path, stdin if path == "-" else None) for path in paths], variables)

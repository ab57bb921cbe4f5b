"""What a check of stack and compose files looks at: the files, and what is around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..documents import Document, Entry, MappingNode, Node, ScalarNode, SequenceNode, text
from ..findings import Place
from ..stack.model import ServiceEntry, Stack


class Scope(NamedTuple):
    """The files that are checked."""

    stack: Stack
    around: Stack  # with the files that belong to them, such as compose.override.yml
    swarm: bool  # whether it is a stack for a swarm, and not for compose
    health: Mapping[str, bool]  # by service, where an engine knows whether it has a health check

    def services(self) -> Iterator[tuple[ServiceEntry, Document, Node]]:
        """Each service that is checked, in each of the files."""
        for service in self.stack.services.values():
            for document, node in service.layers:
                yield service, document, node

    def whole(self, service: ServiceEntry) -> ServiceEntry:
        """The service with what the files around say of it."""
        return self.around.services[service.name]


class Unset(Mapping[str, str]):
    """Variables of which nothing is known: each stands for itself."""

    def __getitem__(self, name: str) -> str:
        return f"${{{name}}}"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def pairs(document: Document, node: Node | None) -> Iterator[tuple[str, str | None, Node]]:
    """Names and values of `environment`, `labels` or `args`, as a mapping or a list.

    A name that has no value, which then comes from outside, has None.
    """
    for entry in document.entries(node):
        yield entry.key, text(entry.value), entry.value
    for item in document.items(node):
        name, equals, value = (text(item) or "").partition("=")
        yield name, value if equals else None, item


def scalars(top: Node | None) -> Iterator[ScalarNode]:
    """Every scalar below a node, but for keys; one that has aliases once."""
    waiting, seen = [top], set[int]()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, ScalarNode):
            yield node
        elif isinstance(node, MappingNode):
            waiting += [value for _, value in reversed(node.value)]
        elif isinstance(node, SequenceNode):
            waiting += reversed(node.value)


def inside(document: Document, node: Node, offset: int) -> Place:
    """Where a letter of a scalar is: its line, in a block of text."""
    place = document.place(node)
    if isinstance(node, ScalarNode) and node.style in ("|", ">"):
        return Place(place.path, place.line + 1 + node.value.count("\n", 0, offset))
    return place


def key_place(document: Document, node: Node | None, key: str) -> Place | None:
    """Where a key of a mapping is."""
    found: Entry | None = next((one for one in document.entries(node) if one.key == key), None)
    return found.place if found else None

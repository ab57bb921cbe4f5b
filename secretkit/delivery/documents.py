"""YAML documents, with the line of everything in them.

What is read stays a tree of nodes: a scalar keeps the letters and the quotes that it was written
with, so that what is written again means the same to every reader.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode
from yaml.composer import Composer
from yaml.resolver import Resolver

from ..errors import UsageError
from .findings import Place

__all__ = ["Document", "Entry", "MappingNode", "Node", "ScalarNode", "SequenceNode", "read"]

_Loader: Any = yaml.SafeLoader
if yaml.__with_libyaml__:
    # libyaml's parser is the one that docker's readers were made from, and a fast one. It takes
    # tabs where PyYAML's own does not. The nodes are made here: libyaml's way to make them ends
    # the process where they are nested too deeply.
    _Parser: Any = yaml.cyaml.CParser  # type: ignore[attr-defined]

    class _FastLoader(Composer, _Parser, Resolver):  # type: ignore[misc]
        def __init__(self, text: str) -> None:
            _Parser.__init__(self, text)
            Composer.__init__(self)
            Resolver.__init__(self)

    _Loader = _FastLoader

LARGEST = 4 << 20  # bytes of a file
TRUE = ("true", "yes", "on", "y")  # in lower case
# What a reader's message quotes, unless that is a sign of YAML or the name of a part of it.
_QUOTED = re.compile(r""" (['"])(?!(?:[][,:{}?!>-]|<[a-z ]+>)\1).*\1""", re.DOTALL)
# Where the shell of the user puts a pipe that stands for a file; another would never end.
PIPES = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")
_HINT = "see this line and the one before: a quote, a bracket, the indentation"
_MERGE = "tag:yaml.org,2002:merge"
_NULL = "tag:yaml.org,2002:null"


class Entry(NamedTuple):
    """One key of a mapping, with its value."""

    key: str
    place: Place  # of the key
    value: Node


class Document:
    """One YAML file: its nodes, and where they stand."""

    def __init__(self, path: str, root: Node | None, text: str = "") -> None:
        self.path = path  # as the user named it
        self.root = root
        self.text = text  # what was read, without a mark of its encoding; marks count its letters

    def place(self, node: Node) -> Place:
        """Where a node begins; that of an alias is where its anchor is."""
        mark = node.start_mark
        return Place(self.path, mark.line + 1, mark.column + 1)

    def entries(self, node: Node | None) -> Iterator[Entry]:
        """What a mapping holds, `<<` included; nothing if it is no mapping.

        A key of its own goes before one that is merged, as the merge key's specification says
        (yaml.org/type/merge.html).
        """
        return (Entry(key.value, self.place(key), value) for key, value in self.pairs(node))

    def pairs(self, node: Node | None) -> Iterator[tuple[ScalarNode, Node]]:
        """The same as nodes."""
        seen: set[str] = set()
        for mapping in self._layers(node):
            own = [
                (key, value)
                for key, value in mapping.value
                if key.tag != _MERGE and isinstance(key, ScalarNode)
            ]
            yield from ((key, value) for key, value in own if key.value not in seen)
            seen.update(key.value for key, _ in own)

    def _layers(self, node: Node | None) -> Iterator[MappingNode]:
        """A mapping and those that are merged into it, each once, the first to win first."""
        rest, seen = [node], set[int]()
        while rest:
            node = rest.pop()
            if not isinstance(node, MappingNode) or id(node) in seen:
                continue
            seen.add(id(node))
            yield node
            for _, value in reversed([one for one in node.value if one[0].tag == _MERGE]):
                rest += reversed(value.value) if isinstance(value, SequenceNode) else [value]

    def overridden(self, node: Node | None) -> ScalarNode | None:
        """A key behind which stands a `<<` that has it too.

        Readers differ in which of them wins: the one that is written (yaml.v3, PyYAML), or the one
        that stands last (yaml.v2, in docker before 23.0).
        """
        for mapping in self._layers(node):
            own: dict[str, ScalarNode] = {}
            for key, value in mapping.value:
                if key.tag == _MERGE:
                    merged = value.value if isinstance(value, SequenceNode) else [value]
                    names = (name.value for one in merged for name, _ in self.pairs(one))
                    if found := next((own[name] for name in names if name in own), None):
                        return found
                elif isinstance(key, ScalarNode):
                    own[key.value] = key
        return None

    def get(self, node: Node | None, *path: str) -> Node | None:
        """What these keys lead to, one in the other; None if there is no such."""
        for key in path:
            node = next((one.value for one in self.entries(node) if one.key == key), None)
        return node

    def items(self, node: Node | None) -> list[Node]:
        """What a sequence holds; nothing if it is none."""
        return list(node.value) if isinstance(node, SequenceNode) else []


def text(node: Node | None) -> str | None:
    """A scalar as it is written; None for null and for what is no scalar."""
    return node.value if isinstance(node, ScalarNode) and node.tag != _NULL else None


def flag(node: Node | None) -> bool:
    """Whether a scalar is true, as YAML 1.1 has it: docker's own reader knows `yes` and `on`."""
    return (text(node) or "").lower() in TRUE


def read(path: str, content: bytes | None = None) -> Document:
    """The document of a file, or of `content` that stands for it.

    Raises UsageError, which names file, line and column, for what is not one YAML document.
    """
    if content is None:
        content = _content(path)
    if len(content) > LARGEST:
        raise UsageError(
            f"{path}: larger than {LARGEST >> 20} MiB", hint="name a stack or compose file"
        )
    place = Place(path)
    try:
        written = _decoded(content)
        found = Document(path, _compose(written), written)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(path, mark.line + 1, mark.column + 1) if mark else place
        # What it quotes may be a value: one that begins with * looks like an alias.
        problem = _QUOTED.sub("", error.problem or error.context or "not YAML")
    except yaml.reader.ReaderError:
        problem = "it has control characters"
    except UnicodeDecodeError:
        problem = "not a text in UTF-8 or UTF-16"
    except RecursionError:
        problem = "nested too deeply"
    else:
        _check_keys(found)
        return found
    raise UsageError(f"{place}: not YAML: {problem}", hint=_HINT)


def _content(path: str) -> bytes:
    """The beginning of a file, up to what is too large."""
    try:
        if Path(path).is_fifo() and not path.startswith(PIPES):
            reason = "a pipe"
        else:
            with Path(path).open("rb") as file:
                return file.read(LARGEST + 1)
    except OSError as error:
        reason = (error.strerror or "I/O error").lower()
    except ValueError:
        reason = "no name of a file"
    hint = "paths are relative to the current folder, in a file to that file's folder"
    raise UsageError(f"{path}: cannot be read, {reason}", hint=hint)


def _decoded(content: bytes) -> str:
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding)
    return content.decode("utf-8-sig")


def _compose(text: str) -> Node | None:
    """The one document of a text; raises yaml.YAMLError, RecursionError."""
    loader = _Loader(text)
    try:
        root: Node | None = loader.get_single_node()
        return root
    finally:
        loader.dispose()


def _check_keys(document: Document) -> None:
    """Raise UsageError for a mapping that has a key twice: docker's readers differ about it."""
    rest, seen = [document.root], set()
    while rest:
        node = rest.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, SequenceNode):
            rest += node.value
        elif isinstance(node, MappingNode):
            keys = set()
            for key, value in node.value:
                rest += (key, value)
                if not isinstance(key, ScalarNode):
                    continue
                if (key.tag, key.value) in keys:
                    raise UsageError(
                        f"{document.place(key)}: a key that is there already",
                        hint="write it once: docker's readers differ about which of them counts",
                    )
                keys.add((key.tag, key.value))

"""Variables that tell plain `docker stack deploy` which version is current. Pure.

A stack file that says `name: ${DB_PASSWORD_SECRET:-db-password}` then gets the version that a
rotation made current, without secretkit.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping

from ...engines.protocol import Kind
from ...errors import ConflictError
from ...naming import variable_name
from ...rotation.objects import parse
from ..documents import Document, MappingNode, Node, ScalarNode, SequenceNode
from ..interpolation import InterpolationError, interpolate, sole
from .model import Definition, Stack

SUFFIXES: Mapping[Kind, str] = {"secret": "_SECRET", "config": "_CONFIG"}
Current = Mapping[Kind, Mapping[str, str]]  # of each name, the object name of its current version
_SECTIONS = ("services", "networks", "volumes", "secrets", "configs")  # docker replaces no others
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def of_all(current: Current) -> tuple[dict[str, str], list[str]]:
    """A variable for each secret and config, and the names for which there can be none.

    Raises ConflictError if two make one variable.
    """
    found: dict[str, str] = {}
    names: dict[str, str] = {}
    without: list[str] = []
    for kind, objects in current.items():
        for name, object_name in objects.items():
            variable = variable_name(name) + SUFFIXES[kind]
            if not _NAME.fullmatch(variable):
                without.append(name)
                continue
            if variable in found:
                raise ConflictError(
                    f"two {kind}s for the variable {variable}, {names[variable]} and {name}",
                    hint="-c FILE prints the variables that a stack file uses",
                )
            found[variable], names[variable] = object_name, name
    return dict(sorted(found.items())), without


def of_stack(stack: Stack, current: Current) -> tuple[dict[str, str], list[Definition]]:
    """Those that the `name:` entries of a stack consist of, and the definitions without a secret.

    Which secret or config it is: the variable's default says it, else the key. Raises ConflictError
    if one variable is for two.
    """
    found: dict[str, str] = {}
    without: list[Definition] = []
    for one in stack.definitions.values():
        variable, default = sole(one.raw_name or "") or ("", "")
        if not variable:
            continue
        known = current.get(one.kind, {})
        name = next((each for each in (default, parse(default)[0], one.key) if each in known), None)
        if name is None:
            without.append(one)
        elif found.setdefault(variable, known[name]) != known[name]:
            raise ConflictError(
                f"{one.place}: the variable {variable} is for two {one.kind}s",
                hint="each needs a variable of its own",
            )
    return dict(sorted(found.items())), without


def without_variable(stack: Stack, current: Current) -> list[tuple[Definition, str]]:
    """External ones that have versions and no variable for them, and a `name:` that has one.

    Plain docker takes the name that the file says, which stays that of one version.
    """
    found = []
    for one in stack.definitions.values():
        written = one.name or one.key
        known = current.get(one.kind, {})
        name = next((each for each in (written, parse(written)[0]) if each in known), None)
        if one.origin == "external" and name and not sole(one.raw_name or ""):
            variable = variable_name(name) + SUFFIXES[one.kind]
            variable = variable if _NAME.fullmatch(variable) else "NAME" + SUFFIXES[one.kind]
            found.append((one, f"name: ${{{variable}:-{name}}}"))
    return found


def unset(stack: Stack) -> tuple[str, ...]:
    """The variables that the files use without a default, and that are not set: docker takes "".

    What docker refuses is left to docker.
    """
    found: dict[str, None] = {}
    for _, node in _texts(stack):
        with contextlib.suppress(InterpolationError):
            interpolate(node.value, stack.variables, found.setdefault)
    return tuple(sorted(found))


def refused(stack: Stack) -> str | None:
    """The first text whose variables cannot be replaced: its place and why; None: all can be."""
    for document, node in _texts(stack):
        try:
            interpolate(node.value, stack.variables)
        except InterpolationError as error:
            return f"{document.place(node)}: {error}"
    return None


def _texts(stack: Stack) -> Iterator[tuple[Document, ScalarNode]]:
    """The texts with a $ in which docker replaces variables, in the order of the files."""
    for document in stack.documents:
        sections = (document.get(document.root, one) for one in _SECTIONS)
        found = _texts_of([one for one in sections if one is not None])
        for node in sorted(found, key=lambda one: (one.start_mark.line, one.start_mark.column)):
            yield document, node


def _texts_of(rest: list[Node]) -> Iterator[ScalarNode]:
    seen: set[int] = set()
    while rest:
        node = rest.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, MappingNode):
            rest += [value for _, value in node.value]
        elif isinstance(node, SequenceNode):
            rest += node.value
        elif isinstance(node, ScalarNode) and "$" in node.value:
            yield node

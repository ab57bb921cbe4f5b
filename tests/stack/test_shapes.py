"""Every shape resolves to what docker would take, and deploys as docker deploys it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from secretkit.delivery.stack.model import load
from secretkit.delivery.stack.resolve import resolve
from secretkit.delivery.stack.rewrite import rewrite
from secretkit.engines.protocol import Kind
from tests.stack.clients import Stacks, references
from tests.stack.shapes import SHAPES, Shape, stack_file

VARIABLES = {"YES": "true", "FIRST": "P", "MODE": "0400", "VALUE": "v", "PORT": "80"}


def variables(pw: str, folder: Path) -> dict[str, str]:
    return {**VARIABLES, "FIRST": pw[:-1], "NAME": pw, "DIR": str(folder)}


def named(text: str, mark: str, stack: str) -> str:
    """Names that no other test has."""
    text = text.replace("{stack}", stack).replace("STACK", stack)
    for word in ("PW", "APP", "THERE", "CONF"):
        text = text.replace(word, f"{word}{mark}W")
    return text


def test_there_are_many() -> None:
    """The issue of adopting secretkit is that nobody's file has to change."""
    assert len(SHAPES) >= 30
    assert len({one.name for one in SHAPES}) == len(SHAPES)


@pytest.fixture(scope="module")
def objects(stacks: Stacks) -> Mapping[Kind, str]:
    """What stack files name is there: versions, and what secretkit does not know."""
    for name in ("PW", "PW-v2", "THERE"):
        stacks.make("secret", named(name, stacks.mark, ""))
    for name in ("APP", "APP-v2", "CONF"):
        stacks.make("config", named(name, stacks.mark, ""))
    pw, app = named("PW", stacks.mark, ""), named("APP", stacks.mark, "")
    return {"secret": pw, "config": app}


def write(folder: Path, shapes: tuple[Shape, ...], stacks: Stacks, stack: str) -> str:
    (folder / "F").write_text("content")
    text = stack_file(shapes, stacks.engine.image)
    file = folder / "stack.yml"
    file.write_text(named(text, stacks.mark, stack))
    return str(file)


def test_each_resolves_and_deploys(
    stacks: Stacks, objects: Mapping[Kind, str], tmp_path: Path
) -> None:
    """All shapes in one stack: which secret each is, and what its service gets."""
    stack = f"all{stacks.mark}"
    path = write(tmp_path, SHAPES, stacks, stack)
    known = {kind: {name} for kind, name in objects.items()}
    pw = objects["secret"]
    found = load([path], variables(pw, tmp_path))
    resolution = resolve(found, stack, known)
    by_key = {(one.definition.kind, one.definition.key): one for one in resolution.definitions}
    names = {key: f"{objects[key[0]]}-v2" for key, one in by_key.items() if one.becomes != "docker"}
    said = stacks.deploy_given(stack, rewrite(found, names), variables(pw, tmp_path))
    assert said == ""
    specs = stacks.specs(stack)
    for number, shape in enumerate(SHAPES):
        key = f"x{number}" if shape.use != "PW" else pw
        resolved = by_key[shape.kind, key]  # type: ignore[index]
        called = named(shape.called, stacks.mark, stack).replace("_x", f"_x{number}")
        assert (shape.name, shape.becomes, called) == (
            shape.name,
            resolved.becomes,
            resolved.name,
        )
        target = named(shape.target, stacks.mark, stack)
        target = f"x{number}" if target == "x" else target
        used = references(specs[f"s{number}"], shape.kind)
        target = target if target in used else f"/{target}"
        assert used[target][0] == (called if shape.becomes == "docker" else names[shape.kind, key])  # type: ignore[index]


def test_what_docker_takes_it_gives_in_the_same_way(
    stacks: Stacks, objects: Mapping[Kind, str], tmp_path: Path
) -> None:
    """Target, owner and mode of every file are those of the same stack deployed by docker alone."""
    shapes = tuple(one for one in SHAPES if one.docker)
    plain, ours = f"plain{stacks.mark}", f"ours{stacks.mark}"
    pw = objects["secret"]
    path = write(tmp_path, shapes, stacks, plain)
    assert stacks.deploy(plain, "-c", path, variables=variables(pw, tmp_path)) == ""
    # Objects that docker made for the first stack have names that are taken.
    text = Path(path).read_text()
    for prefix in ("n-", "q-", "t-"):
        text = text.replace(prefix, f"o{prefix}")
    Path(path).write_text(text)
    found = load([path], variables(pw, tmp_path))
    resolution = resolve(found, ours, {kind: {name} for kind, name in objects.items()})
    names = {
        (one.definition.kind, one.definition.key): f"{objects[one.definition.kind]}-v2"
        for one in resolution.definitions
        if one.becomes != "docker"
    }
    assert stacks.deploy_given(ours, rewrite(found, names), variables(pw, tmp_path)) == ""
    expected, actual = stacks.specs(plain), stacks.specs(ours)
    assert expected.keys() == actual.keys()
    for number, shape in enumerate(shapes):
        files = [
            {target: file for target, (_, file) in references(one, shape.kind).items()}
            for one in (expected[f"s{number}"], actual[f"s{number}"])
        ]
        assert (shape.name, files[0]) == (shape.name, files[1])
        assert files[0]

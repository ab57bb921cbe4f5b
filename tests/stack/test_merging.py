"""Random stacks of several files: what they say of secrets and configs is what docker says."""

from __future__ import annotations

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from secretkit.delivery.stack.model import KINDS, load
from secretkit.delivery.stack.resolve import check, resolve
from secretkit.delivery.stack.rewrite import rewrite
from tests.stack.clients import clients, version

KEYS = ("a", "b-c", "d-e", "f_g", "1h")
VARIABLES = {"NAME": "named", "EMPTY": "", "YES": "true", "MODE": "256"}
NAMES = ("plain", "${NAME}", "${UNSET:-default}", "x-$NAME", "a$$b", "${EMPTY-none}", "n-v3")


def definition(chance: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {}
    kind = chance.randrange(4)
    if kind == 0:
        found["external"] = chance.choice([True, "${YES}"])
    elif kind == 1:
        return {"external": {"name": chance.choice(NAMES)}}
    else:
        found["file"] = chance.choice(["./f", "../g", "/h", "sub/$NAME", "${UNSET-i}"])
        found |= {"external": False} if chance.random() < 0.2 else {}
    return found | ({"name": chance.choice(NAMES)} if chance.random() < 0.5 else {})


def use(chance: random.Random, key: str) -> Any:
    if chance.random() < 0.5:
        return key
    some = {
        "target": chance.choice([f"t-{key}", f"/etc/{key}", f"${{NAME}}-{key}"]),
        "uid": chance.choice(["7", "${NAME}"]),
        "gid": "8",
        "mode": chance.choice([0o440, 256, "${MODE}"]),
    }
    return {"source": key} | {name: each for name, each in some.items() if chance.random() < 0.5}


def files(chance: random.Random) -> list[dict[str, Any]]:
    """One to three, the services of which use no key twice."""
    found: list[dict[str, Any]] = []
    for _ in range(chance.randint(1, 3)):
        content: dict[str, Any] = {"version": "3.8", "services": {}}
        for kind in KINDS:
            keys = chance.sample(KEYS, chance.randint(1 if found else len(KEYS), len(KEYS)))
            content[f"{kind}s"] = {key: definition(chance) for key in keys}
        for name in chance.sample(("web", "worker", "db"), 2):
            service: dict[str, Any] = {"image": "x"}
            for kind in KINDS:
                if chance.random() < 0.8:
                    keys = chance.sample(KEYS, chance.randint(1, 3))
                    service[f"{kind}s"] = [use(chance, key) for key in keys]
            content["services"][name] = service
        found.append(content)
    return found


def by_docker(client: str, options: list[str], **more: Any) -> dict[str, Any]:
    """What `docker stack config` makes of files: it merges, interpolates and checks them."""
    done = subprocess.run(
        [client, "stack", "config", *options],
        env=os.environ | VARIABLES,
        capture_output=True,
        check=True,
        **more,
    )
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


def uses(service: dict[str, Any], section: str) -> set[tuple[object, ...]]:
    return {
        tuple(str(one[field]) if field in one else None for field in FIELDS)
        for one in service.get(section, [])
    }


FIELDS = ("source", "target", "uid", "gid", "mode")


@pytest.mark.parametrize("link", ["current", "cur,rent"])
def test_paths_through_links_are_those_of_docker(
    link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`..` takes the name of a link away, not that of the folder behind it: also where docker gets
    the first file on stdin, because of its name or its words, and where it stands behind a link."""
    client = next((one for one in clients() if version(one) >= (25, 0)), None)
    if client is None:
        pytest.skip("the docker clients of this machine have no `stack config`")
    (tmp_path / "releases" / "42").mkdir(parents=True)
    (tmp_path / link).symlink_to("releases/42")
    content = """version: "3.8"
services: {web: {image: x, configs: [given, plain]}}
secrets: {s: {file: ../shared/s}, h: {file: /h/../h}, t: {file: t}}
configs: {plain: {file: ../shared/c}, given: {WORD: ../shared/g}}
"""
    for folder, path in ((tmp_path, f"{link}/s.yml"), (tmp_path / link, "s.yml")):
        monkeypatch.chdir(folder)
        monkeypatch.setenv("PWD", str(folder))
        (tmp_path / link / "s.yml").write_text(content.replace("WORD", "file"))
        monkeypatch.setenv("PWD", str(tmp_path / link))
        expected = by_docker(client, ["-c", "s.yml"], cwd=str(tmp_path / link))
        monkeypatch.setenv("PWD", str(folder))
        resolution = resolve(load([path], {}), "s", {})
        paths = {
            one.definition.key: one.source.path for one in resolution.definitions if one.source
        }
        said = expected["secrets"] | expected["configs"]
        assert paths == {key: one["file"] for key, one in said.items()}
        (tmp_path / link / "s.yml").write_text(content.replace("WORD", "environment"))
        with rewrite(load([path], {}), {}).opened() as (options, more):
            monkeypatch.setenv("PWD", more["cwd"])
            assert by_docker(client, options, **more) == expected


@pytest.mark.parametrize("seed", range(20))
def test_definitions_and_uses_are_those_of_docker(seed: int, tmp_path: Path) -> None:
    """Of each key the origin, name and path; of each service what it uses, and under which target.

    And what docker is given by us differs in the definitions alone.
    """
    client = next((one for one in clients() if version(one) >= (25, 0)), None)
    if client is None:
        pytest.skip("the docker clients of this machine have no `stack config`")
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    paths = []
    for number, content in enumerate(files(random.Random(seed))):
        path = tmp_path / ("here", "there", ".")[number] / f"{number}.yml"
        path.write_text(json.dumps(content) if seed % 2 else yaml.safe_dump(content))
        paths.append(str(path))
    expected = by_docker(client, [word for path in paths for word in ("-c", path)])
    stack = load(paths, VARIABLES)
    check(stack)
    for kind in KINDS:
        for key, said in expected[f"{kind}s"].items():
            one = stack.definitions[kind, key]
            assert (one.origin == "external") == said.get("external", False)
            assert (one.name or (one.key if one.origin == "external" else None)) == (
                said.get("name", "").replace("$$", "$") or None
            )
            if one.origin == "file":
                path = Path(os.path.normpath(Path(paths[0]).parent / one.source))
                assert str(path) == said["file"]
    for name, service in expected["services"].items():
        for kind in KINDS:
            ours = {
                (one.source, one.target, one.uid, one.gid, one.mode)
                for one in stack.uses
                if (one.service, one.kind) == (name, kind)
            }
            assert ours == uses(service, f"{kind}s")

    names = dict.fromkeys(stack.definitions, "known-v2")
    with rewrite(stack, names).opened() as (options, more):
        given = by_docker(client, options, **more)
    for kind in KINDS:
        theirs = expected.pop(f"{kind}s")
        assert given.pop(f"{kind}s") == {
            key: {"name": "known-v2", "external": True} for key in theirs
        }
    assert given == expected

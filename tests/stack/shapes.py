"""Shapes of `secrets:` and `configs:`, as people have them in stack files.

In all of them PW and APP are the names of a secret and a config that have versions, THERE and
CONF those of objects that secretkit does not know, and F a file. `x` is what a service uses.
"""

from __future__ import annotations

from typing import NamedTuple


class Shape(NamedTuple):
    """One definition of `x`, how a service uses it, and what comes of it."""

    name: str
    definition: str  # what stands after `x:`
    use: str = "x"  # an item of the service's list
    becomes: str = "known"
    called: str = "PW"  # {stack} is the name that it is deployed under
    target: str = "x"
    kind: str = "secret"
    docker: bool = True  # whether docker takes it as it is


SHAPES = (
    Shape("external under its key", "{external: true}", "PW", target="PW"),
    Shape("external with a name", "{external: true, name: PW}"),
    Shape("external with the name below", "{external: {name: PW}}"),
    Shape("a block", "\n    external: true\n    name: PW"),
    Shape("quoted", '{"external": true, "name": "PW"}'),
    Shape("a folded name", "\n    external: true\n    name: >-\n      PW"),
    Shape("capitals", "{external: TRUE, name: PW}"),
    Shape("external by a variable", '{external: "${YES}", name: PW}'),
    Shape("a name by a variable", '{external: true, name: "${NAME}"}'),
    Shape("a name by a default", '{external: true, name: "${UNSET:-PW}"}'),
    Shape("a name of parts", '{external: true, name: "${FIRST}W"}'),
    Shape("external, and a file nobody needs", "{external: true, name: PW, file: ./none}"),
    Shape("external with labels", "{external: true, name: PW, labels: {a: b}}"),
    Shape("pinned to a version", "{external: true, name: PW-v2}"),
    Shape("an extension field", "{external: true, name: PW, x-owner: team}"),
    Shape("an alias", "*anchored"),
    Shape("a merge key", "{<<: *anchored}"),
    Shape("a merge key with more", "{<<: *nothing, name: PW}"),
    Shape("several merge keys", "{<<: [*nothing, *anchored]}"),
    Shape("long, without more", "{external: true, name: PW}", "{source: x}"),
    Shape(
        "another target", "{external: true, name: PW}", "{source: x, target: other}", target="other"
    ),
    Shape(
        "an absolute target",
        "{external: true, name: PW}",
        "{source: x, target: /etc/app/pw}",
        target="/etc/app/pw",
    ),
    Shape(
        "a target by a variable",
        "{external: true, name: PW}",
        '{source: x, target: "${NAME}.txt"}',
        target="PW.txt",
    ),
    Shape(
        "owner and mode",
        "{external: true, name: PW}",
        '{source: x, uid: "103", gid: "104", mode: 0440}',
    ),
    Shape("a decimal mode", "{external: true, name: PW}", "{source: x, mode: 256}"),
    Shape("a mode of 1.2", "{external: true, name: PW}", "{source: x, mode: 0o400}"),
    Shape("a mode by a variable", "{external: true, name: PW}", '{source: x, mode: "${MODE}"}'),
    Shape(
        "unknown to secretkit", "{external: true, name: THERE}", becomes="docker", called="THERE"
    ),
    Shape("a file", "{file: ./F}", becomes="given", called="{stack}_x"),
    Shape("a file, named", "{file: F, name: n-PW}", becomes="given", called="n-PW"),
    Shape("a file by a variable", '{file: "${DIR}/F"}', becomes="given", called="{stack}_x"),
    Shape("external: false", "{external: false, file: F}", becomes="given", called="{stack}_x"),
    Shape("a file with labels", "{file: F, labels: [a=b]}", becomes="given", called="{stack}_x"),
    Shape(
        "a name that ends like a version",
        "{file: F, name: q-PW-v7}",
        becomes="docker",
        called="q-PW-v7",
    ),
    Shape("a variable", "{environment: VALUE}", becomes="given", called="{stack}_x", docker=False),
    Shape(
        "a variable in a block",
        "\n    # as compose has it\n    'environment': VALUE\n    name: v-PW",
        becomes="given",
        called="v-PW",
        docker=False,
    ),
    Shape(
        "a variable by an alias",
        "*of-variable",
        becomes="given",
        called="{stack}_x",
        docker=False,
    ),
    Shape("a config", "{external: true, name: APP}", called="APP", kind="config"),
    Shape(
        "a config with a target",
        "{external: true, name: APP}",
        '{source: x, target: /etc/app.conf, uid: "5"}',
        called="APP",
        target="/etc/app.conf",
        kind="config",
    ),
    Shape(
        "a config unknown to secretkit",
        "{external: true, name: CONF}",
        becomes="docker",
        called="CONF",
        kind="config",
    ),
    Shape("a config of a file", "{file: F}", becomes="given", called="{stack}_x", kind="config"),
    Shape(
        "a config with a template",
        "{file: F, template_driver: golang, name: t-APP-STACK}",
        becomes="docker",
        called="t-APP-{stack}",
        kind="config",
    ),
    Shape(
        "a config with its content",
        "\n    content: |\n      listen ${PORT}\n      # $$ and 'quotes'",
        becomes="given",
        called="{stack}_x",
        kind="config",
        docker=False,
    ),
    Shape(
        "a config with its content, in flow",
        '{content: "a: {b: [c]}", name: c-APP}',
        becomes="given",
        called="c-APP",
        kind="config",
        docker=False,
    ),
)

HEAD = """version: "3.8"
x-anchored: &anchored {external: true, name: PW}
x-nothing: &nothing {external: true}
x-of-variable: &of-variable
  environment: "VALUE"
"""


def stack_file(shapes: tuple[Shape, ...], image: str) -> str:
    """A stack of one service for each shape; the key of the nth is `x<n>`, or as it says."""
    services, sections = "services:\n", {"secret": "secrets:\n", "config": "configs:\n"}
    for number, one in enumerate(shapes):
        key = f"x{number}"
        use = key if one.use == "x" else one.use.replace("source: x", f"source: {key}")
        services += (
            f"  s{number}:\n    image: {image}\n    {one.kind}s: [{use}]\n"
            "    deploy: {replicas: 0}\n"
        )
        sections[one.kind] += f"  {use if one.use == 'PW' else key}: {one.definition}\n"
    return HEAD + services + "".join(sections.values())

"""What a build takes along, and how a Dockerfile is read: as docker does."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import pytest

from secretkit.delivery.dockerfiles import Stage, instructions, shipped, stages
from secretkit.delivery.lint.context import Ignored
from secretkit.delivery.lint.dockerfile import findings_of_dockerfile
from tests.engine import Engine

FILES = """
.env app.py a/.env a/b/.env a/b/c.txt secrets/x.key secrets/keep.txt secrets/deep/y.key docs/a.md
.secretkit/store dev-secrets/db-password README.md x.key [odd] foo.bar
"""
IGNORING = [
    "**/.env\n.secretkit\n/dev-secrets/\n",
    "# .env\n  *.key  \nsecrets/**/*.key\n!secrets/deep/y.key\n",
    "*\n!app.py\n!a\na/b\n",
    "secrets\n!secrets/keep.txt\n**/c.txt\n",
    "**\n!docs/*.md\n",
    "?pp.py\n./docs/../README.md\nfoo.*\n[a-b]*\n",
    "*/*/.env\n**/x.key\n\\[odd\\]\n",
    ".git\n\n!.env\n**/*.md\n!README.md\n",
]


@pytest.mark.parametrize("text", IGNORING)
def test_dockerignore_means_what_it_means_to_the_client(
    text: str, engine: Engine, tmp_path: Path
) -> None:
    """The files that a real build gets are those that the patterns leave."""
    for name in FILES.split():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / ".dockerignore").write_text(text)
    (tmp_path / "Dockerfile").write_text('FROM scratch\nCOPY . /\nCMD ["x"]\n')
    with built(engine, tmp_path) as image:
        names = files_of(engine, image)
    ignored = Ignored(text)
    assert {name for name in FILES.split() if name not in ignored} == names & set(FILES.split())


def test_where_clients_differ_nothing_counts_as_ignored() -> None:
    """docker 20.10 takes along what stands in the folder of `!folder`, docker 28 does not."""
    assert "secrets/deep/y.key" not in Ignored("secrets/**/*.key\n!secrets/deep\n")


CONFIGURED = r"""
# escape=\
FROM scratch
ENV A=1 B="two words" C='single $A' D=with\ blank \
    # a comment, then an empty line

    E="quo\"te"
ENV OLD the rest of the line
ENTRYPOINT ["a", "b c"] and what stands after it
LABEL x.y=z "quoted name"="v"
CMD ['not', 'json']
"""


def test_a_dockerfile_is_read_as_the_engine_reads_it(engine: Engine, tmp_path: Path) -> None:
    """Continuations, comments in them, quotes, both forms."""
    (tmp_path / "Dockerfile").write_text(CONFIGURED)
    with built(engine, tmp_path) as image:
        config = json.loads(engine.docker("image", "inspect", "-f", "{{json .Config}}", image))
    (stage,) = stages(CONFIGURED)
    pairs = {name: value for one in stage.all("ENV") for name, value, _ in one.pairs}
    assert pairs == dict(one.split("=", 1) for one in config["Env"] if one[:5] != "PATH=")
    labels = {name: value for one in stage.all("LABEL") for name, value, _ in one.pairs}
    assert labels == config["Labels"]
    entrypoint, command = stage.last("ENTRYPOINT"), stage.last("CMD")
    assert entrypoint and entrypoint.listed == config["Entrypoint"]
    assert command and command.listed is None
    assert config["Cmd"] == ["/bin/sh", "-c", command.arguments]


def test_each_line_is_known() -> None:
    """Of an instruction, of its continuations, and of a here-document."""
    text = "FROM a\n\nRUN x && \\\n# note\n  y\nRUN <<A cat <<-B\none\nA\n\ttwo\n\tB\nCMD z"
    run, documents, command = list(instructions(text))[1:]
    assert (run.line, run.line_at(run.text.index("y"))) == (3, 5)
    assert documents.text == "<<A cat <<-B\none\ntwo"
    assert [documents.line_at(documents.text.index(word)) for word in ("one", "two")] == [7, 9]
    assert command.line == 11


def test_the_stages_that_somebody_gets() -> None:
    """The last, what it is built from, and others that nothing uses, as they may be a target."""
    text = "FROM a AS base\nFROM base AS build\nFROM c AS debug\nFROM base\nCOPY --from=build /x /x"
    assert shipped(stages(text)) == {0, 2, 3}
    assert stages(text)[3] == Stage("3", "base", stages(text)[3].instructions)


@contextmanager
def built(engine: Engine, folder: Path, *options: str) -> Iterator[str]:
    """An image of a folder's Dockerfile, removed afterwards."""
    tag = f"secretkit-test:{token_hex(8)}"
    engine.docker("build", *options, "--tag", tag, str(folder))
    try:
        yield tag
    finally:
        engine.docker("image", "rm", "--force", tag)


def files_of(engine: Engine, image: str) -> set[str]:
    """The files in an image."""
    container = engine.docker("create", image)
    try:
        export = ["docker", "-H", engine.host, "export", container]
        with (
            subprocess.Popen(export, stdout=subprocess.PIPE) as process,
            tarfile.open(fileobj=process.stdout, mode="r|") as tar,
        ):
            return {entry.name for entry in tar}
    finally:
        engine.docker("rm", "--force", container)


MISTAKES = """
FROM {base}
ARG API_TOKEN
ENV DB_PASSWORD="$(cat /run/secrets/db-password)"
RUN ["python3", "-c", "pass"]
ENTRYPOINT ["python3", "-ISB", "/opt/secretkit/secretkit-entrypoint", "--"]
"""


def test_what_the_rules_say_is_so(engine: Engine, tmp_path: Path) -> None:
    """ENV runs nothing, a build argument stays in the history, ENTRYPOINT clears CMD."""
    text = MISTAKES.format(base=engine.image)
    findings = findings_of_dockerfile("Dockerfile", text, tmp_path)
    rules = ["env-runs-nothing", "secret-build-argument", "shim-clears-cmd"]
    assert sorted(one.rule for one in findings) == rules
    (tmp_path / "Dockerfile").write_text(text)
    with built(engine, tmp_path, "--build-arg", "API_TOKEN=canary") as image:
        config = json.loads(engine.docker("image", "inspect", "-f", "{{json .Config}}", image))
        history = engine.docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image)
    assert "DB_PASSWORD=$(cat /run/secrets/db-password)" in config["Env"]
    assert "API_TOKEN=canary" in history
    assert not config.get("Cmd")  # that of the image below is python3

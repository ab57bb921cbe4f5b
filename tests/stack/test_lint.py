"""What `lint` says of stack files, held against docker itself; `stack lint` with a swarm."""

from __future__ import annotations

from pathlib import Path

import pytest

from secretkit.delivery.lint.checking import check
from tests.cli.conftest import bare, cli, memory
from tests.cli.program import Program
from tests.stack.clients import Stacks, references

__all__ = ["bare", "cli", "memory"]

# What is at the end of a file, by the rule that is to find it: docker refuses each of them.
REFUSED = {
    "same-target": "[{source: A, target: x}, {source: B, target: x}]",
    "wrong-mode": '[{source: A, mode: "0440"}]',
    "undefined-secret": "[A, C]",
    "unreadable-file": "[{target: A}]",
}


def text(stacks: Stacks, secrets: str, version: str = "3.8") -> str:
    """A stack of one service without tasks, which uses secrets: A and B are there."""
    return (
        f'version: "{version}"\n'
        f"services:\n  web:\n    image: {stacks.engine.image}\n    command: [python3]\n"
        f"    deploy: {{replicas: 0, update_config: {{failure_action: rollback}}}}\n"
        f"    healthcheck: {{test: [CMD, 'true']}}\n    secrets: {secrets}\n"
        "secrets:\n"
        + "".join(f"  {name}: {{external: {{name: lint-{name}-{stacks.mark}}}}}\n" for name in "AB")
    )


def found(path: Path) -> set[str]:
    """The rules of the errors in a file, which is for a swarm."""
    findings, _ = check([str(path)], swarm=True)
    return {one.rule for one in findings if one.severity == "error"}


@pytest.fixture(scope="module", autouse=True)
def made(stacks: Stacks) -> None:
    """The secrets A and B."""
    for name in "AB":
        stacks.make("secret", f"lint-{name}-{stacks.mark}")


def write(folder: Path, content: str) -> Path:
    path = folder / "stack.yml"
    path.write_text(content)
    return path


@pytest.mark.parametrize("rule", REFUSED)
def test_docker_refuses_what_is_an_error(rule: str, stacks: Stacks, tmp_path: Path) -> None:
    """A file with the error is one that docker does not deploy."""
    content = text(stacks, REFUSED[rule])
    path = write(tmp_path, content)
    assert found(path) == {rule}
    assert stacks.deploy(f"lint-{stacks.mark}", "-c", str(path))


@pytest.mark.parametrize(("version", "refused"), [("3.0", True), ("3.1", False), ("2.4", True)])
def test_versions(version: str, refused: bool, stacks: Stacks, tmp_path: Path) -> None:
    """A version of the format that has no secrets is refused, by docker and by us."""
    content = text(stacks, "[A, B]", version)
    content = content.replace(", update_config: {failure_action: rollback}", "")
    path = write(tmp_path, content)
    assert found(path) == ({"old-version"} if refused else set())
    name = f"lint-{version.replace('.', '')}-{stacks.mark}"
    assert bool(stacks.deploy(name, "-c", str(path))) == refused


def test_a_decimal_mode(stacks: Stacks, tmp_path: Path) -> None:
    """Docker takes the mode 440 for a decimal number, and we say which one it becomes."""
    content = text(stacks, "[{source: A, mode: 440}, {source: B, mode: 0440}]")
    path = write(tmp_path, content.replace("3.8", "3.4"))
    name = f"lint-mode-{stacks.mark}"
    assert stacks.deploy(name, "-c", str(path)) == ""
    given = references(stacks.specs(name)["web"], "secret")
    assert (given["A"][1]["Mode"], given["B"][1]["Mode"]) == (0o670, 0o440)
    [one] = [one for one in check([str(path)], swarm=True)[0] if one.severity == "error"]
    assert (one.rule, one.message) == ("wrong-mode", "the mode 440 is decimal, which is 0670")


def test_stack_lint_asks_the_engine_and_the_store(stacks: Stacks, cli: Program) -> None:
    """What is external is looked for in the engine, the store and secretkit.toml; a service that is
    there and has a health check needs none in the file."""
    swarm = {"DOCKER_HOST": stacks.engine.host, "SECRETKIT_ENGINE": "swarm"}
    name = f"lint-ask-{stacks.mark}"
    whole = text(stacks, "[A, B]")
    write(cli.folder, whole)
    assert stacks.deploy(name, "-c", str(cli.folder / "stack.yml")) == ""

    stored, made, absent = (f"lint-{word}-{stacks.mark}" for word in ("stored", "made", "absent"))
    cli.create(stored)
    cli.write("secretkit.toml", f'[secrets.{made}]\ngenerate = "pin"\n')
    names_of = {
        "A": f"lint-A-{stacks.mark}",
        "B": absent,
        "C": stored,
        "D": made,
        "E": f"{stored}-v2",
    }
    defined = "".join(f"  {key}: {{external: true, name: {of}}}\n" for key, of in names_of.items())
    head = whole[: whole.index("secrets:\n  A:")].replace("[A, B]", "[A, B, C, D, E]")
    head = head.replace("    healthcheck: {test: [CMD, 'true']}\n", "")
    cli.write("stack.yml", f"{head}secrets:\n{defined}")

    def rules(*words: str, **options: str) -> list[tuple[str, int]]:
        done = cli("stack", "lint", "-c", "stack.yml", "--json", *words, **options)
        assert done.code in (0, 1), done.err
        return sorted((one["rule"], one["line"]) for one in done.json)

    line = head.count("\n") + 3
    missing, pinned = ("missing-external", line), ("pinned-version", line + 3)
    assert rules(name, **swarm) == [missing, pinned]
    assert rules(**swarm) == [missing, ("no-health-check", 4), pinned]
    assert rules(name) == [("no-health-check", 4), pinned]
    done = cli("stack", "lint", "-c", "stack.yml")
    assert done.lines[0] == "secretkit: no engine was asked: --engine swarm"
    away = cli(
        "stack", "lint", "-c", "stack.yml", SECRETKIT_ENGINE="swarm", DOCKER_HOST="unix:///x"
    )
    assert away.code == 5

"""`stack env`, and files of variables."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from secretkit.delivery import envfile
from secretkit.errors import UsageError
from tests.cli.conftest import bare, cli, memory
from tests.cli.program import EXECUTABLE, Program
from tests.needs import need_program
from tests.stack.clients import Stacks, references
from tests.swarm.services import Services, operator, services_of

__all__ = ["bare", "cli", "memory"]


@pytest.fixture
def services(stacks: Stacks) -> Iterator[Services]:
    with services_of(stacks.engine) as found:
        yield found


def test_plain_docker_stack_deploy_keeps_a_rotation(stacks: Stacks, services: Services) -> None:
    """With the variables in the shell, the unchanged file changes no service."""
    with operator(services) as secretkit:
        name, stack = services.secret, f"env{stacks.mark}"
        secretkit.ok("config", "create", f"app-{services.mark}", "-", input=b"one")
        file = secretkit.write(
            "stack.yml",
            f"""version: "3.8"
services:
  web:
    image: {stacks.engine.image}
    secrets: [db]
    configs: [app]
    deploy: {{replicas: 0}}
secrets:
  db: {{external: true, name: "${{DB:-{name}}}"}}
configs:
  app: {{external: true, name: "${{APP_CONFIG:-app-{services.mark}}}"}}
""",
        )
        assert stacks.deploy(stack, "-c", str(file)) == ""
        secretkit.ok("rotate", name, "-", input=b"two")
        secretkit.ok("config", "rotate", f"app-{services.mark}", "-", input=b"two")
        before = stacks.specs(stack)["web"]
        assert references(before, "secret")["db"][0] == f"{name}-v2"
        assert secretkit.ok("stack", "env", "-c", file, "--json").json == {
            "APP_CONFIG": f"app-{services.mark}-v2",
            "DB": f"{name}-v2",
        }
        deploy = f'eval "$({EXECUTABLE} stack env -c stack.yml)"; exec {stacks.client} stack deploy'
        subprocess.run(
            ["sh", "-c", f"{deploy} --resolve-image never -c stack.yml {stack}"],
            env=secretkit.environ,
            cwd=secretkit.folder,
            check=True,
            capture_output=True,
        )
        assert stacks.specs(stack)["web"] == before
        assert stacks.deploy(stack, "-c", str(file)) == ""
        assert references(stacks.specs(stack)["web"], "secret")["db"][0] == name
        said = secretkit.ok("stack", "env").text.splitlines()
        assert f"export {name.upper().replace('-', '_')}_SECRET={name}-v2" in said
        assert f"export APP_{services.mark.upper()}_CONFIG=app-{services.mark}-v2" in said


def test_without_a_file_every_secret_has_a_variable(cli: Program) -> None:
    """By its name, sorted; what a shell makes of the lines is the object names."""
    for name in ("db-password", "api.key", "9lives"):
        cli.create(name)
    cli.ok("rotate", "db-password", "-", input=b"two")
    done = cli.ok("stack", "env")
    assert done.text == "export API_KEY_SECRET=api.key\nexport DB_PASSWORD_SECRET=db-password-v2\n"
    assert "9lives" in done.err
    cli.create("api-key")
    done = cli("stack", "env")
    assert (done.code, done.out) == (4, b"")
    assert "API_KEY_SECRET" in done.err


FILE = """version: "3.8"
services: {web: {image: x, secrets: [a, b, c, db-password, e]}}
secrets:
  a: {external: true, name: "${PASSWORD:-db-password}"}
  b: {external: true, name: "${PINNED:-db-password-v2}"}
  c: {external: true, name: "${STAGE}-db-password"}
  db-password: {external: true, name: $KEY}
  e: {external: true, name: "${OTHER}"}
"""


def test_with_a_file_its_own_variables(cli: Program) -> None:
    """The default says which secret it is, else the key; what is no secret's is said."""
    cli.create("db-password")
    cli.ok("rotate", "db-password", "-", input=b"two")
    cli.write("stack.yml", FILE)
    cli.write(".env", "STAGE=test\n")
    done = cli.ok("stack", "env", "-c", "stack.yml")
    names = ("KEY", "PASSWORD", "PINNED")
    assert done.text == "".join(f"export {name}=db-password-v2\n" for name in names)
    assert "stack.yml:8:3: " in done.err
    assert "STAGE is not set" in done.err
    assert "--env-file .env" in done.err
    again = cli.ok("stack", "env", "-c", "-", "--env-file", ".env", input=FILE.encode())
    assert again.text == done.text
    assert "STAGE" not in again.err
    two = FILE.replace("PINNED:-db-password-v2", "PASSWORD:-other")
    cli.create("other")
    cli.write("stack.yml", two)
    assert cli("stack", "env", "-c", "stack.yml").code == 4


def test_a_file_without_variables_is_told(cli: Program) -> None:
    """Docker would deploy the name that it has, whatever is current: how to write it is said."""
    cli.create("db-password")
    cli.ok("rotate", "db-password", "-", input=b"two")
    for entry, name in (
        ("db-password: {external: true}", "db-password"),
        ("x: {external: true, name: db-password-v2}", "db-password-v2"),
    ):
        cli.write(
            "stack.yml", f"services: {{}}\nsecrets:\n  {entry}\n  theirs: {{external: true}}\n"
        )
        done = cli.ok("stack", "env", "-c", "stack.yml")
        assert done.text == ""
        [line] = done.lines
        assert f"stack.yml:3:3: the secret {entry.partition(':')[0]} has no variable" in line
        assert f"docker deploys {name} whichever version is current" in line
        assert "write `name: ${DB_PASSWORD_SECRET:-db-password}`" in line
    cli.write("stack.yml", "secrets:\n  db-password: {file: ./none}\n")
    assert cli.ok("stack", "env", "-c", "stack.yml").err == ""


@pytest.mark.parametrize(
    ("text", "place"),
    [("a: [", "stack.yml:2:1: not YAML"), ("a: 1\na: 2", "stack.yml:2:1: a key")],
)
def test_a_file_that_is_wrong_is_a_usage_error(cli: Program, text: str, place: str) -> None:
    """Exit 2, one line with the place; nothing on stdout."""
    cli.write("stack.yml", text)
    done = cli("stack", "env", "-c", "stack.yml")
    assert (done.code, done.out) == (2, b"")
    assert done.lines[0].startswith(f"secretkit: error: {place}")
    assert cli("stack", "env", "-c", "none.yml").code == 2
    closed = subprocess.run(
        ["sh", "-c", f"{EXECUTABLE} stack env -c - <&-"],
        cwd=cli.folder,
        env=cli.environ,
        capture_output=True,
        check=False,
    )
    assert (closed.returncode, closed.stderr.splitlines()[0]) == (
        2,
        b"secretkit: error: stdin is closed",
    )


SETTINGS = """# a comment
PLAIN=value
export EXPORTED=1
EMPTY=
SPACES = around  # and a comment
HASH=a#b
QUOTED="a b # c"
LITERAL='a $B "c" \\n'
LINES="first
second"
ESCAPED="tab\\there \\"quoted\\""
NESTED=${PLAIN}:${NONE:-default}

LAST=x"""


def test_a_file_of_variables_is_read_as_compose_reads_it(tmp_path: Path) -> None:
    """Every value is the one that docker-compose has."""
    compose = need_program("docker-compose")
    (tmp_path / ".env").write_text(SETTINGS)
    found = envfile.read(str(tmp_path / ".env"), {})
    names = "".join(f"      {name}: ${{{name}}}\n" for name in found)
    file = f"version: '3.8'\nservices:\n  web:\n    image: x\n    environment:\n{names}"
    (tmp_path / "docker-compose.yml").write_text(file)
    done = subprocess.run(
        [compose, "config"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    from yaml import safe_load

    said = safe_load(done.stdout)["services"]["web"]["environment"]
    assert {name: str(value).replace("$$", "$") for name, value in said.items()} == found
    assert found["LITERAL"] == 'a $B "c" \\n'


@pytest.mark.parametrize(
    "text", ["A=$B", "A=a$", 'A="$B"', "A", "=x", "A B=c", "A='x", 'A="x', "A='a'b", "1A=x"]
)
def test_what_readers_differ_about_is_refused(text: str) -> None:
    """With the line, and without the value."""
    with pytest.raises(UsageError, match="^.env:2: ") as caught:
        envfile.parse(".env", f"OK=1\n{text}\nZ=hunter2\n", {})
    assert "hunter2" not in str(caught.value)


def test_the_environment_is_first_in_a_file(tmp_path: Path) -> None:
    """As for compose; lines may end as on Windows, after a byte order mark."""
    (tmp_path / "f").write_bytes(b"\xef\xbb\xbfA=1\r\nB=${A}${C}\r\n")
    assert envfile.read(str(tmp_path / "f"), {"A": "2", "C": "3"}) == {"A": "1", "B": "23"}
    (tmp_path / "nul").write_bytes(b"A=1\0B=2")
    for wrong in ("none", ".", "nul"):
        with pytest.raises(UsageError):
            envfile.read(str(tmp_path / wrong), {})

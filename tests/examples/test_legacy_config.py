"""examples/legacy-config: a program that only knows its config files."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest
import yaml

from tests.engine import Engine

from .conftest import Example

FILES = ("app.config", "whoami.conf")
LINE = 'db_password: "<<db_password_value>>"\n'
NASTY = "p@ss & w/o \\ \"double\" 'single' $x `id` #1 %s {{ y }} <<z>> \\1\r\n\tand é ✓ 𝄞 \x85\x7f"


def test_the_page_works_on_a_workstation(example: Callable[[str], Example]) -> None:
    """Every command above the container's part does what the page says."""
    example("legacy-config").run_page(upto="In a container")


def test_the_page_works_with_an_engine(example: Callable[[str], Example], engine: Engine) -> None:
    """Image, container, rotation and restart do what the page says."""
    example("legacy-config").run_page_with(engine)


@pytest.mark.parametrize("value", [NASTY, "\\", '"', " ", "two\nlines"])
def test_every_value_arrives(example: Callable[[str], Example], value: str) -> None:
    """PyYAML and the program itself read from both files what the secrets hold."""
    here = example("legacy-config")
    given = {name: f"{value}{name}" for name in ("demo_secret", "api_token", "signing_key")}
    here.create(db_password=value.encode(), **{k: v.encode() for k, v in given.items()})
    renderings = [f"{name}:{here.memory}/{name},format=yaml" for name in FILES]
    here.run("secretkit", "render", *renderings)
    files = {name: yaml.safe_load((here.memory / name).read_bytes()) for name in FILES}
    assert {"db_user": "whoami", "db_password": value} == files["whoami.conf"]
    expected = {name.replace("_", "-"): text for name, text in given.items()}
    assert expected == files["app.config"]["secrets"]
    lines = [f"legacy: {name} is {text}\n" for name, text in expected.items()]
    printed = here.run("./legacy.py", str(here.memory))
    assert "".join([*lines, f"legacy: db_password is {value}\n"]) == printed


def test_the_program_is_all_of_the_container(
    example: Callable[[str], Example], engine: Engine
) -> None:
    """It is process 1, read what was rendered, ends at SIGTERM; the files are its own, 0400."""
    here = example("legacy-config")
    here.create(db_password=NASTY.encode(), demo_secret=b"a", api_token=b"b", signing_key=b"c")
    with here.container(engine) as container:
        log = container.until("waits for work")
        command = container.process_1()
        script = (
            "import os; print(*('%o %d' % s[:5:4] for s in map(os.stat, os.scandir('/dev/shm'))))"
        )
        files = engine.docker("exec", container.identity, "python3", "-c", script)
        seconds, status = container.end()
    assert f"legacy: db_password is {NASTY}\n" in log
    assert command == ["python3", "/app/legacy.py", "/dev/shm", "serve"]
    assert files == "100400 65534 100400 65534"
    assert (status, seconds < 3) == (0, True)


SED = {
    "p&w": 'db_password: "p<<db_password_value>>w"\n',
    "p\\w": 'db_password: "pw"\n',
    "p\\nw": 'db_password: "p\nw"\n',
    "p/x": LINE,
    "p\nw": LINE,
    'p"w': 'db_password: "p"w"\n',
}


@pytest.mark.parametrize(("value", "written"), SED.items(), ids=map(repr, SED))
def test_what_sed_does_to_a_value(
    example: Callable[[str], Example], value: str, written: str
) -> None:
    """The page's script changes each of these values or leaves the placeholder."""
    here = example("legacy-config")
    assert written == script(here, value)
    assert value != read_yaml(written)


def test_sed_runs_what_a_value_says(example: Callable[[str], Example]) -> None:
    """A value can hold commands of sed's own, among them one that runs a program."""
    here = example("legacy-config")
    script(here, "p/;s|.*|touch proof|e;#")
    assert (here.folder / "proof").exists()


def script(here: Example, value: str) -> str:
    """What the page's script, run as it stands, makes of whoami.conf; sed is the real one."""
    (text,) = re.findall(r"```sh\n(.*?)```", (here.folder / "README.md").read_text(), re.DOTALL)
    (here.folder / "db-password").write_text(value)
    (here.folder / "whoami.conf").write_text(LINE)
    subprocess.run(
        ["sh", "-c", text.replace("/run/secrets/", ""), "sh", "cat", "whoami.conf"],
        cwd=here.folder,
        check=True,
        capture_output=True,
    )
    return (here.folder / "whoami.conf").read_text()


def read_yaml(text: str) -> object:
    """The password that PyYAML reads, or None where it is no YAML any more."""
    try:
        return yaml.safe_load(text)["db_password"]
    except yaml.YAMLError:
        return None

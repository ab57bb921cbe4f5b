"""A Python without all of its standard library, as Debian's python3-minimal is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from secretkit.delivery.shim import export

from .conftest import Shim


@pytest.fixture
def small(shim: Shim, secret, tmp_path: Path) -> Shim:
    """A shim whose Python has neither json nor difflib."""
    export(tmp_path / "shim", with_jinja2=True)
    for name in ("json", "difflib"):
        text = f"raise ModuleNotFoundError(name={name!r})\n"
        (tmp_path / "shim" / f"{name}.py").write_text(text)
    secret("db", b'{"user": "app"}')
    (tmp_path / "c.json").write_text("{}")
    (tmp_path / "t").write_text('{"user": <<db>>}')
    (tmp_path / "t.j2").write_text("{% if db %}{% endif %}")
    (tmp_path / "typo").write_text("<<bd>>")
    shim.launcher = tmp_path / "shim" / "secretkit-entrypoint"
    return shim


@pytest.mark.parametrize(
    ("options", "module"),
    [
        (["--env", "A=db#/user"], "pointers"),
        (["--config", "{}/c.json"], "config"),
        (["--render", "{0}/t:{0}/o.json"], "formats.json"),
        (["--render", "{0}/t.j2:{0}/o.txt"], "jinja"),
        (["--check", "--json"], "preflight"),
        (["--env", "A=db#/user", "--watch"], "pointers"),
    ],
)
def test_what_needs_a_module_says_so(
    small: Shim, tmp_path: Path, options: list[str], module: str
) -> None:
    """One line with the module, what needs it and the remedy; nothing is started."""
    words = [option.format(tmp_path) for option in options]
    assert small.problems("--allow-disk", *words, "true") == [
        f"the shim's {module} needs the module json, which cannot be loaded: use a Python with its "
        "whole standard library (Debian: python3, not python3-minimal), and all that `secretkit "
        "shim export` wrote"
    ]


def test_all_else_works(small: Shim, tmp_path: Path) -> None:
    """Variables, files, and messages without the hint that needs difflib."""
    assert small.output("--", "sh", "-c", 'echo "$DB"') == b'{"user": "app"}\n'
    assert small.problems("--env-al", "true") == [
        "unknown option --env-al: options end at `--`; see --help"
    ]
    (problem,) = small.problems("--render", f"{tmp_path}/typo:/dev/shm/x.txt", "true")
    assert problem.startswith(f"{tmp_path}/typo:1:1: no secret for <<bd>>: none is similar")

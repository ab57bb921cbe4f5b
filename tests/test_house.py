"""The house: what is packaged, who imports whom, what is public."""

from __future__ import annotations

import ast
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import secretkit

ROOT = Path(__file__).parent.parent
HEAVY = ("cryptography", "docker", "jinja2", "rich", "sqlite3", "watchdog")


def tracked(*folders: str) -> set[str]:
    """The files below the given folders that git has or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *folders],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("needs a git checkout")
    return {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], set[str]]:
    """The names in the sdist, and in the wheel built from it."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    with tarfile.open(next(out.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    with zipfile.ZipFile(next(out.glob("*.whl"))) as wheel:
        return names, set(wheel.namelist())


def test_the_wheel_holds_the_library_and_the_shim(built: tuple[set[str], set[str]]) -> None:
    """Exactly the library, the shim as data below it, and the metadata; no top-level surprise."""
    wheel = {name for name in built[1] if ".dist-info/" not in name}
    library = tracked("secretkit")
    shim = {f"secretkit/{name}" for name in tracked("entrypoints")}
    assert wheel == library | shim
    metadata = {name.split(".dist-info/")[1] for name in built[1] if ".dist-info/" in name}
    assert metadata == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


def test_the_sdist_holds_what_is_tracked(built: tuple[set[str], set[str]]) -> None:
    """Everything that tests, docs and benches need, and nothing that git does not know."""
    assert built[0] == tracked(".") | {"PKG-INFO"}


def modules() -> list[str]:
    """Every module of the library, dotted."""
    files = sorted((ROOT / "secretkit").rglob("*.py"))
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    return [name.removesuffix(".__init__") for name in names if ".entrypoints" not in name]


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after `code`."""
    report = "; import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    run = subprocess.run(
        [sys.executable, "-c", code + report], check=True, capture_output=True, text=True
    )
    return set(run.stdout.splitlines()[-1].split())


def test_importing_the_package_costs_nothing() -> None:
    """`import secretkit` loads none of the heavy modules, nor click."""
    assert loaded_by("import secretkit") & {*HEAVY, "click"} == set()


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--help"], set()),
        (["create", "--help"], set()),
        (["help", "exit-codes"], set()),
        (["show", "db-password"], {"sqlite3", "cryptography"}),
        (["ls"], {"sqlite3", "cryptography"}),
    ],
)
def test_commands_load_what_they_need(
    arguments: list[str], allowed: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Help loads no store; show and ls load the store, and no docker, jinja2 or rich."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    program = [str(Path(sysconfig.get_path("scripts")) / "secretkit")]
    subprocess.run([*program, "init"], check=True, capture_output=True)
    subprocess.run(
        [*program, "create", "db-password", "-"], input=b"x", check=True, capture_output=True
    )
    loaded = loaded_by(f"from secretkit.cli import run; assert run({arguments!r}) == 0; print()")
    assert loaded & set(HEAVY) == allowed


def test_third_party_imports_are_where_they_may_be() -> None:
    """Each third-party package is imported by the one part that is for it."""
    allowed = {
        "click": ("secretkit.cli",),
        "rich": ("secretkit.cli",),
        "cryptography": ("secretkit.store", "secretkit.generators", "secretkit.mocks"),
        "docker": ("secretkit.engines",),
        "requests": ("secretkit.engines",),
        "urllib3": ("secretkit.engines",),
        "watchdog": ("secretkit.mount.watching",),
        "yaml": ("secretkit.delivery",),
    }
    for name in modules():
        path = ROOT / Path(*name.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                imported = [node.module or ""]
            else:
                continue
            for top in {module.partition(".")[0] for module in imported}:
                if top not in sys.stdlib_module_names | {"secretkit"}:
                    assert name.startswith(allowed.get(top, ())), f"{name} imports {top}"


def test_public_names_are_documented() -> None:
    """Every public name loads, and is in docs/library.md."""
    page = (ROOT / "docs" / "library.md").read_text()
    for name in secretkit.__all__:
        assert getattr(secretkit, name).__doc__
        assert f"`{name}" in page, f"{name} is not in docs/library.md"


def test_public_docstrings() -> None:
    """Every public class, function and method of the library says what it does."""
    for name in modules():
        path = ROOT / Path(*name.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        tree = ast.parse(file.read_text())
        assert ast.get_docstring(tree), f"{name} has no docstring"
        if name.startswith(("secretkit.store.store", "secretkit.model", "secretkit.errors")):
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name[0] != "_":
                    if isinstance(node, ast.FunctionDef) and node.name == "close":
                        continue
                    assert ast.get_docstring(node), f"{name}.{node.name} has no docstring"

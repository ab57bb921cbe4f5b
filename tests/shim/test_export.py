"""The shim as files: found, exported, run from where it was exported to."""

from __future__ import annotations

import importlib.metadata
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import secretkit.delivery.shim as delivery
from secretkit.errors import ConflictError, NotFoundError, SecretkitError
from tests.needs import pythons
from tests.shim.conftest import NOBODY, Shim

REPOSITORY = Path(__file__).parents[2]


def test_the_checkout_s_own_shim_is_found() -> None:
    """In a checkout, launcher and package are in entrypoints/."""
    assert delivery.locate() == REPOSITORY / "entrypoints"


def test_the_packaged_copy_comes_first(tmp_path: Path, monkeypatch) -> None:
    """In a wheel they are in secretkit/entrypoints; without any, the error says what to do."""
    module = tmp_path / "secretkit" / "delivery" / "shim.py"
    module.parent.mkdir(parents=True)
    monkeypatch.setattr(delivery, "__file__", str(module))
    with pytest.raises(NotFoundError) as caught:
        delivery.locate()
    assert caught.value.hint == "install secretkit again"
    for folder in (tmp_path / "entrypoints", tmp_path / "secretkit" / "entrypoints"):
        package = folder / delivery.PACKAGE
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (folder / delivery.LAUNCHER).touch()
        assert delivery.locate() == folder


def test_the_command_runs_the_shim_from_here() -> None:
    """command() starts the shim, isolated, without site, under the Python that is given."""
    argv = delivery.command()
    assert argv[:2] == [sys.executable, "-ISB"]
    output = subprocess.check_output([*argv, "--version"], text=True)
    assert output.startswith("secretkit-entrypoint ")
    assert delivery.command("/usr/bin/python3")[0] == "/usr/bin/python3"


def test_real_jinja2_is_found_though_site_is_not_loaded(shim: Shim, secret, tmp_path: Path) -> None:
    """The Jinja2 of the virtual environment serves a template that needs it."""
    secret("pw", b"s3cret")
    template = tmp_path / "t.j2"
    template.write_text('{% for n in [1] %}a: "{{ secrets.pw }}"\n{% endfor %}')
    argv = [*delivery.command(), "--secrets-dir", str(shim.mount), "--allow-disk"]
    spec = f"{template}:{tmp_path / 'out.yaml'}"
    done = subprocess.run([*argv, "--render", spec, "true"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "out.yaml").read_text() == 'a: "s3cret"\n'


def test_export_writes_launcher_and_modules_and_nothing_else(tmp_path: Path) -> None:
    """No __pycache__, no README; modes 0755 and 0644; the paths are returned."""
    target = tmp_path / "new" / "shim"
    written = delivery.export(target)
    there = {path for path in target.rglob("*") if path.is_file()}
    assert set(written) == there
    assert written[0] == target / "secretkit-entrypoint"
    assert {path.suffix for path in written[1:]} == {".py"}
    assert stat.S_IMODE(written[0].stat().st_mode) == 0o755
    assert {stat.S_IMODE(path.stat().st_mode) for path in written[1:]} == {0o644}
    for path in written:
        source = REPOSITORY / "entrypoints" / path.relative_to(target)
        assert path.read_bytes() == source.read_bytes()


def test_export_with_jinja2_adds_its_modules_and_licence(tmp_path: Path) -> None:
    """What is installed here, and nothing that only one Python could load."""
    written = set(delivery.export(tmp_path, with_jinja2=True)) - set(delivery.export(tmp_path))
    names = {path.name for path in written}
    assert {"__init__.py", "environment.py", "sandbox.py", "LICENSE.txt"} <= names
    assert {path.suffix for path in written} == {".py", ".txt"}
    assert {path.parent for path in written} == {tmp_path / "jinja2"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o644}
    assert "Pallets" in (tmp_path / "jinja2" / "LICENSE.txt").read_text()


@pytest.mark.parametrize("missing", ["files", "licence"])
def test_export_with_jinja2_where_it_is_not(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its files or its licence nothing is exported."""
    found = importlib.metadata.files("jinja2") or []
    left = [] if missing == "files" else [path for path in found if "LICENSE" not in path.name]
    monkeypatch.setattr(importlib.metadata, "files", lambda _name: left)
    with pytest.raises(NotFoundError):
        delivery.export(tmp_path / "shim", with_jinja2=True)
    assert not (tmp_path / "shim").exists()


@pytest.mark.parametrize("python", pythons())
def test_exported_jinja2_renders_under_every_python(
    python: str, shim: Shim, secret, tmp_path: Path
) -> None:
    """Loops, filters, another file: by the Jinja2 beside the shim, and none that is installed."""
    secret("db", b'{"user": "app", "hosts": ["a", "b"]}')
    secret("pw", b'it\'s "so"\n')
    (tmp_path / "macros.j2").write_text("{% macro line(k, v) %}{{ k }}: {{ v }}\n{% endmacro %}")
    (tmp_path / "t.j2").write_text(
        '{% from "macros.j2" import line %}'
        '{% for n in range(2) %}{{ line("h" ~ n, secrets["db#/hosts/" ~ n]) }}{% endfor %}'
        "{{ line('u', secrets['db#/user']|upper) }}pw: '{{ pw|json }}'\n"
    )
    shim.launcher = delivery.export(tmp_path / "shim", with_jinja2=True)[0]
    shim.python = python
    out = tmp_path / "out.yaml"
    for compiled in (False, True):
        if compiled:
            shim.output("--compile")
        assert compiled == (tmp_path / "shim" / "jinja2" / "__pycache__").exists()
        shim.output("--allow-disk", "--render", f"{tmp_path / 't.j2'}:{out}", "true")
        assert out.read_text() == ('"h0": "a"\n"h1": "b"\n"u": "APP"\npw: \'"it\'\'s \\"so\\""\'\n')
        out.unlink()


def test_export_twice_is_fine_and_a_foreign_file_is_kept(tmp_path: Path) -> None:
    """The same files again are no conflict; one that differs is, before anything is written."""
    written = delivery.export(tmp_path)
    assert delivery.export(tmp_path) == written
    written[1].write_text("mine")
    written[2].unlink()
    with pytest.raises(ConflictError) as caught:
        delivery.export(tmp_path)
    assert str(caught.value) == f"not overwriting {written[1]}"
    assert (written[1].read_text(), written[2].exists()) == ("mine", False)
    assert delivery.export(tmp_path, force=True) == written
    assert written[1].read_text() != "mine"


def test_export_never_replaces_a_folder_or_a_link(tmp_path: Path) -> None:
    """Even with force, only regular files are replaced."""
    (tmp_path / "secretkit-entrypoint").symlink_to("/etc/hostname")
    with pytest.raises(ConflictError):
        delivery.export(tmp_path, force=True)
    (tmp_path / "secretkit-entrypoint").unlink()
    (tmp_path / "secretkit-entrypoint").mkdir()
    with pytest.raises(ConflictError):
        delivery.export(tmp_path, force=True)


def test_export_where_it_cannot_write(tmp_path: Path) -> None:
    """A file where the directory should be: an error that names it."""
    (tmp_path / "file").touch()
    with pytest.raises(SecretkitError) as caught:
        delivery.export(tmp_path / "file" / "shim")
    assert str(caught.value).startswith(f"cannot export the shim to {tmp_path / 'file' / 'shim'}: ")


def test_an_exported_shim_runs_for_anybody_and_read_only(open_shim: Shim) -> None:
    """As in an image: a non-root user, folders without write permission."""
    (open_shim.mount / "a").write_bytes(b"1")
    for path in open_shim.launcher.parent.rglob("*"):
        path.chmod(0o555)
    assert open_shim.output("sh", "-c", "echo $A", **NOBODY) == b"1\n"


def test_version_is_the_project_s() -> None:
    """The shim cannot ask secretkit for its version, so the two are held equal here."""
    import tomllib

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    output = subprocess.check_output([*delivery.command(), "--version"], text=True)
    assert output.split()[1] == project["version"]


def test_the_hot_path_imports_next_to_nothing(shim: Shim, secret) -> None:
    """Variables and a command need no module of the standard library that is not built in."""
    secret("a", b"1")
    argv = shim.argv("sh", "-c", ":")
    argv[1:2] = ["-ISB", "-X", "importtime"]
    done = subprocess.run(argv, env=shim.environ, capture_output=True, check=True)
    imported = {line.split(b"|")[-1].strip().decode() for line in done.stderr.splitlines()}
    ours = {name for name in imported if name.startswith("secretkit_entrypoint.")}
    assert {name.partition(".")[2] for name in ours} == {
        "errors", "main", "mount", "options", "process", "variables",
    }  # fmt: skip
    assert not imported & {"os", "re", "json", "argparse", "pathlib", "subprocess", "stat", "site"}


def test_the_checkout_has_a_mode_that_runs() -> None:
    """The launcher is executable as it stands."""
    assert os.access(delivery.locate() / delivery.LAUNCHER, os.X_OK)

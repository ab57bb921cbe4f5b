"""`secretkit.toml`: found upwards, read, and refused with file, line and remedy."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from secretkit.errors import InvalidProjectError, ProjectNotFoundError
from secretkit.project import Declared, entrypoint_json, find_folder, load

INSIDE = 'for example "dev-secrets"'
FULL = """\
engine = "local"
swarm.hosts = ["ssh://ops@manager-1", "tcp://10.0.0.2:2376"]

[secrets.db-password]
generate = "password:32"
description = "PostgreSQL role 'app'"
labels = { team = "core" }

[secrets.db-password.hooks]
before = ["./accept.sh", "app user"]

[secrets.web]
generate = "tls:db.internal"

[secrets.api-key]

[entrypoint]
env = { DB_PASSWORD = "db-password" }
require = ["api-key"]
env_all = false

[[entrypoint.render]]
source = "whoami.conf"
destination = "/app/whoami.conf"
format = "yaml"
mode = "0400"

[dev]
folder = "run/secrets"
"""


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRETKIT_PROJECT", raising=False)


def write(folder: Path, text: str | bytes) -> Path:
    content = text.encode() if isinstance(text, str) else text
    (folder / "secretkit.toml").write_bytes(content)
    return folder


def test_everything_is_read(tmp_path: Path) -> None:
    """Every key of the file arrives, typed."""
    project = load(write(tmp_path, FULL))
    assert project.engine == "local"
    assert project.secrets["db-password"] == Declared(
        "db-password",
        "password:32",
        "PostgreSQL role 'app'",
        {"team": "core"},
        {"before": ("./accept.sh", "app user")},
    )
    assert project.hosts == ("ssh://ops@manager-1", "tcp://10.0.0.2:2376")
    assert project.secrets["api-key"] == Declared("api-key", None, None, {})
    assert project.dev_folder == tmp_path / "run/secrets"
    assert json.loads(entrypoint_json(project)) == {
        "env": {"DB_PASSWORD": "db-password"},
        "require": ["api-key"],
        "env_all": False,
        "render": [
            {
                "source": "whoami.conf",
                "destination": "/app/whoami.conf",
                "format": "yaml",
                "mode": "0400",
            }
        ],
    }


def test_a_pair_is_declared_by_one_table(tmp_path: Path) -> None:
    """`tls` under [secrets.web] declares web-key and web-cert, and not web."""
    project = load(write(tmp_path, FULL))
    web = project.secrets["web"]
    assert web.makes == ("web-key", "web-cert")
    assert project.declared("web-cert") is web
    assert project.declared("web") is None
    assert project.declared("db-password") is project.secrets["db-password"]


def test_paths_for_this_machine_start_at_the_project(tmp_path: Path) -> None:
    """With `absolute`, relative sources and destinations are the project's, others stay."""
    table = json.loads(entrypoint_json(load(write(tmp_path, FULL)), absolute=True))
    assert table["render"][0]["source"] == str(tmp_path / "whoami.conf")
    assert table["render"][0]["destination"] == "/app/whoami.conf"


def test_an_empty_or_missing_file_means_the_defaults(tmp_path: Path) -> None:
    """A store made from Python has no file: the defaults hold."""
    missing = load(tmp_path)
    assert missing == load(write(tmp_path, ""))
    assert missing.engine == "local"
    assert missing.secrets == {}
    assert missing.dev_folder == tmp_path / "dev-secrets"
    assert missing.dev_overrides == tmp_path / "dev-secrets.local"
    assert missing.dev_layout == "swarm"


@pytest.mark.parametrize("marker", ["secretkit.toml", ".secretkit"])
def test_found_from_a_folder_below(tmp_path: Path, marker: str) -> None:
    """The nearest folder upwards with the file or the store is the project."""
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / marker).mkdir()
    assert find_folder(deep) == tmp_path
    (tmp_path / "a" / marker).mkdir()
    assert find_folder(deep) == tmp_path / "a"


def test_the_variable_names_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SECRETKIT_PROJECT wins over the current folder, and is not searched upwards."""
    project = write(tmp_path, "")
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.setenv("SECRETKIT_PROJECT", str(project))
    assert find_folder() == tmp_path
    monkeypatch.setenv("SECRETKIT_PROJECT", str(below))
    with pytest.raises(ProjectNotFoundError, match=str(below)):
        find_folder()


def test_not_found(tmp_path: Path) -> None:
    """Without a project the error names where the search began."""
    with pytest.raises(ProjectNotFoundError, match=f"no secretkit project in {tmp_path}"):
        find_folder(tmp_path)


@pytest.mark.parametrize(
    ("text", "place", "reason", "hint"),
    [
        ("engin = 'local'", ":1", "unknown key engin", "did you mean engine?"),
        (
            "[secrets.a.hooks]\nbefor = ['x']",
            ":2",
            "unknown key secrets.a.hooks.befor",
            "did you mean before?",
        ),
        (
            "[secrets.a.hooks]\nafter = 'rm -rf'",
            ":2",
            "secrets.a.hooks.after must be a program and its arguments, as a list",
            'for example after = ["./after.sh", "app"]',
        ),
        (
            "[secrets.a.hooks]\nverify = []",
            ":2",
            "secrets.a.hooks.verify must be a program and its arguments, as a list",
            'for example verify = ["./verify.sh", "app"]',
        ),
        (
            "[swarm]\nhost = ['tcp://a:1']",
            ":2",
            "unknown key swarm.host",
            "did you mean hosts?",
        ),
        (
            "# engine\n\nengine = 'nomad'",
            ":3",
            "no such engine",
            "engines of this version: local, swarm",
        ),
        ("engine = 5", ":1", "no such engine", "engines of this version: local, swarm"),
        (
            "[secrets.db]\ngenerate = 'pin'\n[secrets.api]\n\ngenrate = 'pin'",
            ":5",
            "unknown key secrets.api.genrate",
            "did you mean generate?",
        ),
        (
            "[secrets]\na = { generate = 'pin' }\nb = { genrate = 'pin' }",
            ":3",
            "unknown key secrets.b.genrate",
            "did you mean generate?",
        ),
        (
            "[secrets.db]\nvalue = 'c4n4ry'",
            ":2",
            "unknown key secrets.db.value",
            "a value never stands in this file: secretkit create db",
        ),
        (
            "[secrets.db]\ngenerate = 'pasword'",
            ":2",
            "secrets.db.generate: no such generator",
            "did you mean password? generators: password, password-symbols, hex, base64, urlsafe,"
            " uuid, pin, ed25519, rsa, tls, jwt-key, fernet",
        ),
        (
            "[secrets.db]\ngenerate = 7",
            ":2",
            "secrets.db.generate must be a text that is not empty",
            None,
        ),
        ("[secrets]\ndb = 7", ":2", "secrets.db must be a table", None),
        (
            "[secrets.db-v2]",
            ":1",
            "secrets.db-v2: invalid secret name 'db-v2': it looks like the object name of a version"
            " of db",
            "versions are numbered by secretkit: name the secret db",
        ),
        (
            "[secrets.web-key]\n[secrets.web]\ngenerate = 'tls'",
            ":2",
            "web-key and web both make web-key",
            None,
        ),
        (
            "[secrets.db]\nlabels = { a = 1 }",
            ":2",
            "secrets.db.labels must be a table of texts",
            None,
        ),
        (
            "[entrypoint]\nenv_al = true",
            ":2",
            "unknown key entrypoint.env_al",
            "did you mean env_all?",
        ),
        ("[entrypoint]\nenv_all = 'yes'", ":2", "entrypoint.env_all must be true or false", None),
        ("[entrypoint]\ngrace = true", ":2", "entrypoint.grace must be a number", None),
        ("[entrypoint]\nenv = ['a']", ":2", "entrypoint.env must be a table of texts", None),
        ("[entrypoint]\nrequire = 'a'", ":2", "entrypoint.require must be a list of texts", None),
        (
            "[entrypoint.render]\nsource = 'a'",
            ":1",
            "entrypoint.render must be a list of tables",
            "write [[entrypoint.render]]",
        ),
        (
            "[[entrypoint.render]]\nsource = 'a'",
            ":1",
            "[[entrypoint.render]] needs destination",
            None,
        ),
        (
            "[[entrypoint.render]]\nsource = 'a'\ndestination = 'b'\nmode = 400",
            ":4",
            "entrypoint.render.mode must be a text",
            'in quotes, octal: mode = "0400"',
        ),
        ("[dev]\nfoldr = 'a'", ":2", "unknown key dev.foldr", "did you mean folder?"),
        (
            "[dev]\nwatch = 'a'",
            ":2",
            "unknown key dev.watch",
            "keys here: folder, overrides, layout",
        ),
        ("[dev]\nlayout = 'k8s'", ":2", "no such layout", "layouts: swarm, kubernetes"),
        (
            "[dev]\noverrides = './dev-secrets/'",
            ":1",
            "dev.folder and dev.overrides are the same folder",
            None,
        ),
        *(
            (f"[dev]\n{key} = '{text}'", ":2", f"dev.{key} must be inside of the project", INSIDE)
            for key in ("folder", "overrides")
            for text in ("../.ssh", "/etc", ".", "..", "a/../..", "a/b/../../../x", "./")
        ),
        ("[dev]\noverrides = 1", ":2", "dev.overrides must be a text that is not empty", None),
        ("a = \n", ":1:5", "not TOML: invalid value", None),
        ("engine = 'local'\nengine = 'local'", "", "not TOML: cannot overwrite a value", None),
        ("a = " + "1" * 5000, "", "a number has too many digits", None),
        ('[dev]\nfolder = "a\\u0000b"', ":2", "dev.folder has a null character", None),
        (
            '[[entrypoint.render]]\nsource = "a\\u0000"\ndestination = "b"',
            ":2",
            "entrypoint.render.source has a null character",
            None,
        ),
        ("#" * (1 << 20) + "\n", "", "larger than 1 MiB", None),
        (b"# \xff", ":1", "not UTF-8", None),
        (b"\n\n[secrets.\xe4]", ":3", "not UTF-8", None),
    ],
)
def test_refused(
    tmp_path: Path, text: str | bytes, place: str, reason: str, hint: str | None
) -> None:
    """What the file cannot mean is one line: file, line, key, and a remedy."""
    with pytest.raises(InvalidProjectError) as caught:
        load(write(tmp_path, text))
    message = str(caught.value)
    if place:
        assert message == f"{tmp_path}/secretkit.toml{place}: {reason}"
    else:
        assert message.startswith(f"{tmp_path}/secretkit.toml")
        assert reason in message
    assert caught.value.hint == hint
    assert "c4n4ry" not in f"{message} {caught.value.hint}"


def test_a_link_on_the_way_out(tmp_path: Path) -> None:
    """Links on the way are followed, and must not lead out; the last part may be one."""
    for name, target in (("out", "/etc"), ("circle", "circle"), ("here", "."), ("last", "/etc")):
        (tmp_path / name).symlink_to(target)
    for text in ("out/x", "out/../x", "circle/x"):
        with pytest.raises(InvalidProjectError, match=r":2: dev\.overrides must be inside"):
            load(write(tmp_path, f"[dev]\noverrides = '{text}'"))
    for text in ("here/x", "last"):
        project = load(write(tmp_path, f"[dev]\nfolder = '{text}'"))
        assert project.dev_folder == tmp_path / text


def test_nested_too_deeply(tmp_path: Path) -> None:
    """A file made to exhaust the parser is an error like any other."""
    with pytest.raises(InvalidProjectError, match="nested too deeply"):
        load(write(tmp_path, "a = " + "[" * 100_000))


def test_unreadable(tmp_path: Path) -> None:
    """A folder in the file's place is named, with the system's reason."""
    (tmp_path / "secretkit.toml").mkdir()
    with pytest.raises(InvalidProjectError, match="cannot be read, is a directory"):
        load(tmp_path)


def test_what_is_no_file(tmp_path: Path) -> None:
    """A FIFO, a device and a link to nothing are errors; nothing waits and nothing is endless."""
    path = tmp_path / "secretkit.toml"
    os.mkfifo(path)
    with pytest.raises(InvalidProjectError, match="not a regular file"):
        load(tmp_path)
    for target, reason in (("/dev/zero", "not a regular file"), ("nowhere", "cannot be read, no")):
        path.unlink()
        path.symlink_to(target)
        with pytest.raises(InvalidProjectError, match=reason):
            load(tmp_path)

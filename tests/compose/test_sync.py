"""What `compose sync` reads and writes; what compose makes of it is in test_up."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.program import Program

OURS = "compose.secretkit.yaml"
ONE = """\
services:
  api: {image: x, secrets: [db-password]}
secrets:
  db-password: {external: true}
"""


@pytest.fixture
def project(cli: Program) -> Program:
    """A project with two secrets."""
    cli.create("db-password")
    cli.create("api-key")
    return cli


def written(project: Program, name: str = OURS) -> Any:
    """What our file says, to a reader that knows compose's `!reset`."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!reset", lambda *_: "reset")
    return yaml.load((project.folder / name).read_text(), Loader)  # noqa: S506 - a SafeLoader


def secrets(project: Program, services: str, definitions: str, *more: str) -> Any:
    """The top-level secrets that are written for a service that uses `db`."""
    text = f"services:\n  api: {{image: x, secrets: {services}}}\nsecrets:\n{definitions}\n"
    project.write("compose.yaml", "\n".join([text, *more]))
    project.ok("compose", "sync")
    return written(project)["secrets"]


def test_a_fresh_clone_needs_one_command(bare: Program) -> None:
    """Store, secrets, dev folder and override are made; the line to paste is all of stdout."""
    bare.write("secretkit.toml", '[secrets.db-password]\ngenerate = "password"\n')
    bare.write("compose.yaml", ONE)
    done = bare.ok("compose", "sync")
    assert done.text == f"docker compose -f compose.yaml -f {OURS} up -d\n"
    assert "secretkit: created db-password v1 from generator password" in done.lines
    assert done.lines[-1] == f"secretkit: wrote {OURS}, for api"
    found = written(bare)
    assert found["secrets"] == {
        "db-password": {"external": False, "file": "./dev-secrets/db-password"}
    }
    label = found["services"]["api"]["labels"]["secretkit.versions"]
    assert label.startswith("db-password=1@20")
    assert len((bare.folder / "dev-secrets" / "db-password").read_bytes()) == 32


def test_again_changes_nothing(project: Program) -> None:
    """A second run leaves the file, its inode and its time alone."""
    path = project.write("compose.yaml", ONE).with_name(OURS)
    project.ok("compose", "sync")
    before = path.stat()
    done = project.ok("compose", "sync")
    assert done.lines[-1] == f"secretkit: {OURS} is up to date"
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_json(project: Program) -> None:
    """The report as one document."""
    project.write(
        "compose.yaml",
        """\
services:
  api:
    image: x
    secrets:
      - source: db
        target: other
        uid: "1"
        mode: 0444
      - mine
secrets:
  db: {external: true, name: db-password}
  mine: {file: ./mine}
""",
    )
    assert project.ok("compose", "sync", "--json").json == {
        "file": f"{project.folder}/{OURS}",
        "changed": True,
        "folder": f"{project.folder}/dev-secrets",
        "created": [],
        "secrets": {"db": "db-password"},
        "services": {"api": ["db-password"]},
        "live": [],
        "left_alone": ["mine"],
        "findings": [
            {
                "path": "compose.yaml",
                "line": 5,
                "column": 9,
                "rule": "ignored-by-compose",
                "severity": "warning",
                "message": "compose ignores the uid of a secret, service api",
                "remedy": "the file is the dev folder's, 0444 and yours;"
                " a swarm does what is asked for",
            }
        ],
        "up": f"docker compose -f compose.yaml -f {OURS} up -d",
    }


def test_which_secret_it_is(project: Program) -> None:
    """The name decides, that of a version too; where it is no secret of the project, the key."""
    found = secrets(
        project,
        "[a, b, c, d, e, f, db-password, api-key]",
        """\
  a: {external: true, name: db-password}
  b: {external: true, name: db-password-v7}
  c: {external: true, name: "${DB_SECRET:-db-password}"}
  d: {external: {name: db-password}}
  e: {name: db-password, file: ./some-file}
  f: {name: db-password}
  db-password: {external: true, name: prod_db}
  api-key:
""",
    )
    assert {key: one.pop("file") for key, one in found.items()} == {
        **dict.fromkeys(["a", "b", "c", "d", "e", "f", "db-password"], "./dev-secrets/db-password"),
        "api-key": "./dev-secrets/api-key",
    }
    assert list(found.values()) == [{"external": False}] * 8


def test_what_compose_refuses_beside_a_file(project: Program) -> None:
    """A driver is emptied, as in 1.29; `environment:`, which that does not know, is reset."""
    found = secrets(
        project,
        "[db-password, api-key]",
        "  db-password: {driver: vault, template_driver: golang}\n  api-key: {environment: KEY}",
    )
    assert found["db-password"] | found["api-key"] == {
        "external": False,
        "file": "./dev-secrets/api-key",
        "driver": "",
        "template_driver": "",
        "environment": "reset",
    }


def test_what_is_left_alone(project: Program) -> None:
    """A secret that the project does not have is not touched; an external one is warned of, as
    compose cannot give it; one that nobody uses is not worth a word."""
    services = "[db-password, mine, theirs]"
    definitions = "  db-password:\n    external: true\n  mine: {file: ./mine}\n"
    definitions += "  theirs: {external: true}\n  unused: {external: true}"
    assert list(secrets(project, services, definitions)) == ["db-password"]
    assert project.seen[-1].lines[1:-1] == [
        "secretkit: compose.yaml:6:3: not a secret of this project, mine: left as it is",
        "secretkit: warning: compose.yaml:7:3: not a secret of this project, theirs: left as it is,"
        " and compose has no external ones",
    ]


def test_no_service_uses_one(project: Program) -> None:
    """Exit 3, and nothing is written."""
    project.write("compose.yaml", "services:\n  api: {image: x}\nsecrets:\n  db-password:\n")
    done = project("compose", "sync")
    assert done.code == 3
    assert done.lines[-2:] == [
        "secretkit: error: no service uses a secret of this project, compose.yaml",
        "hint: a service has it under `secrets:`, and so has the file itself",
    ]
    project.write("compose.yaml", ONE.replace("db-password", "db"))
    assert project("compose", "sync").lines[-1] == (
        "hint: `secretkit create db` makes one that is used"
    )
    assert not (project.folder / OURS).exists()
    assert project("compose", "sync", "--on-disk").code == 3
    assert not os.path.lexists(project.folder / "dev-secrets")


def test_a_fresh_clone_of_which_no_service_uses_one(bare: Program) -> None:
    """Not even a store is made."""
    bare.write("secretkit.toml", '[secrets.db-password]\ngenerate = "password"\n')
    bare.write("compose.yaml", ONE.replace("db-password", "other"))
    before = sorted(os.listdir(bare.folder))
    assert bare("compose", "sync").code == 3
    assert sorted(os.listdir(bare.folder)) == before


def test_which_services(project: Program) -> None:
    """Those that use a secret, in any file, by an anchor, by `extends` (also of another file) or by
    `include`; and the others not."""
    project.write("base.yaml", "services:\n  b: {image: x, secrets: [api-key]}\n")
    folder = project.folder / "sub"
    folder.mkdir()
    (folder / "in.yaml").write_text(
        "services:\n  inner: {image: x, secrets: [db-password]}\n"
        "include: [../compose.yaml, {path: [in.yaml]}]\n"
    )
    project.write(
        "compose.yaml",
        """\
include: [sub/in.yaml, "oci://example/x"]
x-all: &all {image: x, secrets: [{source: api-key, mode: 0400}]}
services:
  anchored: {<<: *all}
  own: {<<: *all, secrets: []}
  here: {extends: anchored, secrets: [{source: db-password, target: /etc/x}]}
  loop: {extends: {service: loop}, secrets: [api-key]}
  there: {extends: {file: base.yaml, service: b}}
  later: {image: x}
  none: {image: x}
secrets: {db-password: {external: true}, api-key: {external: true}}
""",
    )
    project.write("more.yaml", "services:\n  later: {secrets: [api-key]}\n")
    found = project.ok("compose", "sync", "-f", "compose.yaml", "-f", "more.yaml", "--json").json
    assert found["services"] == {
        "inner": ["db-password"],
        "anchored": ["api-key"],
        "here": ["api-key", "db-password"],
        "loop": ["api-key"],
        "there": ["api-key"],
        "later": ["api-key"],
    }
    assert found["up"] == f"docker compose -f compose.yaml -f more.yaml -f {OURS} up -d"
    assert [one["message"] for one in found["findings"]] == [
        "compose ignores the mode of a secret, service anchored"
    ]


def test_the_files_that_compose_takes(project: Program) -> None:
    """Without -f: the nearest upwards and its override file, or those that COMPOSE_FILE names."""
    project.write("docker-compose.yml", ONE)
    project.write("docker-compose.override.yml", "services:\n  other: {secrets: [db-password]}\n")
    below = project.folder / "below"
    below.mkdir()
    found = project.ok("compose", "sync", "--json", folder=below).json
    assert list(found["services"]) == ["api", "other"]
    assert found["file"] == f"{project.folder}/{OURS}"
    assert found["up"] == (
        "docker compose -f ../docker-compose.yml -f ../docker-compose.override.yml"
        f" -f ../{OURS} up -d"
    )
    project.write(".env", f"# files\nCOMPOSE_FILE='docker-compose.yml:{OURS}' # ours\n")
    found = project.ok("compose", "sync", "--json").json
    assert (list(found["services"]), found["up"]) == (["api"], "docker compose up -d")
    found = project.ok("compose", "sync", "--json", COMPOSE_FILE="docker-compose.yml").json
    assert found["up"] == f"docker compose -f docker-compose.yml -f {OURS} up -d"


def test_variables_are_those_of_compose(project: Program) -> None:
    """The environment over `.env`: with -f the one beside the file, else this folder's too."""
    text = ONE.replace("external: true", 'external: true, name: "${A}-${B-}${C:-password}"')
    project.write("compose.yaml", text.replace("db-password", "db"))
    project.write(".env", "# a comment\nA = x\n\nexport B=\"pass\" # and why\nC='word'\n")
    below = project.folder / "below"
    below.mkdir()
    (below / ".env").write_text("A=api\nB=\nC=key\n")

    def file() -> str:
        return str(written(project)["secrets"]["db"]["file"])

    project.ok("compose", "sync", folder=below)
    assert file() == "./dev-secrets/api-key"
    project.ok("compose", "sync", A="db")
    assert file() == "./dev-secrets/db-password"
    assert project("compose", "sync", folder=below, A="db").code == 3  # db-key
    project.ok("compose", "sync", "-f", "../compose.yaml", folder=below, A="db")
    assert file() == "./dev-secrets/db-password"
    project.write(".env", "C=password\nPRICE=$5\n")
    done = project.ok("compose", "sync", A="db", B="")
    assert done.lines[0] == (
        "secretkit: warning: .env:2: a $ that is read differently by different programs;"
        " no variable of .env is used"
    )


def test_files_that_it_cannot_read(project: Program) -> None:
    """None, two between which versions of compose differ, our own only, one with an error: exit 2
    or 3, where it is, and nothing made."""
    assert project("compose", "sync").code == 3
    project.write("compose.yaml", ONE)
    project.write("docker-compose.yml", ONE)
    done = project("compose", "sync")
    assert done.code == 2
    assert done.lines == [
        "secretkit: error: versions of compose differ in which they take,"
        f" {project.folder}/compose.yaml or {project.folder}/docker-compose.yml",
        "hint: name it: secretkit compose sync -f compose.yaml",
    ]
    assert project("compose", "sync", "-f", OURS).code == 2
    project.write("bad.yaml", "services:\n  api: [\n")
    done = project("compose", "sync", "-f", "bad.yaml")
    assert (done.code, done.lines[0][:32]) == (2, "secretkit: error: bad.yaml:3:1: ")
    project.write("bad.yaml", "services: 1\nsecrets: [db-password]\ninclude: 7\n")
    assert project("compose", "sync", "-f", "bad.yaml").code == 3
    assert not (project.folder / OURS).exists()


def test_a_file_that_is_not_ours_stays(project: Program) -> None:
    """Exit 4 for another file, a link or a folder at that name; the user's text is not lost."""
    project.write("compose.yaml", ONE)
    path = project.write(OURS, "services: {}\n")
    done = project("compose", "sync")
    assert (done.code, path.read_text()) == (4, "services: {}\n")
    assert done.lines[-2:] == [
        f"secretkit: error: not written by secretkit, {OURS} is there already",
        "hint: move it away",
    ]
    path.unlink()
    path.symlink_to("compose.yaml")
    assert project("compose", "sync").code == 4
    path.unlink()
    path.write_bytes(b"\xff\xfe")
    assert project("compose", "sync").code == 4
    path.unlink()
    path.mkdir()
    assert project("compose", "sync", "--on-disk").code == 4
    assert not os.path.lexists(project.folder / "dev-secrets")


def test_no_path_of_this_machine(project: Program) -> None:
    """The folder is named as it is seen from the compose file; `$` is not compose's variable."""
    project.write("secretkit.toml", '[dev]\nfolder = "se$rets"\n')
    below = project.folder / "a" / "b"
    below.mkdir(parents=True)
    (below / "compose.yaml").write_text(ONE)
    project.ok("compose", "sync", "-f", "a/b/compose.yaml")
    found = written(project, f"a/b/{OURS}")["secrets"]["db-password"]["file"]
    assert found == "../../se$$rets/db-password"


def test_through_a_link_the_path_is_absolute(project: Program, tmp_path: Path) -> None:
    """Compose takes `..` from the path as it is written, which leads elsewhere behind a link."""
    real = project.folder / "deploy"
    real.mkdir()
    (real / "compose.yaml").write_text(ONE)
    (tmp_path / "link").symlink_to(real)
    project.ok("compose", "sync", "-f", tmp_path / "link" / "compose.yaml")
    found = written(project, f"deploy/{OURS}")["secrets"]["db-password"]["file"]
    assert found == f"{project.folder}/dev-secrets/db-password"


def test_a_dev_folder_stays_as_it_was_made(project: Program) -> None:
    """On disk, with its mode and its layout; --on-disk makes a real one at first."""
    project.write("compose.yaml", ONE)
    project.ok("dev", "up", "--on-disk", "--mode", "0400", "--layout", "kubernetes")
    project.ok("compose", "sync")
    file = project.folder / "dev-secrets" / "db-password"
    assert (file.parent.is_symlink(), file.stat().st_mode & 0o777) == (False, 0o400)
    assert str(file.readlink()) == "..data/db-password"
    project.ok("dev", "down")
    project.ok("compose", "sync")
    assert file.parent.is_symlink()
    done = project.ok("compose", "sync", "--on-disk")
    assert (file.parent.is_symlink(), "plaintext on disk" in done.err) == (False, True)


def test_a_rotation_tells_what_to_do(project: Program) -> None:
    """The override is of before until it is made again; then the label is another."""
    project.write("compose.yaml", ONE)
    project.ok("compose", "sync")
    before = written(project)["services"]
    done = project.ok("rotate", "db-password", "-", input=b"next")
    assert done.lines[-1] == f"secretkit: {OURS} is of before: `secretkit compose sync`"
    assert written(project)["services"] == before
    project.ok("compose", "sync")
    assert written(project)["services"] != before


def test_a_secret_made_anew_is_another(project: Program) -> None:
    """Its version is 1 again, and the label is not what it was."""
    project.write("compose.yaml", ONE)
    project.ok("compose", "sync")
    before = written(project)["services"]
    project.ok("rm", "db-password")
    project.create("db-password", b"another")
    project.ok("compose", "sync")
    assert written(project)["services"] != before


def labels(project: Program) -> list[str]:
    """What the services say, after another `compose sync`."""
    project.ok("compose", "sync")
    services = written(project)["services"].values()
    return [text for one in services for text in one["labels"].values()]


def test_an_override_has_a_label_of_its_own(project: Program) -> None:
    """A hand-made file is another when it changes, and not when the folder is made anew; it need
    not be a secret of the store, and neither its content nor its size is on the label."""
    project.write("compose.yaml", ONE.replace("db-password", "handmade"))
    assert project("compose", "sync").code == 3
    local = project.folder / "dev-secrets.local"
    local.mkdir(mode=0o700)
    (local / "handmade").write_text("x" * 4711)
    (first,) = labels(project)
    assert first.startswith("handmade=override@")
    assert "4711" not in first
    project.ok("dev", "down")
    assert labels(project) == [first]
    (local / "handmade").write_text("y" * 4711)
    assert labels(project) != [first]
    file = written(project)["secrets"]["handmade"]["file"]
    assert (project.folder / file).read_text() == "y" * 4711

    project.write("compose.yaml", ONE)
    (stored,) = labels(project)
    (local / "db-password").write_text("mine")
    assert labels(project)[0].startswith("db-password=override@")
    (local / "db-password").unlink()
    assert labels(project) == [stored]


def test_a_mock_has_a_label_of_its_own(project: Program) -> None:
    """The folder keeps its mocks. The same seed is the same label, another is another."""
    project.write("compose.yaml", ONE)
    (stored,) = labels(project)
    found = []
    for seed in ("1", "2", "1"):
        project.ok("dev", "up", "--mock", "--seed", seed)
        found += labels(project)
    assert found[0] == found[2] != found[1]
    assert found[0].startswith("db-password=mock@")
    project.ok("dev", "up")
    assert labels(project) == [stored]


@pytest.mark.parametrize("what", ["include", "extends"])
def test_what_leads_on_and_on(project: Program, what: str) -> None:
    """Files that include the next one, and services that extend it: told, with the place."""
    if what == "include":
        for number in range(1500):
            project.write(f"{number}.yaml", f"include: [{number + 1}.yaml]\n")
        project.write("1500.yaml", ONE)
        project.write("compose.yaml", "include: [0.yaml]\n")
    else:
        services = "".join(
            f"  s{number}: {{extends: {{service: s{number + 1}}}}}\n" for number in range(1500)
        )
        project.write("compose.yaml", f"services:\n{services}  s1500: {{image: x}}\n")
    done = project("compose", "sync")
    assert done.code == 2
    assert "more than 100, each of which names the next" in done.err


def test_lint_leaves_it_alone(project: Program) -> None:
    """What a lint of the folder says is of the user's files."""
    project.write("compose.yaml", ONE)
    project.ok("compose", "sync")
    assert {one["path"] for one in project("lint", ".", "--json").json} <= {"compose.yaml"}


def test_no_value_anywhere(project: Program) -> None:
    """Neither a secret nor what stands in the compose file is in our file or in what is said."""
    project.create("canary", b"CANARY-1")
    project.write(
        "compose.yaml",
        ONE.replace("image: x", "image: x, environment: {P: CANARY-2}")
        + "  canary: {external: true}\n",
    )
    project.ok("compose", "sync", "--json")
    shown = (project.folder / OURS).read_text() + json.dumps(
        [[done.text, done.err] for done in project.seen]
    )
    assert "CANARY" not in shown
    assert os.stat(project.folder / OURS).st_mode & 0o777 == 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

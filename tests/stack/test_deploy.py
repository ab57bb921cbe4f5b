"""`secretkit stack deploy` and `stack diff` on a real swarm: what is made, what is left alone, and
what becomes of a deploy that fails or is killed."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secretkit.store import Store
from tests.cli.program import Done, Program
from tests.engine import Engine
from tests.stack.clients import clients
from tests.swarm.services import (
    PROGRAM,
    Services,
    operator,
    report_of,
    services_of,
    started,
    until,
)

ROLLING = {"monitor": "300ms", "order": "start-first", "failure_action": "rollback"}
EXTERNAL = {"external": True}


class Shop:
    """A stack in a project on the swarm; what its services read is /run/secrets/key."""

    def __init__(self, services: Services, program: Program) -> None:
        self.services = services
        self.secretkit = program
        self.name = f"shop-{services.mark}"
        self.secret = services.secret  # in the store, with version 1 `one`

    @property
    def folder(self) -> Path:
        return self.secretkit.folder

    def bring(self, **files: str) -> None:
        for name, content in files.items():
            (self.folder / name).write_text(content)

    def write(self, secrets: dict[str, Any], *names: str, **sections: Any) -> None:
        """A stack file whose services use the first of these secrets."""
        service = {
            "image": self.services.engine.image,
            "command": ["python3", "-ISc", PROGRAM, "/run/secrets/key"],
            "secrets": [{"source": next(iter(secrets)), "target": "key"}],
            "networks": ["net"],
            "healthcheck": {
                "test": ["CMD", "cat", "/tmp/ready"],
                "interval": "500ms",
                "retries": 2,
            },
            "deploy": {
                "replicas": 1,
                "endpoint_mode": "dnsrr",
                "update_config": ROLLING,
                "rollback_config": {"monitor": "300ms"},
                "restart_policy": {"delay": "500ms"},
            },
            **sections.pop("service", {}),
        }
        found = {
            "version": "3.8",
            "services": dict.fromkeys(names or ("web",), service),
            "networks": {"net": {}},
            "secrets": secrets,
            **sections,
        }
        (self.folder / "stack.yml").write_text(json.dumps(found))
        whole = {f"{self.name}_{name}" for name in names or ("web",)}
        self.services.made += sorted(whole - {*self.services.made})

    def words(self, *options: str) -> tuple[str, ...]:
        command, *rest = options
        chosen = ("--resolve-image", "never") if command == "deploy" else ()
        return ("stack", command, "-c", "stack.yml", *chosen, *rest, self.name)

    def deploy(self, *options: str, code: int = 0, **more: Any) -> Done:
        done = self.secretkit(*self.words("deploy", *options), **more)
        assert done.code == code, done.err
        return done

    def diff(self, *options: str) -> list[tuple[str, str, str, str]]:
        found = self.secretkit.ok(*self.words("diff", "--json", *options)).json["differences"]
        short = [
            tuple(str(each).replace(f"{self.name}_", "") for each in one.values()) for one in found
        ]
        return [(a, b, c, d) for a, b, c, d in short]

    def plain(self, *options: str) -> None:
        """A plain `docker stack deploy` of the same file."""
        self.services.docker(
            *("stack", "deploy", "-c", str(self.folder / "stack.yml")),
            *("--resolve-image", "never", *options, self.name),
        )

    def web(self) -> str:
        return f"{self.name}_web"

    def tasks(self) -> list[str]:
        return sorted(one["ID"] for name in self.services.made for one in self.services.tasks(name))

    def values(self) -> list[str]:
        return self.services.values(self.web(), "key")

    def objects(self, kind: str = "secret") -> list[str]:
        names = self.services.docker(kind, "ls", "--format", "{{.Name}}").split()
        mine = [name for name in names if name.startswith(self.name)]
        return sorted(name.removeprefix(f"{self.name}_") for name in mine)

    def current(self, key: str = "key") -> int:
        return int(self.secretkit.ok("inspect", f"{self.name}_{key}", "--json").json["current"])

    def remove(self) -> None:
        self.services.remove()
        self.services.docker("network", "rm", f"{self.name}_net", check=False)


@pytest.fixture
def shop(swarm: Engine) -> Iterator[Shop]:
    with services_of(swarm) as services, operator(services) as program:
        found = Shop(services, program)
        yield found
        found.remove()


def test_an_unchanged_file_takes_no_rotation_back(shop: Shop) -> None:
    """Neither of an external secret nor of one that the file brings: the same tasks run on."""
    shop.bring(key="one", conf="a")
    file = {"file": "./key"}
    shop.write(
        {"key": file, "outer": EXTERNAL | {"name": shop.secret}},
        configs={"conf": {"file": "./conf"}},
        service={
            "secrets": [{"source": "key", "target": "key"}, {"source": "outer", "target": "pw"}],
            "configs": [{"source": "conf", "target": "/conf"}],
        },
    )
    done = shop.deploy("--json")
    assert [(one["name"], one["after"]) for one in report_of(done)["versions"]] == [
        (f"{shop.name}_key", 1),
        (shop.secret, 1),
        (f"{shop.name}_conf", 1),
    ]
    assert shop.values() == ["one"]
    shop.secretkit.ok("rotate", f"{shop.name}_key", "-", input=b"two")
    shop.secretkit.ok("rotate", shop.secret, "-", input=b"2")
    before = shop.services.inspect(shop.web())["Spec"], shop.tasks()
    for client in clients():
        path = f"{Path(client).parent}:{os.environ['PATH']}"
        report = report_of(shop.deploy("--json", PATH=path))
        assert [one["outcome"] for one in report["services"]] == ["unchanged"]
        assert (shop.services.inspect(shop.web())["Spec"], shop.tasks()) == before
    assert shop.diff() == []

    shop.bring(key="three", conf="b")
    assert shop.diff() == [
        ("", "secret key", "v2", "v3"),
        ("", "config conf", "v1", "v2"),
        ("web", "secret key", "key-v2", "key-v3"),
        ("web", "config /conf", "conf", "conf-v2"),
    ]
    assert shop.secretkit(*shop.words("diff", "--exit-code")).code == 1
    done = shop.deploy()
    assert shop.values() == ["three"]
    assert shop.objects() == ["key", "key-v2", "key-v3"]
    assert (shop.objects("config"), shop.current()) == (["conf", "conf-v2"], 3)
    assert done.text.splitlines() == [
        f"{shop.name}_key v3",
        f"{shop.secret} v2",
        f"{shop.name}_conf v2",
    ]


def test_another_stack_s_object_is_no_version(shop: Shop) -> None:
    """One that is called like the next version: neither deployed nor rotated, its number unused."""
    shop.bring(theirs="theirs")
    shop.write({shop.secret: EXTERNAL})
    shop.deploy()
    label = "com.docker.stack.namespace=other"
    theirs = f"{shop.secret}-v2"
    shop.services.docker(
        *("secret", "create", "--label", label, theirs, str(shop.folder / "theirs"))
    )
    other = shop.services.create(
        "other", replicas=0, references=(f"source={theirs},target=key",), wait=False
    )
    tasks = shop.tasks()
    done = shop.deploy()
    assert "made elsewhere" not in done.err
    assert (shop.values(), shop.tasks()) == (["one"], tasks)
    assert shop.diff() == []
    said = shop.secretkit.ok("services", shop.secret, "--json").text
    assert (shop.web() in said, other in said) == (True, False)
    assert shop.secretkit.ok("rotate", shop.secret, "-", input=b"two").text.endswith(" v3\n")
    assert shop.values() == ["two"]
    assert shop.services.references(other) == [("db-password-v2", "key")]


def test_what_a_plain_deploy_made_is_taken(shop: Shop) -> None:
    """A changed file does not fail; the objects keep docker's labels, and get ours."""
    shop.bring(key="one", conf="a")
    shop.write(
        {"key": {"file": "./key"}},
        configs={"conf": {"file": "./conf"}},
        service={"configs": [{"source": "conf", "target": "/conf"}]},
    )
    shop.plain()
    shop.bring(key="two")
    shop.deploy()
    assert shop.values() == ["two"]
    assert (shop.objects(), shop.objects("config"), shop.current()) == (
        ["key", "key-v2"],
        ["conf"],
        2,
    )
    for kind, name in (("secret", "key"), ("secret", "key-v2"), ("config", "conf")):
        spec = json.loads(shop.services.docker(kind, "inspect", f"{shop.name}_{name}"))[0]["Spec"]
        assert spec["Labels"]["com.docker.stack.namespace"] == shop.name
        assert spec["Labels"]["secretkit.name"].startswith(shop.name)


def test_one_that_fails(shop: Shop) -> None:
    """Exit 6 with the reason; the version is kept, is not current, and the next one is."""
    shop.bring(key="one")
    shop.write({"key": {"file": "./key"}}, "web", "api")
    shop.deploy()
    shop.bring(key="crash-canary-Zq81")
    done = shop.deploy("--json", code=6)
    report = report_of(done)
    assert {one["service"]: one["outcome"] for one in report["services"]} == {
        f"{shop.name}_api": "rolled back",
        f"{shop.name}_web": "rolled back",
    }
    assert "non-zero exit (1)" in done.err
    assert f"{shop.name}_key v2 is kept and not current" in done.err
    assert (shop.current(), shop.values()) == (1, ["one"])
    assert "canary-Zq81" not in done.text + done.err
    shop.bring(key="three")
    shop.deploy()
    assert (shop.current(), shop.values()) == (3, ["three"])


def test_a_new_service_that_never_runs(shop: Shop) -> None:
    """It has nothing to go back to; after the time that was given it is told what is so."""
    shop.bring(key="crash")
    shop.write({"key": {"file": "./key"}})
    done = shop.deploy("--timeout", "4s", code=6)
    assert f"deploy of stack {shop.name} failed, {shop.name}_web: 4 s have passed" in done.err


KILLS = {
    "docker was not started": "kill -9 $PPID; exit 1",
    "docker was done": '{docker} "$@"; kill -9 $PPID',
}


def test_one_that_is_killed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command goes on: no further version is made, and the one that was is current."""
    shop.bring(key="1")
    shop.write({"key": {"file": "./key"}})
    shop.deploy()
    docker = shutil.which("docker")
    programs = shop.folder / "programs"
    programs.mkdir()
    expected = ["key"]
    for number, script in enumerate(KILLS.values(), 2):
        shop.bring(key=str(number))
        (programs / "docker").write_text(
            '#!/bin/sh\ncase "$* $DOCKER_HOST" in *--help*|*" config "*|*no-engine*)'
            f' exec {docker} "$@";; esac\n' + script.format(docker=docker)
        )
        (programs / "docker").chmod(0o755)
        expected.append(f"key-v{number}")
        shop.deploy(code=-9, PATH=f"{programs}:{os.environ['PATH']}")
        assert (shop.current(), shop.objects()) == (number - 1, expected)
        assert shop.deploy().text == f"{shop.name}_key v{number}\n"
        assert (shop.current(), shop.objects()) == (number, expected)
        assert shop.values() == [str(number)]

    # The version was made, its object was not: it is found again by its content.
    shop.bring(key="4")
    monkeypatch.setenv("XDG_CONFIG_HOME", shop.secretkit.environ["XDG_CONFIG_HOME"])
    with Store.open(shop.folder) as store:
        store.stage(f"{shop.name}_key", b"4", source=f"stack {shop.name}")
    shop.deploy()
    assert (shop.current(), shop.objects()) == (4, [*expected, "key-v4"])


def test_a_rotation_under_way(shop: Shop) -> None:
    """The deploy is refused before anything is done, and says what goes on with the rotation."""
    shop.write({shop.secret: EXTERNAL})
    shop.deploy()
    command = [
        sys.executable,
        "-m",
        "tests.swarm.dying",
        "swap",
        "1",
        str(shop.folder),
        shop.secret,
    ]
    with started(command, b"two", shop.secretkit.environ, Path(__file__).parents[2]) as process:
        process.wait()
    before = shop.services.inspect(shop.web())["Version"]
    done = shop.deploy(code=4)
    assert f"`secretkit rotate {shop.secret}` goes on with" in done.err
    assert shop.services.inspect(shop.web())["Version"]["Index"] >= before["Index"]
    shop.secretkit.ok("rotate", shop.secret)
    tasks = shop.tasks()
    shop.deploy()
    assert (shop.tasks(), shop.values()) == (tasks, ["two"])


def test_another_operator_rotated(shop: Shop) -> None:
    """With a store of their own: their version stays, and a deploy without a store keeps it too."""
    shop.write({shop.secret: EXTERNAL})
    shop.deploy()
    folder = shop.folder.with_name("other")
    folder.mkdir(mode=0o700)
    other = Program(folder, shop.secretkit.environ)
    other.ok("init")
    other.ok("adopt", shop.secret, "--value", "-", input=b"one")
    other.ok("rotate", shop.secret, "-", input=b"two")
    tasks = shop.tasks()
    done = shop.deploy()
    assert f"{shop.secret}: v2 was made elsewhere, by " in done.err
    assert done.text == f"{shop.secret} v2\n"
    assert (shop.tasks(), shop.values()) == (tasks, ["two"])

    nobody = Program(folder.parent, shop.secretkit.environ)
    stack = str(shop.folder / "stack.yml")
    assert nobody.ok("stack", "deploy", "-c", stack, "--resolve-image", "never", shop.name)
    assert shop.tasks() == tasks


def test_a_copy_of_the_store(shop: Shop) -> None:
    """One from before takes nothing back: the file's own version is known by its object's label,
    and where no service uses any version, what is current is not guessed."""
    shop.bring(key="one")
    shop.write({"key": {"file": "./key"}})
    shop.deploy()
    store = shop.folder / ".secretkit"
    shutil.copytree(store, shop.folder / "copy")
    shop.bring(key="two")
    shop.deploy()
    shop.secretkit.ok("rotate", f"{shop.name}_key", "-", input=b"three")
    shutil.rmtree(store)
    (shop.folder / "copy").rename(store)
    shop.secretkit.ok("restore", "--accept-rollback")
    tasks = shop.tasks()
    done = shop.deploy()
    assert f"{shop.name}_key: v3 was made elsewhere, by " in done.err
    assert (shop.tasks(), shop.values()) == (tasks, ["three"])

    shop.services.docker("service", "rm", shop.web())
    done = shop.deploy(code=4)
    assert f"or `docker secret rm {shop.name}_key-v3` if it is none to deploy" in done.err


def test_a_prune_between(shop: Shop) -> None:
    """It keeps what tells whether the file has changed: a rotation stays, a change is deployed."""
    shop.bring(key="one")
    shop.write({"key": {"file": "./key"}})
    shop.deploy()
    name = f"{shop.name}_key"
    for value in (b"two", b"three"):
        shop.secretkit.ok("rotate", name, "-", input=value)
    shop.secretkit.ok("prune", name, "--keep", "2", "--engine", "local")
    done = shop.secretkit.ok("prune", name, "--keep", "1")
    assert f"kept {name} v1: `stack deploy` compares its file with it" in done.err
    assert "not known" not in shop.deploy().err
    assert shop.values() == ["three"]
    shop.bring(key="four")
    shop.deploy()
    assert (shop.values(), shop.current()) == (["four"], 4)
    assert f"kept {name} v1" not in shop.secretkit.ok("prune", name, "--keep", "1").err


def test_bytes_that_are_no_text(shop: Shop) -> None:
    """Those of a variable are put into a content as docker puts them."""
    shop.bring(key="one")
    shop.write(
        {"key": {"file": "./key"}},
        configs={"conf": {"content": "a${BYTES}"}},
        service={"configs": ["conf"]},
    )
    shop.deploy(BYTES="\udcff")
    found = shop.services.docker("config", "inspect", f"{shop.name}_conf")
    assert json.loads(found)[0]["Spec"]["Data"] == "Yf8="


def test_another_project_has_the_name(shop: Shop) -> None:
    """Its value is never deployed as ours: neither its version of our number, nor its next one; and
    what it runs is no service of this store."""
    shop.write({shop.secret: EXTERNAL})
    shop.deploy()
    folder = shop.folder.with_name("other")
    folder.mkdir(mode=0o700)
    other = Program(folder, shop.secretkit.environ)
    other.ok("init")
    other.ok("create", shop.secret, "-", input=b"canary-Zq83")
    words = ("stack", "deploy", "-c", str(shop.folder / "stack.yml"), "--resolve-image", "never")
    tasks = shop.tasks()
    for _ in range(2):
        done = other(*words, shop.name)
        assert done.code == 4 and "was made from another store, by " in done.err, done.err
        assert f"`secretkit adopt {shop.secret}`" in done.err
        found = other("doctor").text
        assert "0 services with secrets of this store" in found
        assert "was made from another store, by " in found
        shop.secretkit.ok("rotate", shop.secret, "-", input=b"two")
        tasks, before = shop.tasks(), tasks
        assert tasks != before
    assert "1 service with secrets of this store" in shop.secretkit("doctor").text
    other.ok("rm", shop.secret, "--engine", "local")
    other.ok("adopt", shop.secret, "--value", "-", input=b"two")
    assert other.ok(*words, shop.name).text == f"{shop.secret} v3\n"
    assert shop.tasks() == tasks
    assert "1 service with secrets of this store" in other("doctor").text


def test_another_stack_brings_the_name(shop: Shop) -> None:
    """With the same content it is shared; with another it is refused, as docker refuses it."""
    shop.bring(key="one", two="one")
    named = f"{shop.name}_shared"
    shop.write({"key": {"name": named, "file": "./key"}})
    shop.deploy()
    first, shop.name = shop.name, f"{shop.name}-b"
    shop.write({"key": {"name": named, "file": "./two"}})
    shop.deploy()
    shop.bring(two="two")
    done = shop.deploy(code=4)
    assert f"stack {first} brings secret {named} too, with another content" in done.err
    shop.name = first
    shop.write({"key": {"name": named, "file": "./key"}})
    assert shop.deploy().text == f"{named} v1\n"
    assert shop.values() == ["one"]
    shop.services.docker("network", "rm", f"{first}-b_net", check=False)


def test_a_change_that_failed_is_not_forgotten(shop: Shop) -> None:
    """Somebody rotated before it was mended: it is the next version."""
    shop.bring(key="one")
    shop.write({"key": {"file": "./key"}})
    shop.deploy()
    healthcheck = {"test": ["CMD", "false"], "interval": "200ms", "retries": 1}
    shop.bring(key="two")
    shop.write({"key": {"file": "./key"}}, service={"healthcheck": healthcheck})
    shop.deploy(code=6)
    shop.secretkit.ok("rotate", f"{shop.name}_key", "-", input=b"three")
    shop.write({"key": {"file": "./key"}})
    shop.deploy()
    assert (shop.current(), shop.values()) == (4, ["two"])


ROTATIONS = {
    "to its end": "printf two | secretkit rotate {name} -",
    # It soaks when docker takes its service back.
    "half-way": "(printf two | secretkit rotate {name} - --soak 6s; echo $? >ended) >said 2>&1 &"
    " until docker service inspect {web} | grep -q {name}-v2; do sleep 0.1; done",
}


@pytest.mark.parametrize("way", ROTATIONS)
def test_a_rotation_while_docker_starts(shop: Shop, way: str) -> None:
    """The deploy takes it back for a moment, and says so or brings the service to it."""
    shop.write({shop.secret: EXTERNAL})
    shop.deploy()
    docker = shutil.which("docker")
    programs = shop.folder / "programs"
    programs.mkdir()
    script = ROTATIONS[way].format(name=shop.secret, web=shop.web())
    (programs / "docker").write_text(
        '#!/bin/sh\ncase "$* $DOCKER_HOST" in *--help*|*" config "*|*no-engine*|*"service "*)'
        f' exec {docker} "$@";; esac\n'
        f'if mkdir once 2>&-; then {script}; fi\nexec {docker} "$@"\n'
    )
    (programs / "docker").chmod(0o755)
    path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = shop.secretkit(*shop.words("deploy"), PATH=path)
    if way == "to its end":
        assert done.code == 0, done.err
        assert "other versions have become current meanwhile" in done.err
        assert done.text == f"{shop.secret} v2\n"
    else:
        assert done.code == 4, done.err
        assert f"a rotation is under way while stack {shop.name} is deployed" in done.err
        until("the rotation to end", (shop.folder / "ended").exists)
        until("its end", (shop.folder / "ended").read_text)
        assert (shop.folder / "ended").read_text() == "0\n", (shop.folder / "said").read_text()
    tasks = shop.tasks()
    assert shop.values() == ["two"]
    assert shop.deploy().text == f"{shop.secret} v2\n"
    assert shop.tasks() == tasks


def test_what_is_refused(shop: Shop, tmp_path: Path) -> None:
    """Before anything is made: each with its exit code, where it stands, and what to do."""
    shop.write({"nosuch": EXTERNAL})
    done = shop.deploy(code=3)
    assert "stack.yml:1:" in done.err and "the engine has none" in done.err
    shop.write({"key": {"file": "./nosuch"}})
    assert "cannot read ./nosuch, no such file" in shop.deploy(code=2).err
    shop.write({"key": {"environment": "NOSUCH"}})
    done = shop.deploy(code=2)
    assert "the variable NOSUCH is not set\nhint: " in done.err
    done = shop.deploy(code=2, NOSUCH="")
    assert "stack.yml:1:" in done.err and "it is empty\nhint: see what" in done.err
    shop.bring(key="one")
    shop.write({"key": {"file": "./key"}})
    done = shop.deploy(code=5, PATH=str(tmp_path))
    assert "there is no docker program on PATH" in done.err
    (shop.folder / ".secretkit").rename(shop.folder / "hidden")
    (shop.folder / "secretkit.toml").rename(shop.folder / "hidden.toml")
    done = shop.deploy(code=3)
    assert "secretkit init" in done.err
    (shop.folder / "hidden").rename(shop.folder / ".secretkit")
    assert shop.objects() == []
    shop.write({"key": {"file": "./key"}}, service={"image": "no such image"})
    done = shop.deploy(code=5)
    assert f"docker stack deploy failed, {shop.name}: " in done.err
    assert shop.current() == 1


@pytest.mark.parametrize("client", clients())
def test_files_that_docker_refuses(shop: Shop, client: str) -> None:
    """Nothing is made of them: no version, no object, no network; a dry run refuses them too."""
    path = f"{Path(client).parent}:{os.environ['PATH']}"
    shop.bring(key="one", more='{"services": {"web": {"environment": ["A=b"]}}}')
    shop.write({"key": {"file": "./key"}}, service={"ports": ["canary-Zq82:x"]})
    for dry in ((), ("--dry-run",)):
        done = shop.deploy(*dry, code=2, PATH=path)
        assert f"docker refuses the files of stack {shop.name}: " in done.err
        assert "hint: nothing was made or changed" in done.err and "canary" not in done.err
    shop.write({"key": {"file": "./key"}}, service={"image": "${IMG:?canary}"})
    done = shop.deploy("--dry-run", code=2, PATH=path)
    assert f"refuses the files of stack {shop.name}: stack.yml:1:" in done.err
    assert "the variable IMG is required and not set\n" in done.err and "canary" not in done.err
    shop.write({"key": {"file": "./key"}})
    for command in ("deploy", "diff", "lint"):
        done = shop.secretkit(*shop.words(command, "-c", "more"), PATH=path)
        assert "its version: is another than that of stack.yml" in done.err + done.text
        assert done.code in (1, 2)
        shop.name, name = "bad name!", shop.name
        done = shop.secretkit(*shop.words(command), PATH=path)
        assert "invalid stack name" in done.err + done.text
        shop.name = name
    assert shop.objects() == []
    assert shop.secretkit.ok("ls", "-q").text.split() == [shop.secret]
    assert not shop.services.docker("network", "ls", "-q", "--filter", f"name={shop.name}")


def test_what_is_declared_and_what_is_gone(shop: Shop) -> None:
    """A secret is made by its generator if the stack uses it; a dry run only says so. Services that
    the file has no more are removed with --prune, and stay without it."""
    name = f"db-{shop.services.mark}"
    declared = (f'[secrets.{each}]\ngenerate = "hex"\n' for each in (name, f"unused-{name}"))
    with (shop.folder / "secretkit.toml").open("a") as file:
        file.write("\n" + "".join(declared))
    shop.write({name: EXTERNAL}, "web", "api")
    steps = shop.deploy("--dry-run").text
    assert f"create secret {name} v1 from generator hex\ncreate secret {name}\n" in steps
    assert name not in shop.secretkit.ok("ls", "-q").text
    shop.deploy()
    assert len(shop.values()[0]) == 64
    assert shop.secretkit.ok("ls", "-q").text.split() == sorted([shop.secret, name])

    shop.write({name: EXTERNAL}, "web")
    assert shop.diff() == [("api", "service, with --prune", shop.services.engine.image, "")]
    shop.deploy()
    assert len(shop.tasks()) == 2
    report = report_of(shop.deploy("--prune", "--json"))
    assert {one["service"]: one["outcome"] for one in report["services"]} == {
        f"{shop.name}_api": "removed",
        f"{shop.name}_web": "unchanged",
    }


def test_a_diff_names_variables_and_shows_no_value(shop: Shop) -> None:
    """Their values may be secret; image and number of tasks are told."""
    shop.write({shop.secret: EXTERNAL}, service={"environment": {"A": "canary-1", "B": "2"}})
    assert ("web", "service", "", shop.services.engine.image) in shop.diff()
    shop.deploy()
    assert shop.diff() == []
    shop.write(
        {shop.secret: EXTERNAL},
        service={"environment": {"A": "canary-2", "C": "3"}, "image": "other:1"},
    )
    assert shop.diff() == [
        ("web", "image", shop.services.engine.image, "other:1"),
        ("web", "environment A", "set", "another value"),
        ("web", "environment B", "set", ""),
        ("web", "environment C", "", "set"),
    ]
    done = shop.secretkit(*shop.words("diff"))
    assert "canary" not in done.text + done.err

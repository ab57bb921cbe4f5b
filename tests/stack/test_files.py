"""Files in every form that docker reads: nothing but the versions changes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from secretkit.delivery.documents import read
from secretkit.delivery.stack.contents import content_of
from secretkit.delivery.stack.model import Stack, load
from secretkit.delivery.stack.resolve import check, resolve
from secretkit.delivery.stack.rewrite import Given, rewrite
from secretkit.engines.protocol import Kind
from secretkit.errors import UsageError
from tests.stack.clients import Stacks, references
from tests.swarm.services import until

PLAIN = """version: "3.8"
services:
  web:
    image: IMAGE
    secrets: [PW]
    deploy: {replicas: 0}
secrets:
  PW: {external: true}
"""
# More than one can say of a service in few lines; all of it must come through.
RICH = """version: "3.8"
# a comment
x-common: &common
  image: IMAGE
  logging: {driver: json-file, options: {max-size: 1m}}
x-deploy: &deploy
  replicas: 0
  labels: {when: 2026-11-21, ratio: 1e3, "quoted": "yes", octal: "0444", dollar: "a$$b", u: "ü🔑"}
  update_config: {parallelism: 2, delay: 1m30s, failure_action: rollback, order: start-first}
  restart_policy: {condition: on-failure, max_attempts: 3}
  resources: {limits: {cpus: "0.50", memory: 50M}}
services:
  web:
    <<: *common
    command: ["sh", "-c", 'echo "$$HOME"; exec sleep 1']
    environment:
      - A=${NAME}
      - EMPTY=
    env_file: ./some.env
    ports:
      - "8022:22"
      - target: 80
        published: 8080
        mode: host
    volumes:
      - ./data:/data:ro
      - cache:/cache
    healthcheck: {test: "exit 0", interval: 1m, retries: 1}
    stop_grace_period: 1m30s
    ulimits: {nofile: {soft: 100, hard: 200}}
    secrets:
      - PW
      - {source: PW, target: second, uid: "7", gid: '8', mode: 0440}
    configs: [{source: conf, target: /etc/a.conf}]
    deploy:
      <<: *deploy
      placement: {constraints: [node.role == manager]}
  worker:
    <<: *common
    environment: {B: "${UNSET:-default}", C: "1_000", D: ~}
    hostname: "{{.Service.Name}}"
    cap_add: [NET_ADMIN]
    tmpfs: /run
    extra_hosts: ["a:1.2.3.4"]
    deploy: *deploy
    secrets: [PW]
secrets:
  PW: &pw
    external: true
configs:
  conf:
    external: true
    name: APP
volumes:
  cache: {labels: {a: b}}
networks:
  default: {driver: overlay, attachable: true}
"""


@pytest.fixture(scope="module")
def names(stacks: Stacks) -> Mapping[Kind, str]:
    """A secret and a config, each with a version 2."""
    found: Mapping[Kind, str] = {"secret": f"pw{stacks.mark}", "config": f"app{stacks.mark}"}
    for kind, name in found.items():
        stacks.make(kind, name)
        stacks.make(kind, f"{name}-v2")
    return found


def filled(text: str, stacks: Stacks, names: Mapping[Kind, str]) -> str:
    for word, name in (("PW", names["secret"]), ("APP", names["config"])):
        text = text.replace(word, name)
    return text.replace("IMAGE", stacks.engine.image)


def given(stack: Stack, names: Mapping[Kind, str], version: str) -> Given:
    """The files, with this version of all that is ours."""
    resolution = resolve(stack, "any", {kind: {name} for kind, name in names.items()})
    return rewrite(
        stack,
        {
            (one.definition.kind, one.definition.key): f"{names[one.definition.kind]}{version}"
            for one in resolution.definitions
            if one.becomes != "docker"
        },
    )


def without_references(spec: dict[str, Any]) -> dict[str, Any]:
    container = {**spec["TaskTemplate"]["ContainerSpec"], "Secrets": None, "Configs": None}
    return {**spec, "TaskTemplate": {**spec["TaskTemplate"], "ContainerSpec": container}}


def test_nothing_but_the_references_changes(
    stacks: Stacks, names: Mapping[Kind, str], tmp_path: Path
) -> None:
    """What docker deploys of a file and of ours is equal, field by field, but for the versions."""
    stack = f"rich{stacks.mark}"
    (tmp_path / "some.env").write_text("FROM_FILE=1\n")
    file = tmp_path / "stack.yml"
    port = 20_000 + int(stacks.mark, 16) % 10_000
    file.write_text(filled(RICH.replace("8022", f"{port}"), stacks, names))
    variables = {"NAME": "ada"}
    assert stacks.deploy(stack, "-c", str(file), variables=variables) == ""
    by_docker = stacks.specs(stack)
    assert "FROM_FILE=1" in by_docker["web"]["TaskTemplate"]["ContainerSpec"]["Env"]

    found = load([str(file)], variables)
    assert stacks.deploy_given(stack, given(found, names, ""), variables) == ""
    by_us = stacks.specs(stack)
    assert by_docker.keys() == by_us.keys()
    for name, spec in by_us.items():
        assert without_references(by_docker[name]) == without_references(spec)
        for kind in names:
            assert references(by_docker[name], kind) == references(spec, kind)

    assert stacks.deploy_given(stack, given(found, names, "-v2"), variables) == ""
    for name, spec in stacks.specs(stack).items():
        assert without_references(by_us[name]) == without_references(spec)
        for kind, called in names.items():
            before, after = references(by_us[name], kind), references(spec, kind)
            assert [file for _, file in before.values()] == [after[target][1] for target in before]
            assert {one for one, _ in after.values()} <= {f"{called}-v2"}


FORMS: dict[str, Callable[[str], bytes]] = {
    "with line ends of Windows": lambda text: text.replace("\n", "\r\n").encode(),
    "with a byte order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "in UTF-16": lambda text: text.encode("utf-16"),
    "with ---, ... and a directive": lambda text: f"%YAML 1.1\n---\n{text}...\n".encode(),
    "with tabs where YAML has them": lambda text: text.replace(": ", ":\t").encode(),
    "of version 3.1": lambda text: text.replace("3.8", "3.1").encode(),
    "long": lambda text: (text + "".join(f"# {n}\n" for n in range(50_000))).encode(),
    "as JSON": lambda text: (
        b'{"version": "3.8", "services": {"web": {"image": "IMAGE", "secrets": ["PW"],'
        b' "deploy": {"replicas": 0}}}, "secrets": {"PW": {"external": true}}}'
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("changed", [False, True], ids=["as a file", "as stdin"])
def test_every_form_is_deployed(
    stacks: Stacks, names: Mapping[Kind, str], tmp_path: Path, form: str, changed: bool
) -> None:
    """By its path, or, where a word of it is changed or the user gives it so, as stdin."""
    stack = f"form{stacks.mark}"
    content = FORMS[form](PLAIN)
    encoding = "utf-16" if form == "in UTF-16" else "utf-8"
    content = filled(content.decode(encoding), stacks, names).encode(encoding)
    file = tmp_path / "stack.yml"
    file.write_bytes(content)
    found = load(["-"], {}, content) if changed else load([str(file)], {})
    check(found)
    assert stacks.deploy_given(stack, given(found, names, "-v2")) == ""
    used = references(stacks.specs(stack)["web"], "secret")
    assert [(target, name) for target, (name, _) in used.items()] == [
        (names["secret"], f"{names['secret']}-v2")
    ]


MORE = """version: "3.8"
services:
  web:
    secrets: [{source: PW, target: later}, extra]
  worker:
    image: IMAGE
    env_file: some.env
    secrets: [extra]
    configs: [inline]
    deploy: {replicas: 0}
secrets:
  extra: {file: ./none}
configs:
  inline:
    content: "${NAME}"
"""
LAST = """version: "3.8"
secrets:
  extra: {external: true, name: PW}
"""


@pytest.mark.parametrize("stdin", [None, 0, 1], ids=["paths", "first by stdin", "second by stdin"])
def test_several_files_are_one_stack(
    stacks: Stacks,
    names: Mapping[Kind, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stdin: int | None,
) -> None:
    """They are merged as docker merges them; all paths begin at the first file's folder."""
    stack = f"several{stacks.mark}"
    first, other = tmp_path / "first", tmp_path / "other"
    for folder, value in ((first, "1"), (other, "2")):
        folder.mkdir()
        (folder / "some.env").write_text(f"FOLDER={value}\n")
    texts = [filled(one, stacks, names) for one in (PLAIN, MORE, LAST)]
    paths = ["first/a.yml", "other/b.yml", "other/c.yml"]
    for path, text in zip(paths, texts, strict=True):
        (tmp_path / path).write_text(text)
    monkeypatch.chdir(first if stdin == 0 else tmp_path)
    if stdin is not None:
        paths = [f"../{path}" for path in paths] if stdin == 0 else paths
        paths[stdin] = "-"
    content = texts[stdin].encode() if stdin is not None else None
    found = load(paths, {"NAME": "ada"}, content)
    assert found.definitions["secret", "extra"].origin == "external"
    assert stacks.deploy_given(stack, given(found, names, "-v2"), {"NAME": "ada"}) == ""
    specs = stacks.specs(stack)
    secret = f"{names['secret']}-v2"
    used = {target: name for target, (name, _) in references(specs["web"], "secret").items()}
    assert used == {"later": secret, "extra": secret}
    assert {use.target or use.source for use in found.uses if use.service == "web"} == set(used)
    assert specs["worker"]["TaskTemplate"]["ContainerSpec"]["Env"] == ["FOLDER=1"]


def test_a_file_with_a_changed_word_keeps_its_folder(
    stacks: Stacks, names: Mapping[Kind, str], tmp_path: Path
) -> None:
    """The first file goes to stdin, and what stands beside it is still found."""
    stack = f"word{stacks.mark}"
    (tmp_path / "some.env").write_text("FOLDER=here\n")
    file = tmp_path / "stack.yml"
    file.write_text(
        filled(
            MORE.replace("  web:\n    secrets: [{source: PW, target: later}, extra]\n", ""),
            stacks,
            names,
        )
    )
    found = load([str(file)], {"NAME": "ada"})
    assert stacks.deploy_given(stack, given(found, names, "-v2"), {"NAME": "ada"}) == ""
    container = stacks.specs(stack)["worker"]["TaskTemplate"]["ContainerSpec"]
    assert container["Env"] == ["FOLDER=here"]
    assert [one["ConfigName"] for one in container["Configs"]] == [f"{names['config']}-v2"]


BROKEN = {
    "a: [1, 2\n": "f.yml:2:1: not YAML: did not find expected ',' or ']'",
    "a: {b: 1\nc: 2": "f.yml:2:2: not YAML",
    "services:\n\tweb: 1": "f.yml:2:1: not YAML",
    "a: 1\n---\nb: 2": "f.yml:2:1: not YAML",
    "a: *hunter2": "f.yml:1:4: not YAML: found undefined alias",
    'a: "\x07"': "f.yml: not YAML: it has control characters",
    "a: 1\na: 2": "f.yml:2:1: a key that is there already",
    "secrets:\n  x: {file: a}\n  x: {file: b}": "f.yml:3:3: a key that is there already",
    "[" * 100_000: "f.yml: not YAML: nested too deeply",
    "": "f.yml: no stack file",
    "- a": "f.yml: no stack file",
    "services: [web]": "f.yml:1:11: services must be a mapping",
    "services:\n  web:\n": "f.yml:2:3: services.web must be a mapping",
    "services: {web: {secrets: {x: y}}}": "f.yml:1:27: services.web.secrets must be a list",
    "services: {web: {secrets: [x]}}": "f.yml:1:28: service web uses a secret that is not defined",
    "services: {web: {configs: [{target: x}]}}": "f.yml:1:28: the config of service web has no",
    "secrets:\n": "f.yml:1:9: secrets must be a mapping",
    "secrets:\n  x:\n": "f.yml:2:3: secrets.x must be a mapping",
    "secrets:\n  x: {}": "f.yml:2:3: the secret x has no content",
    "secrets:\n  x: {external: false}": "f.yml:2:3: the secret x has no content",
    "secrets:\n  x: {file: a, environment: B}": "f.yml:2:3: the secret x has file and environment",
    "secrets:\n  x: {file: [a]}": "f.yml:2:13: file of x must be a text",
    "secrets:\n  x: {file: ''}": "f.yml:2:3: the secret x has an empty file",
    "secrets:\n  x: {external: {name: a}, name: a}": "f.yml:2:3: the secret x has two names",
    "secrets:\n  x: {file: '${NONE:?hunter2}'}": "f.yml:2:13: the variable NONE is required",
    "secrets:\n  x: {external: true, name: a$}": "f.yml:2:29: a $ that begins no variable",
    "secrets:\n  x: {content: hunter2}": "f.yml:2:3: the secret x has its value in the file",
    "x: &a {file: a}\nsecrets:\n  x: {file: b, <<: *a}": "f.yml:3:7: a << behind this key has it",
    "x: &a {s: {file: a}}\nsecrets:\n  s: {file: b}\n  <<: [*a]": "f.yml:3:3: a << behind",
    "configs:\n  x: {content: a, name: a-v2}": "f.yml:2:3: invalid secret name",
    "configs:\n  x: {content: a, template_driver: golang}": "f.yml:2:3: the config x has a",
}


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: BROKEN[text][:60])
def test_what_is_wrong_is_told_with_its_place(text: str) -> None:
    """One line: file, line, column; never what may be a value."""
    with pytest.raises(UsageError) as caught:
        resolve(Stack([read("f.yml", text.encode())], {}), "s", {})
    assert str(caught.value).startswith(BROKEN[text])
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
    assert "\n" not in str(caught.value)


def test_a_merge_in_front_is_overridden() -> None:
    """As every docker has it."""
    text = "x: &a {file: a, name: n}\nsecrets:\n  x: {<<: *a, file: b}"
    (one,) = resolve(Stack([read("f.yml", text.encode())], {}), "s", {}).definitions
    assert (one.name, one.definition.source) == ("n", "b")


RUNNING = """version: "3.8"
services:
  web:
    image: IMAGE
    command: [python3, -c, "import time; time.sleep(1000)"]
    stop_grace_period: 0s
    secrets:
      - {source: PW, target: second, uid: "7", gid: "8", mode: 0440}
      - {source: other, target: /etc/app/pw}
    configs: [conf, {source: more, target: /etc/app.conf, mode: 0400}]
secrets:
  PW: {external: true}
  other: {external: true, name: PWo}
configs:
  conf: {external: true, name: APP}
  more: {external: true, name: APPo}
"""


def test_a_task_has_the_files(stacks: Stacks, names: Mapping[Kind, str], tmp_path: Path) -> None:
    """At the paths, with the owners and modes, that the file asks for.

    The engine has one file for an object in a container: two uses of it have one owner and mode.
    """
    for kind, name in names.items():
        stacks.make(kind, f"{name}o")
    stack = f"task{stacks.mark}"
    file = tmp_path / "stack.yml"
    file.write_text(filled(RUNNING, stacks, names))
    found = load([str(file)], {})
    assert stacks.deploy_given(stack, given(found, names, "-v2")) == ""
    label = f"label=com.docker.swarm.service.name={stack}_web"

    def containers() -> list[str]:
        return stacks.engine.docker("ps", "-q", "--filter", label).split()

    until("its task", containers)
    task = containers()[0]
    paths = ["/run/secrets/second", "/etc/app/pw", "/conf", "/etc/app.conf"]
    look = (
        "import os, sys; [print(os.stat(p).st_uid, oct(os.stat(p).st_mode)) for p in sys.argv[1:]]"
    )
    said = stacks.engine.docker("exec", task, "python3", "-c", look, *paths)
    assert said.splitlines() == ["7 0o100440", "0 0o100444", "0 0o100444", "0 0o100400"]
    hostname = Path("/etc/hostname").read_text().strip()
    assert stacks.engine.docker("exec", task, "cat", *paths).split() == [hostname] * 4


def test_merge_keys_are_followed_once() -> None:
    """The first wins, a loop ends, and a file that doubles at each line is read at once."""
    lines = ["x0: &x0 {a: 0, b: 0}"]
    lines += [f"x{n}: &x{n} {{<<: [*x{n - 1}, *x{n - 1}], n{n}: 0}}" for n in range(1, 2000)]
    lines += ["last: {c: 1, <<: [{a: 2}, {a: 3, b: 3}, *x1999]}", "loop: &l {a: 1, <<: *l}"]
    document = read("f.yml", "\n".join(lines).encode())
    found = {one.key: one.value for one in document.entries(document.get(document.root, "last"))}
    assert [found[key].value for key in "abc"] == ["2", "3", "1"]
    assert len(found) == 2002
    assert document.get(document.root, "loop", "a") is not None


def test_nothing_shows_a_content() -> None:
    """What is printed of a definition by mistake has none of it."""
    stack = Stack([read("f.yml", b"configs: {x: {content: hunter2}}")], {})
    resolution = resolve(stack, "s", {})
    assert resolution.definitions[0].source.content == "hunter2"  # type: ignore[union-attr]
    assert "hunter2" not in repr((resolution, stack.definitions))


def brought(path: Path) -> bytes:
    """What a stack gets of a `file:`."""
    stack = Stack([read("f.yml", f"secrets: {{x: {{file: {path}}}}}".encode())], {})
    return content_of(resolve(stack, "s", {}).definitions[0], {})


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """Nothing waits: not for the writer of a FIFO; a pipe that the user's shell made is read."""
    os.mkfifo(tmp_path / "fifo")
    for path, reason in (
        *((tmp_path / "fifo", "not a regular file"), (Path("/dev/null"), "not a regular file")),
        *((tmp_path, "is a directory"), (tmp_path / "none", "no such file or directory")),
    ):
        with pytest.raises(UsageError, match=f"f.yml:1:11: cannot read {path}, {reason}$"):
            brought(path)
    for folder in ("/dev/fd", "/proc/self/fd"):
        ours, theirs = os.pipe()
        os.write(theirs, b"piped")
        os.close(theirs)
        try:
            assert brought(Path(folder, str(ours))) == b"piped"
        finally:
            os.close(ours)


def test_a_file_that_is_too_large_is_not_measured(tmp_path: Path) -> None:
    """It is not read to its end: what is said is the limit."""
    large = tmp_path / "large"
    large.write_bytes(b"x" * 600_000)
    with pytest.raises(UsageError, match=r"x: more than 511999 bytes$"):
        brought(large)
    large.write_bytes(b"x" * 511_999)
    assert len(brought(large)) == 511_999


def test_an_external_that_is_missing_is_told_if_it_is_used() -> None:
    """Docker deploys a stack with one that no service uses."""
    text = (
        b"services: {web: {secrets: [x]}}\nsecrets:\n  x: {external: true}\n  z: {external: true}"
    )
    stack = Stack([read("f.yml", text)], {})
    assert resolve(stack, "s", {}).findings == ()
    found = resolve(stack, "s", {}, {"secret": {"other"}}).findings
    assert [(one.rule, str(one.place)) for one in found] == [("missing-external", "f.yml:3:3")]

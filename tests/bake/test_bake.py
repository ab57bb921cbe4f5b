"""Images of every shape, baked on a real engine: the same program in the same way, with secrets."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bake.ground import HARDENED, Ground, busybox
from tests.cli.program import Program
from tests.engine import Engine
from tests.needs import need_program

VALUE = 'a "b" \\ c & <<x>> $HOME'
NASTY = (
    *("two words", 'quo"te', "apo'strophe", "$HOME ${X} $$", "back\\slash", "\\", "", " "),
    *(
        "ünï🎉",
        "line\nbreak",
        "ends in \\\n",
        "# no comment",
        "<<EOF",
        "[",
        '"],',
        "\t",
        "--",
        "a,b",
    ),
)
ENTRYPOINTS = {
    "exec": 'ENTRYPOINT ["/app/record", "$X", "e"]',
    "shell": 'ENTRYPOINT exec /app/record "$X" e',
}
CMDS = {
    "exec": 'CMD ["/app/record", "$X", "c"]',
    "shell": 'CMD exec /app/record "$X" c',
}
FORMS = {
    f"entrypoint-{one}-cmd-{other}": [ENTRYPOINTS[one], CMDS[other]]
    for one in ENTRYPOINTS
    for other in CMDS
}
FORMS |= {"cmd-alone": [CMDS["exec"]], "entrypoint-alone": [ENTRYPOINTS["exec"]], "none": []}


@pytest.fixture
def ground(cli: Program, engine: Engine, tmp_path: Path) -> Iterator[Ground]:
    """A project, an engine, and a secret to mount."""
    secrets = tmp_path / "mounted"
    secrets.mkdir()
    (secrets / "db-password").write_text(VALUE)
    found = Ground(cli, engine, secrets)
    try:
        yield found
    finally:
        found.close()


@pytest.mark.parametrize("form", FORMS)
def test_the_program_starts_as_before(form: str, ground: Ground) -> None:
    """Arguments, folder, user, process id: the same. The environment has one variable more."""
    image = ground.image("ENV X=1", "WORKDIR /app", "USER nobody", *FORMS[form])
    baked = ground.baked(image, "--env", "PASSWORD=db-password")
    command = [] if FORMS[form] else ["/app/record", "by hand"]
    before = ground.record(image, command=command)
    after = ground.record(baked, command=command)
    assert after[1].pop("PASSWORD") == VALUE
    assert before == after
    assert before[-1] == 1
    assert ground.config(image) | {"Entrypoint": []} == ground.config(baked) | {"Entrypoint": []}


def test_nothing_of_the_configuration_changes(ground: Ground) -> None:
    """But for ENTRYPOINT: also with nasty arguments, hardened, and built from the Dockerfile."""
    image = ground.image(
        "USER 0",
        'LABEL a="b c" d=$HOME',
        "ENV X=1 Y='$HOME' EMPTY=",
        "EXPOSE 80/tcp 53/udp",
        "VOLUME /data",
        "STOPSIGNAL SIGUSR1",
        "WORKDIR /app",
        'SHELL ["/bin/sh", "-ec"]',
        "HEALTHCHECK --interval=7s --retries=2 CMD test $X = 1 || exit 1",
        "USER nobody:101",
        f"ENTRYPOINT {json.dumps(['/app/record', *NASTY])}",
        f"CMD {json.dumps(NASTY)}",
    )
    options = ("--env", "PASSWORD=db-password", "--expand-file", "TOKEN")
    baked = ground.baked(image, *options)
    before, after = ground.config(image), ground.config(baked)
    shim = ["/usr/bin/python3", "-ISB", "/opt/secretkit/secretkit-entrypoint", *options, "--"]
    assert [*shim, *before.pop("Entrypoint")] == after.pop("Entrypoint")
    assert before == after

    folder = ground.cli.folder / "written"
    text = ground.bake(image, "--dockerfile", str(folder), *options).text
    assert (folder / "Dockerfile").read_text() == text
    by_hand = ground.name()
    ground.engine.docker("build", "--tag", by_hand, str(folder))
    assert ground.config(baked) == ground.config(by_hand)

    for name in (baked, by_hand):
        arguments, environ, cwd, uid, gid, _, pid = ground.record(name, *HARDENED, "-u", "1234")
        assert ["/app/record", *NASTY, *NASTY] == arguments
        assert (environ["PASSWORD"], environ["Y"], environ["EMPTY"]) == (VALUE, "$HOME", "")
        assert (cwd, uid, gid, pid) == ("/app", 1234, 0, 1)


def test_it_ends_as_before(ground: Ground) -> None:
    """The program is process 1, and `docker stop` ends it at once, with its own status."""
    image = ground.image('ENTRYPOINT ["/app/record"]', 'CMD ["wait"]')
    for name in (image, ground.baked(image, "--env", "PASSWORD=db-password")):
        with ground.started(name) as container:
            line = ground.engine.docker("exec", container, "cat", "/proc/1/cmdline")
            # The kernel puts the script's interpreter before it; the shim would be there instead.
            assert line.rstrip("\0").split("\0")[-2:] == ["/app/record", "wait"]
            assert "secretkit-entrypoint" not in line
            began = time.monotonic()
            ground.engine.docker("stop", container)
            assert time.monotonic() - began < 8  # of the 10 seconds after which it is killed
            status = ground.engine.docker("inspect", "-f", "{{.State.ExitCode}}", container)
            assert (status, "stopped") == ("7", ground.engine.docker("logs", container)[-7:])


def test_templates(ground: Ground) -> None:
    """Rendered where they were asked for, whatever was there, in a hardened container."""
    image = ground.image(
        "COPY whoami.conf other /app/",
        'RUN ["/usr/bin/python3", "-c", "import os; os.chmod(\'/app/whoami.conf\', 0o600);'
        " os.symlink('/nowhere', '/app/dangling'); os.symlink('/app', '/link')\"]",
        "WORKDIR /app",
        "USER 1000",
        'CMD ["cat", "/app/whoami.conf", "/app/conf/b.env", "/app/other", "/app/dangling",'
        ' "/new/x/y.json", "/link/z.txt"]',
        **{"whoami.conf": 'password: "<<db-password>>"\n', "other": "in the way\n"},
    )
    ground.cli.write("b.env.j2", "{% if true %}B={{ db_password }}{% endif %}\n")
    (ground.cli.folder / "sub").mkdir()
    ground.cli.write("sub/t", "<<db-password|base64>>\n")
    ground.cli.write(
        "secretkit.toml",
        """
        [[entrypoint.render]]
        source = "/link/whoami.conf"
        destination = "whoami.conf"
        format = "yaml"
        [[entrypoint.render]]
        source = "b.env.j2"
        destination = "/link/conf/b.env"
        [[entrypoint.render]]
        source = "sub/t"
        destination = "/app/other"
        [[entrypoint.render]]
        source = "sub/t"
        destination = "/app/dangling"
        """,
    )
    ground.cli.write("t.json", '["<<db-password>>"]\n')
    baked = ground.baked(
        image,
        *("--from-project", "--render", "t.json:/new/x/y.json,mode=0440"),
        *("--render=sub/t:/link/z.txt", "--with-jinja2"),
    )
    said = ground.run(baked, *HARDENED, "-u", "1234").splitlines()
    encoded = "YSAiYiIgXCBjICYgPDx4Pj4gJEhPTUU="
    assert said[0] == 'password: "a \\"b\\" \\\\ c & <<x>> $HOME"'
    assert said[1] == f"B='{VALUE}'"
    assert said[2:4] == [encoded, encoded]
    assert json.loads(said[4]) == [VALUE]
    assert said[5:] == [encoded]
    assert said == ground.run(baked).splitlines()


def test_it_says_that_every_secret_becomes_a_variable(ground: Ground) -> None:
    """If neither an option nor [entrypoint] says which go where."""
    ground.cli.write("secretkit.toml", "")
    said = "secrets: nothing says which go where: all become variables"
    options = ("--dockerfile", "out", "--force")
    assert said in ground.bake(ground.engine.image, *options, "--from-project").err
    assert said in ground.bake(ground.engine.image, *options).err
    assert "secrets:" not in ground.bake(ground.engine.image, *options, "--env-all").err
    ground.cli.write("secretkit.toml", '[entrypoint]\nenv = { A = "db-password" }\n')
    assert "secrets:" not in ground.bake(ground.engine.image, *options, "--from-project").err
    image = ground.image("COPY own.json /etc/own.json", **{"own.json": '{"env": {"A": "b"}}'})
    assert "secrets:" not in ground.bake(image, *options, "--config", "/etc/own.json").err


def test_files_on_a_disk(ground: Ground) -> None:
    """Their folders are made, and those of any user of the image."""
    ground.cli.write("t.json", '["<<db-password>>"]\n')
    words = ("--allow-disk", "--render", "t.json:/new/x/y.json", "--render", "t.json:/app/y.json")
    for user in ("USER 0", "USER 1000"):
        image = ground.image("WORKDIR /new", user, 'CMD ["cat", "/new/x/y.json"]')
        baked = ground.baked(image, *(words if user == "USER 0" else words[:3]))
        assert json.loads(ground.run(baked)) == [VALUE]


def test_memory_that_docker_closes_to_the_user(ground: Ground) -> None:
    """Over root's folder it is root's: what opens it is said, and works."""
    ground.cli.write("t.json", '["<<db-password>>"]\n')
    make = "import os; os.makedirs('/etc/app')"
    image = ground.image(
        f"RUN {json.dumps(['/usr/bin/python3', '-c', make])}",
        "USER 1000",
        'CMD ["cat", "/etc/app/x.json"]',
    )
    words = ("--tmpfs", "/etc/app", "--tmpfs", "/new", "--render", "t.json:/etc/app/x.json")
    name = ground.name()
    (said,) = [line for line in ground.bake(image, "-t", name, *words).lines if "warning" in line]
    assert "--tmpfs /etc/app: the image's USER cannot write to it" in said
    mounted = ("--tmpfs", "/etc/app:uid=1000")
    assert json.loads(ground.run(name, *HARDENED, *mounted)) == [VALUE]
    plan = ground.bake(image, "--check", "--json", *words).json["plan"]
    assert "--tmpfs /etc/app" in [one["what"] for one in plan]
    words = ("--tmpfs", "/new", "--render", "t.json:/new/x.json")
    assert "warning" not in ground.bake(image, "-t", name, *words).err


def test_an_image_without_shell_and_accounts(ground: Ground) -> None:
    """The build needs neither /bin/sh nor an entry for root."""
    remove = "import os; os.remove('/bin/sh'); os.remove('/etc/passwd'); os.remove('/etc/group')"
    image = ground.image(
        f"RUN {json.dumps(['/usr/bin/python3', '-c', remove])}",
        "USER 1000:1000",
        'CMD ["/app/record"]',
    )
    baked = ground.baked(image, "--env", "PASSWORD=db-password")
    arguments, environ, _, *identity = ground.record(baked, *HARDENED)
    assert (arguments, environ["PASSWORD"]) == (["/app/record"], VALUE)
    assert identity in ([1000, 1000, [], 1], [1000, 1000, [1000], 1])


def test_busybox_with_an_entrypoint_script(ground: Ground) -> None:
    """A script that ends in exec works as before, under busybox's shell."""
    need_program("busybox")
    image = ground.image(
        "COPY busybox entrypoint.sh /bin/",
        'RUN ["/bin/busybox", "ln", "-sf", "busybox", "/bin/sh"]',
        'ENTRYPOINT ["entrypoint.sh"]',
        'CMD ["/app/record", "two words"]',
        busybox=busybox(),
        **{"entrypoint.sh": '#!/bin/sh\nset -e\nexport SEEN="$PASSWORD"\nexec "$@"\n'},
    )
    baked = ground.baked(image, "--env", "PASSWORD=db-password")
    arguments, environ, *_, pid = ground.record(baked, *HARDENED, "-u", "1234")
    assert (arguments, environ["SEEN"], pid) == (["/app/record", "two words"], VALUE, 1)


def test_the_python_that_is_found(ground: Ground) -> None:
    """One that is too old, does not run or lacks its library is passed over, each told."""
    fakes = {"python3": "#!/bin/sh\nexit 105\n", "python3.9": "#!/nowhere\n"}
    fakes |= {"python3.8": "#!/bin/sh\nexit 58\n", "python3.7": "#!/bin/sh\nexit 127\n"}
    copy = f"COPY {' '.join(fakes)} /usr/local/bin/"
    image = ground.image(copy, **fakes)
    assert ground.bake(image, "-t", ground.name(), "--json").json["python"]["path"] == (
        "/usr/bin/python3"
    )
    gone = (
        "import os; [os.remove('/usr/bin/' + n) for n in os.listdir('/usr/bin') if 'python' in n]"
    )
    image = ground.built(
        f"RUN {json.dumps(['/usr/bin/python3', '-c', gone])}",
        copy,
        "COPY os-release /etc/os-release",
        **fakes,
        **{"os-release": 'NAME="A"\nID=mint\nID_LIKE="ubuntu debian"\n'},
    )
    error, hint = ground.bake(image, "-t", "x", code=3).lines
    assert "/usr/local/bin/python3 is 3.5, /usr/local/bin/python3.9 does not run" in error
    assert "/usr/local/bin/python3.8 has no json" in error
    assert "/usr/local/bin/python3.7 does not run" in error
    assert "RUN apt-get update && apt-get install -y --no-install-recommends python3" in hint


def test_an_image_without_anything(ground: Ground) -> None:
    """Of an image without Python, and without a distribution, the error says what to do."""
    image = ground.built("COPY record /record", base="scratch")
    error, hint = ground.bake(image, "-t", "x", code=3).lines
    assert f"no Python 3.6 or later in {image}" in error
    assert "use a base image with Python 3.6 or later" in hint


def test_what_is_refused(ground: Ground) -> None:
    """Before anything is built, with the exit codes of the table."""
    baked = ground.baked(ground.image(), "--env-all")
    error, hint = ground.bake(baked, "-t", "x", code=4).lines
    assert "has the shim already" in error
    assert hint == "hint: bake the image that it was made from"
    assert "no image nope" in ground.bake("nope", "-t", "x", code=3).err
    assert (
        "no template /nope"
        in ground.bake(ground.engine.image, "-t", "x", "--render", "/nope:/x", code=3).err
    )


def test_an_image_keeps_a_name(ground: Ground) -> None:
    """A TAG that is the only name of IMAGE is refused, however it is written; not one of two."""
    image = ground.image()
    before = ground.engine.docker("image", "inspect", "-f", "{{.Id}}", image)
    for name in (image, before):
        for tag in (image, f"docker.io/library/{image}"):
            error, hint = ground.bake(name, "-t", tag, "-t", ground.name(), code=2).lines[-2:]
            assert "would lose its name" in error
            assert "docker tag" in hint
    assert before == ground.engine.docker("image", "inspect", "-f", "{{.Id}}", image)
    other = ground.name()
    ground.engine.docker("tag", image, other)
    ground.bake(other, "-t", image)
    assert before == ground.engine.docker("image", "inspect", "-f", "{{.Id}}", other)
    assert before != ground.engine.docker("image", "inspect", "-f", "{{.Id}}", image)


def test_a_build_that_fails(ground: Ground) -> None:
    """It says which step, and TAG stays what it was."""
    image = ground.image('ONBUILD RUN ["/bin/sh", "-c", "echo why; exit 3"]')
    tag = ground.image()
    before = ground.engine.docker("image", "inspect", "-f", "{{.Id}}", tag)
    done = ground.bake(image, "-t", tag, code=5)
    assert "warning: ONBUILD" in done.err
    assert "the build failed at step 1/" in done.err
    assert done.err.rstrip().endswith("code: 3 why")
    assert before == ground.engine.docker("image", "inspect", "-f", "{{.Id}}", tag)


def test_a_folder_that_is_there(ground: Ground) -> None:
    """The same again changes nothing; what differs stops it; modes do not follow the umask."""
    ground.cli.write("t.conf", "<<db-password>>\n")
    options = ["--render", "t.conf:/etc/t.conf,format=yaml", "--dockerfile", "out"]
    previous = os.umask(0o077)
    try:
        first = ground.bake(ground.engine.image, *options)
        assert first.out == ground.bake(ground.engine.image, *options).out
    finally:
        os.umask(previous)
    out = ground.cli.folder / "out"
    modes = {path: path.stat().st_mode & 0o777 for path in out.rglob("*")}
    assert {0o755} == {mode for path, mode in modes.items() if path.is_dir()}
    assert 0o644 == modes[out / "templates" / "t.conf"] == modes[out / "Dockerfile"]
    assert modes[out / "shim" / "secretkit-entrypoint"] == 0o755
    error = ground.bake(ground.engine.image, *options, "--env", "A=b", code=4).lines[-2]
    assert error.endswith("not overwriting out/Dockerfile")
    assert "A=b" in ground.bake(ground.engine.image, *options, "--env", "A=b", "--force").text
    for name in ("Dockerfile", "shim", "templates", "shim/secretkit_entrypoint"):
        target = (out / name).rename(ground.cli.folder / "elsewhere")
        (out / name).symlink_to(target)
        mode = target.stat().st_mode
        done = ground.bake(ground.engine.image, *options, "--force", code=4)
        assert done.lines[-2].endswith(f"not writing through links, out/{name}")
        assert target.stat().st_mode == mode
        (out / name).unlink()
        target.rename(out / name)

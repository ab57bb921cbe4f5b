"""What is to be built, from the facts of an image: nothing here asks an engine."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from secretkit.delivery.bake import context, dockerfile
from secretkit.delivery.bake import image as image_facts
from secretkit.delivery.bake.image import Python
from secretkit.delivery.bake.options import Option, check, split
from secretkit.delivery.bake.recipe import Recipe, Step, Wish, decide
from secretkit.engines.images import Entry, check_tag
from secretkit.errors import ConflictError, NotFoundError, SecretkitError, UsageError

SHIM = ["/usr/bin/python3", "-ISB", "/opt/secretkit/secretkit-entrypoint"]


def recipe(
    *words: str,
    config: Mapping[str, Any] | None = None,
    table: Mapping[str, Any] | None = None,
    tmpfs: Sequence[str] = (),
    files: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
) -> Recipe:
    """The recipe for an image with these files; `links` are folders that lead elsewhere."""
    told = {"Id": "sha256:1", "Config": config or {}, "Os": "linux", "Architecture": "amd64"}

    def look(path: str) -> Entry | None:
        for link, target in (links or {}).items():
            path = path.replace(link, target, 1) if path.startswith(link) else path
        if path in files:
            return Entry(path, "file", 0o644, 1)
        inside = any(file.startswith(path.rstrip("/") + "/") for file in files)
        return Entry(path, "folder", 0o755, 0) if inside or path == "/" else None

    wish = Wish(tuple(split(words)[1]), table or {}, tuple(tmpfs))
    return decide(image_facts.of("app:1", told), Python("/usr/bin/python3", "3.11"), wish, look)


def links(found: Recipe) -> dict[str, str]:
    """The links that it makes."""
    return dict(step.link for step in found.steps if step.link)


def moved(found: Recipe) -> dict[str, str]:
    """The templates that it moves."""
    return dict(step.moved for step in found.steps if step.moved)


def test_options_of_the_shim_are_told_by_their_names() -> None:
    """They may stand anywhere, with their arguments; what follows `--` is left alone."""
    words = ["-t", "x", "--env", "A=b", "app", "--watch", "--user=app", "--check", "--", "--env"]
    rest, found = split(words)
    assert rest == ["-t", "x", "app", "--check", "--", "--env"]
    assert found == [Option("--env", "A=b"), Option("--watch", None), Option("--user", "app")]
    assert split(["--allow-name", "PATH", "--allow_name", "--allow-names"]) == (
        ["--allow_name", "--allow-names"],
        [Option("--allow-name", "PATH")],
    )


@pytest.mark.parametrize("words", [["--env"], ["--env="], ["--watch=1"]])
def test_arguments_that_are_missing_or_too_many(words: list[str]) -> None:
    """An option without its argument, and a flag with one, are usage errors."""
    with pytest.raises(UsageError, match="argument"):
        split(words)


WRONG = {
    "--env A": "NAME=SECRET",
    "--env-prefix 1": "can begin with --env-prefix '1'",
    "--env 1A=x": "cannot be the name of a variable",
    "--env LD_PRELOAD=x": "is refused",
    "--env A=s3cr!t": "cannot be one: it names a file in the mount",
    "--keystore /x.p12,password=s3cr!t,ca=c": "cannot be one",
    "--render x": "SRC:DEST",
    "--render x:/y,mode=999": "mode 999 is not one",
    "--render x:/y,format=nope": "unknown format",
    "--render x:/y,fromat=yaml": "did you mean format",
    "--keystore /x,password=x,type=foo": "of which type",
    "--keystore /x.p12,key=a,cert=b": "needs a password",
    "--no-env --env A=b": "exclude each other",
    "--on-change restart": "of no use without --watch",
    "--watch --on-change nope": "takes restart",
    "--watch --grace x": "takes seconds",
    "--watch --stop-signal FOO": "names no signal",
    "--cap-drop FOO": "names no capability",
    "--arg x": "--allow-argv",
}


@pytest.mark.parametrize("words", WRONG)
def test_what_the_shim_refuses(words: str) -> None:
    """Options that no start could use are refused in its words, none that may be a value."""
    with pytest.raises(UsageError, match=WRONG[words]) as raised:
        check(split(words.split())[1], {})
    assert "s3cr!t" not in str(raised.value)


def test_a_prefix_is_checked_by_itself() -> None:
    """Of an option and of [entrypoint]; nothing is said of a file that is not the user's."""
    reason = "^no name of a variable can begin with --env-prefix 'X Y'$"
    with pytest.raises(UsageError, match=reason):
        check([Option("--env-prefix", "X Y")], {})
    with pytest.raises(UsageError, match=reason):
        check([], {"env_prefix": "X Y"})
    check([Option("--env-prefix", "x_1")], {"env_prefix": "Y"})


def test_what_the_shim_would_refuse_here_alone() -> None:
    """Secrets, users, folders and templates are those of a container: not looked at."""
    words = "--env A=b --render /no/x.j2:/no/y,owner=nouser --user nouser --require c --watch"
    words += " --keystore /no/x.p12,password=x,key=y,cert=z --secrets-dir /no --fd F=d --stdin e"
    words += " --config /no/config.json --expand-file TOKEN --no-new-privs --cap-drop ALL"
    check(split(words.split())[1], {})


def test_options_beside_the_project() -> None:
    """The two are read together, as at a start; both as config file exclude each other."""
    with pytest.raises(UsageError, match=r"\[entrypoint\]: unknown key nope"):
        check([], {"nope": 1})
    with pytest.raises(UsageError, match="of no use without --watch"):
        check([], {"on_change": "restart"})
    check([Option("--watch", None)], {"on_change": "restart"})
    with pytest.raises(UsageError, match="exclude each other"):
        check([Option("--config", "/x.json")], {"env_all": True})


def test_a_template_of_the_project() -> None:
    """It is copied; its destination, whatever was there, becomes a link to memory."""
    found = recipe("--render", "conf/./a.yaml:/etc/a.yaml,mode=0440", files=["/etc/a.yaml"])
    assert found.templates == ("conf/a.yaml",)
    assert links(found) == {"/etc/a.yaml": "/dev/shm/a.yaml"}
    assert found.steps[0].removed == "/etc/a.yaml"
    argument = "/etc/secretkit/templates/conf/a.yaml:/dev/shm/a.yaml,mode=0440"
    assert found.entrypoint == (*SHIM, "--render", argument, "--")


def test_a_template_of_the_image() -> None:
    """It stays where it is, unless its destination is there; links in paths are followed."""
    found = recipe("--render", "/app/x.tmpl:/app/x", files=["/app/x.tmpl"])
    assert (moved(found), links(found)) == ({}, {"/app/x": "/dev/shm/x"})
    table = {"render": [{"source": "/link/x", "destination": "x", "format": "yaml"}]}
    there = {"WorkingDir": "/app"}
    found = recipe(table=table, config=there, files=["/app/x"], links={"/link": "/app"})
    assert moved(found) == {"/app/x": "/etc/secretkit/originals/app/x"}
    assert links(found) == {"/app/x": "/dev/shm/x"}
    paths = {"source": "/etc/secretkit/originals/app/x", "destination": "/dev/shm/x"}
    assert found.table == {"render": [{**paths, "format": "yaml"}]}
    assert table["render"][0]["source"] == "/link/x"
    with pytest.raises(NotFoundError, match="no template /nope"):
        recipe("--render", "/nope:/x")


def test_destinations_in_memory_stay() -> None:
    """Those in /dev/shm and below --tmpfs, and all of them with --allow-disk."""
    assert links(recipe("--render", "a:/dev/shm/a", "--keystore", "/dev/shm/b,password=x")) == {}
    assert links(recipe("--render", "a:/run/app/a", tmpfs=["/run/app"])) == {}
    assert links(recipe("--render", "a:/dev/shm/sub/a", tmpfs=["/dev/shm/sub/"])) == {}
    assert links(recipe("--render", "a://etc//./a")) == {"/etc/a": "/dev/shm/a"}
    assert links(recipe("--render", "a:/runs/app/a", tmpfs=["/run"])) != {}
    assert links(recipe("--render", "a:/x/a", "--allow-disk")) == {}
    hidden = recipe("--render", "/run/t:/run/app", tmpfs=["/run"], files=["/run/t"])
    assert moved(hidden) == {"/run/t": "/etc/secretkit/originals/run/t"}
    in_place = recipe("--render", "/etc/t:/etc/t", "--allow-disk", files=["/etc/t"])
    assert (moved(in_place), links(in_place)) == ({"/etc/t": "/etc/secretkit/originals/etc/t"}, {})


def test_folders_of_memory_are_empty_at_a_start() -> None:
    """What is below a folder in one is refused; which folder that is, links are followed for."""
    for words, tmpfs in (("a:/run/app/x", "/run"), ("a:/run/app", "/run/app/")):
        with pytest.raises(UsageError, match="is empty when a container starts"):
            recipe("--render", words, tmpfs=[tmpfs])
    linked = {"/var/run": "/run"}
    for words, tmpfs in (("a:/run/app/x", "/var/run/app"), ("a:/var/run/app/x", "/run/app")):
        assert (
            links(recipe("--render", words, tmpfs=[tmpfs], files=["/run/is"], links=linked)) == {}
        )


def test_folders_for_files_on_a_disk() -> None:
    """Those that are missing are made, at the place that links lead to, and can be written to."""
    words = ("--render", "a:/link/x/y/a", "--allow-disk")
    there = {"files": ["/srv/is"], "links": {"/link": "/srv"}}
    (step,) = recipe(*words, **there).steps  # type: ignore[arg-type]
    assert step == Step(folder="/srv/x/y")
    (step,) = recipe(*words, config={"User": "app"}, **there).steps  # type: ignore[arg-type]
    assert step == Step(folder="/srv/x/y", mode=0o1777)
    assert recipe("--render", "a:/srv/a", "--allow-disk", files=["/srv/is"]).steps == ()
    in_the_way = {"files": ["/srv/is"], "links": {"/etc/a": "/srv/is"}}
    (step,) = recipe("--render", "a:/etc/a", "--allow-disk", **in_the_way).steps  # type: ignore[arg-type]
    assert step == Step(folder="/etc", removed="/etc/a")


def test_a_template_that_the_shim_would_not_read() -> None:
    """It is as large as the shim takes them, also one of the image."""
    image = image_facts.of("app:1", {"Id": "sha256:1"})
    wish = Wish((Option("--render", "/big:/x"),))
    python = Python("/usr/bin/python3", "3.11")

    def look(path: str) -> Entry | None:
        return Entry(path, "file", 0o644, (1 << 20) + 1) if path == "/big" else None

    with pytest.raises(UsageError, match="larger than 1 MiB"):
        decide(image, python, wish, look)


def test_names_in_memory_differ() -> None:
    """Each destination has a file of its own; its name keeps the end that tells the format."""
    words = [
        "--render",
        "a:/a/x.yaml",
        "--render",
        "b:/b/x.yaml",
        "--render",
        "c:/dev/shm/b-x.yaml",
    ]
    found = recipe(*words, "--keystore", "/a/b/x.yaml,password=p", "--render", "d:/a-b/x.yaml")
    names = list(links(found).values())
    assert len({*names, "/dev/shm/b-x.yaml"}) == 5
    assert names[0] == "/dev/shm/x.yaml"


def test_the_higher_level_keeps_its_destination() -> None:
    """A destination that an option and [entrypoint] both have stays one."""
    table = {"render": [{"source": "a", "destination": "/x"}]}
    found = recipe("--render", "b:/x", table=table)
    assert found.options[0].argument == "/etc/secretkit/templates/b:/dev/shm/x"
    assert found.table["render"][0]["destination"] == "/dev/shm/x"


@pytest.mark.parametrize(
    ("words", "config", "error"),
    [
        ("--render a:/data/x", {"Volumes": {"/data": {}}}, ConflictError),
        ("", {"Volumes": {"/opt/": {}}}, ConflictError),
        ("", {"Entrypoint": [*SHIM, "--"]}, ConflictError),
        ("", {"User": "app\nRUN id"}, UsageError),
        ("", {"User": "a b"}, UsageError),
        ("", {"Cmd": ["/bin/sh", "-c", f"exec {' '.join(SHIM)} -- x"]}, ConflictError),
        ("--render a:/proc/x", {}, UsageError),
        ("--render a:/dev/x", {}, UsageError),
        ("--render a:/dev/shm/sub/x", {}, UsageError),
        ("--render a:/x/../y", {}, UsageError),
        ("--render a:/x/", {}, UsageError),
        ("--render a:/etc", {}, UsageError),
        ("--render a:/etc/passwd/x", {}, UsageError),
        ("--render a:/etc/passwd/x/y", {}, UsageError),
        ("--render a:/usr/bin/python3", {}, UsageError),
        ("--render a:/bin/python3", {}, UsageError),
        ("--render a:/usr/bin/python3 --allow-disk", {}, UsageError),
        ("--render a:/opt/secretkit/x", {}, UsageError),
        ("--render a:/etc/secretkit/entrypoint.json", {}, UsageError),
        ("--render a:/proc/x --allow-disk", {}, UsageError),
        ("--render a:/etc/passwd", {}, UsageError),
        ("--render a:/etc/resolv.conf --allow-disk", {}, UsageError),
        ("--render a:/run/secrets/x", {}, UsageError),
        ("--render a:/s/x --secrets-dir /s/", {}, UsageError),
        ("--render /run/secrets/t:/x", {}, UsageError),
        ("--render a:/x --render b:x", {}, UsageError),
        ("--render a:/x,format=yaml --render a:/x", {}, UsageError),
        ("--render a:/x --keystore /vl/../x,password=p,ca=c", {}, UsageError),
        ("--render a:/data/sub/x --allow-disk", {"Volumes": {"/data": {}}}, ConflictError),
        ("--render a:/vl/sub/x", {"Volumes": {"/data": {}}}, ConflictError),
        ("--render a:/data/x", {"Volumes": {"/vl": {}}}, ConflictError),
    ],
)
def test_what_cannot_be_baked(
    words: str, config: dict[str, Any], error: type[SecretkitError]
) -> None:
    """Volumes, a shim that is there already, places where no file can be; with what to do."""
    with pytest.raises(error) as raised:
        recipe(
            *words.split(),
            config=config,
            files=["/etc/passwd", "/usr/bin/python3", "/data/is", "/run/secrets/t"],
            links={"/vl": "/data", "/bin": "/usr/bin"},
        )
    assert raised.value.hint


def test_an_option_goes_before_the_project() -> None:
    """As in the shim: what both render to one place is no mistake."""
    table = {"render": [{"source": "a", "destination": "/x"}]}
    assert links(recipe("--render", "b:/x", table=table)) == {"/x": "/dev/shm/x"}
    table["render"] *= 2
    with pytest.raises(UsageError, match="/x is rendered twice"):
        recipe(table=table)


def test_an_argument_has_a_place() -> None:
    """What --arg names stands in ENTRYPOINT or CMD, behind the program; else that is told."""
    words = ("--arg", "a", "--arg", "b", "--allow-argv")
    config = {"Entrypoint": ["<<a>>", "--x=<<b>>"], "Cmd": ["<<c>>"]}
    assert recipe(*words, config=config, table={"arg": ["c", "d"]}).without_place == ["a", "d"]


def test_only_templates_get_into_the_context(tmp_path: Path) -> None:
    """Files of the project: not the store's, not the dev folder's, not from outside."""
    project = tmp_path / "project"
    for folder in (".secretkit", "sub/dev-secrets", "dev", "conf"):
        (project / folder).mkdir(parents=True)
        (project / folder / "file").write_text("x")
    (tmp_path / "file").write_text("x")
    (project / "out").symlink_to("../file")
    (project / "in").symlink_to("dev/file")
    (project / "fine").symlink_to("conf/file")
    (project / "secretkit.toml").write_text('[dev]\nfolder = "dev"\n')
    names = ["conf/file", "fine"]
    assert context.read_templates(project, names) == dict.fromkeys(names, b"x")
    closed = [".secretkit/file", "conf/../.secretkit/file", "sub/dev-secrets/file", "dev/file"]
    for name in (*closed, "../file", "out", "in"):
        with pytest.raises(UsageError, match="cannot be a template"):
            context.read_templates(project, [name])
    with pytest.raises(UsageError, match="cannot be a template"):
        context.read_templates(tmp_path, ["project/dev/file"])
    (project / "circle").symlink_to("circle")
    for name in ("nope", "conf", "circle", "zero\0byte"):
        with pytest.raises(NotFoundError, match="no template"):
            context.read_templates(project, [name])
    (project / "conf" / "file").write_bytes(b"x" * (1 << 20) + b"x")
    with pytest.raises(UsageError, match="larger"):
        context.read_templates(project, ["conf/file"])


def test_user_and_root() -> None:
    """USER is root where it has to be, and what it was afterwards; variables are not replaced."""
    for user in ("", "0", "root", "root:root", "0:5"):
        assert "\nUSER" not in dockerfile.text(recipe(config={"User": user}))
    text = dockerfile.text(recipe(config={"User": r"a$b\c:d"}))
    assert [line for line in text.splitlines() if line.startswith("USER")] == [
        "USER 0",
        r"USER a\$b\\c:d",
    ]


def test_a_dockerfile_is_short_where_there_is_little_to_say() -> None:
    """Without options: the shim, its compilation, ENTRYPOINT; CMD only if there is one."""
    text = dockerfile.text(recipe(config={"Cmd": ["serve"]}))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    shim = ", ".join(f'"{word}"' for word in SHIM)
    assert lines == [
        "FROM app:1",
        "COPY shim /opt/secretkit",
        f'RUN [{shim}, "--compile"]',
        f'ENTRYPOINT [{shim}, "--"]',
        'CMD ["serve"]',
    ]
    assert "CMD" not in dockerfile.text(recipe())


@pytest.mark.parametrize(
    "name",
    ["a", "a:1", "reg.io:5000/a/b_c:V1.2-x", "a/b-c__d", "Reg.io/a", "localhost/a", "a" * 237],
)
def test_names_of_images(name: str) -> None:
    """Names as the engine takes them."""
    check_tag(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "A",
        "a b",
        "a:",
        "a@b",
        "a:b:c",
        "-a",
        "a:-",
        "/a",
        "a/",
        "UPPER/x",
        "a..b/x",
        "reg.io/A",
        "a:\xfc",
        "a" * 238,
        "0" * 64,
    ],
)
def test_names_that_no_image_can_have(name: str) -> None:
    """Refused before anything is built."""
    with pytest.raises(UsageError):
        check_tag(name)


def test_a_tag_or_a_folder() -> None:
    """One of them, and a tag that an image can have: told before the engine is asked."""
    for words, reason in (
        ([], "needs a TAG, or a folder"),
        (["-t", "x", "--dockerfile", "D"], "not both"),
        (["-t", "UPPER/x"], "not a name for an image, UPPER/x"),
        (["-t", "UPPER/x", "--check"], "not a name for an image, UPPER/x"),
    ):
        done = subprocess.run(
            ["secretkit", "bake", "image", *words], capture_output=True, check=False
        )
        assert done.returncode == 2
        assert reason in done.stderr.decode()


def test_the_help_names_the_shims_options() -> None:
    """Where its options are found is said."""
    done = subprocess.run(["secretkit", "bake", "--help"], capture_output=True, check=True)
    assert b"secretkit run --help" in done.stdout

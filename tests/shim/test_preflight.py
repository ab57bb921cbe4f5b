"""--check: every problem at once, with what mends it; and what is likely to hurt. Never a value."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.needs import need_program, need_root
from tests.shim.conftest import NOBODY, Shim

PREFIX = "secretkit-entrypoint: "


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory that everybody can reach."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def report(shim: Shim, *words: str | bytes, **options: object) -> dict:
    """What --check --json says; it must not say anything else."""
    done = shim.run("--check", "--json", *words, **options)
    assert done.stderr == b""
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["ok"] else 125)
    return found


def messages(found: dict, level: str = "warnings") -> list[str]:
    return [finding["message"] for finding in found[level]]


def remedies(found: dict, level: str = "errors") -> list[dict[str, str]]:
    return [finding["remedies"] for finding in found[level]]


def test_all_is_well(every_shim: Shim, secret, tmp_path: Path) -> None:
    """One line on stdout with what was looked at; 0; nothing is started."""
    secret("db-password", b"s3cret\n")
    marker = tmp_path / "started"
    output = every_shim.output("--check", "--", "touch", str(marker))
    assert output == b"checked 1 secret, 1 variable, 0 files: no problem\n"
    assert every_shim.output("--check") == output
    assert not marker.exists()


def test_everything_at_once(every_shim: Shim, secret, tmp_path: Path) -> None:
    """Errors, each with what mends it indented below, then warnings, then the summary; 125."""
    secret("db-password", b"s3cret \n")
    secret("empty", b"\n")
    (tmp_path / "t.yaml").write_text('a: "<<db_password>>"\n')
    done = every_shim.run(
        *("--check", "--env", "A=db-password", "--env", "B=empty", "--env", "C=gone"),
        *("--render", f"{tmp_path}/t.yaml:{tmp_path}/out/x.yaml", "nocommand"),
    )
    mount, folder = every_shim.mount, tmp_path / "out"
    assert done.returncode == 125
    assert done.stderr.decode() == (
        f"""\
{PREFIX}error: secret empty is empty: give it a value, or say --optional empty
    Swarm       docker secret create empty FILE (`-` reads the value from stdin)
    compose     write the value into the file of the secret empty
    Kubernetes  kubectl create secret generic NAME --from-file=empty=FILE
{PREFIX}error: secret gone: no such file in {mount}; give it to the container, or say --optional gone
    docker      docker run -v "$PWD/gone:{mount}/gone:ro"
    Swarm       docker service create --secret source=gone,target={mount}/gone
    compose     secrets: [{{source: gone, target: {mount}/gone}}] of the service, and secrets: {{gone: {{file: ./gone}}}} beside the services
    Kubernetes  volumes: [{{name: secrets, secret: {{secretName: NAME, items: [{{key: gone, path: gone}}]}}}}], volumeMounts: [{{name: secrets, mountPath: {mount}}}]
{PREFIX}error: destination {folder}/x.yaml: the folder {folder} does not exist: create it in the image, or mount a tmpfs there
    docker      docker run --tmpfs {folder}:uid={os.geteuid()},gid={os.getegid()},mode=0700
    Swarm       docker service create --mount type=tmpfs,destination={folder}
    compose     tmpfs: ["{folder}:uid={os.geteuid()},gid={os.getegid()},mode=0700"] of the service
    Kubernetes  volumes: [{{name: rendered, emptyDir: {{medium: Memory}}}}], volumeMounts: [{{name: rendered, mountPath: {folder}}}]
{PREFIX}error: command not found: nocommand in PATH (/usr/bin:/bin)
{PREFIX}warning: secret db-password ends with white space, which is part of the value (one line end at the end is not): write it without
"""  # noqa: E501 - as it is printed
    )
    assert done.stdout == b"checked 2 secrets, 1 variable, 1 file: 4 errors, 1 warning\n"
    assert not folder.exists()


def test_a_start_says_the_same_errors_in_a_line_each(shim: Shim, secret) -> None:
    """What stops a start is what --check reports, without remedies; warnings do not stop it."""
    secret("padded", b"s3cret \n")
    words = ("--env", "A=gone", "--env", "B=gone", "--env", "C=padded", "nocommand")
    assert shim.problems(*words) == messages(report(shim, *words), "errors")
    assert len(shim.problems(*words)) == 2
    assert shim.output("--env", "C=padded", "sh", "-c", "echo started") == b"started\n"


def test_a_remedy_is_told_once(shim: Shim, disk: Path) -> None:
    """Two templates want a secret that is missing: two places, one remedy."""
    for name in "ab":
        (disk / name).write_text("x: 1\n")
    words = ("--no-env", "--require", "gone", "--render", f"{disk}/a:{disk}/1")
    found = report(shim, *words, "--render", f"{disk}/b:{disk}/2", "true")
    kinds = [bool(finding["remedies"]) for finding in found["errors"]]
    assert kinds == [True, True, True]  # the secret, and a destination each
    assert "source=gone" in found["errors"][0]["remedies"]["Swarm"]


BAD = {
    "a byte order mark": b"\xef\xbb\xbfs3cret",
    "begins with white space": b" s3cret",
    "ends with white space": b"s3cret\t\n",
    "ends with white space, ": b"s3cret\n\n",
    "line ends of Windows": b"first s3cret\r\nsecond\r\n",
    "line ends written as": b"-----BEGIN X-----\\ns3cret\\n-----END X-----\n",
    "PEM in base64": b"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==",
    "in quotes": b"'s3cret'\n",
    "is in quotes": b'"s3cret"',
    "its own name and `=`": b"API_KEY=s3cret\n",
}


@pytest.mark.parametrize("phrase", BAD)
def test_a_value_that_will_hurt(shim: Shim, secret, phrase: str) -> None:
    """One warning that says what it is, and never any of it; 0, and 125 with --strict."""
    secret("api-key", BAD[phrase])
    words = ("--env", "KEY=api-key", "true")
    found = report(shim, *words)
    (line,) = messages(found)
    assert line.startswith("secret api-key ")
    assert phrase in line
    assert "s3cret" not in line
    assert found["ok"]
    assert not report(shim, "--strict", *words)["ok"]


@pytest.mark.parametrize(
    "value",
    [
        *(
            "changeme",
            "CHANGE-ME",
            "Change_Me!",
            "password",
            "'admin'",
            "secret\n",
            "TODO",
            "xxxxx",
        ),
        *("<<db_password>>", "<your password>", "${API_KEY}", "{{ api_key }}", "%API_KEY%"),
        *("api-key", "API_KEY", "my <<value>> here", "********", "12345678", "__API_KEY__"),
    ],
)
def test_a_default_is_told_but_not_which(shim: Shim, secret, value: str) -> None:
    """Words of examples, the secret's own name, and what somebody was to replace."""
    secret("api-key", value.encode())
    lines = [line for line in messages(report(shim, "true")) if "default" in line]
    assert lines == [
        "secret api-key looks like a default that nobody has changed: give it a value of its own"
    ]


@pytest.mark.parametrize(
    "name", ["database-password", "user-password", "login-token", "hostname-api-key", "name1"]
)
def test_a_default_under_a_name_that_begins_with_a_user(shim: Shim, secret, name: str) -> None:
    """What a name ends in says what it is: user-password is a password."""
    secret(name, b"changeme")
    (line,) = messages(report(shim, "true"))
    assert line.startswith(f"secret {name} looks like a default")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api-key", b"k8sJ3nd0-aXw="),
        ("api-key", b"a<b>c"),
        ("api-key", b"s3cret\n"),
        ("api-key", b"s3cret\r\n"),
        ("api-key", b"it's 'quoted' inside"),
        ("api-key", b"'a' or 'b'"),
        ("api-key", b"\xff\xfa\xfe binary"),
        ("db-user", b"admin"),
        ("db_name", b"postgres"),
        ("db-host", b"db-host"),
        ("USER", b"user"),
        ("cert", b"-----BEGIN X-----\nabc\n-----END X-----\n\n"),
        ("config", b'{\n  "a": 1\n}\n\n'),
        ("api-key", b"-" * 4000),
    ],
)
def test_a_good_value_is_left_alone(shim: Shim, secret, name: str, value: bytes) -> None:
    """No warning where nothing hurts: a checker that cries wolf is switched off."""
    secret(name, value)
    assert messages(report(shim, "true")) == []


def test_values_outside_the_mount_are_looked_at(shim: Shim, secret, tmp_path: Path) -> None:
    """The file that --expand-file reads, and a secret that a template alone uses."""
    (tmp_path / "pw").write_bytes(b"changeme")
    secret("api-key", b"TODO")
    (tmp_path / "t.yaml").write_text('a: "<<api_key>>"\n')
    words = ("--expand-file", "PW", "--render", f"{tmp_path}/t.yaml:/dev/shm/no-such-file.yaml")
    found = report(shim, *words, "true", env={b"PW_FILE": bytes(tmp_path / "pw")})
    assert [line.split()[1] for line in messages(found)] == [str(tmp_path / "pw"), "api-key"]


def test_secrets_that_nothing_uses(shim: Shim, secret) -> None:
    """Named, once; an error with --strict; --env-all uses them all; a failed use is one, too."""
    for name in ("used", "left", "over"):
        secret(name, b"s3cret")
    (shim.mount / "folder").mkdir()
    words = ("--env", "A=used", "--require", "folder", "true")
    assert messages(report(shim, *words)) == [
        "nothing uses left, over: take from the container what is not needed"
    ]
    (shim.mount / "folder").rmdir()
    assert report(shim, "--env", "A=used", "true")["ok"]
    assert not report(shim, "--env", "A=used", "--strict", "true")["ok"]
    assert report(shim, "--env-all", "--strict", "true") == {
        "errors": [], "warnings": [], "secrets": 3, "variables": 3, "files": 0, "ok": True,
    }  # fmt: skip


def test_an_empty_mount_is_a_warning(shim: Shim) -> None:
    """--env-all over nothing sets nothing, which is hardly meant."""
    (line,) = messages(report(shim, "true"))
    assert line == f"no secrets in {shim.mount}: nothing is set"
    assert messages(report(shim, "--no-env", "true")) == []


def test_unreadable_says_who_and_what_mends_it(open_shim: Shim) -> None:
    """uid, mode, owner; and the ids of this process in the lines to copy."""
    path = open_shim.mount / "a"
    path.write_bytes(b"1")
    path.chmod(0o400)
    found = report(open_shim, "true", **NOBODY)
    assert messages(found, "errors") == [
        f"secret a: uid 65534 cannot read {path} (mode 0400, owner 0:0): give it to this uid, or "
        "mode 0444"
    ]
    (mending,) = remedies(found)
    assert mending == {
        "Swarm": f"docker service create --secret source=a,target={path},uid=65534,gid=65534,"
        "mode=0400",
        "stack": f'secrets: [{{source: a, target: {path}, uid: "65534", gid: "65534", mode: 0400}}]'
        " of the service",
        "compose": "on the host: chown 65534:65534 FILE (a mounted file keeps owner and mode)",
        "Kubernetes": "securityContext: {fsGroup: 65534} of the pod, and secret: {secretName: "
        "NAME, defaultMode: 0440} of the volume",
    }
    in_a_pod = {b"KUBERNETES_SERVICE_HOST": b"10.0.0.1"}
    (mending,) = remedies(report(open_shim, "true", env=in_a_pod, **NOBODY))
    assert list(mending) == ["Kubernetes"]


def test_a_folder_in_place_of_a_secret(shim: Shim, secret) -> None:
    """What a bind mount makes of a file that is missing on the host; or a mount of its own."""
    (shim.mount / "a").mkdir()
    (mending,) = remedies(report(shim, "--env", "A=a", "true"))
    assert "the file to mount is missing on the host" in mending["compose"]
    secret("a/b", b"1")
    (mending,) = remedies(report(shim, "--env", "A=a", "true"))
    assert mending == {"found": f"a mount of its own? --secrets-dir {shim.mount}/a"}


def test_secrets_in_another_place_are_found(open_shim: Shim, tmp_path: Path) -> None:
    """A mistyped mount, or one of Kubernetes anywhere: --check names the folder with secrets."""
    where = tempfile.mkdtemp(dir="/dev/shm")
    script = (
        f"mount -t tmpfs tmpfs {where} && mkdir {where}/..1 && echo 1 > {where}/..1/api-key && "
        f'ln -s ..1 {where}/..data && ln -s ..data/api-key {where}/api-key && exec "$@"'
    )
    start = [need_program("unshare"), "--mount", "sh", "-c", script, "sh"]

    def check(*words: str) -> dict:
        argv = [*start, *open_shim.argv("--check", "--json", *words)]
        done = subprocess.run(argv, env=open_shim.environ, capture_output=True, check=False)
        assert done.stderr == b""
        return json.loads(done.stdout)

    try:
        hint = {"found": f"it is in {where}: --secrets-dir {where}"}
        assert remedies(check("--env", "A=api-key", "true")) == [hint]
        hint = {"found": f"1 secret in {where}: --secrets-dir {where}"}
        assert remedies(check("true"), "warnings") == [hint]
        open_shim.mount = Path("/run/secretz")
        assert remedies(check("true")) == [hint]
        open_shim.mount = Path(where)
        assert messages(check("true"), "errors") == []
    finally:
        os.rmdir(where)


def test_two_missing_secrets_are_given_by_one_line(shim: Shim) -> None:
    """Two volumes of one name at one place are refused; and a file has each key once."""
    words = ("--env", "A=api-key", "--env", "B=db#/user", "--env", "C=$1", "true")
    first, *rest = remedies(report(shim, *words))
    assert rest == [{}, {}]
    keys = "{key: api-key, path: api-key}, {key: db, path: db}"
    assert first["Kubernetes"] == (
        f"volumes: [{{name: secrets, secret: {{secretName: NAME, items: [{keys}]}}}}], "
        f"volumeMounts: [{{name: secrets, mountPath: {shim.mount}}}]"
    )
    assert first["docker"].count(" -v ") == first["Swarm"].count(" --secret ") == 2
    # Where Kubernetes has mounted one already, a second one cannot be.
    (shim.mount / "..1").mkdir()
    (shim.mount / "..data").symlink_to("..1")
    found, *_ = remedies(report(shim, *words))
    assert found["Kubernetes"] == (
        f"api-key, db in the Secret that is mounted at {shim.mount}; if its volume lists items, "
        f"add {keys}"
    )
    (shim.mount / "..data").unlink()
    (shim.mount / "..1").rmdir()
    shim.mount.rmdir()
    assert remedies(report(shim, *words))[0] == first


def test_no_volume_fits_over_the_service_account(shim: Shim) -> None:
    """In a pod /run/secrets has a mount of its own below it, so another folder is needed."""
    need_root()
    script = (
        "mount -t tmpfs tmpfs /run && mkdir -p /run/secrets/kubernetes.io/serviceaccount && "
        'exec "$@"'
    )
    start = [need_program("unshare"), "--mount", "sh", "-c", script, "sh"]
    for mount in ("/run/secrets", "/run/../run/secrets"):
        shim.mount = Path(mount)
        argv = [*start, *shim.argv("--check", "--json", "--env", "A=api-key", "true")]
        done = subprocess.run(argv, env=shim.environ, capture_output=True, check=False)
        (mending,) = remedies(json.loads(done.stdout))
        assert mending["Swarm"].endswith("source=api-key,target=api-key")
        assert mending["Kubernetes"] == (
            "volumes: [{name: secrets, secret: {secretName: NAME, items: [{key: api-key, path: "
            "api-key}]}}], volumeMounts: [{name: secrets, mountPath: /secrets}], and --secrets-dir "
            "/secrets"
        )


def test_a_value_that_no_variable_can_hold(shim: Shim, secret) -> None:
    """Too long, or with a NUL: a descriptor holds it, for the programs that know NAME_FILE."""
    secret("big", b"x" * 200_000)
    secret("nul", b"\0")
    found = report(shim, "--env", "BIG=big", "--env", "NUL=nul", "sh")
    assert remedies(found) == [
        {"file": f"--fd {name}_FILE={name.lower()}, if COMMAND takes {name}_FILE for {name}"}
        for name in ("BIG", "NUL")
    ]
    script = 'wc -c "$BIG_FILE" "$NUL_FILE" | sed -n "s/^ *\\([0-9]*\\).*/\\1/p"'
    words = ("--fd", "BIG_FILE=big", "--fd", "NUL_FILE=nul", "sh", "-c", script)
    assert shim.output(*words).split() == [b"200000", b"1", b"200001"]


def test_a_template_s_problem_is_taught_as_well(shim: Shim, secret, tmp_path: Path) -> None:
    """The line has a place in the template in front; what mends it is the same."""
    secret("api-key", b"")
    (tmp_path / "t.yaml").write_text('a: "<<api_key>>"\n')
    spec = f"{tmp_path}/t.yaml:/dev/shm/no-such-file.yaml"
    first = report(shim, "--render", spec, "sh")["errors"][0]
    assert first["message"].startswith(f"{tmp_path}/t.yaml:1:5: secret api-key is empty: ")
    assert "docker secret create api-key" in first["remedies"]["Swarm"]


def test_systemd_credentials(shim: Shim) -> None:
    """Where the mount is systemd's, the remedy is a line of the unit."""
    env = {b"CREDENTIALS_DIRECTORY": bytes(shim.mount)}
    (mending,) = remedies(report(shim, "--env", "A=api-key", "true", env=env))
    assert mending == {"systemd": "LoadCredential=api-key:/path/to/api-key"}
    words = ("--env", "A=api-key", "--env", "B=db", "true")
    assert [each["systemd"][-3:] for each in remedies(report(shim, *words, env=env))] == [
        "key",
        "/db",
    ]


def test_a_destination_in_a_folder_with_other_files(shim: Shim, disk: Path) -> None:
    """A tmpfs would hide them: a link in the image is what helps."""
    (disk / "t").write_text("x\n")
    (mending,) = remedies(report(shim, "--render", f"{disk}/t:{disk}/app.conf", "true"))
    link = f"ln -s /dev/shm/app.conf {disk}/app.conf, and render to /dev/shm/app.conf"
    assert mending == {"image": link}


def test_a_destination_among_the_secrets(shim: Shim, disk: Path) -> None:
    """Neither a tmpfs nor a link can be put there."""
    (disk / "t").write_text("x\n")
    (disk / "secrets").mkdir()
    shim.mount = disk / "secrets"
    words = ("--no-env", "--render", f"{disk}/t:{disk}/secrets/x.yaml", "true")
    (mending,) = remedies(report(shim, *words))
    assert mending == {
        "option": "render to another folder, such as /dev/shm/x.yaml: this has the secrets"
    }


def test_a_shared_memory_that_is_none(shim: Shim, disk: Path) -> None:
    """A disk at /dev/shm, with files in it: the tmpfs stays everybody's."""
    need_root()
    (disk / "t").write_text("x\n")
    command = shim.argv("--check", "--json", "--no-env", "--render", f"{disk}/t:/dev/shm/x", "true")
    script = f'mount --bind {disk} /dev/shm && exec "$@"'
    argv = [need_program("unshare"), "--mount", "sh", "-c", script, "sh", *command]
    done = subprocess.run(argv, env=shim.environ, capture_output=True, check=False)
    (mending,) = remedies(json.loads(done.stdout))
    assert mending["docker"] == "docker run --tmpfs /dev/shm:mode=1777"
    assert mending["compose"] == 'tmpfs: ["/dev/shm:mode=1777"] of the service'


def test_what_everybody_could_read(shim: Shim, secret, memory: Path, tmp_path: Path) -> None:
    """A mode for others is a warning where there is a secret in the file."""
    secret("pw", b"s3cret")
    (tmp_path / "t").write_text("<<pw>>\n")
    (tmp_path / "plain").write_text("x\n")
    for mode, found in (("0444", 1), ("0622", 1), ("0777", 1), ("0440", 0), ("0711", 0)):
        lines = messages(report(shim, "--render", f"{tmp_path}/t:{memory}/x,mode={mode}", "true"))
        assert lines == found * [
            f"destination {memory}/x: mode {mode} is for every user: take 0400, or 0440 and a "
            "group (owner=U:G)"
        ]
    words = ("--env", "A=pw", "--render", f"{tmp_path}/plain:{memory}/x,mode=0444")
    assert messages(report(shim, *words, "true")) == []


def test_an_empty_secret_that_becomes_a_variable(shim: Shim, secret) -> None:
    """--env-all takes what there is, also what is empty; --optional says that it may be."""
    secret("api-key", b"\n")
    found = report(shim, "true")
    assert messages(found) == [
        "secret api-key is empty: give it a value, or say --optional api-key"
    ]
    assert "docker secret create api-key" in found["warnings"][0]["remedies"]["Swarm"]
    assert messages(report(shim, "--env-all", "--optional", "api-key", "true")) == []


def test_what_the_user_will_not_be_able_to_read(shim: Shim, memory: Path, tmp_path: Path) -> None:
    """Owner and mode of a destination, and the folders above it, against the user of --user."""
    need_root()
    (tmp_path / "t").write_text("x\n")
    destination = f"{tmp_path}/t:{memory}/x"
    words = ("--user", "65534:65534", "--render")
    assert messages(report(shim, *words, destination, "true")) == []
    assert messages(report(shim, *words, f"{destination},owner=0:65534,mode=0440", "true")) == []
    assert messages(report(shim, *words, f"{destination},owner=0:0", "true")) == [
        f"destination {memory}/x: uid 65534 will not be able to read it (mode 0400, owner 0:0): "
        "give it that owner, or a mode such as 0440"
    ]
    memory.chmod(0o700)
    found = report(shim, *words, destination, "true")
    assert messages(found) == [
        f"destination {memory}/x: uid 65534 will not be able to reach it: it may not search "
        f"{memory} (mode 0700, owner 0:0)"
    ]
    assert found["warnings"][0]["remedies"]["docker"] == (
        f"docker run --tmpfs {memory}:uid=65534,gid=65534,mode=0700"
    )
    assert messages(report(shim, "--user", "root", "--render", destination, "true")) == []


def test_a_destination_that_is_a_mount(shim: Shim, memory: Path, tmp_path: Path) -> None:
    """A file that is mounted cannot be replaced, which a start notices only when it writes."""
    need_root()
    (tmp_path / "t").write_text("x\n")
    (memory / "x").write_text("")
    script = f'mount --bind {tmp_path}/t {memory}/x && exec "$@"'
    for words in ((), ("--check",)):
        command = shim.argv(*words, "--render", f"{tmp_path}/t:{memory}/x", "true")
        argv = [need_program("unshare"), "--mount", "sh", "-c", script, "sh", *command]
        done = subprocess.run(argv, env=shim.environ, capture_output=True, check=False)
        assert done.returncode == 125
        assert done.stderr.decode() == (
            f"{PREFIX}error: destination {memory}/x: it is itself a mount, which cannot be "
            "replaced: mount its folder instead\n"
        )


def test_what_root_may_not_do_is_known_before(shim: Shim, memory: Path, tmp_path: Path) -> None:
    """Without SETUID, SETGID and CHOWN, as in a container: both errors, those of the start."""
    need_root()
    (tmp_path / "t").write_text("x\n")
    words = ("--user", "65534:65534", "--render", f"{tmp_path}/t:{memory}/x", "true")
    become = (
        f"{PREFIX}error: cannot become uid 65534, gid 65534: root lacks the capabilities SETUID "
        "and SETGID (docker run --cap-add)\n"
    )
    give = (
        f"{PREFIX}error: destination {memory}/x: only root, with the capability CHOWN, can give it "
        "to owner 65534:65534\n"
    )

    def said(lacking: str, *action: str) -> str:
        argv = [need_program("setpriv"), "--bounding-set", lacking, *shim.argv(*action, *words)]
        done = subprocess.run(argv, env=shim.environ, capture_output=True, check=False)
        assert done.returncode == 125
        return done.stderr.decode()

    assert said("-setuid,-setgid,-chown", "--check") == become + give
    assert said("-setuid,-setgid,-chown") == become
    assert said("-chown") == said("-chown", "--check") == give
    assert list(memory.iterdir()) == []


def test_without_proc(shim: Shim, memory: Path, tmp_path: Path) -> None:
    """What only /proc tells is not guessed: a start that works has no error, a tmpfs is unknown."""
    need_root()
    (tmp_path / "t").write_text("x\n")

    def run(*words: str) -> subprocess.CompletedProcess[bytes]:
        script = 'mount -t tmpfs tmpfs /proc && exec "$@"'
        command = shim.argv(*words, "--render", f"{tmp_path}/t:{memory}/x", "echo", "ok")
        argv = [need_program("unshare"), "--mount", "sh", "-c", script, "sh", *command]
        return subprocess.run(argv, env=shim.environ, capture_output=True, check=False)

    assert run("--allow-disk").stdout == b"ok\n"
    assert run("--allow-disk", "--check").stdout.endswith(b" 1 file: no problem\n")
    line = (
        f"{PREFIX}error: destination {memory}/x: whether it is on a tmpfs cannot be told without "
        "/proc/self/mountinfo: mount /proc, or permit a disk with --allow-disk\n"
    )
    assert run().stderr.decode() == run("--check").stderr.decode() == line


def test_a_command_that_will_not_run(open_shim: Shim, shim: Shim, tmp_path: Path) -> None:
    """No permission for the user; an interpreter that is missing; the line ends of Windows."""
    tool = open_shim.mount / "tool"
    tool.write_bytes(b"#!/no/such/sh\r\n")
    tool.chmod(0o700)
    words = ("--no-env", "--user", "65534:65534", str(tool))
    assert messages(report(open_shim, *words), "errors") == [
        f"cannot execute {tool}: permission denied to uid 65534, gid 65534",
        f"cannot execute {tool}: its first line ends as in Windows (CR LF), which no kernel reads: "
        "convert it (tr -d '\\r')",
    ]
    tool.write_bytes(b"#!\t/no/such/sh -e\n")
    tool.chmod(0o755)
    assert messages(report(open_shim, *words), "errors") == [
        f"cannot execute {tool}: its first line names /no/such/sh, which does not exist"
    ]
    tool.write_bytes(b"#! /bin/sh -e\n")
    assert messages(report(open_shim, *words), "errors") == []


def test_remedies_can_be_pasted(shim: Shim, tmp_path: Path) -> None:
    """What a shell would take apart is not in a line that is there to be copied, or in quotes."""
    (shim.mount / "$(reboot)").mkdir()
    (shim.mount / "$(reboot)" / "x").touch()
    (tmp_path / "t").write_text("x\n")

    def lines(folder: str) -> dict[str, str]:
        words = ("--env", "A=$(reboot)", "--render", f"{tmp_path}/t:{tmp_path}/{folder}/x", "true")
        secret, destination = remedies(report(shim, *words))
        assert secret == {"found": "a mount of its own? --secrets-dir PATH"}
        return destination

    assert lines("$(reboot)")["Swarm"] == (
        "docker service create --mount type=tmpfs,destination=PATH"
    )
    folder, found = f"{tmp_path}/my app", lines("my app")
    ids = f"uid={os.geteuid()},gid={os.getegid()},mode=0700"
    assert shlex.split(found["docker"])[2:] == ["--tmpfs", f"{folder}:{ids}"]
    assert shlex.split(found["Swarm"])[4:] == [f"type=tmpfs,destination={folder}"]
    pod = yaml.safe_load(found["Kubernetes"].partition("volumeMounts: ")[2])
    assert pod == [{"name": "rendered", "mountPath": folder}]
    shim.mount = tmp_path / "my secrets"
    (found,) = remedies(report(shim, "--env", "A=api-key", "true"))
    path = f"{shim.mount}/api-key"
    assert shlex.split(found["docker"])[2:] == ["-v", f"$PWD/api-key:{path}:ro"]
    assert shlex.split(found["Swarm"])[4:] == [f"source=api-key,target={path}"]
    service = yaml.safe_load(found["compose"].partition(" of the service")[0])
    assert service == {"secrets": [{"source": "api-key", "target": path}]}
    # The working folder is gone, so nobody knows where this is.
    shim.mount = Path("secrets")
    command = shim.argv("--check", "--json", "--env", "A=api-key", "true")
    argv = [
        "sh",
        "-c",
        'mkdir "$0/x" && cd "$0/x" && rmdir "$0/x" && exec "$@"',
        tmp_path,
        *command,
    ]
    done = subprocess.run(argv, env=shim.environ, capture_output=True, check=False)
    (found,) = remedies(json.loads(done.stdout))
    assert found["Swarm"] == "docker service create --secret source=api-key,target=PATH/api-key"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--check", "--explain"), "--check and --explain exclude each other"),
        (("--compile", "--check"), "--compile and --check exclude each other"),
        (("--json", "true"), "--json belongs to --check"),
        (("--explain", "--json"), "--json belongs to --check"),
    ],
)
def test_one_action_at_a_time(shim: Shim, words: tuple[str, ...], line: str) -> None:
    """--explain and --check answer different questions; neither is silently left out."""
    assert shim.problems(*words) == [line]


def test_strange_names_stay_on_their_line(shim: Shim, secret) -> None:
    """A name with a newline, one that is no UTF-8, one with braces: text and JSON stay whole."""
    for name in ("a\nb", os.fsdecode(b"\xff\xfe"), "{x}%s"):
        secret(name, b"changeme")
    done = shim.run("--check", "true")
    assert all(line.startswith((PREFIX, "    ")) for line in done.stderr.decode().splitlines())
    found = report(shim, "true")
    assert len(found["errors"]) + len(found["warnings"]) == len(done.stderr.splitlines())
    assert b"changeme" not in done.stderr + done.stdout


def test_a_template_in_the_other_syntax(shim: Shim, secret, tmp_path: Path) -> None:
    """What names a secret and is copied as it is; other text of that kind is not told."""
    secret("db-password", b"s3cret")
    other = ("{{ nope }} ${{ x.y }} {{ a b }}", "{# <<nope>> #}{{ db_password }} << x >> <<EOF\n")
    plain = '<<db-password>>\n  {{ db_password|url }} {{ secrets["db-password"] }} {{'
    for name, text in {"t": f"{plain} {other[0]}", "t.j2": f"<<db-password>> {other[1]}"}.items():
        (tmp_path / name).write_text(text)
    renders = (f"--render={tmp_path}/{name}:/dev/shm/x{name}" for name in ("t", "t.j2"))
    said = "is copied as it is, as this is no Jinja2: write"
    end = "or let the template's name end in .j2"
    assert messages(report(shim, *renders, "true")) == [
        f"{tmp_path}/t:2:3: {{{{ db_password }}}} {said} <<db_password>>, {end}",
        f"{tmp_path}/t:2:25: {{{{ db-password }}}} {said} <<db-password>>, {end}",
        f"{tmp_path}/t.j2:1:1: <<db-password>> is copied as it is in Jinja2: write "
        "{{ db_password }}",
    ]

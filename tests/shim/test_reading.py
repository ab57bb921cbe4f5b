"""Reading secrets: regular files inside the mount, at most 1 MiB, never waiting."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.needs import need_root
from tests.shim.conftest import NOBODY, Shim

MIB = 1 << 20


def test_exactly_one_newline_is_dropped(every_shim: Shim, secret) -> None:
    r"""One trailing \n or \r\n goes; every other byte of the file stays."""
    files = {
        b"x\n": b"x",
        b"x\r\n": b"x",
        b"x\n\n": b"x\n",
        b"x\r": b"x\r",
        b" x \t": b" x \t",
        b"\n": b"",
        b"\r\n": b"",
        b"": b"",
        b"\r\n\r\n": b"\r\n",
    }
    for number, content in enumerate(files):
        secret(f"v{number}", content)
    expected = {b"V%d" % number: value for number, value in enumerate(files.values())}
    assert every_shim.variables() == expected


@pytest.mark.parametrize("kind", ["FIFO", "directory"])
@pytest.mark.parametrize("words", [("--env", "A=odd"), ("--env-all",), ("--require", "odd")])
def test_only_regular_files_are_read(every_shim: Shim, mount: Path, kind: str, words) -> None:
    """A FIFO does not block and a directory is no value: both are named and refused."""
    path = mount / "odd"
    if kind == "FIFO":
        os.mkfifo(path)
    else:
        path.mkdir()
    line = f"secret odd: {path} is a {kind}: only regular files are read"
    assert set(every_shim.problems(*words, "true")) == {line}


def test_a_socket_is_refused(shim: Shim, mount: Path, monkeypatch) -> None:
    """A socket cannot even be opened."""
    monkeypatch.chdir(mount)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("odd")
    lines = shim.problems("true")
    assert lines == [f"secret odd: cannot read {mount / 'odd'}: No such device or address"]


def test_a_pod_s_own_folder_is_no_secret(shim: Shim, secret, mount: Path) -> None:
    """Kubernetes puts its token below /run/secrets in every pod: --env-all passes over it."""
    (mount / "kubernetes.io" / "serviceaccount").mkdir(parents=True)
    secret("a", b"1")
    assert shim.variables() == {b"A": b"1"}
    secret("kubernetes.io/serviceaccount/token", b"t")
    (mount / "other").mkdir()
    assert len(shim.problems("true")) == 1


@pytest.mark.parametrize("optional", [False, True])
def test_a_dangling_link_is_an_error(shim: Shim, mount: Path, optional: bool) -> None:
    """A link to nothing says so, and is not taken for a secret that is missing."""
    (mount / "a").symlink_to("nowhere")
    words = ("--optional", "a") if optional else ()
    lines = shim.problems("--env", "A=a", *words, "true")
    assert lines == [
        f"secret a: {mount / 'a'} is a dangling link: what it points to (nowhere) does not exist"
    ]


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside", "/dev/null", "loop"])
def test_a_link_must_stay_in_the_mount(every_shim: Shim, mount: Path, target: str) -> None:
    """A link that leads out of the mount is not read, whatever it leads to."""
    (mount.parent / "outside").write_bytes(b"outside")
    (mount / "loop").symlink_to(target)
    lines = every_shim.problems("--env", "A=loop", "true")
    if target == "loop":
        assert lines == [
            f"secret loop: cannot read {mount / 'loop'}: Too many levels of symbolic links"
        ]
    else:
        assert lines == [
            f"secret loop: {mount / 'loop'} is a link that leaves the mount (to "
            f"{(mount / 'loop').resolve()}); put the file itself there"
        ]


def test_a_kubernetes_mount_is_read(every_shim: Shim, mount: Path) -> None:
    """key → ..data/key → ..timestamp/key: links inside the mount are followed, `..` is skipped."""
    for number, version in enumerate((b"one", b"two")):
        stamp = mount / f"..2024_0{number}"
        stamp.mkdir()
        (stamp / "db-password").write_bytes(version)
        staged = mount / "..data_tmp"
        staged.symlink_to(stamp.name)
        staged.rename(mount / "..data")
        if not number:
            (mount / "db-password").symlink_to("..data/db-password")
        assert every_shim.variables() == {b"DB_PASSWORD": version}


def test_a_mount_may_itself_be_a_link(shim: Shim, mount: Path, secret, tmp_path: Path) -> None:
    """A dev folder is a link to a tmpfs, and its Kubernetes layout is inside all the same."""
    (mount / "..data").mkdir()
    (mount / "..data" / "a").write_bytes(b"1")
    (mount / "a").symlink_to("..data/a")
    secret("b", b"2")
    (tmp_path / "dev-secrets").symlink_to(mount)
    shim.mount = tmp_path / "dev-secrets"
    assert shim.variables() == {b"A": b"1", b"B": b"2"}


def test_unreadable_names_uid_mode_and_remedy(open_shim: Shim) -> None:
    """A secret that another uid may not read: who reads, what the mode is, what to do."""
    path = open_shim.mount / "a"
    path.write_bytes(b"1")
    path.chmod(0o400)
    lines = open_shim.problems("true", **NOBODY)
    assert lines == [
        f"secret a: uid 65534 cannot read {path} (mode 0400, owner 0:0): give it to this uid, or "
        "mode 0444"
    ]
    open_shim.mount.chmod(0o700)
    (line,) = open_shim.problems("true", **NOBODY)
    assert line.startswith(f"cannot list the secrets in {open_shim.mount}: Permission denied; ")
    (line,) = open_shim.problems("--env", "A=a", "true", **NOBODY)
    assert line.startswith(f"secret a: uid 65534 cannot reach {path}: ")


def test_a_file_may_have_1_mib_and_no_more(shim: Shim, secret) -> None:
    """1 048 576 bytes are read, one more is refused; both before any variable's limit."""
    secret("most", b"x" * MIB)
    path = secret("more", b"x" * (MIB + 1))
    assert shim.output("--no-env", "--require", "most", "true") == b""
    assert shim.problems("--no-env", "--require", "more", "true") == [
        f"secret more: {path} is larger than 1 MiB, the most that is read"
    ]


def test_what_is_missing_is_named_with_the_nearest(shim: Shim, secret, mount: Path) -> None:
    """A secret that is not there: the folder, the nearest name, and --optional."""
    secret("db-password", b"1")
    assert shim.problems("--env", "A=db_password", "true") == [
        f"secret db_password: no such file in {mount} (did you mean db-password?); give it to the "
        "container, or say --optional db_password"
    ]


def test_what_is_required_must_not_be_empty(shim: Shim, secret) -> None:
    """Named by --env or --require: there and not empty. --optional lifts both."""
    secret("empty", b"\n")
    line = "secret empty is empty: give it a value, or say --optional empty"
    assert shim.problems("--env", "A=empty", "true") == [line]
    assert shim.problems("--no-env", "--require", "empty", "true") == [line]
    words = ("--env", "A=empty", "--env", "B=gone", "--optional", "empty", "--optional", "gone")
    assert shim.variables(*words) == {b"A": b""}


def test_a_folder_that_is_missing_says_what_to_do(shim: Shim, mount: Path) -> None:
    """No mount: an error by default, none if no secret is asked for."""
    mount.rmdir()
    line = (
        f"cannot list the secrets in {mount}: No such file or directory; give the container its "
        "secrets there, name another folder with --secrets-dir, or use --no-env"
    )
    assert shim.problems("true") == [line]
    assert shim.problems("--env", "A=a", "true") == [line]
    assert shim.variables("--no-env") == {}
    assert shim.variables("--env", "A=a", "--optional", "a") == {}


@pytest.mark.parametrize(
    "name", ["../outside", "sub/a", "..data", ".", "s3cr3t/value==", "s3cret!", "x" * 65]
)
def test_what_cannot_be_a_name_is_not_echoed(shim: Shim, mount: Path, name: str) -> None:
    """A name that leaves the mount is refused; a value given in its place is not repeated."""
    assert shim.problems("--env", f"A={name}", "true") == [
        "what is given as the name of a secret cannot be one: it names a file in "
        f"{mount} (letters, digits, `-`, `_` and `.`, at most 64, not starting with `..`)"
    ]


def test_the_mount_is_swarm_s_or_else_systemd_s(shim: Shim, secret, mount: Path) -> None:
    """Without --secrets-dir: /run/secrets, or $CREDENTIALS_DIRECTORY where that is missing."""
    if Path("/run/secrets").exists():
        pytest.skip("this machine has /run/secrets")
    secret("a", b"1")
    credentials = {b"CREDENTIALS_DIRECTORY": os.fsencode(mount)}
    argv = [word for word in shim.argv("env") if word not in ("--secrets-dir", str(mount))]
    shim.argv = lambda *words: [*argv[:3], *words]
    assert shim.variables(env=credentials) == {b"A": b"1", **credentials}
    (line,) = shim.problems("true")
    assert line.startswith("cannot list the secrets in /run/secrets: ")


def test_a_device_is_refused(shim: Shim, mount: Path) -> None:
    """A device node in the mount is opened without waiting and not read."""
    need_root()
    try:
        os.mknod(mount / "odd", 0o020444, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("may not make device nodes here")
    path = mount / "odd"
    assert shim.problems("true") == [
        f"secret odd: {path} is a character device: only regular files are read"
    ]

"""What COMMAND may not do any more: --user, --cap-drop, --no-new-privs, as the kernel tells it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from secretkit.delivery.shim import export
from tests.engine import Engine, engine
from tests.needs import need_program, need_root
from tests.shim.conftest import NOBODY, Shim, status_of

__all__ = ["engine"]

OWN = ("CapEff", "CapPrm", "CapInh", "CapAmb")
STATUS = ("--", "cat", "/proc/self/status")
HEADER = Path("/usr/include/linux/capability.h")


def sets(status: bytes) -> dict[str, int]:
    """The capability sets that /proc/self/status tells, as masks."""
    return {name: int(value, 16) for name, value in status_of(status).items() if name[:3] == "Cap"}


def bits(*numbers: int) -> int:
    return sum(1 << number for number in numbers)


def test_no_new_privs_is_set_and_nothing_else_changes(every_shim: Shim) -> None:
    """--no-new-privs: the kernel has the flag; without it, it has not."""
    need_root()
    before = every_shim.output("--no-env", *STATUS)
    after = every_shim.output("--no-env", "--no-new-privs", *STATUS)
    assert (status_of(before)["NoNewPrivs"], status_of(after)["NoNewPrivs"]) == ("0", "1")
    assert sets(before) == sets(after)


def test_capabilities_go_from_every_set_and_the_others_stay(every_shim: Shim) -> None:
    """--cap-drop by name, in any case, with or without CAP_: root lacks exactly these."""
    need_root()
    before = sets(every_shim.output("--no-env", *STATUS))
    words = ("--cap-drop", "net_raw", "--cap-drop", "CAP_SYS_ADMIN")
    after = sets(every_shim.output("--no-env", *words, *STATUS))
    gone = bits(13, 21)
    assert before["CapBnd"] & gone == before["CapEff"] & gone == gone
    assert after == {name: held & ~gone for name, held in before.items()}


@pytest.mark.parametrize("user", [(), ("--user", "root"), ("--user", "65534:65534")])
def test_all_leaves_nothing_in_any_set(every_shim: Shim, user: tuple[str, ...]) -> None:
    """--cap-drop ALL, as root and as another user: all five sets are empty."""
    need_root()
    words = ("--no-env", "--cap-drop", "ALL", "--no-new-privs", *user)
    status = every_shim.output(*words, *STATUS)
    assert set(sets(status).values()) == {0}
    assert status_of(status)["NoNewPrivs"] == "1"


def test_what_was_dropped_does_not_come_back(shim: Shim) -> None:
    """A child of root that has lost its capabilities cannot do what they permit."""
    need_root()
    script = "chown 1:1 /proc/self/attr 2>/dev/null; mknod /dev/shm/secretkit-test c 1 3"
    done = shim.run("--no-env", "--cap-drop", "ALL", "sh", "-c", f"sh -c '{script}'")
    assert done.returncode == 1
    assert b"not permitted" in done.stderr


@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("--inh-caps", "+net_raw,+setuid"),
        ("--securebits", "+no_setuid_fixup"),
        ("--securebits", "+keep_caps_locked"),
    ],
)
def test_user_loses_what_the_kernel_would_leave(every_shim: Shim, option: str, given: str) -> None:
    """Inheritable capabilities, and securebits by which a change of uid keeps them: all is gone."""
    need_root()
    command = every_shim.argv("--no-env", "--user", "65534:65534", *STATUS)
    argv = [need_program("setpriv"), option, given, *command]
    done = subprocess.run(argv, env=every_shim.environ, capture_output=True, check=False)
    assert done.stderr == b""
    status = status_of(done.stdout)
    assert status["Uid"].split() == ["65534"] * 4
    assert {name: int(status[name], 16) for name in OWN} == dict.fromkeys(OWN, 0)


def test_ambient_capabilities_of_the_user_itself_go_too(open_shim: Shim) -> None:
    """Who is the user of --user already, with ambient capabilities, keeps none of them."""
    start = [need_program("setpriv"), "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    start += ["--inh-caps", "+net_raw", "--ambient-caps", "+net_raw"]
    for user, expected in (((), 1 << 13), (("--user", "65534:65534"), 0)):
        argv = [*start, *open_shim.argv("--no-env", *user, *STATUS)]
        done = subprocess.run(argv, env=open_shim.environ, capture_output=True, check=True)
        held = sets(done.stdout)
        assert {held[name] for name in OWN} == {expected}


def test_without_setpcap_it_is_refused_before_anything_is_written(
    open_shim: Shim, tmp_path: Path
) -> None:
    """A user cannot shrink what its children may get back: refused, with the engine's options."""
    words = ("--no-env", "--cap-drop", "NET_RAW", "true")
    assert open_shim.problems(*words, **NOBODY) == [
        "--cap-drop: uid 65534 lacks the capability SETPCAP, without which its children could get "
        "others back: start as a root that has it (with --user), or leave it to the engine (docker "
        "run --cap-drop, compose cap_drop, Kubernetes capabilities.drop)"
    ]
    flag = open_shim.output("--no-env", "--no-new-privs", *STATUS, **NOBODY)
    assert status_of(flag)["NoNewPrivs"] == "1"


def test_what_is_gone_already_needs_no_right_to_drop_it(open_shim: Shim) -> None:
    """Where the engine has emptied the bounding set, a user may ask for the same."""
    start = [need_program("setpriv"), "--bounding-set", "-all"]
    start += ["--reuid", "65534", "--regid", "65534", "--clear-groups"]
    words = ("--no-env", "--cap-drop", "ALL", "--user", "65534:65534", *STATUS)
    argv = [*start, *open_shim.argv(*words)]
    done = subprocess.run(argv, env=open_shim.environ, capture_output=True, check=False)
    assert done.stderr == b""
    assert set(sets(done.stdout).values()) == {0}


@pytest.mark.parametrize(
    ("name", "hint"),
    [("NET_RWA", " (did you mean NET_RAW?)"), ("s3cret", ""), ("CAP_ALL ", ""), ("ÄÖ", "")],
)
def test_an_unknown_capability_is_refused_unseen(shim: Shim, name: str, hint: str) -> None:
    """Not shown, as it may be anything; near names are."""
    assert shim.problems("--no-env", "--cap-drop", name, "true") == [
        f"--cap-drop names no capability{hint}: write ALL, or a name of capabilities(7), such as "
        "NET_RAW"
    ]


@pytest.mark.skipif(not HEADER.exists(), reason="needs the kernel's headers")
def test_the_numbers_are_the_kernel_s() -> None:
    """linux/capability.h has the same names in the same order."""
    source = Path(__file__).parents[2] / "entrypoints/secretkit_entrypoint/privileges.py"
    text = re.search(r"CAPABILITIES = \((.*?)\n\)", source.read_text(), re.DOTALL)
    assert text is not None
    ours = " ".join(re.findall(r'"(.*?)"', text[1])).split()
    header = re.findall(r"^#define CAP_([A-Z_]+)\s+(\d+)$", HEADER.read_text(), re.MULTILINE)
    theirs = [name for name, number in sorted(header, key=lambda row: int(row[1]))]
    assert ours[: len(theirs)] == theirs[: len(ours)]


@pytest.mark.parametrize("option", ["--cap-drop=ALL", "--no-new-privs"])
def test_a_python_without_ctypes_starts_nothing(shim: Shim, tmp_path: Path, option: str) -> None:
    """Slim Pythons lack ctypes: refused, with what the engine offers instead."""
    export(tmp_path / "shim")
    # What a build without libffi is like: the package is there, its extension is not.
    (tmp_path / "shim" / "ctypes.py").write_text("raise ImportError('No module named _ctypes')\n")
    shim.launcher = tmp_path / "shim" / "secretkit-entrypoint"
    (line,) = shim.problems("--no-env", option, "true")
    assert line.startswith(f"{option[:10].rstrip('=')}") and "ctypes" in line
    assert "docker run" in line and "compose" in line and "Kubernetes" in line
    assert shim.output("--no-env", "echo", "ok") == b"ok\n"
    assert shim.output("--no-env", "--watch", "echo", "ok") == b"ok\n"


def test_inheritable_capabilities_need_ctypes_to_go(shim: Shim, tmp_path: Path) -> None:
    """Where they cannot be taken away, --user starts nothing."""
    need_root()
    export(tmp_path / "shim")
    (tmp_path / "shim" / "ctypes.py").write_text("raise ImportError('No module named _ctypes')\n")
    shim.launcher = tmp_path / "shim" / "secretkit-entrypoint"
    command = shim.argv("--no-env", "--user", "65534:65534", "true")
    argv = [need_program("setpriv"), "--inh-caps", "+net_raw", *command]
    done = subprocess.run(argv, env=shim.environ, capture_output=True, check=False)
    assert done.returncode == 125
    assert done.stderr.decode() == (
        "secretkit-entrypoint: error: --user: it needs Python's module ctypes, which does not work "
        "here: use a Python that has it, or leave it to the engine (docker from 20.10.14 on gives "
        "no inheritable capabilities)\n"
    )


def test_without_proc_privileges_cannot_be_verified(shim: Shim) -> None:
    """No /proc, as in a bare chroot: refused rather than believed."""
    need_root()
    hide = 'mount -t tmpfs tmpfs /proc && exec "$@"'
    command = shim.argv("--no-env", "--user", "65534:65534", "true")
    argv = [need_program("unshare"), "--mount", "sh", "-c", hide, "sh", *command]
    done = subprocess.run(argv, env=shim.environ, capture_output=True, check=False)
    assert done.returncode == 125
    assert done.stderr.decode() == (
        "secretkit-entrypoint: error: privileges cannot be verified without /proc/self/status: "
        "mount /proc\n"
    )


def test_a_user_that_the_namespace_does_not_have(every_shim: Shim) -> None:
    """In a user namespace that maps one id, as under userns-remap: one line, by --check as well."""
    need_root()
    reason = (
        "this container's user namespace has no such id: take one that it maps (/proc/self/uid_map)"
    )
    for words in ((), ("--check",)):
        command = every_shim.argv(*words, "--no-env", "--user", "5:5", "true")
        argv = [need_program("unshare"), "--user", "--map-root-user", *command]
        done = subprocess.run(argv, env=every_shim.environ, capture_output=True, check=False)
        assert done.returncode == 125
        line = f"secretkit-entrypoint: error: cannot become uid 5, gid 5: {reason}\n"
        assert done.stderr.decode() == line


class Container:
    """Runs the exported shim in a container of the engine, as `docker run` would."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        export(folder / "shim")
        (folder / "secrets").mkdir()
        (folder / "secrets" / "a").write_bytes(b"1")

    def run(self, options: tuple[str, ...], words: tuple[str, ...]) -> tuple[int, str, str]:
        """Status, stdout, stderr."""
        mounts = [f"{self.folder}/shim:/opt/secretkit:ro", f"{self.folder}/secrets:/run/secrets:ro"]
        argv = ["docker", "run", "--rm", "--network", "none", "-v", mounts[0], "-v", mounts[1]]
        python = ["/usr/bin/python3", "-ISB", "/opt/secretkit/secretkit-entrypoint"]
        done = subprocess.run(
            [*argv, *options, self.engine.image, *python, *words],
            env=os.environ | self.engine.environment(),
            capture_output=True,
            check=False,
            timeout=120,
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def container(engine: Engine, tmp_path: Path) -> Container:
    return Container(engine, tmp_path)


@pytest.mark.parametrize(
    ("options", "words", "bounding"),
    [
        ((), ("--user", "redis"), None),
        ((), ("--user", "redis", "--cap-drop", "ALL", "--no-new-privs"), 0),
        (("--cap-add", "SYS_ADMIN"), ("--user", "redis", "--cap-drop", "ALL", "--no-new-privs"), 0),
        (("--user", "999:999", "--cap-drop", "ALL"), ("--cap-drop", "ALL", "--no-new-privs"), 0),
        (
            ("--cap-drop", "ALL", "--cap-add", "SETUID", "--cap-add", "SETGID"),
            ("--user", "redis", "--no-new-privs"),
            bits(6, 7),
        ),
        (("--security-opt", "no-new-privileges"), ("--user", "redis"), None),
    ],
)
def test_in_a_container_the_user_has_nothing(
    container: Container, options: tuple[str, ...], words: tuple[str, ...], bounding: int | None
) -> None:
    """However the engine started it: uid 999, no capability, and the bounding set as asked for."""
    command = (*words, "--", "cat", "/proc/self/status")
    code, output, said = container.run((*options, "--read-only"), command)
    assert (code, said) == (0, "")
    status, held = status_of(output.encode()), sets(output.encode())
    assert status["Uid"].split() == status["Gid"].split() == ["999"] * 4
    assert {held[name] for name in OWN} == {0}
    if bounding is not None:
        assert held["CapBnd"] == bounding
    asked = "--no-new-privs" in words or "--security-opt" in options
    assert status["NoNewPrivs"] == str(int(asked))


def test_in_a_container_without_capabilities_root_cannot_drop(container: Container) -> None:
    """docker run --cap-drop ALL and --user: one line, and nothing is started."""
    code, output, said = container.run(
        ("--cap-drop", "ALL"), ("--user", "redis", "sh", "-c", "echo started")
    )
    assert (code, output) == (125, "")
    assert said == (
        "secretkit-entrypoint: error: cannot become uid 999, gid 999: root lacks the capabilities "
        "SETUID and SETGID (docker run --cap-add)\n"
    )


def test_in_a_container_files_belong_to_the_user_and_it_reads_them(container: Container) -> None:
    """Rendered by root, on a read-only root file system, read by the user alone."""
    (container.folder / "shim" / "t.yaml").write_text('a: "<<a>>"\n')
    code, output, said = container.run(
        ("--read-only", "--tmpfs", "/run/app:uid=999,gid=999,mode=0700"),
        (
            *("--render", "/opt/secretkit/t.yaml:/run/app/t.yaml", "--user", "redis"),
            *("--cap-drop=ALL", "--", "sh", "-c", f"cat /run/app/t.yaml && python3 -c '{STAT}'"),
        ),
    )
    assert (code, said) == (0, "")
    assert output == 'a: "1"\n999 999 0o400\n'


STAT = 'import os; s = os.stat("/run/app/t.yaml"); print(s.st_uid, s.st_gid, oct(s.st_mode % 512))'

"""What `dev run` does with the kernel: whatever is at the place, and where it is refused."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mount.person import UID, with_view
from tests.needs import need_namespaces, need_root

# The program's part without a store: argv is the place, and the command.
ENTER = """
import os, sys
from pathlib import Path
from secretkit.errors import MountError
from secretkit.mount import namespace
from secretkit.cli.exits import code_of
try:
    namespace.enter({'db': b'v1'}, at=Path(sys.argv[1]))
except MountError as error:
    print(f'{error}|{error.hint}', file=sys.stderr)
    sys.exit(code_of(error))
os.execvp(sys.argv[2], sys.argv[2:])
"""


def entering(*command: str, at: str = "/run/secrets") -> list[str]:
    """Words that start `command` with one secret at `at`."""
    return [sys.executable, "-c", ENTER, at, *command]


def run(words: list[str], prepare: str = "", uid: int = UID) -> subprocess.CompletedProcess[str]:
    """Run it as another user, after root has run `prepare`."""
    need_root()
    need_namespaces()
    return subprocess.run(
        [*with_view(prepare, uid=uid), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )


# A socket of a service: it answers two connections, and is gone after half a minute.
BUS = """
import os, signal, socket
bus = socket.socket(socket.AF_UNIX)
bus.bind('/run/bus')
bus.listen()
os.chmod('/run/bus', 0o666)
if os.fork() == 0:
    signal.alarm(30)
    for number in range(3):
        os.dup2(os.open('/dev/null', os.O_RDWR), number)
    for _ in range(2):
        bus.accept()[0].sendall(b'hello')
"""
RUN = f"""
mkdir -p /run/user/{UID} /run/lock /run/closed /run/host
chown {UID} /run/user/{UID}; chmod 700 /run/user/{UID} /run/closed; chmod 1777 /run/lock
echo 7 > /run/some.pid; ln -s lock /run/held; ln -s nowhere /run/broken; mkfifo /run/fifo
mount -t tmpfs tmpfs /run/host; echo deep > /run/host/deep
{sys.executable} -ISc {shlex.quote(BUS)}
"""
STATES = {
    "nothing": "",
    "an empty folder": "mkdir /run/secrets",
    "a folder": "mkdir /run/secrets; echo other > /run/secrets/other",
    "a mount": "mkdir /run/secrets; mount -t tmpfs tmpfs /run/secrets; echo x > /run/secrets/other",
    "a link": "mkdir /run/x; echo other > /run/x/other; ln -s x /run/secrets",
    "a link to nothing": "ln -s nowhere /run/secrets",
    "a file": "echo other > /run/secrets",
    "a link, and /run on disk": "ln -s nowhere /run/secrets",
}
AROUND = f"""
import json, os, socket, stat
def look(path):
    mode = os.lstat(path).st_mode
    return os.readlink(path) if stat.S_ISLNK(mode) else stat.filemode(mode)
def listed(folder):
    return {{name: look(os.path.join(folder, name)) for name in os.listdir(folder)}}
here = '/run/secrets'
folders = ('/run', '/run/user/{UID}', '/run/lock', '/run/closed', '/run/host')
bus = socket.socket(socket.AF_UNIX)
bus.connect('/run/bus')
print(json.dumps({{
    'kind': look(here) if os.path.lexists(here) else None,
    'secrets': listed(here) if os.path.isdir(here) else None,
    'run': {{name: mode for name, mode in listed('/run').items() if name != 'secrets'}},
    'deep': open('/run/host/deep').read(),
    'bus': bus.recv(9).decode(),
    'writable': [one for one in folders if os.access(one, os.W_OK)],
}}))
open('/run/lock/left', 'a').write('x')
"""


@pytest.mark.parametrize("uid", [UID, 0], ids=["user", "root"])
@pytest.mark.parametrize("state", STATES)
def test_whatever_is_there(uid: int, state: str, tmp_path: Path) -> None:
    """The secrets are in a folder at /run/secrets, whatever was there. The rest of /run is as it
    was: links, modes, mounts, a socket that answers; and what is written below it stays.
    """
    tmp_path.chmod(0o755)
    disk = f"mount --bind {tmp_path} /run" if "disk" in state else ""
    prepare = f"{disk or 'mount -t tmpfs -o mode=755 tmpfs /run'}\n{RUN}\n{STATES[state]}"
    probe = [sys.executable, "-ISc", AROUND]
    # Directly, in the namespace, and what is outside afterwards.
    script = '"$1" "$2" "$3" && shift 3 && "$@" && cat /run/lock/left && ! cat /run/secrets/db'
    done = run(["sh", "-c", script, "sh", *probe, *entering(*probe)], prepare, uid)
    assert done.returncode == 0, done.stderr
    before, inside, left = done.stdout.splitlines()
    without, seen = json.loads(before), json.loads(inside)
    assert (seen.pop("kind"), seen.pop("secrets")) == ("drwxr-xr-x", {"db": "-r--r--r--"})
    assert (without.pop("kind"), without.pop("secrets")) != (None, None) or "nothing" in state
    assert seen == without
    assert left == "xx"


def test_the_current_folder_stays(tmp_path: Path) -> None:
    """A command that is started below /run is in the same folder, by its path; and one at
    /run/secrets sees the secrets.
    """
    prepare = "mount -t tmpfs -o mode=755 tmpfs /run; mkdir -p /run/a/b; cd /run/a/b"
    done = run(entering("sh", "-c", "/bin/pwd; ls -d ../b ../../secrets"), prepare)
    assert (done.stdout, done.stderr) == ("/run/a/b\n../../secrets\n../b\n", "")
    prepare = "mount -t tmpfs -o mode=755 tmpfs /run; mkdir /run/secrets; cd /run/secrets"
    assert run(entering("ls"), prepare).stdout == "db\n"


def test_everybody_may_read() -> None:
    """As in a swarm: also below folders that had to be made, whatever the umask."""
    drop = f"setpriv --reuid={UID} --clear-groups cat /run/a/b/db; umask"
    prepare = "mount -t tmpfs -o mode=755 tmpfs /run; umask 077"
    done = run(entering("sh", "-c", drop, at="/run/a/b"), prepare, uid=0)
    assert (done.stdout, done.stderr) == ("v10077\n", "")


def test_a_run_that_all_may_write_to() -> None:
    """It is root's, whose ids are none of the command's user namespace."""
    prepare = "mount -t tmpfs -o mode=1777 tmpfs /run; touch /run/x"
    done = run(entering("sh", "-c", "ls /run /run/secrets; touch /run/y && echo made"), prepare)
    assert done.stdout.split() == ["/run:", "secrets", "x", "/run/secrets:", "db", "made"]


def test_open_files_stay() -> None:
    """What is open below /run stays open and the same."""
    prepare = "mount -t tmpfs -o mode=755 tmpfs /run; echo before > /run/x; exec 0<>/run/x"
    done = run(entering("sh", "-c", "cat; echo more >&0; cat /run/x"), prepare)
    assert done.stdout == "before\nbefore\nmore\n"


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("/", "cannot cover /|"),
        ("/no-such-folder", "no such folder, /no-such-folder|make it first: mkdir -p /no-such"),
        ("/run/lock/x/y", "no such folder, /run/lock/x/y|make it first"),
        ("/run/lock/link", "cannot cover /run/lock/link|"),
    ],
)
def test_places_that_are_refused(at: str, message: str) -> None:
    """No folder is covered in which the command could write: that would be lost at its end."""
    prepare = (
        "mount -t tmpfs -o mode=755 tmpfs /run; mkdir -m 1777 /run/lock; ln -s . /run/lock/link"
    )
    done = run(entering("true", at=at), prepare)
    assert (done.returncode, done.stderr[: len(message)]) == (1, message)


def test_a_run_that_cannot_be_listed() -> None:
    """What is in it cannot be bound: the remedy is named, and works."""
    closed = "mount -t tmpfs -o mode=711 tmpfs /run"
    done = run(entering("true"), closed)
    assert (done.returncode, done.stderr) == (
        1,
        "cannot make a folder in memory, /run/secrets: permission denied"
        "|make it first: sudo mkdir -p /run/secrets\n",
    )
    done = run(entering("cat", "/run/secrets/db"), f"{closed}; mkdir -p /run/secrets")
    assert done.stdout == "v1", done.stderr


# -- where the kernel refuses ----------------------------------------------------------------------

# A seccomp filter as containers have one: unshare(2) fails with EPERM. See seccomp(2).
SECCOMP = """
import ctypes, os, platform, struct, sys
number = {'x86_64': 272, 'aarch64': 97}[platform.machine()]
code = b''.join(struct.pack('HBBI', *one) for one in (
    (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7fff0000)))
buffer = ctypes.create_string_buffer(code)
program = struct.pack('HxxxxxxP', len(code) // 8, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, program, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""
# A user namespace that has the first ids, and no namespaces in it. See user_namespaces(7).
LIMITED = """
import ctypes, os, sys
from pathlib import Path
(made, make), (mapped, map) = os.pipe(), os.pipe()
pid = os.fork()
if pid:
    os.read(made, 1)
    for name in ('uid_map', 'gid_map'):
        Path(f'/proc/{pid}/{name}').write_text('0 0 65534')
    os.write(map, b'x')
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
assert ctypes.CDLL(None).unshare(0x10000000) == 0  # CLONE_NEWUSER
os.write(make, b'x')
os.read(mapped, 1)
Path(f'/proc/sys/user/{sys.argv[1]}').write_text('0')
os.setgroups([])
os.setgid(1000)
os.setuid(1000)
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize("uid", [UID, 0], ids=["user", "root"])
def test_a_seccomp_filter_refuses(uid: int) -> None:
    """As in a container: exit code 5, the reason, and what works instead; nothing is started."""
    done = run([sys.executable, "-ISc", SECCOMP, *entering("echo", "started")], uid=uid)
    assert (done.returncode, done.stdout) == (5, "")
    message, hint = done.stderr.strip().split("|")
    assert message.endswith(": operation not permitted, by a seccomp filter as containers have one")
    assert "secretkit run --" in hint and "secretkit dev watch --" in hint
    assert "secretkit-entrypoint" not in hint  # it is no command on this machine


@pytest.mark.parametrize("setting", ["max_user_namespaces", "max_mnt_namespaces"])
def test_a_limit_refuses(setting: str) -> None:
    """The setting is named."""
    words = [sys.executable, "-ISc", LIMITED, setting, *entering("echo", "started")]
    done = run(words, uid=0)
    assert (done.returncode, done.stdout) == (5, ""), done.stderr
    assert f"no namespaces to be had: user.{setting} is 0|" in done.stderr


def test_it_is_for_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere a message says so, and what works."""
    from secretkit.errors import NamespaceError
    from secretkit.mount import namespace

    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(NamespaceError, match="Linux alone") as caught:
        namespace.enter({})
    assert "--on-disk" in str(caught.value.hint)

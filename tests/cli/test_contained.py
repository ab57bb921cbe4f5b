"""`dev run`: a command that sees the secrets at /run/secrets, it and its children alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tests.cli.program import EXECUTABLE, Program
from tests.mount.person import GID, GROUP, HERE, UID, owner, start, with_view
from tests.needs import need_root

PYTHON = (sys.executable, "-ISc")
PATH = f"{Path(EXECUTABLE).parent}:{os.environ['PATH']}"

# Everything that a command knows of itself, but where the secrets are.
SELF = """
import json, os, signal, sys
status = dict(line.split(':\\t', 1) for line in open('/proc/self/status') if ':\\t' in line)
print(json.dumps({
    'pid': os.getpid(), 'parent': os.getppid(), 'session': os.getsid(0), 'group': os.getpgid(0),
    'uid': os.getresuid(), 'gid': os.getresgid(), 'groups': len(os.getgroups()),
    'environ': dict(os.environ), 'cwd': os.getcwd(), 'umask': status['Umask'],
    'ignored': status['SigIgn'], 'blocked': status['SigBlk'], 'caught': status['SigCgt'],
    'capabilities': [status[name] for name in ('CapInh', 'CapPrm', 'CapEff', 'CapAmb')],
    'core': __import__('resource').getrlimit(4),
    'fds': {n: os.fstat(int(n)).st_ino for n in sorted(os.listdir('/proc/self/fd'))[:-1]},
    'stdin': sys.stdin.read(), 'argv': sys.argv[1:],
}))
"""

MOUNTED = """
import json, os, stat
here = '/run/secrets'
def look(path):
    found = os.lstat(path)
    return [stat.filemode(found.st_mode), found.st_uid, found.st_gid, found.st_size]
mounts = [line.split() for line in open('/proc/self/mountinfo')]
print(json.dumps({
    'folder': look(here)[:3],
    'files': {name: look(here + '/' + name) for name in os.listdir(here)},
    'contents': {name: open(here + '/' + name, 'rb').read().hex() for name in os.listdir(here)},
    'mounts': [[line[5], line[line.index('-') + 1]] for line in mounts if line[4] == here],
}))
"""


def by_path(program: Program, script: str) -> str:
    """What another process of the same user sees."""
    done = subprocess.run(
        [*program.before, "sh", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.stdout.decode()


def test_the_files_are_as_in_a_task(anyone: Program) -> None:
    """Names, exact bytes, modes, and a read-only mount in memory. The owner is the user."""
    values = {"db-password": b"s3cret\n", "bin": bytes(range(256)) * 100, "x.pem": b" "}
    for name, value in values.items():
        anyone.create(name, value)
    seen = anyone.ok("dev", "run", "--", *PYTHON, MOUNTED).json
    own = list(owner(anyone))
    assert {name: bytes.fromhex(one) for name, one in seen["contents"].items()} == values
    assert seen["files"] == {
        name: ["-r--r--r--", *own, len(value)] for name, value in values.items()
    }
    assert seen["folder"] == ["drwxr-xr-x", *own]
    assert seen["mounts"] == [["ro,relatime", "tmpfs"]]


def test_the_command_is_as_without(anyone: Program) -> None:
    """Ids, environment, folder, descriptors, signals, limits: the same as when it is started
    directly. This process becomes the command.
    """
    anyone.create("db")
    read, write = os.pipe()
    command = [*PYTHON, SELF, "--mock", "--", "a b"]
    environ = {name: anyone.environ[name] for name in ("PATH", "HOME", "XDG_CONFIG_HOME")}
    seen = []
    for words in (command, [EXECUTABLE, "dev", "run", "--", *command]):
        process = subprocess.Popen(
            [*anyone.before, *words],
            cwd=anyone.folder.parent,
            env=environ | {"PWD": "/x", "SECRETKIT_PROJECT": str(anyone.folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[write],
        )
        out, _ = process.communicate(b"typed", timeout=60)
        seen.append(json.loads(out))
        assert seen[-1].pop("pid") == process.pid
        for name in ("0", "1"):  # pipes of its own each time
            del seen[-1]["fds"][name]
    os.close(read)
    os.close(write)
    assert seen[0] == seen[1]
    assert set(seen[0]["fds"]) == {"2", str(write)}


NOBODY_ELSE = """
look() { ls -la /run/secrets 2>&1; cat /proc/self/mountinfo; }
before=$(look)
mkfifo "$TMPDIR/end"
secretkit dev run -- sh -c 'cat /run/secrets/db; exec cat "$0"' "$TMPDIR/end" > "$TMPDIR/out" &
until [ -s "$TMPDIR/out" ]; do sleep 0.02; done
during=$(look)
: > "$TMPDIR/end"
wait $! || exit 1
[ "$during" = "$before" ] && [ "$(look)" = "$before" ] && cat "$TMPDIR/out"
"""


def test_nobody_else_sees_them(anyone: Program) -> None:
    """Another process of the same user finds what was at /run/secrets before, and no mount, where
    mounts are shared too.
    """
    anyone.create("db", b"c4n4ry")
    before = anyone.before
    if before:
        before = with_view("mount --make-rshared /", uid=owner(anyone)[0])
    done = subprocess.run(
        [*before, "sh", "-c", NOBODY_ELSE],
        cwd=anyone.folder,
        env=anyone.environ | {"TMPDIR": str(anyone.folder), "PATH": PATH},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"c4n4ry", b"")


def test_who_may_look_into_the_process_sees_them(user: Program) -> None:
    """/proc/PID/root is open to the same user and to root, as the process's memory is; to other
    users it is not.
    """
    need_root()
    user.create("db", b"c4n4ry")
    process = start(user, "sh", "-c", f"cat {HERE}/db; exec sleep 60", stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.read(6) == b"c4n4ry"
    look = f"cat /proc/{process.pid}/root{HERE}/db 2>&1"
    assert by_path(user, look) == "c4n4ry"
    other = replace(user, before=with_view(uid=UID + 100))
    assert by_path(other, look).endswith("Permission denied\n")
    process.kill()
    process.wait()
    process.stdout.close()


CHANGES = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def mount(kind, flags):
    if libc.mount(b'none', b'/run/secrets', kind, ctypes.c_ulong(flags), None):
        raise OSError(ctypes.get_errno(), '')
def umount():
    if libc.umount2(b'/run/secrets', 2):
        raise OSError(ctypes.get_errno(), '')
def attempt(action, *arguments):
    try:
        action(*arguments)
        return 'done'
    except OSError as error:
        return errno.errorcode[error.errno]
def attempts():
    yield attempt(open, '/run/secrets/db', 'w')
    yield attempt(open, '/run/secrets/x', 'w')
    yield attempt(os.unlink, '/run/secrets/db')
    yield attempt(os.chmod, '/run/secrets/db', 0o666)
    yield attempt(mount, None, 0x20)  # MS_REMOUNT
    yield attempt(mount, None, 0x1020)  # MS_REMOUNT | MS_BIND
    yield attempt(umount)
    yield attempt(mount, b'tmpfs', 0)
print(*attempts())
uid = os.getuid()
assert libc.unshare(0x10020000) == 0  # CLONE_NEWUSER | CLONE_NEWNS
open('/proc/self/uid_map', 'w').write(f'0 {uid} 1')
print(*attempts())
"""


def test_the_command_cannot_change_them(user: Program) -> None:
    """Not by writing, and not by a mount. In a user namespace of its own it can cover them for
    itself, as anybody can, and neither change nor uncover anything.
    """
    user.create("db", b"c4n4ry")
    lines = user.ok("dev", "run", "--", *PYTHON, CHANGES).text.splitlines()
    assert lines == [
        "EROFS EROFS EROFS EROFS EPERM EPERM EPERM EPERM",
        "EROFS EROFS EROFS EROFS EPERM EPERM EINVAL done",
    ]


def test_what_differs_in_a_user_namespace(user: Program) -> None:
    """What the page names: other owners show as nobody, setuid has no effect, processes outside
    cannot be looked into but can be signalled; groups count as before.
    """
    need_root()
    user.create("db")
    prepare = (
        "mount -t tmpfs -o mode=755 tmpfs /run; cp /usr/bin/id /run/id; chmod 4755 /run/id\n"
        f"mkdir -m 750 /run/group; chgrp {GROUP} /run/group"
    )
    script = """
stat -c %u / /run/group; /run/id -u; /run/id -G; ls /run/group && echo entered
readlink /proc/$1/exe; kill $1 && echo killed
"""
    view = with_view(prepare)
    outside = 'sleep 60 & exec secretkit dev run -- sh -c "$0" sh $!'
    done = subprocess.run(
        [*view, "sh", "-c", outside, script],
        cwd=user.folder,
        env=user.environ | {"PATH": PATH},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.decode().splitlines() == [
        *("65534", "65534", str(UID), f"{GID} 65534"),
        *("entered", "killed"),
    ], done.stderr


def test_owners_and_groups_of_entrypoint(user: Program) -> None:
    """In a user namespace the groups of the user do not show: `user` of [entrypoint] may be oneself
    all the same, if as many are hidden as there should be. An owner that the namespace does not
    have is said to be none of its.
    """
    need_root()
    user.create("db")
    prepare = (
        f"for file in passwd group; do cp /etc/$file {user.folder}; done\n"
        f"echo me:x:{UID}:{GID}::/:/bin/sh >> {user.folder}/passwd\n"
        f"printf 'own:x:{GID}:\\nother:x:{GROUP}:me\\n' >> {user.folder}/group\n"
        f"for file in passwd group; do mount --bind {user.folder}/$file /etc/$file; done"
    )
    program = replace(user, before=with_view(prepare))

    def start(entrypoint: str) -> tuple[int, str, str]:
        program.write("secretkit.toml", f"[entrypoint]\n{entrypoint}\n")
        done = program(
            "dev", "run", "--shim", "--", "sh", "-c", "id -u; grep ^Groups /proc/$$/status"
        )
        return done.code, done.text, done.err

    assert start('user = "me"') == (0, f"{UID}\nGroups:\t65534 \n", "")
    code, _, said = start('user = "me:own"')
    assert (code, "only root can change the supplementary groups" in said) == (125, True)
    program.write("x.ini", "p = <<db>>\n")
    target = Path(user.environ["XDG_RUNTIME_DIR"]) / "x.ini"
    for owner_, ids in (("me:other", f"{UID}:{GROUP}"), ("root", "0:0")):
        code, _, said = start(
            f'render = [{{ source = "x.ini", destination = "{target}", owner = "{owner_}" }}]'
        )
        assert (code, f"owner {ids} is not among the ids of this user namespace" in said) == (
            125,
            True,
        ), said

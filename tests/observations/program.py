"""Looks at a folder of secrets as a process that uses it does, and prints what it sees as JSON.

`program.py FOLDER SHIM BUSYBOX`: where the secrets are, secretkit-entrypoint, and busybox, whose
`ls`, `stat`, `find` and `sh` look as well. Needs Python's standard library alone. The result is one
object: a name for each observation, and what was seen. No value of a secret is in it: contents are
hashed. What differs for one reason has an observation of its own, and is left out of the others:
owners and times out of the texts of `ls`, for example.
"""

from __future__ import annotations

import errno
import hashlib
import json
import mmap
import os
import re
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

FOLDER, SHIM, BUSYBOX = sys.argv[1:]
os.chdir(FOLDER)
NAMES = sorted(name for name in os.listdir() if name[0] != ".")
# The service gives this one an owner and a mode.
ASKED = "owner-and-mode"
SECRETS = [name for name in NAMES if name != ASKED]
NOBODY = 65534
FILTERS = "cnf compose_env docker_env env haproxy html httpd ini js json netrc nginx pgpass"
FILTERS += " php properties python redis shell toml url xml yaml base64 raw"
COMMAND = """\
import os, sys, hashlib
def hashed(value): return hashlib.sha256(value).hexdigest()
print(hashed(sys.stdin.buffer.read()), {k.decode(): hashed(v) for k, v in os.environb.items()})
"""


def read(path: str) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY), "rb") as file:
        return file.read()


def mapped(path: str) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY), "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)[:]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def outcome(action: Callable[[], object]) -> Any:
    """What comes of trying: what it returns or `permitted`, or the name of the error."""
    try:
        return action() or "permitted"
    except OSError as error:
        return errno.errorcode[error.errno]


def each(look: Callable[[str], Any]) -> Any:
    """What is seen of every secret: one answer if it is the same of all, else by name."""
    found = {name: look(name) for name in SECRETS}
    return found[SECRETS[0]] if len(set(map(str, found.values()))) == 1 else found


def named(text: str, name: str) -> str:
    """With NAME for a secret's name, where a path or a link ends in it."""
    return re.sub(rf"(?<![^/ ]){re.escape(name)}(?= -> |$)", "NAME", text)


def without_time(name: str) -> str:
    """The kubelet's names have a time and a random number in them."""
    return re.sub(r"\.\.\d{4}(_\d\d){5}\.\d+", "..TIME", name)


def hidden(name: str) -> str:
    """As `ls -l` has it."""
    target = f" -> {os.readlink(name)}" if os.path.islink(name) else ""
    return without_time(f"{stat.filemode(os.lstat(name).st_mode)} {name}{target}")


def owner(status: os.stat_result) -> str:
    return f"{status.st_uid}:{status.st_gid}"


def files() -> dict[str, Any]:
    """Names, contents, and what lstat and stat say."""
    now = time.time()
    entries = {entry.name: entry for entry in os.scandir()}
    inodes = {(one.st_dev, one.st_ino) for one in map(os.stat, SECRETS)}
    return {
        "names": NAMES,
        "hidden entries": ", ".join(hidden(name) for name in sorted(entries) if name[0] == "."),
        "contents": {name: sha256(read(name)) for name in NAMES},
        "contents by mmap": {name: sha256(mapped(name)) for name in SECRETS},
        "sizes": {name: os.stat(name).st_size for name in SECRETS},
        "mode of a file": each(lambda name: stat.filemode(os.stat(name).st_mode)),
        "owner of a file": each(lambda name: owner(os.stat(name))),
        "mode that a service asks for": stat.filemode(os.stat(ASKED).st_mode),
        "owner that a service asks for": owner(os.stat(ASKED)),
        "link count of a file": each(lambda name: os.stat(name).st_nlink),
        "type of an entry": each(lambda name: stat.filemode(os.lstat(name).st_mode)[0]),
        "type of an entry by scandir": each(
            lambda name: "l" if entries[name].is_symlink() else "-" * entries[name].is_file()
        ),
        "readlink": each(lambda name: named(outcome(lambda: os.readlink(name)), name)),
        "inodes are distinct": len(inodes) == len(SECRETS),
        "extended attributes": each(os.listxattr),
        "times are in the past": each(
            lambda name: 0 < os.stat(name).st_mtime <= now and os.stat(name).st_ctime <= now
        ),
        "mode of the folder": stat.filemode(os.lstat(FOLDER).st_mode),
        "owner of the folder": owner(os.lstat(FOLDER)),
    }


def mounts() -> dict[str, Any]:
    """What is mounted at the folder and below."""
    points = {}
    for line in read("/proc/self/mountinfo").decode().splitlines():
        before, _, after = line.partition(" - ")
        point, flags = before.split()[4:6]
        points[point] = f"{flags} {after.split()[0]}"  # what is mounted last lies on top
    return {
        "mount of the folder": points.get(FOLDER, "none"),
        "mount of a file": each(lambda name: points.get(f"{FOLDER}/{name}", "none")),
        "flags of the folder's mount": flags_of("."),
        "flags of a file's mount": each(flags_of),
        "a file is on the folder's device": each(
            lambda name: os.stat(name).st_dev == os.stat(".").st_dev
        ),
    }


def flags_of(path: str) -> str:
    """Of its mount, by statvfs(3)."""
    found = os.statvfs(path).f_flag
    known = {"nosuid": os.ST_NOSUID, "nodev": os.ST_NODEV, "noexec": os.ST_NOEXEC}
    words = ["ro" if found & os.ST_RDONLY else "rw"]
    return ",".join(words + [name for name, bit in known.items() if found & bit])


def access() -> dict[str, Any]:
    """What access(2) answers, before anything is tried."""
    found: dict[str, Any] = {}
    for kind, bit in (("read", os.R_OK), ("write", os.W_OK), ("execute", os.X_OK)):
        found[f"access: {kind} a file"] = each(lambda name, bit=bit: os.access(name, bit))
        found[f"access: {kind} the folder"] = os.access(".", bit)
    return found


def another_user() -> dict[str, Any]:
    """What another user reads, which root can become."""
    if os.getuid() != 0:
        return {}
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            found = {name: outcome(lambda name=name: sha256(read(name))) for name in SECRETS}
            os.write(writing, json.dumps(found).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.wait()
    return {"contents, read by nobody": json.loads(read(f"/dev/fd/{reading}"))}


def change() -> dict[str, Any]:
    """What comes of each change that is tried. Last of all: one that succeeds would be seen."""
    victim, other = SECRETS[:2]
    there = os.stat(victim)

    def opened(flags: int) -> Any:
        return each(lambda name: outcome(lambda: os.close(os.open(name, flags))))

    def created(make: Callable[[], object], remove: Callable[[str], None] = os.unlink) -> Any:
        return outcome(lambda: (make(), remove("made"))[1])

    with tempfile.TemporaryDirectory() as elsewhere:
        linked = outcome(lambda: os.link(victim, f"{elsewhere}/made"))
    return {
        "open to write": opened(os.O_WRONLY),
        "open to read and write": opened(os.O_RDWR),
        "open to append": opened(os.O_WRONLY | os.O_APPEND),
        "truncate": outcome(lambda: os.truncate(victim, 1)),
        "chmod a file": outcome(lambda: os.chmod(victim, 0o444)),
        "chown a file": outcome(lambda: os.chown(victim, there.st_uid, there.st_gid)),
        "utime of a file": outcome(lambda: os.utime(victim)),
        "setxattr of a file": outcome(lambda: os.setxattr(victim, "user.x", b"x")),
        "execute a file": outcome(lambda: subprocess.run([f"./{victim}"], check=False)),
        "link from elsewhere": linked,
        "link in the folder": created(lambda: os.link(victim, "made")),
        "create a file": created(lambda: os.close(os.open("made", os.O_WRONLY | os.O_CREAT))),
        "create a folder": created(lambda: os.mkdir("made"), os.rmdir),
        "create a symbolic link": created(lambda: os.symlink("x", "made")),
        "chmod the folder": outcome(lambda: os.chmod(".", os.stat(".").st_mode)),
        "rename a file": outcome(lambda: os.rename(victim, "made")),
        "rename over a file": outcome(lambda: os.rename(other, victim)),
        "remove a file": outcome(lambda: os.unlink(victim)),
    }


def run(*words: str, folder: str) -> list[str]:
    """What a program prints, on both streams, and its exit status."""
    done = subprocess.run(
        words,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    printed = done.stdout.decode(errors="backslashreplace").replace(folder, "HERE")
    return [*printed.splitlines(), f"exit {done.returncode}"]


def shell() -> dict[str, Any]:
    """What busybox's programs print; without owners and times."""

    def said(*words: str) -> list[str]:
        return run(BUSYBOX, *words, folder=FOLDER)

    def listing(options: str) -> dict[str, list[str]]:
        """By name: mode, links, owner, group, size, month, day, time, name and target."""
        rows = [line.split(maxsplit=8) for line in said("ls", options)]
        return {row[8].split(" -> ")[0]: row for row in rows if len(row) == 9}

    plain, followed = listing("-lan"), listing("-lanL")
    stats = dict(zip(SECRETS, said("stat", "-c", "%F, %A, %h", *SECRETS), strict=False))
    find = ("find", ".", "-maxdepth", "1", "!", "-name", ".*")
    usable = 'for f in *; do test -f "$f" -a -r "$f" -a -s "$f" && echo "$f"; done'
    return {
        "ls": said("ls"),
        "ls -la of a file": each(
            lambda name: f"{plain[name][0]} {plain[name][1]} {named(plain[name][8], name)}"
        ),
        "ls -la of the folder": plain["."][0],
        "ls -laL": {name: [followed[name][at] for at in (0, 1, 4)] for name in SECRETS},
        "stat of a file": each(lambda name: stats[name]),
        "stat -L of a file": said("stat", "-L", "-c", "%n, %F, %A, %s, %h", *SECRETS),
        "stat -f of a file": said("stat", "-f", "-c", "%T", SECRETS[0]),
        "find -type f": len(said(*find, "-type", "f")) - 1,
        "find -follow -type f": len(said(*find, "-follow", "-type", "f")) - 1,
        "sh: test -f -a -r -a -s": said("sh", "-c", usable),
        "sh: cat": said("sh", "-c", "cat * | sha256sum"),
    }


def shim() -> dict[str, Any]:
    """What secretkit-entrypoint makes of the folder."""
    python = [sys.executable, "-ISB"]
    command = ["--", *python, "-c", COMMAND]
    contents = {name: read(name) for name in SECRETS}
    small = [name for name, value in contents.items() if len(value) < 9999]
    # What a variable can hold, and what every format can.
    held = [name for name in small if b"\0" not in contents[name] and contents[name].strip()]
    plain = [name for name in held if re.fullmatch(rb"[!-~]([ -~]*[!-~])?", contents[name])]
    plain = [name for name in plain if not re.search(rb"[\\%]|\${", contents[name])]
    variables = [f"--env=V{number}={name}" for number, name in enumerate(held)]
    with tempfile.TemporaryDirectory() as work:

        def start(*options: str) -> list[str]:
            return run(*python, SHIM, "--secrets-dir", FOLDER, *options, folder=work)

        def render(names: Iterable[str]) -> list[str]:
            """A template for each format, with a line for each secret."""
            options = []
            for kind in FILTERS.split():
                lines = (f"{name} = <<{name}|{kind}>>\n" for name in names)
                Path(work, f"{kind}.in").write_text("".join(lines))
                options += ["--render", f"{kind}.in:{work}/{kind}.out,format=text"]
            command = f"{BUSYBOX} sha256sum *.out"
            return start("--no-env", "--allow-disk", *options, "--", BUSYBOX, "sh", "-c", command)

        missing = start("--no-env", "--require", "missing", "--check")
        return {
            "shim: --env": start(*variables, *command),
            "shim: --env-all": start("--env-all", *command),
            "shim: --no-env": start("--no-env", *command),
            "shim: --stdin": start("--no-env", "--stdin", "binary", *command),
            "shim: --explain": start("--env-all", "--explain"),
            "shim: --render": render(plain),
            "shim: --render of all": render(small),
            "shim: --check": start("--env-all", "--check", *command),
            "shim: --check --json": start(*variables, "--check", "--json", *command),
            "shim: a secret is missing": [line for line in missing if "Kubernetes" not in line],
            "shim: takes it for the kubelet's": any(
                "Secret that is mounted" in one for one in missing
            ),
        }


if __name__ == "__main__":
    looks = (files, mounts, access, another_user, shell, shim, change)
    json.dump({what: seen for look in looks for what, seen in look().items()}, sys.stdout)

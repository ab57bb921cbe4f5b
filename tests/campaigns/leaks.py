"""Look for a value everywhere but where it belongs: output, arguments, environments, files.

A canary goes through every command, in ways that work and ways that fail, also with `--debug`.
Meanwhile `/proc/*/cmdline` and `environ` of every process are watched; afterwards the project, the
home, the temporary folders and core files are searched. The canary is looked for as it is, and as
base64, hexadecimal, URL-, JSON-, repr- and XML-escaped.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import resource
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

SECRETKIT = str(Path(sysconfig.get_path("scripts")) / "secretkit")
VIA_ENVIRONMENT = "LEGACY_PROGRAM=1"  # marks the process that is meant to have the value
MARKER = dict([VIA_ENVIRONMENT.split("=")])


def forms(value: bytes) -> dict[str, bytes]:
    """The value as it might appear, by name; base64 at each of the three alignments."""
    text = value.decode()
    found = {
        "raw": value,
        "hex": value.hex().encode(),
        "url": urllib.parse.quote(text, safe="").encode(),
        "json": json.dumps(text)[1:-1].encode(),
        "repr": repr(value)[2:-1].encode(),
        "xml": escape(text).encode(),
        "core": value[8:24],  # the random part alone, which no escaping changes
    }
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + value)
        found[f"base64+{shift}"] = encoded[4 if shift else 0 : -4]
    return found


@dataclass
class Hunt:
    """One canary, and where it was found."""

    folder: Path
    value: bytes = field(
        default_factory=lambda: b'C&N/"a$\\' + os.urandom(12).hex().encode() + b"'<z>"
    )
    found: list[str] = field(default_factory=list)
    commands: int = 0
    scans: int = 0

    def __post_init__(self) -> None:
        self.forms = forms(self.value)

    def search(self, where: str, content: bytes) -> None:
        """Note each form of the canary in `content`."""
        self.found += [
            f"{where}: {form}" for form, bytes_ in self.forms.items() if bytes_ in content
        ]

    def run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        code: int | None = 0,
        shows: bool = False,
        env: dict[str, str] | None = None,
    ) -> None:
        """Run secretkit; its output is searched unless it `shows` the value on purpose."""
        self.commands += 1
        done = subprocess.run(
            [SECRETKIT, *arguments],
            input=stdin,
            cwd=self.folder,
            env=self.env | (env or {}),
            capture_output=True,
            check=False,
            timeout=60,
        )
        said = f"secretkit {' '.join(arguments)}"
        if code is not None and done.returncode != code:
            output = (done.stdout + done.stderr).decode(errors="replace")
            raise AssertionError(f"{said} ended with {done.returncode}, not {code}: {output}")
        if b"Traceback" in done.stderr and "--debug" not in arguments:
            self.found.append(f"{said}: a traceback")
        self.search(f"stderr of {said}", done.stderr)
        if not shows:
            self.search(f"stdout of {said}", done.stdout)

    @property
    def env(self) -> dict[str, str]:
        home = self.folder.parent
        return os.environ | {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_RUNTIME_DIR": str(home / "no runtime folder"),
            "TMPDIR": str(home / "tmp"),
        }

    def watch(self, stop: threading.Event) -> None:
        """Read every process's arguments and environment, again and again."""
        while not stop.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        content = (process / name).read_bytes()
                    except OSError:
                        continue
                    if name == "environ" and VIA_ENVIRONMENT.encode() in content:
                        continue
                    self.search(f"/proc/…/{name} of {content[:40]!r}", content)
            self.scans += 1

    def search_files(self) -> None:
        """Everything on disk below the home, and what is new in the shared temporary folders."""
        for path in sorted(self.folder.parent.rglob("*")):
            if path.is_file() and not path.is_symlink() and "dev-secrets" not in path.parts:
                self.search(str(path.relative_to(self.folder.parent)), path.read_bytes())


def hunt(folder: Path) -> Hunt:
    """Run the whole programme below `folder`; returns what was found."""
    project = folder / "project"
    project.mkdir()
    (folder / "tmp").mkdir()
    here = Hunt(project)
    stop = threading.Event()
    watcher = threading.Thread(target=here.watch, args=(stop,))
    watcher.start()
    try:
        _programme(here)
    finally:
        stop.set()
        watcher.join()
    here.search_files()
    return here


def _programme(here: Hunt) -> None:
    value, project = here.value, here.folder
    here.run("init")
    here.run("create", "canary", "-", stdin=value)
    here.run("rotate", "canary", "-", stdin=value + b"\n")
    for flags in ((), ("--debug",)):
        here.run(*flags, "create", "canary", "-", stdin=value, code=4)
        here.run(*flags, "create", "no name", "-", stdin=value, code=2)
        here.run(*flags, "create", "large", "-", stdin=value * 20_000, code=2)
        here.run(*flags, "rotate", "other", "-", stdin=value, code=3)
    for report in ("ls", "inspect canary", "audit", "check", "key ls", "dev status"):
        here.run(*report.split(), "--json", code=None)
        here.run(*report.split(), code=None)
    here.run("doctor", code=None)
    here.run("show", "canary", shows=True)
    here.run("show", "canary", "--version", "9", "--debug", code=3)
    here.run("rotate", "canary", "-", "--dry-run", stdin=value)
    here.run("rollback", "canary")
    _through_the_shim(here)
    here.run("dev", "up")
    here.run("rotate", "canary", "-", stdin=value)
    here.run("dev", "status")
    (project / "compose.yaml").write_text(
        "services: {a: {image: b, secrets: [canary]}}\nsecrets: {canary: {external: true}}\n"
    )
    here.run("dev", "compose")
    here.run("dev", "up", "--layout", "kubernetes")
    here.run("dev", "compose", "--live")
    here.run("dev", "run", "--", "true", code=None)  # the kernel may refuse
    here.run("--debug", "dev", "run", "--", "/no/such/program", code=127)
    here.run("dev", "watch", "--", "true", env=MARKER)  # it has a variable per secret
    here.run("dev", "down")
    here.run("backup", str(project / "backup"))
    here.run("key", "rotate")
    _crash_with_the_value_in_memory(here)
    # The value in places where a careless message would repeat it.
    (project / "file").write_bytes(value)
    here.run("create", "from-file", "file")
    (project / "file").unlink()
    (project / "secretkit.toml").write_bytes(b'[secrets.x]\ngenerate = "no such kind"\n')
    here.run("rotate", "canary", "-", stdin=value, code=2)
    (project / "secretkit.toml").write_bytes(b"")
    database = project / ".secretkit" / "store.db"
    content = bytearray(database.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    database.write_bytes(content)
    for flags in ((), ("--debug",)):
        here.run(*flags, "show", "canary", code=7)
        here.run(*flags, "rotate", "canary", "-", stdin=value, code=7)


def _through_the_shim(here: Hunt) -> None:
    legacy = "import os, sys; sys.exit(not os.environ['PASSWORD'])"
    python = sys.executable
    here.run("run", "--env", "PASSWORD=canary", "--", python, "-c", legacy, env=MARKER)
    here.run("run", "--env", "PASSWORD=canary", "--explain", "--", python)
    here.run("run", "--env", "PASSWORD=canary", "--check", "--", python)
    here.run("run", "--env", "LD_PRELOAD=canary", "--", python, code=125)
    here.run("run", "--env", "PASSWORD=canary", "--", "/no/such/program", code=127, env=MARKER)
    project = here.folder
    for name, template, code in (
        ("good.yaml", 'a: "<<canary>>"\n', 0),
        ("good.json", '{"a": <<canary>>}\n', 0),
        ("bad.txt", "a <<canary>>\n", 125),
        ("bad.yaml", "a: |\n  <<canary>>\n", 125),
        ("bad.sh", "cat <<EOF\n<<canary>>\nEOF\n", 125),
        ("bad.json", '{"a": <<canary>>, }\n', 125),
        ("bad.json.j2", '{"a": {{ canary }}, "b": {{ undefined }} }\n', 125),
        (
            "loop.yaml.j2",
            "{% for name in secrets %}\n- {{ secrets[name] / 2 }}\n{% endfor %}\n",
            125,
        ),
    ):
        (project / name).write_text(template)
        destination = f"/dev/shm/secretkit-leaks-{os.getpid()}-{name.removesuffix('.j2')}"
        rendering = ("run", "--render", f"{name}:{destination}", "--", "true")
        here.run(*rendering, code=code)
        here.run("--debug", *rendering, code=code)
        here.run("render", f"{name}:{destination}", "--diff", code=None)
        here.run("render", f"{name}:{destination}", "--check", code=None)
        Path(destination).unlink(missing_ok=True)
        (project / name).unlink()


def _crash_with_the_value_in_memory(here: Hunt) -> None:
    """A fatal signal while the value is read: no core file with it."""
    limit = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (limit[1], limit[1]))
    try:
        process = subprocess.Popen(
            [SECRETKIT, "rotate", "canary", "-"],
            cwd=here.folder,
            env=here.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdin is not None
        process.stdin.write(here.value)
        process.stdin.flush()
        time.sleep(0.5)
        process.send_signal(signal.SIGSEGV)
        process.wait(timeout=10)
        process.stdin.close()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, limit)


def main(argv: list[str] | None = None) -> int:
    """Hunt; 1 if the canary was found anywhere."""
    parser = argparse.ArgumentParser(prog="leaks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(argv)
    found: list[str] = []
    commands = scans = 0
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="secretkit-leaks-", dir="/var/tmp") as folder:
            result = hunt(Path(folder))
        found += result.found
        commands += result.commands
        scans += result.scans
    for where in sorted(set(found)):
        print(f"  {where}")
    print(
        f"canaries: {commands} commands, {scans} looks at every process,"
        f" found in {len(found)} places where they do not belong"
    )
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())

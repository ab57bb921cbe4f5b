"""A container engine for tests: the one that DOCKER_HOST names, or a private one.

The private engine is a dockerd in namespaces of its own, with all that it writes in one temporary
folder and no network. It is killed with this process, however that ends. There is no registry, so
the image is made of this machine's own programs. As a swarm it is a manager and the only node.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

import pytest

from tests.needs import need

PYTHON = "/usr/bin/python3"
# What examples run in a container, as far as this machine has it.
PROGRAMS = ("/bin/sh", "/bin/cat", "/bin/sed")
PROGRAMS += ("/usr/bin/redis-server", "/usr/bin/redis-cli", "/usr/sbin/nginx")
UNUSED = ("test", "idlelib", "lib2to3", "ensurepip", "tkinter", "turtledemo", "dist-packages")
UNUSED += ("__pycache__", "sitecustomize.py")
ACCOUNTS = {
    "etc/passwd": b"root:x:0:0::/:/bin/sh\n"
    b"redis:x:999:999::/:/bin/false\n"
    b"nginx:x:101:101::/:/bin/false\n"
    b"nobody:x:65534:65534::/:/bin/false\n",
    "etc/group": b"root:x:0:\nredis:x:999:\nnginx:x:101:\nnogroup:x:65534:\n",
}
# Folders that dockerd shares with others whatever its options. It gets empty ones on top of them;
# the folders themselves are made and stay, because another engine may have begun to use them.
SHARED = ("/run/docker", "/run/containerd", "/etc/docker")
READY = 60  # seconds


@dataclass(frozen=True)
class Engine:
    """An engine that answers at `host`, and has an image with Python and a shell."""

    host: str
    # Of its own for each process: several may use one engine.
    image: str = field(default_factory=lambda: f"secretkit-test:{token_hex(8)}")

    def environment(self) -> dict[str, str]:
        """What a docker client needs: the classic builder works without a registry."""
        return {"DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "0"}

    def docker(self, *words: str, check: bool = True) -> str:
        """What the docker client prints."""
        done = subprocess.run(
            ["docker", *words],
            env=os.environ | self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
        )
        said = done.stderr.decode(errors="replace")
        assert not check or done.returncode == 0, f"docker {' '.join(words)}: {said}"
        return done.stdout.decode().strip()  # without changing line ends, as text=True would

    def answers(self) -> bool:
        """Whether an engine is there."""
        return bool(self.docker("version", "--format", "{{.Server.Version}}", check=False))

    def manages(self) -> bool:
        """Whether it is a manager of a swarm."""
        said = self.docker("info", "--format", "{{.Swarm.ControlAvailable}}", check=False)
        return said == "true"


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """An engine with an image of this machine in it; skips where there is none."""
    with contextlib.ExitStack() as stack:
        found = named_engine()
        if not found.host or not found.answers():
            found = stack.enter_context(private_engine())
        stack.enter_context(image(found))
        yield found


@pytest.fixture(scope="session")
def swarm() -> Iterator[Engine]:
    """A manager of a swarm with an image of this machine in it; skips where there is none."""
    with contextlib.ExitStack() as stack:
        found = named_engine()
        if not found.host or not found.manages():
            found = stack.enter_context(private_engine(swarm=True))
        stack.enter_context(image(found))
        yield found


@contextlib.contextmanager
def left_as_it_was(found: Engine) -> Iterator[None]:
    """What is made meanwhile on a swarm is removed from it: services, then what they use."""
    kinds = ("service", "secret", "config")
    before = {kind: found.docker(kind, "ls", "--quiet").split() for kind in kinds}
    try:
        yield
    finally:
        for kind in kinds:
            made = set(found.docker(kind, "ls", "--quiet").split()) - set(before[kind])
            if made:
                found.docker(kind, "rm", *made)


def named_engine() -> Engine:
    """The engine that DOCKER_HOST names, which may not be there."""
    need("engine", shutil.which("docker") is not None, "needs a docker client")
    need("engine", Path(PYTHON).exists(), f"needs {PYTHON} to make an image of")
    return Engine(os.environ.get("DOCKER_HOST", ""))


@contextlib.contextmanager
def image(found: Engine) -> Iterator[None]:
    """Its image, removed afterwards."""
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        write_image(Path(file.name))
        found.docker("import", "--change", 'CMD ["python3"]', file.name, found.image)
    try:
        yield
    finally:
        found.docker("image", "rm", "--force", found.image, check=False)


@contextlib.contextmanager
def private_engine(*options: str, swarm: bool = False) -> Iterator[Engine]:
    """A dockerd that nothing else on this machine sees; needs root. `options` are its own."""
    with private_daemon(*options, swarm=swarm) as daemon:
        yield daemon.engine


@contextlib.contextmanager
def private_daemon(*options: str, swarm: bool = False) -> Iterator[Daemon]:
    """As `private_engine`, to be killed and started again on its data.

    A swarm has networks of its own, in a network namespace of its own: its ports are fixed.
    """
    programs = ["dockerd", "containerd", "runc", "unshare", "setpriv"]
    programs += ["ip", "iptables"] if swarm else []
    able = os.geteuid() == 0 and all(map(shutil.which, programs))
    need("engine", able, f"needs DOCKER_HOST, or root and {', '.join(programs)}")
    with tempfile.TemporaryDirectory(prefix="secretkit-engine-") as name:
        daemon = Daemon(Path(name), swarm, options)
        try:
            daemon.start()
            if swarm:
                daemon.engine.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
            yield daemon
        finally:
            daemon.stop()


class Daemon:
    """A dockerd in namespaces of its own, with its data in `folder`."""

    def __init__(self, folder: Path, swarm: bool, options: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.swarm = swarm
        self.options = options
        self.engine = Engine(f"unix://{folder}/docker.sock")
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        folder = self.folder
        server = [
            *("dockerd", "--host", self.engine.host, "--pidfile", f"{folder}/pid"),
            *("--data-root", f"{folder}/data", "--exec-root", f"{folder}/run"),
            *("--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{folder.name}"),
            *self.options,
        ]
        own = ["setpriv", "--pdeathsig", "KILL", "unshare", "--fork", "--kill-child"]
        own += ["--mount", "--propagation", "slave", "--pid", "--mount-proc"]
        # Another engine's folders, so that its containerd is not taken for ours.
        hide = "".join(f"mkdir -p {path} && mount -t tmpfs tmpfs {path} && " for path in SHARED)
        if self.swarm:
            own += ["--net"]
            hide += "ip link set lo up && "
        else:
            server += ["--bridge", "none", "--iptables=false", "--ip-forward=false"]
        # What one that was killed left there: a pid in it is that of a process in any namespace.
        (folder / "pid").unlink(missing_ok=True)
        shutil.rmtree(folder / "run", ignore_errors=True)
        log = folder / "log"
        with log.open("wb") as output:
            self._server = subprocess.Popen(
                [*own, "sh", "-c", f'{hide}exec "$@"', "sh", *server],
                # Else each task waits for a registry, which is not there.
                env=os.environ | {"DOCKER_SERVICE_PREFER_OFFLINE_IMAGE": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + READY
        while not self.engine.answers():
            alive = self._server.poll() is None and time.monotonic() < deadline
            assert alive, f"dockerd does not start: {log.read_text()[-2000:]}"
            time.sleep(0.1)

    def stop(self) -> None:
        """Ends it and, whatever it did not stop, the namespace around it."""
        self._end(signal.SIGTERM)
        # os.walk, as others' groups go away while it looks, which Path.glob does not stand.
        for folder, names, _ in os.walk("/sys/fs/cgroup"):
            if self.folder.name in names:
                with contextlib.suppress(OSError):
                    Path(folder, self.folder.name).rmdir()

    def kill(self) -> None:
        """SIGKILL for it and all of its containers, as a machine dies that loses its power."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._server is None:
            return
        pid = self._server.pid
        with contextlib.suppress(OSError, ValueError):
            # The first process of the namespace, without which no other lives.
            os.kill(int(Path(f"/proc/{pid}/task/{pid}/children").read_text()), number)
        try:
            self._server.wait(20)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()


def write_image(path: Path) -> None:
    """Write the tar of a root file system: Python, its standard library, and PROGRAMS."""
    library = Path(
        subprocess.run(
            [PYTHON, "-ISc", "import sysconfig; print(sysconfig.get_path('stdlib'))"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    )
    programs = [PYTHON, *filter(os.path.exists, PROGRAMS)]
    extensions = [str(path) for path in (library / "lib-dynload").glob("*.so")]
    with tarfile.open(path, "w", dereference=True) as tar:
        for folder, mode in (("tmp", 0o1777), ("app", 0o755), ("run/secrets", 0o755)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        for name, content in ACCOUNTS.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for file in (*programs, *libraries([*programs, *extensions])):
            tar.add(file)
        for item in library.iterdir():
            if item.exists() and item.name not in UNUSED:
                tar.add(item, filter=without_caches)


def without_caches(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leaves out compiled modules, which double the size."""
    return None if entry.name.endswith("/__pycache__") else entry


def libraries(files: Iterable[str]) -> list[str]:
    """The shared libraries that `files` need, by their paths, with the loader."""
    done = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False)
    words = (word for line in done.stdout.splitlines() if line[:1] == "\t" for word in line.split())
    return sorted({word for word in words if word.startswith("/")})

"""--watch as the first process of a real container."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest

from secretkit.delivery.shim import export
from tests.engine import Engine, engine
from tests.shim.watched import SERVICE, replace, until

__all__ = ["engine"]

SHIM = ("python3", "-ISB", "/opt/secretkit/secretkit-entrypoint")


@dataclass(frozen=True)
class Container:
    """A container whose first process is a shim that watches."""

    engine: Engine
    folder: Path
    name: str

    def run(self, *words: str, options: tuple[str, ...] = ()) -> str:
        """Starts it with the shim's arguments `words`."""
        return self.engine.docker("run", "--detach", *options, *self.settings(*words))

    def settings(self, *words: str) -> list[str]:
        """What `docker run` gets: mounts, image, command."""
        mounts = [
            f"--volume={self.folder}/shim:/opt/secretkit:ro",
            f"--volume={self.folder}/out:/out",
        ]
        mounts += [f"--volume={self.folder}/secrets:/run/secrets:ro", "--network=none"]
        return [f"--name={self.name}", *mounts, self.engine.image, *SHIM, "--watch", *words]

    def logged(self) -> list[str]:
        log = self.folder / "out" / "log"
        return log.read_text().splitlines() if log.exists() else []

    def status(self) -> int:
        """Its exit status, when it has ended."""
        return int(self.engine.docker("wait", self.name))

    def executed(self, script: str) -> str:
        return self.engine.docker("exec", self.name, "python3", "-ISc", script)


@pytest.fixture
def container(engine: Engine) -> Iterator[Container]:
    """A container to run, with a mount and a folder for its log; removed afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        export(folder / "shim")
        (folder / "secrets").mkdir()
        (folder / "out").mkdir()
        (folder / "out").chmod(0o777)
        (folder / "secrets" / "x").write_text("one")
        made = Container(engine, folder, f"shim-{folder.name}")
        try:
            yield made
        finally:
            engine.docker("rm", "--force", made.name, check=False)


# Orphans 1000 grandchildren, each of which ends when it is one, and says how many are left.
ORPHANS = """
import os, time
for number in range(1000):
    if os.fork() == 0:
        child = os.fork()
        if child == 0:
            while os.getppid() != 1: time.sleep(0.001)
        os._exit(0)
    os.wait()
def others():
    states = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in (1, os.getpid()):
            try:
                with open(f"/proc/{name}/stat") as file: stat = file.read()
                states.append(stat.rpartition(") ")[2][0])
            except OSError: pass
    return states
deadline = time.monotonic() + 60
while others() and time.monotonic() < deadline: time.sleep(0.05)
with open("/out/log", "w") as log: log.write("left: " + "".join(others()) + "\\n")
os._exit(3)
"""


def test_a_thousand_orphans_are_reaped(container: Container) -> None:
    """None of them stays as a zombie, and the status is COMMAND's."""
    container.run("--no-env", "--", "python3", "-ISc", ORPHANS)
    assert container.status() == 3
    assert container.logged() == ["left: "]


def test_a_life_in_a_container(container: Container) -> None:
    """Non-root on a read-only root: a change, signals by docker kill, docker stop."""
    (container.folder / "secrets" / "template").write_text("<<x>>")
    words = ["--env", "X=x", "--render", "/run/secrets/template:/run/app/file,format=text"]
    service = ["python3", "-ISc", SERVICE, "/out/log", "/run/app/file"]
    options = ("--read-only", "--user=65534:65534", "--tmpfs=/run/app:uid=65534,mode=0700")
    container.run(*words, "--", *service, options=options)
    until(lambda: len(container.logged()) == 1, "the start")
    replace(container.folder / "secrets" / "x", "two")
    until(lambda: len(container.logged()) == 3, "the restart")
    container.engine.docker("kill", "--signal=USR1", container.name)
    until(lambda: len(container.logged()) == 4, "SIGUSR1")
    container.engine.docker("stop", "--time=60", container.name)
    assert container.status() == 0
    lines = [" ".join(line.split()[-2:]) for line in container.logged()]
    assert lines == ["X=one one", "X=one two", "X=two two", "X=two two", "X=two two"]
    kinds = [line.split()[0] for line in container.logged()]
    assert kinds == ["start", "signal", "start", "signal", "signal"]


def test_root_gives_to_a_user_what_the_user_could_not_read(container: Container) -> None:
    """Secrets of root, mode 0400: the shim stays root to read them, COMMAND is nobody."""
    path = container.folder / "secrets" / "x"
    path.chmod(0o400)
    service = ["python3", "-ISc", SERVICE, "/out/log"]
    container.run("--user", "nobody", "--env", "X=x", "--", *service)
    until(lambda: len(container.logged()) == 1, "the start")
    replace(path, "two")
    path.chmod(0o400)
    until(lambda: len(container.logged()) == 3, "the restart")
    script = (
        "import os\n"
        "for name in filter(str.isdigit, os.listdir('/proc')):\n"
        "    if name != str(os.getpid()): print(name, os.stat('/proc/' + name).st_uid)\n"
    )
    owners = dict(line.split() for line in container.executed(script).splitlines())
    assert owners.pop("1") == "0"
    assert list(owners.values()) == ["65534"]
    container.engine.docker("kill", "--signal=TERM", container.name)
    assert container.status() == 0


def test_without_the_capability_to_signal_nothing_is_started(container: Container) -> None:
    """Root without CAP_KILL could not stop a COMMAND that is another user."""
    drop = ("--cap-drop=ALL", "--cap-add=SETUID", "--cap-add=SETGID")
    container.run(
        "--user",
        "nobody",
        "--env",
        "X=x",
        "--",
        "python3",
        "-ISc",
        SERVICE,
        "/out/log",
        options=drop,
    )
    assert container.status() == 125
    assert not container.logged()


def test_the_death_of_the_shim_is_the_death_of_all(container: Container) -> None:
    """SIGKILL from outside, for the first process: the kernel ends the others."""
    container.run("--env", "X=x", "--", "python3", "-ISc", SERVICE, "/out/log")
    until(lambda: len(container.logged()) == 1, "the start")
    container.engine.docker("kill", "--signal=KILL", container.name)
    assert container.status() == 128 + signal.SIGKILL


@contextmanager
def terminal(container: Container, *words: str) -> Iterator[pexpect.spawn]:
    """`docker run --interactive --tty`, in a terminal."""
    command = ["docker", "run", "--interactive", "--tty", *container.settings(*words)]
    environ = os.environ | container.engine.environment()
    spawned = pexpect.spawn(command[0], command[1:], env=environ, timeout=60, encoding="utf-8")
    try:
        yield spawned
    finally:
        spawned.close(force=True)


COUNTING = (
    "import signal\n"
    "signal.pthread_sigmask(signal.SIG_BLOCK, {2, 15})\n"
    "print('ready', input(), flush=True)\n"
    "while True:\n"
    "    number = signal.sigwait({2, 15}) + 0\n"
    "    print('signal', number, flush=True)\n"
    "    if number == 15: raise SystemExit(7)\n"
)


@pytest.mark.parametrize("options", [(), ("--signal-group",)], ids=["alone", "group"])
def test_the_terminal_of_a_container(container: Container, options: tuple[str, ...]) -> None:
    """COMMAND reads it, gets Ctrl-C once, and Ctrl-Z neither stops it nor the shim."""
    words = ("--env", "X=x", *options, "--", "python3", "-ISc", COUNTING)
    with terminal(container, *words) as screen:
        screen.sendline("in")
        screen.expect("ready in")
        for key in ("\x03", "\x1a", "\x03"):
            screen.send(key)
            if key == "\x03":
                screen.expect("signal 2\r\n")
        with pytest.raises(pexpect.TIMEOUT):
            screen.expect("signal", timeout=0.5)
        container.engine.docker("kill", "--signal=TERM", container.name)
        screen.expect("signal 15")
        screen.expect(pexpect.EOF)
        screen.wait()
        assert screen.exitstatus == 7

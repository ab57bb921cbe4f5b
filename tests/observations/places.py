"""The places where a process sees secrets, and what `program.py` sees in each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from secrets import token_hex
from typing import Any

from tests.cli.program import Program
from tests.engine import PYTHON, Engine
from tests.mount.person import GID, UID
from tests.needs import need_program
from tests.observations.values import ASKED, VALUES
from tests.swarm.services import until

Seen = dict[str, Any]
ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("program.py")
SHIM = ROOT / "entrypoints"
BUSYBOX = "/bin/busybox"
FOLDER = "/run/secrets"
# What the program needs in a container, by the path there.
BROUGHT = {"/program.py": PROGRAM, "/shim": SHIM, BUSYBOX: Path(BUSYBOX)}
FILL = """\
import json, sys
from pathlib import Path
from secretkit.store import Store
with Store.open(Path.cwd()) as store:
    for name, value in json.load(sys.stdin).items():
        store.create(name, value.encode("latin-1"))
"""


def look(program: str | Path = "/program.py", shim: str | Path = "/shim") -> tuple[str, ...]:
    """The command that looks; with the machine's own Python, which the image has."""
    return (PYTHON, "-I", str(program), FOLDER, f"{shim}/secretkit-entrypoint", BUSYBOX)


def user_of(uid: int) -> str:
    """As docker takes a user and a group."""
    return f"{UID}:{GID}" if uid else "0:0"


def fill(program: Program) -> None:
    """Put the secrets into its store."""
    subprocess.run(
        [*program.before, sys.executable, "-c", FILL],
        cwd=program.folder,
        env=program.environ,
        input=json.dumps(
            {name: value.decode("latin-1") for name, value in VALUES.items()}
        ).encode(),
        check=True,
    )


def dev_run(program: Program, *options: str) -> Seen:
    """What a command under `dev run` sees."""
    return program.ok("dev", "run", *options, "--", *look(PROGRAM, SHIM)).json


def container(engine: Engine, uid: int, place: Path) -> Seen:
    """What a container sees that has the dev folder mounted."""
    mounted = [f"--volume={path}:{at}:ro" for at, path in BROUGHT.items()]
    mounted.append(f"--volume={place}:{FOLDER}:ro")
    words = ("--rm", "--network", "none", "--user", user_of(uid), *mounted, engine.image, *look())
    return json.loads(engine.docker("run", *words))


class Compose:
    """A compose file of a service that has the secrets, with the override file for it."""

    def __init__(self, engine: Engine, program: Program) -> None:
        self.engine = engine
        self.folder = program.folder
        references: list[Any] = [name for name in VALUES if name != ASKED]
        references.append({"source": ASKED, "uid": "103", "gid": f"{GID}", "mode": 0o440})
        service = {
            "image": engine.image,
            "network_mode": "none",
            "volumes": [f"{path}:{inside}:ro" for inside, path in BROUGHT.items()],
            "secrets": references,
        }
        document = {
            "version": "3.7",
            "services": {"looking": service},
            "secrets": {name: {"external": True} for name in VALUES},
        }
        # Every JSON is YAML.
        (self.folder / "compose.yaml").write_text(json.dumps(document))
        program.ok("dev", "compose")

    def seen(self, uid: int) -> Seen:
        """What a container of docker-compose sees."""
        files = ("-f", "compose.yaml", "-f", "compose.secretkit.yaml")
        done = subprocess.run(
            [
                *(need_program("docker-compose"), *files, "run", "--rm", "-T"),
                *("--user", user_of(uid), "looking", *look()),
            ],
            cwd=self.folder,
            env=os.environ | self.engine.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)


class Swarm:
    """Services on a swarm, one for each uid, that have the secrets."""

    def __init__(self, engine: Engine, uids: tuple[int, ...]) -> None:
        self.engine = engine
        self.mark = token_hex(4)
        references = []
        with tempfile.NamedTemporaryFile() as file:
            for name, value in VALUES.items():
                Path(file.name).write_bytes(value)
                source = f"{self.mark}-{len(references)}"
                engine.docker("secret", "create", source, file.name)
                references.append(f"source={source},target={name}")
        references[list(VALUES).index(ASKED)] += f",uid=103,gid={GID},mode=0440"
        words = [word for one in references for word in ("--secret", one)]
        for at, path in BROUGHT.items():
            words += ["--mount", f"type=bind,src={path},dst={at},readonly"]
        for uid in uids:
            engine.docker(
                *("service", "create", "--quiet", "--detach", "--name", self._name(uid)),
                *("--restart-condition", "on-failure", "--restart-delay", "100ms"),
                *("--user", user_of(uid), *words, engine.image, *look()),
            )

    def _name(self, uid: int) -> str:
        return f"looking-{self.mark}-{uid}"

    def seen(self, uid: int) -> Seen:
        """What the task saw, once it has ended well."""
        filters = (f"label=com.docker.swarm.service.name={self._name(uid)}", "exited=0")
        words = [f"--filter={one}" for one in filters]
        done: list[str] = []

        def ended() -> bool:
            done[:] = self.engine.docker("ps", "--all", "--quiet", *words).split()
            return bool(done)

        until("a task that has looked", ended)
        return json.loads(self.engine.docker("logs", done[0]))

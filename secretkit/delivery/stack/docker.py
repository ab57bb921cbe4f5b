"""The docker program, which deploys the stack: it reads, merges and checks the files itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from typing import NamedTuple

from ...errors import EngineError
from .rewrite import Given

# What the client says in its errors of a file's content: the text after these may be a value.
_CONTENT = re.compile(
    r"(invalid interpolation format for [^:\s]+|[, ]value|cannot unmarshal \S+|parsing):? .*"
)
# What it says of an option that we chose.
_NOTES = ("Since --detach=false was not specified", "In a future release, --detach=false")


class Settings(NamedTuple):
    """What is passed on to `docker stack deploy`."""

    prune: bool = False
    with_registry_auth: bool = False
    resolve_image: str | None = None  # always, changed, never; None: docker's own default


def program() -> str:
    """The docker client; raises EngineError if there is none."""
    found = shutil.which("docker")
    if found is None:
        raise EngineError(
            "there is no docker program on PATH, which deploys stacks",
            hint="install the docker client; no engine is needed on this machine",
        )
    return found


def deploy(
    name: str,
    given: Given,
    settings: Settings,
    environment: Mapping[str, str],
    say: Callable[[str], None],
) -> None:
    """Deploys the stack of these files. `environment` is the client's, and has their variables.

    `say` gets the client's lines, as they come. Raises EngineError with the last of them if it
    fails: it may have come to some services before.
    """
    docker = program()
    words = [docker, "stack", "deploy"]
    words += ["--prune"] if settings.prune else []
    words += ["--with-registry-auth"] if settings.with_registry_auth else []
    words += ["--resolve-image", settings.resolve_image] if settings.resolve_image else []
    if "--detach" in _help(docker, environment):
        words += ["--detach=true"]  # the waiting is ours
    last = ""
    with (
        given.opened() as (options, more),
        subprocess.Popen(  # noqa: S603 - found on PATH
            [*words, *options, name],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            **({"stdin": subprocess.DEVNULL} | more),
        ) as process,
    ):
        assert process.stdout  # noqa: S101 - a pipe, as asked for
        for line in process.stdout:
            text = _CONTENT.sub(r"\1 …", line.strip())
            if text and not text.startswith(_NOTES):
                if last:
                    say(last)
                last = text
    if last and not process.returncode:
        say(last)
    if process.returncode:
        raise EngineError(
            f"docker stack deploy failed, {name}: {last or 'it says nothing'}",
            hint="services that it came to before are changed; mend the cause and run it again",
        )


def _help(docker: str, environment: Mapping[str, str]) -> str:
    done = subprocess.run(  # noqa: S603 - found on PATH
        [docker, "stack", "deploy", "--help"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return done.stdout

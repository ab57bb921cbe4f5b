"""The docker program, which deploys the stack: it reads, merges and checks the files itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ...errors import EngineError, UsageError
from .rewrite import Given

# What the client says in its errors of a file's content: the text after these may be a value.
_CONTENT = re.compile(
    r"(invalid interpolation format for [^:\s]+|[, ]value|cannot unmarshal \S+|parsing):? .*"
)
# And what it quotes, but for names.
_QUOTED = re.compile(
    r"""(?P<name>\b(?:service|network|volume|secret|config)s? (['"])[\w.-]+\2)"""
    r"""|(?<!\w)(['"`])(?:.*\3|.*)"""
)
# What it says of an option that we chose, and of what is said in one line here.
_NOTES = (
    *("Since --detach=false was not specified", "In a future release, --detach=false"),
    *("its digest. Each node will access ", "possibly leading to different nodes running"),
    "versions of the image.",
)
_NO_DIGEST = re.compile(r"image (\S+) could not be accessed on a registry to record")
_NOWHERE = "unix:///dev/null/no-engine"


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


def check(
    name: str, given: Given, environment: Mapping[str, str], variables: str | None = None
) -> None:
    """Has docker read the files, and ask no engine; raises UsageError for what it refuses of them.

    `variables` is what is wrong with their variables, to be said if docker refuses these: what it
    says of them itself may hold a value.
    It does not see what an engine would refuse.
    """
    docker = program()
    words = [docker, "stack", "config"]
    if not re.search(r"^ +config ", _help(docker, environment), re.MULTILINE):
        # Before 23.0: `deploy` reads the files before it looks for its engine.
        words = [docker, "stack", "deploy", name]
        environment = {**environment, "DOCKER_HOST": _NOWHERE}
    with given.opened() as (options, more):
        done = subprocess.run(  # noqa: S603 - found on PATH
            [*words, *options],
            env=_in(more, environment),
            stdout=subprocess.DEVNULL,  # the files, with the values of variables
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
            **({"stdin": subprocess.DEVNULL} | more),
        )
    if done.returncode and _NOWHERE not in done.stderr:
        said = [*told(done.stderr.splitlines())] or ["it does not say why"]
        if variables and "invalid interpolation format" in said[-1]:
            said = [variables]
        raise UsageError(
            f"docker refuses the files of stack {name}: {said[-1]}",
            hint="nothing was made or changed",
        )


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
    if "--detach" in _help(docker, environment, "deploy"):
        words += ["--detach=true"]  # the waiting is ours
    last = ""
    with (
        given.opened() as (options, more),
        subprocess.Popen(  # noqa: S603 - found on PATH
            [*words, *options, name],
            env=_in(more, environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            **({"stdin": subprocess.DEVNULL} | more),
        ) as process,
    ):
        assert process.stdout  # noqa: S101 - a pipe, as asked for
        for text in told(process.stdout):
            if last:
                say(last)
            last = text
    if last and not process.returncode:
        say(last)
    if process.returncode:
        raise EngineError(
            f"docker stack deploy failed, {name}: {last or 'it says nothing'}",
            hint="services that it came to before may be changed; mend the cause and run it again",
        )


def _in(more: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """The client's variables where it starts in another folder: the path to it may have links."""
    return {**environment, **({"PWD": more["cwd"]} if "cwd" in more else {})}


def told(lines: Iterable[str]) -> Iterator[str]:
    """What the client says, without what may be a value, and without what is no news."""
    before = ""
    for line in lines:
        text = _QUOTED.sub(lambda found: found["name"] or "'…'", line.strip())
        text = _CONTENT.sub(r"\1 …", text)
        if found := _NO_DIGEST.fullmatch(text):
            text = f"no registry tells the digest of {found[1]}: nodes may run different images"
        if text and text != before and not text.startswith(_NOTES):
            yield text
            before = text


def _help(docker: str, environment: Mapping[str, str], *command: str) -> str:
    done = subprocess.run(  # noqa: S603 - found on PATH
        [docker, "stack", *command, "--help"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return done.stdout

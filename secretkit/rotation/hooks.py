"""Programs around a rotation: the values of both versions reach them as files in memory.

A hook is an argv, run without a shell in the project folder. Its variables:

- SECRETKIT_NAME, SECRETKIT_PREVIOUS, SECRETKIT_NEXT: the secret, and the numbers of its versions;
- SECRETKIT_PREVIOUS_FILE, SECRETKIT_NEXT_FILE: paths of their values, absent where one is unknown;
- SECRETKIT_SERVICE: the service, where the hook is about one.
"""

from __future__ import annotations

import binascii
import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from ..errors import HookError
from ..mount import private

TIMEOUT = 600.0  # seconds
_LONGEST = 1 << 16  # bytes of one line that is passed on
_PART = 6  # bytes: shorter lines of a value of several lines are no secret by themselves
_TOO_LONG = b"(a line too long to be passed on)"
_ENDING = 2.0  # seconds from SIGTERM to SIGKILL
_GRACE = 0.5  # seconds for what a hook has left in the pipe, when it has started a daemon

VARIABLES = (
    "SECRETKIT_NAME",
    "SECRETKIT_PREVIOUS",
    "SECRETKIT_NEXT",
    "SECRETKIT_PREVIOUS_FILE",
    "SECRETKIT_NEXT_FILE",
    "SECRETKIT_SERVICE",
)
Version = tuple[int, bytes | None]  # number, and value where it is known


class Hooks(NamedTuple):
    """`[secrets.NAME.hooks]`: each an argv, empty where there is none."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    verify: tuple[str, ...] = ()
    folder: Path | None = None  # the project's, where they run; None: the current one


def run(
    hook: Literal["before", "after", "verify"],
    argv: tuple[str, ...],
    *,
    name: str,
    before: Version | None,
    after: Version,
    service: str | None = None,
    folder: Path | None = None,
    timeout: float = TIMEOUT,
    on_output: Callable[[str], object] | None = None,
) -> None:
    """Runs one hook to its end; raises HookError unless it exits with 0 within `timeout` seconds.

    `before` and `after` are the versions of the rotation. It runs in `folder` (default: the
    current one), from where a program with a slash in its name is looked for too. Each line that
    it prints goes to `on_output`, with both values masked. If it does not end in time, or an
    exception arrives here, its process group is ended.
    """
    title = f"hook {hook} of {name}" + (f" for {service}" if service else "")
    masks = _masks(name, (after,) if before is None else (before, after))
    with private.ephemeral() as place:
        environment = {key: text for key, text in os.environ.items() if key not in VARIABLES}
        environment |= _variables(place, name, before, after, service)
        try:
            process = subprocess.Popen(  # noqa: S603 - the user's own, from secretkit.toml
                argv,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            reason = (error.strerror or "cannot be started").lower()
            raise HookError(
                f"{title} cannot be started, {argv[0]}: {reason}",
                hint=f"[secrets.{name}.hooks] in secretkit.toml: a program of the project has a"
                " slash in its name, any other is on PATH",
            ) from None
        with process:
            try:
                for line in _lines(process, time.monotonic() + timeout):
                    if on_output:
                        on_output(_masked(line, masks))
            finally:
                ended = process.poll() is not None
                if not ended:
                    _end(process)
    if not ended:
        raise HookError(f"{title} was not done within {timeout:g} seconds, and was ended")
    if process.returncode < 0:
        raise HookError(f"{title} was ended by {signal.Signals(-process.returncode).name}")
    if process.returncode:
        raise HookError(f"{title} failed, exit status {process.returncode}")


def _variables(
    place: Path, name: str, before: Version | None, after: Version, service: str | None
) -> dict[str, str]:
    said = {"SECRETKIT_NAME": name}
    for which, version in (("PREVIOUS", before), ("NEXT", after)):
        if version is None:
            continue
        number, value = version
        said[f"SECRETKIT_{which}"] = str(number)
        if value is not None:
            path = place / which.lower()
            private.write_file(path, value, 0o400)
            said[f"SECRETKIT_{which}_FILE"] = str(path)
    if service is not None:
        said["SECRETKIT_SERVICE"] = service
    return said


def _lines(process: subprocess.Popen[bytes], deadline: float) -> Iterator[bytes]:
    """What the process prints, until it has ended or the deadline has come."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    held, too_long = b"", False
    until = deadline
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (now := time.monotonic()) < until:
            ready = selector.select(min(until - now, 0.1))
            if process.poll() is not None:
                until = min(until, now + _GRACE)
            if not ready:
                continue
            part = os.read(process.stdout.fileno(), _LONGEST)
            if not part:
                break
            *lines, held = (held + part).split(b"\n")
            for line in lines:
                yield _TOO_LONG if too_long or len(line) > _LONGEST else line
                too_long = False
            # The rest of what is cut off could be a part of a value, which no mask would fit.
            if len(held) > _LONGEST:
                held, too_long = b"", True
    if held or too_long:
        yield _TOO_LONG if too_long else held
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, deadline - time.monotonic()))


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_ENDING)


def _masks(name: str, versions: tuple[Version, ...]) -> dict[bytes, bytes]:
    """What is not passed on, longest first, and what stands for it."""
    from urllib.parse import quote

    masks: dict[bytes, bytes] = {}
    for number, value in versions:
        if value is None:
            continue
        shown = f"<secret {name} v{number}>".encode()
        whole = value.rstrip(b"\n")
        text = value.decode(errors="replace").rstrip("\n")
        forms = [
            *(line for line in whole.splitlines() if len(line) >= _PART),
            *(binascii.b2a_base64(each, newline=False) for each in (value, whole)),
            *(each.hex().encode() for each in (value, whole)),
            quote(whole, safe="").encode(),
            json.dumps(text)[1:-1].encode(),
        ]
        if b"\n" not in whole:
            forms.append(whole)
        masks |= {form: shown for form in forms if form}
    return dict(sorted(masks.items(), key=lambda mask: -len(mask[0])))


def _masked(line: bytes, masks: dict[bytes, bytes]) -> str:
    if masks:
        line = re.sub(b"|".join(map(re.escape, masks)), lambda found: masks[found[0]], line)
    return line.decode(errors="replace").rstrip("\r")

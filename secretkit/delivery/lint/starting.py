"""Checks of how an image with the shim starts: ENTRYPOINT, CMD, USER, HEALTHCHECK."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..dockerfiles import Instruction
from ..findings import Finding, Place
from ..healthchecks import MEND_FIRST, findings_of_check
from ..shimmed import Shimmed, ends_in_exec, shimmed, through
from .situation import Situation


def starts(here: Situation) -> Iterator[Finding]:
    """How what is built starts: ENTRYPOINT, CMD, HEALTHCHECK, USER."""
    entrypoint, back = here.last("ENTRYPOINT")
    command, command_back = here.last("CMD")
    for one in (entrypoint, command, here.last("HEALTHCHECK")[0]):
        if one and _looks_listed(one):
            yield here.finding(
                "broken-exec-form",
                one,
                f"{one.word} looks like a list but is not JSON: a shell gets it as text",
                'write it with double quotes: ["program", "argument"]',
            )
    shim = shimmed(entrypoint.words) if entrypoint else None
    yield from _health(here, shim)
    if entrypoint is None or shim is None:
        return
    if entrypoint.listed is None:
        yield here.finding(
            "shim-shell-form",
            entrypoint,
            "a shell is PID 1 in the shim's place, and CMD is ignored",
            'ENTRYPOINT ["python3", "-ISB", "/opt/secretkit/secretkit-entrypoint", "--"]',
        )
        return
    script = bool(shim.command) and "entrypoint" in shim.command[0]
    if (command is None or command_back > back) and (not shim.command or script):
        yield here.finding(
            "shim-clears-cmd",
            entrypoint,
            "ENTRYPOINT clears the CMD of the image that it builds on",
            "state it again: CMD as docker image inspect -f '{{json .Config.Cmd}}' shows it",
        )
    if (
        command
        and command_back <= back
        and command.listed is None
        and not ends_in_exec(command.arguments)
    ):
        yield here.finding(
            "cmd-shell-form",
            command,
            "CMD is in shell form: /bin/sh may stay PID 1, as dash does",
            "write it as a list, or put exec in front",
        )
    if not shim.ended and not shim.command:
        yield here.finding(
            "shim-without-dashes",
            entrypoint,
            "without -- at its end, a CMD that begins with a dash is taken for options of the shim",
            'end it with "--"]',
        )
    user, _ = here.last("USER")
    if "--user" in shim.names and user and user.arguments.split(":")[0] not in ("root", "0"):
        yield here.finding(
            "shim-user-needs-root",
            user,
            "--user of the shim needs root at the start, but USER is another",
            "take USER out, or --user",
        )
    yield from _compiled(here)


def _words(health: Instruction) -> list[str]:
    """The command line of a health check."""
    return ["/bin/sh", "-c", health.command] if health.listed is None else health.listed


def _looks_listed(one: Instruction) -> bool:
    return one.listed is None and re.match(r"""\[(?! )[^]]*,|\[ ?['"]""", one.command) is not None


def _compiled(here: Situation) -> Iterator[Finding]:
    """Only where the shim comes with this file: the image below may have compiled it."""
    brought = [
        one
        for stage in here.line_of
        for one in stage.all("COPY", "ADD")
        if any(re.search(r"secretkit|shim", word) for word in one.words)
    ]
    runs = [one.text for stage in here.line_of for one in stage.all("RUN")]
    if brought and not any("--compile" in text for text in runs):
        yield here.finding(
            "shim-not-compiled",
            brought[-1],
            "every start compiles the shim, which takes 10 ms",
            'RUN ["python3", "-ISB", "/opt/secretkit/secretkit-entrypoint", "--compile"]',
        )


def _health(here: Situation, shim: Shimmed | None) -> Iterator[Finding]:
    """What HEALTHCHECK prints, and what it would, if the shim were before it.

    Files that the shim's options write hold values.
    """
    health, _ = here.last("HEALTHCHECK")
    if health is None:
        return
    words = _words(health)
    missed = _missed(here, shim, words) if shim else []
    place = Place(here.path, health.line)
    printed = [*findings_of_check(words, "HEALTHCHECK", place, shim.files if shim else (), missed)]
    yield from printed
    if shim and missed:
        line = " ".join(["HEALTHCHECK", *health.flags, through(shim, words, missed)])
        yield here.finding(
            "healthcheck-without-shim",
            health,
            f"HEALTHCHECK reads {', '.join(missed)}, set by the shim for the main process alone",
            MEND_FIRST if printed else line,
        )


def _missed(here: Situation, shim: Shimmed, words: list[str]) -> list[str]:
    """The variables of the shim that a health check reads, and does not get."""
    if shimmed(words):
        return []
    known = {name for stage in here.line_of for one in stage.all("ENV") for name, _, _ in one.pairs}
    configured = any(
        "entrypoint.json" in one.arguments or "/etc/secretkit" in one.arguments
        for stage in here.line_of
        for one in stage.all("COPY", "ADD")
    )
    return [
        name
        for name in shim.missed(words, ())
        if name not in known and (name in shim.variables or not configured)
    ]

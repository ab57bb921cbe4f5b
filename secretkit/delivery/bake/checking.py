"""What would go wrong if an image were baked: from the image's facts to findings. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from secretkit.errors import ConflictError, SecretkitError

from ..findings import Finding, Place
from ..healthchecks import MEND_FIRST, findings_of_check
from ..lint.names import credentials, is_plain, is_secret
from ..lint.script import findings_of_script, is_script
from ..shim import LAUNCHER
from ..shimmed import Shimmed, ends_in_exec, shimmed, through
from .image import Image, Search
from .options import entries
from .recipe import ALL, CLOSED, NO_PLACE, Recipe, Wish

_ROOT = re.compile(r"^[^#\n]*?\b(gosu|su-exec|setpriv|runuser|chown|chroot)\s", re.MULTILINE)
_ASKS_USER = re.compile(r"\bid\s+-u\b|\$\{?E?UID\b")
_FILE_ENV = re.compile(r"^[^#\n]*?\bfile_env\s+[\"']?([A-Z][A-Z0-9_]*)", re.MULTILINE)
_READS = re.compile(r"^[^#\n]*/run/secrets/", re.MULTILINE)
# How a build's arguments stand in the history: |2 A=x B=y /bin/sh -c …
_ARGUMENTS = re.compile(r"(?:RUN )?\|(\d+) (.*)", re.DOTALL)
_PRIVILEGED = 1024  # ports below belong to root


class Facts(NamedTuple):
    """What is known of an image, and what the shim is to do in it."""

    image: Image
    search: Search  # for a Python
    remedy: str  # what gives it a Python
    machine: str  # the engine's architecture, as images name it
    scripts: Mapping[str, str]  # by path: the texts of the shell scripts that it starts
    checks: Sequence[str]  # the texts of the programs that its health check names
    history: Sequence[str]  # how each layer was made
    wish: Wish
    recipe: Recipe | None  # what would be built; None if nothing can be
    refused: SecretkitError | None  # why not
    templates: Mapping[str, bytes] = {}  # of the project, by their names
    closed: tuple[str, ...] = ()  # of the wish's tmpfs: to the image's user, as docker mounts them

    @property
    def shim(self) -> Shimmed:
        """The shim as it would be started, with what its config file says as options."""
        return self.wish.shim(self.search.python.path if self.search.python else "python3")

    @property
    def configured(self) -> set[str]:
        """The variables that the shim's config file sets."""
        return {*self.wish.table.get("env", ()), *self.wish.table.get("expand_file", ())}


def findings_of_image(facts: Facts) -> list[Finding]:
    """Everything that would go wrong, in the order of what it stops."""
    found = [*_platform(facts), *_starts(facts), *_scripts(facts), *_health(facts)]
    return [*found, *_rights(facts), *_secrets(facts)]


def _finding(facts: Facts, rule: str, message: str, remedy: str) -> Finding:
    return Finding(rule, Place(facts.image.name), message, remedy)


def _platform(facts: Facts) -> Iterator[Finding]:
    image = facts.image
    # Without the image's user none can be looked for.
    missing = facts.search.python is None and not isinstance(facts.refused, ConflictError)
    missing = missing and image.os == "linux"
    if facts.refused is not None and not missing:
        remedy = facts.refused.hint or ""
        yield _finding(facts, "bake-refused", str(facts.refused), remedy)
    if image.os != "linux":
        return
    if image.architecture != facts.machine:
        yield _finding(
            facts,
            "foreign-image",
            f"it is for {image.architecture}, but the engine is {facts.machine}: "
            "its Python may not run here",
            f"bake it on an engine for {image.architecture}",
        )
    if missing:
        seen = facts.search.seen
        yield _finding(
            facts,
            "no-python",
            "there is no Python 3.6 or later" + (f": {seen}" if seen else ""),
            facts.remedy,
        )


def _starts(facts: Facts) -> Iterator[Finding]:
    """ENTRYPOINT, CMD, ONBUILD."""
    image = facts.image
    text = shell_form(image.entrypoint)
    if text is not None:
        stays = (
            "" if ends_in_exec(text) else f": {image.entrypoint[0]} may stay PID 1, as dash does"
        )
        yield _finding(
            facts,
            "entrypoint-shell-form",
            f"ENTRYPOINT starts a shell{stays}; CMD and arguments of docker run are ignored",
            "write it as a list, or at least put exec in front of the program",
        )
    text = shell_form(image.cmd)
    if text is not None and not ends_in_exec(text):
        yield _finding(
            facts,
            "cmd-shell-form",
            f"CMD starts a shell: {image.cmd[0]} may stay PID 1, as dash does",
            "write it as a list, or put exec in front of the program",
        )
    if image.onbuild:
        words = ", ".join(sorted({one.split(" ")[0] for one in image.onbuild}))
        yield _finding(
            facts,
            "onbuild-triggers",
            f"it has ONBUILD triggers ({words}), which run when it is baked",
            "bake an image that is built from it instead",
        )


def _scripts(facts: Facts) -> Iterator[Finding]:
    """The shell scripts that it starts."""
    for path, text in facts.scripts.items():
        place = Place(f"{facts.image.name}:{path}")
        found = sorted(findings_of_script(place.path, text), key=lambda one: (one.place, one.rule))
        yield from found
        if not any(one.rule == "missing-exec" for one in found):
            yield Finding(
                "entrypoint-script",
                place,
                "a shell script starts the program, and hands PID 1 on: the shim starts it",
                "",
            )
        if _READS.search(text):
            yield Finding(
                "script-reads-secrets",
                place,
                "it reads /run/secrets itself, which the shim does as well",
                f"docker run --rm --entrypoint cat {facts.image.name} {path} | "
                "secretkit shim convert - writes what the shim needs",
            )
        names = sorted(set(_FILE_ENV.findall(text)))
        if names:
            yield Finding(
                "script-expands-files",
                place,
                f"it reads {', '.join(f'{name}_FILE' for name in names)} itself: "
                "set these, and the shim has nothing to do for them",
                " ".join(f"--expand-file {name}" for name in names) + " makes the shim do it",
            )
        programs = sorted(set(_ROOT.findall(text)))
        if programs and facts.image.is_root and not _ASKS_USER.search(text):
            yield Finding(
                "root-at-start",
                place,
                f"it uses {', '.join(programs)}, which needs root",
                "start it as root: no --user of the shim, no -u, no --cap-drop ALL",
            )


def _health(facts: Facts) -> Iterator[Finding]:
    """A health check that prints secrets, or reads what only the shim sets."""
    check = facts.image.healthcheck
    kind, *words = check.get("Test") or ["NONE"]
    if kind == "CMD-SHELL":
        words = [*(facts.image.shell or ("/bin/sh", "-c")), *words]
    if kind not in ("CMD", "CMD-SHELL"):
        return
    written = {one.destination for one in entries(facts.wish.options, facts.wish.table)}
    missed = facts.shim.missed([*words, *facts.checks], facts.configured)
    missed = [name for name in missed if name not in facts.image.env and not shimmed(words)]
    place = Place(facts.image.name)
    printed = [*findings_of_check(words, "HEALTHCHECK", place, written, missed)]
    for text in facts.checks if not printed else ():
        if text.startswith("#!") and is_script(text):
            shell = ("/bin/sh", "-c", text)
            printed += findings_of_check(shell, "HEALTHCHECK's script", place, written, missed)
    yield from printed
    if missed:
        flags = [
            f"--{flag}={check[key] / 10**9:g}s"
            for flag, key in (
                ("interval", "Interval"),
                ("timeout", "Timeout"),
                ("start-period", "StartPeriod"),
            )
            if check.get(key)
        ]
        flags += [f"--retries={check['Retries']}"] if check.get("Retries") else []
        own = [name for name in missed if name not in facts.configured]
        yield _finding(
            facts,
            "healthcheck-without-shim",
            f"HEALTHCHECK reads {', '.join(missed)}, set by the shim for the main process alone",
            MEND_FIRST
            if printed
            else " ".join(["HEALTHCHECK", *flags, through(facts.shim, words, own)]),
        )


def _rights(facts: Facts) -> Iterator[Finding]:
    image = facts.image
    if "--user" in facts.shim.names and not image.is_root:
        yield _finding(
            facts,
            "shim-user-needs-root",
            "--user of the shim needs root at the start, but USER is another",
            "leave out --user, as the image has its user",
        )
    if "--allow-disk" in facts.shim.names:
        yield _finding(
            facts,
            "rendered-on-disk",
            "--allow-disk: the values stay in the container's writable layer, "
            + ("" if image.is_root else f"the folders must be writable for {image.user}, ")
            + "and a read-only root does not work",
            "leave it out: bake then puts the files into memory, and links to them",
        )
    ports = [
        port
        for port in image.exposed_ports
        if (number := re.match(r"\d+", port)) and int(number[0]) < _PRIVILEGED
    ]
    if ports and (not image.is_root or "--user" in facts.shim.names):
        yield _finding(
            facts,
            "privileged-port",
            f"it listens to {', '.join(ports)} without root: docker permits that, but not with "
            "--network host, and other engines may not",
            "let it listen to a port from 1024 on, if it has to run there",
        )


def _secrets(facts: Facts) -> Iterator[Finding]:
    """What everybody who has the image can read. Names only, no value."""
    change = "build it without, and change the secret"
    for name, value in facts.image.env.items():
        if (is_secret(name) and is_plain(value)) or [*credentials(value)]:
            yield _finding(
                facts, "plaintext-secret", f"ENV {name} has a secret in plain text", change
            )
    told = {
        what
        for what, words in (("ENTRYPOINT", facts.image.entrypoint), ("CMD", facts.image.cmd))
        if [*credentials(" ".join(words))]
    }
    for step in facts.history:
        found = _ARGUMENTS.match(step)
        pairs = [word.partition("=") for word in found[2].split()[: int(found[1])]] if found else []
        told |= {f"the build argument {n}" for n, _, v in pairs if is_secret(n) and is_plain(v)}
        command = step.partition(" -c ")[2]
        if not command.startswith("#(nop)") and [*credentials(command)]:
            told.add("a RUN of its history")
    for what in sorted(told):
        yield _finding(facts, "plaintext-secret", f"{what} has a secret in plain text", change)


def plan(facts: Facts) -> list[tuple[str, str]]:
    """What baking does: (what, how), a line each; nothing if it is not possible."""
    recipe = facts.recipe
    if recipe is None:
        return []
    image = recipe.image
    lines = [
        ("python", f"{recipe.python.path}, {recipe.python.version}"),
        ("ENTRYPOINT now", _shown(image.entrypoint)),
        ("ENTRYPOINT", _baked(recipe)),
        ("CMD", f"{_shown(image.cmd)}, stated again" if image.cmd else "none"),
        ("USER", f"{image.user or 'root'}, as it is"),
    ]
    if facts.shim.all_by_default:
        lines.append(("secrets", ALL))
    if recipe.table:
        lines.append(("entrypoint.json", json.dumps(recipe.table, ensure_ascii=False)))
    lines += [(f"<<{name}>>", NO_PLACE) for name in recipe.without_place]
    lines += [(f"--tmpfs {folder}", CLOSED) for folder in facts.closed]
    lines += [("template", f"{name}, copied from the project") for name in recipe.templates]
    for step in recipe.steps:
        if step.moved:
            lines.append(("template", f"{step.moved[0]}, moved to {step.moved[1]}"))
        if step.link:
            lines.append(("link", f"{step.link[0]} to {step.link[1]}, in memory"))
    return lines


def _baked(recipe: Recipe) -> str:
    """The ENTRYPOINT to be: the shim with its options, which name secrets, and the image's own."""
    own = len(recipe.image.entrypoint)
    shim = json.dumps(recipe.entrypoint[: len(recipe.entrypoint) - own], ensure_ascii=False)
    if not own:
        return shim
    return f"{shim[:-1]}, " + _shown(recipe.image.entrypoint).removeprefix("[")


def _shown(words: Sequence[str]) -> str:
    if [*credentials(" ".join(words))]:
        return "has a secret in plain text"
    return json.dumps(list(words), ensure_ascii=False) if words else "none"


def shell_form(words: Sequence[str]) -> str | None:
    """The text of a shell form, as the builder has put it into the configuration."""
    shell = words[0].rsplit("/", 1)[-1] if words[-2:-1] in (["-c"], ("-c",)) else ""
    return words[-1] if shell in ("sh", "bash", "ash", "dash") else None


def started(words: Sequence[str]) -> str | None:
    """The file that a command line runs first, if that may be a script: not its interpreter."""
    rest = list(words)
    while rest and rest[0].rsplit("/", 1)[-1] in (
        "tini",
        "dumb-init",
        "catatonit",
        LAUNCHER,
        "env",
    ):
        rest.pop(0)
        while rest and rest[0].startswith("-"):
            rest.pop(0)
    if rest and rest[0].rsplit("/", 1)[-1] in ("sh", "bash", "ash", "dash"):
        rest.pop(0)
        if rest and rest[0].startswith("-"):
            return None
    return rest[0] if rest else None

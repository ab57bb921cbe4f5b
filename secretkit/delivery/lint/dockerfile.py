"""Checks of Dockerfiles: secrets that get into the image, and a shim that does not work as meant.

What is checked in which stage: texts that hold a secret, in every stage, as the file itself holds
it; files and build arguments, in the stages whose layers somebody gets (dockerfiles.shipped).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..dockerfiles import Instruction, lineage, parents, shipped, stages
from ..findings import Finding, Place
from ..shimmed import shimmed
from .context import ignored, is_secret_file, secrets_beside
from .names import TYPO, credentials, is_plain, is_secret
from .situation import Situation
from .starting import starts

_MOUNT = "give it to the build: RUN --mount=type=secret,id=NAME"
_START = "read it from /run/secrets when the container starts"
_READS = re.compile(
    r"""(?:\b(?:cat|source|cp|head|tail|base64|install)|(?<!\S)\.|<)\s*(?:-\S+\s+)*["']?"""
    r"/run/secrets/(?P<name>[\w.-]+)"
)
_INSIDE = r"\$\(\s*(?:cat\s+|<\s*)/run/secrets/[^)]*\)"
# A value goes to a file, which is told, or to the configuration of a program.
_WRITTEN = re.compile(
    rf"""(?:\bcat\s+/run/secrets/[\w.-]+|{_INSIDE}[^;&|\n]*?)\s*(?:>>?|\|\s*tee(?:\s+-a)?)\s*(?P<to>[^\s;&|]+)"""
    r"""|\bcp\s+(?:-\S+\s+)*/run/secrets/\S+\s+(?P<copy>[^\s;&|]+)"""
    rf"""|\bsed\s+-i[^;&|\n]*{_INSIDE}[^;&|\n]*?\s(?P<edited>[^\s;&|"']+)\s*(?:$|[;&|\n])"""
    rf"""|\b(?:git|npm|yarn|pip3?|composer)\s+config\s[^;&|\n]*{_INSIDE}"""
)
_RENDERS = re.compile(
    r"secretkit-entrypoint\b[^;&|\n]*--(?:render|keystore)\b|\bsecretkit (?:render|run)\b"
)
_REMOVED = re.compile(r"\b(?:rm|shred|unset|delete)\b")
# Certificates and the public half of keys.
_PUBLIC = re.compile(r"\.(?:crt|cer|pub)$|ca-certificates|[._-]pub(?:lic)?\b")
_LARGEST = 1 << 18  # letters of a file
_STAGES = 1000
_PASSING = ("/tmp/", "/dev/", "/run/", "/var/run/")  # noqa: S108 - what is not kept


def findings_of_dockerfile(path: str, text: str, folder: Path) -> list[Finding]:
    """What is wrong in a Dockerfile. `folder` is the context that it is built with."""
    if len(text) > _LARGEST:
        return [_unread(path, f"longer than {_LARGEST >> 10} KiB")]
    everything = stages(text)
    if not everything:
        return [_unread(path, "there is no instruction in it")]
    if len(everything) > _STAGES:
        return [_unread(path, f"more than {_STAGES} stages")]
    above, sent = parents(everything), shipped(everything)
    found: list[Finding] = []
    for number, stage in enumerate(everything):
        here = Situation(path, stage, [stage])
        found += [*_texts(here), *_runs(here)]
        if number in sent:
            found += [*_arguments(here), *_files(here, folder)]
        if number in sent and number not in above:
            found += starts(here._replace(line_of=lineage(everything, above, number)))
    return sorted(set(found), key=lambda one: (one.place.line, one.rule, one.message))


def _unread(path: str, reason: str) -> Finding:
    return Finding("unreadable-file", Place(path), reason, "if it is no Dockerfile, rename it")


def _texts(here: Situation) -> Iterator[Finding]:
    """What the file itself holds: in git, in the image's configuration and in its history."""
    for one in here.stage.instructions:
        for found in TYPO.finditer(one.text):
            yield Finding(
                "run-secret-path",
                Place(here.path, one.line_at(found.start())),
                "/run/secret is no folder of secrets",
                "write /run/secrets",
            )
        if one.word in ("ENV", "ARG"):
            yield from _variables(here, one)
        else:
            shim = shimmed(one.words)  # where --env PASSWORD=… names a secret
            listed = one.listed if shim is None else shim.command
            for offset in credentials(one.text if listed is None else " ".join(listed)):
                line = one.line_at(offset) if listed is None else one.line
                yield Finding(
                    "plaintext-secret",
                    Place(here.path, line),
                    f"{one.word} has a secret in plain text",
                    f"take it out, change it, and {_MOUNT if one.word == 'RUN' else _START}",
                )


def _variables(here: Situation, one: Instruction) -> Iterator[Finding]:
    for name, value, offset in one.pairs:
        place = Place(here.path, one.line_at(offset))
        runs = value and ("$(" in value or "`" in value)
        if runs and (is_secret(name) or "/run/secret" in (value or "")):
            yield Finding(
                "env-runs-nothing",
                place,
                f"{one.word} {name} runs no command: the program gets the text as it stands here",
                f"take it out, and let the shim set it: --env {name}=SECRET",
            )
        elif value and ((is_secret(name) and is_plain(value)) or [*credentials(value)]):
            shim = f"let the shim set it when the container starts: --env {name}=SECRET"
            yield Finding(
                "plaintext-secret",
                place,
                f"{one.word} {name} has a secret in plain text",
                f"take it out, change it, and {shim if one.word == 'ENV' else _MOUNT}",
            )


def _arguments(here: Situation) -> Iterator[Finding]:
    """Build arguments: `docker history` shows those that a RUN had, ENV keeps them."""
    for one in here.stage.all("ARG"):
        for name, value, offset in one.pairs:
            if is_secret(name) and not value:
                yield Finding(
                    "secret-build-argument",
                    Place(here.path, one.line_at(offset)),
                    f"ARG {name} stays in the image's history",
                    f"RUN --mount=type=secret,id={name} …, and docker build --secret id={name}",
                )


def _runs(here: Situation) -> Iterator[Finding]:
    put = _put(name for one in here.stage.all("ARG") for name, _, _ in one.pairs)
    for one in here.stage.all("RUN"):
        script = _script(one)
        mounted = any("type=secret" in mount for mount in one.flag("--mount"))
        for found in _READS.finditer(script) if not mounted else ():
            name = found["name"]
            yield Finding(
                "secret-not-mounted",
                Place(here.path, one.line_at(found.start())),
                f"a build has no /run/secrets/{name} unless it is mounted",
                f"RUN --mount=type=secret,id={name} …, or read it when the container starts",
            )
        removed = max((one.start() for one in _REMOVED.finditer(script)), default=0)
        written = [*_WRITTEN.finditer(script)] if mounted else []
        written += [*put.finditer(script)] if put else []
        for found in written:
            to = next((text for text in found.groups() if text), "").strip("\"'")
            gone = removed > found.end() and script.rfind(to.rsplit("/", 1)[-1]) >= found.end()
            if not (gone or to.startswith(_PASSING) or _PUBLIC.search(to)):
                yield Finding(
                    "secret-in-layer",
                    Place(here.path, one.line_at(found.start())),
                    "the value of a secret is written into the image",
                    "use it in this RUN alone, and remove the file in the same RUN",
                )
        for found in _RENDERS.finditer(script):
            yield Finding(
                "secret-in-layer",
                Place(here.path, one.line_at(found.start())),
                "a template with secrets is rendered while the image is built",
                "render it when the container starts: put --render into ENTRYPOINT",
            )


def _put(arguments: Iterable[str]) -> re.Pattern[str] | None:
    """How a build argument that is a secret is put into a file."""
    names = "|".join(sorted({re.escape(name) for name in arguments if is_secret(name)}))
    if not names:
        return None
    return re.compile(
        rf"\b(?:echo|printf)\b[^;&|\n]{{0,200}}?\$\{{?(?:{names})\b[^;&|\n]{{0,200}}?"
        r"(?:>>?|\|\s*tee(?:\s+-a)?)\s*(?P<to>[^\s;&|]+)"
    )


def _script(one: Instruction) -> str:
    """What a RUN's shell runs, letter by letter where it stands; what it only writes is blank."""
    command, newline, documents = one.text.partition("\n")
    if newline and not re.match(r"\s*(?:(?:/bin/)?(?:ba|da|a)?sh\b[^<]*)?\d*<<", command):
        documents = re.sub(r"\S", " ", documents)
    return re.sub(r"'[^']*'", lambda found: " " * len(found.group()), command) + newline + documents


def _files(here: Situation, folder: Path) -> Iterator[Finding]:
    """Files that COPY and ADD bring."""
    out = ignored(here.path, folder)
    for one in here.stage.all("COPY", "ADD"):
        *sources, destination = one.words or [""]
        told = [source for source in sources if "<<" not in source and "://" not in source]
        elsewhere = bool(one.flag("--from"))
        for source in told:
            if is_secret_file(source, folder if not elsewhere else Path("/dev/null")):
                yield here.finding(
                    "secret-file-in-image",
                    one,
                    f"{one.word} puts {source} into the image",
                    "leave it out, and mount it as a secret when the container starts",
                )
        if re.match(r"/(?:var/)?run/secrets\b", destination):
            yield here.finding(
                "secret-file-in-image",
                one,
                f"{one.word} puts files into {destination}",
                "leave them out: the engine mounts secrets there when the container starts",
            )
        whole = any(source.strip("/") in (".", "", "*", "./*", "./") for source in told)
        beside = secrets_beside(folder) if whole and not elsewhere else []
        for now in (True, False):
            names = [name for name, there in beside if there == now and name not in out]
            if names:
                yield here.finding(
                    "secret-file-in-image" if now else "secret-in-context",
                    one,
                    f"{one.word} {' '.join(told)} takes {', '.join(names)} along"
                    + ("" if now else ", where such are there"),
                    f"put into .dockerignore: {', '.join(names)}",
                )

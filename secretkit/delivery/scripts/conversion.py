"""What becomes of a script: the `[entrypoint]` table, as TOML, and what is to be done by hand."""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass, field
from typing import Any

from ..findings import Finding, Place
from .templates import Rendering, Replacement, Secret

_SAYS_NOTHING = ("", ".conf", ".config", ".cfg")  # names that tell no format, but for these:
_TELLS = (
    "/.env", "/.pgpass", "/.netrc", "/nginx.conf", "/haproxy.cfg", "/httpd.conf", "/apache2.conf",
    "/redis.conf",
)  # fmt: skip


@dataclass
class Conversion:
    """The equivalent of a script, as far as it is certain, and what is to be said about it."""

    path: str
    env: dict[str, str] = field(default_factory=dict)
    env_all: bool = False
    env_prefix: str = ""
    expand_file: list[str] = field(default_factory=list)
    require: list[str] = field(default_factory=list)
    optional: list[str] = field(default_factory=list)
    stdin: str = ""
    arg: list[str] = field(default_factory=list)
    user: str = ""
    renderings: list[Rendering] = field(default_factory=list)
    templates: dict[str, str] = field(default_factory=dict)  # text by source, of here-documents
    command: list[str] | None = None  # the program and its arguments; None: not certain
    arguments: bool = False  # what docker run is given comes behind that
    findings: list[Finding] = field(default_factory=list)

    def say(self, line: int, message: str, remedy: str) -> None:
        """Something is not translated."""
        self.findings.append(Finding("not-translated", Place(self.path, line), message, remedy))

    def note(self, line: int, message: str, remedy: str) -> None:
        """Something is translated to what does almost the same."""
        self.findings.append(Finding("almost-the-same", Place(self.path, line), message, remedy))

    @property
    def table(self) -> dict[str, Any]:
        """The keys of `[entrypoint]`, without render."""
        keys: dict[str, Any] = {
            "env": self.env,
            "env_all": self.env_all,
            "env_prefix": self.env_prefix,
            "expand_file": self.expand_file,
            "stdin": self.stdin,
            "arg": self.arg,
            "allow_argv": bool(self.arg),
            "require": self.require,
            "optional": self.optional,
            "user": self.user,
        }
        keys = {key: value for key, value in keys.items() if value}
        uses = keys.keys() & {"env", "env_all", "expand_file", "stdin", "arg"}
        return keys if uses or self.renderings else {"no_env": True, **keys}

    @property
    def replacements(self) -> list[tuple[str, Replacement]]:
        """By template in the image, what must be written in it."""
        return [(one.source, change) for one in self.renderings for change in one.replacements]

    @property
    def instructions(self) -> list[str]:
        """What the Dockerfile then has in place of the script. None if that is not certain."""
        if self.command is None:
            return []
        if self.arguments:
            return [f"ENTRYPOINT {json.dumps(self.command)}"]
        return ["ENTRYPOINT []", f"CMD {json.dumps(self.command)}"]


def toml(made: Conversion) -> str:
    """The `[entrypoint]` table of a conversion, with comments."""
    rows = [f"# What {_line(made.path)} does."]
    for text in made.instructions:
        rows.append(f"# Dockerfile: {text}")
    rows.append("[entrypoint]")
    rows += [f"{key} = {_value(value)}" for key, value in made.table.items()]
    for one in made.renderings:
        rows += ["", "[[entrypoint.render]]"]
        for change in one.replacements:
            rows.append(
                f"# in the template: {_line(change.write)} instead of {_line(change.written)}"
            )
        rows += [f"source = {_value(one.source)}", f"destination = {_value(one.destination)}"]
        rows += [f"mode = {_value(one.mode)}"] if one.mode else []
        rows += [f"owner = {_value(one.owner)}"] if one.owner else []
        if not _has_format(one):
            rows.append(
                '# format = "yaml"  # or another: without it, a value with quotes is refused'
            )
    return "\n".join(rows) + "\n"


def _has_format(one: Rendering) -> bool:
    """Whether the shim knows how a value is written there: by the name, or as it is."""
    if f"/{one.destination.lower()}".endswith(_TELLS):
        return True
    as_it_is = [isinstance(piece, Secret) and bool(piece.filters) for piece in one.content or ()]
    said = posixpath.splitext(one.destination)[1] not in _SAYS_NOTHING
    return said or (bool(as_it_is) and all(as_it_is))


def _line(text: str) -> str:
    return text if text.isprintable() else _value(text)


def _value(value: Any) -> str:
    """A value in TOML; its texts are those of JSON, but for what a terminal would not show."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_value(one)}' for key, one in value.items())} }}"
    said = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in said)

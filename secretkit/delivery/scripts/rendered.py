"""The files that a script makes, as the shim is to render them, and where they differ."""

from __future__ import annotations

import re

from .conversion import Conversion
from .files import Files
from .templates import Inherited, Rendering, Replacement, Unclear, template

# Formats in which a value that stands alone gets quotes; some tell 8080 from "8080".
_QUOTING = (
    ".yaml", ".yml", ".json", ".toml", ".py", ".php", ".js", ".mjs", ".cjs", ".sh", ".bash", ".env",
    ".cnf", ".netrc", "nginx.conf", "haproxy.cfg", "httpd.conf", "apache2.conf", "redis.conf",
)  # fmt: skip


def finish(made: Conversion, files: Files) -> None:
    """The renderings of the table, and what is to be said about them."""
    finished = files.finished()
    changed: dict[str, set[tuple[Replacement, ...]]] = {}
    for one in finished:
        changed.setdefault(one.source, set()).add(one.replacements)
    for one in finished:
        source = one.source
        try:
            _all_set(one, files)
            if one.content is None and len(changed[source]) > 1:
                raise Unclear("it is a template of two files: make it two")
            if one.content is not None:
                source, text = template(one)
                made.templates[source] = text
        except Unclear as error:
            message = f"the template of {one.destination} is not certain"
            made.say(one.line, message, str(error))
            continue
        made.renderings.append(one._replace(source=source))
        _differences(made, one)
    for line in files.left:
        made.say(line, "cp is not translated", "copy it in the Dockerfile")
    for line in dict.fromkeys(files.once):
        made.note(
            line,
            "sed without g fills in the first of a line, the shim each of them",
            "it matters if the template has it twice in a line",
        )
    made.arg = files.arguments if made.command is not None else []


def _all_set(rendering: Rendering, files: Files) -> None:
    """Raises Unclear if the script sets a variable only after it was put into the file."""
    for piece in rendering.content or ():
        if isinstance(piece, Inherited) and piece.name in files.values.assigned:
            raise Unclear(f"{piece.name} is set only later: is that meant?")


def _differences(made: Conversion, one: Rendering) -> None:
    if not one.destination.startswith("/"):
        message = f"{one.destination} is relative to the image's WORKDIR"
        made.say(one.line, message, "write the whole path as source and destination")
    if not one.mode:
        made.note(
            one.line,
            f"only the program's user may read {one.destination}, which is made with mode 0400",
            'mode = "0444" if another user of the container has to read it',
        )
    if one.destination.lower().endswith(_QUOTING) and _is_bare(one):
        made.note(
            one.line,
            f'a value in {one.destination} gets quotes where it has none: 8080 becomes "8080"',
            "it matters for a number: one that is no secret can be in the template",
        )
    names = [piece.name for piece in one.content or () if isinstance(piece, Inherited)]
    if names:
        made.note(
            one.line,
            f"{', '.join(dict.fromkeys(names))} must be set when the container starts",
            "have Jinja2 in the image, with --with-jinja2, which *.j2 needs",
        )


def _is_bare(one: Rendering) -> bool:
    """Whether a value stands there without quotes, as far as that can be known."""
    if one.content is None:
        return True
    whole = "".join(piece if isinstance(piece, str) else "\0" for piece in one.content)
    values = [piece for piece in one.content if not isinstance(piece, str)]
    quoted = len(re.findall("([\"'])\0(?=\\1)", whole))
    return quoted < len(values)

"""A recipe as a Dockerfile, as one would write it by hand."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Sequence

from .recipe import CONFIG, SHIM, TEMPLATES, Recipe, Step

_WIDTH = 100

# All that a build sees of its folder, whatever else is in it.
IGNORE = "*\n!shim\n!entrypoint.json\n!templates\n"


def text(recipe: Recipe) -> str:
    """The Dockerfile. What it repeats of the image is its ENTRYPOINT, its CMD and its USER."""
    return "\n".join(_lines(recipe)) + "\n"


def _lines(recipe: Recipe) -> Iterator[str]:
    image, python = recipe.image, recipe.python
    yield f"# {image.name}, started through secretkit-entrypoint (the shim)."
    yield "# No secret is in this image: the shim reads them when a container starts."
    yield f"FROM {image.name}"
    yield ""
    if not image.is_root:
        yield "# Until the image's own user is set again below."
        yield "USER 0"
        yield ""
    yield f"# The shim, compiled for the image's Python {python.version}: no start has to do that."
    yield f"COPY shim {SHIM}"
    yield _exec("RUN", [*recipe.start, "--compile"])
    if recipe.table:
        yield ""
        yield "# Which secret goes where: [entrypoint] of secretkit.toml."
        yield f"COPY entrypoint.json {CONFIG}"
    if recipe.templates:
        yield ""
        yield "# Templates: placeholders in the places of secrets."
        yield f"COPY templates {TEMPLATES}"
    if recipe.steps:
        yield ""
        yield from _explained(recipe.steps)
        yield from (_step(python.path, step) for step in recipe.steps)
    if not image.is_root:
        yield ""
        yield f"USER {_escaped(image.user)}"
    yield ""
    own = "Behind -- stands the image's own ENTRYPOINT." if image.entrypoint else ""
    again = "ENTRYPOINT clears CMD: it is stated again." if image.cmd else ""
    if own or again:
        yield f"# {own} {again}".replace("  ", " ").rstrip()
    options = [option.words for option in recipe.options]
    yield _exec("ENTRYPOINT", recipe.start, *options, ["--", *image.entrypoint])
    if image.cmd:
        yield _exec("CMD", image.cmd)


def _explained(steps: Sequence[Step]) -> Iterator[str]:
    if any(step.link for step in steps):
        yield "# Rendered files are in memory (/dev/shm), where any user can write, also under a"
        yield "# read-only root. The program finds them through links at their usual places."
    if any(step.moved for step in steps):
        yield "# A template moves out of the way. The layers below keep it where it was; it is no"
        yield "# secret."


def _step(python: str, step: Step) -> str:
    """In Python, which is there for certain; /bin/sh may not be."""
    lines = ["import os"]
    if step.moved:
        source, target = step.moved
        lines += [
            f"os.makedirs({posixpath.dirname(target)!a}, exist_ok=True)",
            f"os.rename({source!a}, {target!a})",
            f"os.chmod({target!a}, 0o644)",
        ]
    if step.folder:
        lines.append(f"os.makedirs({step.folder!a}, exist_ok=True)")
    if step.mode:
        lines.append(f"os.chmod({step.folder!a}, 0o{step.mode:o})")
    if step.removed:
        lines.append(f"os.remove({step.removed!a})")
    if step.link:
        lines.append(f"os.symlink({step.link[1]!a}, {step.link[0]!a})")
    return _exec("RUN", [python, "-ISBc"], ["; ".join(lines)])


def _exec(instruction: str, *groups: Sequence[str]) -> str:
    """An instruction in exec form, which is JSON: no shell and no variable changes it.

    On one line if there is room, else each group on its own.
    """
    rows = [", ".join(json.dumps(word) for word in group) for group in groups if group]
    line = f"{instruction} [{', '.join(rows)}]"
    return line if len(line) <= _WIDTH else f"{instruction} [" + ", \\\n  ".join(rows) + "]"


def _escaped(user: str) -> str:
    """USER replaces variables (Dockerfile reference, environment replacement)."""
    return re.sub(r"([\\$])", r"\\\1", user)

"""What is known of an image before it is baked, from the engine and from a start that is tried."""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import TYPE_CHECKING

from secretkit import mocks
from secretkit.errors import ConflictError, SecretkitError

from ..lint.script import is_script
from . import context, options, trying
from . import image as image_facts
from .checking import Facts, shell_form, started
from .image import Image, Search
from .recipe import Recipe, Wish, decide

if TYPE_CHECKING:
    from secretkit.engines.images import Files, Images

_WORDS = 20  # of a health check: those that may be files
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def look(
    images: Images, name: str, wish: Wish, folder: Path, *, with_jinja2: bool = False
) -> Facts:
    """The facts of an image. `folder` has the templates of the project.

    Raises NotFoundError if the engine has none of that name, UsageError for options of the shim
    that it does not take. What stands in the way of baking is a fact, and no error.
    """
    options.check(wish.options, wish.table)
    image = image_facts.of(name, images.inspect(name))
    history = tuple(str(layer.get("CreatedBy", "")) for layer in images.history(image.id))
    machine = images.architecture()
    recipe: Recipe | None = None
    refused: SecretkitError | None = None
    templates: dict[str, bytes] = {}
    closed: tuple[str, ...] = ()
    if image.os != "linux":
        found, remedy, texts, checks = Search(None, {}), "", {}, []
        refused = SecretkitError(f"it is for {image.os}", hint="the shim runs on linux")
    else:
        with images.files(image.id) as files:
            try:
                found = image_facts.find_python(images, image, files)
            except ConflictError as error:
                found, refused = Search(None, {}), error
            remedy = image_facts.remedy(files)
            texts, checks = _scripts(image, files), _checks(image, files)
            try:
                if refused is not None:
                    raise refused
                if found.python is None:
                    raise image_facts.missing_python(image, found, remedy)
                recipe = decide(image, found.python, wish, files.stat)
                _refuse_mocks(wish, files)
                templates = context.read_templates(folder, recipe.templates)
                closed = trying.check(
                    images, files, recipe, templates, tmpfs=wish.tmpfs, with_jinja2=with_jinja2
                )
            except SecretkitError as error:
                refused = error
    return Facts(
        *(image, found, remedy, machine, texts, checks, history, wish, recipe, refused),
        templates,
        closed,
    )


def _refuse_mocks(wish: Wish, files: Files) -> None:
    """Raises MockError for a template that stands in the image and has a mock in it."""
    for entry in options.entries(wish.options, wish.table):
        if entry.source and entry.source.startswith("/"):
            content = files.read(posixpath.normpath(entry.source)) or b""
            mocks.refuse(f"template {entry.source} of the image", content, context.NAME_IT)


def _scripts(image: Image, files: Files) -> dict[str, str]:
    """The shell scripts that it starts with: of its ENTRYPOINT and of its CMD."""
    found = {}
    for words in (image.entrypoint, image.cmd):
        first = started(words) if shell_form(words) is None else None
        for path in _paths(first, image) if first else ():
            content = files.read(path)
            if content is not None:
                text = content.decode(errors="replace")
                if text.startswith("#!") and is_script(text):
                    found[path] = text
                break
    return found


def _checks(image: Image, files: Files) -> list[str]:
    """The texts among the files that its health check names: a script, a program's source."""
    words = " ".join((image.healthcheck.get("Test") or [])[1:]).split()
    names = [name for word in words[:_WORDS] if (name := word.strip("\"';&|()"))]
    paths = [posixpath.normpath(posixpath.join(image.workdir, name)) for name in names]
    paths += [path for name in names for path in _paths(name, image)]
    contents = (files.read(path) for path in dict.fromkeys(paths))
    texts = (content.decode(errors="replace") for content in contents if content)
    return [text for text in texts if "\0" not in text]


def _paths(program: str, image: Image) -> list[str]:
    """Where a program is looked for, as execvp(3) does in the image."""
    if "/" in program:
        return [posixpath.normpath(posixpath.join(image.workdir, program))]
    return [f"{folder}/{program}" for folder in image.env.get("PATH", _PATH).split(":") if folder]

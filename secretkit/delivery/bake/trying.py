"""A start, tried before anything is built: the shim says what would be in its way.

Its --check runs in a throw-away container of the image, as the image's user, with the files that
the build would add. There are no secrets: what it says of those is left out.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from secretkit.errors import ConflictError, UsageError

from .context import tar
from .recipe import CONFIG, SHIM, TEMPLATES, Recipe

if TYPE_CHECKING:
    from secretkit.engines.images import Files, Images, Ran

# Where the build copies what is in its folder.
_PLACES = {"shim": SHIM, "templates": TEMPLATES, "entrypoint.json": CONFIG}
_SAYS = "secretkit-entrypoint: error: "
# How the shim speaks of a secret that is not there.
_NO_SECRET = re.compile(
    r"secret \S+: no such file in |no secret for |^cannot list the secrets in |^\w+_FILE for \w+: "
)


def check(
    images: Images,
    files: Files,
    recipe: Recipe,
    templates: Mapping[str, bytes],
    *,
    tmpfs: Sequence[str] = (),
    with_jinja2: bool = False,
) -> tuple[str, ...]:
    """Raises UsageError with what the shim would say at each start, ConflictError if it would not
    come to that.

    Returns the folders of `tmpfs` that a start needs with an owner: over a folder of the image the
    engine mounts memory of root with that folder's mode, whatever mode is asked for (measured with
    20.10); where there is none, with mode 1777.
    """
    command = [*recipe.image.entrypoint, *recipe.image.cmd] or [recipe.python.path]
    options = [word for option in recipe.options for word in option.words]
    words = [*recipe.start, "--check", "--json", *options, "--", *command]
    context = tar(recipe, templates, with_jinja2=with_jinja2)

    def wrong(opened: Sequence[str]) -> list[str]:
        ran = images.run(recipe.image.id, words, _added(files, recipe, context, opened), tmpfs)
        found = _complaints(ran) if ran else None
        if found is None:
            raise ConflictError(
                f"the Python of {recipe.image.name} does not start with these files in their"
                " places",
                hint="render to a place of the program's own",
            )
        return [line for line in found if not _NO_SECRET.search(line)]

    left = wrong(())
    closed = [one for one in tmpfs if left and (at := files.stat(one)) and not at.mode & 0o002]
    if closed:
        left = wrong(closed)
    if left:
        raise UsageError(
            f"no container would start: {'; '.join(left)}",
            hint="what the shim says there is true of every container of the image",
        )
    return tuple(closed)


def _complaints(ran: Ran) -> list[str] | None:
    """What the shim reports; what it says if it cannot come to a report, as with settings that it
    cannot read. None if it says neither: it has not started.
    """
    try:
        return [str(one["message"]) for one in json.loads(ran.output)["errors"]]
    except ValueError:
        lines = ran.complaint.decode(errors="replace").splitlines()
        return [line.removeprefix(_SAYS) for line in lines if line.startswith(_SAYS)] or None


def _added(files: Files, recipe: Recipe, context: bytes, opened: Sequence[str]) -> bytes:
    """What the build adds to the image, as a tar of its root; `opened` are folders for any user."""
    packed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(context)) as read,
        tarfile.open(fileobj=packed, mode="w") as written,
    ):
        for entry in read:
            top, slash, rest = entry.name.partition("/")
            if entry.isfile() and top in _PLACES:
                entry.name = f"{_PLACES[top]}{slash}{rest}"[1:]
                written.addfile(entry, read.extractfile(entry))
        for entry, content in (*_steps(files, recipe), *_open(files, opened)):
            entry.size = len(content)
            written.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _open(files: Files, folders: Sequence[str]) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    for folder in folders:
        found = files.stat(folder)
        entry = tarfile.TarInfo((found.path if found else folder)[1:])
        entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
        yield entry, b""


def _steps(files: Files, recipe: Recipe) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """What its steps make; a file that is removed is an empty one, which the shim replaces."""
    for step in recipe.steps:
        if step.moved:
            yield tarfile.TarInfo(step.moved[1][1:]), files.read(step.moved[0]) or b""
        if step.folder:
            folder = tarfile.TarInfo(step.folder[1:])
            folder.type, folder.mode = tarfile.DIRTYPE, step.mode or 0o755
            yield folder, b""
        if step.removed:
            yield tarfile.TarInfo(step.removed[1:]), b""
        if step.link:
            link = tarfile.TarInfo(step.link[0][1:])
            link.type, link.linkname = tarfile.SYMTYPE, step.link[1]
            yield link, b""

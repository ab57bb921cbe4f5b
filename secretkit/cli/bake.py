"""`bake`: an image with the shim in front of its program."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .command import App, Command, pass_app
from .findings import ignore_option

if TYPE_CHECKING:
    from ..delivery.bake.recipe import Recipe


class _Baking(Command):
    """Options of the shim stand among its own; they are told by their names."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        from difflib import get_close_matches

        from ..delivery.bake.options import NAMES, split

        args, ctx.params["options"] = split(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            near = get_close_matches(error.option_name, NAMES, 1)
            raise click.NoSuchOption(
                error.option_name, possibilities=near or error.possibilities, ctx=ctx
            ) from None


@click.command(
    cls=_Baking,
    options_metavar="[OPTIONS] [SHIM OPTIONS]",
    example="""
    $ secretkit bake shop:1.4 -t shop:1.4-secrets --env DB_PASSWORD=db-password
    sha256:6f1ed002ab5595859014ebf0951522d9ab8a3d5a1c2b1b9aa1f8f2c8d0e2a0a1
    """,
)
@click.argument("name", metavar="IMAGE")
@click.option("-t", "--tag", "tags", metavar="TAG", multiple=True, help="The name of what is made.")
@click.option("--from-project", is_flag=True, help="With [entrypoint] of secretkit.toml.")
@click.option(
    "--tmpfs",
    metavar="DIR",
    multiple=True,
    help="You mount memory at DIR: files rendered there stay there.",
)
@click.option("--with-jinja2", is_flag=True, help="Add Jinja2, for templates with blocks.")
@click.option(
    "--dockerfile",
    "directory",
    metavar="DIR",
    type=click.Path(),
    help="Write the Dockerfile and its files to DIR, and build nothing.",
)
@click.option("--force", is_flag=True, help="Replace files in DIR that differ.")
@click.option(
    "--check", "checking", is_flag=True, help="Say what would be done, and what would go wrong."
)
@ignore_option
@pass_app
def bake(
    app: App,
    name: str,
    tags: tuple[str, ...],
    from_project: bool,
    tmpfs: tuple[str, ...],
    with_jinja2: bool,
    directory: str | None,
    force: bool,
    checking: bool,
    ignore: tuple[str, ...],
    options: Any,
) -> None:
    """Make an image of IMAGE that starts its program through the shim.

    IMAGE needs Python 3.6 or later, and is on the engine already. Its ENTRYPOINT and CMD follow
    the shim; USER, HEALTHCHECK and the rest stay. Options of the shim (--env, --render and so on;
    `secretkit run --help` lists them) go into the ENTRYPOINT. A template's path is a file here if
    it is relative, one in the image if it is absolute. No value is read: none can get into it.
    """
    if not checking and bool(tags) == (directory is not None):
        both = "bake takes a TAG or a folder for its Dockerfile, and not both"
        raise UsageError(
            both if tags else "bake needs a TAG, or a folder for its Dockerfile",
            hint=f"secretkit bake {name} -t TAG, or --dockerfile DIR",
        )
    if force and directory is None:
        raise UsageError("--force is for --dockerfile", hint="a TAG always moves to what is made")
    from ..delivery.bake import context, dockerfile
    from ..delivery.bake.checking import findings_of_image
    from ..delivery.bake.looking import look
    from ..delivery.bake.recipe import ALL, Wish
    from ..engines.images import Images, check_tag, full_name
    from .bakeable import refuse, show

    for tag in tags:
        check_tag(tag)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is on the engine is removed
    wish = Wish(
        tuple(options), app.project.entrypoint if from_project else {}, tuple(map(_folder, tmpfs))
    )
    folder = app.project.folder if from_project else Path()
    images = Images()
    facts = look(images, name, wish, folder, with_jinja2=with_jinja2)
    found = [one for one in findings_of_image(facts) if one.rule not in ignore]
    if checking:
        show(app, facts, found)
        return
    refuse(app, facts, found)
    recipe, templates = facts.recipe, facts.templates
    assert recipe is not None  # noqa: S101 - else it was refused
    if recipe.image.names and {*recipe.image.names} <= {*map(full_name, tags)}:
        raise UsageError(
            f"{name} would lose its name, and could not be baked again",
            hint="choose another TAG, or give it one more name before, with `docker tag`",
        )
    _tell(app, recipe, facts.closed)
    if wish.shim(recipe.python.path).all_by_default:
        app.out.say(f"secrets: {ALL}")
    if directory is not None:
        paths = context.write(
            recipe, templates, Path(directory), force=force, with_jinja2=with_jinja2
        )
        app.out.say(f"{len(paths)} files in {directory}")
        if app.out.json:
            app.out.document(_shape(recipe) | {"files": [str(path) for path in paths]})
        else:
            app.out.text(dockerfile.text(recipe))
        return
    with app.out.progress("baking") as step:
        made = context.build(images, recipe, templates, with_jinja2=with_jinja2, step=step)
    for tag in tags:
        images.tag(made, tag)
    if app.out.json:
        app.out.document(_shape(recipe) | {"id": made, "tags": list(tags)})
    else:
        app.out.data(made)


def _folder(path: str) -> str:
    if not path.startswith("/"):
        raise UsageError("--tmpfs takes an absolute path, of a folder in the container")
    return path


def _tell(app: App, recipe: Recipe, closed: Sequence[str]) -> None:
    """What a user of the image would not expect."""
    from ..delivery.bake.recipe import CLOSED, NO_PLACE

    image = recipe.image
    app.out.say(f"Python {recipe.python.version} is {recipe.python.path}")
    for step in recipe.steps:
        if step.link:
            app.out.say(f"{step.link[0]} is a link to {step.link[1]}, in memory")
    for name in recipe.without_place:
        app.out.warn(f"<<{name}>>: {NO_PLACE}")
    for folder in closed:
        app.out.warn(f"--tmpfs {folder}: {CLOSED}")
    if image.onbuild:
        app.out.warn(f"ONBUILD of {image.name} runs in this build, and is gone from what it makes")


def _shape(recipe: Recipe) -> dict[str, Any]:
    return {
        "image": recipe.image.name,
        "python": recipe.python._asdict(),
        "links": dict(step.link for step in recipe.steps if step.link),
        "templates": list(recipe.templates),
    }

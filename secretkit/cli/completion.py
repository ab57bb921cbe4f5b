"""`completion`: the script that a shell sources."""

from __future__ import annotations

import click

from .command import App, Command, pass_app


@click.command(
    cls=Command,
    reports=False,
    example="""
    $ secretkit completion bash > ~/.local/share/bash-completion/completions/secretkit
    """,
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
@pass_app
def completion(app: App, context: click.Context, shell: str) -> None:
    """Print the completion script of a shell; names of secrets are completed too.

    bash: into a file in ~/.local/share/bash-completion/completions. zsh: as _secretkit, into a
    folder of $fpath. fish: into ~/.config/fish/completions/secretkit.fish.
    """
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    assert script is not None  # noqa: S101 - the choices are those that click has
    app.out.text(
        script(context.find_root().command, {}, "secretkit", "_SECRETKIT_COMPLETE").source() + "\n"
    )

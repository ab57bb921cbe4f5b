"""`help`: of a command, or the exit codes."""

from __future__ import annotations

import click

from .command import App, Command, Group, pass_app
from .exits import EXITS


def _complete_topics(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[str]:
    command: click.Command | None = context.find_root().command
    words = context.params.get("topic") or ()
    for word in words:
        command = command.get_command(context, word) if isinstance(command, Group) else None
    topics = command.list_commands(context) if isinstance(command, Group) else []
    if not words:
        topics.append("exit-codes")
    return [topic for topic in topics if topic.startswith(incomplete)]


@click.command(
    "help",
    cls=Command,
    example="""
    $ secretkit help exit-codes
    """,
)
@click.argument("topic", nargs=-1, shell_complete=_complete_topics)
@click.pass_context
@pass_app
def show_help(app: App, context: click.Context, topic: tuple[str, ...]) -> None:
    """Show the help of a command, such as `help key add`, or `help exit-codes`."""
    if topic == ("exit-codes",):
        rows = [(code, when) for code, when, _ in EXITS]
        if app.out.json:
            app.out.document([{"code": code, "when": when} for code, when in rows])
        else:
            app.out.table(("CODE", "WHEN"), [(str(code), when) for code, when in rows])
        return
    root = context.find_root()
    command: click.Command = root.command
    inner = root
    for word in topic:
        found = command.get_command(inner, word) if isinstance(command, Group) else None
        if found is None:
            raise click.NoSuchCommand(word, ctx=inner)
        command = found
        inner = click.Context(command, info_name=word, parent=inner)
    app.out.text(command.get_help(inner) + "\n")

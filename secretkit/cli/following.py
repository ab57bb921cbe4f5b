"""What is shown while a rotation goes on: bars on a terminal, else lines; JSON for machines."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import shapes
from .output import Output, elapsed, escaped

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from ..rotation.types import Event, OnEvent

_AGAIN = 10  # seconds after which a line is said once more, though nothing has changed
_DONE = {"verified": "green", "arrived": "green", "undone": "yellow"}
_WIDTH = 24  # columns of a bar
_WORDS = {
    "journal": "the rotation is recorded in the swarm",
    "stage": "the value is in the store",
    "create": "the object is in the swarm",
    "plan": "its services are found, and none refuses",
    "before": "going on to its services",
    "swap": "its update has begun",
    "verify": "waiting for its tasks",
    "verified": "all its tasks run well with the next version",
    "arrived": "all its tasks run well",
    "undo": "going back to the version before",
    "undone": "back on the version before",
    "settle": "no service is on another version",
    "commit": "the next version is current",
    "after": "the hook after has passed",
    "release": "the record is gone from the swarm",
}


@contextlib.contextmanager
def following(out: Output, title: str) -> Iterator[OnEvent]:
    """What to call for each event; it may be called from several threads."""
    lock = threading.Lock()
    with contextlib.ExitStack() as stack:
        if out.json:
            show: OnEvent = _as_documents(out)
        elif out.quiet:
            show = _nothing
        elif sys.stderr.isatty():
            show = stack.enter_context(_Screen(title)).show
        else:
            show = _Lines(out).show

        def one_by_one(event: Event) -> None:
            with lock:
                show(event)

        yield one_by_one


def _nothing(_event: Event) -> None:
    """For --quiet."""


def _as_documents(out: Output) -> OnEvent:
    return lambda event: out.line(shapes.event(event))


def said(event: Event) -> str:
    """What happened, in words."""
    if event.step == "create" and event.message:
        return f"{event.message} is in the swarm"
    return event.message or _WORDS.get(event.step, event.step)


def line(event: Event) -> str:
    """The same with its service, and how many of its tasks are not there yet."""
    others = f"{event.previous} on another version" if event.previous else ""
    parts = [f"{event.service}: {said(event)}" if event.service else said(event), others]
    return ", ".join(part for part in parts if part)


class _Lines:
    """A line for each thing that is not known yet, and every ten seconds while it waits."""

    def __init__(self, out: Output) -> None:
        self.out = out
        self.said: dict[str | None, tuple[str, float]] = {}

    def show(self, event: Event) -> None:
        text = line(event)
        before, when = self.said.get(event.service, ("", 0.0))
        if text != before or event.seconds - when >= _AGAIN:
            self.said[event.service] = text, event.seconds
            self.out.say(f"{text} ({elapsed(event.seconds)})")


class _Screen:
    """A bar for each service, redrawn four times a second so that the clock runs."""

    def __init__(self, title: str) -> None:
        from rich.console import Console
        from rich.live import Live

        self.title = title
        self.start = time.monotonic()
        self.said = ""
        self.services: dict[str, tuple[Event, float, float | None]] = {}  # event, begun, ended
        self.live = Live(get_renderable=self.drawn, console=Console(stderr=True), transient=True)

    def __enter__(self) -> _Screen:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def show(self, event: Event) -> None:
        now = time.monotonic()
        name = event.service
        if name is None:
            self.said = said(event)
            return
        last, begun, _ = self.services.get(name, (event, now, None))
        if not event.wanted and event.step in _DONE:  # an end says no counts of its own
            event = event._replace(ready=last.ready, wanted=last.wanted, previous=last.previous)
        ended = now if event.step in _DONE else None
        self.services[name] = event, begun, ended

    def drawn(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        head = f"{self.title}   {elapsed(time.monotonic() - self.start)}   {escaped(self.said)}"
        return Group(Text(head, no_wrap=True, overflow="ellipsis"), self._table())

    def _table(self) -> Table:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, expand=True)
        for name in ("SERVICE", "TASKS", "READY", "PREVIOUS", "TIME"):
            table.add_column(name, no_wrap=True, overflow="ellipsis", header_style="")
        # The last gives way where the terminal is narrow.
        table.add_column("STATE", no_wrap=True, overflow="ellipsis", header_style="", ratio=1)
        # A copy: events arrive while this is drawn.
        for name, (event, begun, ended) in list(self.services.items()):
            style = _DONE.get(event.step, "")
            table.add_row(
                Text(escaped(name)),
                ProgressBar(
                    total=max(event.wanted, 1),
                    completed=event.ready if event.wanted else int(ended is not None),
                    width=_WIDTH,
                    finished_style="green",  # rich's own is the background's where colours are few
                ),
                Text(f"{event.ready}/{event.wanted}"),
                Text(str(event.previous)),
                Text(elapsed((ended or time.monotonic()) - begun)),
                Text(escaped(said(event)), style=style),
            )
        return table

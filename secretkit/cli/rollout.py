"""The options that say how a rotation goes about it on an engine."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ..errors import UsageError
from .command import NUMBER, Number
from .completing import complete_services

if TYPE_CHECKING:
    from ..rotation.types import Options

# Go's time.ParseDuration, which reads the durations of docker's command line.
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)
_LONGEST = 366 * 24 * 3600.0  # seconds


class Duration(click.ParamType[float]):
    """A duration as docker writes it (500ms, 10s, 1m30s), in seconds; not repeated if wrong."""

    name = "duration"

    def __init__(self, *, zero: bool = True) -> None:
        self.zero = zero

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        parts = _PART.findall(str(value))
        whole = "".join(number + unit for number, unit in parts)
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
        if str(value) != (whole or "0") or seconds > _LONGEST:
            self.fail("not a duration such as 500ms, 10s or 1m30s", param, ctx)
        if seconds == 0 and not self.zero:
            self.fail("a duration longer than 0 is needed", param, ctx)
        return seconds


class Rollout(NamedTuple):
    """What a command line says about the services: option names and values, as far as given."""

    given: dict[str, Any]
    abort: bool

    def options(self) -> Options:
        """As the library takes them."""
        from ..rotation.types import Options

        return Options(**self.given)

    def refuse(self) -> None:
        """Raise UsageError if anything is said: there are no services on the local engine."""
        names = [_NAMES[key] for key in self.given] + (["--abort"] if self.abort else [])
        if names:
            raise UsageError(
                f"{', '.join(names)}: only where services run, and the engine is local",
                hint='--engine swarm, or in secretkit.toml: engine = "swarm"',
            )


_OPTIONS = (
    click.option(
        "--service",
        "services",
        metavar="SERVICE",
        multiple=True,
        shell_complete=complete_services,
        help="Only this service; repeatable.",
    ),
    click.option(
        "--parallelism", type=Number(0), help="Tasks of a service at a time; 0: all at once."
    ),
    click.option("--delay", type=Duration(), help="Between them."),
    click.option(
        "--order",
        type=click.Choice(["start-first", "stop-first"]),
        help="Whether a task's successor starts before it stops.",
    ),
    click.option("--monitor", type=Duration(), help="How long the engine watches a task."),
    click.option(
        "--failure-action",
        type=click.Choice(["pause", "continue", "rollback"]),
        help="What the engine does when a task fails.",
    ),
    click.option("--max-parallel", type=NUMBER, help="Services at a time; default: 1."),
    click.option(
        "--soak", type=Duration(), help="How long tasks must stay well before it is done."
    ),
    click.option("--timeout", type=Duration(zero=False), help="For each service; default: 10m."),
    click.option(
        "--on-failure",
        type=click.Choice(["rollback", "stop"]),
        help="What becomes of the services that are done; default: rollback.",
    ),
    click.option("--strict", is_flag=True, help="Warnings refuse too."),
    click.option("--jobs", is_flag=True, help="Also jobs, which run once more."),
)
_KEYS = (
    *("services", "parallelism", "delay", "order", "monitor", "failure_action"),
    *("max_parallel", "soak", "timeout", "on_failure", "strict", "jobs"),
)
_NAMES = {key: f"--{key.replace('_', '-')}" for key in _KEYS} | {"services": "--service"}
_abort = click.option(
    "--abort", is_flag=True, help="End a rotation under way: back to the version before it."
)


def rollout_options(*, abort: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a command these options; they arrive as one argument, `rollout`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def gathered(*args: Any, **kwargs: Any) -> Any:
            asked = {key: kwargs.pop(key) for key in _KEYS}
            # Not by truth: 0 is a number of tasks and a delay.
            given = {
                key: value
                for key, value in asked.items()
                if value is not None and value is not False and value != ()
            }
            rollout = Rollout(given, kwargs.pop("abort", False))
            return function(*args, rollout=rollout, **kwargs)

        decorated: Callable[..., Any] = gathered
        for option in reversed((*_OPTIONS, *([_abort] if abort else []))):
            decorated = option(decorated)
        return decorated

    return decorate

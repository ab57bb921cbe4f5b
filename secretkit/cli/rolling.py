"""A rotation on an engine: the plan is printed, or carried out while its events are shown."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from ..errors import RolloutFailedError, SecretkitError, VersionNotFoundError
from . import shapes
from .command import App
from .following import following
from .output import ago, counted, elapsed
from .steps import perform, refresh_steps

if TYPE_CHECKING:
    from ..rotation.hooks import Hooks as LibraryHooks
    from ..rotation.journal import Journal
    from ..rotation.types import Event, OnEvent, Options, Plan, Report, ServiceReport
    from ..rotation.versions import Versions
    from ..store import Store
    from .rollout import Rollout

Hooks = Mapping[str, tuple[str, ...]]


def show_plan(app: App, plan: Plan, options: Options, hooks: Hooks, source: str) -> None:
    """Print what would be done. Raises PreflightError if it would be refused, as the doing does."""
    from ..rotation.plan import refuse

    steps = list(_steps(plan, options, hooks, source))
    if app.out.json:
        app.out.document({**shapes.plan(plan), "steps": steps})
    else:
        for step in steps:
            app.out.data(step)
    for found in plan.findings:
        app.out.warn(f"{found.service}: {found.message}")
    refuse(plan, options)


def _steps(plan: Plan, options: Options, hooks: Hooks, source: str) -> list[str]:
    steps = []
    if plan.resumes:
        steps.append(f"go on with the rotation {plan.resumes}")
    if plan.creates:
        steps.append(f"create {plan.kind} {plan.creates} from {source}")
    if "before" in hooks:
        steps.append(f"run {shlex.join(hooks['before'])}")
    for swap in plan.swaps:
        tasks = "a task on every node" if swap.tasks is None else counted(swap.tasks, "task")
        steps.append(
            f"update {swap.service}: {', '.join(swap.before)} -> {swap.after} at"
            f" {', '.join(swap.targets)}, {tasks}"
        )
        if "verify" in hooks:
            steps.append(f"run {shlex.join(hooks['verify'])}")
    steps += [f"leave {service} as it is: {why}" for service, why in plan.skipped]
    steps.append(f"make {plan.name} v{plan.after} current")
    if "after" in hooks:
        steps.append(f"run {shlex.join(hooks['after'])}")
    if len(plan.swaps) > 1:
        at_once = min(options.max_parallel, len(plan.swaps))
        order = "one after the other" if at_once == 1 else f"{at_once} services at a time"
        steps.insert(0, f"rotate {plan.name} in {len(plan.swaps)} services, {order}")
    return steps


def carry_out(
    app: App, name: str, start: Callable[[OnEvent], Report], *, title: str, again: str, back: str
) -> Report:
    """Run a rotation, show its events, then its report.

    `again` is the command that goes on with it after Ctrl-C, `back` the one that ends it. Raises
    RolloutFailedError after the report was shown.
    """
    begun: list[Event] = []

    def follow(show: OnEvent) -> OnEvent:
        def on_event(event: Event) -> None:
            if not begun:
                begun.append(event)
            show(event)

        return on_event

    try:
        with following(app.out, title) as show:
            report = start(follow(show))
    except RolloutFailedError as error:
        _show_report(app, cast("Report", error.report))
        raise
    except KeyboardInterrupt:
        if not begun:
            raise
        raise SecretkitError(
            f"interrupted, the rotation of {name} is under way",
            hint=f"`{again}` goes on with it, `{back}` goes back to the version before",
        ) from None
    _show_report(app, report)
    if not app.out.json and report.current is not None:
        app.out.data(f"{name} v{report.current}")
    return report


def _show_report(app: App, report: Report) -> None:
    """The table of what became of each service is talk, its JSON is data."""
    if app.out.json:
        app.out.line(shapes.report(report))
    elif not app.out.quiet or report.outcome != "completed":
        show_services(app, report.services)
    for warning in report.warnings:
        app.out.warn(warning)


def show_services(app: App, services: Sequence[ServiceReport]) -> None:
    """The table of what became of each service, if there is one."""
    if services:
        app.out.summary(
            ("SERVICE", "BEFORE", "AFTER", "TASKS", "TIME", "OUTCOME"),
            [
                (
                    one.service,
                    one.before,
                    one.after,
                    str(one.tasks),
                    elapsed(one.seconds),
                    one.outcome + (f": {one.reason}" if one.reason else ""),
                )
                for one in services
            ],
        )


def rotate_secret(
    app: App,
    store: Store,
    name: str,
    kind: str | None,
    value: Callable[[], bytes],
    rollout: Rollout,
    *,
    given: bool,
    generate: str | None,
    dry_run: bool,
) -> None:
    """`rotate` on an engine. Without a value `given`, one under way goes on, and nobody is asked.

    A value that a generator has made anew is left unused where the one under way has its own; that
    is warned about if it is not from the generator that was asked for, `generate`.
    """
    from ..rotation import abort, plan, rotate, under_way
    from ..rotation.versions import StoreVersions

    engine = app.connect("rotate")
    versions, options = StoreVersions(store), rollout.options()
    hooks = hooks_of(app, name)
    origin = f"generator {kind}" if kind else "the value given"
    if rollout.abort:
        carry_out(
            app,
            name,
            lambda on_event: abort(versions, engine, name, options=options, on_event=on_event),
            title=f"{name}: back to the version before",
            again=f"secretkit rotate {name} --abort",
            back=f"secretkit rotate {name} --abort",
        )
    elif dry_run:
        show_plan(app, plan(versions, engine, name, options=options), options, hooks, origin)
        return
    else:
        going_on = under_way(engine, "secret", name)
        say_resumed(app, going_on, "rotate")
        if generate and going_on and going_on.action == "rotate":
            origin = versions.sources(name).get(going_on.after, generate)
            if origin != generate:
                app.out.warn(
                    f"--generate {generate} is not used: {name} v{going_on.after} has its value"
                    f" already ({origin}), and its rotation goes on; rotate once more, or end this"
                    f" one first: secretkit rotate {name} --abort"
                )
        content = value() if given or going_on is None else None
        carry_out(
            app,
            name,
            lambda on_event: rotate(
                versions,
                engine,
                name,
                content,
                source=kind or "given",
                options=options,
                hooks=library_hooks(app, hooks),
                on_event=on_event,
            ),
            title=f"rotating {name}",
            again=f"secretkit rotate {name}",
            back=f"secretkit rotate {name} --abort",
        )
    perform(app, refresh_steps(app, store, [name]), dry_run=False)


def roll_back_secret(
    app: App, store: Store, name: str, to: int | None, rollout: Rollout, *, dry_run: bool
) -> None:
    """`rollback` on an engine."""
    from ..rotation import plan, rollback, under_way
    from ..rotation.versions import StoreVersions

    engine = app.connect("rollback")
    versions, options = StoreVersions(store), rollout.options()
    hooks = hooks_of(app, name)
    if dry_run:
        target = to or previous(versions, name)
        found = plan(versions, engine, name, to=target, options=options)
        show_plan(app, found, options, hooks, "the store")
        return
    say_resumed(app, under_way(engine, "secret", name), "rollback")
    carry_out(
        app,
        name,
        lambda on_event: rollback(
            versions,
            engine,
            name,
            to,
            options=options,
            hooks=library_hooks(app, hooks),
            on_event=on_event,
        ),
        title=f"rolling {name} back",
        again=f"secretkit rollback {name}" + (f" --to {to}" if to else ""),
        back=f"secretkit rotate {name} --abort",
    )
    perform(app, refresh_steps(app, store, [name]), dry_run=False)


def previous(versions: Versions, name: str) -> int:
    """The version that a rollback goes to by itself; raises VersionNotFoundError."""
    number = versions.previous(name)
    if number is None:
        raise VersionNotFoundError(name, f"before v{versions.current(name)}")
    return number


def say_resumed(app: App, journal: Journal | None, action: str) -> None:
    """Say that a rotation goes on, unless it is another action's or held: an error soon."""
    if journal and journal.action == action and (journal.is_left or journal.has_lapsed):
        app.out.say(
            f"resuming the {'rotation' if journal.action == 'rotate' else 'rollback'} of"
            f" {journal.name} to v{journal.after} begun by {journal.owner},"
            f" {ago(journal.since)}"
        )


def hooks_of(app: App, name: str) -> Hooks:
    """What secretkit.toml has to be run around a rotation of this secret."""
    declared = app.project.declared(name)
    return declared.hooks if declared else {}


def library_hooks(app: App, hooks: Hooks) -> LibraryHooks:
    """The same as the library takes it; they run in the project folder."""
    from ..rotation.hooks import Hooks as LibraryHooks

    return LibraryHooks(
        before=hooks.get("before", ()),
        after=hooks.get("after", ()),
        verify=hooks.get("verify", ()),
        folder=app.project.folder,
    )

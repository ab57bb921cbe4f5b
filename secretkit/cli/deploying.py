"""`stack deploy` and `stack diff`: stack files on a swarm, with the versions that are current."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import click

from ..errors import ProjectNotFoundError, RolloutFailedError, SecretkitError, StoreNotFoundError
from . import shapes
from .command import App, Command, pass_app
from .exits import FAILED
from .following import following
from .output import counted
from .rolling import show_services
from .rollout import Duration
from .stack import env_file_option, files_option, read_stack, variables_of
from .steps import perform, refresh_steps

if TYPE_CHECKING:
    from ..delivery.stack.deploy import Deployment, Plan
    from ..delivery.stack.report import Report
    from ..delivery.stack.rewrite import Given
    from ..rotation.travel import Arrival
    from ..rotation.types import OnEvent
    from ..store import Store
    from .creating import Missing

_name = click.argument("name", metavar="NAME")


@click.command(
    cls=Command,
    example="""
    $ secretkit stack deploy -c stack.yml shop --engine swarm
    db-password v2
    """,
)
@files_option
@env_file_option
@_name
@click.option("--prune", is_flag=True, help="Remove services that the files have no more.")
@click.option(
    "--with-registry-auth", is_flag=True, help="Send the registry's credentials to the nodes."
)
@click.option(
    "--resolve-image",
    type=click.Choice(["always", "changed", "never"]),
    help="Whether docker asks the registry for digests; default: docker's own.",
)
@click.option("--soak", type=Duration(), help="How long tasks must stay well before it is done.")
@click.option("--timeout", type=Duration(zero=False), help="For each service; default: 10m.")
@click.option("--dry-run", is_flag=True, help="Print the steps, and take none.")
@pass_app
def deploy(
    app: App,
    files: tuple[str, ...],
    env_file: str | None,
    name: str,
    prune: bool,
    with_registry_auth: bool,
    resolve_image: str | None,
    soak: float | None,
    timeout: float | None,
    dry_run: bool,
) -> None:
    """Deploy stack files as `docker stack deploy` does, and see that their services run.

    Every secret and config that secretkit knows gets its current version: a deploy takes no
    rotation back. One that the files bring (`file:`, `environment:`, `content:`) gets its next
    version when its content has changed, which becomes current when its services run with it.
    What secretkit.toml declares and is missing is created first. The same command goes on with a
    deploy that was interrupted.
    """
    from ..delivery.stack import docker
    from ..delivery.stack.variables import refused

    docker.program()
    variables = variables_of(env_file)
    settings = docker.Settings(prune, with_registry_auth, resolve_image)
    times = {key: each for key, each in (("soak", soak), ("timeout", timeout)) if each is not None}
    with _deployment(app, files, variables, name, "stack deploy") as (deployment, store):

        def environment() -> dict[str, str]:
            return {**variables, **cast("Any", deployment.engine).client_environment}

        lacking = _lacking(app, deployment, store)
        plan = deployment.plan([each for one in lacking for each in one.names])
        docker.check(name, deployment.given(plan), environment(), refused(deployment.stack))
        if dry_run:
            _show_plan(app, plan, lacking)
            return
        if store is not None and lacking:
            from .creating import create

            for new in create(store, lacking):
                app.out.say(f"created {new.name} v1 from generator {new.generator}")
            plan = deployment.plan()
        _warn(app, plan)

        def hand_over(given: Given) -> None:
            docker.deploy(name, given, settings, environment(), app.out.say)

        _carry_out(app, deployment, plan, hand_over, times)
        if store is not None:
            perform(app, refresh_steps(app, store), dry_run=False)


@click.command(
    cls=Command,
    example="""
    $ secretkit stack diff -c stack.yml shop --engine swarm
    SERVICE    WHAT                 BEFORE        AFTER
    shop_web   secret db-password   db-password   db-password-v2
    """,
)
@files_option
@env_file_option
@_name
@click.option("--exit-code", is_flag=True, help="Exit with 1 if there are differences.")
@pass_app
def diff(
    app: App, files: tuple[str, ...], env_file: str | None, name: str, exit_code: bool
) -> int | None:
    """Show what `stack deploy` would change, service by service. Changes nothing.

    Compared are secrets, configs, image, replicas and environment: docker alone knows what else a
    file becomes. Of a variable it says that it changes, and no value.
    """
    from ..delivery.stack.diff import COMPARED, differences

    with _deployment(app, files, variables_of(env_file), name, "stack diff") as found:
        deployment, store = found
        lacking = _lacking(app, deployment, store)
        plan = deployment.plan([each for one in lacking for each in one.names])
        differing = differences(deployment.stack, plan, deployment.services())
    if app.out.json:
        app.out.document(
            {"stack": name, "compared": COMPARED, "differences": [d._asdict() for d in differing]}
        )
    else:
        _warn(app, plan)
        if differing:
            app.out.table(
                ("SERVICE", "WHAT", "BEFORE", "AFTER"),
                [(one.service or "-", *one[1:]) for one in differing],
            )
        else:
            app.out.say(f"no difference in {COMPARED}")
    return FAILED if differing and exit_code else None


def _carry_out(
    app: App,
    deployment: Deployment,
    plan: Plan,
    hand_over: Callable[[Given], None],
    times: Mapping[str, float],
) -> None:
    def watch(start: Callable[[OnEvent], dict[str, Arrival]]) -> dict[str, Arrival]:
        with following(app.out, f"deploying {plan.stack}") as show:
            return start(show)

    try:
        report = deployment.carry_out(plan, hand_over, watch, say=app.out.say, **times)
    except RolloutFailedError as error:
        _show_report(app, cast("Report", error.report))
        raise
    except KeyboardInterrupt:
        raise SecretkitError(
            f"interrupted, stack {plan.stack} is being deployed",
            hint="the same command goes on with it",
        ) from None
    _show_report(app, report)
    if not app.out.json:
        for one in report.versions:
            app.out.data(f"{one.name} v{one.after}")


@contextlib.contextmanager
def _deployment(
    app: App, files: Collection[str], variables: Mapping[str, str], name: str, command: str
) -> Iterator[tuple[Deployment, Store | None]]:
    """The deployment, with the store while it is open; None where there is none."""
    from ..delivery.stack.deploy import Deployment

    stack = read_stack(app, tuple(files), variables)
    engine = app.connect(command)
    with contextlib.ExitStack() as opened:
        store: Store | None = None
        with contextlib.suppress(ProjectNotFoundError, StoreNotFoundError):
            store = opened.enter_context(app.store())
        yield Deployment(stack, name, engine, store), store


def _lacking(app: App, deployment: Deployment, store: Store | None) -> list[Missing]:
    """What the files name, secretkit.toml declares, and neither the store nor the engine has."""
    from .creating import missing

    if store is None:
        return []
    have = {secret.name for secret in store.list()} | deployment.in_engine()
    return missing(app.project, have, deployment.external())


def _warn(app: App, plan: Plan) -> None:
    for found in plan.findings:
        app.out.warn(f"{found.place}: {found.message}; {found.remedy}")
    for one in plan.choices.values():
        if one.warning:
            app.out.warn(f"{one.kind} {one.name}: {one.warning}")


def _show_plan(app: App, plan: Plan, lacking: Collection[Missing]) -> None:
    """Print what would be done."""
    steps = [
        f"create secret {name} v1 from generator {one.declared.generate}"
        for one in lacking
        for name in one.names
    ]
    made = {name for one in lacking for name in one.names}
    for key, one in plan.choices.items():
        brought = plan.sources.get(key)
        if one.adopts:
            steps.append(f"take {one.kind} {one.name} from the engine")
        if one.makes and one.name not in made:
            origin = brought.definition.origin if brought else ""
            steps.append(f"make {one.kind} {one.name} v{one.after} from its {origin}")
        if one.creates:
            steps.append(f"create {one.kind} {one.object_name}")
    steps.append(f"deploy {counted(len(plan.services), 'service')} with docker, and wait for them")
    steps += [
        f"make {one.kind} {one.name} v{one.after} current"
        for one in plan.choices.values()
        if one.commits
    ]
    if app.out.json:
        app.out.document(
            {
                "stack": plan.stack,
                "versions": [shapes.choice(one) for one in plan.choices.values()],
                "services": list(plan.services),
                "findings": [shapes.finding(found) for found in plan.findings],
                "steps": steps,
            }
        )
    else:
        for step in steps:
            app.out.data(step)
    _warn(app, plan)


def _show_report(app: App, report: Report) -> None:
    """The table of what became of each service is talk, its JSON is data."""
    if app.out.json:
        app.out.line(shapes.deployed(report))
    elif not app.out.quiet or report.outcome != "completed":
        show_services(app, report.services)

"""`create` and `rotate`: a value goes in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ..errors import EngineError, SecretExistsError, SecretNotFoundError, UsageError
from ..generators import check_kind, generate_for, makes_pair, names_for
from ..naming import check_name
from . import shapes
from .command import LOCAL, App, Command, pass_app
from .completing import complete_kinds, complete_names
from .rolling import rotate_secret
from .rollout import Rollout, rollout_options
from .source import GIVEN, Given, read, warn_of_mock
from .steps import Step, perform, refresh_steps

if TYPE_CHECKING:
    from ..model import Version
    from ..store import Store


def _value_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What says where a value comes from, for both commands."""
    for option in (
        click.option("--strip-newline", is_flag=True, help="Drop one newline at a FILE's end too."),
        click.option("--keep-newline", is_flag=True, help="Keep the newline at the end of stdin."),
        click.option(
            "--generate",
            metavar="KIND[:ARG]",
            shell_complete=complete_kinds,
            help="Make the value: password, password-symbols, hex, base64, urlsafe, uuid, pin,"
            " ed25519, rsa, tls, jwt-key or fernet.",
        ),
        click.argument("file", metavar="[FILE|-]", required=False, type=click.Path()),
    ):
        function = option(function)
    return function


def _report(app: App, versions: list[Version]) -> None:
    if app.out.json:
        app.out.document([shapes.version(one) for one in versions])
    else:
        for one in versions:
            app.out.data(f"{one.name} v{one.number}")


@click.command(
    cls=Command,
    example="""
    $ secretkit create db-password --generate password:32
    db-password v1
    """,
)
@click.argument("name", type=check_name)
@_value_options
@click.option("--label", "labels", metavar="K=V", multiple=True, help="A label; repeatable.")
@pass_app
def create(
    app: App,
    name: str,
    file: str | None,
    generate: str | None,
    keep_newline: bool,
    strip_newline: bool,
    labels: tuple[str, ...],
) -> None:
    """Store a new secret: its version 1.

    The value is the content of FILE, byte for byte; or stdin (-), without its last newline; or
    what is typed at a prompt; or made by a generator, which `rotate` will use again. A secret that
    secretkit.toml declares with a generator needs neither.
    """
    given = Given(file, keep_newline, strip_newline, f"secretkit create {name}")
    given.check(generate)
    project = app.project
    declared = project.secrets.get(name) or project.declared(name)
    kind = generate
    if kind is None and file is None and declared:
        kind = declared.generate
    wanted = _labels(labels) if declared is None else {**declared.labels, **_labels(labels)}
    base = declared.name if declared and generate is None and kind else name
    if kind:
        check_kind(kind)
    from ..store import NewSecret

    with app.store() as store:
        names = names_for(base, kind) if kind else (name,)

        def act() -> tuple[Version, ...]:
            values = generate_for(base, kind) if kind else {name: _asked(store, name, given, app)}
            warn_of_mock(app.out, name, values.get(name))
            origin = kind or GIVEN
            return store.create_many(
                [NewSecret(one, value, origin, kind, wanted) for one, value in values.items()]
            )

        made = perform(
            app,
            [
                Step(f"create {', '.join(f'{one} v1' for one in names)}", act),
                *refresh_steps(app, store, names),
            ],
            dry_run=False,
        )
    _report(app, made or [])


def _asked(store: Store, name: str, given: Given, app: App) -> bytes:
    """The value from where the user says; on a terminal only once the name is known to be free."""
    if given.file is None:
        try:
            store.get(name)
        except SecretNotFoundError:
            pass
        else:
            raise SecretExistsError(name)
    return read(name, given, app.out)


def _labels(pairs: tuple[str, ...]) -> dict[str, str]:
    labels = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UsageError("a label is K=V", hint="for example --label team=core")
        labels[key] = value
    return labels


@click.command(
    cls=Command,
    example="""
    $ secretkit rotate db-password
    db-password v2
    """,
)
@click.argument("name", type=check_name, shell_complete=complete_names)
@_value_options
@click.option("--dry-run", is_flag=True, help="Print the steps, and take none.")
@rollout_options(abort=True)
@pass_app
def rotate(
    app: App,
    name: str,
    file: str | None,
    generate: str | None,
    keep_newline: bool,
    strip_newline: bool,
    dry_run: bool,
    rollout: Rollout,
) -> None:
    """Make the next version of a secret, and make it current.

    Without FILE and --generate, the secret's own generator makes the value: that of
    secretkit.toml, else the one it was created with. The two halves of a `tls` pair are rotated
    together. Dev folders that are up are refreshed.

    With --engine swarm, every service that uses the secret is given the next version and watched
    until all its tasks run well with it; only then is it current. If a service does not, all go
    back (exit 6). Run it again after a crash or Ctrl-C: it goes on. Durations: 500ms, 10s, 1m30s.
    """
    given = Given(file, keep_newline, strip_newline, f"secretkit rotate {name}")
    given.check(generate)
    if app.engine_name == LOCAL:
        rollout.refuse()
    elif rollout.abort and (file, generate, dry_run) != (None, None, False):
        raise UsageError("--abort takes no value and no --dry-run", hint="give it the name alone")
    if generate is not None:
        check_kind(generate)
    with app.store() as store:
        base, kind = name, generate
        if kind is None and file is None:
            base, kind = _own_generator(app, store, name)
        elif kind is not None and makes_pair(kind):
            base = _pair_base(name)
        names = names_for(base, kind) if kind else (name,)
        if app.engine_name != LOCAL:
            if len(names) > 1:
                raise _pair_refused(names)
            rotate_secret(
                app,
                store,
                name,
                kind,
                lambda: generate_for(base, kind)[name] if kind else read(name, given, app.out),
                rollout,
                given=file is not None or kind is not None,
                generate=generate,
                dry_run=dry_run,
            )
            return
        numbers = {one: store.get(one).versions for one in names}
        made_from = f"generator {kind}" if kind else "the value given"
        texts = [f"{one} v{_next(numbers[one])}" for one in names]

        def act() -> tuple[Version, ...]:
            values = generate_for(base, kind) if kind else {name: read(name, given, app.out)}
            warn_of_mock(app.out, name, values.get(name))
            origin = kind or GIVEN
            return store.rotate_many([(one, value, origin) for one, value in values.items()])

        step = Step(f"make {', '.join(texts)} from {made_from}, and make it current", act)
        made = perform(app, [step, *refresh_steps(app, store, names)], dry_run=dry_run)
    if made is not None:
        _report(app, made)


def _pair_refused(names: tuple[str, ...]) -> EngineError:
    return EngineError(
        f"cannot rotate two secrets as one on an engine, {' and '.join(names)}",
        hint="between the two, services would have a key without its certificate: keep both in one"
        " secret, such as a PEM file",
    )


def _next(numbers: tuple[int, ...]) -> int:
    return numbers[-1] + 1


def _own_generator(app: App, store: Store, name: str) -> tuple[str, str | None]:
    """(the name that the generator is for, its kind); the kind is None if there is none."""
    declared = app.project.secrets.get(name) or app.project.declared(name)
    if declared and declared.generate:
        return declared.name, declared.generate
    try:
        kind = store.get(name).generator
    except SecretNotFoundError:
        # The name that a pair was created under.
        known = {one.name: one.generator for one in store.list()}
        kind = known.get(f"{name}-key")
        if kind and makes_pair(kind) and known.get(f"{name}-cert") == kind:
            return name, kind
        raise
    if kind and makes_pair(kind):
        return _pair_base(name), kind
    return name, kind


def _pair_base(name: str) -> str:
    """`web` of `web-key` and `web-cert`."""
    return name.removesuffix("-key") if name.endswith("-key") else name.removesuffix("-cert")

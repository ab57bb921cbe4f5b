"""`dev watch`: the dev folder follows what it is made of, and so does a command that runs on it."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import shutil
import signal
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, NoReturn

import click

from ..errors import (
    InvalidProjectError,
    MountError,
    NotFoundError,
    SecretkitError,
    StoreNotFoundError,
    UsageError,
)
from ..project import FILE as PROJECT_FILE
from .command import App, Launcher, pass_app
from .dev import bring_up, settings_of
from .output import Output, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..mount import DevFolder
    from ..mount.sources import Source
    from ..mount.watching import Sources

INTERVAL = 5.0  # seconds between two looks if nothing wakes us
BLIND = 1.0  # the same where inotify is used up
AGAIN = 10.0  # seconds until what failed is tried once more
_LIMITS = {
    errno.ENOSPC: "fs.inotify.max_user_watches",
    errno.EMFILE: "fs.inotify.max_user_instances",
}


class _Watching(Launcher):
    """COMMAND may be left out."""

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx)[:-1], "[-- COMMAND...]"]


@click.command(
    cls=_Watching,
    reports=False,
    example="""
    $ secretkit dev watch -- ./app
    secretkit: 1 secret in dev-secrets (in memory, /run/user/1000/secretkit/.../secrets)
    secretkit: dev-secrets: db-password v2
    secretkit-entrypoint: changed: secret db-password, variable DB_PASSWORD: COMMAND is restarted
    """,
)
@click.argument("directory", metavar="[DIR]", type=click.Path(), required=False)
@click.option(
    "--on-change",
    metavar="HOW",
    help="restart, signal:NAME or none; default: as [entrypoint] says, else restart.",
)
@pass_app
def watch(app: App, directory: str | None, on_change: str | None, command: tuple[str, ...]) -> None:
    """Bring up the folder DIR and keep it fresh until Ctrl-C, or until COMMAND ends.

    Follows the store, secretkit.toml, its templates, the overrides and DIR itself. COMMAND runs
    through the shim with [entrypoint], and is restarted, or gets a signal, when something that it
    gets has changed. Its exit status is that of this process, which gets all signals for it.
    """
    if on_change and not command:
        raise UsageError("--on-change is for a COMMAND", hint="secretkit dev watch -- COMMAND")
    from .. import mount

    path = Path(directory) if directory else app.project.dev_folder
    before = mount.locate(app.folder, path)
    if directory and not (command or before or os.path.lexists(path)) and shutil.which(directory):
        raise UsageError(
            f"{directory} is a program, and would be the name of a dev folder",
            hint=f"COMMAND stands after --: secretkit dev watch -- {quoted(directory)}",
        )
    app.out = _Once(app.out)
    folder = bring_up(app, path, before.settings if before else settings_of(app)).folder
    gc.enable()  # from here on it is no short run
    if command:
        options = ["--on-change", on_change] if on_change else []
        _become(app, path, folder, [*options, "--", *command])
    app.out.say("changes are followed until Ctrl-C")
    with contextlib.suppress(KeyboardInterrupt):
        _Follower(app, path, folder).run()


def _become(app: App, path: Path, folder: DevFolder, words: list[str]) -> NoReturn:
    """Become the shim that watches, and leave a child behind that keeps its folder fresh.

    So COMMAND has the terminal, and signals and statuses need nobody in between.
    """
    from ..delivery.shim import command
    from ..mount import ephemeral
    from .contained import own_environment
    from .hardening import allow_cores

    # The folder outlives us for as long as the child holds it open.
    with ephemeral() as private:
        config = private / "entrypoint.json"
        follower = _Follower(app, path, folder, config, os.getpid())
        follower.configure()
        if (child := os.fork()) == 0:
            follower.run_as_child()
        words = [*command(), "--watch", "--secrets-dir", str(folder.path), *words]
        allow_cores()
        try:
            # As with `run`, a config file of the user's goes before [entrypoint].
            environ = {"SECRETKIT_CONFIG": str(config), **own_environment()}
            environ["SECRETKIT_HELPER_PID"] = str(child)
            os.execve(words[0], words, environ)  # noqa: S606 - no shell is what is wanted
        except OSError as error:
            reason = str(error.strerror).lower()
            raise SecretkitError(f"cannot start {words[0]}, {reason}") from None


class _Once(Output):
    """Says nothing twice: what is done again and again meets the same again and again."""

    def __init__(self, out: Output) -> None:
        super().__init__()
        self.quiet = out.quiet
        self._said: set[str] = set()

    def say(self, text: str) -> None:
        if self._first(text):
            super().say(text)

    def warn(self, text: str) -> None:
        if self._first(text):
            super().warn(text)

    def _first(self, text: str) -> bool:
        if text in self._said:
            return False
        self._said.add(text)
        return True


class _ProjectGoneError(NotFoundError):
    """There is nothing left to follow."""


class _Follower:
    """Keeps a dev folder fresh."""

    def __init__(
        self,
        app: App,
        path: Path,
        folder: DevFolder,
        config: Path | None = None,
        shim: int | None = None,
    ) -> None:
        """`path` is DIR as the user has it. With `config`, the file in which the shim of that
        process id finds [entrypoint].
        """
        self._app = app
        self._project = app.folder
        app.chosen = str(self._project)  # not one above it, should it be gone
        self._path = path
        self._absolute = path.absolute()  # the current folder may go
        self._config = config
        self._shim = shim
        self._held = dict(folder.sources)
        self._trouble: str | None = None
        self._file = self._project / PROJECT_FILE
        self._had_content = self._has_content()

    def run_as_child(self) -> NoReturn:
        """Follows in a session of its own, which no key of the terminal reaches, until the shim
        ends. Returns never.
        """
        from .hardening import end_with

        try:
            os.setsid()
            if self._shim and end_with(self._shim):
                self.run()
        except BaseException as error:
            reason = str(error) if isinstance(error, SecretkitError) else type(error).__name__
            self._app.out.error(f"changes are not followed any more: {reason}")
        os._exit(1)

    def run(self) -> None:
        """Follows, for ever."""
        from ..mount.watching import Alarm, fingerprint

        sources, seen, woken = self._sources(), None, True
        tried, interval = 0.0, INTERVAL
        with Alarm() as alarm:
            while True:
                again = self._trouble is not None and monotonic() - tried >= AGAIN
                if woken or again or fingerprint(sources) != seen:
                    sources = self._sources()
                    blind = alarm.follow(sources)
                    self._warn(blind)
                    interval = BLIND if blind else INTERVAL
                    now = fingerprint(sources)
                    if again or now != seen:
                        seen, tried = now, monotonic()
                        self._refresh()
                        self._nudge()
                        if self._sources() != sources:  # secretkit.toml names others now
                            woken = True
                            continue
                woken = alarm.wait(interval)

    def configure(self) -> None:
        """Writes [entrypoint] for the shim, if it says something else."""
        from ..mount.private import write_file
        from ..project import entrypoint_json

        if self._config:
            project = self._app.project
            table = {"watch_secrets": True, **project.entrypoint}
            content = entrypoint_json(project._replace(entrypoint=table), absolute=True)
            if not self._config.exists() or self._config.read_bytes() != content:
                write_file(self._config, content, 0o400)

    def _sources(self) -> Sources:
        from .. import mount
        from ..mount.watching import Sources
        from ..project import STORE_FOLDER

        found = None
        with contextlib.suppress(SecretkitError):  # which `_bring` meets as well
            found = mount.locate(self._project, self._absolute)
        project = self._app.project
        templates = [one["source"] for one in project.entrypoint.get("render", ())]
        return Sources(
            self._project,
            (
                self._project / STORE_FOLDER / "store.db",
                self._file,
                found.path if found else self._absolute,
                *(project.folder / template for template in templates),
            ),
            [*([found.place] if found else []), project.dev_overrides],
        )

    def _has_content(self) -> bool:
        """Whether secretkit.toml has some: some programs empty a file first."""
        with contextlib.suppress(OSError):
            return self._file.stat().st_size > 0
        return False

    def _refresh(self) -> None:
        """Brings the folder up to date. What is in the way is said, once."""
        try:
            self._bring()
        except _ProjectGoneError:
            raise
        except SecretkitError as error:
            self._report(str(error), error.hint)
        except OSError as error:
            reason = (error.strerror or "I/O error").lower()
            self._report(f"{reason}, {error.filename or self._path}")
        else:
            if self._trouble:
                Output.say(self._app.out, "the trouble is over: changes are followed again")
            self._trouble = None

    def _report(self, trouble: str, hint: str | None = None) -> None:
        if self._trouble != trouble:
            self._app.out.error(trouble, hint)
        self._trouble = trouble

    def _bring(self) -> None:
        from .. import mount
        from ..project import STORE_FOLDER

        if not self._project.exists():
            if mount.locate(self._project, self._absolute):
                mount.down(self._project, self._absolute)
            raise _ProjectGoneError(
                f"the project is gone, {self._project}", hint="its dev folder is wiped"
            )
        folder = mount.locate(self._project, self._absolute)
        if folder is None or not folder.is_up:
            raise MountError(
                f"the dev folder is gone, {self._path}",
                hint="`secretkit dev up` makes it again, and then it is followed again",
            )
        settings = folder.settings
        if not settings.mock and not (self._project / STORE_FOLDER).exists():
            raise StoreNotFoundError(str(self._project))  # `bring_up` would make another
        before, wrong = self._app.project, None
        try:
            if self._had_content and not self._has_content():
                raise InvalidProjectError(str(self._file), "it is gone, or empty")
            self._app.reload()
        except InvalidProjectError as error:
            wrong = error  # what it said before still counts
        project = self._app.project
        settings = settings._replace(overrides=project.dev_overrides)
        if self._path == before.dev_folder != project.dev_folder:
            self._app.out.warn(
                f"[dev] folder is {project.dev_folder} now, and {self._path} is followed:"
                " start dev watch again"
            )
        if project.dev_layout != before.dev_layout:
            settings = settings._replace(layout=project.dev_layout)
        self.configure()
        self._tell(bring_up(self._app, self._path, settings).folder.sources)
        if wrong:
            raise wrong

    def _tell(self, held: Mapping[str, Source]) -> None:
        """Says which files are others now, whoever has written them."""
        changed = [
            f"{name} {_named(held[name])}" if name in held else f"{name} is gone"
            for name in sorted(held.keys() | self._held.keys())
            if held.get(name) != self._held.get(name)
        ]
        if changed:
            Output.say(self._app.out, f"{self._path.name}: {', '.join(changed)}")
        self._held = dict(held)

    def _nudge(self) -> None:
        """The shim looks at once."""
        if self._shim and os.getppid() == self._shim:
            os.kill(self._shim, signal.SIGCHLD)

    def _warn(self, error: OSError | None) -> None:
        if error:
            limit = _LIMITS.get(error.errno or 0, "inotify")
            reason = (error.strerror or "no watch").lower()
            self._app.out.warn(
                f"changes are looked for every {BLIND:g} s, and not seen at once, {limit}: {reason}"
            )


def _named(source: Source) -> str:
    return f"v{source.version}" if source.version else f"({source.origin})"

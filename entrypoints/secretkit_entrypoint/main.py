"""The shim as one story: read what is asked, check all of it, render, become the process."""

import posix

from . import load_group
from .errors import Problems, ShimError
from .mount import Mount, exists
from .options import (
    DEFAULT_CONFIG,
    DEFAULT_FOLDER,
    Settings,
    read_arguments,
    read_variables,
)
from .process import DEFAULT_PATH, become, find
from .variables import Environment, inherited


def main(words):
    """Runs the shim with the arguments `words` (str); returns a status unless it is replaced."""
    return shielded(run, words)


def shielded(step, *arguments):
    """What a step returns, a status; errors become lines on stderr and theirs."""
    try:
        return step(*arguments)
    except ShimError as error:
        for problem in error.problems:
            complain(problem)
        return error.status
    except KeyboardInterrupt:
        return 130  # 128 + SIGINT, as a shell reports it
    except Exception as error:
        complain(defect(error))
        return 125


def defect(error):
    """What is said of a defect: neither its message nor a traceback, as they may hold a value."""
    if isinstance(error, ImportError):
        return (
            f"the shim's {needed_by(error)} needs the module {error.name}, which cannot be loaded: "
            "use a Python with its whole standard library (Debian: python3, not python3-minimal), "
            "and all that `secretkit shim export` wrote"
        )
    place = error.__traceback__
    while place.tb_next:
        place = place.tb_next
    file = place.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f"internal error: {type(error).__name__} at {file}:{place.tb_lineno}; please report it"


def needed_by(error):
    """The module of the shim (str) that has raised an ImportError, without the package's name."""
    place, needed = error.__traceback__, ""
    while place:
        package, _, module = place.tb_frame.f_globals["__name__"].partition(".")
        if package == __package__:
            needed = module
        place = place.tb_next
    return needed


def run(words):
    request = read_arguments(words)
    if request.action in ("--help", "--version", "--compile"):
        from .about import answer

        return answer(request.action)

    environ = inherited()
    settings = settled(request, environ)
    problems = Problems()
    start = Start(request, settings, environ, problems)
    if request.action == "--check":
        from .preflight import check

        return check(start, problems)
    if request.action == "--explain":
        from .explain import explain

        explain(start)
    problems.stop(starting=request.action is None)
    if request.action is not None:
        return 0
    if settings.watch:
        from .watching import watch

        return watch(start)
    start.write()
    return become(start)


class Start:
    """One start of COMMAND: read, checked and rendered in memory, and nothing is changed yet.

    `environment.values` is what COMMAND gets (bytes to bytes), `arguments` its words, `path` its
    file, `user` a User or None, `limits` Limits or None, `renderings` the files to write, `handed`
    the contents (bytes) by the number of the descriptor that COMMAND inherits, `digests` what
    stands for the content of each secret file, if those count. What could not be had is in the
    problems.
    """

    def __init__(self, request, settings, environ, problems):
        self.request = request
        self.settings = settings
        self.environ = environ
        self.mount = Mount(folder(settings, environ))
        self.environment = Environment(settings, self.mount, environ)
        self.arguments = request.command
        self.path = self.user = self.limits = self.plan = None
        self.renderings = []
        self.handed = {}
        self.digests = {}

        self.environment.fill(problems)
        if settings.user is not None:
            from .users import lookup, possible

            with problems:
                self.user = lookup(settings.user, "--user")
                # A home that belongs to root breaks programs that write there, so this is the
                # user's own (as gosu does), unless HOME was asked for.
                if b"HOME" not in self.environment.sources and b"HOME" not in settings.preserve:
                    self.environment.values[b"HOME"] = self.user.home
                possible(self.user)
        if settings.no_new_privs or settings.cap_drop:
            from .privileges import Limits

            with problems:
                self.limits = Limits(settings)
        if settings.render or settings.keystore:
            load_group("render")
            from .rendering import prepare

            self.renderings = prepare(self, problems)
        if settings.stdin or settings.fd:
            from .handing import prepare

            self.handed = prepare(self, problems)
        if settings.arg:
            from .arguments import substituted

            self.arguments = substituted(self, problems)
        if settings.watch:
            with problems:
                from .watching import Plan

                self.plan = Plan(settings, self.user)
        with problems:
            self.path = command(request, environ)
        with problems:
            self.environment.check_total(self.arguments)

    def write(self):
        """Writes all files, or none of them."""
        if self.renderings:
            from .destinations import write

            write([(rendering.destination, rendering.content) for rendering in self.renderings])


def settled(request, environ):
    """The Settings: options, then variables, then the config file, if there is one."""
    levels = [request.level, read_variables(environ)]
    path = configured(request, environ)
    if path is not None:
        from .config import read

        levels.append(read(path))
    return Settings(levels)


def configured(request, environ):
    """The path of the config file, or None: few images have one."""
    path = request.config or environ.get(b"SECRETKIT_CONFIG")
    return path or (DEFAULT_CONFIG if exists(DEFAULT_CONFIG) else None)


def folder(settings, environ):
    """The mount; without --secrets-dir the first of Swarm's and systemd's that is there."""
    if settings.secrets_dir is not None:
        return settings.secrets_dir
    credentials = environ.get(b"CREDENTIALS_DIRECTORY")
    if credentials and not exists(DEFAULT_FOLDER) and exists(credentials):
        return credentials
    return DEFAULT_FOLDER


def command(request, environ):
    """The file to execute. PATH is the one that the shim was started with."""
    if request.command:
        return find(request.command[0], environ.get(b"PATH", DEFAULT_PATH))
    if request.action is None:
        raise ShimError("no COMMAND: write secretkit-entrypoint [OPTIONS] -- COMMAND [ARG…]")
    return None


def complain(problem):
    """A problem, as one line on stderr."""
    tell(f"error: {problem}")


def tell(text):
    """One line on stderr, even where stderr is closed or not UTF-8."""
    line = f"secretkit-entrypoint: {text}\n"
    try:
        posix.write(2, line.encode("utf-8", "backslashreplace"))
    except OSError:
        pass

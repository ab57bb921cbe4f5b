"""--watch: the shim stays as the parent of COMMAND and follows what changes in the mount.

Where the secrets are is looked at in intervals: the standard library has no inotify(7), and the
swap of a Kubernetes mount, a rename and a file written in place all look alike that way. Who knows
of a change sends SIGCHLD, and it is looked at once.
"""

import _signal
import posix
from time import monotonic

from .errors import Problems, ShimError, show
from .main import Start, complain, configured, defect, settled, tell
from .mount import Mount
from .process import close_descriptors
from .supervising import Command, signal_number

INTERVAL = 1.0  # seconds between two looks
SETTLE = 0.2  # seconds without a change before it is read
UNSETTLED = 25  # times that long, then it is read all the same
AGAIN = 10  # seconds until a change that failed is tried once more
NAMED = 5  # of what has changed
LONGEST = 86400  # seconds
HELPER = b"SECRETKIT_HELPER_PID"  # what has become this process says so


class Plan:
    """What the settings say about watching; raises ShimError for what cannot be done.

    `signal` is the number that tells COMMAND of a change, None for none. Times are in seconds.
    """

    def __init__(self, settings, user):
        problems = Problems()
        self.restart = settings.on_change in (None, b"restart")
        self.signal = None
        self.stop_signal = 15
        with problems:
            if not self.restart and settings.on_change != b"none":
                kind, _, name = settings.on_change.partition(b":")
                if kind != b"signal":
                    raise ShimError("--on-change takes restart, signal:NAME (signal:HUP) or none")
                self.signal = signal_number(name, "--on-change signal:NAME")
                if self.signal == _signal.SIGKILL:
                    raise ShimError("--on-change signal:KILL tells COMMAND nothing: use restart")
        with problems:
            if settings.stop_signal is not None:
                self.stop_signal = signal_number(settings.stop_signal, "--stop-signal")
        with problems:
            self.grace = seconds(settings.grace, "--grace")
        with problems:
            self.stop_timeout = seconds(settings.stop_timeout, "--stop-timeout")
        self.group = bool(settings.signal_group)
        with problems:
            check_reach(user)
        problems.stop(starting=False)


def seconds(text, origin):
    """A time from the settings (bytes or None); 10 if nothing was said."""
    if text is None:
        return 10.0
    try:
        time = float(text)
    except ValueError:
        time = -1.0
    if not 0 <= time <= LONGEST:
        raise ShimError(f"{origin} takes seconds, such as 10 or 0.5, at most {LONGEST}")
    return time


def helper_of(environ):
    """The process id of a child of ours that keeps the secrets fresh, or None."""
    number = environ.get(HELPER, b"")
    return int(number) if number.isdigit() else None


def check_reach(user):
    """Raises ShimError if this process could not send signals to one of `user` (or None)."""
    if user is None or user.uid in (posix.getuid(), posix.geteuid()):
        return
    from .privileges import holds, state

    if not holds(state(), b"KILL"):
        raise ShimError(
            "--watch with --user needs the capability KILL, to send signals to COMMAND (docker "
            "run --cap-add KILL)"
        )


def watch(start):
    """Writes the files of `start`, runs its COMMAND until that ends, and returns its status."""
    return Watch(start).run()


class Watch:
    """A COMMAND that is running and the Start that it runs with."""

    def __init__(self, start):
        plan = self.plan = start.plan
        self.command = Command(plan, helper_of(start.environ))
        self.helped = self.command.helper is not None
        self.silent = False
        self.running = start
        # What COMMAND goes back to if it dies too soon, and what it died with.
        self.previous = self.refused = None
        self.changed = 0.0
        self.seen = None
        self.troubles = ()
        self.tried = 0.0

    def run(self):
        """Returns the exit status of COMMAND, when it has ended by itself."""
        digest(self.running)
        self.running.write()
        close_descriptors()  # a pipe that was inherited would never end
        self.command.launch(self.running)
        while True:
            self.command.wait(INTERVAL)
            nudged, self.command.nudged = self.command.nudged, False
            if self.command.status is not None:
                if not self.may_go_back():
                    return self.command.status
                self.go_back()
            elif self.following():
                self.look(UNSETTLED if not nudged else 0)

    def following(self):
        """Whether changes count; that they do no more is said, once."""
        command = self.command
        if self.helped and command.helper is None:
            if not self.silent:
                tell(
                    "what keeps the secrets fresh has ended: changes are not followed any more, "
                    "until `secretkit dev watch` is started again"
                )
            self.silent = True
        elif command.for_good and not self.silent:
            before, self.seen = self.seen, fingerprint(self.running)
            if before not in (None, self.seen):
                start, problems = self.read()
                if not problems and differences(self.running, start):
                    tell("COMMAND was asked to end: changes are not followed any more")
                    self.silent = True
                self.drop(start)
        return not self.silent and not command.asked_to_end

    def look(self, patience):
        """Follows a change, when it is over: looked at that often. Who nudges knows that it is."""
        before = now = fingerprint(self.running)
        again = not patience or monotonic() - self.tried >= AGAIN
        if now == self.seen and not (self.troubles and again):
            return
        for _ in range(patience):
            self.command.wait(SETTLE)
            if self.command.status is not None:
                return
            before, now = now, fingerprint(self.running)
            if before == now:
                break
        self.tried = monotonic()
        start, problems = self.read()
        if before == now and now != fingerprint(self.running):
            self.drop(start)  # half of it may be from before: the next look reads it again
            return
        self.seen = now
        if problems:
            self.drop(start)
            self.report(problems)
        else:
            self.follow(start)

    def read(self):
        """A new Start, and what is wrong with it: a tuple of lines, empty for nothing."""
        running, problems, start = self.running, Problems(), None
        try:
            settings = settled(running.request, running.environ)
            if not settings.watch:
                raise ShimError("watch is off in the settings, which counts from the next start")
            start = Start(running.request, settings, running.environ, problems)
            problems.stop(starting=False)
            digest(start)
        except ShimError as error:
            return start, error.problems
        except Exception as error:
            return start, (defect(error),)
        return start, ()

    def drop(self, start):
        """Lets go of a Start (or None) that is not written."""
        for rendering in start.renderings if start is not None else ():
            if rendering.destination is not None:
                rendering.destination.close()

    def report(self, problems):
        """Says what is in the way of a change, but not twice."""
        if problems != self.troubles:
            for problem in problems:
                complain(problem)
            tell("the change is not followed: COMMAND keeps running with what it has")
        self.troubles = problems

    def follow(self, start):
        """Gives COMMAND what `start` has, if that is new."""
        self.command.wait(0)
        if self.command.status is not None or self.command.asked_to_end:
            self.seen = None  # should COMMAND live on
            self.drop(start)
            return
        changes = differences(self.running, start)
        self.plan = start.plan
        self.command.obey(start.plan)
        if not changes:
            self.refused = None
        if not changes or (self.refused is not None and not differences(self.refused, start)):
            self.drop(start)
            self.mended()
            return
        try:
            start.write()
        except ShimError as error:
            self.report(error.problems)
            return
        self.mended()
        if self.plan.restart:
            self.restart(start, changes)
        else:
            self.inform(start, changes)

    def restart(self, start, changes):
        """Starts COMMAND anew, unless somebody wants it to end."""
        tell(f"changed: {listed(changes)}: COMMAND is restarted")
        self.adopt(start)
        self.command.stop()
        if not self.command.asked_to_end:
            self.command.launch(start)
            self.changed = monotonic()

    def inform(self, start, changes):
        """Tells a running COMMAND of new files. Only a new start could give it the rest."""
        files = [change for change in changes if change.startswith(("file ", "secret "))]
        others = [change for change in changes if change not in files]
        if files:
            self.adopt(start)
            number = self.plan.signal
            done = "it gets no signal" if number is None else f"signal {number}"
            tell(f"changed: {listed(files)}: {done}")
            if number is not None:
                self.command.send(number)
            self.changed = monotonic()
        if others:
            self.running = start
            tell(f"changed: {listed(others)}: COMMAND keeps the old until it is started anew")

    def adopt(self, start):
        """COMMAND has `start` from now on. What it had is kept, if it has lived long with that."""
        if self.previous is None or not self.in_grace():
            self.previous = self.running
        self.running, self.refused = start, None

    def mended(self):
        if self.troubles:
            tell("the trouble is over: changes are followed again")
        self.troubles = ()

    def in_grace(self):
        return monotonic() - self.changed < self.plan.grace

    def may_go_back(self):
        """Whether COMMAND has died of a change: not by its own wish, nor by anybody's."""
        command = self.command
        died = command.status != 0 and not command.asked_to_end
        return died and self.previous is not None and self.in_grace()

    def go_back(self):
        """Starts COMMAND again with what it had before the change."""
        self.command.stop()  # what is left of its group
        if self.command.asked_to_end:
            return
        tell(
            f"COMMAND ended with status {self.command.status} within {self.plan.grace:g} seconds "
            "of a change: it gets back what it had before, until the secrets change again"
        )
        self.refused, self.running, self.previous = self.running, self.previous, None
        rewrite(self.running)
        self.command.launch(self.running)


def rewrite(start):
    """Writes the files of a Start once more."""
    from .destinations import Destination, write

    allow_disk = start.settings.allow_disk
    files = []
    for rendering in start.renderings:
        path, mode, owner = rendering.render.destination, rendering.mode, rendering.owner
        files.append((Destination(path, mode, owner, allow_disk), rendering.content))
    write(files)


def fingerprint(start):
    """What changes whenever a secret or a template does: for each file its identity and times."""
    settings, prints = start.settings, []
    try:
        # Names that start with a dot are no secrets: Mount.names()
        names = [entry.name for entry in posix.scandir(start.mount.folder)]
        paths = [start.mount.path(name) for name in sorted(names) if name[:1] != b"."]
    except OSError as error:
        paths = []
        prints.append(error.errno)
    paths += [render.source for render in settings.render]
    config = configured(start.request, start.environ)
    paths += [config] if config is not None else []
    for name in settings.expand_file:
        paths.append(start.environ.get(name + b"_FILE", b""))
    for path in paths:
        try:
            status = posix.stat(path)
        except OSError as error:
            prints.append((path, error.errno))
        else:
            times = (status.st_ctime_ns, status.st_mtime_ns)
            prints.append((path, status.st_dev, status.st_ino, status.st_size) + times)
    return prints


def digest(start):
    """Takes note of the secret files for a COMMAND that reads them, but keeps no content."""
    if not start.settings.watch_secrets:
        return
    from hashlib import sha256

    mount = Mount(start.mount.folder)  # it keeps what is read from it
    for name in mount.names():
        try:
            start.digests[name] = sha256(mount.read(name)).digest()
        except ShimError as error:
            start.digests[name] = error.problems  # whoever reads it has to live with that


def differences(old, new):
    """What of COMMAND's would not be the same: "variable X", "file /x" …, sorted; no values."""
    before, after = contents(old), contents(new)
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def contents(start):
    """All that COMMAND gets of a Start, by what messages call it."""
    found = {f"variable {show(name)}": start.environment.values[name] for name in
             start.environment.values}  # fmt: skip
    found.update((f"descriptor {number}", start.handed[number]) for number in start.handed)
    for rendering in start.renderings:
        found[f"file {show(rendering.render.destination)}"] = (
            rendering.content, rendering.mode, rendering.owner,
        )  # fmt: skip
    found.update((f"secret {show(name)}", start.digests[name]) for name in start.digests)
    settings = start.settings
    found["arguments"] = start.arguments
    found["user"] = settings.user
    found["privileges"] = settings.no_new_privs, sorted(settings.cap_drop)
    return found


def listed(changes):
    """Some of them by name, the others counted."""
    more = f" and {len(changes) - NAMED} more" if len(changes) > NAMED else ""
    return ", ".join(changes[:NAMED]) + more

"""--check: everything that is in the way of a start, and what would hurt later. Never a value.

The errors are the start's own. Warnings are found here; with --strict they count as errors.
Nothing is written and nothing is started.
"""

import posix

from . import values
from .destinations import GIVE, MOUNTED
from .errors import LESSONS, ShimError, show
from .mount import exists
from .options import Keystore
from .process import denied, unrunnable
from .remedies import Place, mount_points, plural, remedies

READ, EXECUTE = 4, 1


def check(start, problems):
    """Reports on a Start and its `problems` (Problems); returns the exit status, 0 or 125."""
    findings = Findings(start, problems)
    if start.request.json:
        text = as_json(findings)
    else:
        lines = []
        for level, found in findings.levels.items():
            for line, mending in found:
                lines.append(f"secretkit-entrypoint: {level}: {line}")
                width = max([len(platform) for platform, _ in mending] + [0])
                lines += [f"    {platform:{width}}  {remedy}" for platform, remedy in mending]
        write(2, "".join(line + "\n" for line in lines))
        text = summary(findings)
    from .about import say

    say(text)
    return 125 if findings.fail else 0


class Findings:
    """`levels` maps "error" and "warning" to a list of (line, remedies)."""

    def __init__(self, start, problems):
        self.start = start
        self.levels = {"error": [], "warning": []}
        self.taught = set()
        lessons = [(line, lesson_of(line)) for line in problems.lines()]
        missing = [lesson[1] for _, lesson in lessons if lesson and lesson[0] == "missing"]
        self.place = Place(start, missing)
        for line, lesson in lessons:
            self.add("error", line, lesson)
        if start.renderings:
            self.ownership()
        if start.path is not None:
            self.command()
        for rendering in start.renderings:
            if rendering.destination is not None:
                self.destination(rendering.destination, holds_secret(rendering))
        self.secrets()
        if any(rendering.template is not None for rendering in start.renderings):
            from .other_syntax import warnings

            for line in warnings(start.renderings, self.read):
                self.add("warning", line)
        self.fail = self.levels["error"] or (start.settings.strict and self.levels["warning"])

    def add(self, level, line, lesson=None):
        """Adds a finding; what mends it is told once, with the first line that is about it."""
        mending = []
        if lesson is not None and lesson not in self.taught:
            self.taught.add(lesson)
            mending = remedies(lesson, self.place)
        self.levels[level].append((line, mending))

    def ownership(self):
        """Whether destinations can be given to their owners, which a start notices as it writes."""
        from .privileges import holds, state

        try:
            if holds(state(), b"CHOWN"):
                return
        except ShimError:
            return  # without /proc only the start can tell
        uid, gid = posix.geteuid(), posix.getegid()
        groups = {gid, *posix.getgroups()}
        for rendering in self.start.renderings:
            destination, owner = rendering.destination, rendering.owner
            if destination is None or owner is None:
                continue
            if owner[0] != uid or owner[1] not in groups:
                self.add("error", f"destination {show(destination.path)}: {GIVE % owner}")

    def command(self):
        """Whether the user can execute COMMAND, and what its first line names is there."""
        path = self.start.path
        if self.start.user is not None and self.out_of_reach(path, EXECUTE) is not None:
            self.add("error", denied(path, self.start.user).problems[0])
        reason = unrunnable(path)
        if reason is not None:
            self.add("error", f"cannot execute {show(path)}: {reason}")

    def destination(self, destination, secret):
        """Whether it can be put into place, the user can then read it, and no stranger can."""
        where = f"destination {show(destination.path)}"
        if destination.full in mount_points():
            self.add("error", f"{where}: {MOUNTED}")
        uid = self.ids()[0]
        owner = destination.owner or (posix.geteuid(), posix.getegid())
        if not self.permitted(owner, destination.mode, READ):
            self.add(
                "warning",
                f"{where}: uid {uid} will not be able to read it (mode {destination.mode:04o}, "
                "owner %d:%d): give it that owner, or a mode such as 0440" % owner,
            )
        if secret and destination.mode & 0o006:
            self.add(
                "warning",
                f"{where}: mode {destination.mode:04o} is for every user: take 0400, or 0440 and a "
                "group (owner=U:G)",
            )
        above = self.out_of_reach(destination.full)
        if above is not None:
            self.add(
                "warning",
                f"{where}: uid {uid} will not be able to reach it: it may not search {above}",
                ("memory", destination.full),
            )

    def ids(self):
        """The uid and the set of gids of COMMAND."""
        user = self.start.user
        if user is None:
            return posix.geteuid(), {posix.getegid(), *posix.getgroups()}
        return user.uid, {user.gid, *user.groups}

    def permitted(self, owner, mode, wanted):
        """Whether COMMAND may READ or EXECUTE what has that owner (uid, gid) and mode."""
        uid, groups = self.ids()
        limits = self.start.limits
        if uid == 0 and not (limits is not None and limits.drops(b"DAC_OVERRIDE")):
            return True
        shift = 6 if uid == owner[0] else 3 if owner[1] in groups else 0
        return bool(mode >> shift & wanted)

    def out_of_reach(self, path, wanted=None):
        """What keeps COMMAND from a file, as a str: a folder that it may not search, or the file.

        None if nothing does. Access control lists are not looked at.
        """
        parts = path.split(b"/")
        above = [b"/".join(parts[:count]) or b"/" for count in range(1, len(parts))]
        for place, bit in [(folder, EXECUTE) for folder in above] + [(path, wanted)]:
            if bit is None or not place:
                continue
            try:
                status = posix.stat(place)
            except OSError:
                continue
            if not self.permitted((status.st_uid, status.st_gid), status.st_mode, bit):
                mode = f"mode {status.st_mode & 0o7777:04o}"
                return f"{show(place)} ({mode}, owner {status.st_uid}:{status.st_gid})"
        return None

    def secrets(self):
        """Values that are likely to hurt, and secrets that nobody wants."""
        start, mount = self.start, self.start.mount
        self.read = dict(mount.contents())
        for name, secret in start.environment.sources.items():
            if b"/" in secret:  # a file outside the mount
                self.read[secret] = start.environment.values[name]
        for name in sorted(self.read):
            for complaint in values.complaints(name.rpartition(b"/")[2], self.read[name]):
                self.add("warning", f"secret {show(name)} {complaint}")
        environment, optional = start.environment, start.settings.optional
        for name, secret in environment.sources.items():
            by_default = environment.rule(name).startswith("--env-all")
            if by_default and not environment.values[name] and secret not in optional:
                line = f"secret {show(secret)} is empty: give it a value, or say --optional "
                self.add("warning", line + show(secret), ("empty", secret))
        unused = ", ".join(map(show, mount.unused()))
        if unused:
            self.add(
                "warning", f"nothing uses {unused}: take from the container what is not needed"
            )
        if start.settings.env_all and exists(mount.folder) and not mount.listed():
            self.add("warning", f"no secrets in {show(mount.folder)}: nothing is set", ("folder",))


def holds_secret(rendering):
    """Whether a secret is in what is rendered; certificates of authorities alone are none."""
    if isinstance(rendering.render, Keystore):
        return rendering.render.key is not None
    return rendering.template is not None and bool(rendering.template.secrets)


def lesson_of(line):
    """What can be taught about a problem; a template's line has its place in front."""
    return next((LESSONS[known] for known in LESSONS if line.endswith(known)), None)


def summary(findings):
    """The last line: what was looked at, and what came of it."""
    start = findings.start
    looked = ", ".join(
        (
            plural(len(findings.read), "secret"),
            plural(len(start.environment.sources), "variable"),
            plural(len(start.renderings), "file"),
        )
    )
    found = [plural(len(lines), level) for level, lines in findings.levels.items() if lines]
    return f"checked {looked}: {', '.join(found) or 'no problem'}\n"


def as_json(findings):
    """The same as one JSON object."""
    import json

    start = findings.start
    report = {
        level + "s": [{"message": line, "remedies": dict(mending)} for line, mending in lines]
        for level, lines in findings.levels.items()
    }
    report.update(
        secrets=len(findings.read),
        variables=len(start.environment.sources),
        files=len(start.renderings),
        ok=not findings.fail,
    )
    return json.dumps(report, indent=2, ensure_ascii=True) + "\n"


def write(descriptor, text):
    """Writes to stderr what can be written there."""
    data = text.encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[posix.write(descriptor, data) :]
    except OSError:
        pass

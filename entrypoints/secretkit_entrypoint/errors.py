"""The one exception of the shim, and how messages show names."""

# What --check can teach about a problem, by its line: a kind, and what it is about (remedies.py).
# By the line, as that is what is handed on, perhaps with a place in a template in front of it.
LESSONS = {}


class ShimError(Exception):
    """One or more problems, each a single line that names what, where and the remedy.

    A problem never holds a secret's value. `status` is the exit status: 125 the shim itself
    failed, 126 the command was found but cannot be executed, 127 it was not found (the numbers
    of docker run, env(1) and the shell). `missing` tells that a pointer leads nowhere, `lesson`
    what --check can teach about it.
    """

    def __init__(self, *problems, **options):
        Exception.__init__(self, *problems)
        self.problems = problems
        self.status = options.get("status", 125)
        self.missing = options.get("missing", False)
        if "lesson" in options:
            LESSONS[problems[0]] = options["lesson"]


class Problems:
    """Gathers the problems of many steps, so that one start reports them all.

    `with problems:` around a step keeps its ShimError and goes on behind it.
    """

    def __init__(self):
        self.errors = []

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if kind is not None and issubclass(kind, ShimError):
            self.errors.append(error)
            return True
        return False

    def stop(self, starting):
        """Raises one ShimError with all problems, if there are any.

        Its status is 126 or 127 only if a command was about to be started (`starting`) and
        nothing but the command is wrong.
        """
        if self.errors:
            statuses = {error.status for error in self.errors}
            status = statuses.pop() if starting and len(statuses) == 1 else 125
            raise ShimError(*self.lines(), status=status) from None

    def lines(self):
        """Every problem once: two uses of one secret have the same."""
        return list(dict.fromkeys(line for error in self.errors for line in error.problems))


def show(name):
    """The name (bytes) of a file, variable or option on one printable line."""
    text = name.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else repr(text)[1:-1]


def did_you_mean(name, known, prefix=""):
    """The end of a message, ` (did you mean …?)`, or nothing: `name` and `known` are str."""
    close = closest(name, known, 0.7)
    if not close:  # two letters of a short name in each other's place
        close = [other for other in known if sorted(other) == sorted(name)]
    return f" (did you mean {prefix}{close[0]}?)" if close else ""


def closest(name, known, likeness):
    """What of `known` is most like `name` (all str), at least so much (0 to 1): one or none."""
    try:
        from difflib import get_close_matches
    except ImportError:  # Debian's python3-minimal has none, and this is only a hint
        return []
    return get_close_matches(name, known, 1, likeness)

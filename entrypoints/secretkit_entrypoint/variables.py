"""The environment of the process: what it inherits, and the variables that secrets become.

Bytes all the way: a value passes through exactly, whatever its encoding.
"""

import posix
import sys

from .errors import ShimError, show
from .mount import exists, label, read_path, without_newline

# execve(2): MAX_ARG_STRLEN, the most bytes that one `NAME=value` may have with its NUL.
ONE_STRING = 131072
# execve(2): all strings and pointers fit in a quarter of the stack's limit, but at least in
# ARG_MAX (bytes) and at most in 6 MiB (three quarters of the kernel's _STK_LIM).
ALWAYS_FITS = 131072
NEVER_FITS = 6 << 20

TO_VARIABLE = bytes.maketrans(b"-.abcdefghijklmnopqrstuvwxyz", b"__ABCDEFGHIJKLMNOPQRSTUVWXYZ")

# Names by which a value would steer the loader, a shell, an interpreter or the network path of
# the process, instead of being data to it. Upper case; lower case (http_proxy) counts the same.
REFUSED = frozenset(
    b"GLIBC_TUNABLES GCONV_PATH LOCPATH PATH IFS ENV BASH_ENV SHELLOPTS PS4 PROMPT_COMMAND HOME "
    b"NODE_OPTIONS JAVA_TOOL_OPTIONS _JAVA_OPTIONS DOTNET_STARTUP_HOOKS".split()
)
REFUSED_STARTS = (b"LD_", b"DYLD_", b"BASH_FUNC_", b"PYTHON", b"PERL5", b"RUBY", b"GIT_")
REFUSED_ENDS = b"_PROXY"

# What Python >= 3.7 puts into LC_CTYPE of its own environment in a C locale (PEP 538).
COERCED = (b"C.UTF-8", b"C.utf8", b"UTF-8")


def inherited():
    """The environment (bytes to bytes) that this process was started with.

    Python itself may have set LC_CTYPE. The kernel keeps the original; without /proc it is
    taken to be Python's doing where PEP 538 says that Python does it.
    """
    environ = dict(posix.environ)
    environ.pop(b"", None)  # an entry `=x`, which Python cannot pass on
    if environ.get(b"LC_CTYPE") in COERCED and sys.version_info >= (3, 7):
        try:
            descriptor = posix.open(b"/proc/self/environ", posix.O_RDONLY | posix.O_CLOEXEC)
        except OSError:
            if not environ.get(b"LC_ALL") and environ.get(b"LANG", b"") in (b"", b"C", b"POSIX"):
                del environ[b"LC_CTYPE"]
            return environ
        original = b""
        more = b"\0"
        while more:
            original += more
            more = posix.read(descriptor, 1 << 20)
        posix.close(descriptor)
        start = original.find(b"\0LC_CTYPE=")
        if start < 0:
            del environ[b"LC_CTYPE"]
        else:
            environ[b"LC_CTYPE"] = original[start + 10 : original.index(b"\0", start + 1)]
    return environ


class Environment:
    """Builds the environment of the process: `values` (bytes to bytes).

    `sources` tells for each variable that was set here its secret, by name, or by the path of a
    file outside the mount.
    """

    def __init__(self, settings, mount, environ):
        self.settings = settings
        self.mount = mount
        self.environ = environ
        self.allowed = frozenset(settings.allow_names)
        self.sources = {}
        if settings.pristine:
            self.values = {n: environ[n] for n in settings.preserve if n in environ}
        else:
            self.values = {n: environ[n] for n in environ if not n.startswith(b"SECRETKIT_")}

    def fill(self, problems):
        """Adds every variable asked for. Each kind of trouble becomes a line in `problems`."""
        for name, secret in self.settings.env.items():
            with problems:
                self.add_named(name, secret)
        for name in self.settings.expand_file:
            with problems:
                self.add_expanded(name)
        if self.settings.env_all:
            with problems:
                self.add_all(problems)
        for secret in self.settings.require:
            with problems:
                needed(self.mount.read(secret), secret)

    def add_named(self, name, secret):
        """--env NAME=SECRET: the secret must be there and not empty, unless optional."""
        check_name(name, self.allowed, "--env")
        content = wanted(self.mount, self.settings.optional, secret)
        if content is not None:
            self.set(name, content, secret)

    def add_all(self, problems):
        """--env-all: every file of the mount; --env and --fd of the same name have precedence.

        A secret that cannot be a variable of its own name is left out if another option names it.
        """
        mount, sources, allowed = self.mount, self.sources, self.allowed
        handed = self.settings.fd
        prefix = self.settings.env_prefix or b""
        mount.fetch()
        for secret in mount.names():
            name = prefix + secret.translate(TO_VARIABLE)
            if name in sources and (name in self.settings.env or sources[name] == secret):
                continue
            if name in handed:
                continue
            try:
                check_name(name, allowed, secret)
                self.set(name, mount.read(secret), secret)
            except ShimError as error:
                if name in sources or secret not in self.elsewhere():
                    problems.errors.append(error)

    def elsewhere(self):
        """The secrets that an option delivers to COMMAND, but --env-all."""
        settings = self.settings
        names = [*settings.env.values(), *settings.fd.values(), *settings.arg, settings.stdin]
        for entry in settings.keystore:
            names += (entry.key, entry.cert, entry.ca, entry.password)
        return {self.mount.file(name) for name in names if name is not None}

    def add_expanded(self, name):
        """--expand-file NAME: the official images' NAME_FILE=/path; empty counts as unset."""
        check_name(name, self.allowed, "--expand-file")
        variable = name + b"_FILE"
        path = self.environ.get(variable)
        self.values.pop(variable, None)
        if not path:
            return
        if self.environ.get(name):
            raise ShimError(f"both {show(name)} and {show(variable)} are set (but are exclusive)")
        if b"/" not in path and not exists(path):
            # Not shown: it may be the value itself.
            raise ShimError(f"{show(variable)} names no file: it has to be a path")
        folder, _, secret = path.rpartition(b"/")
        inside = folder == self.mount.folder
        if not inside:
            secret = path
        optional = secret in self.settings.optional
        if optional and not exists(path):
            return
        what = f"{show(variable)} for {show(name)}"
        content = self.mount.read(secret) if inside else read_path(path, what)
        if not optional:
            needed(content, secret)
        self.set(name, content, secret)

    def set(self, name, content, secret):
        """Sets one variable from a file's content, if execve(2) can carry it."""
        value = without_newline(content)
        if 0 in value:
            raise ShimError(
                f"secret {show(secret)} contains a NUL byte, which no variable can hold "
                f"({show(name)}): use a file, with --render or by its path",
                lesson=("file", secret, name),
            )
        if len(name) + len(value) + 2 > ONE_STRING:
            raise ShimError(
                f"secret {show(secret)} is too long for the variable {show(name)} "
                f"({len(value)} bytes; the kernel takes {ONE_STRING - len(name) - 2}): use a file, "
                "with --render or by its path",
                lesson=("file", secret, name),
            )
        if name in self.sources:
            raise ShimError(
                f"secrets {show(self.sources[name])} and {show(secret)} both become the variable "
                f"{show(name)}: choose one with --env {show(name)}=SECRET"
            )
        self.values[name] = value
        self.sources[name] = secret

    def rule(self, name):
        """By which option a variable came to be set."""
        if name in self.settings.env:
            return "--env"
        if name in self.settings.expand_file and self.environ.get(name + b"_FILE"):
            return f"--expand-file, from {show(name)}_FILE"
        return "--env-all (the default)" if self.settings.env_all_by_default else "--env-all"

    def check_total(self, arguments):
        """Raises ShimError if execve(2) cannot take these variables and arguments together."""
        # fs/exec.c, bprm_stack_limits: strings with their NUL, and a pointer for each of them
        total = sum(map(len, self.values)) + sum(map(len, self.values.values()))
        total += 10 * len(self.values)
        total += sum(map(len, arguments)) + 9 * len(arguments)
        if total <= ALWAYS_FITS:
            return
        from resource import RLIMIT_STACK, getrlimit

        stack = getrlimit(RLIMIT_STACK)[0]
        most = NEVER_FITS if stack < 0 else min(NEVER_FITS, stack // 4)
        if total > max(most, ALWAYS_FITS):
            largest = max(self.sources, key=lambda name: len(self.values[name]), default=None)
            advice = "make the environment or the arguments smaller"
            if largest is not None:
                advice = (
                    f"the largest secret is {show(self.sources[largest])}: use a file, "
                    "with --render or by its path"
                )
            raise ShimError(
                f"environment and arguments together have {total} bytes, more than the kernel "
                f"takes ({max(most, ALWAYS_FITS)}): {advice}"
            )


def check_name(name, allowed, origin):
    """Raises ShimError unless a secret may become the variable `name` (bytes).

    `allowed` has the names that are permitted one by one. `origin` is for the message: an option
    (str) or the name of a secret (bytes).
    """
    if name[:1] < b"A" or not name.replace(b"_", b"0").isalnum():  # digits are below letters
        # What an option names may be a value, given by mistake; the name of a file is none.
        shown = "what it names" if isinstance(origin, str) else show(name)
        raise ShimError(
            f"{label(origin)}: {shown} cannot be the name of a variable (letters, digits "
            "and _, not starting with a digit): name one with --env NAME=SECRET"
        )
    upper = name.upper()
    if (
        upper in REFUSED or upper.startswith(REFUSED_STARTS) or upper.endswith(REFUSED_ENDS)
    ) and name not in allowed:
        raise ShimError(
            f"{label(origin)}: the variable {show(name)} is refused, as it can change what the "
            f"process runs: use another name, or permit it with --allow-name {show(name)}"
        )


def wanted(mount, optional, secret):
    """The content of a secret, or of a reference, that an option names.

    It is None for what is missing and may be: `optional` has the reference or its secret, or, for
    a pointer that leads nowhere, the reference itself. Raises ShimError.
    """
    lifted = secret in optional or (optional and mount.file(secret) in optional)
    if lifted and not mount.has(secret):
        return None
    try:
        content = mount.read(secret)
    except ShimError as error:
        if error.missing and secret in optional:
            return None
        raise
    if not lifted:
        needed(content, secret)
    return content


def needed(content, secret):
    """Raises ShimError if a secret that must not be empty is."""
    if not without_newline(content):
        raise ShimError(
            f"secret {show(secret)} is empty: give it a value, or say --optional {show(secret)}",
            lesson=("empty", secret),
        )

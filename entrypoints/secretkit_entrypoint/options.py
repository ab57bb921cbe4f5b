"""What the shim is asked to do: options, then SECRETKIT_* variables, then the config file.

The three speak of the same keys. Each gives one level, a dict of those keys, and Settings lays
the levels over each other.
"""

import sys

from .errors import ShimError, did_you_mean, show

TEXT, FLAG, LIST, PAIRS, RENDERS = range(5)

# The keys of the config file. Key `a_b` is option --a-b and variable SECRETKIT_A_B.
KINDS = {
    "secrets_dir": TEXT,
    "env": PAIRS,
    "env_all": FLAG,
    "no_env": FLAG,
    "env_prefix": TEXT,
    "expand_file": LIST,
    "render": RENDERS,
    "require": LIST,
    "optional": LIST,
    "user": TEXT,
    "pristine": FLAG,
    "preserve": LIST,
    "allow_names": LIST,
    "allow_disk": FLAG,
}
# Given one by one on the command line, hence in the singular there.
SINGULAR = {"--allow-name": "allow_names"}
ACTIONS = ("--check", "--explain", "--compile", "--help", "--version")

DEFAULT_FOLDER = b"/run/secrets"
DEFAULT_CONFIG = b"/etc/secretkit/entrypoint.json"


def encode(text):
    """The bytes that Python decoded `text` from: an argument, a path."""
    return text.encode(sys.getfilesystemencoding(), "surrogateescape")


def decode(name):
    """The inverse of encode(), for interfaces that take paths as str."""
    return name.decode(sys.getfilesystemencoding(), "surrogateescape")


class Render:
    """One template to render: bytes, or None where nothing was said."""

    __slots__ = ("destination", "format", "mode", "owner", "source")

    def __init__(self, source, destination):
        self.source = source
        self.destination = destination
        self.format = None
        self.mode = None
        self.owner = None


class Request:
    """A command line, read: an action such as "--check" or None, a level, and the command."""

    __slots__ = ("action", "command", "config", "level")

    def __init__(self):
        self.action = None
        self.config = None
        self.level = {}
        self.command = []


def read_arguments(words):
    """A Request from the arguments (str, as in sys.argv); options end at `--` or COMMAND.

    Raises ShimError for an option that does not exist or lacks its argument.
    """
    request = Request()
    position = 0
    while position < len(words):
        word = words[position]
        if word == "--":
            position += 1
            break
        if not word.startswith("-"):
            break
        position += 1
        name, equals, text = word.partition("=")
        if name == "-h":
            name = "--help"
        key = SINGULAR.get(name) or name[2:].replace("-", "_")
        if name in ACTIONS or (KINDS.get(key) == FLAG and name == option(key)):
            if equals:
                raise ShimError(f"{name} takes no argument")
            if name in ACTIONS:
                # --help is answered whatever else is asked
                request.action = name if request.action != "--help" else request.action
            else:
                request.level[key] = True
            continue
        if name != "--config" and (key not in KINDS or name != option(key)):
            known = ACTIONS + ("--config",) + tuple(map(option, KINDS))
            raise ShimError(
                f"unknown option {show(encode(name))}{did_you_mean(name, known)}: options end at "
                "`--`; see --help"
            )
        if not equals:
            if position == len(words):
                raise ShimError(f"{name} needs an argument (see --help)")
            text = words[position]
            position += 1
        if name == "--config":
            request.config = encode(text)
        else:
            add(request.level, key, encode(text), name)
    request.command = [encode(word) for word in words[position:]]
    return request


def option(key):
    """The option of a key: allow_names is --allow-name."""
    for name, plural in SINGULAR.items():
        if plural == key:
            return name
    return "--" + key.replace("_", "-")


def read_variables(environ):
    """A level from the SECRETKIT_* variables; lists are separated by white space.

    An empty variable counts as unset. Raises ShimError for an unreadable one, and for a name
    that is nearly one of ours: a mistyped SECRETKIT_USER would run the process as root.
    """
    level = {}
    for variable in environ:
        if not variable.startswith(b"SECRETKIT_") or not environ[variable]:
            continue
        name, text = show(variable), environ[variable]
        key = name[10:].lower()
        kind = KINDS.get(key) if name[10:].isupper() else None
        if kind is None:
            ours = ["CONFIG"] + [known.upper() for known in KINDS]
            nearly = did_you_mean(name[10:], ours, "SECRETKIT_")
            if nearly and name != "SECRETKIT_CONFIG":
                raise ShimError(f"unknown variable {name}{nearly}")
        elif kind == TEXT:
            add(level, key, text, name)
        elif kind == FLAG:
            if text not in (b"1", b"0", b"true", b"false"):
                raise ShimError(f"{name} must be 1, 0, true or false")
            level[key] = text in (b"1", b"true")
        else:
            for item in text.split():
                add(level, key, item, name)
    return level


def add(level, key, text, origin):
    """Puts one argument into a level. `origin` names the option or variable for messages."""
    kind = KINDS[key]
    if not text:
        raise ShimError(f"{origin} needs an argument that is not empty")
    if kind == TEXT:
        level[key] = text
    elif kind == LIST:
        level.setdefault(key, []).append(text)
    elif kind == PAIRS:
        name, _, secret = text.partition(b"=")
        # What stands behind `=` is not shown: it may be a value, given by mistake.
        if not name or not secret:
            raise ShimError(f"{origin} takes NAME=SECRET, a variable and the name of a secret")
        if level.setdefault(key, {}).setdefault(name, secret) != secret:
            raise ShimError(f"{origin} gives {show(name)} two secrets")
    else:
        level.setdefault(key, []).append(read_render(text, origin))


def read_render(text, origin):
    """A Render from SRC:DEST[,format=F][,mode=0400][,owner=U:G]."""
    files, *settings = text.split(b",")
    source, _, destination = files.partition(b":")
    if not source or not destination or b":" in destination:
        raise ShimError(
            f"{origin} takes SRC:DEST[,format=F][,mode=0400][,owner=U:G], not {show(text)} "
            "(for paths with a colon or a comma use the config file)"
        )
    render = Render(source, destination)
    for setting in settings:
        key, _, value = setting.partition(b"=")
        if key not in (b"format", b"mode", b"owner"):
            close = did_you_mean(show(key), ("format", "mode", "owner"))
            raise ShimError(f"{origin} {show(files)}: unknown setting {show(key)}{close}")
        if not value:
            raise ShimError(f"{origin} {show(files)}: {show(key)}= needs a value")
        setattr(render, key.decode("ascii"), value)
    return render


class Settings:
    """The levels laid over each other, highest first.

    One text or flag: the highest level that has it. Lists unite; of two variables or two
    destinations of the same name the higher level's counts. no_env at one level discards env,
    env_all and expand_file of the lower ones.
    """

    def __init__(self, levels):
        self.secrets_dir = self.env_prefix = self.user = None
        self.env_all = self.no_env = self.pristine = self.allow_disk = None
        self.env = {}
        self.expand_file, self.require, self.optional = [], [], []
        self.preserve, self.allow_names = [], []
        self.render = []
        for level in levels:
            if level.get("no_env"):
                for key in ("env", "env_all", "expand_file"):
                    if level.get(key):
                        raise ShimError(f"no_env and {key} exclude each other")
            destinations = {render.destination for render in self.render}
            for key, value in level.items():
                kind = KINDS[key]
                if self.no_env and key in ("env", "env_all", "expand_file"):
                    continue
                if kind in (TEXT, FLAG):
                    if getattr(self, key) is None:
                        setattr(self, key, value)
                elif kind == LIST:
                    getattr(self, key).extend(value)
                elif kind == PAIRS:
                    for name in value:
                        self.env.setdefault(name, value[name])
                else:
                    self.render += [r for r in value if r.destination not in destinations]
        self.env_all_by_default = self.env_all is None and not (
            self.env or self.expand_file or self.render or self.no_env
        )
        if self.env_all_by_default:
            self.env_all = True

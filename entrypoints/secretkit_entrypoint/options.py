"""What the shim is asked to do: options, then SECRETKIT_* variables, then the config file.

The three speak of the same keys. Each gives one level, a dict of those keys, and Settings lays
the levels over each other.
"""

import sys

from .errors import ShimError, did_you_mean, show

TEXT, FLAG, LIST, PAIRS, ENTRIES = range(5)

# The keys of the config file. Key `a_b` is option --a-b and variable SECRETKIT_A_B.
KINDS = {
    "secrets_dir": TEXT,
    "env": PAIRS,
    "env_all": FLAG,
    "no_env": FLAG,
    "env_prefix": TEXT,
    "expand_file": LIST,
    "render": ENTRIES,
    "keystore": ENTRIES,
    "stdin": TEXT,
    "fd": PAIRS,
    "arg": LIST,
    "allow_argv": FLAG,
    "require": LIST,
    "optional": LIST,
    "user": TEXT,
    "no_new_privs": FLAG,
    "cap_drop": LIST,
    "pristine": FLAG,
    "preserve": LIST,
    "allow_names": LIST,
    "allow_disk": FLAG,
    "watch": FLAG,
    "watch_secrets": FLAG,
    "on_change": TEXT,
    "grace": TEXT,
    "stop_signal": TEXT,
    "stop_timeout": TEXT,
    "signal_group": FLAG,
    "strict": FLAG,
}
# Texts that are numbers, which a config file may write as such.
NUMBERS = ("grace", "stop_timeout")
# What these say is of use only with `watch`.
WATCHING = (
    "watch_secrets",
    "on_change",
    "grace",
    "stop_signal",
    "stop_timeout",
    "signal_group",
)
# Given one by one on the command line, hence in the singular there.
SINGULAR = {"--allow-name": "allow_names"}
ACTIONS = ("--check", "--explain", "--compile", "--help", "--version", "--json")

DEFAULT_FOLDER = b"/run/secrets"
DEFAULT_CONFIG = b"/etc/secretkit/entrypoint.json"


def encode(text):
    """The bytes that Python decoded `text` from: an argument, a path."""
    return text.encode(sys.getfilesystemencoding(), "surrogateescape")


def decode(name):
    """The inverse of encode(), for interfaces that take paths as str."""
    return name.decode(sys.getfilesystemencoding(), "surrogateescape")


class Entry:
    """What becomes one file: its settings, as attributes, are bytes, or None if nothing was said.

    `syntax` is how an option or a variable writes it: what stands before the first comma are
    REQUIRED, separated by colons.
    """

    __slots__ = ()
    REQUIRED = ()
    OPTIONAL = ()
    syntax = ""

    def __init__(self, *required):
        for key in self.OPTIONAL:
            setattr(self, key, None)
        for key, value in zip(self.REQUIRED, required):
            setattr(self, key, value)


class Render(Entry):
    """One template to render."""

    REQUIRED = ("source", "destination")
    OPTIONAL = ("format", "mode", "owner")
    __slots__ = REQUIRED + OPTIONAL
    syntax = "SRC:DEST[,format=F][,mode=0400][,owner=U:G]"


class Keystore(Entry):
    """One keystore to make; `key`, `cert`, `ca` and `password` name secrets."""

    REQUIRED = ("destination",)
    OPTIONAL = ("key", "cert", "ca", "password", "alias", "type", "mode", "owner")
    __slots__ = REQUIRED + OPTIONAL
    syntax = "DEST[,key=SECRET,cert=SECRET][,ca=SECRET],password=SECRET[,alias=A][,type=T]"


ENTRY = {"render": Render, "keystore": Keystore}


class Request:
    """A command line, read: an action such as "--check" or None, a level, and the command."""

    __slots__ = ("action", "command", "config", "json", "level")

    def __init__(self):
        self.action = None
        self.config = None
        self.json = False
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
            if name == "--json":
                request.json = True
            elif name in ACTIONS:
                # --help is answered whatever else is asked
                if "--help" not in (name, request.action) and request.action not in (None, name):
                    raise ShimError(f"{request.action} and {name} exclude each other")
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
    if request.json and request.action not in ("--check", "--help"):
        raise ShimError("--json belongs to --check")
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
        level.setdefault(key, []).append(read_entry(ENTRY[key], text, origin))


def read_entry(kind, text, origin):
    """An Entry of a `kind` from how its syntax writes it.

    A message repeats no text behind a `=`, as a password may stand there by mistake.
    """
    files, *settings = text.split(b",")
    required = files.split(b":")
    first = show(files.partition(b"=")[0])
    if len(required) != len(kind.REQUIRED) or b"" in required or first in kind.OPTIONAL:
        raise ShimError(
            f"{origin} takes {kind.syntax}, not {first} "
            "(for paths with a colon or a comma use the config file)"
        )
    entry = kind(*required)
    for setting in settings:
        key, equals, value = setting.partition(b"=")
        if not equals:
            raise ShimError(f"{origin} {show(files)}: a setting is NAME=VALUE, without a comma")
        name = show(key)
        if name not in kind.OPTIONAL:
            close = did_you_mean(name, kind.OPTIONAL)
            raise ShimError(f"{origin} {show(files)}: unknown setting {name}{close}")
        if not value:
            raise ShimError(f"{origin} {show(files)}: {name}= needs a value")
        setattr(entry, name, value)
    return entry


class Settings:
    """The levels laid over each other, highest first.

    One text or flag: the highest level that has it. Lists unite; of two variables or two
    destinations of the same name the higher level's counts. no_env at one level discards env,
    env_all and expand_file of the lower ones.
    """

    def __init__(self, levels):
        for key, kind in KINDS.items():
            setattr(self, key, {} if kind == PAIRS else [] if kind in (LIST, ENTRIES) else None)
        for level in levels:
            if level.get("no_env"):
                for key in ("env", "env_all", "expand_file"):
                    if level.get(key):
                        raise ShimError(f"no_env and {key} exclude each other")
            for key, value in level.items():
                kind = KINDS[key]
                if self.no_env and key in ("env", "env_all", "expand_file"):
                    continue
                mine = getattr(self, key)
                if kind == LIST:
                    mine.extend(value)
                elif kind == PAIRS:
                    for name in value:
                        mine.setdefault(name, value[name])
                elif kind == ENTRIES:
                    higher = {entry.destination for entry in mine}
                    mine.extend(entry for entry in value if entry.destination not in higher)
                elif mine is None:
                    setattr(self, key, value)
        if self.watch is None:
            for key in WATCHING:
                if getattr(self, key):
                    raise ShimError(f"{option(key)} is of no use without --watch")
        self.env_all_by_default = self.env_all is None and not (
            self.env
            or self.expand_file
            or self.render
            or self.keystore
            or self.stdin
            or self.fd
            or self.arg
            or self.no_env
        )
        if self.env_all_by_default:
            self.env_all = True

"""From the renders that were asked for to files in memory: templates, secrets, destinations."""

from .destinations import Destination
from .errors import ShimError, show
from .options import Keystore, decode, encode
from .render import load
from .variables import wanted

DEFAULT_MODE = 0o400


class Secrets:
    """What a template sees of the mount: names as str, raw contents as bytes."""

    def __init__(self, mount, optional):
        self._mount = mount
        self._optional = optional

    def names(self):
        """The secrets there are, and the optional ones, which are empty if they are missing."""
        names = set(self._mount.names()).union(self._optional)
        return sorted(decode(name) for name in names)

    def read(self, name):
        """The file's content; raises ShimError if it cannot be read, or is empty but required."""
        return wanted(self._mount, self._optional, encode(name)) or b""


class Rendering:
    """One template and its destination. What could not be had stays None, with a problem."""

    def __init__(self, render):
        self.render = render
        self.template = None
        self.content = None
        self.destination = None
        self.mode = DEFAULT_MODE
        self.owner = None


def prepare(start, problems):
    """Renders everything in memory and checks every destination: a list of Rendering.

    Templates read the variables that the process will get. Files belong to the user that the
    process runs as, unless an entry names another owner.
    """
    settings, user = start.settings, start.user
    secrets = Secrets(start.mount, settings.optional)
    renderings = []
    paths = set()
    for render in settings.render + settings.keystore:
        rendering = Rendering(render)
        renderings.append(rendering)
        with problems:
            fill(rendering, secrets, start.environment.values)
        with problems:
            if user is not None:
                rendering.owner = (user.uid, user.gid)
            if render.owner is not None:
                from .users import lookup

                owner = lookup(render.owner, "owner of destination " + show(render.destination))
                rendering.owner = (owner.uid, owner.gid)
        with problems:
            rendering.mode = read_mode(render)
            check_mode(rendering)
        with problems:
            destination = Destination(
                render.destination, rendering.mode, rendering.owner, settings.allow_disk
            )
            rendering.destination = destination
            if destination.full in paths:
                raise ShimError(f"destination {show(render.destination)} is rendered twice")
            paths.add(destination.full)
    return renderings


def fill(rendering, secrets, environ):
    """Gives a Rendering its content, and the template if it has one."""
    entry = rendering.render
    if isinstance(entry, Keystore):
        from .keystore import make

        rendering.content = make(entry, secrets)
        return
    name = decode(entry.format) if entry.format is not None else None
    rendering.template = load(decode(entry.source), decode(entry.destination), name)
    rendering.content = rendering.template.render(secrets, environ)


def check_mode(rendering):
    """Raises ShimError if those who read the format ignore a file with such a mode."""
    template = rendering.template
    wrong = rendering.mode & getattr(template and template.target.format, "FORBIDDEN_MODE", 0)
    if wrong:
        raise ShimError(
            f"destination {show(rendering.render.destination)}: with mode {rendering.mode:04o} its "
            f"readers ignore the file: use mode={rendering.mode & ~wrong or DEFAULT_MODE:04o}"
        )


def read_mode(render):
    """The permission bits of a render, from octal digits (bytes)."""
    if render.mode is None:
        return DEFAULT_MODE
    if not render.mode.isdigit() or render.mode.translate(None, b"01234567"):
        bits = -1
    else:
        bits = int(render.mode, 8)
    if not 0 < bits <= 0o777:
        raise ShimError(
            f"destination {show(render.destination)}: mode {show(render.mode)} is not one: write "
            "octal digits up to 0777, such as 0440"
        )
    return bits

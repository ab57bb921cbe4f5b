"""--explain: where every variable and every file comes from. Never a value."""

from .about import say
from .errors import show
from .options import Keystore, decode, encode


def explain(start):
    """Prints aligned tables to stdout: variables, destinations, descriptors, user, command."""
    environment, user = start.environment, start.user
    rows = [
        (show(name), show(secret), show(file_of(secret, environment.mount)), environment.rule(name))
        for name, secret in environment.sources.items()
    ]
    tables = [table(("VARIABLE", "SECRET", "FILE", "RULE"), rows)]
    rows = []
    for rendering in start.renderings:
        rows += explain_rendering(rendering, environment.mount)
    tables.append(table(("DESTINATION", "SECRET", "FILE", "RULE"), rows))
    tables.append(table(("HANDED OVER", "SECRET", "FILE", "RULE"), list(explain_handed(start))))
    rows = []
    if user is not None:
        groups = ",".join(map(str, user.groups))
        rows.append(("user", f"uid {user.uid}, gid {user.gid}, groups {groups}"))
    if start.path is not None:
        rows.append(("command", show(start.path)))
    tables.append(table(("PROCESS", ""), rows))
    say("\n".join(filter(None, tables)) or "no secret goes anywhere\n")


def file_of(secret, mount):
    """The path of a secret; one from outside the mount is named by its path anyway."""
    return secret if b"/" in mount.file(secret) else mount.path(secret)


def explain_handed(start):
    """A row for each secret that COMMAND gets from a descriptor or in its arguments."""
    settings, mount = start.settings, start.mount
    found = []
    if 0 in start.handed:
        found.append(("standard input", settings.stdin, "--stdin"))
    paths = {b"/dev/fd/%d" % number for number in start.handed}
    for name, secret in settings.fd.items():
        path = start.environment.values.get(name)
        if path in paths:  # else something else has set the variable
            found.append((show(path), secret, f"--fd, named by {show(name)}"))
    if settings.allow_argv:
        found += [(f"<<{show(secret)}>>", secret, "--arg") for secret in settings.arg]
    for place, secret, rule in found:
        if mount.has(secret):  # else it may be no name, but a value
            yield place, show(secret), show(mount.path(secret)), rule


def explain_rendering(rendering, mount):
    """A row for the file itself, then one for each secret in it."""
    from .render import match

    render = rendering.render
    if isinstance(render, Keystore):
        return explain_keystore(rendering, mount)
    rule = f"--render, from {show(render.source)}, mode {rendering.mode:04o}"
    if render.format is not None:
        rule += ", format " + show(render.format)
    if rendering.owner is not None:
        rule += ", owner %d:%d" % rendering.owner
    destination = show(render.destination)
    rows = [(destination, "", "", rule)]
    if rendering.template is not None:
        names = [decode(name) for name in mount.names()]
        for placeholder, line, column in rendering.template.secrets:
            secret = match(placeholder, names)
            if secret is not None:
                place = f"{show(render.source)}:{line}:{column}"
                file = show(mount.path(encode(secret)))
                rows.append((destination, show(encode(secret)), file, place))
    return rows


def explain_keystore(rendering, mount):
    """As explain_rendering: the secrets stand in its settings."""
    entry = rendering.render
    rule = f"--keystore, mode {rendering.mode:04o}"
    if entry.type is not None:
        rule += ", type " + show(entry.type)
    if rendering.owner is not None:
        rule += ", owner %d:%d" % rendering.owner
    destination = show(entry.destination)
    rows = [(destination, "", "", rule)]
    for setting in ("key", "cert", "ca", "password"):
        secret = getattr(entry, setting)
        if secret is not None:
            rows.append((destination, show(secret), show(file_of(secret, mount)), setting + "="))
    return rows


def table(head, rows):
    """Left-aligned columns under their heads; nothing if there are no rows."""
    if not rows:
        return ""
    lines = [head] + rows
    widths = [max(len(line[column]) for line in lines) + 2 for column in range(len(head))]
    return "".join(
        "".join(cell.ljust(widths[column]) for column, cell in enumerate(line)).rstrip() + "\n"
        for line in lines
    )

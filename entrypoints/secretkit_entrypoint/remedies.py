"""What mends a problem, as each platform writes it: what --check adds to the start's messages.

A lesson (errors.LESSONS) is a kind, a key of KINDS, and what it is about. Ids and names in the
lines are those of this start, so that they can be copied.
"""

import posix
from posixpath import abspath

from .destinations import PERMITTED, inside, mounts
from .errors import show
from .mount import GRAMMAR
from .options import DEFAULT_FOLDER

# Where engines and people put secrets, beside the mount that was asked for.
FOLDERS = (
    b"/run/secrets",
    b"/var/run/secrets",
    b"/run/secret",
    b"/secrets",
    b"/etc/secrets",
    b"/mnt/secrets-store",
    b"/vault/secrets",
)

# Kubernetes mounts a pod's service account below it, so no other volume fits there.
OCCUPIED = (b"/run/secrets", b"/var/run/secrets")

DOCKER = ("docker", "Swarm", "stack", "compose")


class Place:
    """Where this start takes place: the mount, who reads it, who runs, which platform.

    `missing` are the names (bytes) of all secrets that are not in the mount.
    """

    def __init__(self, start, missing):
        self.missing = missing
        self.mount = start.mount
        try:
            self.folder = abspath(start.mount.folder)
        except OSError:
            self.folder = start.mount.folder  # the working folder is gone
        self.reader = (posix.geteuid(), posix.getegid())
        self.runner = self.reader if start.user is None else (start.user.uid, start.user.gid)
        self.environ = start.environ

    def target(self, name):
        """Where Swarm is to put a secret: by its name alone, or anywhere by a path."""
        if self.folder == DEFAULT_FOLDER:
            return plain(name)
        return f"{path_of(self.folder)}/{plain(name)}"


def remedies(lesson, place):
    """The remedies of one lesson: a list of (platform, line), both str."""
    lines = KINDS[lesson[0]](place, *lesson[1:])
    if b"KUBERNETES_SERVICE_HOST" in place.environ:
        lines = [(platform, line) for platform, line in lines if platform not in DOCKER]
    return lines


def missing(place, name):
    """A secret that is not in the mount; the first that is nowhere else has the lines for all."""
    there = elsewhere(place)
    for folder, names in there:
        if name in names:
            return [("found", f"it is in {show(folder)}: --secrets-dir {word(path_of(folder))}")]
    if is_systemd(place):  # a line of the unit for each
        return given(place, [name])
    absent = [each for each in place.missing if not any(each in names for _, names in there)]
    return given(place, absent) if name in absent[:1] else []


def no_folder(place):
    """A mount that is not there, or has nothing in it."""
    found = [
        (
            "found",
            f"{plural(len(names), 'secret')} in {show(folder)}: --secrets-dir "
            f"{word(path_of(folder))}",
        )
        for folder, names in elsewhere(place)
    ]
    return found or given(place, place.mount.asked() or [b"NAME"])


def given(place, names):
    """How a container is given secrets of these names (bytes)."""
    secrets = [(plain(name), place.target(name)) for name in names]
    if is_systemd(place):
        lines = [f"LoadCredential={secret}:/path/to/{secret}" for secret, _ in secrets]
        return [("systemd", ", ".join(lines))]
    files = path_of(place.folder)
    docker = [f'-v "$PWD/{secret}:{files}/{secret}:ro"' for secret, _ in secrets]
    swarm = ["--secret " + word(f"source={secret},target={target}") for secret, target in secrets]
    service = [f"{{source: {secret}, target: {word(target)}}}" for secret, target in secrets]
    beside = [f"{secret}: {{file: ./{secret}}}" for secret, _ in secrets]
    return [
        ("docker", f"docker run {' '.join(docker)}"),
        ("Swarm", f"docker service create {' '.join(swarm)}"),
        (
            "compose",
            f"secrets: [{', '.join(service)}] of the service, and "
            f"secrets: {{{', '.join(beside)}}} beside the services",
        ),
        ("Kubernetes", volume(place, [secret for secret, _ in secrets])),
    ]


def is_systemd(place):
    """Whether the mount is what systemd gives a unit, by systemd.exec(5)."""
    return place.environ.get(b"CREDENTIALS_DIRECTORY") == place.mount.folder


def volume(place, secrets):
    """How a pod is given secrets of these names (str)."""
    items = ", ".join(f"{{key: {secret}, path: {secret}}}" for secret in secrets)
    folder, end = word(path_of(place.folder)), ""
    if identity(place.folder + b"/..data"):  # a second volume cannot be mounted there
        return (
            f"{', '.join(secrets)} in the Secret that is mounted at {folder}; if its volume lists "
            f"items, add {items}"
        )
    if place.folder in OCCUPIED:
        folder, end = "/secrets", ", and --secrets-dir /secrets"
    return (
        f"volumes: [{{name: secrets, secret: {{secretName: NAME, items: [{items}]}}}}], "
        f"volumeMounts: [{{name: secrets, mountPath: {folder}}}]{end}"
    )


def unreadable(place, name):
    """A secret whose owner and mode keep this process out."""
    uid, gid = place.reader
    secret, target = plain(name), place.target(name)
    lines = [
        (
            "Swarm",
            "docker service create --secret "
            + word(f"source={secret},target={target},uid={uid},gid={gid},mode=0400"),
        ),
        (
            "stack",
            f'secrets: [{{source: {secret}, target: {word(target)}, uid: "{uid}", gid: "{gid}", '
            "mode: 0400}] of the service",
        ),
        ("compose", f"on the host: chown {uid}:{gid} FILE (a mounted file keeps owner and mode)"),
    ]
    if uid != 0:
        lines.append(
            (
                "Kubernetes",
                f"securityContext: {{fsGroup: {gid}}} of the pod, and secret: {{secretName: NAME, "
                "defaultMode: 0440} of the volume",
            )
        )
    return lines


def directory(place, name):
    """A folder where a secret is expected."""
    try:
        names = posix.listdir(place.mount.path(name))
    except OSError:
        names = []
    if names:
        there = path_of(place.folder + b"/" + name)
        return [("found", f"a mount of its own? --secrets-dir {word(there)}")]
    return [
        (
            "compose",
            "it is made where the file to mount is missing on the host: remove the folder there, "
            "write the file, and create the container anew",
        )
    ]


def empty(_place, name):
    """A secret without a value."""
    secret = plain(name)
    return [
        ("Swarm", f"docker secret create {secret} FILE (`-` reads the value from stdin)"),
        ("compose", f"write the value into the file of the secret {secret}"),
        ("Kubernetes", f"kubectl create secret generic NAME --from-file={secret}=FILE"),
    ]


def file(_place, secret, variable):
    """A value that no variable can hold."""
    name = plain(variable) + "_FILE"
    return [("file", f"--fd {name}={plain(secret)}, if COMMAND takes {name} for {plain(variable)}")]


def memory(place, path):
    """A destination that is not in memory, or whose folder cannot be written to."""
    folder, _, name = path.rpartition(b"/")
    try:
        hidden = posix.listdir(folder or b"/")
    except OSError:
        hidden = []
    other = word(path_of(PERMITTED + b"/" + name))
    if inside(path, place.folder):
        return [("option", f"render to another folder, such as {other}: this has the secrets")]
    if hidden and not inside(folder, PERMITTED):
        # What a mount would hide is needed.
        return [("image", f"ln -s {other} {word(path_of(path))}, and render to {other}")]
    uid, gid = place.runner
    options = "mode=1777" if folder == PERMITTED else f"uid={uid},gid={gid},mode=0700"
    folder = path_of(folder)
    mount = word(f"type=tmpfs,destination={folder}")
    return [
        ("docker", f"docker run --tmpfs {word(f'{folder}:{options}')}"),
        ("Swarm", f"docker service create --mount {mount}"),
        ("compose", f'tmpfs: ["{folder}:{options}"] of the service'),
        (
            "Kubernetes",
            "volumes: [{name: rendered, emptyDir: {medium: Memory}}], "
            f"volumeMounts: [{{name: rendered, mountPath: {word(folder)}}}]",
        ),
    ]


KINDS = {
    "missing": missing,
    "folder": no_folder,
    "unreadable": unreadable,
    "directory": directory,
    "empty": empty,
    "file": file,
    "memory": memory,
}


def elsewhere(place):
    """Folders with secrets that are not the mount: a list of (path, names), in bytes.

    Those of FOLDERS, and what Kubernetes has mounted: such a folder has a link `..data`.
    """
    found, seen = [], {identity(place.mount.folder)}
    credentials = place.environ.get(b"CREDENTIALS_DIRECTORY", b"")
    swapped = [path for path in mount_points() if identity(path + b"/..data")]
    for path in (credentials,) + FOLDERS + tuple(swapped):
        here = identity(path)
        if here is None or here in seen:
            continue
        seen.add(here)
        names = files_in(path)
        if names and names != [b"ca.crt", b"namespace", b"token"]:  # Kubernetes' own
            found.append((path, names))
    return found


def files_in(folder):
    """The sorted names (bytes) of the files in a folder, without hidden ones."""
    names = []
    try:
        for entry in posix.scandir(folder):
            if entry.name[:1] != b"." and entry.is_file():
                names.append(entry.name)
    except OSError:
        pass
    return sorted(names)


def identity(path):
    """What two paths to one folder have in common, or None if there is nothing."""
    try:
        status = posix.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def mount_points():
    """The paths (bytes) where something is mounted, by proc(5) mountinfo."""
    return [fields[4] for fields in mounts()]


def plain(name):
    """A secret's name (bytes) as it can be pasted into a shell or into YAML; NAME for any other."""
    return "NAME" if name.translate(None, GRAMMAR) else show(name)


def path_of(path):
    """A path (bytes) as it can stand in quotes in a shell, YAML and an option; PATH for others."""
    text = show(path)
    quotable = not any(character in text for character in "'\"\\$`!,:")
    return text if quotable and text[:1] == "/" else "PATH"


def word(text):
    """What path_of() permits, and `,` and `:` around it, as one word of a shell or of YAML."""
    simple = not text.encode().translate(None, GRAMMAR + b"/=,:")
    return text if simple else f"'{text}'"


def plural(count, noun):
    return f"{count} {noun}" + ("" if count == 1 else "s")

"""What mends a problem, as each platform writes it: what --check adds to the start's messages.

A lesson (errors.LESSONS) is a kind, a key of KINDS, and what it is about. Ids and names in the
lines are those of this start, so that they can be copied.
"""

import posix

from .destinations import PERMITTED, mounts
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

DOCKER = ("docker", "Swarm", "stack", "compose")


class Place:
    """Where this start takes place: the mount, who reads it, who runs, which platform."""

    def __init__(self, start):
        self.mount = start.mount
        self.folder = start.mount.folder
        if self.folder[:1] != b"/":
            try:
                self.folder = posix.getcwdb() + b"/" + self.folder
            except OSError:
                pass  # the working folder is gone
        self.reader = (posix.geteuid(), posix.getegid())
        self.runner = self.reader if start.user is None else (start.user.uid, start.user.gid)
        self.environ = start.environ

    def target(self, name):
        """Where Swarm is to put a secret: by its name alone, or anywhere by a path."""
        return plain(name if self.folder == DEFAULT_FOLDER else self.folder + b"/" + name)


def remedies(lesson, place):
    """The remedies of one lesson: a list of (platform, line), both str."""
    lines = KINDS[lesson[0]](place, *lesson[1:])
    if b"KUBERNETES_SERVICE_HOST" in place.environ:
        lines = [(platform, line) for platform, line in lines if platform not in DOCKER]
    return lines


def missing(place, name):
    """A secret that is not in the mount."""
    for folder, names in elsewhere(place):
        if name in names:
            return [("found", f"it is in {show(folder)}: --secrets-dir {plain(folder)}")]
    secret, target, folder = plain(name), place.target(name), plain(place.folder)
    if place.environ.get(b"CREDENTIALS_DIRECTORY") == place.mount.folder:
        return [("systemd", f"LoadCredential={secret}:/path/to/{secret}")]
    return [
        ("Swarm", f"docker service create --secret source={secret},target={target}"),
        (
            "compose",
            f"secrets: [{{source: {secret}, target: {target}}}] of the service, and "
            f"secrets: {{{secret}: {{file: ./{secret}}}}} beside the services",
        ),
        (
            "Kubernetes",
            "volumes: [{name: secrets, secret: {secretName: NAME, items: "
            f"[{{key: {secret}, path: {secret}}}]}}}}], "
            f"volumeMounts: [{{name: secrets, mountPath: {folder}}}]",
        ),
    ]


def no_folder(place):
    """A mount that is not there, or has nothing in it."""
    found = [
        (
            "found",
            f"{plural(len(names), 'secret')} in {show(folder)}: --secrets-dir {plain(folder)}",
        )
        for folder, names in elsewhere(place)
    ]
    return found or missing(place, b"NAME")


def unreadable(place, name):
    """A secret whose owner and mode keep this process out."""
    uid, gid = place.reader
    secret, target = plain(name), place.target(name)
    lines = [
        (
            "Swarm",
            f"docker service create --secret source={secret},target={target},uid={uid},gid={gid},"
            "mode=0400",
        ),
        (
            "stack",
            f'secrets: [{{source: {secret}, target: {target}, uid: "{uid}", gid: "{gid}", '
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
    path = place.mount.path(name)
    try:
        names = posix.listdir(path)
    except OSError:
        names = []
    if names:
        return [("found", f"a mount of its own? --secrets-dir {plain(path)}")]
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
    folder, path = plain(folder), plain(path)
    if hidden:
        # What a mount would hide is needed.
        other = f"{show(PERMITTED)}/{plain(name)}"
        return [("image", f"ln -s {other} {path}, and render to {other}")]
    uid, gid = place.runner
    options = f"uid={uid},gid={gid},mode=0700"
    return [
        ("docker", f"docker run --tmpfs {folder}:{options}"),
        ("Swarm", f"docker service create --mount type=tmpfs,destination={folder}"),
        ("compose", f'tmpfs: ["{folder}:{options}"] of the service'),
        (
            "Kubernetes",
            "volumes: [{name: rendered, emptyDir: {medium: Memory}}], "
            f"volumeMounts: [{{name: rendered, mountPath: {folder}}}]",
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
    """A name or path (bytes) as it can be pasted into a shell or into YAML; NAME for any other."""
    return "NAME" if name.translate(None, GRAMMAR + b"/") else show(name)


def plural(count, noun):
    return f"{count} {noun}" + ("" if count == 1 else "s")

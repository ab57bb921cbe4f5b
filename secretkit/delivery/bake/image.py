"""What an image says of itself, and the Python in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from secretkit.errors import NotFoundError

from ..shim import LAUNCHER

if TYPE_CHECKING:
    from secretkit.engines.images import Files, Images

OLDEST = 6  # of Python 3: what the shim needs
_NEWEST = 24  # the last python3.N that is looked for; 126 and more say that nothing ran
# Where a Python is that is not on the image's PATH.
_USUAL = (
    *("/usr/local/bin", "/usr/bin", "/bin", "/opt/venv/bin", "/opt/conda/bin", "/opt/python/bin"),
    *("/opt/bitnami/python/bin", "/opt/app-root/bin"),
)
# The exit status says which Python it is: nothing has to be read back from the container. Without
# json, as with Debian's python3-minimal, the shim reads no config file.
_ASK = """
import sys
try: import json
except ImportError: whole = 50
else: whole = 100
sys.exit(whole + sys.version_info[1] if sys.version_info[0] == 3 else 0)
"""
# What installs Python, by ID or ID_LIKE of os-release(5).
_APT = "apt-get update && apt-get install -y --no-install-recommends python3"
_REMEDIES = {
    "debian": f"RUN {_APT} && rm -rf /var/lib/apt/lists/*",
    "alpine": "RUN apk add --no-cache python3",
    "suse": "RUN zypper --non-interactive install --no-recommends python3 && zypper clean --all",
    "fedora": "RUN dnf install -y python3 && dnf clean all",
    "rhel": "RUN microdnf install -y python3 && microdnf clean all",
    "amzn": "RUN yum install -y python3 && yum clean all",
    "arch": "RUN pacman -Sy --noconfirm python && rm -rf /var/cache/pacman",
}


class Image(NamedTuple):
    """An image's configuration (OCI image-spec, config.md). ENTRYPOINT and CMD in shell form are
    the words that they became: SHELL and a text.
    """

    name: str  # as the user gave it
    id: str
    names: tuple[str, ...]  # all that it has, with tags
    entrypoint: tuple[str, ...]  # empty: none
    cmd: tuple[str, ...]  # empty: none
    user: str  # empty: root
    workdir: str  # absolute
    env: Mapping[str, str]
    shell: tuple[str, ...]
    stop_signal: str
    healthcheck: Mapping[str, Any]  # Test, Interval …; empty: none
    volumes: tuple[str, ...]
    exposed_ports: tuple[str, ...]  # "80/tcp"
    labels: Mapping[str, str]
    onbuild: tuple[str, ...]
    os: str
    architecture: str
    layers: tuple[str, ...]  # digests, the lowest first

    @property
    def is_baked(self) -> bool:
        """Whether the shim is in its ENTRYPOINT or CMD already."""
        words = (*self.entrypoint, *self.cmd)
        return any(LAUNCHER in word.split("/") for text in words for word in text.split())

    @property
    def is_root(self) -> bool:
        """Whether its USER is root."""
        return self.user.partition(":")[0] in ("", "0", "root")


def of(name: str, told: Mapping[str, Any]) -> Image:
    """The image of what an engine told (Images.inspect)."""
    config = told.get("Config") or {}
    pairs = (pair.partition("=") for pair in config.get("Env") or ())
    return Image(
        name=name,
        id=told["Id"],
        names=tuple(told.get("RepoTags") or ()),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        cmd=tuple(config.get("Cmd") or ()),
        user=config.get("User") or "",
        workdir=config.get("WorkingDir") or "/",
        env={key: value for key, _, value in pairs},
        shell=tuple(config.get("Shell") or ()),
        stop_signal=config.get("StopSignal") or "",
        healthcheck=config.get("Healthcheck") or {},
        volumes=tuple(config.get("Volumes") or ()),
        exposed_ports=tuple(config.get("ExposedPorts") or ()),
        labels=config.get("Labels") or {},
        onbuild=tuple(config.get("OnBuild") or ()),
        os=told.get("Os") or "linux",
        architecture=told.get("Architecture") or "",
        layers=tuple((told.get("RootFS") or {}).get("Layers") or ()),
    )


class Python(NamedTuple):
    """A Python in an image."""

    path: str  # as it was found, so that an update of the image changes nothing
    version: str  # "3.11"


class Search(NamedTuple):
    """What the search for a Python gave."""

    python: Python | None
    unfit: Mapping[str, str]  # path: why it will not do

    @property
    def seen(self) -> str:
        """What was found and will not do, with the reasons; empty if there was nothing."""
        return ", ".join(f"{path} {reason}" for path, reason in self.unfit.items())


def find_python(images: Images, image: Image, files: Files) -> Search:
    """The Python to start the shim with: the first that runs and is new enough.

    `python3` on the image's PATH, then in the usual places, then python3.N there, the newest
    first. Each is run once, by the image's own user, in a throw-away container.
    """
    unfit: dict[str, str] = {}
    tried = set()
    for path in _candidates(image, files):
        found = files.stat(path)
        if found is None or found.kind != "file" or found.path in tried:
            continue
        tried.add(found.path)
        ran = images.run(image.id, [path, "-ISBc", _ASK])
        whole, minor = divmod(ran.status if ran else 0, 50)
        if whole == 2 and OLDEST <= minor <= _NEWEST:
            return Search(Python(path, f"3.{minor}"), unfit)
        if whole not in (1, 2) or minor > _NEWEST:
            unfit[path] = "does not run"
        elif minor < OLDEST:
            unfit[path] = f"is 3.{minor}"
        else:
            unfit[path] = "has no json (python3-minimal?)"
    return Search(None, unfit)


def _candidates(image: Image, files: Files) -> Iterator[str]:
    path = image.env.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    named = [folder for folder in path.split(":") if folder.startswith("/")]
    folders: dict[str, str] = {}  # by where links lead: /bin often is /usr/bin
    for folder in (*named, *_USUAL):
        found = files.stat(folder)
        if found is not None and found.kind == "folder":
            folders.setdefault(found.path, folder.rstrip("/"))
    names = ["python3", *(f"python3.{minor}" for minor in range(_NEWEST, OLDEST - 1, -1))]
    for name in names:
        yield from (f"{folder}/{name}" for folder in folders.values())
        if name == "python3":
            yield "/usr/libexec/platform-python"  # Red Hat's own, of version 8


def remedy(files: Files) -> str:
    """What gives the image a Python: a line for its Dockerfile, by its distribution."""
    release = files.read("/etc/os-release") or files.read("/usr/lib/os-release") or b""
    lines = (line.partition("=") for line in release.decode(errors="replace").splitlines())
    told = {key: value.strip("\"'") for key, _, value in lines}
    for name in f"{told.get('ID', '')} {told.get('ID_LIKE', '')}".split():
        if name in _REMEDIES:
            return _REMEDIES[name]
    return (
        "use a base image with Python 3.6 or later, or copy one with all that it needs from"
        " another stage; it has no package manager that is known"
    )


def missing_python(image: Image, search: Search, remedy: str) -> NotFoundError:
    """The error of an image without a Python that will do, with the remedy."""
    return NotFoundError(
        f"no Python 3.{OLDEST} or later in {image.name} ({image.architecture})"
        + (f": {search.seen}" if search.seen else ""),
        hint=f"in the Dockerfile that {image.name} is made by: {remedy}",
    )

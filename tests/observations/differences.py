"""What is other on a laptop than in a swarm task: all of it, with the reasons.

The page docs/dev-mode.md has these tables, and the tests hold both against what is observed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.mount.person import GID, UID
from tests.observations.places import Seen

USERS = ("root", "user")


class Difference(NamedTuple):
    """Observations that are not the same in all places. `A / B` is A as root, B as a user."""

    what: str  # on the page
    observations: tuple[str, ...]  # of program.py
    swarm: str
    mounted: str  # the folder of `dev up`, made by an ordinary user
    compose: str  # its files, as docker-compose mounts them
    run: str  # `dev run`
    why: str

    def seen(self, place: str, user: str) -> str:
        """What is expected there."""
        return one_of(getattr(self, place), user)


class Layout(NamedTuple):
    """What is other with `--layout kubernetes` than without it, in the same place."""

    what: str
    observations: tuple[str, ...]
    swarm: str
    kubernetes: str


def one_of(text: str, user: str) -> str:
    """The side of `A / B` that is for the user."""
    return text.split(" / ")[USERS.index(user)] if " / " in text else text


OWN = "What a user makes is that user's. Everybody there may read it, as in a swarm."
SERVICE = (
    "The store knows no services, and compose ignores it for files. `dev up --mode 0440` gives that"
    " mode to all files."
)
MOUNT = (
    "In a swarm each secret is a mount of its own, in a folder of the container's; so it is with"
    " compose. A running container sees changes only in a folder that is mounted."
)
SYSTEM = (
    "Refused everywhere. Docker makes the mount read-only here and not the file system, so that the"
    " mode is what refuses."
)
OTHERWISE = "Refused everywhere: the file is a mount, the folder is root's, or it is read-only."
STRICTER = (
    "Root may write to the container's own folder, beside the secrets, if the container is not"
    " read-only. A program that does so fails here."
)

DIFFERENCES = (
    Difference(
        "owner of a file",
        ("owner of a file",),
        *("root", "the user", "the user", "root / the user"),
        OWN,
    ),
    Difference(
        "owner of the folder",
        ("owner of the folder",),
        *("root", "the user", "root", "root / the user"),
        OWN,
    ),
    Difference(
        "owner of a file for which a service says `uid` and `gid`",
        ("owner that a service asks for",),
        *("as it says", "the user", "the user", "root / the user"),
        SERVICE,
    ),
    Difference(
        "mode of a file for which it says `mode: 0440`",
        ("mode that a service asks for",),
        *("-r--r-----", "-r--r--r--", "-r--r--r--", "-r--r--r--"),
        SERVICE,
    ),
    Difference(
        "what is mounted at a file",
        ("mount of a file",),
        *("ro,relatime tmpfs", "none", "ro,relatime tmpfs", "none"),
        MOUNT,
    ),
    Difference(
        "what is mounted at the folder",
        ("mount of the folder",),
        *("none", "ro,relatime tmpfs", "none", "ro,relatime tmpfs"),
        MOUNT,
    ),
    Difference(
        "flags of the folder's file system, statvfs(3)",
        ("flags of the folder's mount",),
        *("rw", "ro", "rw", "ro"),
        MOUNT,
    ),
    Difference(
        "a file is on the folder's device",
        ("a file is on the folder's device",),
        *("no", "yes", "no", "yes"),
        MOUNT,
    ),
    Difference(
        "open a file to write or append, truncate it",
        ("open to write", "open to read and write", "open to append", "truncate"),
        *("EROFS", "EROFS / EACCES", "EROFS / EACCES", "EROFS"),
        SYSTEM,
    ),
    Difference(
        "rename or remove a file",
        ("rename a file", "rename over a file", "remove a file"),
        *("EBUSY / EACCES", "EROFS", "EBUSY / EACCES", "EROFS"),
        OTHERWISE,
    ),
    Difference(
        "make a hard link in the folder",
        ("link in the folder",),
        *("EXDEV", "EROFS", "EXDEV", "EROFS"),
        OTHERWISE,
    ),
    Difference(
        "make a file, a folder or a symbolic link in the folder",
        ("create a file", "create a folder", "create a symbolic link"),
        *("permitted / EACCES", "EROFS", "permitted / EACCES", "EROFS"),
        STRICTER,
    ),
    Difference(
        "may write to the folder, access(2)",
        ("access: write the folder",),
        *("yes / no", "no", "yes / no", "no"),
        STRICTER,
    ),
    Difference(
        "change the mode of the folder",
        ("chmod the folder",),
        *("permitted / EPERM", "EROFS", "permitted / EPERM", "EROFS"),
        STRICTER,
    ),
)

LAYOUT = (
    Layout(
        "hidden entries",
        ("hidden entries",),
        "",
        "drwxr-xr-x ..TIME, lrwxrwxrwx ..data -> ..TIME",
    ),
    Layout("type of an entry", ("type of an entry", "type of an entry by scandir"), "-", "l"),
    Layout("readlink(2)", ("readlink",), "EINVAL", "..data/NAME"),
    Layout(
        "`ls -la`",
        ("ls -la of a file",),
        "-r--r--r-- 1 NAME",
        "lrwxrwxrwx 1 NAME -> ..data/NAME",
    ),
    Layout(
        "`stat`",
        ("stat of a file",),
        "regular file, -r--r--r--, 1",
        "symbolic link, lrwxrwxrwx, 1",
    ),
    Layout("files that `find . -maxdepth 1 -type f` finds, of 31", ("find -type f",), "31", "0"),
    Layout(
        "the shim takes it for a volume of Kubernetes",
        ("shim: takes it for the kubelet's",),
        "no",
        "yes",
    ),
)


def spoken(seen: object) -> str:
    """An observation in the words of the tables."""
    words = {"True": "yes", "False": "no", "0:0": "root", f"{UID}:{GID}": "the user"}
    words[f"103:{GID}"] = "as it says"
    return words.get(str(seen), str(seen))


def expected(place: str, user: str, swarm: Seen, layout: str = "swarm") -> Seen:
    """What is to be seen there: what is in the swarm, but for what is listed."""
    wanted = {name: spoken(seen) for name, seen in swarm.items()}
    for one in DIFFERENCES:
        wanted |= dict.fromkeys(one.observations, one.seen(place, user))
    for other in LAYOUT:
        wanted |= dict.fromkeys(other.observations, getattr(other, layout))
    return wanted


def tables() -> Iterator[str]:
    """What the page has: a table and the reasons, and the table of the layouts."""
    reasons = list(dict.fromkeys(one.why for one in DIFFERENCES))
    yield table(
        ("", "swarm task", "`dev up`, mounted", "`dev compose`", "`dev run`", "why"),
        *(
            (
                one.what,
                one.swarm,
                one.mounted,
                one.compose,
                one.run,
                f"{reasons.index(one.why) + 1}",
            )
            for one in DIFFERENCES
        ),
    )
    yield "\n".join(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))
    yield table(
        ("", "`--layout swarm`", "`--layout kubernetes`"),
        *((one.what, one.swarm or "none", one.kubernetes) for one in LAYOUT),
    )


def table(head: tuple[str, ...], *rows: tuple[str, ...]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))

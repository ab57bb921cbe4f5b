"""Users and groups by name, from /etc/passwd and /etc/group as the image has them.

Read here rather than through pwd and grp: those go through NSS, whose libraries differ from one
image to the next. The rules are those of docker run --user (moby, user.GetExecUser), but that a
uid without an entry does not silently get group 0.
"""

import posix

from .errors import ShimError, show
from .mount import exists, read_path

USERS = b"/etc/passwd"
GROUPS = b"/etc/group"
HIDDEN = 65534  # /proc/sys/kernel/overflowgid, which nobody changes
SETGROUPS = b"/proc/self/setgroups"
LARGEST = (1 << 32) - 2  # (uid_t)-1 means "leave as it is" to chown(2) and setresuid(2)


class User:
    """Ids to run as: uid, gid, supplementary groups (with gid), and the home folder (bytes)."""

    __slots__ = ("gid", "groups", "home", "uid")

    def __init__(self, uid, gid, groups, home):
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.home = home


def possible(user):
    """Raises ShimError if this process cannot become that User."""
    ids = (posix.geteuid(), posix.getegid())
    who = f"--user {user.uid}:{user.gid}"
    if ids[0] != 0 and ids != (user.uid, user.gid):
        raise ShimError(f"{who}: only root can become another user, not uid {ids[0]}")
    if ids[0] != 0 and not has_groups(user):
        raise ShimError(
            f"{who}: only root can change the supplementary groups, which are "
            f"{', '.join(map(str, posix.getgroups())) or 'none'} and should be "
            f"{', '.join(map(str, user.groups))}"
        )
    if ids != (user.uid, user.gid):
        from .privileges import can_become

        can_become(user)


def has_groups(user):
    """Whether this process has the groups of that User (its gid counts as one of them).

    In a user namespace that lacks them they show as HIDDEN, each once. Where nobody can change
    them either (setgroups "deny", user_namespaces(7)) as many as there should be are taken for the
    right ones: what a user has without privileges, that user may keep.
    """
    held, wanted = posix.getgroups(), {user.gid, *user.groups}
    if {user.gid, *held} == wanted:
        return True
    shown = {group for group in held if group != HIDDEN}
    return (
        posix.geteuid() != 0
        and shown <= wanted
        and held.count(HIDDEN) == len(wanted - shown - {user.gid})
        and exists(SETGROUPS)
        and read_path(SETGROUPS, "users").strip() == b"deny"
    )


def lookup(text, origin):
    """The User that `U` or `U:G` (bytes; names or numbers) means; `origin` is for messages.

    With G given there are no supplementary groups, as in docker run. Raises ShimError if there
    is no such user or group.
    """
    name, colon, group = text.partition(b":")
    if not name or (colon and not group):
        raise ShimError(f"{origin} {show(text)}: write USER or USER:GROUP")
    uid = number(name)
    entry = find(USERS, name, uid)
    if entry is not None:
        uid = int(entry[2])
    elif uid is None:
        raise ShimError(f"{origin}: no user {show(name)} in {show(USERS)}")
    home = entry[5] if entry is not None and len(entry) > 5 and entry[5] else b"/"
    if group:
        gid = number(group)
        if gid is None:
            found = find(GROUPS, group, None)
            if found is None:
                raise ShimError(f"{origin}: no group {show(group)} in {show(GROUPS)}")
            gid = int(found[2])
        return User(uid, gid, [gid], home)
    if entry is None:
        raise ShimError(
            f"{origin}: uid {uid} has no entry in {show(USERS)}, so it has no group: write "
            f"{uid}:GROUP"
        )
    gid = number(entry[3])
    if gid is None:
        raise ShimError(f"{origin}: user {show(entry[0])} has no group in {show(USERS)}")
    groups = {gid}
    for fields in entries(GROUPS):
        if entry[0] in fields[3].split(b","):
            groups.add(int(fields[2]))
    return User(uid, gid, sorted(groups), home)


def number(text):
    """A uid or gid written as a number, or None for a name."""
    digits = text.lstrip(b"0") or text[-1:]
    # The length first: newer Pythons refuse to read very long numbers.
    if digits.isdigit() and len(digits) <= 10 and int(digits) <= LARGEST:
        return int(digits)
    return None


def find(path, name, wanted):
    """The first entry of that name, otherwise of that id, or None."""
    found = None
    for fields in entries(path):
        if fields[0] == name:
            return fields
        if found is None and wanted is not None and int(fields[2]) == wanted:
            found = fields
    return found


def entries(path):
    """The well-formed lines of passwd(5) or group(5), as lists of bytes."""
    if not exists(path):
        return []
    lines = read_path(path, "users").split(b"\n")
    split = [line.split(b":") for line in lines]
    return [fields for fields in split if len(fields) > 3 and number(fields[2]) is not None]

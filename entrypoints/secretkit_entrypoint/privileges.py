"""Giving up privileges before exec: the user, capabilities, and ever gaining any again.

What was given up is read back from the kernel (proc(5), /proc/self/status), and nothing is started
unless it is gone. The sets and their rules: capabilities(7). The standard library cannot call
prctl(2) and capset(2), so that is done by ctypes, which is loaded only then.
"""

import posix

from .errors import ShimError, did_you_mean, show
from .mount import read_path
from .users import has_groups

# linux/capability.h, in the order of their numbers.
CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
    "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO "
    "SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME "
    "SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG "
    "WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
ALL = (1 << 64) - 1
OWN = ("CapEff", "CapPrm", "CapInh", "CapAmb")
# linux/prctl.h and linux/capability.h
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
CAPABILITY_VERSION_3 = 0x20080522

ELSEWHERE = {
    "--cap-drop": "docker run --cap-drop, compose cap_drop, Kubernetes capabilities.drop",
    "--no-new-privs": "docker run --security-opt no-new-privileges, compose security_opt, "
    "Kubernetes allowPrivilegeEscalation: false",
    "--user": "docker from 20.10.14 on gives no inheritable capabilities",
    "--watch": "the end of a container ends all that is in it",
}


class Limits:
    """What --cap-drop and --no-new-privs ask for; raises ShimError if it cannot be had.

    `dropped` is a mask with a bit for each capability, `kernel` what calls prctl(2).
    """

    def __init__(self, settings):
        self.no_new_privs = bool(settings.no_new_privs)
        self.dropped = 0
        for name in settings.cap_drop:
            self.dropped |= mask(name)
        self.kernel = Kernel("--cap-drop" if self.dropped else "--no-new-privs")
        held = state()
        if held["CapBnd"] & self.dropped and not holds(held, b"SETPCAP"):
            raise ShimError(
                f"--cap-drop: uid {posix.geteuid()} lacks the capability SETPCAP, without which "
                "its children could get others back: start as a root that has it (with --user), "
                f"or leave it to the engine ({ELSEWHERE['--cap-drop']})"
            )

    def drops(self, name):
        """Whether COMMAND will lack the capability `name` (bytes)."""
        return bool(self.dropped & mask(name))


def mask(name):
    """The bit of a capability (bytes: NET_RAW, or CAP_NET_RAW, in any case), or all for ALL."""
    word = show(name).upper()
    word = word[4:] if word.startswith("CAP_") else word
    if word == "ALL":
        return ALL
    known = CAPABILITIES.split()
    if word not in known:
        # Not shown: it may be anything.
        raise ShimError(
            f"--cap-drop names no capability{did_you_mean(word, known)}: write ALL, or a name of "
            "capabilities(7), such as NET_RAW"
        )
    return 1 << known.index(word)


def give_up(user, limits):
    """Becomes `user` (a User or None) within `limits` (Limits or None), for good.

    Raises ShimError if anything is left or could come back.
    """
    held = state()
    lost = limits.dropped if limits is not None else 0
    if limits is not None:
        # First, as it needs SETPCAP, which goes with the user.
        for number in range(held["CapBnd"].bit_length()):
            if held["CapBnd"] & lost & 1 << number:
                limits.kernel.prctl(PR_CAPBSET_DROP, number)
    if user is not None and user.uid != 0:
        lost = ALL
    kernel = limits.kernel if limits is not None else None
    if kernel is None and held["CapInh"] & lost:
        # Docker before 20.10.14 gave these, and they stay. That user may be unable to load it.
        kernel = Kernel("--user")
    if user is not None:
        drop_to(user)
        held = state()
    if any(held[name] & lost for name in OWN):
        # Else the kernel has done it with the change of user, unless the securebits say otherwise.
        kernel = kernel or Kernel("--user")
        kernel.capset(*(held[name] & ~lost for name in OWN[:3]))
    if limits is not None and limits.no_new_privs:
        limits.kernel.prctl(PR_SET_NO_NEW_PRIVS, 1)
    verify(user, lost, limits)


def verify(user, lost, limits):
    """Raises ShimError unless all of it is gone: `lost` is a mask of capabilities."""
    held = state()
    kept = 0
    for name in OWN:
        kept |= held[name] & lost
    if limits is not None:
        kept |= held["CapBnd"] & limits.dropped
        if limits.no_new_privs and held.get("NoNewPrivs") != 1:
            raise ShimError("--no-new-privs: the kernel did not set it: nothing is started")
    if kept:
        raise ShimError(f"capabilities are left ({kept:#x}): nothing is started")
    if user is not None and user.uid != 0:
        try:
            posix.setuid(0)
        except OSError:
            return
        raise ShimError(f"uid {user.uid} could become root again: nothing is started")


def drop_to(user):
    """Groups, gid, uid (also the real and the saved ones); raises ShimError if that cannot be."""
    try:
        # Without CAP_SETGID not even the groups that are there can be set.
        if not has_groups(user):
            posix.setgroups(user.groups)
        posix.setresgid(user.gid, user.gid, user.gid)
        posix.setresuid(user.uid, user.uid, user.uid)
    except OSError as error:
        raise cannot_become(user, error.strerror) from None
    same = posix.getresuid() == (user.uid,) * 3 and posix.getresgid() == (user.gid,) * 3
    if not same or not has_groups(user):
        raise ShimError(f"the kernel did not change to uid {user.uid}, gid {user.gid}")


def can_become(user):
    """Raises ShimError if root cannot change to `user` here."""
    held = state()
    reason = None
    if not holds(held, b"SETUID") or not holds(held, b"SETGID"):
        reason = "root lacks the capabilities SETUID and SETGID (docker run --cap-add)"
    elif not is_mapped(user):
        reason = (
            "this container's user namespace has no such id: take one that it maps "
            "(/proc/self/uid_map)"
        )
    if reason:
        raise cannot_become(user, reason)


def cannot_become(user, reason):
    return ShimError(f"cannot become uid {user.uid}, gid {user.gid}: {reason}")


def is_mapped(user):
    """Whether the user namespace has the ids of `user`, by user_namespaces(7), uid_map."""
    wanted = (
        (b"/proc/self/uid_map", {user.uid}),
        (b"/proc/self/gid_map", {user.gid, *user.groups}),
    )
    for path, ids in wanted:
        ranges = [line.split() for line in read_path(path, "privileges").splitlines()]
        for number in ids:
            if not any(0 <= number - int(first) < int(count) for first, _, count in ranges):
                return False
    return True


def state():
    """The capability sets of this process (as masks) and NoNewPrivs, from /proc/self/status."""
    try:
        lines = read_path(b"/proc/self/status", "privileges").decode("latin-1").splitlines()
    except ShimError:
        raise ShimError(
            "privileges cannot be verified without /proc/self/status: mount /proc"
        ) from None
    # What is not told is taken for held; only the ambient set is not in every kernel (from 4.3).
    found = {"CapEff": ALL, "CapPrm": ALL, "CapInh": ALL, "CapBnd": ALL, "CapAmb": 0}
    for line in lines:
        name, _, value = line.partition(":\t")
        if name in found or name == "NoNewPrivs":
            found[name] = int(value, 16)
    return found


def holds(held, name):
    """Whether a state() has the capability `name` (bytes) in effect."""
    return bool(held["CapEff"] & mask(name))


class Kernel:
    """prctl(2) and capset(2) for `option` (str), which messages name; raises ShimError."""

    def __init__(self, option):
        self.option = option
        try:
            import ctypes

            libc = ctypes.CDLL(None, use_errno=True)
            self._ctypes, self._prctl, self._capset = ctypes, libc.prctl, libc.capset
        except (ImportError, OSError, AttributeError, MemoryError):
            raise ShimError(
                f"{option}: it needs Python's module ctypes, which does not work here: use a "
                f"Python that has it, or leave it to the engine ({ELSEWHERE[option]})"
            ) from None
        self._prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4

    def prctl(self, operation, argument):
        self._succeeded(self._prctl(operation, argument, 0, 0, 0))

    def capset(self, effective, permitted, inheritable):
        """Sets the three sets (masks); the kernel takes out of the ambient set what goes."""
        words = self._ctypes.c_uint32
        header = (words * 2)(CAPABILITY_VERSION_3, 0)
        sets = (effective, permitted, inheritable)
        halves = [part & 0xFFFFFFFF for part in sets] + [part >> 32 for part in sets]
        self._succeeded(self._capset(header, (words * 6)(*halves)))

    def _succeeded(self, result):
        if result != 0:
            reason = posix.strerror(self._ctypes.get_errno())
            raise ShimError(f"{self.option}: the kernel refuses it: {reason}")

"""Before a key or a value is in memory: no core dumps, no reading by other processes."""

from __future__ import annotations

import contextlib
import os
import resource
import signal

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4  # linux/prctl.h
_before: list[int] = []  # the soft limit that we found


def harden() -> None:
    """RLIMIT_CORE 0, and PR_SET_DUMPABLE 0 where there is such a thing (prctl(2)).

    The second also keeps other processes of the same user from reading our memory, and ends with
    execve; the first does not, and only its soft limit is changed, so that `allow_cores` can give
    it back to the program that we become.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    _before.append(soft)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    from ctypes import CDLL

    with contextlib.suppress(OSError, AttributeError):
        CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def is_hardened() -> bool:
    """Whether both hold now."""
    from ctypes import CDLL

    with contextlib.suppress(OSError, AttributeError):
        dumpable = CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0)
        return dumpable == 0 and resource.getrlimit(resource.RLIMIT_CORE)[0] == 0
    return False


def allow_cores() -> None:
    """Give back the limit for core dumps, before becoming a program of the user's."""
    if _before:
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (_before[0], hard))


def end_with(parent: int) -> bool:
    """Be killed when the process that has made us ends (prctl(2)); False if it has ended already.

    `parent` is its process id. It may become another program meanwhile.
    """
    from ctypes import CDLL

    with contextlib.suppress(OSError, AttributeError):
        CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    return os.getppid() == parent

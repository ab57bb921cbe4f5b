"""Bounds for what a template computes, so that a slip in a loop ends with a message."""

import _signal
from resource import RLIMIT_DATA, getrlimit, setrlimit

from .errors import ShimError

SECONDS = 10  # of this process's own CPU time
MEMORY = 1 << 30  # bytes


class LateError(Exception):
    """The time is over."""


class Limits:
    """`with Limits(template):` raises ShimError inside of it where that uses too much.

    A single operation in C is not interrupted; memory bounds those. `template` is for the message.
    """

    def __init__(self, template):
        self.template = template

    def __enter__(self):
        self._handler = _signal.signal(_signal.SIGVTALRM, self._late)
        # A shim that watches blocks all signals.
        self._mask = _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {_signal.SIGVTALRM})
        # Again every second: a template's own `try` could have swallowed the first.
        _signal.setitimer(_signal.ITIMER_VIRTUAL, SECONDS, 1)
        self._memory = soft, hard = getrlimit(RLIMIT_DATA)
        if soft < 0 or soft > MEMORY:
            setrlimit(RLIMIT_DATA, (MEMORY, hard))

    def __exit__(self, kind, error, _traceback):
        _signal.setitimer(_signal.ITIMER_VIRTUAL, 0)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, self._mask)
        _signal.signal(_signal.SIGVTALRM, self._handler)
        setrlimit(RLIMIT_DATA, self._memory)
        if kind is MemoryError:
            raise ShimError(f"{self.template}: it needs more than 1 GiB of memory") from None
        if kind is LateError:
            raise ShimError(f"{self.template}: {error}") from None

    def _late(self, _number, _frame):
        raise LateError(f"it computes for more than {SECONDS} seconds")

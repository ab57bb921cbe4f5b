"""COMMAND as a child: signals reach it, every child is reaped, its status is handed on.

All signals stay blocked and are fetched one by one with sigtimedwait(2). So none is lost, none
interrupts a step half way, and waiting for them takes no time of the processor.
"""

import _signal
import posix
from time import monotonic

from .errors import ShimError
from .main import complain, shielded, tell
from .process import become

if not hasattr(_signal, "sigtimedwait"):
    raise ShimError("--watch needs sigtimedwait(2), which this system has not: it is for Linux")

# Every signal that can be blocked. Two or three below SIGRTMIN belong to the C library.
SIGNALS = frozenset(range(1, 32)).union(range(_signal.SIGRTMIN, _signal.SIGRTMAX + 1)) - {
    _signal.SIGKILL,
    _signal.SIGSTOP,
}
# What the kernel sends to the terminal's whole foreground group, of which COMMAND is a member too.
TERMINAL = {
    _signal.SIGINT,
    _signal.SIGQUIT,
    _signal.SIGTSTP,
    _signal.SIGTTIN,
    _signal.SIGTTOU,
    _signal.SIGWINCH,
}
JOB_CONTROL = (_signal.SIGTSTP, _signal.SIGTTIN, _signal.SIGTTOU)
SI_KERNEL = 128  # asm-generic/siginfo.h
PR_SET_PDEATHSIG = 1  # linux/prctl.h
GROUP_INTERVAL = 0.05  # seconds; the kernel does not tell when a group is empty


class Command:
    """COMMAND as a child of this process; there is never more than one.

    `status` is None while it runs, afterwards its exit status, or 128 + n if signal n ended it
    (the shell's rule). `nudged` is whether another process has sent SIGCHLD, to say that something
    has changed. `helper` is the process id of a child that was there before, or None, also when it
    has ended. The first launch() has to follow at once: signals are blocked from now on.
    """

    def __init__(self, plan, helper=None):
        self.status = None
        self.nudged = False
        self.helper = helper
        self.obey(plan)
        self.for_good = False
        self._interrupted = float("-inf")
        self._pid = None
        self._own = posix.getpid()
        self._own_group = posix.getpgrp()
        self._mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, SIGNALS)
        # Ignored, it would take the status of children away.
        self._on_child = _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)

    def obey(self, plan):
        """Stops COMMAND as a watching.Plan says. Its process group counts from the next launch."""
        self._stop_signal = plan.stop_signal
        self._stop_timeout = plan.stop_timeout
        self._ending = {_signal.SIGTERM, _signal.SIGINT, plan.stop_signal}
        self._doubt = max(plan.stop_timeout, plan.grace)

    @property
    def asked_to_end(self):
        """Whether somebody else has sent SIGTERM, SIGINT or the stop signal, ever.

        From the terminal they count until COMMAND would have been killed, and until it cannot have
        died of a change: one that still runs then has another use for Ctrl-C. Others count
        `for_good`.
        """
        if self.for_good or monotonic() - self._interrupted < self._doubt:
            return True
        return not self._ending.isdisjoint(_signal.sigpending())

    def launch(self, start):
        """Starts the COMMAND of a Start. The one before has ended."""
        before = self._pid
        self._group = start.plan.group
        try:
            pid = posix.fork()
        except OSError as error:
            raise ShimError(f"cannot start COMMAND: {error.strerror}") from None
        if pid == 0:
            posix._exit(shielded(self._become, start, before))
        self._pid, self.status = pid, None
        if self._group:
            try:
                posix.setpgid(pid, pid)  # as the child does: whoever is first
            except OSError:
                pass

    def _become(self, start, before):
        if self._group:
            posix.setpgid(0, 0)
            self._give_terminal(posix.getpid(), before)
        if self._own != 1:  # the end of a namespace's first process ends all others
            self._end_with_parent()
        _signal.signal(_signal.SIGCHLD, self._on_child)
        if callable(_signal.getsignal(_signal.SIGINT)):  # Python's KeyboardInterrupt
            _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, self._mask)
        return become(start)

    def _end_with_parent(self):
        """SIGKILL for COMMAND when the shim dies of it; where there is ctypes to ask for that."""
        from .privileges import Kernel

        try:
            Kernel("--watch").prctl(PR_SET_PDEATHSIG, _signal.SIGKILL)
        except ShimError:
            return
        if posix.getppid() != self._own:
            posix._exit(128 + _signal.SIGKILL)

    def _give_terminal(self, group, before):
        """Makes a group the terminal's foreground, if it was this process or the child before."""
        for descriptor in (0, 1, 2):
            try:
                if posix.tcgetpgrp(descriptor) in (self._own_group, before):
                    posix.tcsetpgrp(descriptor, group)
                return
            except OSError:
                pass  # it is no terminal, or not ours

    def wait(self, seconds):
        """Does what signals are for, for so long, or until COMMAND has ended or it is nudged."""
        until = monotonic() + seconds
        while self.status is None:
            left = 0 if self.nudged else until - monotonic()
            if not self._turn(max(left, 0)) or left <= 0:
                return

    def stop(self):
        """Ends COMMAND, and with `group` all of its group: the stop signal, in the end SIGKILL."""
        begun = monotonic()
        self.send(self._stop_signal)
        self.send(_signal.SIGCONT)  # one that is stopped does not end
        self._wait_for_all(self._stop_timeout)
        if self._alive():
            tell(f"COMMAND has not ended within {self._stop_timeout:g} seconds: it is killed")
            self.send(_signal.SIGKILL)
            while self.status is None:
                self._turn(1)
            self._wait_for_all(self._stop_timeout)
        if self._interrupted >= begun:
            self.for_good = True  # nobody knows what COMMAND would have made of it

    def _wait_for_all(self, seconds):
        """Waits for the end of COMMAND, and with `group` of its group, at most so long."""
        until = monotonic() + seconds
        while self._alive():
            left = until - monotonic()
            if left <= 0:
                return
            self._turn(left if self.status is None else GROUP_INTERVAL)

    def send(self, number):
        """Sends a signal to COMMAND, if it still is there."""
        if self.status is not None and not self._group:
            return
        try:
            posix.kill(-self._pid if self._group else self._pid, number)
        except ProcessLookupError:
            pass
        except PermissionError:
            complain(f"signal {number} does not reach COMMAND, which has become another user")

    def _alive(self):
        if self.status is None or not self._group:
            return self.status is None
        try:
            posix.kill(-self._pid, 0)
        except OSError:
            return False
        return True

    def _turn(self, seconds):
        """Waits for one signal, at most so long, and does what it is for; False if none came."""
        info = _signal.sigtimedwait(SIGNALS, seconds)
        if info is None:
            return False
        number = info.si_signo
        if number == _signal.SIGCHLD:
            self._reap()
            self.nudged = self.nudged or info.si_code <= 0  # not from the kernel: sigaction(2)
        elif info.si_pid != self._own:  # such as SIGPIPE for a message that nobody reads
            terminal = number in TERMINAL and info.si_code == SI_KERNEL
            if number in self._ending and terminal:
                self._interrupted = monotonic()
            elif number in self._ending:
                self.for_good = True
            if self._group or not terminal:
                self.send(number)
        return True

    def _reap(self):
        """Takes note of all children that have ended, adopted ones too."""
        while True:
            try:
                pid, status = posix.waitpid(-1, posix.WNOHANG | posix.WUNTRACED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.helper and not posix.WIFSTOPPED(status):
                self.helper = None
            if pid != self._pid or self.status is not None:
                continue
            if posix.WIFSTOPPED(status):
                if posix.WSTOPSIG(status) in JOB_CONTROL:
                    self._stop_too()
            elif posix.WIFEXITED(status):
                self.status = posix.WEXITSTATUS(status)
            else:
                self.status = 128 + posix.WTERMSIG(status)

    def _stop_too(self):
        """What a shell has stopped it will continue: this process, and COMMAND with it.

        The first process of a namespace cannot stop, so there COMMAND goes on at once.
        """
        posix.kill(self._own, _signal.SIGSTOP)
        if self._group:
            self._give_terminal(self._pid, None)
        self.send(_signal.SIGCONT)


def signal_number(text, origin):
    """The number of a signal (bytes): HUP, SIGHUP, RTMIN+3, 1; `origin` is for messages."""
    name, plus, offset = text.decode("ascii", "replace").upper().partition("+")
    name = name[3:] if name.startswith("SIG") else name
    number = int(name) if name.isdigit() and len(name) < 3 else None
    if number is None and name.isalnum():
        number = getattr(_signal, "SIG" + name, None)
    if plus:
        right = name == "RTMIN" and offset.isdigit() and len(offset) < 3
        number = number + int(offset) if right else None
    if number not in SIGNALS | {_signal.SIGKILL}:
        raise ShimError(f"{origin} names no signal that can be sent: write one such as HUP or USR1")
    return number

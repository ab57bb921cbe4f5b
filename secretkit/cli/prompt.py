"""Asking on the terminal, without echo."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import Any

from ..errors import StoreKeyError, UsageError

# n_tty(4): a line that is typed holds 4096 bytes with its end; what is beyond is lost silently.
_LINE = 4095


def ask(what: str) -> bytes:
    """One line from the terminal, without echo and without its end.

    Raises UsageError if it is not text or may have been cut, EOFError at Ctrl-D.
    """
    try:
        # As text, for the passphrase of a terminal that is not UTF-8 to be the same elsewhere.
        typed = _line(f"{what}: ").decode(_encoding()).encode()
    except UnicodeError:
        # The exception holds what was typed.
        raise UsageError("what was typed is not text", hint="put the value in a file") from None
    if len(typed) >= _LINE:
        raise UsageError(
            f"a terminal takes lines of at most {_LINE} bytes, this one may have been cut",
            hint="put the value in a file",
        )
    return typed


def _encoding() -> str:
    from locale import getpreferredencoding

    return getpreferredencoding(False)


def _line(prompt: str) -> bytes:
    """A line without its end; raises EOFError at Ctrl-D.

    As readpassphrase(3) does it, and getpass of Python does not: the echo is back while we are
    stopped (Ctrl-Z), and off again before the prompt is shown again, which the shell that continues
    us has switched on. What was typed of the line by then is forgotten.
    """
    typed = bytearray()
    with _terminal() as fd:
        with _quiet(fd, prompt.encode(), typed):
            while not typed.endswith(b"\n"):
                part = os.read(fd, _LINE + 1)
                typed += part
                if not part:
                    break
        if not typed:
            raise EOFError
        os.write(fd, b"\n")
    return bytes(typed).removesuffix(b"\n")


@contextlib.contextmanager
def _terminal() -> Iterator[int]:
    """The controlling terminal, or stdin if there is none (a container's without a session)."""
    try:
        fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        fd = os.dup(0)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _quiet(fd: int, prompt: bytes, typed: bytearray) -> Iterator[None]:
    """The terminal `fd` without echo, after the prompt. `typed` is emptied when we continue."""
    import signal
    import termios
    from types import FrameType

    before = termios.tcgetattr(fd)
    silent = before[:]
    silent[3] &= ~(termios.ECHO | termios.ECHONL)

    def change(attributes: list[Any]) -> None:
        while True:
            try:
                return termios.tcsetattr(fd, termios.TCSAFLUSH, attributes)
            except termios.error as error:  # in the background the kernel stops us (SIGTTOU)
                if error.args[0] != errno.EINTR:
                    raise

    def begin(_number: int = 0, _frame: FrameType | None = None) -> None:
        change(silent)
        typed.clear()
        os.write(fd, prompt)

    def stop(number: int, _frame: FrameType | None) -> None:
        change(before)
        os.write(fd, b"\n")
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # here we are stopped
        signal.signal(number, stop)

    handlers = {signal.SIGCONT: signal.signal(signal.SIGCONT, begin)}
    if signal.getsignal(signal.SIGTSTP) == signal.SIG_DFL:  # else a shell without job control
        handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, stop)
    try:
        begin()
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        change(before)


def ask_twice(what: str) -> bytes:
    """As `ask`, and once more; raises UsageError if the two differ or are empty."""
    first = ask(what)
    if not first:
        raise UsageError("nothing was typed")
    if ask(f"{what}, once more") != first:
        raise UsageError("the two differ", hint="type the same twice")
    return first


def ask_passphrase() -> bytes:
    """The store's passphrase, from the terminal even if stdin is something else."""
    _need_terminal()
    return ask("passphrase of the store")


def ask_new_passphrase() -> bytes:
    """A passphrase that is to be: from SECRETKIT_PASSPHRASE_FILE, else twice from the terminal."""
    from ..store.slots import passphrase_from_environment

    given = passphrase_from_environment()
    if given is not None:
        return given
    _need_terminal()
    return ask_twice("new passphrase")


def _need_terminal() -> None:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        raise StoreKeyError(
            "the passphrase is needed, and there is no terminal to ask on",
            hint="name a file that holds it: SECRETKIT_PASSPHRASE_FILE",
        ) from None

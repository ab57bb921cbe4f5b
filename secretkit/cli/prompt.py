"""Asking on the terminal, without echo."""

from __future__ import annotations

import os

from ..errors import StoreKeyError, UsageError

# n_tty(4): a line that is typed holds 4096 bytes with its end; what is beyond is lost silently.
_LINE = 4095


def ask(what: str) -> bytes:
    """One line from the terminal, without echo and without its end.

    Raises UsageError if it is not text or may have been cut, EOFError at Ctrl-D.
    """
    from getpass import getpass

    try:
        typed = getpass(f"{what}: ").encode()
    except UnicodeError:
        # The exception holds what was typed.
        raise UsageError("what was typed is not text", hint="put the value in a file") from None
    if len(typed) >= _LINE:
        raise UsageError(
            f"a terminal takes lines of at most {_LINE} bytes, this one may have been cut",
            hint="put the value in a file",
        )
    return typed


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

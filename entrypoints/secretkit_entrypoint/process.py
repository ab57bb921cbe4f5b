"""Becoming the process: nothing of this program is left behind but its pid."""

import _signal
import posix

from .errors import ShimError, show
from .mount import FLAGS, exists

# Where execvp(3) looks if there is no PATH (glibc's confstr(_CS_PATH)).
DEFAULT_PATH = b"/bin:/usr/bin"
ELF = b"\x7fELF"


def find(command, search):
    """The file that COMMAND (bytes) names, looked for as execvp(3) does along `search`.

    Raises ShimError with status 127 if there is none, 126 if what there is cannot be executed.
    """
    if not command:
        raise ShimError("COMMAND is empty", status=127)
    if b"/" in command:
        candidates = [command]
    else:
        candidates = [(folder or b".") + b"/" + command for folder in search.split(b":")]
    found = None
    for path in candidates:
        try:
            mode = posix.stat(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            found = found or (path, error.strerror)
            continue
        if mode & 0o170000 == 0o040000:
            found = found or (path, "it is a directory")
        elif not posix.access(path, posix.X_OK):
            found = found or (path, "it has no execute permission (chmod +x)")
        else:
            return path
    if found:
        raise ShimError(f"cannot execute {show(found[0])}: {found[1]}", status=126)
    place = "" if b"/" in command else f" in PATH ({show(search)})"
    raise ShimError(f"command not found: {show(command)}{place}", status=127)


def become(start):
    """Replaces this process by the COMMAND of `start`, a Start; returns never.

    Raises ShimError if the privileges cannot be dropped or the kernel refuses the file; by then
    descriptors are closed and signals are reset.
    """
    path, user = start.path, start.user
    if user is not None or start.limits is not None:
        from .privileges import give_up

        give_up(user, start.limits)
    if start.handed:
        from .handing import hand_over

        hand_over(start.handed)
    close_descriptors(start.handed)
    # Python ignores these two, and execve(2) keeps what is ignored. Handlers it resets itself.
    for name in ("SIGPIPE", "SIGXFSZ", "SIGXFZ"):
        if hasattr(_signal, name):
            _signal.signal(getattr(_signal, name), _signal.SIG_DFL)
    try:
        posix.execve(path, start.arguments, start.environment.values)
    except (FileNotFoundError, NotADirectoryError):
        # The file was there: what is missing is what its first line or its ELF header names.
        reason = unrunnable(path) or "the loader that it names does not exist"
    except PermissionError:
        reason = unrunnable(path)
        if reason is None:
            raise denied(path, user) from None
    except OSError as error:
        reason = unrunnable(path) or error.strerror
    raise ShimError(f"cannot execute {show(path)}: {reason}", status=126)


def unrunnable(path):
    """Why the kernel cannot execute the file at `path` (bytes): a str, or None. See execve(2)."""
    content = beginning(path)
    if content is None:
        return None
    if not content.startswith(b"#!"):
        return unknown(content)
    line = content.partition(b"\n")[0]
    if line.endswith(b"\r"):
        end = "ends as in Windows (CR LF), which no kernel reads: convert it (tr -d '\\r')"
        return f"its first line {end}"
    interpreter = line[2:].strip(b" \t").replace(b"\t", b" ").partition(b" ")[0]
    if not interpreter:
        return "its first line names no interpreter: write one behind `#!` (/bin/sh)"
    if not exists(interpreter):
        return f"its first line names {show(interpreter)}, which does not exist"
    return None


def unknown(content):
    """Why the kernel knows no way to execute what begins with `content`: a str, or None.

    Not every way is known here (binfmt_misc), so only text and the own kind of ELF are judged.
    """
    if content.startswith(ELF):
        own = beginning(b"/proc/self/exe") or b""
        # elf(5): class, byte order, machine. A 64-bit processor may run 32-bit programs, too.
        same = own[5:6] == content[5:6] and own[18:20] == content[18:20]
        if own[:5] == content[:5] and not same:
            return "it is built for another kind of processor: take the one for this machine"
    elif 0 not in content:
        return "it is no program, and no first line names its interpreter: add one (#!/bin/sh)"
    return None


def beginning(path):
    """The first 256 bytes of a file; None if it cannot be read."""
    try:
        descriptor = posix.open(path, FLAGS)
    except OSError:
        return None
    try:
        return posix.read(descriptor, 256)
    except OSError:
        return None
    finally:
        posix.close(descriptor)


def denied(path, user):
    """A ShimError: `user` (a User or None) may not execute the file at `path`."""
    who = f" to uid {user.uid}, gid {user.gid}" if user is not None else ""
    return ShimError(f"cannot execute {show(path)}: permission denied{who}", status=126)


def close_descriptors(kept=()):
    """Closes every descriptor above 2 but those `kept` (a collection of numbers)."""
    try:
        names = posix.listdir("/proc/self/fd")
    except OSError:
        names = range(min(posix.sysconf("SC_OPEN_MAX"), 1 << 16))
    for name in names:
        number = int(name)
        if number > 2 and number not in kept:
            try:
                posix.close(number)
            except OSError:
                pass  # the one that listed the folder

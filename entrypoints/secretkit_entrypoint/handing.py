"""Secrets that COMMAND reads from a descriptor: --stdin and --fd.

Each is a file in memory that has no name (memfd_create(2)), sealed and open for reading: it can be
opened by /dev/fd/N again and again, by the user that COMMAND runs as. Where there is none (Python
before 3.8, a filter of system calls) it is a pipe, which gives its content once.
"""

import posix
from fcntl import fcntl

from .errors import ShimError, show
from .variables import check_name, wanted

FIRST = 3
# linux/memfd.h: MFD_CLOEXEC | MFD_ALLOW_SEALING, and MFD_NOEXEC_SEAL, which Linux 6.3 brought and
# vm.memfd_noexec=2 demands.
SEALABLE = 0x3
NEVER_EXECUTED = 0x8
# linux/fcntl.h: nothing is ever written, cut off or appended, and no seal is added.
F_ADD_SEALS = 1033
SEALS = 0xF
F_SETPIPE_SZ = 1031


def prepare(start, problems):
    """The contents (bytes) by the descriptor (int) that COMMAND inherits; sets --fd's variables.

    They are the files as they are, line ends and all, as if COMMAND opened them itself. An
    optional secret that is missing leaves its variable unset, and standard input empty.
    """
    settings, environment, handed = start.settings, start.environment, {}
    if settings.stdin:
        with problems:
            handed[0] = wanted(start.mount, settings.optional, settings.stdin) or b""
    number = FIRST
    for name, secret in settings.fd.items():
        with problems:
            check_name(name, environment.allowed, "--fd")
            if name in environment.sources:
                raise ShimError(
                    f"the variable {show(name)} is set by {environment.rule(name)} and by --fd: "
                    "choose one"
                )
            content = wanted(start.mount, settings.optional, secret)
            if content is None:
                continue
            handed[number] = content
            environment.values[name] = b"/dev/fd/%d" % number
            number += 1
    if number > FIRST:
        with problems:
            check_folder()
    return handed


def check_folder():
    try:
        posix.stat("/dev/fd")
    except OSError:
        raise ShimError(
            "--fd: there is no /dev/fd, the link to /proc/self/fd that every container runtime "
            "makes: mount /proc and make it, or use --stdin or --render"
        ) from None


def hand_over(handed):
    """Opens every content under its number, for the user that this process is by now.

    Raises ShimError. Descriptors of these numbers that are open are closed.
    """
    for number, content in handed.items():
        try:
            descriptor = memory_file(content)
            if descriptor is None:
                descriptor = filled_pipe(content)
            if descriptor != number:
                posix.dup2(descriptor, number)
                posix.close(descriptor)
            posix.set_inheritable(number, True)
        except OSError as error:
            raise ShimError(
                f"cannot hand over a secret as descriptor {number}: {error.strerror}"
            ) from None


def memory_file(content):
    """A descriptor of a new file in memory, at its beginning; None where there is no such thing."""
    if not hasattr(posix, "memfd_create"):
        return None
    try:
        try:
            descriptor = posix.memfd_create("secret", SEALABLE | NEVER_EXECUTED)
        except OSError:
            descriptor = posix.memfd_create("secret", SEALABLE)
    except OSError:
        return None
    left = content
    while left:
        left = left[posix.write(descriptor, left) :]
    posix.fchmod(descriptor, 0o400)  # programs refuse a key or a password that others may read
    fcntl(descriptor, F_ADD_SEALS, SEALS)
    try:
        # Sealed, it can be mapped with MAP_SHARED only where it is open for reading alone.
        reading = posix.open(f"/proc/self/fd/{descriptor}", posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:  # no /proc
        posix.lseek(descriptor, 0, 0)
        return descriptor
    posix.close(descriptor)
    return reading


def filled_pipe(content):
    """The reading end of a pipe that holds all of the content; there is no writing end any more."""
    reading, writing = posix.pipe2(posix.O_CLOEXEC)
    posix.set_blocking(writing, False)
    try:
        fcntl(writing, F_SETPIPE_SZ, len(content))
    except OSError:
        pass  # what does not fit is noticed now
    try:
        written = posix.write(writing, content)
    except BlockingIOError:
        written = 0
    posix.close(writing)
    if written < len(content):
        raise ShimError(
            f"a secret of {len(content)} bytes does not fit into a pipe (see "
            "/proc/sys/fs/pipe-max-size), and there is no memfd_create (Python 3.8 has it): use "
            "--render"
        )
    return reading

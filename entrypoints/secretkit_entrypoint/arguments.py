"""--arg: secrets in COMMAND's arguments, for programs that take them nowhere else."""

from .errors import ShimError, show
from .mount import without_newline
from .variables import ONE_STRING, wanted


def substituted(start, problems):
    """COMMAND's words (bytes) with the value of each secret of --arg in place of `<<SECRET>>`.

    One pass, exact names; other text in `<<…>>` stays, and so does the first word. What cannot be
    put in its place is one of the problems.
    """
    words, values = start.request.command, {}
    if not start.settings.allow_argv:
        with problems:
            raise ShimError(
                "--arg: every user can read a process's arguments (/proc/PID/cmdline, ps): use "
                "--env, --fd, --stdin or --render, or permit it with --allow-argv"
            )
        return words
    for secret in start.settings.arg:
        with problems:
            values[secret] = read(start, secret)
    used, made = set(), words[:1]
    for number, word in enumerate(words[1:], 1):
        made.append(put(word, values, used))
        if len(made[-1]) >= ONE_STRING and made[-1] != word:
            with problems:
                raise ShimError(
                    f"argument {number} of COMMAND is too long with its secrets "
                    f"({len(made[-1])} bytes; the kernel takes {ONE_STRING - 1}): use a file, with "
                    "--render or --fd"
                )
    for secret in values:
        if secret not in used and words:
            with problems:
                raise ShimError(
                    f"--arg: <<{show(secret)}>> stands in no argument of COMMAND: write it where "
                    "the value belongs"
                )
    return made


def read(start, secret):
    """The value for an argument; empty for an optional secret that is missing."""
    value = without_newline(wanted(start.mount, start.settings.optional, secret) or b"")
    if 0 in value:
        raise ShimError(
            f"secret {show(secret)} contains a NUL byte, which no argument can hold: use a file, "
            "with --render or --fd"
        )
    return value


def put(word, values, used):
    """A word with the values (by secret) in their places; adds the secrets to the set `used`."""
    *heads, tail = word.split(b">>")
    pieces = []
    for head in heads:
        before, mark, name = head.rpartition(b"<<")
        if mark and name in values:
            pieces += before, values[name]
            used.add(name)
        else:
            pieces += head, b">>"
    return b"".join(pieces) + tail

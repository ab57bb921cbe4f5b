"""What the shim answers without starting anything: --help, --version, --compile."""

import sys

from . import __version__
from .errors import ShimError

HELP = """\
Usage: secretkit-entrypoint [OPTIONS] [--] COMMAND [ARG...]

Sets environment variables and renders config files from secret files, then becomes COMMAND.

  --secrets-dir DIR     where the secrets are [/run/secrets, else $CREDENTIALS_DIRECTORY]
  --env NAME=SECRET     variable NAME from secret SECRET (repeatable)
  --env-all             every secret: db-password becomes DB_PASSWORD [the default, unless
                        another option says what a secret is for]
  --no-env              no variables
  --env-prefix PREFIX   put before every name of --env-all
  --expand-file NAME    NAME_FILE=/path becomes NAME=<content> (repeatable)
  --render SRC:DEST[,format=F][,mode=0400][,owner=U:G]
                        render template SRC to DEST (repeatable)
  --keystore DEST[,key=SECRET,cert=SECRET][,ca=SECRET],password=SECRET[,alias=A][,type=T]
                        make a PKCS #12 or JKS keystore from PEM secrets (repeatable)
  --stdin SECRET        COMMAND reads this secret from its standard input
  --fd NAME=SECRET      variable NAME is /dev/fd/N, where COMMAND reads this secret (repeatable)
  --arg SECRET          put this secret for <<SECRET>> into COMMAND's arguments (repeatable):
                        others can read those, so only with --allow-argv
  --require SECRET      must be there and not empty (repeatable)
  --optional SECRET     may be missing or empty (repeatable)
  --user U[:G]          run COMMAND as this user
  --no-new-privs        COMMAND and its children can never gain privileges (no_new_privs)
  --cap-drop CAP        take away this capability for good, or ALL (repeatable)
  --pristine            start from an empty environment
  --preserve NAME       but keep this variable (repeatable)
  --allow-name NAME     permit a variable that is refused otherwise, such as HOME (repeatable)
  --allow-disk          permit a destination that is not on tmpfs
  --watch               stay as the parent, and render again when secrets change
  --watch-secrets       COMMAND reads the secret files: one that changes is a change for it
  --on-change WHAT      restart, signal:NAME (as signal:HUP) or none [restart]
  --grace SECONDS       COMMAND ending so soon after a change gets the previous values back [10]
  --stop-signal NAME    what asks COMMAND to end for a restart [TERM]
  --stop-timeout SECONDS
                        before COMMAND is killed [10]
  --signal-group        signals reach COMMAND's process group, not COMMAND alone
  --strict              --check also fails for what is only a warning
  --config FILE         JSON with the same keys [/etc/secretkit/entrypoint.json, if there]
  --check               report every problem, what mends it, and what is likely to hurt; start
                        nothing; exit 0 or 125
  --json                --check reports in JSON
  --explain             say where each variable and file comes from, start nothing
  --compile             compile the package for this Python, so that it starts faster
  --help, --version

SECRET may be a value inside a secret: db#/user in JSON (RFC 6901), cert|base64d in base64.

Each option is also a variable, SECRETKIT_SECRETS_DIR and so on; lists are separated by spaces.
Exit status: 125 the shim failed, 126 COMMAND cannot be executed, 127 it was not found; else
COMMAND's own. Example:

  ENTRYPOINT ["python3", "-ISB", "/opt/secretkit/secretkit-entrypoint", "--env-all", "--"]
"""


def answer(action):
    """Carries out --help, --version or --compile; returns the exit status."""
    if action == "--help":
        return say(HELP)
    python = "Python %d.%d.%d" % sys.version_info[:3]
    if action == "--version":
        return say(f"secretkit-entrypoint {__version__} ({python})\n")
    from .compiling import compile_package

    return say(f"compiled {compile_package(sys.path[0])} modules for {python}\n")


def say(text):
    """Writes text to stdout; returns the exit status."""
    import os

    data = text.encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError as error:
        raise ShimError(f"cannot write to stdout: {error.strerror}") from None
    return 0

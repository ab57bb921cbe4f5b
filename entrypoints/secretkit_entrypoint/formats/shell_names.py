"""The variables that a shell itself gives a meaning: none may get a value from a secret.

bash evaluates what some of them get as arithmetic, where ``a[$(x)]`` runs, takes others for code,
and with others reads what follows differently. From the lists of variables in bash's manual, and
POSIX's (XCU 2.5.3).
"""

_NAMES = frozenset(
    (  # noqa: SIM905 - a list of these would take a page
        "_ CDPATH CHILD_MAX COLUMNS DIRSTACK EMACS ENV EPOCHREALTIME EPOCHSECONDS EUID EXECIGNORE "
        "FCEDIT FIGNORE FUNCNAME FUNCNEST GLOBIGNORE GLOBSORT GROUPS IFS IGNOREEOF INPUTRC "
        "INSIDE_EMACS LANG LINENO LINES MAILCHECK MAPFILE OPTARG OPTERR OPTIND PIPESTATUS "
        "POSIXLY_CORRECT PPID PROMPT_COMMAND PROMPT_DIRTRIM PS0 PS1 PS2 PS3 PS4 RANDOM "
        "READLINE_ARGUMENT READLINE_LINE READLINE_MARK READLINE_POINT REPLY SECONDS SHELLOPTS "
        "SHLVL SRANDOM TIMEFORMAT TMOUT UID auto_resume histchars"
    ).split(" ")
)
_BEGINNINGS = ("BASH", "COMP_", "COMPREPLY", "COPROC", "HIST", "LC_")


def is_special(name):
    """Whether the variable `name` (str) means something to a shell."""
    return name in _NAMES or name.startswith(_BEGINNINGS)


# How a message says it, with the name.
SPECIAL = "a shell gives the variable `{}` a meaning of its own; use another name"

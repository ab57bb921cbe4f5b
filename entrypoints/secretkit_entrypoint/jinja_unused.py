"""What Jinja2 imports and the shim has no use for, so that it need not be there or be loaded.

MarkupSafe quotes for HTML: the shim encodes values for the destination's format, Jinja2's own
escaping is off and its HTML filters are gone. Each release of that library is for few Pythons.
jinja2.bccache keeps compiled templates on disk; importing it takes a quarter of all the time.
"""

import sys
from string import Formatter


def stand_in():
    """Lets Jinja2 import this module in the place of both, unless they are loaded already."""
    for name in ("markupsafe", "jinja2.bccache"):
        sys.modules.setdefault(name, sys.modules[__name__])


class Markup(str):
    """Text that is HTML already: there is none."""


class EscapeFormatter(Formatter):
    """What the sandbox formats a Markup with."""


def escape(_value):
    raise TypeError("nothing is quoted for HTML here")


def soft_str(value):
    return value if isinstance(value, str) else str(value)


class BytecodeCache:
    """None is ever made."""


FileSystemBytecodeCache = MemcachedBytecodeCache = BytecodeCache

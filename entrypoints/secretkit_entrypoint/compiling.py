"""--compile: what an image build does once, so that no start has to.

Every module gets its .pyc, and the modules that a start needs together go into one file, which
load_group loads: opening a file and asking the import system costs a module more than running
it does.
"""

import marshal
import os
import py_compile
import sys

from . import formats
from .errors import ShimError

PACKAGE = "secretkit_entrypoint"
JINJA2 = "jinja2"  # beside it, if the shim was exported so
# In the order of their imports. Other modules are loaded one by one, when they are used.
GROUPS = {
    "start": ("errors", "mount", "options", "process", "variables", "main"),
    "render": (
        "destinations", "placeholders", "jinja_simple", "formats", "render", "rendering",
    ),
}  # fmt: skip
# A format is used alone.
GROUPS.update((name, ("formats." + name.replace("-", "_"),)) for name in formats.NAMES)


def compile_package(folder):
    """Compiles the packages in `folder` for this Python; returns how many modules they have.

    Raises ShimError where it cannot write or a source is damaged.
    """
    count = 0
    try:
        for package in (PACKAGE, JINJA2):
            for place, _, files in os.walk(os.path.join(folder, package)):
                for file in sorted(files):
                    if file.endswith(".py"):
                        py_compile.compile(os.path.join(place, file), doraise=True)
                        count += 1
        for group, names in GROUPS.items():
            write_group(os.path.join(folder, PACKAGE), group, names)
    except OSError as error:
        raise ShimError(f"--compile: cannot write in {folder}: {error.strerror}") from None
    except (SyntaxError, ValueError, py_compile.PyCompileError):
        raise ShimError(f"--compile: a file in {folder} is damaged: copy all anew") from None
    return count


def write_group(package, group, names):
    """Writes what load_group() reads: for each module its name, file, size, time, code.

    Size and time (whole seconds) are those of the source.
    """
    modules = []
    for name in names:
        file = "/" + name.replace(".", "/")
        file += "/__init__.py" if os.path.isdir(package + file) else ".py"
        with open(package + file, "rb") as source:  # noqa: PTH123 - pathlib is slow to load
            status = os.fstat(source.fileno())
            code = compile(source.read(), package + file, "exec", dont_inherit=True, optimize=2)
        row = (f"{PACKAGE}.{name}", file, status.st_size, int(status.st_mtime), code)
        modules.append(row)
    tag = f"{sys.implementation.cache_tag}-{sys.hexversion:x}"
    path = f"{package}/__pycache__/{group}.{tag}"
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "wb") as target:  # noqa: PTH123
        marshal.dump(modules, target)
    os.rename(temporary, path)

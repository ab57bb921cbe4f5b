"""What the launcher does once it has found the package: load the modules of a start."""

import marshal
import posix
import sys


def prepare(folder):
    """The shim that lies in `folder` (str), as a function of its arguments; see main.main."""
    sys.dont_write_bytecode = True

    def load(group):
        load_group(folder, group)

    load("start")
    from .main import main

    return lambda words: main(words, load)


def load_group(folder, group):
    """Loads the modules that --compile put into one file, if there is one and it is right.

    Right is what this very Python wrote, from sources that still have the same size and time, as
    with Python's own .pyc files. Otherwise they are imported one by one, when they are used.
    """
    tag = f"{sys.implementation.cache_tag}-{sys.hexversion:x}"
    path = f"{folder}/secretkit_entrypoint/__pycache__/{group}.{tag}"
    try:
        file = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return
    modules = marshal.loads(posix.read(file, 1 << 24))  # noqa: S302 - as Python reads a .pyc
    posix.close(file)
    for _, source, size, time, _ in modules:
        status = posix.stat(folder + source)
        if (status.st_size, int(status.st_mtime)) != (size, time):
            return
    for name, source, _, _, code in modules:
        module = sys.modules[name] = type(sys)(name)
        module.__file__ = folder + source
        module.__spec__ = type(sys.__spec__)(name, None)
        if source.endswith("/__init__.py"):
            module.__path__ = [module.__file__[: -len("/__init__.py")]]
            module.__spec__.submodule_search_locations = module.__path__
        exec(code, module.__dict__)  # noqa: S102 - as an import does

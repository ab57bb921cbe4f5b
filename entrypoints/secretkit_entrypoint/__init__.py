"""secretkit-entrypoint: secret files become variables and config files, then the process."""

import marshal
import posix
import sys

__version__ = "0.1.0"

sys.dont_write_bytecode = True


def load_group(group):
    """Loads the modules that --compile put into one file, if there is one and it is right.

    Right is what this very Python wrote, from sources that still have the same size and time, as
    with Python's own .pyc files. Otherwise they are imported one by one, when they are used.
    """
    folder = __path__[0]
    tag = f"{sys.implementation.cache_tag}-{sys.hexversion:x}"
    try:
        file = posix.open(f"{folder}/__pycache__/{group}.{tag}", posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return
    modules = marshal.loads(posix.read(file, posix.fstat(file).st_size))  # noqa: S302 - as a .pyc
    posix.close(file)
    for _, source, size, time, _ in modules:
        status = posix.stat(folder + source)
        if (status.st_size, int(status.st_mtime)) != (size, time):
            return
    for name, source, _, _, code in modules:
        if name in sys.modules:
            continue
        module = sys.modules[name] = type(sys)(name)
        module.__file__ = folder + source
        module.__spec__ = type(sys.__spec__)(name, None)
        if source.endswith("/__init__.py"):
            module.__path__ = [module.__file__[: -len("/__init__.py")]]
            module.__spec__.submodule_search_locations = module.__path__
        exec(code, module.__dict__)  # noqa: S102 - as an import does

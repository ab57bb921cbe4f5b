"""Templates that need Jinja2 itself: loops, conditions, macros, other filters, other files."""

import gc
import sys

from .errors import ShimError

_OLDEST = (3, 0)  # pass_context


def load_jinja(target, source, text, ending):
    """The template of the file `source`, with `text` and line ends `ending`, as a JinjaTemplate."""
    find(target.source)
    from .jinja_template import JinjaTemplate

    return JinjaTemplate(target, source, text, ending)


def find(shown):
    """Imports Jinja2: from beside the shim, or from the folders of installed packages.

    Under `python -S` those are added first. Raises ShimError that names the template as `shown`.
    """
    from .jinja_unused import stand_in

    gc.disable()  # its many modules are no garbage, and this process is about to be another
    stand_in()
    try:
        try:
            import jinja2
        except ImportError:
            if not sys.flags.no_site:
                raise
            import site

            site.main()
            import jinja2
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] != "jinja2":
            raise  # it is there: what is missing is a module of Python's own
        raise ShimError(
            f"{shown}: this template needs Jinja2, which is not in this image: export the shim "
            "with it (secretkit shim export DIR --with-jinja2), install it (pip install jinja2), "
            "or use only {{ name }}, or <<name>> in a file without .j2"
        ) from None
    except Exception as error:
        raise ShimError(
            f"{shown}: the Jinja2 in this image does not load in Python {sys.version_info[0]}."
            f"{sys.version_info[1]} ({type(error).__name__}): give it another version"
        ) from None
    version = tuple(int(part) for part in jinja2.__version__.split(".")[:2])
    if version < _OLDEST:
        raise ShimError(f"{shown}: Jinja2 {jinja2.__version__} is too old: 3.0 or later")

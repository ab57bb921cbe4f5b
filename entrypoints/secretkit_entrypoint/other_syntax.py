"""Text that would be a value in the other of the two syntaxes of templates, and is copied."""

from .errors import ShimError
from .jinja_simple import lookalikes
from .options import decode, encode
from .placeholders import scan
from .render import JINJA2, Names


def warnings(renderings, secrets):
    """Lines about such text in the templates of `renderings`, if it names one of `secrets`."""
    names = Names([decode(name) for name in secrets])
    found = []
    for rendering in renderings:
        if rendering.template is None:
            continue
        jinja2 = rendering.render.source.endswith(tuple(map(encode, JINJA2)))
        for shown, text in rendering.template.texts:
            for mark in scan(text) if jinja2 else lookalikes(text):
                if not is_secret(mark.name, names):
                    continue
                if jinja2:
                    name = mark.name.replace("-", "_")
                    right = name if name.isidentifier() else f'secrets["{mark.name}"]'
                    line = f"<<{mark.name}>> is copied as it is in Jinja2: write {{{{ {right} }}}}"
                else:
                    line = (
                        f"{{{{ {mark.name} }}}} is copied as it is, as this is no Jinja2: write "
                        f"<<{mark.name}>>, or let the template's name end in .j2"
                    )
                found.append(f"{shown}:{mark.line}:{mark.column}: {line}")
    return found


def is_secret(name, names):
    """Whether a template could mean one or more of the secrets by `name`."""
    try:
        return names.match(name) is not None
    except ShimError:
        return True

"""Render a template: find what it wants, encode each value for its place, read the result back.

One pass: the literal text and the encoded values are joined once and never looked at again as a
template, so a value that holds ``<<x>>`` or ``{{ x }}`` stays that text.
"""

from . import formats
from .errors import ShimError, closest, show
from .formats import MARK, PART, RefusedError
from .mount import read_path, without_newline

JINJA2 = (".j2", ".jinja2", ".jinja")  # ends of names
_URL_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")


def load(source, destination, format_name=None):
    """Read the template at `source` (str), to be rendered to `destination` (str).

    `format_name` (str or None) is the destination's format; without it the suffix of
    `destination` tells. A source that ends in .j2, .jinja2 or .jinja is Jinja2, every other one
    has placeholders. Returns an object with `secrets`, a list of (name, line, column) as written,
    and `render(secrets, env)`. Raises ShimError.
    """
    target = Target(source, destination, format_name or formats.by_suffix(destination))
    text = text_of(read_path(_bytes(source), "template"), target.source)
    if not source.endswith(JINJA2):
        from . import placeholders

        return Template(target, text, placeholders.scan(text))
    from . import jinja_simple

    text, ending = jinja_simple.newlines(text)
    marks = jinja_simple.scan(text)
    if marks is not None:
        return Template(target, text, marks)
    from .jinja import load_jinja

    return load_jinja(target, source, text, ending)


def match(name, names):
    """The secret that `name` (str), as written in a template, means: one of `names`, or None.

    A JSON pointer behind it (``#/…``) does not count. An exact match wins. Otherwise `-`, `_`, `.`
    and case do not matter, and a trailing ``_value`` may be left out. Raises ShimError if two
    secrets match equally well.
    """
    return Names(names).match(name)


class Names:
    """The names of all secrets (list of str), to match many names with: see `match`."""

    def __init__(self, names):
        self.names = names
        self._folded = {}
        for name in names:
            self._folded.setdefault(_fold(name), []).append(name)

    def match(self, name):
        """As the function `match`."""
        if "#" in name and name not in self.names:
            name = name.partition("#")[0]
        for wanted in (name, _without_value(name)):
            found = self._folded.get(_fold(wanted), ())
            if wanted in found:
                return wanted
            if len(found) > 1:
                both = " and ".join(repr(other) for other in sorted(found))
                raise ShimError(f"'{name}' could be the secrets {both}: write the exact name")
            if found:
                return found[0]
        return None

    def reference(self, name):
        """What to read for `name`: the secret that it means, with the pointer behind it if any."""
        found = self.match(name)
        _, hash_, pointer = name.partition("#")
        return found if found in (None, name) else found + hash_ + pointer


def _fold(name):
    return name.lower().replace("-", "_").replace(".", "_")


def _without_value(name):
    return name[:-6] if len(name) > 6 and _fold(name[-6:]) == "_value" else name


def nearest(name, names):
    """What to say after "no secret for …": the nearest of `names` (list of str)."""
    folded = {_fold(other): other for other in names}
    close = closest(_fold(_without_value(name)), folded, 0.5)
    if close:
        return f"the nearest is {folded[close[0]]!r}"
    return "none is similar" if names else "there are no secrets at all"


def percent(value):
    """`value` (bytes) for a URL's userinfo, path segment or query (RFC 3986, 2.1), as bytes.

    ``~`` is encoded too, which RFC 3986 permits: a shell expands it.
    """
    if _URL_SAFE.issuperset(value):
        return value
    return b"".join(b"%c" % byte if byte in _URL_SAFE else b"%%%02X" % byte for byte in value)


class Output:
    """One value on its way into the text: `value` is bytes, or None if a problem is known.

    `where` is "file:line:column", `what` names the value in a message. `raw` tells whether it is
    written as it is, `form` as what its last filter wrote it: see `filters.last_form`.
    """

    __slots__ = ("form", "raw", "value", "what", "where")

    def __init__(self, where, what, value, filters):
        self.where = where
        self.what = what
        self.value = value
        self.raw = "raw" in filters
        self.form = None
        if filters:
            from .filters import last_form

            self.form = last_form(filters)


class Target:
    """A template's paths, as shown in messages, and the format that its values are encoded in."""

    def __init__(self, source, destination, format_name):
        self.source = show(_bytes(source))
        self.destination = show(_bytes(destination))
        self.format_name = format_name
        if format_name not in formats.NAMES:
            raise ShimError(
                f"{self.source}: unknown format '{show(_bytes(format_name))}' for "
                f"{self.destination}: it is one of {', '.join(formats.NAMES)}"
            )
        self.format = formats.module(format_name)

    def compose(self, literals, outputs, problems):
        """The text (bytes): `literals` (list of str) with an Output between each two.

        Appends to `problems` (list of str) and returns None if a value cannot stand in its place.
        """
        try:
            places = self.format.places(MARK.join(literals))
            if literals[0].startswith("\ufeff") and self.format_name not in formats.SKIP_BOM:
                places = [RefusedError(formats.BOM)] * len(places)
        except RecursionError:
            raise ShimError(f"{self.source}: it is nested too deeply") from None
        if len(places) != len(outputs):
            raise ShimError(f"{self.source}: the {self.format_name} format lost its place")
        written = []
        for output, place in zip(outputs, places):
            try:
                written.append(self._encode(output, place))
            except RefusedError as refused:
                problems.append(
                    f"{output.where}: {output.what} cannot be written to {self.destination} as "
                    f"{self.format_name}: {refused}"
                )
        if problems:
            return None
        rendered = join(literals, written)
        if hasattr(self.format, "parse"):
            from .readback import read_back

            try:
                read_back(self.format, literals, outputs, places, written)
            except RefusedError as refused:
                problems.append(f"{self.source}: rendered for {self.destination}: {refused}")
                return None
        return rendered

    def _encode(self, output, place):
        if output.raw or (output.form and self.format_name == "text"):
            return output.value  # to name a format is to answer for it
        if output.value is None:
            return None
        if isinstance(place, RefusedError):
            raise place
        if self.format_name == output.form == "url":
            return self.format.checked(output.value, place)
        if place == PART:
            if output.form != "url":
                raise RefusedError(
                    "it stands beside other unquoted text; put the whole value inside quotes, or "
                    "use |url if it is part of a URL"
                )
            if not output.value:
                raise RefusedError("it is empty and stands beside other unquoted text")
            if getattr(place, "path", False) and not output.value.strip(b"."):
                raise RefusedError("it is a segment of a path that browsers drop: `.` or `..`")
            return output.value
        written = self.format.encode(output.value, place)
        if output.form == self.format_name:
            from .filters import as_format

            if written == as_format(output.value, output.form):
                raise RefusedError(
                    f"it is written as {output.form} there anyway: leave out |{output.form}"
                )
        return written


def _written(text, mark):
    """A Mark as it is written, on one line."""
    return " ".join(text[mark.start : mark.end].split())


def join(literals, written):
    pieces = [_bytes(literals[0])]
    for value, literal in zip(written, literals[1:]):
        pieces.append(value)
        pieces.append(_bytes(literal))
    return b"".join(pieces)


class Template:
    """A template whose values are all known from its text: placeholders or simple Jinja2."""

    def __init__(self, target, text, marks):
        self.target = target
        self.text = text
        self.marks = marks
        if any(mark.filters for mark in marks):
            self._check_filters()

    def _check_filters(self):
        from .filters import is_known, names

        unknown = [
            f"{self.target.source}:{mark.line}:{mark.column}: unknown filter '{used}' in "
            f"{_written(self.text, mark)}; known: {', '.join(names())}"
            for mark in self.marks
            for used in mark.filters
            if not is_known(used)
        ]
        if unknown:
            raise ShimError(*unknown)

    @property
    def secrets(self):
        """(name, line, column) of every secret that is wanted, as written."""
        return [(mark.name, mark.line, mark.column) for mark in self.marks if mark.kind == "secret"]

    @property
    def texts(self):
        """(path as shown, text) of every file of it."""
        return [(self.target.source, self.text)]

    def render(self, secrets, env):
        """The rendered file (bytes).

        `secrets` has `names()`, a list of str, and `read(name)`, bytes; `env` is a dict of bytes.
        Raises one ShimError with every problem of this template.
        """
        problems = []
        outputs = []
        names = Names(secrets.names())
        contents = {}
        for mark in self.marks:
            where = f"{self.target.source}:{mark.line}:{mark.column}"
            output = Output(where, _written(self.text, mark), None, mark.filters)
            outputs.append(output)
            try:
                if mark.kind == "env":
                    content = self._variable(mark.name, env)
                else:
                    name = self._match(mark, names)
                    output.what = f"secret {name!r}"
                    if name not in contents:
                        contents[name] = None  # read once, also if that fails
                        contents[name] = secrets.read(name)
                    content = contents[name]
                if content is not None:
                    output.value = _filtered(content, mark.filters, output.what)
            except ShimError as error:
                problems += [f"{where}: {problem}" for problem in error.problems]
        if "<< " in self.text or " >>" in self.text:
            problems += self._near_misses(names)
        rendered = self.target.compose(self.literals(), outputs, problems)
        if problems:
            raise ShimError(*problems)
        return rendered

    def _variable(self, name, env):
        value = env.get(name.encode())
        if value is None:
            raise ShimError(f"the variable '{name}' is not set")
        return value

    def _match(self, mark, names):
        name = names.reference(mark.name)
        if name is None:
            written = _written(self.text, mark)
            hint = nearest(mark.name, names.names)
            if written.startswith("<<"):
                hint += f" (not a placeholder? write {written[:-2]} >>)"
            raise ShimError(f"no secret for {written}: {hint}")
        return name

    def literals(self):
        """The text between the marks: one piece more than there are marks."""
        ends = [0] + [mark.end for mark in self.marks]
        starts = [mark.start for mark in self.marks] + [len(self.text)]
        return [self.text[end:start] for end, start in zip(ends, starts)]

    def _near_misses(self, names):
        from .placeholders import near_misses

        return [
            f"{self.target.source}:{mark.line}:{mark.column}: a placeholder has no spaces inside: "
            f"write <<{mark.name}>>"
            for mark in near_misses(self.text)
            if names.match(mark.name)
        ]


def _filtered(content, used, what):
    if not used:
        return without_newline(content)
    from .filters import apply

    return apply(content, used, what)


def text_of(content, shown):
    """A template's text: UTF-8; other bytes become surrogates, written back as they were.

    Raises ShimError that names the template as `shown` if it holds a NUL, which stands for values.
    """
    text = content.decode("utf-8", "surrogateescape")
    if MARK in text:
        raise ShimError(f"{shown}: it holds a NUL: templates are text in UTF-8")
    return text


def _bytes(text):
    return text.encode("utf-8", "surrogateescape")

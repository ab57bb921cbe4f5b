"""What the expressions of a Jinja2 template work with: secrets, their values, rendered text."""

from . import filters
from .errors import ShimError
from .render import Names


class UnprintableError(Exception):
    """An expression whose result is no text. Its message holds types, never values."""


class Value(str):
    """A value: the text that is printed, and how it came from the `_content` (bytes) of a file.

    `_filters` are those of the shim that it went through, `_what` names it in a message. Bytes
    that are not UTF-8 are surrogates. Whatever else a template does with it gives a mere str.
    """

    def __new__(cls, content, used, what):
        value = filters.apply(content, used, what)
        self = str.__new__(cls, value.decode("utf-8", "surrogateescape"))
        self._content = content
        self._filters = used
        self._what = what
        return self


def as_value(value):
    """A Value of any text or number; raises UnprintableError for other types."""
    if isinstance(value, Value):
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        str(value)  # says what is wrong with it, if it is undefined or rendered text
        raise UnprintableError(f"a {type(value).__name__} cannot be printed, only text and numbers")
    if isinstance(value, float) and value - value != 0:
        raise UnprintableError("a number that is infinite or none at all cannot be printed")
    text = str(value)
    if "\0" in text:
        # Rendered text has some, where its values stand.
        raise UnprintableError("text that was rendered before, or holds a NUL, cannot be changed")
    content = text.encode("utf-8", "surrogateescape")
    return Value(content, ("verbatim",), "the text of this expression")


def make_filter(name):
    """The shim's filter `name`, for Jinja2."""

    def apply(value):
        value = as_value(value)
        return Value(value._content, value._filters + (name,), value._what)

    return apply


class Rendered:
    """Text that a macro or a block has printed: it can be printed where it is wanted, and no more.

    In it tokens stand for the values. Were it a str, an expression could tear them apart, or join
    data to it that nobody encodes.
    """

    def __init__(self, text):
        self._text = text

    def __bool__(self):
        return self._text != ""

    def __str__(self):
        raise UnprintableError("text that was rendered before can only be printed as it is")

    __repr__ = __str__


class Secrets:
    """The mapping `secrets` of a template: names are matched as everywhere, values read late."""

    def __init__(self, secrets):
        self._secrets = secrets
        self._names = Names(secrets.names())
        self._values = {}
        self._lost = {}  # what is wrong with a pointer that leads nowhere, by name as written

    def _pretend(self, name):
        """Let there be an empty secret `name`, to find what else is missing."""
        self._names = Names([*self._names.names, name])
        self._values[name] = Value(b"", (), "")

    def __contains__(self, name):
        return self.get(name) is not None

    def __getitem__(self, name):
        found = self._names.reference(name) if isinstance(name, str) else None
        if found is None:
            raise KeyError("no such secret")
        if found not in self._values:
            try:
                content = self._secrets.read(found)
            except ShimError as error:
                if not error.missing:
                    raise
                self._lost[name] = error.problems
                raise KeyError("no such value") from None
            self._values[found] = Value(content, (), f"secret {found!r}")
        return self._values[found]

    def __iter__(self):
        return iter(self._names.names)

    def __len__(self):
        return len(self._names.names)

    def get(self, name, default=None):
        """The value of a secret, or `default`."""
        try:
            return self[name]
        except KeyError:
            return default

    def keys(self):
        """The names of all secrets."""
        return list(self)

    def values(self):
        """The values of all secrets."""
        return [self[name] for name in self]

    def items(self):
        """(name, value) of all secrets."""
        return [(name, self[name]) for name in self]

"""Templates that need Jinja2 itself: loops, conditions, other filters.

Every expression that is printed is data: its text is put aside, a token stands for it while
Jinja2 works, and afterwards it is encoded for the place in the text where its token came to
stand, as a placeholder's value is. Numbers are printed as they are. What would print text that
already holds such tokens (macros, captured blocks) is not allowed: it could not be told which
part of it is data.
"""

import gc
import posix
import sys

from .errors import ShimError
from .mount import without_newline
from .placeholders import FILTERS
from .render import Names, Output, nearest, percent

# Filters that quote for HTML or JSON, or declare text to be quoted.
_QUOTING = ("e", "escape", "forceescape", "safe", "tojson", "urlize", "xmlattr")
_OLDEST = (3, 0)  # pass_context


class Value(str):
    """A value in the template: what is printed, and `whole`, the same with its last line end."""

    def __new__(cls, text, whole, filters, what):
        self = str.__new__(cls, text)
        self.whole = whole
        self.filters = filters
        self.what = what
        return self

    @classmethod
    def of(cls, content, what):
        """From the content (bytes) of a secret; bytes that are not UTF-8 become surrogates."""
        whole = content.decode("utf-8", "surrogateescape")
        text = without_newline(content).decode("utf-8", "surrogateescape")
        return cls(text, whole, frozenset(), what)

    def filtered(self, name, change=str):
        """A copy with `change` applied, that remembers filter `name`."""
        return Value(change(self), change(self.whole), self.filters | {name}, self.what)


def _value(value):
    if isinstance(value, Value):
        return value
    return Value(str(value), str(value), frozenset(), "the text of this expression")


def _percent(text):
    return percent(text.encode("utf-8", "surrogateescape")).decode("ascii")


def _raw(value):
    return _value(value).filtered("raw")


def _url(value):
    return _value(value).filtered("url", _percent)


def _verbatim(value):
    value = _value(value)
    return Value(value.whole, value.whole, value.filters, value.what)


class Secrets:
    """The mapping `secrets` of a template: names are matched as everywhere, values read late."""

    def __init__(self, secrets):
        self._secrets = secrets
        self._names = Names(secrets.names())
        self._values = {}

    def pretend(self, name):
        """Let there be an empty secret `name`, to find what else is missing."""
        self._names = Names([*self._names.names, name])
        self._values[name] = Value.of(b"", "")

    def __contains__(self, name):
        return isinstance(name, str) and self._names.match(name) is not None

    def __getitem__(self, name):
        found = self._names.match(name) if isinstance(name, str) else None
        if found is None:
            raise KeyError("no such secret")
        if found not in self._values:
            content = self._secrets.read(found)
            self._values[found] = Value.of(content, f"secret {found!r}")
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


class _UnprintableError(Exception):
    """An expression whose result is no text. Its message holds types, never values."""


class JinjaTemplate:
    """A template that Jinja2 renders. Same interface as `render.Template`."""

    def __init__(self, target, text, ending):
        self.target = target
        self.text = text
        self.jinja2 = _import(target.source)
        self._nonce = posix.urandom(16).hex()  # no value can hold a token
        self._outputs = []
        self._template = None
        self._environment = self._make_environment(ending)
        try:
            tree = self._environment.parse(text)
            self._refuse_blocks(tree)
            self._wanted = self._find(tree)
            self._template = self._environment.from_string(tree)
        except self.jinja2.TemplateSyntaxError as error:
            raise ShimError(self._syntax(error)) from None
        except RecursionError:
            raise ShimError(f"{target.source}: it is nested too deeply") from None

    @property
    def secrets(self):
        """(name, line, column) of every secret that is wanted by name, as written."""
        return [(name, line, self._column(name, line)) for name, line in self._wanted]

    def render(self, secrets, env):
        """As `render.Template.render`."""
        problems = []
        names = Names(secrets.names())
        mapping = Secrets(secrets)
        variables = {}
        for name, line in self._wanted:
            try:
                found = names.match(name)
                if found is not None:
                    variables[name] = mapping[found]
            except ShimError as error:
                problems += [f"{self._where(line)}: {problem}" for problem in error.problems]
        variables["secrets"] = mapping
        variables["env"] = {
            key.decode("utf-8", "surrogateescape"): Value.of(value, "a variable")
            for key, value in env.items()
        }
        if not problems:
            text = self._run(variables, names, problems)
        if problems:
            raise ShimError(*problems)
        literals = text.split("\0")
        # Literal text, token, literal text, ...: templates hold no NUL, and every token has two.
        outputs = [self._outputs[int(token[len(self._nonce) :])] for token in literals[1::2]]
        rendered = self.target.compose(literals[::2], outputs, problems)
        if problems:
            raise ShimError(*problems)
        return rendered

    def _run(self, variables, names, problems):
        """The text with its tokens (str); None if there are `problems`."""
        missing = set()
        while True:
            self._outputs = []
            try:
                return self._template.render(variables)
            except ShimError as error:
                where = self._where(self._failed_at(error))
                found = [f"{where}: {problem}" for problem in error.problems]
            except self.jinja2.UndefinedError as error:
                # Jinja2's message may hold a value that was used as a name: look it up instead.
                line = self._failed_at(error)
                found = [f"{self._where(line)}: it uses something that is not defined"]
                absent = {
                    name
                    for name, wanted_at in self._wanted
                    if wanted_at == line and names.match(name) is None
                }
                if absent - missing:
                    for name in sorted(absent - missing):
                        hint = nearest(name, names.names)
                        problems.append(
                            f"{self._where(line, name)}: no secret for '{name}': {hint}"
                        )
                        variables["secrets"].pretend(name)
                        variables[name] = variables["secrets"][name]
                    missing |= absent
                    continue  # and see what else is missing
            except _UnprintableError as error:
                found = [f"{self._where(self._failed_at(error))}: {error}"]
            except Exception as error:  # whatever an expression of the author raises
                where = self._where(self._failed_at(error))
                found = [f"{where}: {type(error).__name__} in this expression"]
            if not missing:  # else it may come from what was pretended
                problems += found
            return None

    def _make_environment(self, ending):
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        @self.jinja2.pass_context  # with a context Jinja2 does not fold constants
        def finalize(_context, value):
            # The caller is the compiled template.
            return self._print(value, sys._getframe(1).f_lineno)

        environment = ImmutableSandboxedEnvironment(
            undefined=self.jinja2.StrictUndefined,
            keep_trailing_newline=True,
            newline_sequence=ending,
            finalize=finalize,
            # What is printed is encoded by the destination's format, not for HTML.
            autoescape=False,
            cache_size=0,
        )
        for name in _QUOTING:
            environment.filters.pop(name, None)
        environment.filters.update(raw=_raw, url=_url, verbatim=_verbatim)
        return environment

    def _print(self, value, compiled_line):
        """What Jinja2 prints for `value`, asked by a line of the compiled template: a token."""
        if isinstance(value, self.jinja2.Undefined):
            return str(value)  # StrictUndefined raises
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            raise _UnprintableError(
                f"a {type(value).__name__} cannot be printed, only text and numbers"
            )
        if self._nonce in value:
            raise _UnprintableError("text that was rendered before cannot be printed again")
        value = _value(value)
        line = self._template.get_corresponding_lineno(compiled_line)
        content = value.encode("utf-8", "surrogateescape")
        self._outputs.append(Output(self._where(line), value.what, content, value.filters))
        return f"\0{self._nonce}{len(self._outputs) - 1}\0"

    def _refuse_blocks(self, tree):
        """Refuse what loads other templates, and what captures text to print it again."""
        nodes = self.jinja2.nodes
        refused = (
            (nodes.Include, "include"),
            (nodes.Import, "import"),
            (nodes.FromImport, "from"),
            (nodes.Extends, "extends"),
            (nodes.Macro, "macro"),
            (nodes.CallBlock, "call"),
            (nodes.FilterBlock, "filter"),
            (nodes.AssignBlock, "set ... endset"),
        )
        problems = [
            f"{self._where(node.lineno)}: {{% {name} %}} cannot be used: a template stands alone, "
            "and text is printed where it stands"
            for kind, name in refused
            for node in tree.find_all(kind)
        ]
        if problems:
            raise ShimError(*problems)

    def _find(self, tree):
        """(name, line) of every secret that the template names."""
        nodes = self.jinja2.nodes
        from jinja2 import meta

        free = meta.find_undeclared_variables(tree) - {"secrets", "env"}
        free -= set(self._environment.globals)
        wanted = [
            (node.name, node.lineno)
            for node in tree.find_all(nodes.Name)
            if node.ctx == "load" and node.name in free
        ]
        for node in tree.find_all((nodes.Getitem, nodes.Getattr)):
            if isinstance(node.node, nodes.Name) and node.node.name == "secrets":
                name = node.attr if isinstance(node, nodes.Getattr) else _constant(node.arg, nodes)
                if name is not None and not hasattr(dict, name):
                    wanted.append((name, node.lineno))
        return sorted(set(wanted), key=lambda found: (found[1], found[0]))

    def _where(self, line, name="{{"):
        return f"{self.target.source}:{line}:{self._column(name, line)}"

    def _column(self, name, line):
        """The column of `name` in a line, if it is there just once; else where the line begins."""
        lines = self.text.split("\n", line)
        content = lines[line - 1] if line <= len(lines) else ""
        return content.find(name) + 1 if content.count(name) == 1 else 1

    def _failed_at(self, error):
        """The line of the template in which `error` arose (Jinja2 rewrites tracebacks)."""
        line, step = 1, error.__traceback__
        while step is not None:
            if step.tb_frame.f_code.co_filename == "<template>":
                line = step.tb_lineno
            step = step.tb_next
        return line

    def _syntax(self, error):
        where = self._where(error.lineno)
        for name in _QUOTING:
            if f"filter named '{name}'" in (error.message or ""):
                return (
                    f"{where}: the filter '{name}' cannot be used: values are quoted for their "
                    f"place anyway; there are {', '.join(FILTERS)} and Jinja2's other filters"
                )
        # The message is about the template's own text: no value exists yet.
        return f"{where}: {' '.join((error.message or 'syntax error').split())}"


def _constant(node, nodes):
    return node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else None


def _import(source):
    """The module jinja2. Under `python -S` the folders of installed packages are added first."""
    gc.disable()  # its many modules are no garbage, and this process is about to be another
    try:
        try:
            import jinja2
        except ImportError:
            if not sys.flags.no_site:
                raise
            import site

            site.main()
            import jinja2
    except ImportError:
        raise ShimError(
            f"{source}: this template needs Jinja2, which is not in this image: add it (pip install"
            " jinja2), or use only {{ name }}, or <<name>> in a file without .j2"
        ) from None
    version = tuple(int(part) for part in jinja2.__version__.split(".")[:2])
    if version < _OLDEST:
        raise ShimError(f"{source}: Jinja2 {jinja2.__version__} is too old: 3.0 or later")
    return jinja2

"""A Jinja2 template: what it prints, and what went wrong in it.

Every expression that is printed is data: its text is put aside, a token stands for it while
Jinja2 works, and afterwards it is encoded for the place in the text where its token came to
stand, as a placeholder's value is. Numbers are printed as they are. What a macro or a block has
printed is no text to expressions (see jinja_values.Rendered), so no token is ever torn apart.
"""

import posix
import sys

from jinja2 import StrictUndefined, UndefinedError, pass_context
from jinja2.runtime import BlockReference, LoopContext, Macro
from jinja2.sandbox import MAX_RANGE, ImmutableSandboxedEnvironment, safe_range

from .errors import ShimError
from .filters import names as filter_names
from .jinja_parts import QUOTING, Parts
from .jinja_values import Rendered, Secrets, UnprintableError, Value, as_value, make_filter
from .limits import LateError, Limits
from .render import Names, Output, nearest

_BIGGEST = 1 << 16  # bits of a number


class Environment(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox. `finalize` gets what is printed."""

    intercepted_binops = frozenset(["*", "**"])

    def __init__(self, ending, finalize):
        ImmutableSandboxedEnvironment.__init__(
            self,
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            newline_sequence=ending,
            finalize=finalize,
            # What is printed is encoded by the destination's format, not for HTML.
            autoescape=False,
            auto_reload=False,
            optimized=False,  # constants are computed when a template runs, within its limits
        )
        for name in QUOTING:
            self.filters.pop(name, None)
        self.filters.update((name, make_filter(name)) for name in filter_names())
        del self.globals["lipsum"]
        self.globals["range"] = _range

    def call(__self, __context, __called, *args, **kwargs):  # noqa: N805 - as in Jinja2
        result = ImmutableSandboxedEnvironment.call(__self, __context, __called, *args, **kwargs)
        printed = isinstance(__called, (Macro, BlockReference, LoopContext))
        return Rendered(result) if printed else result

    def call_binop(self, context, operator, left, right):
        """Multiplies, unless that takes for ever."""
        if isinstance(left, int) and isinstance(right, int):
            bits = left.bit_length()
            bits = bits * right if operator == "**" else bits + right.bit_length()
            if bits > _BIGGEST:
                raise UnprintableError("a number of more than 65536 bits")
        return ImmutableSandboxedEnvironment.call_binop(self, context, operator, left, right)


def _range(*args):
    """Python's, as long as the sandbox permits."""
    try:
        return safe_range(*args)
    except OverflowError:
        raise UnprintableError(f"a range of more than {MAX_RANGE} numbers") from None


class JinjaTemplate:
    """A template that Jinja2 renders. Same interface as `render.Template`."""

    def __init__(self, target, source, text, ending):
        self.target = target
        self._nonce = posix.urandom(16).hex()  # no value can hold a token
        self._outputs = []
        self._places = {}
        self._environment = Environment(ending, self._print)
        capture = f"capture {self._nonce}"
        self._environment.filters[capture] = Rendered
        try:
            parts = Parts(self._environment, source, target.source, text, capture)
            self._environment.loader = parts
            for name in parts.parts:
                self._environment.get_template(name)
        except (RecursionError, MemoryError, SyntaxError):  # of Python's own compiler
            raise ShimError(f"{target.source}: it is nested too deeply") from None
        self._parts = {part.shown: part for part in parts.parts.values()}
        self._template = self._environment.get_template(parts.main)

    @property
    def secrets(self):
        """(name, line, column) of every secret that is wanted by name, as written."""
        return [
            (name, line, part.column(line, name))
            for part in self._parts.values()
            for name, line in part.wanted
        ]

    @property
    def texts(self):
        """(path as shown, text) of every file of it."""
        return [(part.shown, part.text) for part in self._parts.values()]

    def render(self, secrets, env):
        """As `render.Template.render`."""
        problems = []
        names = Names(secrets.names())
        mapping = Secrets(secrets)
        variables = self._environment.globals
        for part in self._parts.values():
            for name, line in part.wanted:
                try:
                    if name.isidentifier() and names.match(name) is not None:
                        variables[name] = mapping[name]
                except ShimError as error:
                    problems += [f"{part.where(line)}: {problem}" for problem in error.problems]
            problems += [
                f"{part.where(line, name)}: in Jinja2 a name has no `-`: write "
                f'{name.replace("-", "_")} or secrets["{name}"]'
                for name, line in part.dashed
                if name in names.names
            ]
        variables["secrets"] = mapping
        variables["env"] = {
            key.decode("utf-8", "surrogateescape"): Value(value, (), "a variable")
            for key, value in env.items()
        }
        if problems:
            raise ShimError(*problems)
        with Limits(self.target.source):
            text = self._run(mapping, names, problems)
            if not problems:
                literals = text.split("\0")
                # Literal text, token, literal text, ...: templates hold no NUL, a token has two.
                tokens = [int(token[len(self._nonce) :]) for token in literals[1::2]]
                outputs = [self._outputs[number] for number in tokens]
                rendered = self.target.compose(literals[::2], outputs, problems)
        if problems:
            raise ShimError(*problems)
        return rendered

    def _run(self, mapping, names, problems):
        """The text with its tokens (str); None if there are `problems`."""
        missing = set()
        while True:
            self._outputs = []
            try:
                return self._template.render()
            except ShimError as error:
                where = self._failed_at(error)
                found = [f"{where}: {problem}" for problem in error.problems]
            except UndefinedError as error:
                # Jinja2's message may hold a value that was used as a name: look it up instead.
                part, line = self._line_of(error)
                here = [name for name, wanted_at in part.wanted if wanted_at == line]
                absent = {name for name in here if names.match(name) is None}
                found = [
                    f"{part.where(line, name)}: {problem}"
                    for name in here
                    for problem in mapping._lost.get(name, ())
                ] or [f"{part.where(line)}: it uses something that is not defined"]
                if absent - missing:
                    for name in sorted(absent - missing):
                        hint = nearest(name, names.names)
                        problems.append(f"{part.where(line, name)}: no secret for '{name}': {hint}")
                        mapping._pretend(name)
                        self._environment.globals[name] = mapping[name]
                    missing |= absent
                    continue  # and see what else is missing
            except (UnprintableError, LateError) as error:
                found = [f"{self._failed_at(error)}: {error}"]
            except RecursionError as error:
                found = [f"{self._failed_at(error)}: what it calls or includes has no end"]
            except MemoryError as error:
                found = [f"{self._failed_at(error)}: it needs more than 1 GiB of memory"]
            except Exception as error:  # whatever an expression of the author raises
                found = [f"{self._failed_at(error)}: {type(error).__name__} in this expression"]
            if not missing:  # else it may come from what was pretended
                problems += found
            return None

    @pass_context  # with a context Jinja2 does not fold constants
    def _print(self, _context, value):
        """What Jinja2 prints for `value`: a number, rendered text, or a token."""
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return str(as_value(value))
        if isinstance(value, Rendered):
            return value._text
        value = as_value(value)
        content = value.encode("utf-8", "surrogateescape")
        # The caller is a compiled template.
        where = self._printing_at(sys._getframe(1))
        self._outputs.append(Output(where, value._what, content, value._filters))
        return f"\0{self._nonce}{len(self._outputs) - 1}\0"

    def _printing_at(self, frame):
        """Where the template stands, of which `frame` is a compiled function."""
        key = frame.f_code.co_filename, frame.f_lineno
        if key not in self._places:
            line = frame.f_globals["__jinja_template__"].get_corresponding_lineno(key[1])
            self._places[key] = self._parts[key[0]].where(line)
        return self._places[key]

    def _failed_at(self, error):
        part, line = self._line_of(error)
        return part.where(line)

    def _line_of(self, error):
        """The Part and the line in which `error` arose (Jinja2 rewrites tracebacks)."""
        part, line, step = self._parts[self.target.source], 1, error.__traceback__
        while step is not None:
            if step.tb_frame.f_code.co_filename in self._parts:
                part, line = self._parts[step.tb_frame.f_code.co_filename], step.tb_lineno
            step = step.tb_next
        return part, line

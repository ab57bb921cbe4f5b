"""The files of a Jinja2 template: its own, and those beside it that it names."""

import posix
from posixpath import realpath

from jinja2 import TemplateNotFound, TemplateSyntaxError, nodes
from jinja2.meta import TrackingCodeGenerator

from .errors import ShimError, did_you_mean, show
from .filters import names as filter_names
from .jinja_simple import newlines
from .mount import FLAGS, read_regular, real_path, unreadable
from .options import encode
from .render import text_of

# Filters that quote for HTML or JSON, or declare text to be quoted.
QUOTING = ("e", "escape", "forceescape", "safe", "striptags", "tojson", "urlize", "xmlattr")

_NAMES_FILE = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
INFINITE = float("inf")
_REFUSED = (
    (nodes.CallBlock, "call"),
    (nodes.FilterBlock, "filter"),
    (nodes.ScopedEvalContextModifier, "autoescape"),
)


class Part:
    """One file: `shown` is its path in messages, `tree` what Jinja2 parsed from `text`.

    `wanted` has (name, line) of every secret that it names, `dashed` of every subtraction of names
    that a secret's name was perhaps meant to be.
    """

    def __init__(self, shown, text):
        self.shown = shown
        self.text = newlines(text)[0]
        self.tree = None
        self.wanted = []
        self.dashed = []

    def column(self, line, name):
        """Where in a line `name` stands, if it is there just once; else 1."""
        lines = self.text.split("\n", line)
        content = lines[line - 1] if line <= len(lines) else ""
        return content.find(name) + 1 if content.count(name) == 1 else 1

    def where(self, line, name="{{"):
        """ "file:line:column" of `name`."""
        return f"{self.shown}:{line}:{self.column(line, name)}"


class Parts:
    """All files of a template, in `parts` by their names; the loader of its environment.

    Every file that is named is looked for at once, so that a start tells of all problems. The
    result of a ``{% set x %}`` block goes through the filter `capture`.
    """

    def __init__(self, environment, source, shown, text, capture):
        self.parts = {}
        self._environment = environment
        folder, slash, name = encode(source).rpartition(b"/")
        self._folder = folder or slash or b"."
        self._capture = capture
        self._problems = []
        self.main = name.decode("utf-8", "surrogateescape")
        self._add(self.main, shown, text)
        if self._problems:
            raise ShimError(*self._problems)

    def load(self, environment, name, globals_=None):
        """What Jinja2 asks for: a template by the name of its file."""
        part = self.parts.get(name)
        if part is None:
            raise TemplateNotFound(name)
        code = environment.compile(part.tree, name, part.shown)
        return environment.template_class.from_code(environment, code, globals_)

    def _add(self, name, shown, text):
        """Parses one file and then those that it names."""
        part = self.parts[name] = Part(shown, text)
        try:
            part.tree = self._environment.parse(text, name, shown)
        except TemplateSyntaxError as error:
            self._problems.append(_syntax(part, error))
            return
        try:
            self._find(part)
        except TemplateSyntaxError as error:  # a filter that there is not
            self._problems.append(_syntax(part, error))
        for node in part.tree.find_all(nodes.Const):
            if node.value == INFINITE:
                self._problems.append(f"{part.where(node.lineno)}: a number is too big")
        for kind, tag in _REFUSED:
            for node in part.tree.find_all(kind):
                self._problems.append(
                    f"{part.where(node.lineno)}: {{% {tag} %}} cannot be used: text is printed "
                    "where it stands, and values are encoded for their place"
                )
        for node in part.tree.find_all(nodes.AssignBlock):
            if node.filter is not None:
                self._problems.append(
                    f"{part.where(node.lineno)}: {{% set %}} of a block takes no filter"
                )
            node.filter = nodes.Filter(None, self._capture, [], [], None, None)
        for node in part.tree.find_all(_NAMES_FILE):
            try:
                self._follow(node)
            except ShimError as error:
                where = part.where(node.lineno)
                self._problems += [f"{where}: {problem}" for problem in error.problems]

    def _follow(self, node):
        """Adds the file that an include, import or extends names."""
        name = _constant(node.template)
        if name is None:
            raise ShimError("the name of a file that belongs to a template is one text in quotes")
        if name in self.parts:
            return
        if "/" in name or "\0" in name or name in ("", ".", ".."):
            raise ShimError("only a file in the template's own folder can belong to it")
        file = name.encode("utf-8", "surrogateescape")
        path = self._folder + b"/" + file
        try:
            text = text_of(self._read(path), show(path))
        except FileNotFoundError:
            if not getattr(node, "ignore_missing", False):
                raise ShimError(f"there is no file {show(path)}{self._nearly(file)}") from None
        else:
            self._add(name, show(path), text)

    def _nearly(self, file):
        try:
            there = posix.listdir(self._folder)
        except OSError:
            return ""
        return did_you_mean(show(file), map(show, there))

    def _read(self, path):
        """The content of a file in the folder, or of one there that a link in it leads to."""
        try:
            descriptor = posix.open(path, FLAGS)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise unreadable("template", path, error) from None
        inside = realpath(self._folder).rstrip(b"/") + b"/"
        if not real_path(descriptor, path).startswith(inside):
            posix.close(descriptor)
            raise ShimError(f"{show(path)} is a link that leaves the folder: put the file there")
        return read_regular(descriptor, "template", path)

    def _find(self, part):
        """Fills `wanted` and `dashed` of a part."""
        tree = part.tree
        names = TrackingCodeGenerator(self._environment)
        names.optimizer = None  # constants are not computed here
        names.visit(tree)
        free = names.undeclared_identifiers - {"secrets", "env"}
        wanted = [
            (node.name, node.lineno)
            for node in tree.find_all(nodes.Name)
            if node.ctx == "load" and node.name in free
        ]
        for node in tree.find_all((nodes.Getitem, nodes.Getattr)):
            if _of_secrets(node):
                name = node.attr if isinstance(node, nodes.Getattr) else _constant(node.arg)
                if name is not None and not hasattr(dict, name):
                    wanted.append((name, node.lineno))
        part.wanted = sorted(set(wanted), key=lambda found: (found[1], found[0]))
        inner = set()  # `a-b` of `a-b-c`
        for node in tree.find_all(nodes.Sub):
            inner.add(id(node.left))
            name = _dashed(node, free) if id(node) not in inner else None
            if name is not None:
                part.dashed.append((name, node.lineno))


def _constant(node):
    return node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else None


def _dashed(node, free):
    """The name with `-` in it that a subtraction looks like, a str; None if it is about no secret.

    `free` are the names that the template does not define.
    """
    left, right = node.left, node.right
    while isinstance(right, nodes.Filter):  # it binds closer than `-`
        right = right.node
    if isinstance(right, nodes.Name):
        last = right.name
    elif isinstance(right, nodes.Const) and type(right.value) is int:
        last = str(right.value)
    else:
        return None
    if isinstance(left, nodes.Sub):
        first = _dashed(left, free)
    elif isinstance(left, nodes.Name):
        first = left.name if left.name in free else None
    else:
        first = left.attr if isinstance(left, nodes.Getattr) and _of_secrets(left) else None
    return first and f"{first}-{last}"


def _of_secrets(node):
    return isinstance(node.node, nodes.Name) and node.node.name == "secrets"


def _syntax(part, error):
    """The problem behind a TemplateSyntaxError. No value exists yet: all is the author's text."""
    where = part.where(error.lineno)
    for name in QUOTING:
        if f"filter named '{name}'" in (error.message or ""):
            return (
                f"{where}: the filter '{name}' cannot be used: values are quoted for their place "
                f"anyway; there are {', '.join(filter_names())} and Jinja2's other filters"
            )
    return f"{where}: {' '.join((error.message or 'syntax error').split())}"

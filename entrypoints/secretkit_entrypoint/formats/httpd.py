"""httpd.conf, as Apache httpd reads it: lines and words (ap_cfg_getline, ap_getword_conf).

A quoted word knows two escapes, the backslash and its own quote. ``${…}`` is replaced in every
line before it is read at all, and cannot be escaped. Many directives read their words again, as
a format, an expression, a pattern: a few are known to take them as they are.
"""

from . import MARK, PART, Place, RefusedError

ALONE = "name \0"

DOUBLE = "inside double quotes"
SINGLE = "inside single quotes"
BARE = "bare"

_SPACE = " \t\v\f\r"

# Directives that take a word as it is. In all others `%` or a backslash may mean something.
_LITERAL = ("authldapbindpassword", "setenv")
# Directives that read a word as a pattern, a condition, a list, a command or a text of their own:
# names in lower case, how they begin or end.
_OTHER_BEGIN = (
    *("browsermatch", "dbdparams", "define", "errordocument", "extfilter", "include", "require"),
    *("rewrite", "sec", "setenvif", "sslpassphrase", "sslrequire", "substitute", "use"),
)
_OTHER_END = ("log", "match")
# Blocks whose lines are not read as they stand: of mod_macro and mod_perl.
_RAW_BLOCKS = (("<macro", "</macro>"), ("<perl", "</perl>"))
# With these at the beginning of a word some directives run a program or evaluate an expression.
_PREFIXES = (b"exec:", b"expr=")


def places(text):
    """The place of each MARK: one of the constants, PART, or RefusedError."""
    found = []
    raw = None  # how a block ends that another reader has: "</macro>"
    lines = iter(text.split("\n"))
    for line in lines:
        parts = [line]
        while parts[-1].endswith(("\\", "\\\r")):
            parts[-1] = parts[-1].rstrip("\r")[:-1]
            parts.append(next(lines, ""))
        line = "".join(parts)  # noqa: PLW2901 - one line for httpd
        lowered = line.strip(_SPACE).lower()
        if raw:
            found += [RefusedError(f"it stands in a block that ends with {raw}")] * line.count(MARK)
            raw = None if lowered.startswith(raw) else raw
        elif lowered.startswith("#"):
            found += [RefusedError("it stands in a comment")] * line.count(MARK)
        elif len(parts) > 1:
            why = "its line ends with a backslash and goes on; write it on one line"
            found += [RefusedError(why)] * line.count(MARK)
        else:
            found += _line(line)
        if not raw and not lowered.startswith("#"):
            raw = next((end for start, end in _RAW_BLOCKS if start in lowered), None)
    return found


def _line(line):
    found = []
    marks = line.count(MARK)
    name = None
    at = 0
    while marks and at < len(line):
        if line[at] in _SPACE:
            at += 1
            continue
        end, places_there = _word(line, at, name)
        if end < 0:
            break
        if name is None:
            name = line[at:end].strip("\"'").lower()
            why = _reads_again(name, line)
            if why:
                return [RefusedError(why)] * marks
            name_itself = RefusedError("it stands in the name of a directive")
            places_there = [name_itself] * len(places_there)
        found += places_there
        at = end
    why = "no quote closes its word, or text follows the quote"
    return found + [RefusedError(why)] * (marks - len(found))


def _reads_again(name, line):
    """Why a line with the directive `name` (in lower case) takes no value; None if it does."""
    if name.startswith("<"):
        return "it stands in the first line of a section"
    if name.startswith(_OTHER_BEGIN) or name.endswith(_OTHER_END):
        return "it stands in a directive that reads it by rules of its own"
    if name.endswith("header"):  # [always] edit NAME PATTERN TEXT
        actions = [word.strip("\"'") for word in line.lower().split(None, 3)[1:3]]
        if any(action in ("edit", "edit*") for action in actions):
            return "it stands behind `edit`, which reads it as a pattern"
    return None


def _word(line, start, name):
    """The offset behind the word at `line[start]` (-1: it is not closed), and the places in it."""
    quotes = {'"': DOUBLE, "'": SINGLE}.get(line[start], BARE)
    first = at = start + (quotes != BARE)
    ends = line[start] if quotes != BARE else _SPACE
    escaped = set()
    while at < len(line) and line[at] not in ends:
        if line[at] == "\\" and quotes != BARE:
            # Another character than the quote and the backslash is not escaped, but a value may
            # begin with one of these.
            at += line[at + 1 : at + 2] in ("\\", line[start], MARK)
            escaped.add(at)
        at += 1
    end = at + (quotes != BARE)
    if quotes != BARE and (at >= len(line) or line[end : end + 1] not in ("", *_SPACE)):
        return -1, []
    word = line[first:at]
    variable = line.find("${")
    return end, [
        RefusedError("a backslash stands before it")
        if offset in escaped
        else _place(line, offset, word, offset - first, quotes, name, 0 <= variable < offset)
        for offset in range(first, at)
        if line[offset] == MARK
    ]


def _place(line, at, word, offset, quotes, name, expands):
    """The place of the MARK at `line[at]`, which is `word[offset]`, in the directive `name`;
    `expands` tells whether a ``${`` stands before it."""
    literal = name in _LITERAL
    if expands or line[at - 1 : at] == "$":
        return RefusedError("a variable stands before it, and its text could change the quotes")
    if line[at + 1 : at + 2] in ("{", MARK):
        return RefusedError("a `{` or another value follows it, which could make a `${` of both")
    before = word[: min(offset, 5)].lower()
    if name != "setenv" and before and _begins(before):
        return RefusedError("the text before it may begin `exec:` or `expr=`")
    if quotes == BARE and word != MARK:
        return PART if literal else RefusedError("put quotes around the whole word")
    return Place(quotes, literal=literal, first=not before and name != "setenv")


def _begins(text):
    """Whether `text`, at most five characters, is how one of _PREFIXES begins."""
    return any(prefix.startswith(text.encode("utf-8", "replace")) for prefix in _PREFIXES)


def encode(value, place):
    """`value` as (part of) a word. RefusedError for what httpd cannot hold there."""
    if b"\n" in value or b"\0" in value:
        raise RefusedError("it holds a line break or a NUL, which a line of httpd.conf cannot")
    if b"${" in value:
        raise RefusedError("it holds `${`, which httpd expands everywhere and cannot escape")
    if not place.literal and (b"%" in value or b"\\" in value):
        raise RefusedError(
            "it holds a `%` or a backslash, which this directive may read as a format or an "
            "expression; write `SetEnv NAME <<...>>` and use %{NAME}e or %{env:NAME}"
        )
    if place.first and value[:5].lower() in _PREFIXES:
        raise RefusedError("it begins with `exec:` or `expr=`, which httpd may run or evaluate")
    value = value.replace(b"\\", b"\\\\")
    quote = b"'" if place == SINGLE else b'"'
    value = value.replace(quote, b"\\" + quote)
    return quote + value + quote if place == BARE else value

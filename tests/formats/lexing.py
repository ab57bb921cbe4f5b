"""Random templates that twist the lexers, and what their real readers make of them.

If a template reads well with a harmless value in every placeholder, then with nasty values it
either is refused or reads as the same with exactly these values. That is checked by rendering a
template twice and comparing what the reader gives.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import ModuleType

import dotenv
import yaml
from secretkit_entrypoint.errors import ShimError
from secretkit_entrypoint.render import load, percent

from . import lexing_credentials, lexing_languages, lexing_servers
from .cases import Content

NASTY = (
    b"'",
    b'"',
    b"\\",
    b"a: b",
    b" #x",
    b"$x`$x`$(x)",
    b'it\'s "so" \\n $x',
    b"''",
    b"x",
    b"",
    b"<<v>>",
    b"{{ v }}",
    b"]]>&<",
    b" a ",
    b"=",
    b"|",
)

OWN = (
    lexing_languages.NASTY
    | lexing_credentials.NASTY
    | lexing_servers.NASTY
    | {"shell": (b"a[$(echo x >&2)]", b"-va[$(echo x >&2)]", b"-v", b"printf", b"Ab")}
    | {"env": (b"Ab", b"a[$(echo x >&2)]")}
)  # nasty for one format

PIECES = {
    **lexing_languages.PIECES,
    **lexing_credentials.PIECES,
    "yaml": (
        *(
            "<<v>>",
            "<<v>>",
            "'<<v>>'",
            '"<<v>>"',
            "<<v|url>>",
            "x/<<v|url>>",
            "a",
            "b c",
            "foo/bar",
        ),
        *(
            "k: ",
            "k2:",
            "- ",
            "? ",
            ": ",
            ":",
            "'",
            '"',
            "''",
            "\\",
            "\\x4",
            "#",
            " #",
            " # c",
            "\n",
        ),
        *(
            "\n",
            "\n  ",
            "\n  ",
            "\n    ",
            "\n- ",
            "\nk3: ",
            "\n  k4: ",
            "|",
            ">-",
            "|2\n",
            "[",
            "]",
        ),
        *(
            "{",
            "}",
            ",",
            ", ",
            "&a ",
            "*a",
            "!!str ",
            "---\n",
            "\n...\n",
            "%x",
            "@",
            "-",
            "\t",
            " ",
        ),
        *("&a", "!x ", "! ", "!!int ", "!", "&b 'a, ", '&c "a, ', "?", ':"', "[&d ", "\u00a0"),
        *("\n\u3000", "\ufeff", "{e: !x ", "*a ", "*a, ", "!<x> ", '{&e "'),
        # Strings that hold the other quotes: whoever misses where one begins takes those.
        *(
            "\"a: '<<v>>'\"",
            "'b, \"<<v>>\"'",
            "\"c, '<<v>>'\"]",
            "[\"d, '<<v>>'\"]",
            "'{e: <<v>>}'",
        ),
        *("# n: m\n", "{a: ", "[b, ", '"q": ', '{"q":', "k:\n  ", "- - ", "- k5: ", "k6: |\n  t"),
    ),
    "json": (
        *("<<v>>", '"<<v>>"', '"k": ', '"', "\\", "\\u00", "{", "}", "[", "]", ",", ":", " ", "\n"),
        *("1", "true", "null", '"a"', '"a": <<v>>', '{"b": "<<v>>"}', "[<<v>>, 1]", "/* */", "-"),
    ),
    "env": (
        *(
            "<<v>>",
            "\nA=<<v>>",
            "\nB='<<v>>'",
            '\nC="<<v>>"',
            "\nexport D=",
            "\nE=",
            "'",
            '"',
            "\\",
        ),
        *(
            "$",
            "${A}",
            "`",
            " ",
            "#",
            " # c",
            "a",
            "x/<<v|url>>",
            "\n",
            "=",
            ";",
            "{",
            "}",
            "\t",
            "\r\n",
        ),
        *(
            "\n: <<E\n",
            "\nE\n",
            "\ndeclare -l A B",
            "\nOPTIND=",
            "$(",
            ")",
            "\nread A <<E\n",
            "alias",
        ),
    ),
    "ini": (
        *("<<v>>", "\nk=<<v>>", "\nm = ", "\n[s]\n", "\n[t", "]", "\n#", "\n;", "\n  ", "\n ", "'"),
        *('"', "a", " ", ":", "=", "\n", "\nlist =", "\n    <<v>>", "%", "\\", "\t", "\n  o = 1"),
    ),
    "xml": (
        *("<<v>>", "<e>", "</e>", "<e a='<<v>>'/>", '<e a="<<v>>"/>', "<![CDATA[", "]]>", "<!--"),
        *(
            "-->",
            "<?p ",
            "?>",
            "&",
            "&amp;",
            ";",
            "x",
            "'",
            '"',
            "<e a=",
            ">",
            "/>",
            "]",
            " ",
            "<e ",
        ),
    ),
    "shell": (
        *("<<v>>", "'<<v>>'", '"<<v>>"', "\nprintf '%s|' ", " ", "a", "'", '"', "\\", "$x", "${x}"),
        *(
            "$",
            "$x<<v>>",
            "${x:-",
            "}",
            "$(",
            ")",
            "`",
            "#",
            " #",
            "\n",
            ";",
            "\nwhile read -r l; do printf '%s|' \"$l\"; done <<E\n",
            "\nE\n",
        ),
        *("$'", "\ny=<<v>>", "\nprintf '%s|' \"$y\"", "\ncase x in x) :;; esac", "$((", "))", "$#"),
        *("\nread l <<'E F'\n", "\nread l <<-E\n", "\tE\n", "<<<", "{", "(", '"$', '"${x#'),
        *(
            "\nOPTIND=",
            "\nprintf '%s|' \"$OPTIND\"",
            "\nexport ",
            "\nexport 'SRANDOM=",
            "\ndeclare -",
        ),
        *("l y", ">/dev/null -u y", "\nprintf", " -v ", "\n<<v>> ", "\nA=a ", "\ntest ", " >E "),
        *(
            "\nwhile read -r l; do printf '%s|' \"$l\"; done <<E\n$(printf '",
            "')\nE\n",
            "for OPTIND in ",
        ),
    ),
    **lexing_servers.PIECES,
}
ENDS = {
    **lexing_languages.ENDS,
    **lexing_credentials.ENDS,
    **lexing_servers.ENDS,
    "xml": ("<r>", "</r>"),
    "shell": ("x=1\nprintf '%s|' ", "\n"),
    "ini": ("[s]\n", "\n"),
}


def read_yaml(data: bytes) -> object:
    """The events of all documents, with tags, anchors and whether a scalar is plain."""
    return [
        [type(event).__name__, *(getattr(event, name, None) for name in _EVENT)]
        for event in yaml.parse(data, Loader=yaml.SafeLoader)
    ]


_EVENT = ("anchor", "tag", "implicit", "value")


def read_env(data: bytes) -> object:
    """What python-dotenv reads, and what dash and bash do."""
    script = data + b'\nprintf \'%s\\0\' "$A" "$B" "$C" "$D" "$E"\n'
    shells = [run_script(shell, script) for shell in (["dash"], ["bash", "--norc"])]
    return dict(dotenv.dotenv_values(stream=io.StringIO(data.decode()))), shells


def read_shell(data: bytes) -> object:
    """What the script prints in dash and in bash."""
    return run_script(["dash"], data), run_script(["bash", "--norc"], data)


def run_script(shell: list[str], script: bytes) -> str:
    """What `script` prints, as text. It may be anything, so it gets nothing that it could change:
    no programs, no rights, no folder to write to.
    """
    done = subprocess.run(
        [str(shutil.which(shell[0])), *shell[1:], "-c", script.replace(b"\0", b"")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        cwd="/",
        env={"PATH": "/nonexistent"},
        user="nobody" if os.geteuid() == 0 else None,
        timeout=10,
    )
    return done.stdout.decode("utf-8", "surrogateescape")


READERS: dict[str, Callable[[bytes], object]] = {
    **lexing_languages.READERS,
    **lexing_credentials.READERS,
    "yaml": read_yaml,
    "env": read_env,
    "shell": read_shell,
    **lexing_servers.READERS,
}
PROGRAMS = {"shell": ("dash", "bash"), "env": ("dash", "bash")}
PROGRAMS |= lexing_languages.PROGRAMS | lexing_credentials.PROGRAMS
UNREADABLE = (
    yaml.YAMLError,
    subprocess.CalledProcessError,
    *lexing_servers.UNREADABLE,
    *lexing_languages.UNREADABLE,
    *lexing_credentials.UNREADABLE,
)


def template(format_name: str, random: Random) -> tuple[str, int]:
    """A random template of a format, and how many secrets v0, v1 ... it wants."""
    before, after = ENDS.get(format_name, ("", "\n"))
    pieces = random.choices(PIECES[format_name], k=random.randrange(1, random.choice((5, 14))))
    first, *rest = "".join(pieces).split("<<v")
    body = first + "".join(f"<<v{number}{text}" for number, text in enumerate(rest))
    mark = "\ufeff" if random.random() < 0.03 else ""
    return mark + before + body + after, len(rest)


def render(path: Path, format_name: str, values: list[bytes]) -> bytes:
    """The template at `path` with `values` for v0, v1 ..."""
    loaded = load(str(path), "rendered", format_name)
    if format_name in READERS:
        loaded.target.format = Unparsed(loaded.target.format)
    return loaded.render(Content({f"v{n}": value for n, value in enumerate(values)}), {})


class Unparsed:
    """A format without its reading back, which would find what the lexer gets wrong."""

    def __init__(self, module: ModuleType) -> None:
        self.places = module.places
        self.encode = module.encode


def attempt(folder: Path, format_name: str, random: Random) -> str:
    """Try one random template. Returns "refused", "unreadable" (also with harmless values), "same",
    "value refused", or what is wrong with it. Whatever is not a ShimError goes through.
    """
    text, count = template(format_name, random)
    # In any order and, as far as they go, different: two equal keys would be another document.
    nasty = NASTY + OWN.get(format_name, ())
    values = random.sample(nasty * (count // len(nasty) + 1), count)
    return judge(folder, format_name, text, values)


def judge(folder: Path, format_name: str, text: str, values: list[bytes]) -> str:
    """As `attempt`, for the template `text`, whose placeholders v0, v1 ... get `values`."""
    count = len(values)
    path = folder / "template"
    path.write_text(text, newline="")
    if "$$" in text:
        return "unreadable"  # the process id differs from run to run
    tokens = [f"standin{number}z" for number in range(count)]
    try:
        twin = render(path, format_name, [token.encode() for token in tokens])
    except ShimError:
        return "refused"
    try:
        rendered = render(path, format_name, values)
    except ShimError:
        return "value refused"
    read = READERS.get(format_name)
    if count == 0 or read is None:
        return "same"  # formats with a parser in the standard library were read back by render()
    try:
        expected = read(twin)
    except UNREADABLE:
        return "unreadable"
    try:
        actual = read(rendered)
    except UNREADABLE as error:
        return f"cannot be read: {error}: {text!r} with {values}"
    urls = ["|url" in piece[:8] for piece in text.split("<<v")[1:]]
    written = [percent(value) if url else value for value, url in zip(values, urls, strict=True)]
    same = _fill(expected, dict(zip(tokens, written, strict=True))) == actual
    return "same" if same else f"differs: {text!r} with {values}: {actual}"


def _fill(node: object, values: dict[str, bytes]) -> object:
    if isinstance(node, str):
        return re.sub(r"standin\d+z", lambda found: values[found[0]].decode(), node)
    if isinstance(node, (list, tuple)):
        return type(node)(_fill(item, values) for item in node)
    if isinstance(node, dict):
        return {_fill(key, values): _fill(value, values) for key, value in node.items()}
    return node

"""Pieces of random programs and documents, and how their languages' own parsers read the whole."""

from __future__ import annotations

import ast
import atexit
import json
import shutil
import subprocess
import tomllib
import warnings
from functools import cache

import html5lib

# fmt: off
PIECES = {
    "toml": (
        "<<v>>", "'<<v>>'", '"<<v>>"', "\nk = <<v>>", '\nl = "<<v>>"', "\n[t]\n", "\n[<<v>>]\n",
        "\na = ", "\nb = ", "'", '"', '""', '"""', "'''", "\\", "\\\n", "\\u00", "\\\\", "#",
        "x", " ", "\n", "\n", "\r\n", "[", "]", "{", "}", ",", "=", ".", "1", "# it's",
        "<<v>>.c = 1", '\nm = """', '"""\n', "\nn = '''", "'''\n", "\n<<v>> = 1", "c = '<<v>>'",
        "1979-05-27 ",
    ),
    # No formatting elements: one that is left open is repeated around text, unless that is empty.
    "html": (
        "<<v>>", "<<v>>", "<p><<v>></p>", '<q title="<<v>>">', "<q title='<<v>>'>", "<p>",
        "</p>", "<q>", "</q>", "<q title=", "<q ", '"', "'", "=", ">", "/>", " ", "/", "<", "</",
        "<!", "&", "<!--", "-->", "--!>", "<!-->", "<![CDATA[", "]]>", "<?p", "<!doctype html>",
        "&am", "&#6", "<html>", "<head>", "<title>", "</title>", "</head>", "<body>", "</body>",
        "</html>", "x", "<script>", "</script>", "<style>", "</style>", "<textarea>",
        "</textarea>", "<pre>", "\n", "<table>", "<tr>", "<td>", "</td>", "</tr>", "</table>",
        "<caption>", "<colgroup>", "<col>", "<svg>", "</svg>", "<math>", "<select>", "</select>",
        "<option>", "<noscript>", "<iframe>", "</noscript>", "</iframe>",
        "<svg><title><<v>></title>", "<desc>", "<xmp>", "</xmp>", "<template>", "</template>",
        "<frameset>", "<li>", "</pre>", "<textarea><<v>>", "<pre>\n", "<td><<v>>",
        "<foreignObject>", "<plaintext>", "<input value='<<v>>'", "<title><<v>>", "<script><!--",
        "<listing>", "</a>", "<pre></desc>", "<a href='/x/<<v|url>>/y'>", "<b data-key='<<v>>'>",
        "<script>", "-->", "</th>", "<th>", "\x0c", "\r\n", '<p x=\'1\'y="<<v>>">',
    ),
    "php": (
        "<<v>>", "'<<v>>'", '"<<v>>"', "\n$a = <<v>>;", "\n$b = '<<v>>';", '\n$c = "<<v>>";',
        "'", '"', "`", "\\", "\\x4", "\\1", "$a", "{$a}", "{$a['x']}", "${a}", "$", "{", "}",
        "$a[", "//", "#", "#[", "/*", "*/", "?>", "<?php ", "<?= ", "<?", "\n", "\n", " ", ";",
        ".", ",", "\n<<<E\n", "\nE;\n", "\n<<<'E'\n", '\n<<<"E"\n', "\n  E\n", "[", "]", "=> ",
        "= ", "return ", "x", "(", ")", "->", "$a->", "\r\n", "b'", "<?PHP\n",
        "__halt_compiler();", "'a\\\\'", "echo ", "\\X", '"\\X<<v>>"', "\u00a0",
    ),
    "python": (
        "<<v>>", "'<<v>>'", '"<<v>>"', "\na = <<v>>", "\nb = '<<v>>'", "\nc = b'<<v>>'", "'",
        '"', "'''", '"""', "''", '""', "r", "f", "b", "rb", "u", "\\", "\\\n", "\\x4", "\\1",
        "\\N{", "}", "{", "{{", "}}", "{a}", '{a["x"]}', "{a['}x']}", "{a:'>5}", "#",
        "\n", "\n", " ", "(", ")", "[",
        "]", ",", "=", "+", "\nd = f'{a}", "\ne = '''", '\ng = rf"{1:', ":", "x", "1", "\r\n",
        "return ", "'\\\n", ".", "\nh = [", "]\n", "\ni = {", "}\n", "'a' ", "%",
        "\nj = '''<<v>>'''", '\nk = """a<<v>>"b"""',
    ),
    "js": (
        "<<v>>", "'<<v>>'", '"<<v>>"', "`<<v>>`", "\na = <<v>>;", "\nb = '<<v>>';",
        '\nc = "<<v>>"', "'", '"', "`", "${", "}", "{", "\\", "\\\n", "\\x4", "\\u{", "\\1", "$",
        "/", "/a/", "//", "/*", "*/", "(", ")", "[", "]", ",", ":", "?", "=", "+", "++", "\n",
        "\n", " ", ";", ".", "x", "<!--", "-->", "return ", "typeof ", "of ", "1", "1.", "1. /",
        "\nd = {", "'k': <<v>>", "})", "\ne = a / 1;", "\nf = /'/;", "\ng = /[/]'/g;",
        "\nif (a) /'/;", "a)/", "\nh = `${", "}`\n", "<div>", "=>", "\nfor (i of ", "tag`<<v>>`",
        "\nm = `$<<v>>{`", "\r\n", "#x in ", "a?.5:", "\nlet n\n", "\ndebugger\n", "break",
        "/ '<<v>>' /", "/* \n */", "\nlet o\n/ '<<v>>' /", "\n/ '<<v>>' /.x",
    ),
}

NASTY = {
    "toml": (
        b'"""', b"'''", b"\n[t]\nx", b"]", b"1",
    ),
    "html": (
        b"</p>", b"&amp;", b"amp;", b"<!--", b"-->", b"\nx", b"\n ", b"p>", b"=x", b"\r ", b"/",
    ),
    "php": (
        b"?>", b"$a", b"{$a}", b"[0]", b"->x", b"E;", b"\nE;\n ", b"41", b"42x", b"7", b"0a",
        b"*/", b"\r\n ",
    ),
    "python": (
        b'"""', b"'''", b"\n ", b"{a}", b"41", b"}", b"\nimport os\n#",
    ),
    "js": (
        b"</script>", b"<!--", b"*/", b"\n ", b"`", b"${a}", b"{", b"41", b"/", b"//",
        b"use strict",
    ),
}
# fmt: on
ENDS = {
    "html": ("", ""),
    "php": ("<?php ", ";\n"),
    "js": ("a = ", ";\n"),
    "python": ("a = ", "\n"),
}


def read_toml(data: bytes) -> object:
    return _without_numbers(tomllib.loads(data.decode()))


def _without_numbers(node: object) -> object:
    if isinstance(node, dict):
        return {key: _without_numbers(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_without_numbers(value) for value in node]
    return node if isinstance(node, str) else repr(node)  # nan differs from itself


def read_html(data: bytes) -> object:
    """The whole tree, also comments."""
    try:
        tree = html5lib.parse(data, namespaceHTMLElements=False, transport_encoding="utf-8")
    except AssertionError:  # of its own, in some pages with frames
        raise UnreadableError from None
    return _element(tree)


def _element(element) -> list[object]:  # type: ignore[no-untyped-def]
    tag = element.tag if isinstance(element.tag, str) else "comment"
    attributes = [[str(name), value] for name, value in element.attrib.items()]
    children = [_element(child) for child in element]
    return [tag, attributes, element.text or "", children, element.tail or ""]


def read_python(data: bytes) -> object:
    """The syntax tree."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _node(ast.parse(data))


def _node(node: object) -> object:
    if isinstance(node, ast.AST):
        return [type(node).__name__, *(_node(value) for _name, value in ast.iter_fields(node))]
    if isinstance(node, list):
        return [_node(item) for item in node]
    if isinstance(node, bytes):
        return ["bytes", node.decode("utf-8", "surrogateescape")]
    return node if isinstance(node, str) else [repr(node)]


def read_php(data: bytes) -> object:
    """All tokens, of strings what they mean; nothing is run."""
    options = ("extension=tokenizer", "display_errors=stderr")  # built in, it warns
    return _ask(("php", "-n", *(f"-d{option}" for option in options), "-r", PHP), data)


PHP = r"""
ini_set('error_log', '/dev/null');
while (($line = fgets(STDIN)) !== false) {
    $found = [];
    try {
        foreach (token_get_all(json_decode($line), TOKEN_PARSE) as $token) {
            if (!is_array($token)) {
                $found[] = $token;
            } elseif ($token[0] === T_CONSTANT_ENCAPSED_STRING) {
                $found[] = ['string', eval('return ' . $token[1] . ';')];
            } else {
                $found[] = [token_name($token[0]), $token[1]];
            }
        }
    } catch (Throwable $error) {
        $found = null;
    }
    echo json_encode($found), "\n";
}
"""


def read_js(data: bytes) -> object:
    """The syntax tree and the comments, as a script and as a module, by the parser in node."""
    return _ask(("node", "--expose-internals", "-e", NODE), data)


NODE = r"""
const acorn = require('internal/deps/acorn/acorn/dist/acorn')
const keep = (key, value) =>
  ['start', 'end', 'raw'].includes(key) ? undefined
    : typeof value === 'bigint' ? String(value) : value
const parse = (code, sourceType) => {
  const comments = []
  const onComment = (block, text) => comments.push(text)
  try {
    return [acorn.parse(code, {ecmaVersion: 'latest', sourceType, onComment}), comments]
  } catch (error) {
    return null
  }
}
require('readline').createInterface({input: process.stdin}).on('line', line => {
  const code = JSON.parse(line)
  const read = [parse(code, 'script'), parse(code, 'module')]
  console.log(JSON.stringify(read[0] || read[1] ? read : null, keep))
})
"""


def _ask(command: tuple[str, ...], data: bytes) -> object:
    """What a program that was started once says to `data`: JSON on a line, null for no program."""
    process = _started(command)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps(data.decode()).encode() + b"\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    if answer is None:
        raise UnreadableError
    return answer


@cache
def _started(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [str(shutil.which(command[0])), *command[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    atexit.register(process.communicate)
    return process


class UnreadableError(Exception):
    """A text that is not the language."""


READERS = {
    "toml": read_toml,
    "html": read_html,
    "python": read_python,
    "php": read_php,
    "js": read_js,
}
PROGRAMS = {"php": ("php",), "js": ("node",)}
UNREADABLE = (UnreadableError, tomllib.TOMLDecodeError, SyntaxError, ValueError)

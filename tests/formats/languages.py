"""Formats that are programs or documents: toml, html, php, python, js."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from functools import partial
from pathlib import Path

import html5lib
import rtoml

from tests.needs import pythons

from .case import Case, Readers, from_hex, run


def read_toml(data: bytes) -> list[bytes]:
    return _values(tomllib.loads(data.decode()))


def read_rtoml(data: bytes) -> list[bytes]:
    return _values(rtoml.loads(data.decode()))


def _values(tables: dict[str, object]) -> list[bytes]:
    """The values of a table's entries, or the keys of the tables that they are."""
    found = []
    for entry in tables.values():
        value = entry
        while isinstance(value, (list, dict)):
            (value,) = value
        assert isinstance(value, str), type(value)
        found.append(value.encode())
    return found


def read_html(data: bytes) -> list[bytes]:
    """The attribute `title` or `href` of all elements with `data-n`, or their text."""
    tree = html5lib.parse(data, namespaceHTMLElements=False, transport_encoding="utf-8")
    return [
        element.get("title", element.get("href", "".join(element.itertext()))).encode()
        for element in tree.iter()
        if isinstance(element.tag, str) and "data-n" in element.attrib
    ]


CHROMIUM = """<script>
const byte = b => b.toString(16).padStart(2, "0")
const hex = v => Array.from(new TextEncoder().encode(v), byte).join("")
const all = Array.from(document.querySelectorAll("[data-n]"), e => hex(
  e.hasAttribute("title") ? e.title : e.getAttribute("href") ?? e.textContent))
document.documentElement.innerHTML = "<body>" + all.join("|") + "|"
</script>
"""


def read_chromium(data: bytes, folder: Path) -> list[bytes]:
    """As `read_html`, by a real browser."""
    page = folder / "page.html"
    page.write_bytes(data + CHROMIUM.encode())
    command = ["chromium-headless-shell", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    printed = subprocess.run(
        [*command, f"--user-data-dir={folder}/profile", f"file://{page}"],
        capture_output=True,
        check=True,
        timeout=300,
    ).stdout
    body = printed.split(b"<body>")[1].split(b"</body>")[0]
    return [bytes.fromhex(text.decode()) for text in body.split(b"|")[:-1]]


def read_php(data: bytes, _folder: Path) -> list[bytes]:
    return from_hex(run(["php", "-n", "-d", "memory_limit=-1"], data + PHP_END))


PHP_END = b"<?php foreach ($v as $x) { echo bin2hex($x), chr(10); }"


def read_python(data: bytes) -> list[bytes]:
    values = ast.literal_eval(data.decode().partition("=")[2].strip())
    return [value if isinstance(value, bytes) else value.encode() for value in values]


def read_pythons(data: bytes, folder: Path) -> list[bytes]:
    """By every Python of the machine, from a file; all must read the same."""
    path = folder / "rendered.py"
    path.write_bytes(data + PYTHON_END)
    read = [run([python, "-I", "-S", str(path)], b"") for python in pythons()]
    assert len(set(read)) == 1
    return from_hex(read[0])


PYTHON_END = b"""
import binascii
for v in V:
    v = v if isinstance(v, bytes) else v.encode("utf-8", "surrogatepass")
    print(binascii.hexlify(v).decode())
"""


def read_js(kind: str, data: bytes, _folder: Path) -> list[bytes]:
    """By node, as a "script" or as a "module"."""
    end = b"\nfor (const v of V) console.log(Buffer.from(v, 'utf8').toString('hex'))\n"
    command = ["node", "--input-type=module"] if kind == "module" else ["node"]
    return from_hex(run([*command, "-"], data + end))


READERS: Readers = {
    "tomllib": (None, lambda data, _: read_toml(data)),
    "rtoml": (None, lambda data, _: read_rtoml(data)),
    "html5lib": (None, lambda data, _: read_html(data)),
    "Chromium": ("chromium-headless-shell", read_chromium),
    "php": ("php", read_php),
    "ast": (None, lambda data, _: read_python(data)),
    "pythons": ("python3", read_pythons),
    "node, script": ("node", partial(read_js, "script")),
    "node, module": ("node", partial(read_js, "module")),
}

_HTML = {
    "head": "<!DOCTYPE html>\n<title>t</title>\n<body>\n<p></p>\n",
    "tail": "\n",
    "large": ("Chromium",),
}
_PHP = {"head": "<?php\n$v = [\n", "tail": "\n] ?>\n", "between": ",\n"}
_PYTHON = {"head": "V = [\n", "tail": "\n]\n", "between": ",\n"}
_JS = {"head": "const V = [\n", "tail": "\n]\n", "between": ",\n"}
_NODE = ("node, script", "node, module")


def _toml(context: str, entry: str, **options: object) -> Case:
    return Case("toml", context, entry, "tomllib", ("rtoml",), **options)  # type: ignore[arg-type]


def _html(context: str, entry: str, **options: object) -> Case:
    return Case("html", context, entry, "html5lib", (), **_HTML | options)  # type: ignore[arg-type]


def _php(context: str, entry: str, **options: object) -> Case:
    return Case("php", context, entry, "php", ("php",), **_PHP, **options)  # type: ignore[arg-type]


def _python(context: str, entry: str, **options: object) -> Case:
    return Case("python", context, entry, "ast", ("pythons",), **_PYTHON, **options)  # type: ignore[arg-type]


def _js(context: str, entry: str, **options: object) -> Case:
    return Case("js", context, entry, "node, script", _NODE, **_JS, **options)  # type: ignore[arg-type]


_A_B = {"around": ("a ", " b")}

CASES: tuple[Case, ...] = (
    _toml("double in text", 'k№ = "a <<v>> b"  # c', **_A_B),
    _toml("single", "k№ = '<<v>>'"),
    _toml("bare in array", "k№ = [<<v>>]"),
    _toml("bare in table", "k№ = {<<v>> = 1}"),
    _toml("key", 'k№."<<v>>" = 1'),
    _html("text", "<p data-n=№><<v>></p>"),
    _html("pre", "<pre data-n=№><<v>></pre>"),
    _html("textarea", "<textarea data-n=№><<v>></textarea>"),
    _html("title", "<title data-n=№>a <<v>> b</title>", **_A_B),
    _html("cell", "<table><tr><td data-n=№><<v>></table>"),
    _html("double attribute", '<input data-n=№ title="<<v>>">'),
    _html("single attribute", "<b data-n=№ title='a <<v>> b'/></b>", **_A_B),
    _html(
        "address",
        '<a data-n=№ href="https://h/?q=<<v|url>>"></a>',
        around=("https://h/?q=", ""),
        url=True,
    ),
    _php("single", "'<<v>>'"),
    _php("double", '"<<v>>"'),
    _php("double in text", '"a <<v>> b"', **_A_B),
    _php("bare", "<<v>>"),
    _php("bare joined", "'a ' . <<v>> . ' b'", **_A_B),
    _python("double", '"<<v>>"'),
    _python("single", "'a <<v>> b'", **_A_B),
    _python("three", '"""a <<v>> b"""', **_A_B),
    _python("bytes", 'b"<<v>>"'),
    _python("bare", "<<v>>"),
    _js("double", '"<<v>>"'),
    _js("single", "'a <<v>> b'", **_A_B),
    _js("template", "`a <<v>> b`", **_A_B),
    _js("template nested", "`a ${`${<<v>>}`} b`", **_A_B),
    _js("bare", "<<v>>"),
)

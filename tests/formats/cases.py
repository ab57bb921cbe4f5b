"""Every format and context, and who reads it back."""

from __future__ import annotations

import configparser
import io
import json
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import dotenv
import ruamel.yaml
import yaml
from secretkit_entrypoint.mount import without_newline

from . import credentials, languages, servers
from .case import Case, Content, Readers, from_hex, run

__all__ = ["CASES", "READERS", "Case", "Content", "read_java_each", "without_newline"]

HERE = Path(__file__).parent


def _strings(items: object) -> list[bytes]:
    found = []
    for item in items if isinstance(items, list) else list(items.values()):  # type: ignore[attr-defined]
        value = item
        while isinstance(value, (list, dict)):
            (value,) = value  # a list of one, or the key of a mapping of one
        assert isinstance(value, str), type(value)
        found.append(value.encode())
    return found


def read_yaml_c(data: bytes) -> list[bytes]:
    return _strings(yaml.load(data, Loader=yaml.CSafeLoader))


def read_yaml_python(data: bytes) -> list[bytes]:
    return _strings(yaml.safe_load(data))


def read_yaml_ruamel(data: bytes) -> list[bytes]:
    reader = ruamel.yaml.YAML(typ="safe", pure=True)
    return _strings(reader.load(io.BytesIO(data)))


def read_json(data: bytes) -> list[bytes]:
    return _strings(json.loads(data))


def read_ini(data: bytes) -> list[bytes]:
    parser = configparser.ConfigParser(interpolation=None)
    # As ConfigParser.read does it: a text file with universal line ends.
    parser.read_file(io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
    return [value.encode() for value in parser["s"].values()]


def read_xml(data: bytes) -> list[bytes]:
    return [
        (element.get("a") or element.text or "").encode()
        for element in ElementTree.fromstring(data)  # noqa: S314 - rendered by us
    ]


def read_dotenv(data: bytes) -> list[bytes]:
    # As dotenv_values(path) does it: a text file with universal line ends.
    stream = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")
    found = dotenv.dotenv_values(stream=stream)
    assert None not in found.values()
    return [(value or "").encode() for value in found.values()]


def read_text(data: bytes) -> list[bytes]:
    return data.split(b"\n")


def read_env_shell(shell: list[str], data: bytes, folder: Path) -> list[bytes]:
    """The variables K0, K1 ... of a file that `shell` reads with `.`."""
    path = folder / "rendered.env"
    path.write_bytes(data)
    count = data.count(b"\nK") + 1
    script = [f". {path}", *(f"printf '%s\\0' \"${{K{n}}}\"" for n in range(count))]
    return run([*shell, "-s"], "\n".join(script).encode()).split(b"\0")[:-1]


def read_shell(shell: list[str], data: bytes, _folder: Path) -> list[bytes]:
    return run([*shell, "-s"], data).split(b"\0")[:-1]


def read_node(data: bytes, _folder: Path) -> list[bytes]:
    script = (
        "const d = JSON.parse(require('fs').readFileSync(0));"
        "for (const v of Array.isArray(d) ? d.map(o => Object.keys(o)[0]) : Object.values(d))"
        "console.log(Buffer.from(v, 'utf8').toString('hex'))"
    )
    return from_hex(run(["node", "-e", script], data))


def read_java(kind: str, data: bytes, _folder: Path) -> list[bytes]:
    """Read by java.util.Properties or by Java's DOM parser (Reader.java)."""
    return from_hex(run(["java", str(HERE / "Reader.java"), kind], data))


def read_java_each(keys: bool, data: bytes) -> list[list[bytes]]:
    """The values (or keys) of several property files, with a NUL between them."""
    kind = "each-key" if keys else "each-value"
    lines = run(["java", str(HERE / "Reader.java"), kind], data).split(b"\n")[:-1]
    return [[bytes.fromhex(part.decode()) for part in line.split(b" ")[1:]] for line in lines]


DASH = ["dash"]
BASH = ["bash", "--norc"]
BUSYBOX = ["busybox", "sh"]

BASIC: Readers = {
    "PyYAML, C": (None, lambda data, _: read_yaml_c(data)),
    "PyYAML": (None, lambda data, _: read_yaml_python(data)),
    "ruamel.yaml": (None, lambda data, _: read_yaml_ruamel(data)),
    "json": (None, lambda data, _: read_json(data)),
    "node": ("node", read_node),
    "configparser": (None, lambda data, _: read_ini(data)),
    "Properties": ("java", partial(read_java, "properties")),
    "Properties keys": ("java", partial(read_java, "keys")),
    "python-dotenv": (None, lambda data, _: read_dotenv(data)),
    "dash .": ("dash", partial(read_env_shell, DASH)),
    "bash .": ("bash", partial(read_env_shell, BASH)),
    "expat": (None, lambda data, _: read_xml(data)),
    "Java DOM": ("java", partial(read_java, "xml")),
    "dash": ("dash", partial(read_shell, DASH)),
    "bash": ("bash", partial(read_shell, BASH)),
    "busybox sh": ("busybox", partial(read_shell, BUSYBOX)),
    "bytes": (None, lambda data, _: read_text(data)),
}

_YAML = ("PyYAML", "ruamel.yaml")
_ENV = ("dash .", "bash .")
_SHELL = ("dash", "bash", "busybox sh")
_XML = {"head": '<?xml version="1.0"?>\n<r>\n', "tail": "\n</r>\n"}
_OBJECT = {"head": "{\n", "tail": "\n}\n", "between": ",\n"}

BASIC_CASES = (
    Case("yaml", "double", 'k№: "<<v>>"', "PyYAML, C", _YAML),
    Case("yaml", "double in text", 'k№: "a <<v>> b"  # c', "PyYAML, C", _YAML, around=("a ", " b")),
    Case("yaml", "single", "k№: '<<v>>'", "PyYAML, C", _YAML),
    Case("yaml", "bare", "k№: <<v>>", "PyYAML, C", _YAML),
    Case("yaml", "bare in list", "- <<v>>  # c", "PyYAML, C", _YAML),
    Case("yaml", "bare in flow", "k№: [<<v>>]", "PyYAML, C", _YAML),
    Case("yaml", "bare key", "- <<v>>: 1", "PyYAML, C", _YAML),
    Case(
        "yaml",
        "url part",
        "k№: p://u:<<v|url>>@h",
        "PyYAML, C",
        _YAML,
        around=("p://u:", "@h"),
        url=True,
    ),
    Case("json", "double", '"k№": "<<v>>"', "json", ("node",), **_OBJECT),
    Case(
        "json",
        "double in text",
        '"k№": "a <<v>> b"',
        "json",
        ("node",),
        around=("a ", " b"),
        **_OBJECT,
    ),
    Case("json", "bare", '"k№": <<v>>', "json", ("node",), **_OBJECT),
    Case("json", "key", '{"<<v>>": 1}', "json", ("node",), head="[", tail="]", between=",\n"),
    Case("ini", "whole", "k№ = <<v>>", "configparser", ("configparser",), head="[s]\n"),
    Case(
        "ini",
        "middle",
        "k№ = a <<v>> b",
        "configparser",
        ("configparser",),
        head="[s]\n",
        around=("a ", " b"),
    ),
    Case(
        "ini",
        "double",
        'k№ = "<<v>>"',
        "configparser",
        ("configparser",),
        head="[s]\n",
        around=('"', '"'),
    ),
    Case("properties", "value", "k№=<<v>>", "Properties", ("Properties",)),
    Case(
        "properties",
        "value in text",
        "k№ = a <<v>> b",
        "Properties",
        ("Properties",),
        around=("a ", " b"),
    ),
    Case("properties", "key", "k№.<<v>>=№", "Properties keys", ("Properties keys",)),
    Case("env", "bare", "K№=<<v>>", "python-dotenv", _ENV),
    Case("env", "single", "K№='<<v>>'", "python-dotenv", _ENV),
    Case("env", "double", 'K№="<<v>>"', "python-dotenv", _ENV),
    Case(
        "env",
        "url part",
        "K№=p://u:<<v|url>>@h",
        "python-dotenv",
        _ENV,
        around=("p://u:", "@h"),
        url=True,
    ),
    Case("xml", "text", "<e><<v>></e>", "expat", ("Java DOM",), **_XML),
    Case("xml", "double attribute", '<e a="<<v>>"/>', "expat", ("Java DOM",), **_XML),
    Case(
        "xml",
        "single attribute",
        "<e a='a <<v>> b'/>",
        "expat",
        ("Java DOM",),
        around=("a ", " b"),
        **_XML,
    ),
    Case(
        "xml",
        "CDATA",
        "<e><![CDATA[]]<<v>>>]]></e>",
        "expat",
        ("Java DOM",),
        around=("]]", ">"),
        **_XML,
    ),
    Case("shell", "bare", "printf '%s\\0' <<v>>", "dash", _SHELL),
    Case("shell", "bare in text", "printf '%s\\0' a<<v>>b", "dash", _SHELL, around=("a", "b")),
    Case("shell", "single", "printf '%s\\0' '<<v>>'", "dash", _SHELL),
    Case("shell", "double", "printf '%s\\0' \"a <<v>> b\"", "dash", _SHELL, around=("a ", " b")),
    Case("text", "text", "<<v>>", "bytes", ()),
)

CASES = BASIC_CASES + languages.CASES + credentials.CASES + servers.CASES
READERS: Readers = BASIC | languages.READERS | credentials.READERS | servers.READERS

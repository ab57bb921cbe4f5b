"""Random templates for the formats that hold logins, and what their readers make of them."""

from __future__ import annotations

import io
import netrc
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import dotenv

from .credentials import passwords_by_libpq
from .lexing_languages import _ask

PIECES = {
    "url": (
        *("<<v>>", "<<v>>", "https://u:<<v>>@h/", "\npg://<<v>>:p@h,g/d", "https://h/<<v>>/b"),
        *("://", "//", "/", "/", "?", "?k=<<v>>", "&l=<<v>>", "#", "#<<v>>", "@", ":", ":8", "%"),
        *("%4", "%41", "\n", "\n", "\r\n", "a", "h", " ", "\t", "\\", ".", "..", "[::1]", ";x="),
        *("jdbc:pg:", "mailto:", "file:///", "é", "'", "="),
    ),
    "pgpass": (
        *("<<v>>", "<<v>>", "\nh:1:d:u:<<v>>", "\n*:*:*:u:a<<v>>b", "\nh:1:d:<<v>>:p", "\n#"),
        *(":", ":", "\\", "\\:", "\\\\", "*", "#", "\n", "\n", "\r\n", " ", "h:1:d:", "u", "\t"),
        *("\n\\h:1:d:u:<<v>>", "\n:1:d:u:<<v>>", ":x"),
    ),
    "netrc": (
        *("<<v>>", '"<<v>>"', '"a <<v>>"', "a-<<v>>", "\nmachine h ", "\nmachine g", " login "),
        *(" password ", " password <<v>>", " login <<v>>", "\npassword ", " account ", " user "),
        *("\ndefault ", "\nmacdef m\n", "\n\n", "\n", "#", " # c", "# it's \"", '"', "\\", "\\n"),
        *(" ", " ", "\t", "a", "machine", "login", "\r\n", "=", ",", "'", "mach<<v>>", '"\\"'),
    ),
    "cnf": (
        *("<<v>>", "'<<v>>'", '"<<v>>"', "\nk=<<v>>", '\nl = "a <<v>>"', "\nm='<<v>>' ", "\n[s]\n"),
        *("\n[t]\n", "[", "]", "=", " = ", "'", '"', "\\", "\\s", "#", " # c", ";", "\n", "\n"),
        *(" ", "\t", "a", "u:<<v|url>>@", "\r\n", "!", "\\\\", "\\\"", "\\'", "\nskip", "\v", "-"),
    ),
    "docker-env": (
        *("<<v>>", "<<v>>", "\nA=<<v>>", "\n B=x <<v>> ", "\nC='<<v>>'", "=", "#", "\n", "\n", " "),
        *("\t", "'", '"', "\\", "$", "a", "\r\n", "export ", "\n#", "\ufeff", "\u3000", "\nD"),
    ),
    "compose-env": (
        *("<<v>>", "\nA=<<v>>", "\nB='<<v>>'", '\nC="<<v>>"', "\nexport D=", "\nE=", "'", '"'),
        *("\\", "$", "${A}", "`", " ", "#", " # c", "a", "x/<<v|url>>", "\n", "=", ";", "{", "}"),
        *("\t", "\r\n", ":", "\\n", "\\'"),
    ),
}  # fmt: skip
ENDS = {"cnf": ("[s]\n", "\n"), "netrc": ("machine h ", "\n")}
NASTY = {
    "url": (b"..", b".", b"@", b"/", b":", b"%41", b"%", b"\\", b"?#"),
    "pgpass": (b"*", b"#", b":", b"a:b\\"),
    "netrc": (b"machine", b"Default", b"macdef", b"login", b"#", b"a b", b"ine", b"x" * 4000),
    "cnf": (b"#", b"\\", b"\n[t]\nk=v", b"a\r", b"\t", b"'#\"", b"x" * 4000, b"\xc3\xa0"),
    "docker-env": (b"#", b"\\n", b"\t"),
    "compose-env": (b"$", b"$A", b"\\\\", b"\\'", b"it's", b"a\nb", b"\r", b'x"', b"{A}", b"\\n"),
}
PROGRAMS = {"url": ("node",), "pgpass": ("psql",), "cnf": ("my_print_defaults",)}


class UnreadableError(Exception):
    """A text that the reader refuses."""


def read_url(data: bytes) -> object:
    """The parts of each line's URL as Python and as node.js see them, every one decoded."""
    lines = [line.strip() for line in data.decode().split("\n")]
    found: list[object] = [_ask(("node", "-e", _NODE), "\n".join(lines).encode())]
    for line in lines:
        url = urlsplit(line)
        part = re.split("([/&=])", f"{url.path}&{url.query}")
        pieces = [url.scheme, url.username, url.password, url.hostname, url.fragment, *part]
        found.append([unquote(piece or "") for piece in pieces])
    return found


_NODE = """
require('readline').createInterface({input: process.stdin}).on('line', line => {
    const found = []
    for (const text of JSON.parse(line).split('\\n')) {
        if (!URL.canParse(text)) { found.push(null); continue }
        const u = new URL(text)
        const parts = [u.protocol, u.username, u.password, u.host, u.hash.slice(1)]
        parts.push(...(u.pathname + '&' + u.search.slice(1)).split(/([/&=])/))
        found.push(parts.map(p => { try { return decodeURIComponent(p) } catch { return p } }))
    }
    console.log(JSON.stringify(found))
})"""


def read_pgpass(data: bytes) -> object:
    """The fields of each line, and what libpq finds for some logins."""
    lines = [line.rstrip("\r") for line in data.decode().split("\n")]
    fields = [
        [re.sub(r"(?s)\\(.)", r"\1", field) for field in re.findall(r"(?:\\.|[^:\\])*:?", line)[:5]]
        for line in lines
        if line[:1] != "#"
    ]
    logins = [(host, user) for host in (b"h", b"g") for user in (b"u", b"a")]
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        found = passwords_by_libpq(Path(file.name), logins)
    return [fields, [password.decode() for password in found]]


def read_netrc(data: bytes) -> object:
    """The logins by Python."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return netrc.netrc(file.name).hosts


def read_cnf(data: bytes) -> object:
    """The options of each group, by the function that MariaDB's programs read them with."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        command = [str(shutil.which("my_print_defaults")), f"--defaults-file={file.name}"]
        return [
            subprocess.run([*command, group], capture_output=True, check=True).stdout.decode()
            for group in ("s", "t")
        ]


def read_docker_env(data: bytes) -> object:
    """As docker/cli does it; see `credentials.read_docker_rules`."""
    found = []
    for raw in data.decode().removeprefix("\ufeff").split("\n"):
        line = raw.removesuffix("\r").lstrip()
        if line and line[0] != "#":
            name, equals, value = line.partition("=")
            if not name or " " in name or "\t" in name:
                raise UnreadableError
            found.append([name, equals, value])
    return found


def read_compose_env(data: bytes) -> object:
    """By python-dotenv, as docker-compose calls it."""
    stream = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig")
    return dict(dotenv.dotenv_values(stream=stream))


READERS = {
    "url": read_url,
    "pgpass": read_pgpass,
    "netrc": read_netrc,
    "cnf": read_cnf,
    "docker-env": read_docker_env,
    "compose-env": read_compose_env,
}
UNREADABLE = (UnreadableError, netrc.NetrcParseError, subprocess.CalledProcessError)

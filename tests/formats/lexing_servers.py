"""Random templates for the config files of servers: pieces to make them of, and who reads them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from . import directives

_NASTY = (b"${x}", b"%{x}e%[x]%", b"; } # {")
NASTY = dict.fromkeys(("nginx", "haproxy", "redis"), _NASTY)
NASTY["httpd"] = (*_NASTY, b"exec", b"expr", b"ex", b"exec:/bin/x", b":", b"")

PIECES = {
    "nginx": (
        *("<<v>>", "'<<v>>'", '"<<v>>"', "<<v|url>>", ' "a <<v>>";', " '<<v>>'", " <<v>>;", "set "),
        *("a", " ", " ", "'", '"', "\\", "\\t", "$", "$x", "${x}", "${", "{", "}", " {", ";", "#"),
        *(" #", "\n", "\n", "\r\n", "\t", "\nif ($x = ", ") {", "\ngeo $g {", "\nmap $a $b {"),
        *(
            "location ~ ",
            "return 200 ",
            "set $a ",
            ";set $b ",
            ";add_header b ",
            "x_block",
            "add_header a ",
            "!= ",
            "= ",
            ")",
            "default ",
        ),
    ),
    "haproxy": (
        *("<<v>>", "'<<v>>'", '"<<v>>"', "x<<v>>", ' "a <<v>>"', " '<<v>>'", " <<v>>", "\nuser u "),
        *("a", " ", " ", "'", '"', "\\", "\\ ", "\\x4", "\\x41", "$", "$x", "${x}", "${", "${x-"),
        *("#", " #", "\n", "\n", "\r", "\r\n", "\t", "%", "%x", "%[", "%{", "]", "}", "(", ")"),
        *(" if ", "\nacl a b ", " -m str -- ", " string ", "\nhttp-request return ", "\nsetenv X "),
        *("\nhttp-request set-header X ", "-m reg ", "\nstats auth a:", "[", ".if", "\n"),
        *("\nsetenv X ", "\nuser u password ", "\nacl a b -m str -- ", "hdr ", "status 200 "),
    ),
    "httpd": (
        *(
            "<<v>>",
            "'<<v>>'",
            '"<<v>>"',
            "<<v|url>>",
            ' "a <<v>>"',
            " '<<v>>'",
            " <<v>>",
            "\nHeader ",
        ),
        *(
            "a",
            " ",
            " ",
            "'",
            '"',
            "\\",
            "\\\\",
            '\\"',
            "$",
            "$x",
            "${x}",
            "${",
            "{",
            "}",
            "%",
            "%{",
        ),
        *(
            "#",
            " #",
            "\n",
            "\n",
            "\r",
            "\\\n",
            "\\\r\n",
            "\t",
            "\nSetEnv A ",
            "\nSetEnv ",
            "set X ",
        ),
        *("\n<Macro a>", "\n</Macro>\n", "\n<If ", ">", "\nDefine A ", "\nRewriteRule a ", "expr"),
        *(
            "\nSetEnv B '",
            "\nSetEnv C ",
            "\nHeader ",
            "set X ",
            "%{",
            ":",
            "=1",
            "ec",
            '"<<v>>:<<v>>"',
        ),
        *("\nSessionCryptoPassphrase ", "\nAuthLDAPBindPassword ", "\nHeader set X ", " early"),
    ),
    "redis": (
        *("<<v>>", "'<<v>>'", '"<<v>>"', '>"<<v>>"', "><<v>>", ' "> <<v>>"', " '><<v>> x'", "\na "),
        *('"', "'", "\\", "\\x4", "\\'", " ", " ", "\t", "#", "a", ">", " on ", "\n", "\r\n"),
    ),
}

ENDS = {
    "nginx": ("add_header a ", ";\n"),
    "haproxy": ("setenv X ", "\n"),
    "httpd": ("SetEnv X ", "\n"),
    "redis": ("user ", "\n"),
}


def read(reader: Callable[[str], list[list[str]]], data: bytes) -> object:
    """The words of a config file."""
    return reader(data.decode("utf-8", "surrogateescape"))


READERS: dict[str, Callable[[bytes], object]] = {
    "nginx": partial(read, directives.nginx),
    "haproxy": partial(read, directives.haproxy),
    "httpd": partial(read, directives.httpd),
    "redis": partial(read, directives.redis),
}
UNREADABLE = (directives.UnreadableError,)

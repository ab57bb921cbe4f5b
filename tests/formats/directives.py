"""Config files of servers, read in this process: the words of every directive.

Text that a server replaces when it reads the word again (variables, formats) stands between two
U+FFFF, so that it is no plain text. test_servers.py holds these readers against the servers.
"""

from __future__ import annotations

import re

Words = list[str]


class UnreadableError(Exception):
    """The server could not read the file."""


def _marked(text: str) -> str:
    return f"\uffff{text}\uffff"


_NGINX = re.compile(
    r"""[ \t\r\n]+ | (?P<end>[;{}]) | \#[^\n]*
    | "(?P<double>(?:\\.|[^"\\])*)"(?=[ \t\r\n;{)])
    | '(?P<single>(?:\\.|[^'\\])*)'(?=[ \t\r\n;{)])
    | (?P<bare>(?!["'])(?:\\.|\$+\{?|[^ \t\r\n;{\\$])+)(?=[ \t\r\n;{])""",
    re.DOTALL | re.VERBOSE,
)
_NGINX_VARIABLE = re.compile(r"\$(\{[^}]*\}?|\w*)", re.ASCII)
_NGINX_ESCAPE = re.compile(r"\\([\"'\\trn])")
_LETTERS = {"t": "\t", "r": "\r", "n": "\n"}


def nginx(text: str) -> list[Words]:
    """The directives of nginx.conf in order; a word `{`, `;` or `}` ends each."""
    found: list[Words] = []
    words: Words = []
    blocks: list[str] = []
    at = 0
    while at < len(text):
        match = _NGINX.match(text, at)
        if match is None:
            raise UnreadableError("a quote or a word has no end")
        at = match.end()
        end = match["end"]
        if end:
            if (end == "}") == bool(words) or (end == "}" and not blocks):
                raise UnreadableError(f"unexpected {end}")
            found.append([*words, end])
            if end == "{":
                blocks.append(words[0])
                if words[0].endswith("_block"):
                    raise UnreadableError("Lua is not read here")
            elif end == "}":
                blocks.pop()
            words = []
        elif match.lastgroup:
            word = _NGINX_ESCAPE.sub(
                lambda escape: _LETTERS.get(escape[1], escape[1]), match[match.lastgroup]
            )
            literal = blocks[-1:] == ["geo"] and len(words) == 1
            if not literal:
                word = _NGINX_VARIABLE.sub(lambda variable: _marked(variable[0]), word)
            words.append(word)
    if words or blocks:
        raise UnreadableError("unexpected end of file")
    return found


_HAPROXY = re.compile(
    r"""(?P<space>[ \t\v\f]+) | (?P<comment>\#.*) | '(?P<single>[^']*)'
    | "(?P<double>(?:\\.|[^"\\])*)" | (?P<bare>\\[\\"'\#\ tnrx]|[^"'])""",
    re.DOTALL | re.VERBOSE,
)
_HAPROXY_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)|(\$\{?[.\w]*(?:-[^}]*)?\}?)", re.DOTALL)
_FORMAT = re.compile(r"%(?:\{[^}]*\}?)?(?:\[[^\]]*\]?|[\w%]*)", re.ASCII)


def haproxy(text: str) -> list[Words]:
    """The words of each line of haproxy.cfg."""
    found = []
    for line in text.split("\n"):
        words = _haproxy_words(line.rstrip("\r"))
        literal = words[:1] in (["user"], ["setenv"], ["acl"]) or words[:2] == ["stats", "auth"]
        for index in range(len(words)):
            if not literal and words[index - 1] != "string":
                words[index] = _FORMAT.sub(lambda format_: _marked(format_[0]), words[index])
        found.append(words)
    return [words for words in found if words]


def _haproxy_words(line: str) -> Words:
    if "\r" in line:
        raise UnreadableError("a CR ends a line")
    words: Words = []
    inside = False
    at = 0
    while at < len(line):
        match = _HAPROXY.match(line, at)
        if match is None:
            raise UnreadableError("a quote has no end")
        if match["comment"]:
            break
        at = match.end()
        if match["space"]:
            inside = False
            continue
        if not inside:
            words.append("")
            inside = True
        if match["single"] is not None:
            words[-1] += match["single"]
        elif match["double"] is not None:
            words[-1] += _HAPROXY_ESCAPE.sub(_haproxy_double, match["double"])
        else:
            if match["bare"] == "\\x":
                match = re.compile(r"\\x[0-9a-fA-F]{2}").match(line, at - 2)
                if match is None:
                    raise UnreadableError("an escape sequence has no end")
                at = match.end()
            words[-1] += _haproxy_escape(match[0], "\\\"'# tnr")
    return words


def _haproxy_double(match: re.Match[str]) -> str:
    if match[1]:
        return _haproxy_escape(match[0], "\\\"'# tnr$")
    if not re.fullmatch(r"\$(\{\.?\w+(-[^}]*)?\}|\.?\w+)", match[2], re.ASCII):
        raise UnreadableError("a variable has no end")
    return _marked(match[2])


def _haproxy_escape(text: str, known: str) -> str:
    if text[0] != "\\" or len(text) == 1:
        return text
    if text[1] == "x":
        if len(text) < 4:
            raise UnreadableError("an escape sequence has no end")
        return bytes([int(text[2:], 16)]).decode("utf-8", "surrogateescape")
    return _LETTERS.get(text[1], text[1]) if text[1] in known else text


_HTTPD = re.compile(
    r"""[ \t\v\f\r]+ | "(?P<double>(?:\\["\\]|[^"\\]|\\(?!["\\]))*)"
    | '(?P<single>(?:\\['\\]|[^'\\]|\\(?!['\\]))*)'
    | (?P<bare>[^ \t\v\f\r"'][^ \t\v\f\r]*)""",
    re.VERBOSE,
)
_HTTPD_LITERAL = ("setenv", "authldapbindpassword", "sessioncryptopassphrase")
_HTTPD_VARIABLE = re.compile(r"\$\{[^}]*\}")


def httpd(text: str) -> list[Words]:
    """The words of each line of httpd.conf; blocks of mod_macro are one word."""
    found: list[Words] = []
    joined = re.sub(r"\\\r?\n", "", text)
    joined = re.sub(r"(?is)^[ \t]*<macro.*?^[ \t]*</macro.*?$", "", joined, flags=re.MULTILINE)
    for whole in joined.split("\n"):
        line = _HTTPD_VARIABLE.sub(lambda found: _marked(found[0]), whole.strip(" \t\v\f\r"))
        if line[:1] in ("", "#"):
            continue
        words: Words = []
        at = 0
        while at < len(line):
            match = _HTTPD.match(line, at)
            if match is None:
                raise UnreadableError("a quote has no end")
            at = match.end()
            if match.lastgroup:
                quote = {"double": '"', "single": "'", "bare": ""}[match.lastgroup]
                word = re.sub(rf"\\([\\{quote}])", r"\1", match[match.lastgroup])
                name = words[0].lower() if words else ""
                if name != "setenv" and word[:5].lower() in ("exec:", "expr="):
                    word = _marked(word)
                if words and name not in _HTTPD_LITERAL:
                    word = re.sub(r"%(\{[^}]*\}?)?\w*|\\.", lambda found: _marked(found[0]), word)
                words.append(word)
        found.append(words)
    return found


# A word ends at fewer characters than there may be before it.
_REDIS = re.compile(
    r"""[ \t\v\f\r]+ | (?P<plain>[^ \t\r"']*) (?: (?![^ \t\r])
    | (?: "(?P<double>(?:\\.|[^"\\])*)" | '(?P<single>(?:\\'|[^'\\]|\\(?!'))*)' )
      (?![^ \t\v\f\r]) )""",
    re.DOTALL | re.VERBOSE,
)


def redis(text: str) -> list[Words]:
    """The words of each line of redis.conf."""
    found = []
    for whole in text.split("\n"):
        line = whole.strip(" \t\r")
        words: Words = []
        at = 0
        while at < len(line) and line[0] != "#":
            match = _REDIS.match(line, at)
            if match is None or match.end() == at:
                raise UnreadableError("a quote has no end")
            at = match.end()
            if match["plain"] is not None:
                double = re.sub(r"\\(x[0-9a-fA-F]{2}|.)", _redis_escape, match["double"] or "")
                single = (match["single"] or "").replace("\\'", "'")
                words.append(match["plain"] + double + single)
        found.append(words)
    return [words for words in found if words]


def _redis_escape(match: re.Match[str]) -> str:
    text = match[1]
    if len(text) == 3:
        return bytes([int(text[1:], 16)]).decode("utf-8", "surrogateescape")
    return {**_LETTERS, "a": "\a", "b": "\b"}.get(text, text)

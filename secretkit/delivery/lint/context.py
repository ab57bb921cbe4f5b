"""What a build takes along from its folder: .dockerignore, and files that are secrets."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from .names import is_plain, is_secret

LOOKED_AT = 64 << 10  # bytes of a file
_EXAMPLE = re.compile(r"example|sample|template|dist|default|\.(j2|tmpl|tpl|pub)$", re.IGNORECASE)
_OURS = {".secretkit", "dev-secrets"}
_FOLDERS = {"dev-secrets.local", "secrets", ".secrets", ".aws", ".gnupg", ".ssh", ".kube"} | _OURS
_FILES = {".netrc", "_netrc", ".pgpass", ".git-credentials", ".vault-token", ".my.cnf", ".pypirc"}
_KEYS = re.compile(r"id_(rsa|dsa|ecdsa|ed25519)|.*\.(p12|pfx|kdbx)|.*\.(key|pem)", re.IGNORECASE)
# Signing keys of package archives, certificates.
_PUBLIC = re.compile(r"cert|chain|bundle|ca\b|pub|sign|gpg|archive|release|root", re.IGNORECASE)
_SOURCES = {".py", ".go", ".js", ".ts", ".rs", ".java", ".rb", ".php", ".cs", ".c", ".md"}


def is_secret_file(path: str, folder: Path) -> bool:
    """Whether a file or folder of this name is a secret.

    If it is in `folder`, what is in it decides: an .env may hold nothing but a port.
    """
    name = posixpath.basename(path.rstrip("/"))
    at = folder / path.lstrip("/")
    if name in _FOLDERS:
        return not (at.is_dir() and _has_sources(at))
    if _EXAMPLE.search(name):
        return False
    if re.fullmatch(r"\.env(\..+)?|.+\.env", name):
        text = _text(at)
        return _has_settings(text) if text is not None else name == ".env"
    if _KEYS.fullmatch(name):
        text = _text(at)
        if text is not None and name.lower().endswith((".pem", ".key")):
            return "PRIVATE KEY" in text
        certain = not name.lower().endswith(".pem") or "key" in name.lower()
        return certain and not _PUBLIC.search(name)
    return name in _FILES


def secrets_beside(folder: Path) -> list[tuple[str, bool]]:
    """Secrets that lie in a build's folder, at its top, each with whether it is there now.

    One that is not: what .gitignore names, as then it is on the machines of those who work on it,
    and what a project of secretkit makes.
    """
    try:
        names = set(os.listdir(folder))
    except OSError:
        return []
    likely = {line.strip().strip("/") for line in (_text(folder / ".gitignore") or "").splitlines()}
    if "secretkit.toml" in names:
        likely |= _OURS
    likely = {name for name in likely - names if re.fullmatch(r"[\w.-]+", name)}
    return [
        (name, name in names) for name in sorted(names | likely) if is_secret_file(name, folder)
    ]


class Ignored:
    """A .dockerignore: which paths of the folder stay out, as moby's patternmatcher has it.

    Patterns are relative to the folder; the last that matches a path, or a folder above it, counts.
    Clients of version 28, unlike those of 20.10, do not look at `!folder` unless the folder itself
    was left out before; what one of them takes along is not ignored here.
    """

    def __init__(self, text: str) -> None:
        self.patterns = [(regex, not line.startswith("!")) for line, regex in _patterns(text)]

    def __contains__(self, path: str) -> bool:
        parts = path.strip("/").split("/")
        above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        found = False
        for regex, out in self.patterns:
            if any(regex.fullmatch(one) for one in above):
                found = out
        return found


def ignored(dockerfile: str, folder: Path) -> Ignored:
    """What stays out for a Dockerfile: by its NAME.dockerignore, or else the folder's."""
    own = _text(folder / f"{posixpath.basename(dockerfile)}.dockerignore")
    return Ignored((own if own is not None else _text(folder / ".dockerignore")) or "")


def _patterns(text: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    for line in text.removeprefix("\ufeff").splitlines():
        pattern = line.strip()
        if not pattern or line.startswith("#"):
            continue
        pattern = posixpath.normpath(pattern.removeprefix("!").strip()).lstrip("/") or "/"
        try:
            yield line.strip(), re.compile(_regex(pattern), re.DOTALL)
        except re.error:
            continue


def _regex(pattern: str) -> str:
    made, at = "", 0
    while at < len(pattern):
        letter = pattern[at]
        at += 1
        if pattern.startswith("**", at - 1):
            at += 1
            slash = pattern.startswith("/", at)
            at += slash
            made += ".*" if at == len(pattern) else "(?:.*/)?"
        elif letter == "*":
            made += "[^/]*"
        elif letter == "?":
            made += "[^/]"
        elif letter == "\\" and at < len(pattern):
            made += re.escape(pattern[at])
            at += 1
        else:
            made += letter if letter in "[]-^" else re.escape(letter)
    return made


def _text(path: Path) -> str | None:
    """The beginning of a file; None if it cannot be read."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return file.read(LOOKED_AT).decode(errors="replace")
    except (OSError, ValueError):
        return None


def _has_settings(text: str) -> bool:
    """Whether a file of NAME=value lines has a secret."""
    pairs = (line.removeprefix("export ").partition("=") for line in text.splitlines())
    return any(
        is_secret(name.strip()) and is_plain(value.strip(" \t\"'")) for name, _, value in pairs
    )


def _has_sources(folder: Path) -> bool:
    """Whether it is a folder of a program's sources that happens to be called so."""
    try:
        return any(Path(name).suffix in _SOURCES for name in os.listdir(folder))
    except OSError:
        return False

#!/usr/bin/env python3
"""A legacy program: all it knows are its two config files, app.config and whoami.conf.

`legacy.py FOLDER` reads them from FOLDER and says what it got; `legacy.py FOLDER serve` also stays,
until SIGTERM. A real program would not print its secrets: this one does, so that you can see what
arrived.
"""

import re
import signal
import sys
from pathlib import Path

ENTRY = re.compile(r' *([\w-]+): "((?:[^"\\]|\\.)*)"')
ESCAPE = re.compile(r"\\(x..|u.{4}|U.{8}|.)", re.DOTALL)
SHORT = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}
SECRETS = ("demo-secret", "api-token", "signing-key", "db_password")


def read(path):
    """The entries of a config file: YAML's syntax, as far as such programs know it."""
    entries = {}
    lines = Path(path).read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#") or line == "secrets:":
            continue
        entry = ENTRY.fullmatch(line)
        if entry is None:
            sys.exit(f"legacy: {path}:{number}: not an entry")
        entries[entry[1]] = ESCAPE.sub(unescape, entry[2])
    return entries


def unescape(match):
    """The character that an escape sequence inside double quotes stands for."""
    code = match[1]
    return chr(int(code[1:], 16)) if len(code) > 1 else SHORT.get(code, code)


def main(folder, *words):
    """Read both files once, at the start, as such programs do."""
    entries = {**read(f"{folder}/app.config"), **read(f"{folder}/whoami.conf")}
    for name in SECRETS:
        print(f"legacy: {name} is {entries[name]}", flush=True)
    if words == ("serve",):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print("legacy: waits for work", flush=True)
        while True:
            signal.pause()


main(*sys.argv[1:])

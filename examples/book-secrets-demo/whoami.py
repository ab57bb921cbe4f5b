#!/usr/bin/python3 -ISu
"""A legacy program: it knows one variable, DEMO_SECRET, and one file, /app/whoami.conf.

It says what it got and stays until SIGTERM. A real program would not print its secrets: this one
does, so that you can see what arrived.
"""

import json
import os
import re
import signal
import sys
from pathlib import Path

ENTRY = re.compile(r'(\w+): ("(?:[^"\\]|\\.)*")')


def main():
    """Read both once, at the start, as such programs do."""
    lines = Path("/app/whoami.conf").read_text(encoding="utf-8").splitlines()
    entries = [ENTRY.fullmatch(line) for line in lines if not line.startswith("#")]
    if None in entries:
        sys.exit("whoami: /app/whoami.conf is broken")
    settings = {entry[1]: json.loads(entry[2]) for entry in entries}
    print("whoami: the variable is", os.environ.get("DEMO_SECRET") or "empty")
    print("whoami: the password is", settings["db_password"])
    print("whoami: is process", os.getpid())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        signal.pause()


main()

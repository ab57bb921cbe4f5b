#!/usr/bin/env python3
"""A legacy program: all it knows of secrets is the variable DEMO_SECRET.

`legacy.py` says what it got; `legacy.py serve` also stays, until SIGTERM. A real program would not
print its secret: this one does, so that you can see what arrived.
"""

import os
import signal
import sys


def main(words):
    """Read the variable once, at the start, as such programs do."""
    secret = os.environ.get("DEMO_SECRET")
    if not secret:
        sys.exit("legacy: DEMO_SECRET is not set")
    print(f"legacy: DEMO_SECRET is {secret}", flush=True)
    if words == ["serve"]:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print(f"legacy: process {os.getpid()} waits for work", flush=True)
        while True:
            signal.pause()


main(sys.argv[1:])

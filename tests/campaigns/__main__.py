"""`python -m tests.campaigns [NAME [OPTION…]]`: run one campaign, or all of them in turn.

A campaign is a module of this package with `main(argv) -> int`; it prints what it found and
returns 1 if that is a defect.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import time
from pathlib import Path


def main(argv: list[str]) -> int:
    """Run the campaign `argv[0]` with the other arguments, or every one without any."""
    known = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    known = [name for name in known if not name.startswith("_")]
    if argv and argv[0] not in known:
        print(f"error: no campaign '{argv[0]}'; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    failed = []
    for name in argv[:1] or known:
        print(f"== {name}", flush=True)
        started = time.monotonic()
        if importlib.import_module(f"tests.campaigns.{name}").main(argv[1:]):
            failed.append(name)
        print(f"   {time.monotonic() - started:.0f} s\n", flush=True)
    if failed:
        print(f"defects in: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

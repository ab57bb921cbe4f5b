"""`python -m bench [NAME…]`: runs the named benchmarks, or every module here that has main()."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main(names: list[str]) -> int:
    """The worst exit status of the benchmarks; 0 if every figure is within its budget."""
    here = Path(__file__).parent
    known = sorted(path.stem for path in here.glob("*.py") if not path.stem.startswith("_"))
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"bench: no benchmark {unknown[0]}: there are {', '.join(known)}", file=sys.stderr)
        return 2
    worst = 0
    for name in names or known:
        run = getattr(importlib.import_module(f"bench.{name}"), "main", None)
        if run is not None:
            worst = max(worst, run([]))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

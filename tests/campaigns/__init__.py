"""Long runs that look for what unit tests cannot: each module has main(argv) -> int."""

import tests.formats  # noqa: F401 - makes the shim's package importable

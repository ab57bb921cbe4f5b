"""Long runs that look for what unit tests cannot: each module has main(argv) -> int."""

"""--check: what would hurt later, beside what stands in the way of a start."""


def look(start, problems):
    """Adds to `problems` (Problems) what a Start itself does not notice."""

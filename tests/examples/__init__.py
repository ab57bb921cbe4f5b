"""The examples work: their pages are run as they stand, on this machine and in containers."""

"""Checks of files: Dockerfiles, stack and compose files, entrypoint scripts."""

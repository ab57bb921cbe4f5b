"""Entrypoint scripts as people have them: read, checked, turned into an `[entrypoint]` table."""

"""Formats that are programs or documents: toml, html, php, python, js."""

from __future__ import annotations

from .case import Case, Readers

READERS: Readers = {}
CASES: tuple[Case, ...] = ()

"""Formats that hold logins: url, pgpass, netrc, cnf, and variable files for Docker."""

from __future__ import annotations

from .case import Case, Readers

READERS: Readers = {}
CASES: tuple[Case, ...] = ()

"""The config files of servers: nginx, haproxy, httpd, redis."""

from __future__ import annotations

from .case import Case, Readers

READERS: Readers = {}
CASES: tuple[Case, ...] = ()

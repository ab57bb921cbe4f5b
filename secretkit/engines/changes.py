"""The engine's events as a subscription: a thread reads the stream, `wait` looks at a flag."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

import requests
import urllib3

from ..errors import SecretkitError
from .managers import Managers

_AGAIN = 2.0  # seconds until a broken stream is asked for again


class ServiceChanges:
    """Tells of events about services. A stream that breaks is opened again; while there is none,
    `wait` tells of time alone.
    """

    def __init__(self, managers: Managers) -> None:
        self._managers = managers
        self._changed = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._response: requests.Response | None = None
        self._thread = threading.Thread(target=self._read, name="secretkit-changes", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._ended.set()
            if self._response is not None:
                _hang_up(self._response)
        self._thread.join(5)

    def wait(self, seconds: float) -> bool:
        """Blocks until a service changed since the last call, or `seconds` passed: which one."""
        changed = self._changed.wait(max(0.0, seconds))
        self._changed.clear()
        return changed

    def _read(self) -> None:
        while not self._ended.is_set():
            # Whatever ends the stream, it is only a hint of when to look.
            with contextlib.suppress(
                SecretkitError, OSError, ValueError, AttributeError, urllib3.exceptions.HTTPError
            ):
                self._follow()
            self._ended.wait(_AGAIN)

    def _follow(self) -> None:
        response = self._managers.stream("/events", {"filters": {"type": ["service"]}})
        with self._lock:
            if self._ended.is_set():
                response.close()
                return
            self._response = response
        try:
            self._changed.set()  # what happened before the stream began, nobody told
            for _ in response.iter_lines(chunk_size=None):
                self._changed.set()
        finally:
            with self._lock:
                self._response = None
                response.close()


def _hang_up(response: requests.Response) -> None:
    """Ends a response that another thread is reading: closing it would wait for that thread."""
    # An answer that says `Connection: close`, as a proxy's may, has no connection any more; urllib3
    # (2.3 or later) still knows how to shut its socket down.
    found = getattr(getattr(response.raw, "connection", None), "sock", None)
    shutdown = getattr(found, "shutdown", None) or getattr(response.raw, "_sock_shutdown", None)
    if shutdown is not None:
        with contextlib.suppress(OSError):
            shutdown(socket.SHUT_RDWR)

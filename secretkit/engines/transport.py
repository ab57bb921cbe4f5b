"""HTTP to an engine over a UNIX socket, or through the ssh program as the docker client does it.

For ssh:// hosts the docker SDK needs paramiko, even to run ssh; this needs ssh alone, with its own
configuration, agent and known hosts. Of a UNIX socket that refuses, the SDK leaks a descriptor.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
from collections.abc import Callable
from typing import IO, Any
from urllib.parse import urlsplit

import requests.adapters
import urllib3
import urllib3.connection
import urllib3.connectionpool


def adapter(host: str, connect_timeout: float) -> requests.adapters.HTTPAdapter | None:
    """What carries requests to a unix:// or ssh:// host; None for others. Seconds."""
    if host.startswith("ssh://"):
        words = command(host, connect_timeout)
        return _Adapter(lambda: _SSHConnection(words))
    if host.startswith("unix://"):
        path = host.removeprefix("unix://")
        return _Adapter(lambda: _UnixConnection(path))
    return None


class _Adapter(requests.adapters.HTTPAdapter):
    """All requests go over such connections, whatever host their URL names."""

    def __init__(self, make: Callable[[], urllib3.connection.HTTPConnection]) -> None:
        self._own = _Pool(make)
        super().__init__()

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> urllib3.HTTPConnectionPool:
        return self._own

    def request_url(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> str:
        return request.path_url

    def close(self) -> None:
        super().close()
        self._own.close()


class _Pool(urllib3.connectionpool.HTTPConnectionPool):
    def __init__(self, make: Callable[[], urllib3.connection.HTTPConnection]) -> None:
        super().__init__("localhost", maxsize=10)
        self._make = make

    def _new_conn(self) -> urllib3.connection.HTTPConnection:
        return self._make()


class _UnixConnection(urllib3.connection.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            found.settimeout(self.timeout if isinstance(self.timeout, int | float) else None)
            found.connect(self._path)
        except BaseException:
            found.close()
            raise
        self.sock = found


class _SSHConnection(urllib3.connection.HTTPConnection):
    def __init__(self, words: list[str]) -> None:
        super().__init__("localhost")
        self._command = words
        self._ssh: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        self._expecting = False

    def connect(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._said = tempfile.TemporaryFile()  # noqa: SIM115 - close() closes it
            self._ssh = subprocess.Popen(  # noqa: S603 - an argument list; the host is checked
                self._command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._said,
            )
        ours.settimeout(self.timeout if isinstance(self.timeout, int | float) else None)
        self.sock = ours

    def getresponse(self) -> Any:
        self._expecting = True
        try:
            return super().getresponse()
        except OSError:
            reason = self._reason()
            if not reason:
                raise
        finally:
            self._expecting = False
        raise ConnectionRefusedError(0, reason)

    def close(self) -> None:
        super().close()
        if self._expecting:
            return  # by http.client, before anybody asked ssh why; urllib3 closes once more
        if self._ssh is not None:
            self._ssh.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._ssh.wait(5)
            self._ssh = None
        if self._said is not None:
            self._said.close()
            self._said = None

    def _reason(self) -> str:
        """What ssh said last, if it failed before there was a connection (its exit status 255)."""
        if self._ssh is None or self._said is None:
            return ""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._ssh.wait(1)
        if self._ssh.returncode in (None, 0):
            return ""
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return f"ssh: {lines[-1]}" if lines else f"ssh exited with {self._ssh.returncode}"


def command(host: str, connect_timeout: float) -> list[str]:
    """The ssh command line for `ssh://[user@]host[:port]`, as docker/cli's commandconn."""
    parts = urlsplit(host)
    words = ["ssh", "-T", "-o", f"ConnectTimeout={round(connect_timeout)}"]
    if parts.username:
        words += ["-l", parts.username]
    if parts.port:
        words += ["-p", str(parts.port)]
    return [*words, "--", parts.hostname or "", "docker system dial-stdio"]

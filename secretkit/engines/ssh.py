"""HTTP to an engine through the ssh program, as the docker client does it for ssh:// hosts.

The docker SDK needs paramiko for that, even to run ssh; this needs ssh alone, with its own
configuration, agent and known hosts.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
from typing import IO, Any
from urllib.parse import urlsplit

import requests.adapters
import urllib3
import urllib3.connection
import urllib3.connectionpool


class SSHAdapter(requests.adapters.HTTPAdapter):
    """All requests go to the engine of one host, whatever host their URL names."""

    def __init__(self, host: str, connect_timeout: float) -> None:
        self._own = _Pool(host, connect_timeout)
        super().__init__()

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> urllib3.HTTPConnectionPool:
        return self._own

    def request_url(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> str:
        return request.path_url

    def close(self) -> None:
        super().close()
        self._own.close()


class _Pool(urllib3.connectionpool.HTTPConnectionPool):
    def __init__(self, host: str, connect_timeout: float) -> None:
        super().__init__("localhost", maxsize=10)
        self._ssh = (host, connect_timeout)

    def _new_conn(self) -> _Connection:
        return _Connection(*self._ssh)


class _Connection(urllib3.connection.HTTPConnection):
    def __init__(self, host: str, connect_timeout: float) -> None:
        super().__init__("localhost")
        self._command = command(host, connect_timeout)
        self._ssh: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None

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
        try:
            return super().getresponse()
        except OSError:
            if reason := self._reason():
                raise ConnectionRefusedError(0, reason) from None
            raise

    def close(self) -> None:
        super().close()
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

"""A proxy before an engine's socket: it counts the requests, and answers some of them wrongly."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

_END = b"\r\n\r\n"


class Request(NamedTuple):
    """One request of a client."""

    method: str
    path: str  # without the API's version and the query, such as /services/ID/update
    number: int  # 1, 2, 3 … of the proxy

    @property
    def writes(self) -> bool:
        return self.method not in {"GET", "HEAD"}

    @property
    def kind(self) -> str:
        """The method and the path without ids."""
        return f"{self.method} {re.sub('/[^/]*[0-9][^/]*', '/ID', self.path)}"


class Fault(NamedTuple):
    """What the client gets instead of the engine's answer; status 0: the connection ends."""

    status: int = 0
    message: str = ""

    def encoded(self) -> bytes:
        body = b'{"message":"%s"}' % self.message.encode()
        head = f"HTTP/1.1 {self.status} Error\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        return head.encode() + body


# Asked twice for each request: before the engine gets it (False), and when the engine has
# answered (True: it happened, and the client does not know).
Rule = Callable[[Request, bool], Fault | None]


class Proxy:
    """An engine's socket with a `rule`, which may be changed at any time. Every request has a
    connection of its own."""

    def __init__(self, upstream: str, path: Path) -> None:
        self.upstream = upstream
        self.host = f"unix://{path}"
        self.requests: list[Request] = []
        self.rule: Rule = lambda request, happened: None
        self.refuses = False  # all connections, as an engine that is not there
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()

    def counted(self) -> Counter[str]:
        """How many requests there were of each kind."""
        return Counter(request.kind for request in self.requests)

    def close(self) -> None:
        """End it, and all connections."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """End all connections that there are, long ones included."""
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), self._known(client):
            if self.refuses:
                return
            request, message = self._read(client)
            if request is None or self._fault(client, request, False):
                return
            with _connected(self.upstream) as server, self._known(server):
                server.sendall(message)
                head = b""
                while _END not in head:
                    more = server.recv(65536)
                    if not more:
                        break
                    head += more
                if not self._fault(client, request, True):
                    client.sendall(head)
                    _relay(server, client)

    def _read(self, client: socket.socket) -> tuple[Request | None, bytes]:
        data = b""
        while _END not in data:
            more = client.recv(65536)
            if not more:
                return None, b""
            data += more
        head, _, body = data.partition(_END)
        method, url, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        lines = [
            line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")
        ]
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        while length and len(body) < int(length[1]):
            body += client.recv(65536)
        path = re.sub(r"^/v\d[\d.]*", "", unquote(urlsplit(url).path))
        with self._lock:
            request = Request(method, path, len(self.requests) + 1)
            self.requests.append(request)
        return request, b"\r\n".join([*lines, b"Connection: close"]) + _END + body

    def _fault(self, client: socket.socket, request: Request, happened: bool) -> bool:
        fault = self.rule(request, happened)
        if fault is not None and fault.status:
            client.sendall(fault.encoded())
        return fault is not None

    @contextlib.contextmanager
    def _known(self, connection: socket.socket) -> Iterator[None]:
        with self._lock:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(connection)


def _connected(host: str) -> socket.socket:
    scheme, _, address = host.partition("://")
    if scheme == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address)
        return connection
    name, _, port = address.rpartition(":")
    return socket.create_connection((name, int(port)))


def _relay(server: socket.socket, client: socket.socket) -> None:
    while True:
        readable, _, _ = select.select([server, client], [], [])
        if client in readable and not client.recv(65536):
            return
        if server in readable:
            data = server.recv(65536)
            if not data:
                return
            client.sendall(data)


@contextlib.contextmanager
def proxied(upstream: str, path: Path) -> Iterator[Proxy]:
    """A proxy that is gone afterwards; `path` is short, as a socket's has to be."""
    proxy = Proxy(upstream, path)
    try:
        yield proxy
    finally:
        proxy.close()

"""An HTTP server that answers as an engine in trouble does, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

HANG_UP = None  # an answer that does not come: the connection ends instead


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str  # without the version
    headers: dict[str, str]


Answers = Callable[[Asked], "tuple[int, Any] | None"]


@dataclass
class Listener:
    """The server: `answers` gives (status, JSON or text) for a request, or HANG_UP."""

    answers: Answers
    host: str = ""
    asked: list[Asked] = field(default_factory=list)

    def count(self, method: str) -> int:
        return sum(each.method == method for each in self.asked)


@contextlib.contextmanager
def listening(answers: Answers, api: str = "1.41") -> Iterator[Listener]:
    """A server on a port of its own, which says that it speaks this version of the API."""
    found = Listener(answers)

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == "/version":
                self.reply(200, {"ApiVersion": api})
                return
            path = self.path.removeprefix(f"/v{api}")
            asked = Asked(self.command, path, dict(self.headers))
            found.asked.append(asked)
            answer = found.answers(asked)
            if answer is not HANG_UP:
                self.reply(*answer)

        def reply(self, status: int, body: Any) -> None:
            data = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    found.host = f"tcp://127.0.0.1:{server.server_address[1]}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

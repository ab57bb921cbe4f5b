"""The five programs of the shop: small stand-ins that really use their secrets.

database: one role, whose passwords are kept as hashes on a volume; `accept` and `revoke` read one.
appserver: logs in to the database and has payments signed. payment_gateway: signs them with its
token. reverse_proxy: serves TLS, and passes on to appserver and portal. portal: has no secret.
Python's standard library alone; the health checks are healthy.py.
"""

from __future__ import annotations

import hashlib
import hmac
import http.server
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

SECRETS = Path("/run/secrets")
ROLE = Path("/data/role")  # a file for each password that is valid, named by its hash
PATIENCE = 30  # seconds in which a service that is being replaced may come back


def secret(name: str) -> bytes:
    """What the file of that name holds, read once, as the program starts."""
    return (SECRETS / name).read_bytes()


def entry(password: bytes) -> Path:
    """Where the database notes that this password is valid."""
    return ROLE / hashlib.sha256(b"shop" + password).hexdigest()


def database() -> None:
    """Takes the password of its secret at the very first start only, as database images do."""
    if not ROLE.exists():
        ROLE.mkdir()
        entry(secret("postgres_password")).touch()

    def answer(path: str, password: bytes) -> tuple[int, bytes]:
        if path == "/health":
            return 200, b"well"
        return (200, b"3 orders") if entry(password).exists() else (401, b"wrong password")

    serve(5432, answer)


def appserver() -> None:
    """A page that needs a login and a signature; `/health` needs the login."""
    password = secret("postgres_password")

    def answer(path: str, _body: bytes) -> tuple[int, bytes]:
        orders = ask("http://database:5432/orders", password)
        if path == "/health":
            return 200, b"well"
        signature = ask("http://payment_gateway:8000/sign", orders)
        return 200, b"%s, signed %.12s" % (orders, signature)

    serve(8000, answer)


def payment_gateway() -> None:
    """Signs what it is sent."""
    token = secret("payment_token")
    serve(8000, lambda _path, body: (200, hmac.digest(token, body, "sha256").hex().encode()))


def portal() -> None:
    """A page."""
    serve(8000, lambda _path, _body: (200, b"welcome"))


def reverse_proxy() -> None:
    """HTTPS in front of the others. A key that does not belong to the certificate ends it."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SECRETS / "revprox_cert", SECRETS / "revprox_key")

    def answer(path: str, _body: bytes) -> tuple[int, bytes]:
        if path == "/health":
            return 200, b"well"
        host = "portal" if path.startswith("/portal") else "appserver"
        return 200, ask(f"http://{host}:8000{path}")

    serve(8443, answer, context.wrap_socket)


def serve(
    port: int,
    answer: Callable[[str, bytes], tuple[int, bytes]],
    wrap: Callable[..., object] | None = None,
) -> None:
    """Answers each request with a status and a text, until SIGTERM."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                status, text = answer(self.path, body)
            except OSError as error:
                status, text = 502, str(error).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET  # noqa: N815 - http.server's name for it

        def log_message(self, *_: object) -> None:
            pass

    # The swarm sends it two seconds after nobody is given this task's address any more.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server = http.server.ThreadingHTTPServer(("", port), Handler)
    if wrap is not None:
        server.socket = wrap(server.socket, server_side=True)
    server.serve_forever()


def ask(url: str, body: bytes | None = None) -> bytes:
    """What a service answers; asked again while it cannot be reached. Raises OSError."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, body, timeout=PATIENCE) as answer:  # noqa: S310
                return answer.read()
        except urllib.error.HTTPError:
            raise
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def main(name: str, *words: str) -> None:
    """Runs one of the programs."""
    if name == "accept":
        entry(sys.stdin.buffer.read()).touch()
    elif name == "revoke":
        entry(sys.stdin.buffer.read()).unlink(missing_ok=True)
    else:
        {one.__name__: one for one in PROGRAMS}[name](*words)


PROGRAMS = (database, appserver, payment_gateway, portal, reverse_proxy)

if __name__ == "__main__":
    main(*sys.argv[1:])

"""What the services run: a program that reads its password once, as it starts, as legacy ones do.

It needs Python's standard library alone, and travels to the containers as text. What the password
begins with says how it is taken: `crash` ends the program at once, `end` with status 0, `late` some
time after it became healthy, `sick` lets it run without ever becoming healthy. An argument may say
more: with `picky` any password but `one` ends it; with `serve` it answers TCP connections on port
8000 with its host's name and the password. Then SIGTERM ends it after a while in which it still
answers, because a client may have asked for its address just before.
"""

import os
import signal
import socket
import sys
import time

PORT = 8000
LATE = 2.5  # seconds
DRAIN = 1.5  # seconds


def ready() -> None:
    """What the health check looks for."""
    with open("/tmp/ready", "w"):  # noqa: PTH123 - in a container; pathlib starts slowly
        pass


def serve() -> None:
    """Answer until SIGTERM, and a little longer."""
    server = socket.create_server(("0.0.0.0", PORT), backlog=128)  # noqa: S104 - in a container
    answer = b"%s %s" % (socket.gethostname().encode(), value)
    signal.signal(signal.SIGTERM, lambda *_: signal.setitimer(signal.ITIMER_REAL, DRAIN))
    ready()
    while True:
        connection, _ = server.accept()
        with connection:
            connection.sendall(answer)


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
with open(sys.argv[1], "rb") as file:  # noqa: PTH123
    value = file.read()
if value.startswith(b"crash") or (sys.argv[2:] == ["picky"] and value != b"one"):
    sys.exit(1)
if value.startswith(b"end"):
    sys.exit(0)
if value.startswith(b"sick"):
    time.sleep(3600)
if sys.argv[2:] == ["serve"]:
    serve()
ready()
if value.startswith(b"late"):
    time.sleep(LATE)
    sys.exit(1)
while True:
    signal.pause()

"""Asks a service's tasks without a pause until SIGTERM, then prints what it was told, as JSON.

Each request looks the tasks' addresses up anew and takes one of them, as a client of DNS round
robin does. It is not repeated: what cannot connect, or gets no answer, has failed. It needs the
standard library alone, and travels to its container as text.
"""

import json
import random
import signal
import socket
import sys
from collections import Counter

PORT = 8000
stopped = []
answers: "Counter[str]" = Counter()
failed: "Counter[str]" = Counter()


def ask(name: str) -> str:
    """One request."""
    found = socket.getaddrinfo(f"tasks.{name}", PORT, socket.AF_INET, socket.SOCK_STREAM)
    with socket.create_connection(random.choice(found)[4], timeout=5) as connection:
        answer = b""
        while data := connection.recv(4096):
            answer += data
    if b" " not in answer:
        raise OSError("no answer")
    return answer.partition(b" ")[2].decode()


signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
print("asking", flush=True)
while not stopped:
    try:
        answers[ask(sys.argv[1])] += 1
    except OSError as error:
        failed[f"{type(error).__name__}: {error}"] += 1
print(json.dumps({"answers": answers, "failed": failed}), flush=True)

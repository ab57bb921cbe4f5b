"""A JVM that uses keystores (Keystores.java), started once for many questions."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.needs import need_program

SOURCE = Path(__file__).with_name("Keystores.java")
TYPES = {".p12": "PKCS12", ".jks": "JKS"}


class Jvm:
    """Asks, and gives the answers as they are, or taken apart."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def ask(self, *words: str) -> str:
        """The line that answers a line of `words`."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(" ".join(words).encode() + b"\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().decode().rstrip("\n")

    def entries(self, path: Path, password: str) -> dict[str, tuple[str, list[str]]]:
        """The entries of a keystore: alias to ("key" or "trusted", SHA-256 of each certificate)."""
        answer = self.ask("list", TYPES[path.suffix], _hex(str(path)), _hex(password))
        head, *words = answer.split(" ")
        assert head == "entries", answer
        return {
            bytes.fromhex(alias).decode(): (kind, certificates.split(","))
            for alias, kind, certificates in zip(*[iter(words)] * 3, strict=True)
        }

    def refuses(self, path: Path, password: str) -> bool:
        """Whether a keystore is not read with that password."""
        answer = self.ask("list", TYPES[path.suffix], _hex(str(path)), _hex(password))
        return answer == "error IOException"

    def tls(self, store: Path, password: str, truststore: Path, other: str) -> str:
        """What a client gets that trusts one keystore, from a server with another."""
        return self.ask("tls", *map(_hex, (str(store), password, str(truststore), other)))


def _hex(text: str) -> str:
    return text.encode().hex()


@contextmanager
def started() -> Iterator[Jvm]:
    """A JVM; skips where there is none."""
    command = [need_program("java"), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", str(SOURCE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Jvm(process)
        finally:
            process.stdin.close()
            process.wait(60)

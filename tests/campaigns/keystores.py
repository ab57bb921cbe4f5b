"""Random keystores read back by a JVM and by cryptography; AES by random vectors; damaged PEM.

Each keystore has its own password, alias, kind of key, chain and CAs. Damaged secrets must give a
keystore or the shim's own error, on one line and without content.
"""

from __future__ import annotations

import argparse
import base64
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12
from secretkit_entrypoint.errors import ShimError
from secretkit_entrypoint.keystore import make
from secretkit_entrypoint.keystore.aes import encrypt_cbc
from secretkit_entrypoint.options import Keystore

from tests.shim.certificates import KEYS, Authority, digests, key, key_pem
from tests.shim.jvm import Jvm, started

BLOCK = re.compile(rb"-----BEGIN (.*)-----\n([^-]*)-----END .*-----")
# What a damaged secret gets in between.
PIECES = (
    b"",
    b"-",
    b"\n",
    b"\r",
    b"=",
    b"\0",
    b"\xff",
    b"0",
    b"MA==",
    b"-----BEGIN EC PRIVATE KEY-----\n",
)


def main(argv: list[str] | None = None) -> int:
    """Print what was done; 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="keystores", description=__doc__)
    parser.add_argument("--stores", type=int, default=2_000, help="of each type")
    parser.add_argument("--vectors", type=int, default=20_000)
    parser.add_argument("--damages", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    random = Random(options.seed)
    failed = False
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name, started() as jvm:
        samples = Samples(random)
        for what, count, run in (
            (
                "keystores of each type",
                options.stores,
                lambda n: stores(samples, n, jvm, Path(name)),
            ),
            ("vectors of AES", options.vectors, lambda n: vectors(random, n)),
            ("damaged secrets", options.damages, lambda n: damages(samples, n)),
        ):
            began = time.monotonic()
            found = list(run(count))
            print(
                f"{count} {what}: {len(found)} wrong, {time.monotonic() - began:.0f} s", flush=True
            )
            for one in found[:5]:
                print("   ", one)
            failed |= bool(found)
    return int(failed)


@dataclass
class Sample:
    """The secrets of one keystore, and what must be in it."""

    alias: str
    password: str
    key: bytes
    chain: bytes
    authorities: bytes

    def make(self, path: Path) -> bytes:
        """The keystore, as the shim makes it."""
        entry = Keystore(bytes(path))
        entry.alias = self.alias.encode()
        for setting in ("key", "cert", "ca", "password"):
            setattr(entry, setting, setting.encode())
        if not self.key:
            entry.key = entry.cert = None
        if not self.authorities:
            entry.ca = None
        return make(entry, self)

    def read(self, name: str) -> bytes:
        """The secret that a setting names."""
        contents = {"key": self.key, "cert": self.chain, "ca": self.authorities}
        return contents.get(name, self.password.encode() + b"\n")


class Samples:
    """Random ones, out of a few keys and CAs: those take long to make."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.roots = [Authority(f"Root {n}") for n in range(6)]
        self.keys = [key(kind, number) for kind in KEYS for number in range(2)]
        self.issued = []
        for private in self.keys:
            for root in self.roots[:2]:
                middle = Authority(f"Issuer of {root.name}", root)
                self.issued.append((private, root.issue(private), b""))
                self.issued.append((private, middle.issue(private), middle.pem))

    def next(self) -> Sample:
        random = self.random
        length = random.choice((1, 6, 20, 64, 128))
        password = "".join(chr(random.randrange(32, 127)) for _ in range(length))
        private, certificate, issuers = random.choice(self.issued)
        authorities = b"".join(root.pem for root in random.sample(self.roots, random.randrange(4)))
        if authorities and random.random() < 0.3:
            return Sample(self.alias(), password, b"", b"", authorities)
        return Sample(self.alias(), password, key_pem(private), certificate + issuers, authorities)

    def alias(self) -> str:
        """Text of several scripts that begins so that it is none of a CA's."""
        ranges = ((33, 126), (0xE0, 0x17F), (0x391, 0x3C9), (0x410, 0x44F), (0x4E00, 0x9FFF))
        letters = [chr(self.random.randint(*self.random.choice(ranges))) for _ in range(9)]
        return "k" + "".join(letter for letter in letters if letter.isprintable())


def stores(samples: Samples, count: int, jvm: Jvm, folder: Path) -> Iterator[str]:
    """What differs in `count` keystores of each type."""
    for number in range(count):
        sample = samples.next()
        for path in (folder / "k.p12", folder / "k.jks"):
            content = sample.make(path)
            path.write_bytes(content)
            if content != sample.make(path):
                yield f"{number}: {path.name}: another file from equal inputs"
            if not agrees(sample, jvm.entries(path, sample.password), path.suffix):
                yield f"{number}: {path.name}: others in the JVM"
            if number % 10 == 0 and not jvm.refuses(path, sample.password + "!"):
                yield f"{number}: {path.name}: a wrong password opens it"
        made = load_pkcs12((folder / "k.p12").read_bytes(), sample.password.encode())
        found = [made.cert] if made.cert else []
        pems = [one.certificate.public_bytes(Encoding.PEM) for one in found + made.additional_certs]
        if b"".join(pems) != sample.chain + sample.authorities:
            yield f"{number}: other certificates in cryptography"
        if sample.key and key_pem(made.key) != sample.key:
            yield f"{number}: another key in cryptography"


def agrees(sample: Sample, entries: dict[str, tuple[str, list[str]]], suffix: str) -> bool:
    """Whether a JVM has found what a sample holds."""
    alias, name = sample.alias.lower(), "ca"
    if sample.key:
        kind, chain = entries.pop(alias, ("", []))
        wanted = digests(sample.chain)
        # Of PKCS #12 Java makes the chain itself, and finds the root among the CAs.
        if suffix == ".p12" and len(chain) > len(wanted):
            wanted.append(chain[-1] if chain[-1] in digests(sample.authorities) else "")
        if (kind, chain) != ("key", wanted):
            return False
    else:
        name = alias
    wanted = digests(sample.authorities) if sample.authorities else []
    return entries == {
        f"{name}-{number}" if number > 1 else name: ("trusted", [digest])
        for number, digest in enumerate(wanted, 1)
    }


def vectors(random: Random, count: int) -> Iterator[str]:
    """What differs between our AES and cryptography's."""
    for number in range(count):
        secret, vector = random.randbytes(32), random.randbytes(16)
        content = random.randbytes(random.randrange(100))
        padder = PKCS7(128).padder()
        cipher = Cipher(algorithms.AES(secret), modes.CBC(vector)).encryptor()
        wanted = cipher.update(padder.update(content) + padder.finalize()) + cipher.finalize()
        if encrypt_cbc(secret, vector, content) != wanted:
            yield f"{number}: {len(content)} bytes"


def damages(samples: Samples, count: int) -> Iterator[str]:
    """What a damaged secret raises that is not the shim's, or what its message shows of it."""
    random = samples.random
    for number in range(count):
        sample = samples.next()
        setting = random.choice(("key", "chain", "authorities"))
        whole = getattr(sample, setting)
        setattr(sample, setting, damaged(random, whole))
        try:
            sample.make(Path("k.jks"))
        except ShimError as error:
            lines = [line for line in whole.decode().splitlines() if line[:1] != "-"]
            for problem in error.problems:
                if "\n" in problem or any(line in problem for line in lines):
                    yield f"{number}: content of {setting} in a message"
        except Exception as error:
            yield f"{number}: {setting}: {type(error).__name__}"


def damaged(random: Random, content: bytes) -> bytes:
    """Some pieces of it replaced: of the text, or of what it encodes."""
    if content and random.random() < 0.5:
        before, label, body, after = BLOCK.split(content, 1)
        encoded = replaced(random, base64.b64decode(body), (b"", b"\0", b"\x80", b"\xff", b"0"))
        text = base64.encodebytes(encoded)
        return before + b"-----BEGIN %s-----\n%s-----END %s-----" % (label, text, label) + after
    return replaced(random, content, PIECES)


def replaced(random: Random, content: bytes, pieces: tuple[bytes, ...]) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 5))):
        start = random.randrange(len(changed) + 1)
        changed[start : start + random.choice((0, 1, 1, 2, 70))] = random.choice(pieces)
    return bytes(changed)


if __name__ == "__main__":
    raise SystemExit(main())

"""Coverage-guided fuzzing of what the shim reads, by atheris (`pip install atheris`).

Each target of _targets.py gets its share of `--seconds`, in a process of its own: no exception but
the shim's, no hang (10 s for one input), no value in a message. Before that, `growth`: what takes
more than three times as long for twice the text.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.campaigns import _targets
from tests.campaigns._targets import CANARY, MODULES, TARGETS
from tests.formats.cases import CASES
from tests.formats.values import values

PIECES = (
    *("\0", "<<", "<<v", "<<v>>", "{{", "{{ v", "{{ v }}", '"', "'", "\\", "`", "$(", "${", "#"),
    *("{", "[", "(", "}", "<", "<!--", "<![CDATA[", "<?", "&", "/*", "//", "\n", "\n ", "\r\n"),
    *("k: ", "- ", "a=", "\na=", "\n[s]\n", "|", ">", "<<EOF\n", "EOF\n", '"\0"', "'\0'", "=\0"),
    *(" \0 ", '"\\\0', "k: \0\n", '"""', "'''", "\n\n", "\t", ":", ",", "x", "/\0", "a\0b"),
)
SIZE = 1 << 16  # characters


def main(argv: list[str] | None = None) -> int:
    """Print a line for each target; 1 if there is a finding."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=1800, help="in total")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS))
    parser.add_argument("--findings", type=Path, default=Path(tempfile.gettempdir()) / "findings")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args(argv)
    try:
        import atheris  # noqa: F401
    except ImportError:
        print("not run: it needs atheris (pip install atheris)")
        return 1
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm") as scratch:
        os.environ["FUZZ_SCRATCH"] = scratch
        _targets.SCRATCH = Path(scratch)
        return int(_run(options))


def _run(options: argparse.Namespace) -> bool:
    """Try all targets that are asked for; whether there is a finding."""
    names = options.target or list(TARGETS)
    failed = _growth(names)
    seconds = max(1, options.seconds * options.jobs // len(names))
    options.findings.mkdir(exist_ok=True)
    with ThreadPoolExecutor(options.jobs) as pool:
        done = pool.map(lambda name: _fuzz(name, seconds, options.findings), names)
        for name, (found, said) in zip(names, done, strict=True):
            print(f"{name:<22} {seconds:>5} s  {said}", flush=True)
            failed |= found
    return failed


def _fuzz(name: str, seconds: int, findings: Path) -> tuple[bool, str]:
    """Whether there is a finding, and libFuzzer's last words."""
    with tempfile.TemporaryDirectory() as corpus:
        _seed(name, Path(corpus))
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.campaigns._targets", name, corpus),
                *(f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=4096"),
                *("-max_len=8192", f"-artifact_prefix={findings}/{name}-"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
    said = done.stdout.decode(errors="replace")
    runs = re.findall(r"#(\d+)\s+\w+\s+cov: (\d+)", said)
    count, coverage = runs[-1] if runs else ("0", "0")
    line = f"{int(count):>9} inputs, coverage {coverage:>5}"
    if done.returncode == 0:
        return False, f"{line}, nothing found"
    (findings / f"{name}.log").write_text(said)
    why = re.search(r"Uncaught Python exception: *\n(.*)\n(.*)", said)
    reason = f"{why[1]} {why[2]}" if why else said.splitlines()[-1] if said else "no output"
    return True, f"{line}, FOUND: {reason[:200]} ({findings}/{name}.log)"


def _seed(name: str, corpus: Path) -> None:
    """Inputs to begin with: real templates and nasty values."""
    rng = random.Random(name)
    format_name = name.partition("-")[2]
    cases = [case for case in CASES if name in ("template", "simple-jinja")] or [
        case for case in CASES if case.format == format_name
    ]
    for number, case in enumerate(cases):
        text = case.template(2).replace("|verbatim", "").encode()
        if name.startswith("format-"):
            text = re.sub(rb"<<[^<>]*>>", b"\x01", text)
        elif name == "simple-jinja":
            text = re.sub(rb"<<[^<>]*>>", b"{{ v }}", text)
        else:
            text = re.sub(rb"<<s\d+", b"<<v", text)
        for value in rng.sample(values(seed=number, count=50), 5):
            data = bytes([number % 256]) + text + b"\xff" + value.replace(b"\xff", b"")
            (corpus / f"{number}-{len(value)}").write_bytes(data)
    if name == "config":
        (corpus / "0").write_bytes(
            b'{"env": {"A": "a"}, "env_all": true, "user": "app:app", "require": ["x"], "render": '
            b'[{"source": "/s", "destination": "/d", "format": "yaml", "mode": "0400"}]}'
        )
    if name == "arguments":
        (corpus / "0").write_bytes(b"--env=A=a\0--render\0s:d,format=yaml,mode=0400\0--\0cmd\0x")
    if name == "variables":
        (corpus / "0").write_bytes(b"ENV=A=a B=b\0RENDER=s:d,mode=0400\0USER=app\0PRISTINE=1")
    if name == "reference":
        for number, asked in enumerate((b"#/user", b"#/a/0/b~1c|base64d", b"|base64d", b"")):
            content = b'{"user": "x", "a": [{"b/c": "eA=="}]}' if b"#" in asked else b"eA==\n"
            (corpus / str(number)).write_bytes(b"x" + asked + b"\xff" + content)
    if name == "keystores":
        for kind in ("ed25519", "rsa", "ec"):
            key, cert = _pair(kind)
            for number, parts in enumerate(((key, cert, cert), (b"", b"", cert), (key, cert, b""))):
                data = b"\xfe".join(parts) + b"\xff" + b"changeit"
                for flags in (b"\x07", b"\x0f"):
                    (corpus / f"{kind}{number}{flags[0]}").write_bytes(flags + data)
    if name == "accounts":
        passwd = b"root:x:0:0::/root:/bin/sh\napp:x:7:8::/:/bin/sh\n"
        (corpus / "0").write_bytes(
            b"x" + passwd + b"\0app:x:8:\nmore:x:9:a,app\n" + b"\xffapp:more"
        )


def _pair(kind: str) -> tuple[bytes, bytes]:
    """A private key and a certificate for it, in PEM."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", kind, "-nodes", "-keyout", "k", "-out", "c"]
        + (["-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else [])
        + ["-subj", "/CN=a", "-days", "1"],
        check=True, capture_output=True, cwd=_targets.SCRATCH,
    )  # fmt: skip
    return (_targets.SCRATCH / "k").read_bytes(), (_targets.SCRATCH / "c").read_bytes()


def _growth(names: list[str]) -> bool:
    """Time each target with one piece repeated, and with twice as many; whether one is too slow."""
    failed = False
    for name in names:
        module = MODULES.get(name.partition("-")[2])
        if name not in ("template", "simple-jinja") and module is None:
            continue
        for piece in PIECES:
            for tail in (b"", b"\x01" if module else b"<<v>>"):
                small, large = (
                    _seconds(name, piece.replace("\0", "\x01" if module else "<<v>>"), size, tail)
                    for size in (SIZE, 2 * SIZE)
                )
                if large > 3.2 * small and large > 0.5:
                    print(f"{name:<22} {piece!r}: {small:.2f} s, twice as long: {large:.2f} s SLOW")
                    failed = True
    if not failed:
        print(f"no text of {2 * SIZE} characters takes more than linear time")
    return failed


def _seconds(name: str, piece: str, size: int, tail: bytes) -> float:
    """Of the processor, at best."""
    data = b"\0" + (piece * (size // len(piece))).encode() + tail + b"\xff" + CANARY
    best = float("inf")
    for _ in range(2):
        started = time.process_time()
        with contextlib.suppress(AssertionError):
            TARGETS[name](data)
        best = min(best, time.process_time() - started)
    return best

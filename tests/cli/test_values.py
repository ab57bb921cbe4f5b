"""Values go in by file, stdin and generator, and come out exactly; never by argument."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.cli.program import EXECUTABLE, Program

DROPPED = "secretkit: dropped one newline at the end (--keep-newline keeps it)"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_stdin_loses_one_newline(cli: Program, end: bytes) -> None:
    """Exactly one newline at the end of stdin is dropped, and said."""
    done = cli.ok("create", "a", "-", input=b" x\n" + end)
    assert done.lines == [DROPPED]
    assert done.text == "a v1\n"
    assert cli.ok("show", "a").out == b" x\n"


@pytest.mark.parametrize("value", [b"x", b"x\r", b"\n\nx ", b"x\n "])
def test_stdin_without_a_newline_is_kept(cli: Program, value: bytes) -> None:
    """Nothing else is trimmed, and nothing is said."""
    assert cli.ok("create", "a", "-", input=value).err == ""
    assert cli.ok("show", "a").out == value


def test_keep_newline(cli: Program) -> None:
    """--keep-newline keeps stdin byte for byte."""
    assert cli.ok("create", "a", "-", "--keep-newline", input=b"x\n").err == ""
    assert cli.ok("show", "a").out == b"x\n"


def test_a_file_is_kept_byte_for_byte(cli: Program) -> None:
    """A FILE keeps its newline, which is said, unless --strip-newline."""
    path = cli.write("value", "x\n")
    assert cli.ok("create", "a", path).lines == [
        f"secretkit: kept the newline at the end of {path} (--strip-newline drops it)"
    ]
    assert cli.ok("show", "a").out == b"x\n"
    assert cli.ok("rotate", "a", path, "--strip-newline").lines == [DROPPED]
    assert cli.ok("show", "a").out == b"x"


def test_any_bytes(cli: Program) -> None:
    """Every byte comes back, from 1 to 511 999 of them."""
    everything = bytes(range(256))
    large = os.urandom(511_999)
    for name, value in (("all", everything), ("large", large), ("nul", b"\0")):
        (cli.folder / "value").write_bytes(value)
        cli.ok("create", name, "value")
        assert cli.ok("show", name).out == value
    cli.ok("create", "stdin", "-", input=large + b"\n")
    assert cli.ok("show", "stdin").out == large


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (b"x" * 512_000, "512000 bytes, at most 511999"),
    ],
)
def test_sizes_that_are_refused(cli: Program, value: bytes, reason: str) -> None:
    """An empty or too large value is refused with exit 2, and nothing is made."""
    done = cli("create", "a", "-", "--quiet", input=value)
    assert done.code == 2
    assert done.lines == [f"secretkit: error: cannot store this value for a: {reason}"]
    assert cli.ok("ls", "-q").out == b""


@pytest.mark.parametrize("source", ["/dev/zero", "-"])
def test_endless_input_is_not_read(cli: Program, source: str) -> None:
    """No more than a value's size is read of a file without an end."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"{EXECUTABLE} create a {source} < /dev/zero"],
        cwd=cli.folder,
        env=cli.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "secretkit: error: cannot store this value for a: more than 511999 bytes\n"
    )


def test_process_substitution_and_fifos(cli: Program) -> None:
    """A pipe is a file to read: bash's <(…), and a FIFO whose writer comes later."""
    subprocess.run(
        ["/bin/bash", "-c", f"{EXECUTABLE} create a <(printf 'x y')"],
        cwd=cli.folder,
        env=cli.environ,
        check=True,
        capture_output=True,
    )
    assert cli.ok("show", "a").out == b"x y"
    fifo = cli.folder / "fifo"
    os.mkfifo(fifo)
    writer = threading.Timer(0.3, fifo.write_bytes, [b"late"])
    writer.start()
    cli.ok("create", "b", fifo)
    writer.join()
    assert cli.ok("show", "b").out == b"late"


def test_files_that_cannot_be_read(cli: Program) -> None:
    """A directory and a dangling link are named, with exit 2."""
    (cli.folder / "folder").mkdir()
    (cli.folder / "link").symlink_to("nowhere")
    for name, reason in (("folder", "is a directory"), ("link", "no such file or directory")):
        done = cli("create", "a", name)
        assert done.code == 2
        assert done.lines == [f"secretkit: error: cannot read {name}, {reason}"]


def test_no_source(cli: Program) -> None:
    """Without a source, and stdin no terminal, the error says what there is; stdin is not taken."""
    done = cli("create", "a", input=b"c4n4ry")
    assert done.code == 2
    assert done.lines == [
        "secretkit: error: no value for a",
        "hint: `secretkit create a -` reads stdin, --generate password makes one",
    ]
    cli.create("a")
    done = cli("rotate", "a", input=b"c4n4ry")
    assert (done.code, done.lines[0]) == (2, "secretkit: error: no value for a")


def test_sources_exclude_each_other(cli: Program) -> None:
    """A file and a generator, or two wishes for the newline, are a usage error."""
    for arguments, message in (
        (["-", "--generate", "pin"], "FILE and --generate exclude each other"),
        (["-", "--keep-newline", "--strip-newline"], "--keep-newline and --strip-newline exclude"),
    ):
        done = cli("create", "a", *arguments, input=b"x")
        assert done.code == 2
        assert done.lines[0].startswith(f"secretkit: error: {message}")


def test_create_twice(cli: Program) -> None:
    """A secret that exists is a conflict, exit 4, and stays as it is."""
    cli.create("a", b"first")
    done = cli("create", "a", "-", input=b"second")
    assert done.code == 4
    assert done.lines == [
        "secretkit: error: secret exists, a",
        "hint: `secretkit rotate a` makes its next version",
    ]
    assert cli.ok("show", "a").out == b"first"


def test_a_generator_is_used_again(cli: Program) -> None:
    """`rotate` without a source makes the value as `create` did."""
    assert cli.ok("create", "a", "--generate", "hex:16").text == "a v1\n"
    assert cli.ok("rotate", "a").text == "a v2\n"
    first, second = (cli.ok("show", "a", "--version", n).text for n in "12")
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert re.fullmatch("[0-9a-f]{32}", second)
    assert first != second
    assert cli.ok("rotate", "a", "--generate", "pin").text == "a v3\n"
    assert re.fullmatch("[0-9]{6}", cli.ok("show", "a").text)


def test_the_files_generator_goes_first(cli: Program) -> None:
    """secretkit.toml makes the value of `create` and `rotate`; it counts more than what was."""
    cli.ok("create", "b", "--generate", "pin")
    cli.write(
        "secretkit.toml",
        '[secrets.a]\ngenerate = "hex:16"\nlabels = { team = "core" }\n'
        '[secrets.b]\ngenerate = "uuid"\n',
    )
    cli.ok("create", "a", "--label", "tier=1")
    assert re.fullmatch("[0-9a-f]{32}", cli.ok("show", "a").text)
    assert cli.ok("ls", "--json").json[0]["labels"] == {"team": "core", "tier": "1"}
    cli.ok("rotate", "b")
    assert len(cli.ok("show", "b").text) == 36


def test_a_pair_is_made_and_rotated_together(cli: Program) -> None:
    """`tls` makes NAME-key and NAME-cert; rotating NAME or either half rotates both."""
    assert (
        cli.ok("create", "web", "--generate", "tls:db.internal").text == "web-key v1\nweb-cert v1\n"
    )
    for number, name in enumerate(("web", "web-key", "web-cert"), 2):
        assert cli.ok("rotate", name).text == f"web-key v{number}\nweb-cert v{number}\n"
        key = load_pem_private_key(cli.ok("show", "web-key").out, None)
        certificate = x509.load_pem_x509_certificate(cli.ok("show", "web-cert").out)
        assert certificate.public_key() == key.public_key()
    (cli.folder / "own.pem").write_text("mine")
    assert cli.ok("rotate", "web-cert", "own.pem").text == "web-cert v5\n"
    done = cli.ok("rollback", "web-cert")
    assert done.lines == [
        "secretkit: warning: web-key is the other half of web-cert and was left as it is:"
        " secretkit rollback web-key"
    ]


def test_a_pair_is_all_or_nothing(cli: Program) -> None:
    """Where one half exists, neither is made."""
    cli.create("web-cert")
    assert cli("create", "web", "--generate", "tls").code == 4
    assert cli.ok("ls", "-q").text == "web-cert\n"


def test_dry_run_of_rotate(cli: Program) -> None:
    """--dry-run prints the steps and takes none."""
    cli.ok("create", "a", "--generate", "pin")
    cli.ok("dev", "up")
    done = cli.ok("rotate", "a", "--dry-run")
    assert done.text == (
        f"make a v2 from generator pin, and make it current\nrefresh {cli.folder}/dev-secrets\n"
    )
    assert cli.ok("rotate", "a", "--dry-run", "--json").json == {"steps": done.text.splitlines()}
    assert cli.ok("ls", "--json").json[0]["versions"] == [1]


def test_show(cli: Program) -> None:
    """A version can be asked for; --json gives the value in base64."""
    cli.create("a", b"one\n")
    cli.ok("rotate", "a", "-", input=b"two")
    assert cli.ok("show", "a", "--version", "1").out == b"one\n"
    assert cli.ok("show", "a", "--json").json == {"name": "a", "version": 2, "value": "dHdv"}
    done = cli("show", "a", "--version", "3")
    assert done.code == 3
    assert done.lines == [
        "secretkit: error: no such version, a v3",
        "hint: `secretkit inspect a` lists its versions",
    ]


def test_a_value_stays_where_it_belongs(cli: Program, tmp_path: Path) -> None:
    """A canary shows up in the output of `show` only: no other line, file or folder has it."""
    canary = b"C4n4ry" + os.urandom(6).hex().encode()
    cli.create("a", canary)
    cli.ok("rotate", "a", "-", input=canary + b"2")
    (cli.folder / "t.ini").write_text("[x]\np = <<a>>\n")
    for arguments in (
        ["ls"],
        ["ls", "--json"],
        ["inspect", "a"],
        ["inspect", "a", "--json"],
        ["audit"],
        ["check"],
        ["doctor"],
        ["dev", "up"],
        ["dev", "status"],
        ["rollback", "a"],
        ["render", "t.ini:/dev/shm/nowhere/x"],
        ["render", "t.ini:t.out", "--diff", "--allow-disk"],
        ["--debug", "create", "a", "-"],
        ["--debug", "rotate", "a", "no-such-file"],
        ["--debug", "create", "b c", "-"],
        ["--debug", "rm", "a", "--version", "1"],
        ["prune"],
        ["backup", "copy"],
        ["dev", "down"],
        ["rm", "a"],
    ):
        cli(*arguments, input=canary)
    for done in cli.seen:
        assert canary not in done.out + done.err.encode(), done
    for path in tmp_path.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert canary not in path.read_bytes(), path


def test_rm_of_half_a_pair_names_the_other(cli: Program) -> None:
    """The certificate stays, with a warning; both together go quietly."""
    cli.ok("create", "web", "--generate", "tls")
    assert cli.ok("rm", "web-key").lines == [
        "secretkit: warning: web-cert is the other half of web-key and is still there:"
        " secretkit rm web-cert"
    ]
    cli.ok("rm", "web-cert")
    cli.ok("create", "web", "--generate", "tls")
    assert cli.ok("rm", "web-key", "web-cert").lines == []

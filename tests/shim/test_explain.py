"""--explain: where everything comes from; and no value in anything the shim ever prints."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.parse
from pathlib import Path

import pytest

from tests.shim.conftest import Shim

CANARY = 'c4n4ry"\\$`&é\n-v4lue'


def spellings(value: str) -> set[bytes]:
    """The value raw and as somebody might have encoded it, and its tell-tale parts."""
    raw = value.encode()
    return {
        raw,
        base64.b64encode(raw),
        raw.hex().encode(),
        urllib.parse.quote(value).encode(),
        json.dumps(value)[1:-1].encode(),
        b"c4n4ry",
        b"v4lue",
    }


def test_explain_names_secret_file_and_rule(every_shim: Shim, secret, tmp_path: Path) -> None:
    """For every variable and destination: which secret, which file, by which rule."""
    secret("db-password", b"1")
    secret("api-key", b"2")
    template = tmp_path / "t.yaml"
    template.write_text('a: 1\nb: "<<api_key_value>>"\n')
    mount, env = every_shim.mount, {b"PW_FILE": bytes(every_shim.mount / "api-key")}
    output = every_shim.output(
        "--explain", "--env", "DB=db-password", "--expand-file", "PW", "--env-all",
        "--render", f"{template}:/dev/shm/x.yaml,mode=0440", "--", "sh", env=env,
    )  # fmt: skip
    lines = [line.split(maxsplit=3) for line in output.decode().splitlines()]
    assert lines == [
        ["VARIABLE", "SECRET", "FILE", "RULE"],
        ["DB", "db-password", f"{mount}/db-password", "--env"],
        ["PW", "api-key", f"{mount}/api-key", "--expand-file, from PW_FILE"],
        ["API_KEY", "api-key", f"{mount}/api-key", "--env-all"],
        ["DB_PASSWORD", "db-password", f"{mount}/db-password", "--env-all"],
        [],
        ["DESTINATION", "SECRET", "FILE", "RULE"],
        ["/dev/shm/x.yaml", "--render,", "from", f"{template}, mode 0440"],
        ["/dev/shm/x.yaml", "api-key", f"{mount}/api-key", f"{template}:2:5"],
        [],
        ["PROCESS"],
        ["command", "/usr/bin/sh"],
    ]
    assert not Path("/dev/shm/x.yaml").exists()


def test_explain_columns_are_aligned(shim: Shim, secret) -> None:
    """Each column begins where its head does."""
    secret("a", b"1")
    secret("much-longer-name", b"2")
    lines = shim.output("--explain").decode().splitlines()
    column = lines[0].index("FILE")
    assert {line[column - 1 : column + 1] for line in lines[1:]} == {" /"}


def test_explain_shows_what_it_can_and_every_problem(shim: Shim, secret) -> None:
    """With something wrong: the rest on stdout, the problems on stderr, 125."""
    secret("a", b"1")
    done = shim.run("--explain", "--env", "A=a", "--env", "B=b", "nocommand")
    assert done.returncode == 125
    assert done.stdout.decode().split() == [
        "VARIABLE", "SECRET", "FILE", "RULE", "A", "a", f"{shim.mount}/a", "--env",
    ]  # fmt: skip
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_full_output_is_an_error_or_silence(shim: Shim, stream: str) -> None:
    """/dev/full: a report that cannot be written fails; a message that cannot is dropped."""
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device, not a file of ours
        done = subprocess.run(
            shim.argv("--help" if stream == "stdout" else "--nonsense"),
            env=shim.environ, check=False, **{"stdout": -1, "stderr": -1, stream: full},
        )  # fmt: skip
    assert done.returncode == 125
    if stream == "stdout":
        assert done.stderr == (
            b"secretkit-entrypoint: error: cannot write to stdout: No space left on device\n"
        )


CASES = {
    "NUL": (b"%s\0", []),
    "too long for a variable": (b"%s" * 20_000, []),
    "too big to read": (b"%s" * 100_000, []),
    "given as a name": (b"%s", ["--env", f"A={CANARY}/"]),
    "wrong name": (b"%s", ["--env", "A=canry"]),
    "refused name": (b"%s", ["--env", "LD_PRELOAD=canary"]),
    "invalid name": (b"%s", ["--env", "1=canary"]),
    "both": (b"%s", ["--expand-file", "PW"]),
    "text": (b"%s", ["--render", "{template}:/dev/shm/x"]),
    "yaml": (b"\xff%s", ["--render", "{template}:/dev/shm/x.yaml"]),
    "json": (b"%s", ["--render", "{template}:/dev/shm/x.json"]),
    "jinja": (b"%s", ["--render", "{jinja}:/dev/shm/x.yaml"]),
    "unknown format": (b"%s", ["--render", "{template}:/dev/shm/x,format=nonsense"]),
    "not JSON": (b"%s", ["--env", "A=canary#/x"]),
    "not base64": (b"%s", ["--require", "canary|base64d"]),
    "nowhere": (b'{"c4n4ry": "v4lue"}', ["--fd", "A=canary#/x", "--stdin", "canary#/y"]),
    "in arguments": (b"%s\0", ["--arg", "canary", "--allow-argv"]),
    "given as a reference": (b"%s", ["--stdin", f"{CANARY}#/x"]),
    "given as an argument": (b"%s", ["--arg", CANARY, "--allow-argv", "--explain"]),
    "to disk": (b"%s", ["--render", "{template}:{folder}/x.yaml"]),
    "no such user": (b"%s", ["--user", "nosuchuser"]),
    "no command": (b"%s", ["--env", "A=canary", "/no/such/command"]),
    "not executable": (b"%s", ["--env", "A=canary", "{folder}"]),
    "explained": (b"%s", ["--explain", "--env", "A=canary"]),
    "checked": (b"%s", ["--check", "--env", "A=canary", "nocommand"]),
}


@pytest.mark.parametrize("case", CASES)
def test_no_output_holds_a_value(every_shim: Shim, secret, tmp_path: Path, case: str) -> None:
    """Whatever goes wrong, the canary is in no line, in none of its spellings."""
    content, words = CASES[case]
    secret("canary", content.replace(b"%s", CANARY.encode()))
    template, jinja = tmp_path / "t", tmp_path / "t.j2"
    template.write_text('a: "<<canary>>" <<gone>>\n')
    jinja.write_text("{{ canary }}{{ undefined }}\n")
    names = {"template": template, "jinja": jinja, "folder": tmp_path}
    words = [word.format(**names) if word.startswith("{") else word for word in words]
    env = {b"PW": CANARY.encode(), b"PW_FILE": bytes(every_shim.mount / "canary")}
    done = every_shim.run(*words, *([] if "command" in str(words) else ["true"]), env=env)
    assert done.returncode in ((0,) if case == "explained" else (125, 126, 127))
    assert done.stdout + done.stderr
    assert [s for s in spellings(CANARY) if s in done.stdout + done.stderr] == []
    assert b"Traceback" not in done.stderr
    assert b"internal error" not in done.stderr


def test_an_error_of_our_own_shows_neither_value_nor_traceback(
    shim: Shim, secret, tmp_path: Path
) -> None:
    """A defect in the shim is one line with the place, without the message of the exception."""
    from secretkit.delivery.shim import LAUNCHER, export

    export(tmp_path / "shim")
    broken = tmp_path / "shim" / "secretkit_entrypoint" / "process.py"
    text = broken.read_text().replace(
        "def find(command, search):", "def find(command, search):\n    raise KeyError('c4n4ry')\n"
    )
    broken.write_text(text)
    shim.launcher = tmp_path / "shim" / LAUNCHER
    (line,) = shim.problems("--no-env", "true")
    number = text[: text.index("    raise KeyError")].count("\n") + 1
    assert line == f"internal error: KeyError at process.py:{number}; please report it"

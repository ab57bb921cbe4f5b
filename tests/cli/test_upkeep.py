"""`init`, `check`, `backup`, `restore`, `audit`, `key`, `doctor`, completion."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import EXECUTABLE, Program
from tests.needs import need_program


def key_of(cli: Program) -> Path:
    (path,) = Path(cli.environ["XDG_CONFIG_HOME"]).rglob("*.key")
    return path


def test_init(bare: Program) -> None:
    """A project file, a private store that git ignores, and a key outside, 0400."""
    done = bare.ok("init", "--json").json
    assert done["project"] == str(bare.folder)
    key = key_of(bare)
    assert done["key"] == str(key)
    assert key.name == f"{done['store']}.key"
    assert key.stat().st_mode & 0o777 == 0o400
    store = bare.folder / ".secretkit"
    assert store.stat().st_mode & 0o777 == 0o700
    assert (store / ".gitignore").read_text() == "*\n"
    assert 'engine = "local"' in (bare.folder / "secretkit.toml").read_text()
    done = bare("init")
    assert done.code == 4
    assert done.lines[0] == f"secretkit: error: there is a store already, {store}"


def test_init_keeps_what_is_there(bare: Program) -> None:
    """A secretkit.toml is kept; one that is wrong stops it before anything is made."""
    path = bare.write("secretkit.toml", "engin = 1\n")
    done = bare("init")
    assert done.code == 2
    assert done.lines == [
        f"secretkit: error: {path}:1: unknown key engin",
        "hint: did you mean engine?",
    ]
    assert not (bare.folder / ".secretkit").exists()
    path.write_text("# mine\n")
    bare.ok("init")
    assert path.read_text() == "# mine\n"


def test_init_elsewhere(bare: Program) -> None:
    """--project names the folder, --key-file the key; never inside the project."""
    other = bare.folder / "other"
    other.mkdir()
    done = bare("init", "--project", "other", "--key-file", "other/my.key")
    assert done.code == 2
    assert done.lines[0] == "secretkit: error: the key would be inside the project, other/my.key"
    bare.ok("init", "--project", "other", "--key-file", "my.key")
    assert (bare.folder / "my.key").stat().st_mode & 0o777 == 0o400
    bare.ok("ls", "--project", "other")
    assert bare("init", "--project", "nowhere").code == 3


def test_a_failed_init_can_be_repeated(bare: Program) -> None:
    """Where the store cannot be made, no secretkit.toml is left."""
    Path(bare.environ["XDG_CONFIG_HOME"]).write_text("in the way")
    done = bare("init")
    assert done.code in (1, 7)
    assert list(bare.folder.iterdir()) == []
    Path(bare.environ["XDG_CONFIG_HOME"]).unlink()
    bare.ok("init")


def test_bad_project_files(cli: Program) -> None:
    """A command that needs the file says what is wrong, where; `show` does not need it."""
    cli.create("db")
    path = cli.write("secretkit.toml", "[secrets.db]\ngenrate = 'pin'\n")
    for command in (["rotate", "db"], ["dev", "up"], ["create", "x", "--generate", "pin"]):
        done = cli(*command)
        assert done.code == 2
        assert done.lines == [
            f"secretkit: error: {path}:2: unknown key secrets.db.genrate",
            "hint: did you mean generate?",
        ]
    path.write_text("a = [\n")
    assert cli("rotate", "db").lines[0].startswith(f"secretkit: error: {path}")
    assert cli.ok("show", "db").out == b"v1"


def test_check(cli: Program) -> None:
    """A sound store, and one with a byte changed: every finding is a line, exit 7."""
    cli.create("db")
    assert cli.ok("check").text == "sound: 1 secret, 1 version, 2 audit entries\n"
    assert cli.ok("check", "--json").json == {
        "ok": True,
        "secrets": 1,
        "versions": 1,
        "audit_entries": 2,
        "findings": [],
    }
    import sqlite3

    (path,) = (cli.folder / ".secretkit").glob("*.db")
    connection = sqlite3.connect(path)
    connection.execute("UPDATE audit SET mac = zeroblob(32) WHERE id = 1")
    connection.commit()
    connection.close()
    done = cli("check")
    assert done.code == 7
    assert done.out == b""
    assert done.lines[0].startswith("secretkit: error: ")
    done = cli("check", "--json")
    assert (done.code, done.json["ok"]) == (7, False)
    assert done.json["findings"]


def test_wrong_and_missing_key(cli: Program) -> None:
    """Exit 7, with what was looked for and the remedy."""
    cli.create("db")
    key = key_of(cli)
    aside = cli.folder.parent / "aside.key"
    key.rename(aside)
    done = cli("show", "db")
    assert done.code == 7
    assert done.lines == [
        f"secretkit: error: no key for this store, {key} is not there",
        "hint: put a copy of the key there, or name it: SECRETKIT_KEY_FILE=PATH",
    ]
    assert cli.ok("show", "db", SECRETKIT_KEY_FILE=str(aside)).out == b"v1"
    other = cli.folder / "other"
    other.mkdir()
    cli.ok("init", "--project", "other", "--key-file", "other.key")
    done = cli("show", "db", SECRETKIT_KEY_FILE=str(cli.folder / "other.key"))
    assert done.code == 7
    assert done.lines[0].startswith("secretkit: error: wrong key, ")


def test_backup_and_restore(cli: Program) -> None:
    """A backup is a file that must not exist; an older one is restored only if that is meant, and
    dev folders follow."""
    cli.create("db", b"v1")
    cli.ok("backup", "copy")
    assert cli("backup", "copy").code == 4
    assert cli("backup", "nowhere/copy").code == 3
    cli.ok("rotate", "db", "-", input=b"v2")
    cli.ok("dev", "up")
    done = cli("restore", "copy")
    assert done.code == 7
    assert "--accept-rollback" in done.lines[1]
    assert cli.ok("show", "db").out == b"v2"
    assert cli.ok("restore", "copy", "--accept-rollback", "--json").json == {"secrets": 1}
    assert cli.ok("show", "db").out == b"v1"
    assert (cli.folder / "dev-secrets" / "db").read_bytes() == b"v1"
    assert cli("restore", "nothing").code == 3


def test_an_older_copy_of_the_store(cli: Program) -> None:
    """The whole folder put back from before is noticed, exit 7, and the way out is named."""
    cli.create("db", b"v1")
    shutil.copytree(cli.folder / ".secretkit", cli.folder / "before")
    cli.ok("rotate", "db", "-", input=b"v2")
    shutil.rmtree(cli.folder / ".secretkit")
    (cli.folder / "before").rename(cli.folder / ".secretkit")
    done = cli("show", "db")
    assert done.code == 7
    assert "restore --accept-rollback" in done.lines[1]
    cli.ok("restore", "--accept-rollback")
    assert cli.ok("show", "db").out == b"v1"


def test_audit(cli: Program) -> None:
    """Who did what to which version, oldest first; --last for the newest."""
    cli.create("db")
    cli.ok("rotate", "db", "-", input=b"v2")
    cli.ok("show", "db", "--version", "1")
    found = cli.ok("audit", "--json").json
    assert [(one["number"], one["action"], one["name"], one["version"]) for one in found] == [
        (1, "init", None, None),
        (2, "create", "db", 1),
        (3, "rotate", "db", 2),
        (4, "read", "db", 1),
    ]
    assert set(found[0]) == {"number", "time", "action", "name", "version", "user", "uid"}
    lines = cli.ok("audit", "--last", "2").text.splitlines()
    assert len(lines) == 3
    assert re.fullmatch(r"\S+Z +\S+ +read +db +v1", lines[2])


def test_keys(cli: Program) -> None:
    """A second key opens the store; the last cannot go; `rotate` replaces the key file."""
    cli.create("db")
    phrase = cli.folder.parent / "phrase"
    phrase.write_text("correct horse")
    added = cli.ok("key", "add", "--passphrase", SECRETKIT_PASSPHRASE_FILE=str(phrase))
    assert added.text == "2\n"
    found = cli.ok("key", "ls", "--json").json
    assert [(one["number"], one["kind"]) for one in found] == [(1, "key-file"), (2, "passphrase")]
    key = key_of(cli)
    before = key.read_bytes()
    cli.ok("key", "rotate", SECRETKIT_PASSPHRASE_FILE=str(phrase))
    assert key.read_bytes() != before
    assert cli.ok("show", "db").out == b"v1"
    assert cli.ok("key", "rm", "1").text == ""
    assert cli("key", "rm", "7", SECRETKIT_PASSPHRASE_FILE=str(phrase)).code == 3
    done = cli("key", "rm", "2", SECRETKIT_PASSPHRASE_FILE=str(phrase))
    assert done.code == 4
    assert "is the last one" in done.lines[0]
    key.unlink()
    assert cli.ok("show", "db", SECRETKIT_PASSPHRASE_FILE=str(phrase)).out == b"v1"


def test_more_key_files(cli: Program) -> None:
    """`key add --key-file` writes one that opens the store by itself."""
    cli.create("db")
    assert cli.ok("key", "add", "--key-file", "second.key", "--json").json["kind"] == "key-file"
    key_of(cli).unlink()
    second = str(cli.folder / "second.key")
    assert cli.ok("show", "db", SECRETKIT_KEY_FILE=second).out == b"v1"
    assert cli("key", "add", "--credential", SECRETKIT_KEY_FILE=second).code == 3


def test_doctor_on_a_sound_project(cli: Program) -> None:
    """No error: exit 0, one line for each look."""
    cli.create("db")
    cli.ok("dev", "up")
    done = cli.ok("doctor", "--json").json
    assert {one["state"] for one in done} <= {"ok", "warning"}
    assert set(done[0]) == {"state", "what", "hint"}
    assert f"dev folder {cli.folder}/dev-secrets" in [one["what"] for one in done]


def test_doctor_finds_everything_at_once(cli: Program, memory: Path) -> None:
    """Each problem has a line and a remedy; exit 1."""
    cli.create("db")
    cli.ok("dev", "up")
    shutil.rmtree(memory / "secretkit")
    cli.write(
        "secretkit.toml",
        '[secrets.a]\ngenerate = "pin"\n[secrets.b]\n[entrypoint]\nenv = { X = "nothing#/x" }\n'
        'fd = { A = "a|base64d", O = "o" }\noptional = ["o", "p#/q"]\nstdin = "p#/q"\n'
        '[[entrypoint.render]]\nsource = "gone"\ndestination = "/x"\n',
    )
    (cli.folder / "inside.key").write_bytes(key_of(cli).read_bytes())
    (cli.folder / "inside.key").chmod(0o400)
    done = cli("doctor", "--json", SECRETKIT_KEY_FILE=str(cli.folder / "inside.key"))
    assert done.code == 1
    found = {(one["state"], one["what"]) for one in done.json}
    assert {
        ("error", "declared and not created, a"),
        ("error", "declared and not created, b"),
        ("error", "[entrypoint] needs a secret that is not there, nothing"),
        ("error", "[entrypoint] needs a secret that is not there, a"),
        (
            "error",
            f"[[entrypoint.render]] needs a template that is not there, {cli.folder}/gone",
        ),
        ("error", f"the key is inside the project, {cli.folder}/inside.key"),
        ("warning", f"the dev folder is gone, {cli.folder}/dev-secrets"),
    } <= found
    assert len([what for _, what in found if "needs a secret" in what]) == 2
    assert all(one["hint"] for one in done.json if one["state"] != "ok")


@pytest.mark.parametrize("damage", ["key", "file", "project", "open"])
def test_doctor_with_nothing_to_open(cli: Program, damage: str) -> None:
    """Without key, with a bad file, outside a project, with open permissions: said, exit 1."""
    folder = cli.folder
    if damage == "key":
        key_of(cli).unlink()
        expected = "no key for this store"
    elif damage == "file":
        cli.write("secretkit.toml", "x = 1\n")
        expected = "unknown key x"
    elif damage == "open":
        (folder / ".secretkit").chmod(0o755)
        expected = "is open to others, mode 0755"
    else:
        folder = folder.parent
        expected = "no secretkit project in"
    done = cli("doctor", folder=folder)
    assert done.code == 1
    assert any(expected in line and line.startswith("error") for line in done.text.splitlines())


def test_doctor_looks_at_git(cli: Program) -> None:
    """A store that git would take, or has taken, is an error."""
    git = need_program("git")
    subprocess.run([git, "init", "-q"], cwd=cli.folder, env=cli.environ, check=True)
    assert cli.ok("doctor").text.count("git ignores .secretkit") == 1
    (cli.folder / ".secretkit" / ".gitignore").unlink()
    done = cli("doctor")
    assert (done.code, "git does not ignore .secretkit" in done.text) == (1, True)
    subprocess.run([git, "add", "."], cwd=cli.folder, env=cli.environ, check=True)
    done = cli("doctor")
    assert (done.code, ".secretkit is in version control" in done.text) == (1, True)


def test_completion_in_bash(cli: Program) -> None:
    """The script that is printed completes commands, names and generators, and leaves no trace."""
    bash = need_program("bash")
    for name in ("db-password", "db-user", "api"):
        cli.create(name)
    before = cli.ok("audit", "--json").json
    script = cli.ok("completion", "bash").text
    (cli.folder / "complete").write_text(script)

    def completed(line: str) -> list[str]:
        words = line.split(" ")
        quoted = " ".join(f"'{word}'" for word in words)
        code = (
            f"source complete; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1};"
            "_secretkit_completion secretkit; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        environ = {**cli.environ, "PATH": f"{Path(EXECUTABLE).parent}:{cli.environ['PATH']}"}
        done = subprocess.run(
            [bash, "-c", code],
            cwd=cli.folder,
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.split()

    assert completed("secretkit ro") == ["rotate", "rollback"]
    assert completed("secretkit show db") == ["db-password", "db-user"]
    assert completed("secretkit rm api db-user db") == ["db-password"]
    assert completed(f"secretkit --project {cli.folder} show a") == ["api"]
    assert completed("secretkit create x --generate pass") == ["password", "password-symbols"]
    assert completed("secretkit dev ")[:4] == ["up", "down", "status", "overrides"]
    assert cli.ok("audit", "--json").json == before
    key_of(cli).unlink()
    assert completed("secretkit show db") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(bare: Program, shell: str) -> None:
    """Each shell has its script, made for the name `secretkit`."""
    assert f"_SECRETKIT_COMPLETE={shell}_complete" in bare.ok("completion", shell).text

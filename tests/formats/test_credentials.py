"""Formats that hold logins: where a value can stand, and what their readers do at the edges."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from secretkit_entrypoint import formats
from secretkit_entrypoint.errors import ShimError
from secretkit_entrypoint.formats.netrc import _KEYWORDS

from tests.engine import Engine
from tests.needs import need_program, pythons

from . import ENTRYPOINTS
from .cases import CASES, Case
from .credentials import (
    curl,
    mariadb,
    passwords_by_libpq,
    postgres,
    read_defaults,
    read_docker,
)
from .lexing_credentials import NASTY, PIECES
from .test_render import problems, render
from .values import values

IN_URL = ["in the user or the password", "in the path", "in the query", "in the fragment"]
FIELD, PASSWORD = "in a field before the password", "in the password"
DOUBLE, SINGLE = "inside double quotes", "inside single quotes"

# `§` is a placeholder, "refused" stands for a reason.
PLACES = [
    ("url", "pg://§:§@h:1,g/d/§?k=§#§", IN_URL[:1] + IN_URL),
    ("url", "  https://h/%41§/\r\npg:///§", [IN_URL[1]] * 2),
    ("url", "jdbc:pg://h/d?password=§", [IN_URL[2]]),
    ("url", "jdbc:pg://u:§@h/d", ["refused"]),
    ("url", "§\n§://h/\nX=https://u:§@h/\n# https://u:§@h/", ["refused"] * 4),
    ("url", "https://§/\nhttps://h:§/\npg://u:§", ["refused"] * 3),
    ("url", "https://u:%§@h/\nhttps://u:%4§@h/", ["refused"] * 2),
    ("url", "https://u@v:§@h/\nhttps:\\\\u:§@h/\nhttps://u:§@h/ #", ["refused"] * 3),
    ("url", "pg://h?k=§&l=@x\npg://h/?k=§&l=@x", ["refused", IN_URL[2]]),
    ("pgpass", "h:1:d:u:§\n§:*:*:§:a§\\:b\r\n", [PASSWORD, FIELD, FIELD, PASSWORD]),
    ("pgpass", "#h:1:d:u:§\n #h:1:d:u:§", ["refused", PASSWORD]),
    ("pgpass", "h:1:d:u:\\§\nh:1:d:\\§:p\nh:1:d:u:\\\\§", ["refused", "refused", PASSWORD]),
    ("pgpass", "h:1:d:§\n§\nh:1:d:u:p:§", ["refused"] * 3),
    ("pgpass", "h\\:1:d:u:§:x", [FIELD]),
    ("netrc", "machine § login §\n\tpassword §\n", ["bare"] * 3),
    ("netrc", 'default login "§" password "a §"', ["alone in double quotes", "in double quotes"]),
    ("netrc", 'machine h password x-§\naccount a"b§', ["in an unquoted word"] * 2),
    ("netrc", 'machine h password mach§ login "§§" user §a', ["refused"] * 4),
    ("netrc", "machine h §\nmachine h password §", ["refused", "refused"]),
    ("netrc", "#a\u00a0b machine\nmachine h password §", ["refused"]),
    ("netrc", "# §\nmachine h # §\npassword § # it's\nlogin §", ["refused"] * 2 + ["bare"] * 2),
    ("netrc", "machine h password #§", ["refused"]),
    ("netrc", "machine h login § # c\n# d\npassword §\n\t# e", ["bare", "bare, above a comment"]),
    ("netrc", "#x machine y\nmachine h password §", ["refused"]),
    ("netrc", 'machine h password "§"\n# "c', ["alone in double quotes"]),
    ("netrc", '# "c\nmachine h password §', ["refused"]),
    ("netrc", "# C:\\\nmachine h password §", ["refused"]),
    ("netrc", "machine h password\n§", ["refused"]),
    ("netrc", "machine h password \n §\nlogin §", ["refused"] * 2),
    ("netrc", 'machine h login a\\ b password §\nmachine g password "§"', ["refused"] * 2),
    ("netrc", 'machine h login "a\\n" password §', ["refused"]),
    ("netrc", 'machine h login "a"b password §', ["refused"]),
    ("netrc", 'machine h login "a\npassword §', ["refused"]),
    ("netrc", 'machine h login "\\"\\\\" password "\\\\§ "', ["in double quotes"]),
    ("netrc", 'machine h password "\\§"', ["refused"]),
    ("netrc", "machine h login Machine password §", ["refused"]),
    ("netrc", "MACHINE h password §", ["refused"]),
    ("netrc", "macdef m\nmachine h password §", ["refused"]),
    ("netrc", "machine h port 21 password §", ["refused"]),
    ("cnf", "[s]\nk=§\n k-1 = § \r\n", ["bare", "bare"]),
    ("cnf", "k = \"a §\"\nk='§ #;'", [DOUBLE, SINGLE]),
    ("cnf", "k = 'it\\'s §'\nk = \"\\\\§\"", [SINGLE, DOUBLE]),
    ("cnf", "k = p://u:§@h", ["beside unquoted text"]),
    ("cnf", "# k=§\n;k=§\n[§]\n!include §\nk§=1\n§\nskip-§", ["refused"] * 7),
    ("cnf", 'k="§" # c\nk="§"x\nk="§\nk=\'§"', ["refused"] * 4),
    ("cnf", 'k="\\§"\nk=a #§\nk=a\\§\nk=a "§"', ["refused"] * 4),
    ("docker-env", "A=§\n B= § 'x'\r\nC=\"§\nD=a=§", ["value"] * 4),
    ("docker-env", "# A=§\n§\n§=1\nA =§\n=§", ["refused"] * 5),
    ("docker-env", "A='§'\nB=\"a§\"", ["refused"] * 2),
    ("compose-env", "A=§\nexport B='§'\nC=\"§\" # c\nD=x/§", ["bare", SINGLE, DOUBLE, "part"]),
    ("compose-env", "# §\nA= §\nB=\"$§\"\nC='§' x\nD: §", ["refused"] * 5),
]


@pytest.mark.parametrize(("format_name", "template", "expected"), PLACES)
def test_a_lexer_tells_the_place(format_name: str, template: str, expected: list[str]) -> None:
    """Every placeholder gets its place, or is refused."""
    places = formats.module(format_name).places(template.replace("§", "\0"))
    assert len(expected) == len(places)
    for wanted, place in zip(expected, places, strict=True):
        assert isinstance(place, formats.RefusedError) == (wanted == "refused")
        assert wanted == "refused" or str(place).startswith(wanted)


def _is_utf8(value: bytes) -> bool:
    return value.decode("utf-8", "replace").encode() == value


def _has(value: bytes, characters: bytes) -> bool:
    return not set(characters).isdisjoint(value)


# What a format may refuse at most: all that it cannot hold.
FORBIDDEN = {
    "url": lambda value: _has(value, b"\0") or not value.strip(b"."),
    "pgpass": lambda value: _has(value, b"\0\r\n") or not value,
    "netrc": lambda value: _has(value, b"\0\r\n") or not _is_utf8(value) or not value,
    "cnf": lambda value: _has(value, b"\0"),
    "docker-env": lambda value: _has(value, b"\0\r\n") or not _is_utf8(value),
    "compose-env": lambda value: (
        _has(value, b"\0") or not _is_utf8(value) or b"${" in value
        or (_has(value, b"$'\r\\\"") and (_has(value, b"'\r") or value[-1:] in b"\\\""
                                          or b"\\\\" in value))
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.format in FORBIDDEN and case.context in ("bare", "password",
     "password in text", "user", "path", "query", "fragment", "double", "login", "value")],
    ids=lambda case: case.id,
)  # fmt: skip
def test_only_what_a_format_cannot_hold_is_refused(case: Case) -> None:
    """Alone or in quotes, a value is refused only if the format has no way to write it."""
    refused = [value for value in values(seed=2, count=2000) if case.refusal(value)]
    assert [value for value in refused if not FORBIDDEN[case.format](value)] == []


# --- URLs


def test_the_filter_and_the_format_encode_once(tmp_path: Path) -> None:
    """In a file of URLs |url is the same as no filter, in both template syntaxes."""
    secrets = {"p": b"a b/%41", "dots": b"..", "nul": b"\0"}
    for source, opening, closing in (
        ("t", "<<", ">>"),
        ("t.j2", "{{", "}}"),
        ("t.j2", "{{ (", ") }}"),
    ):
        text = f"pg://u:{opening}p|url{closing}@h/{opening}p{closing}"
        expected = "pg://u:a%20b%2F%2541@h/a%20b%2F%2541"
        if closing == ") }}":
            pytest.importorskip("jinja2")
        assert expected == render(tmp_path, text, secrets, source=source, format_name="url")
    for text in (
        "pg://h/<<dots>>",
        "pg://h/<<dots|url>>",
        "pg://u:<<nul>>@h/",
        "pg://<<nul|url>>@h/",
    ):
        assert len(problems(tmp_path, text, secrets, format_name="url")) == 1


# --- PostgreSQL


def test_a_field_of_a_password_file_is_no_pattern(tmp_path: Path) -> None:
    """A user `*` is that user, and a host that begins with # no comment."""
    need_program("psql")
    secrets = {"star": b"*", "hash": b"#h:1"}
    rendered = render(
        tmp_path, "h:*:*:<<star>>:1\n<<hash>>:*:*:u:2\n", secrets, format_name="pgpass"
    )
    path = tmp_path / "pgpass"
    path.write_text(rendered)
    logins = [(b"h", b"*"), (b"h", b"u"), (b"#h:1", b"u")]
    assert passwords_by_libpq(path, logins) == [b"1", b"", b"2"]


@pytest.mark.parametrize(
    ("mode", "found"), [(0o400, b"p"), (0o600, b"p"), (0o640, b""), (0o604, b"")]
)
def test_libpq_ignores_a_password_file_that_others_may_read(
    mode: int, found: bytes, tmp_path: Path
) -> None:
    """That is why the shim refuses such a mode; with what it tells, libpq reads the file."""
    need_program("psql")
    path = tmp_path / "pgpass"
    path.write_text("h:*:*:u:p\n")
    assert passwords_by_libpq(path, [(b"h", b"u")], mode) == [found]
    done = shim(tmp_path, "h:*:*:u:<<v>>", f"{tmp_path}/.pgpass,mode={mode:04o}", "true")
    assert done.returncode == (0 if found else 125)
    if not found:
        assert b"use mode=0600" in done.stderr


def shim(
    folder: Path, template: str, destination: str, *command: str, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """The shim as a process, with one secret `v`."""
    (folder / "secrets").mkdir(exist_ok=True)
    (folder / "secrets" / "v").write_bytes(SECRET + b"\n")
    (folder / "template").write_text(template)
    return subprocess.run(
        [
            *(sys.executable, "-ISB", str(ENTRYPOINTS / "secretkit-entrypoint"), "--allow-disk"),
            *("--secrets-dir", f"{folder}/secrets", "--render", f"{folder}/template:{destination}"),
            *("--", *command),
        ],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        check=False,
    )


SECRET = "p@ss:w/o\\r\"d's $ #1 % ä".encode()


@pytest.mark.parametrize("by", ["url", "pgpass"])
def test_psql_logs_in_with_what_the_shim_rendered(by: str, tmp_path: Path) -> None:
    """From a secret's file to a session of a real server, through the shim as a process."""
    need_program("psql")
    with postgres([SECRET]) as environment:
        login = {"PGPORT": environment["PGPORT"], "PGDATABASE": "postgres", "HOME": str(tmp_path)}
        if by == "pgpass":
            destination = f"{tmp_path}/.pgpass"
            command = ["psql", "-h", "127.0.0.1", "-U", "u0", "-XAtwc", "SELECT current_user"]
            done = shim(tmp_path, "*:*:*:u0:<<v>>\n", destination, *command, **login)
        else:
            template, destination = (
                "postgresql://u0:<<v>>@127.0.0.1\n",
                f"{tmp_path}/url,format=url",
            )
            command = ["sh", "-c", f'psql "$(cat {tmp_path}/url)" -XAtwc "SELECT current_user"']
            done = shim(tmp_path, template, destination, *command, **login)
    assert (done.stdout, done.stderr) == (b"u0\n", b"")


# --- curl and Python's netrc


@pytest.mark.parametrize("word", ['<<v>>"', "<<v>>#", "<<v>>", '"<<v>>"', "a-<<v>>"])
def test_an_empty_value_leaves_no_quote_and_no_comment_behind(word: str, tmp_path: Path) -> None:
    """The text beside it would become the beginning of a word; and curl knows no empty values."""
    (problem,) = problems(tmp_path, f"machine h password {word}", {"v": b""}, format_name="netrc")
    assert "it is empty" in problem


def test_a_value_that_is_a_keyword_would_hide_another_login(tmp_path: Path) -> None:
    """curl looks for keywords in the entries of other machines, so such values are refused."""
    need_program("curl")
    (tmp_path / "netrc").write_text(
        'machine a login u password "machine"\nmachine b login v password w\n'
    )
    hidden = curl(f'netrc-file = "{tmp_path}/netrc"\nurl = "http://b/0"\n'.encode())
    assert hidden == {0: b""}
    for word in _KEYWORDS:
        for text in ("machine a password <<v>>", 'machine a password "<<v>>"'):
            for value in (word, word.upper()):
                (problem,) = problems(tmp_path, text, {"v": value.encode()}, format_name="netrc")
                assert "it is a keyword of the format" in problem


LONG = [("cnf", "[g0]\npassword = <<v>>"), ("netrc", "machine h0 login u password <<v>>")]


@pytest.mark.parametrize(("format_name", "text"), LONG, ids=["cnf", "netrc"])
def test_the_longest_line_is_read_and_a_longer_one_refused(
    format_name: str, text: str, tmp_path: Path
) -> None:
    """Readers cut long lines, or drop them: the shim refuses before they do."""
    need_program("my_print_defaults" if format_name == "cnf" else "curl")
    lengths = (n for n in range(1700, 2100) if accepts(tmp_path, format_name, text, b'"' * n))
    longest = b'"' * max(lengths)
    assert 1950 < len(longest) < 2000
    data = render(tmp_path, text, {"v": longest}, format_name=format_name).encode()
    if format_name == "cnf":
        assert read_defaults(data, tmp_path) == [longest]
        # What would happen: the rest of the line is one of its own.
        cut = read_defaults(b'[g0]\npassword = "' + b"x" * 5000 + b'"', tmp_path)
        assert cut != [b"x" * 5000]
    else:
        (tmp_path / "netrc").write_bytes(data)
        found = curl(f'netrc-file = "{tmp_path}/netrc"\nurl = "http://h0/0"\n'.encode())
        assert found == {0: b"u:" + longest}


def accepts(folder: Path, format_name: str, text: str, value: bytes) -> bool:
    """Whether `value` can be rendered."""
    try:
        render(folder, text, {"v": value}, format_name=format_name)
    except ShimError:
        return False
    return True


@pytest.mark.parametrize("python", pythons())
def test_every_python_reads_what_is_written_without_quotes(python: str, tmp_path: Path) -> None:
    """Before 3.11 Python's netrc knew no quotes, so a value gets them only where it needs them."""
    bare = next(case for case in CASES if case.id == "netrc-bare")
    given = [value for value in values(seed=8, count=1500) if bare.refusal(value) is None]
    rendered = bare.render(tmp_path, given).split(b"\n")
    lines = [line for line in rendered if b'password "' not in line]
    assert len(lines) > 300
    (tmp_path / "netrc").write_bytes(b"\n".join(lines))
    script = "import netrc, sys; [print(h[2]) for h in netrc.netrc(sys.argv[1]).hosts.values()]"
    done = subprocess.run(
        [python, "-c", script, str(tmp_path / "netrc")], capture_output=True, check=True
    )
    assert done.stdout.split() == [line.rpartition(b" ")[2] for line in lines]


ENTRIES = (
    "\nmachine h login u password <<v>>\n",
    '\nmachine g login "<<v>>" password p\n',
    '\nmachine g\n\tlogin a-<<v>>\n\tpassword "x <<v>>"\n',
    "\ndefault login <<v>> password <<v>>",
    "\nmachine i login <<v>> password <<v>> # machine h\n",
)


def test_random_templates_are_refused_or_read_right_by_curl(tmp_path: Path) -> None:
    """Whatever surrounds a placeholder: curl finds the login that it finds with harmless values."""
    need_program("curl")
    random = Random(9)
    attempts = []
    while len(attempts) < 250:
        pieces = random.choices(ENTRIES * 12 + PIECES["netrc"], k=random.randrange(1, 6))
        first, *rest = "".join(pieces).split("<<v")
        text = first + "".join(f"<<v{n}{piece}" for n, piece in enumerate(rest))
        given = random.choices((*NASTY["netrc"], b"'", b'"', b"\\", b'a"b\\', b" x "), k=len(rest))
        names = [f"v{n}" for n in range(len(rest))]
        tokens = [b"standin%dz" % n for n in range(len(rest))]
        try:
            both = [
                render(tmp_path, text, dict(zip(names, some, strict=True)), format_name="netrc")
                for some in (tokens, given)
            ]
        except ShimError:
            continue
        if rest:
            attempts.append((text, given, both))
    hosts = ("h", "g", "other")
    keys = iter(range(6 * len(attempts)))
    config = []
    for number, (_text, _given, both) in enumerate(attempts):
        for which, rendered in enumerate(both):
            path = tmp_path / f"{number}.{which}"
            path.write_text(rendered, newline="")
            urls = (f'url = "http://{host}/{next(keys)}"\n' for host in hosts)
            config.append(f'netrc-optional\nnetrc-file = "{path}"\n{"".join(urls)}')
    # curl fails for a file that it cannot read, also with harmless values, and goes on.
    logins = curl("next\n".join(config).encode(), check=False)
    wrong, same = [], 0
    for number, (text, given, _both) in enumerate(attempts):
        for key in range(6 * number, 6 * number + len(hosts)):
            expected, actual = (logins.get(k, b"unreadable") for k in (key, key + len(hosts)))
            same += b"standin" in expected
            for n, value in enumerate(given):
                expected = expected.replace(b"standin%dz" % n, value)
            if expected != actual:
                wrong.append((text, given, actual))
    assert wrong == []
    assert same > 250


# --- MySQL and MariaDB


def test_mariadb_logs_in_with_what_the_shim_rendered(tmp_path: Path) -> None:
    """The command-line client, through the shim as a process."""
    client = need_program("mariadb")
    with mariadb([SECRET]) as socket:
        template = f"[client]\nsocket = {socket}\nuser = u0\npassword = <<v>>\n"
        command = [client, f"--defaults-file={tmp_path}/my.cnf", "-Nse", "SELECT user()"]
        done = shim(tmp_path, template, f"{tmp_path}/my.cnf", *command)
    assert (done.stdout, done.stderr) == (b"u0@localhost\n", b"")


def test_a_file_that_everybody_may_write_is_ignored_and_refused(tmp_path: Path) -> None:
    """MariaDB's programs say so and go on without it; the shim does not."""
    program = need_program("my_print_defaults")
    path = tmp_path / "my.cnf"
    path.write_text("[s]\nk=v\n")
    path.chmod(0o666)
    command = [program, f"--defaults-file={path}", "s"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.stdout, b"World-writable" in done.stderr) == (b"", True)
    done = shim(tmp_path, "[s]\nk=<<v>>\n", f"{path},mode=0666", "true")
    assert (done.returncode, b"use mode=0664" in done.stderr) == (125, True)


# --- Docker


def test_a_container_gets_every_value_of_its_env_file(engine: Engine, tmp_path: Path) -> None:
    """`docker run --env-file` on a real engine: five thousand variables, and no byte differs."""
    case = next(case for case in CASES if case.id == "docker-env-value")
    given = [value for value in values(seed=11, count=7200) if case.refusal(value) is None][:5000]
    assert len(given) == 5000
    path = tmp_path / "rendered.env"
    path.write_bytes(case.render(tmp_path, given))
    assert read_docker(path.read_bytes(), tmp_path) == given
    script = "import os; [print(os.environb[b'K%d' % n].hex()) for n in range(5000)]"
    options = ["--rm", "--network", "none", "--env-file", str(path)]
    printed = engine.docker("run", *options, engine.image, "/usr/bin/python3", "-ISc", script)
    assert [bytes.fromhex(line) for line in printed.split("\n")] == given

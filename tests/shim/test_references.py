"""References: a value inside a secret, wherever an option names one."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretkit.delivery.shim import locate
from tests.needs import need_program
from tests.shim.conftest import Shim

sys.path.insert(0, str(locate()))

from secretkit_entrypoint import references

# Every kind of key that RFC 6901 has an example for (section 5), with a text to point at.
KEYS = {
    "": "/", "a/b": "/a~1b", "c%d": "/c%d", "e^f": "/e^f", "g|h": "/g|h", "i\\j": "/i\\j",
    'k"l': '/k"l', " ": "/ ", "m~n": "/m~0n", "~1": "/~01", "ä€😀": "/ä€😀", "0": "/0", "#": "/#",
}  # fmt: skip


def test_a_pointer_is_read_as_rfc_6901_says(every_shim: Shim, secret) -> None:
    """Escapes, empty keys, array indexes, nesting, and the empty pointer."""
    table = {key: f"value {number}" for number, key in enumerate(KEYS)}
    secret("table", json.dumps(table).encode())
    secret("list", b'[["first"], {"x": ["a", "b"]}]')
    secret("text", b'"whole"\n')
    words = [f"--env=V{number}=table#{pointer}" for number, pointer in enumerate(KEYS.values())]
    words += ["--env=A=list#/0/0", "--env=B=list#/1/x/1", "--env=C=text#"]
    expected = {b"V%d" % number: b"value %d" % number for number in range(len(KEYS))}
    expected.update({b"A": b"first", b"B": b"b", b"C": b"whole"})
    assert every_shim.variables(*words) == expected


def test_a_value_is_as_it_is_written(every_shim: Shim, secret) -> None:
    """Texts in UTF-8; numbers digit by digit; true and false; one line end goes, as ever."""
    numbers = ["0", "-0", "1.10", "1E+5", "0.1000000000000000055511151231257827", "9" * 5000]
    secret("numbers", f"[{', '.join(numbers)}]".encode())
    secret("rest", b'\xef\xbb\xbf[true, false, "\\u00e9\\ud83d\\ude00\\u007f", "a\\n\\n", " "]\r\n')
    words = [f"--env=N{index}=numbers#/{index}" for index in range(len(numbers))]
    words += [f"--env=R{index}=rest#/{index}" for index in range(5)]
    values = every_shim.variables(*words)
    assert [values[b"N%d" % index].decode() for index in range(len(numbers))] == numbers
    rest = [values[b"R%d" % index].decode() for index in range(5)]
    assert rest == ["true", "false", "é😀\x7f", "a\n", " "]


SCALARS = st.booleans() | st.integers() | st.text()
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def leaves(place, pointer: str = ""):
    """Every pointer to a scalar in a document, and the scalar."""
    if isinstance(place, dict):
        for key, inner in place.items():
            yield from leaves(inner, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(place, list):
        for index, inner in enumerate(place):
            yield from leaves(inner, f"{pointer}/{index}")
    else:
        yield pointer, place


@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 1]))
def test_every_scalar_of_any_document_is_found(document, ascii_only: bool, indent) -> None:
    """Whatever the keys and however it is written, a pointer leads to the value and no other."""
    content = json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode()
    for pointer, value in leaves(document):
        reference = b"s#" + pointer.encode()
        expected = value if isinstance(value, str) else json.dumps(value)
        assert references.secret(reference) == b"s"
        assert references.resolve({b"s": content}.__getitem__, reference) == expected.encode()


@given(st.binary(max_size=200))
def test_base64_is_taken_back_and_nothing_else_is(value: bytes) -> None:
    """What encoders write is read, wrapped or not; with a byte too few it is refused."""
    for text in (base64.b64encode(value), base64.encodebytes(value)):
        secrets = {b"s": text, b"j": json.dumps([text.decode()]).encode()}
        for reference in (b"s|base64d", b"j#/0|base64d"):
            assert references.resolve(secrets.__getitem__, reference) == value
    if value:
        with pytest.raises(references.ShimError):
            references.base64d(base64.b64encode(value)[:-1], "it")


@pytest.mark.parametrize("command", [["base64"], ["openssl", "base64"], ["busybox", "base64"]])
def test_base64_of_the_usual_programs(every_shim: Shim, secret, command: list[str]) -> None:
    """A secret made by base64(1) or openssl, with their line breaks."""
    value = bytes(range(1, 256))
    need_program(command[0])
    secret("cert", subprocess.run(command, input=value, capture_output=True, check=True).stdout)
    assert every_shim.variables("--env", "CERT=cert|base64d") == {b"CERT": value}


DATABASE = b"""{
  "user": "c4n4ry",
  "list": [1, {"a/b": "x", "tokens": {}}],
  "none": null, "half": "\\ud800", "n": "a\\u0000b"
}
"""
NOT_JSON = "so no pointer leads into it: mend the secret"
WRONG = {
    "db#/usr": "secret db#/usr: the pointer leads nowhere (did you mean /user?): correct it, or "
    "say --optional db#/usr",
    "db#/list/1/a~1c": "secret db#/list/1/a~1c: the pointer leads nowhere (did you mean "
    "/list/1/a~1b?): correct it, or say --optional db#/list/1/a~1c",
    "db#/user/0": "secret db#/user/0: the pointer leads nowhere: correct it, or say --optional "
    "db#/user/0",
    **{
        f"db#/list/{index}": f"secret db#/list/{index}: the pointer leads nowhere: correct it, or "
        f"say --optional db#/list/{index}"
        for index in ("2", "-", "-1", "00", "01", "1.0", "\u0661", "9" * 5000)
    },
    "db#/none": "secret db#/none: it is null: correct it, or say --optional db#/none",
    "db#": "secret db#: it is an object: name a value in it, or make it a secret of its own",
    "db#/list": "secret db#/list: it is an array: name a value in it, or make it a secret of its "
    "own",
    "db#/half": "secret db#/half: it has half a character (such as \\ud800), which no encoding can "
    "express: mend the secret",
    "db#user": "secret db#user: a pointer begins with `/`: write db#/user",
    "db#/~2": "secret db#/~2: in a pointer `~` is written ~0, and `/` in a key ~1",
    "db#/n": "secret db#/n contains a NUL byte, which no variable can hold ({variable}): use a "
    "file, with --render or by its path",
    "plain#/x": f"secret plain: it is not JSON (line 1), {NOT_JSON}",
    "lines#/x": f"secret lines: it is not JSON (line 3), {NOT_JSON}",
    "nan#/x": f"secret nan: it is not JSON, {NOT_JSON}",
    "latin#/x": f"secret latin: it is not JSON, {NOT_JSON}",
    "deep#/x": f"secret deep: it is nested too deeply, {NOT_JSON}",
    "twice#/x": f"secret twice: a key stands twice in one object, {NOT_JSON}",
    "empty#/x": "secret empty#/x is empty: give it a value, or say --optional empty#/x",
    "db|base64": "secret db|base64: there is no such filter: only |base64d can stand there",
    "gone#/x": "secret gone: no such file in {mount}; give it to the container, or say --optional "
    "gone",
    **{
        f"{name}|base64d": f"secret {name.partition('|')[0]}: it is not base64 (RFC 4648, section "
        "4, with padding): store it so, or leave out |base64d"
        for name in ("db", "db#/user", "padless", "urlsafe", "bits")
    },
}


def test_what_cannot_be_resolved_is_one_line(every_shim: Shim, secret) -> None:
    """The line names the secret and the pointer, and nothing of the content."""
    files = {
        "db": DATABASE, "plain": b"c4n4ry", "lines": b'{"a":\n1,\n c4n4ry}', "nan": b"[NaN]",
        "latin": b'"\xe9"', "deep": b"[" * 200_000, "twice": b'{"x": 1, "x": 2}', "empty": b"\n",
        "padless": b"QQ", "urlsafe": b"_-==", "bits": b"QR==",
    }  # fmt: skip
    for name, content in files.items():
        secret(name, content)
    words = [f"--env=A{number}={reference}" for number, reference in enumerate(WRONG)]
    lines = every_shim.problems(*words, "true")
    names = {"mount": every_shim.mount, "variable": f"A{list(WRONG).index('db#/n')}"}
    assert lines == [line.format(**names) for line in WRONG.values()]


def test_what_names_no_secret_is_not_repeated(shim: Shim) -> None:
    """A value given in place of a reference does not end in a log."""
    names = ["hunter2 $x#/y", "#/x", "|base64d", "../x#/y", ".#/x", "/etc/passwd|base64d"]
    for name in names:
        (line,) = shim.problems("--env", f"A={name}", "true")
        assert line.startswith("what is given as the name of a secret cannot be one: it names a ")


def test_a_file_of_exactly_that_name_is_the_secret(shim: Shim, secret) -> None:
    """No engine allows such a name, but a folder may have one: it is read as any other."""
    secret("a#b", b"1")
    secret("a|base64d", b"QQ==")
    secret("a", b"Qg==")
    words = ("--env", "A=a#b", "--env", "B=a|base64d", "--env", "C=a")
    assert shim.variables(*words) == {b"A": b"1", b"B": b"QQ==", b"C": b"Qg=="}


def test_optional_names_a_secret_or_one_reference(shim: Shim, secret) -> None:
    """--optional db: the file may be missing or empty; --optional db#/x: also that value."""
    words = ("--env", "A=db#/a", "--env", "B=db#/b")
    assert shim.variables(*words, "--optional", "db") == {}
    both = ("--optional", "db#/a", "--optional", "db#/b")
    assert shim.variables(*words, *both) == {}
    assert len(shim.problems(*words, "--optional", "db#/a", "true")) == 1
    secret("db", b"")
    assert shim.variables(*words, "--optional", "db") == {b"A": b"", b"B": b""}
    secret("db", b'{"a": ""}')
    (line,) = shim.problems(*words, "--optional", "db", "true")
    assert line.startswith("secret db#/b: the pointer leads nowhere")
    assert shim.variables(*words, *both) == {b"A": b""}
    secret("db", b'{"a": "x", "b": null}')
    assert shim.variables(*words, *both) == {b"A": b"x"}


def test_every_way_to_name_a_secret_takes_a_reference(shim: Shim, secret, tmp_path: Path) -> None:
    """Options, variables, config file; --require asks for the value, not for the file alone."""
    secret("db", b'{"a": "1", "b": "2", "empty": ""}')
    config = tmp_path / "config.json"
    config.write_text('{"env": {"A": "db#/a"}, "require": ["db#/a"]}')
    env = {b"SECRETKIT_ENV": b"B=db#/b"}
    assert shim.variables("--config", str(config), env=env) == {b"A": b"1", b"B": b"2"}
    lines = shim.problems("--no-env", "--require", "db#/empty", "--require", "db#/c", "true")
    assert lines == [
        "secret db#/empty is empty: give it a value, or say --optional db#/empty",
        "secret db#/c: the pointer leads nowhere: correct it, or say --optional db#/c",
    ]


def test_explain_shows_the_reference_and_its_file(shim: Shim, secret) -> None:
    """Which secret, which place in it, which file."""
    secret("db", b'{"a": "c4n4ry"}')
    output = shim.output("--explain", "--env", "A=db#/a")
    assert output.decode().splitlines()[1].split() == ["A", "db#/a", f"{shim.mount}/db", "--env"]


def test_check_looks_at_the_value_and_not_at_the_rest(shim: Shim, secret) -> None:
    """A value that would hurt is told of the reference; how the secret is stored does not hurt."""
    secret("cert", base64.b64encode(b"-----BEGIN CERTIFICATE-----"))
    secret("db", b'{"x": "s3cret value ", "y": "fine"} \n\n')
    words = ("--check", "--fd", "CERT=cert|base64d", "--stdin", "db#/x", "--env", "Y=db#/y", "true")
    done = shim.run(*words)
    assert (done.returncode, done.stderr.decode()) == (
        0,
        "secretkit-entrypoint: warning: secret db#/x ends with white space, which is part of the "
        "value (one line end at the end is not): write it without\n",
    )

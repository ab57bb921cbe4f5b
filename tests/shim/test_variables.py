"""Which variables a process gets: names, values, limits, and which are refused."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shim.conftest import Shim

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=20).map("x_{}".format)
VALUES = st.binary(max_size=200).map(lambda value: value.replace(b"\0", b"\n"))
STEERING = """
LD_PRELOAD LD_LIBRARY_PATH DYLD_INSERT_LIBRARIES GLIBC_TUNABLES GCONV_PATH LOCPATH PATH IFS ENV
BASH_ENV BASH_FUNC_x SHELLOPTS PS4 PROMPT_COMMAND HOME PYTHONPATH PYTHON PERL5LIB RUBYOPT
NODE_OPTIONS JAVA_TOOL_OPTIONS _JAVA_OPTIONS DOTNET_STARTUP_HOOKS GIT_SSH_COMMAND HTTP_PROXY
http_proxy https_proxy no_PROXY ld_preload
"""


# Each example starts a process, for up to 20 values.
@settings(max_examples=max(settings.default.max_examples // 5, 10))
@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=20))
def test_every_value_without_nul_passes_through_exactly(values: dict[str, bytes]) -> None:
    """Any bytes but NUL, of any encoding: the variable is the file, less one newline."""
    with tempfile.TemporaryDirectory() as folder:
        words: list[str] = []
        expected = {}
        for name, value in values.items():
            (Path(folder) / name).write_bytes(value + b"\r\n")
            words += ["--env", f"{name}={name}", "--optional", name]
            expected[name.encode()] = value
        assert Shim(Path(folder)).variables(*words) == expected


def test_env_takes_one_secret_by_name(every_shim: Shim, secret) -> None:
    """--env NAME=SECRET, in both spellings of an option, sets that one and no other."""
    secret("db-password", b"1")
    secret("other", b"2")
    words = ("--env", "A=db-password", "--env=b_2=db-password")
    assert every_shim.variables(*words) == {b"A": b"1", b"b_2": b"1"}


def test_env_all_maps_names_and_takes_a_prefix(every_shim: Shim, secret) -> None:
    """`-` and `.` become `_`, letters upper case; a prefix stands before, as it is."""
    secret("db-pass.word_v", b"1")
    secret("1st", b"2")
    secret(".gitignore", b"*")
    expected = {b"app_DB_PASS_WORD_V": b"1", b"app_1ST": b"2"}
    assert every_shim.variables("--env-prefix", "app_") == expected


def test_env_has_precedence_over_env_all(shim: Shim, secret) -> None:
    """--env for a variable decides, and so resolves two names that collide."""
    secret("a-b", b"1")
    secret("a_b", b"2")
    assert shim.variables("--env-all", "--env", "A_B=a_b") == {b"A_B": b"2"}


def test_what_another_option_names_need_not_fit_under_env_all(shim: Shim, secret) -> None:
    """The remedies of --env-all: --env with another name, --fd for what no variable holds."""
    for name in ("9digit", "http-proxy", "a b"):
        secret(name, b"1")
    secret("binary", b"\0")
    rest = ("--fd", "BINARY_FILE=binary")
    assert len(shim.problems("--env-all", "true")) == 4
    words = ("--env-all", "--env", "NINE=9digit", "--env", "MYP=http-proxy")
    assert len(shim.problems(*words, *rest, "true")) == 1
    found = shim.variables(*words, *rest, "--env", "AB=a b")
    assert found == {b"NINE": b"1", b"MYP": b"1", b"AB": b"1", b"BINARY_FILE": b"/dev/fd/3"}
    # Required is not delivered; and which of two is meant is still to be said.
    (line,) = shim.problems(*words, *rest, "--require", "a b", "true")
    assert line.startswith("secret a b: A B cannot be the name of a variable")
    secret("a.b", b"1")
    secret("a-b", b"1")
    (line,) = shim.problems(*words, *rest, "--env", "X=a b", "--env", "Y=a.b", "true")
    assert line.startswith("secrets a-b and a.b both become the variable A_B: choose one")


def test_two_secrets_for_one_variable_are_an_error(every_shim: Shim, secret) -> None:
    """a-b and a_b both become A_B: neither is taken by chance."""
    secret("a-b", b"1")
    secret("a_b", b"1")
    assert every_shim.problems("true") == [
        "secrets a-b and a_b both become the variable A_B: choose one with --env A_B=SECRET"
    ]


@pytest.mark.parametrize("name", STEERING.split())
def test_names_that_steer_a_process_are_refused(shim: Shim, secret, name: str) -> None:
    """Whatever the source, such a name is an error, unless that one name is permitted."""
    secret("value", b"1")
    line = (
        f"the variable {name} is refused, as it can change what the process runs: use another "
        f"name, or permit it with --allow-name {name}"
    )
    assert shim.problems("--env", f"{name}=value", "true") == [f"--env: {line}"]
    assert shim.problems("--expand-file", name, "--no-env", "true") == [
        "no_env and expand_file exclude each other"
    ]
    assert shim.problems("--expand-file", name, "true") == [f"--expand-file: {line}"]
    assert shim.problems("--env", f"{name}=value", "--allow-name", name + "X", "true") == [
        f"--env: {line}"
    ]


def test_env_all_refuses_such_names_too(every_shim: Shim, secret) -> None:
    """A secret called ld.preload or path stops the start; one called proxy does not."""
    secret("ld.preload", b"1")
    secret("path", b"2")
    secret("proxy", b"3")
    lines = every_shim.problems("true")
    assert [line.split(" is refused")[0] for line in lines] == [
        "secret ld.preload: the variable LD_PRELOAD",
        "secret path: the variable PATH",
    ]


def test_one_name_can_be_permitted(every_shim: Shim, secret) -> None:
    """--allow-name lifts the refusal of exactly that name."""
    secret("token", b"1")
    words = ("--env", "GIT_TOKEN=token", "--allow-name", "GIT_TOKEN")
    assert every_shim.variables(*words) == {b"GIT_TOKEN": b"1"}


@pytest.mark.parametrize("name", ["1A", "A-B", "A B", "Ä", "A\n", "A.B"])
def test_a_name_that_is_no_identifier_is_refused(shim: Shim, secret, name: str) -> None:
    """Variables match [A-Za-z_][A-Za-z0-9_]*, from --env and from a file's name."""
    secret("a", b"1")
    rule = (
        "cannot be the name of a variable (letters, digits and _, not starting with a digit): "
        "name one with --env NAME=SECRET"
    )
    assert shim.problems("--env", f"{name}=a", "true") == [f"--env: what it names {rule}"]
    secret("1st", b"1")
    assert shim.problems("true") == [f"secret 1st: 1ST {rule}"]


@pytest.mark.parametrize("extra", [0, 1])
def test_one_variable_holds_what_the_kernel_takes(every_shim: Shim, secret, extra: int) -> None:
    """name=value and its NUL fit in 131 072 bytes: the last that fits, and one more."""
    secret("big", b"x" * (131072 - 2 - 3 + extra))
    if not extra:
        assert len(every_shim.variables()[b"BIG"]) == 131067
        return
    assert every_shim.problems("true") == [
        "secret big is too long for the variable BIG (131068 bytes; the kernel takes 131067): "
        "use a file, with --render or by its path"
    ]


def test_200_kb_is_too_long_for_a_variable(shim: Shim, secret) -> None:
    """A whole keystore does not fit: the message says to use a file."""
    secret("keystore", b"x" * 200_000)
    (line,) = shim.problems("--env", "KEYSTORE=keystore", "true")
    assert line.endswith(
        "(200000 bytes; the kernel takes 131062): use a file, with --render or by its path"
    )


def test_all_variables_together_fit_or_are_refused(shim: Shim, secret) -> None:
    """The kernel takes a quarter of the stack's limit: right below it starts, above is refused."""
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))

    for number in range(4):
        secret(f"s{number}", b"x" * 60_000)
    assert len(shim.variables(preexec_fn=limit)) == 4
    secret("s4", b"x" * 60_001)
    (line,) = shim.problems("true", preexec_fn=limit)
    assert line.startswith("environment and arguments together have 300")
    assert line.endswith(
        "more than the kernel takes (262144): the largest secret is s4: use a file, with "
        "--render or by its path"
    )


def test_what_is_said_to_fit_does_fit(shim: Shim, secret) -> None:
    """Growing the environment byte by byte past the limit never meets the kernel's own refusal."""
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))

    for number in range(4):
        secret(f"s{number}", b"x" * 60_000)
    statuses = []
    for size in range(21_000, 22_200, 100):
        secret("s4", b"x" * size)
        statuses.append(shim.run("--", "/bin/true", preexec_fn=limit).returncode)
    assert statuses == sorted(statuses)
    assert set(statuses) == {0, 125}


def test_nul_is_refused(every_shim: Shim, secret) -> None:
    """No variable can hold a NUL."""
    secret("a", b"x\0y")
    assert every_shim.problems("true") == [
        "secret a contains a NUL byte, which no variable can hold (A): use a file, with --render "
        "or by its path"
    ]


def test_expand_file_follows_the_official_images(every_shim: Shim, secret, tmp_path: Path) -> None:
    """NAME_FILE=/path becomes NAME; NAME_FILE goes; where it is unset or empty nothing happens."""
    path = secret("root-pw", b"s3cret\n")
    outside = tmp_path / "outside"
    outside.write_bytes(b"out\n")
    env = {
        b"MYSQL_PASSWORD_FILE": str(path).encode(),
        b"OUTSIDE_FILE": str(outside).encode(),
        b"EMPTY_FILE": b"",
        b"UNRELATED_FILE": b"/x",
    }
    names = ("MYSQL_PASSWORD", "OUTSIDE", "EMPTY", "UNSET")
    words = [word for name in names for word in ("--expand-file", name)]
    assert every_shim.variables(*words, env=env) == {
        b"MYSQL_PASSWORD": b"s3cret",
        b"OUTSIDE": b"out",
        b"UNRELATED_FILE": b"/x",
    }


def test_expand_file_refuses_both(every_shim: Shim, secret) -> None:
    """Both NAME and NAME_FILE: an error in the official images' words."""
    path = secret("a", b"1")
    env = {b"PW": b"x", b"PW_FILE": str(path).encode()}
    assert every_shim.problems("--expand-file", "PW", "true", env=env) == [
        "both PW and PW_FILE are set (but are exclusive)"
    ]


def test_expand_file_names_what_it_cannot_read(shim: Shim, tmp_path: Path) -> None:
    """A path that is missing is an error, unless it is optional; a folder always is."""
    gone = {b"PW_FILE": str(tmp_path / "gone").encode()}
    words = ("--expand-file", "PW")
    assert shim.problems(*words, "true", env=gone) == [
        f"PW_FILE for PW: cannot read {tmp_path / 'gone'}: No such file or directory"
    ]
    assert shim.variables(*words, "--optional", str(tmp_path / "gone"), env=gone) == {}
    assert shim.problems(*words, "true", env={b"PW_FILE": str(tmp_path).encode()}) == [
        f"PW_FILE for PW: {tmp_path} is a directory: only regular files are read"
    ]


def test_pristine_keeps_only_what_is_preserved(every_shim: Shim, secret) -> None:
    """--pristine starts from nothing; --preserve keeps a name, if it is set."""
    secret("a", b"1")
    words = ("--pristine", "--preserve", "PATH", "--preserve", "TZ", "--preserve", "GONE")
    env = {b"TZ": b"UTC", b"LANG": b"C.UTF-8"}
    assert every_shim.variables(*words, env=env) == {b"TZ": b"UTC", b"A": b"1"}


def test_a_value_in_place_of_a_path_is_not_echoed(shim: Shim) -> None:
    """A value in NAME_FILE, by mistake, is not repeated."""
    lines = shim.problems("--expand-file", "PW", "true", env={b"PW_FILE": b"hunter2"})
    assert lines == ["PW_FILE names no file: it has to be a path"]

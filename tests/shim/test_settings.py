"""Options, SECRETKIT_* variables and the config file: the same keys, in that precedence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from secretkit.delivery.shim import LAUNCHER, export, locate
from tests.shim.conftest import Shim


@pytest.fixture
def config(tmp_path: Path):
    """Writes a config file and returns the option that names it."""

    def write(content: object) -> tuple[str, str]:
        path = tmp_path / "entrypoint.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return "--config", str(path)

    return write


@pytest.fixture
def prefix(tmp_path: Path) -> str:
    """How errors about that file begin."""
    return f"config {tmp_path / 'entrypoint.json'}"


def test_every_level_can_say_the_same(every_shim: Shim, secret, config) -> None:
    """--env, SECRETKIT_ENV and env in the config file give the same variables."""
    secret("db-password", b"1")
    secret("api-key", b"2")
    expected = {b"DB": b"1", b"API": b"2"}
    assert every_shim.variables("--env", "DB=db-password", "--env", "API=api-key") == expected
    pairs = {b"SECRETKIT_ENV": b"DB=db-password\n API=api-key "}
    assert every_shim.variables(env=pairs) == expected
    words = config({"env": {"DB": "db-password", "API": "api-key"}})
    assert every_shim.variables(*words) == expected
    assert every_shim.variables(env={b"SECRETKIT_CONFIG": words[1].encode()}) == expected


def test_options_then_variables_then_config(every_shim: Shim, secret, config) -> None:
    """For one variable the highest level decides; of several variables all are set."""
    for name in ("option", "variable", "file"):
        secret(name, name.encode())
    words = config({"env": {"A": "file", "B": "file", "C": "file"}, "env_prefix": "F_"})
    env = {b"SECRETKIT_ENV": b"A=variable B=variable"}
    assert every_shim.variables(*words, "--env", "A=option", env=env) == {
        b"A": b"option",
        b"B": b"variable",
        b"C": b"file",
    }
    one = {b"SECRETKIT_ENV_PREFIX": b"V_", b"SECRETKIT_ENV_ALL": b"1"}
    assert b"V_FILE" in every_shim.variables(*words, env=one)
    assert b"O_FILE" in every_shim.variables(*words, "--env-prefix", "O_", env=one)


def test_no_env_discards_what_lower_levels_say(shim: Shim, secret, config) -> None:
    """--no-env switches off env, env_all and expand_file of the config and the variables."""
    secret("a", b"1")
    words = config({"env": {"A": "a"}, "env_all": True, "expand_file": ["B"]})
    assert shim.variables(*words) == {b"A": b"1"}
    assert shim.variables(*words, "--no-env") == {}
    assert shim.variables(*words, env={b"SECRETKIT_NO_ENV": b"true"}) == {}
    assert shim.variables(*config({"no_env": True}), "--env", "A=a") == {b"A": b"1"}


def test_no_env_excludes_env_at_the_same_level(shim: Shim, secret, config) -> None:
    """Asking for variables and for none at once is a contradiction."""
    secret("a", b"1")
    for words in (("--env", "A=a"), ("--env-all",), ("--expand-file", "A")):
        key = words[0][2:].replace("-", "_")
        assert shim.problems("--no-env", *words, "true") == [f"no_env and {key} exclude each other"]
    assert shim.problems(*config({"no_env": True, "env_all": True}), "true") == [
        "no_env and env_all exclude each other"
    ]


@pytest.mark.parametrize("level", [{"env_all": False}, {"expand_file": ["B"]}, {"env": {"B": "b"}}])
def test_what_says_otherwise_ends_the_default(shim: Shim, secret, config, level) -> None:
    """Every secret becomes a variable only if nothing says otherwise."""
    secret("a", b"1")
    secret("b", b"2")
    assert b"A" not in shim.variables(*config(level))
    assert shim.variables(*config({"optional": ["b"]})) == {b"A": b"1", b"B": b"2"}


def test_every_key_works_from_the_config_file(shim: Shim, secret, config, tmp_path: Path) -> None:
    """One file with every key, and what the process gets from it."""
    secret("a", b"1")
    secret("token", b"2")
    template = tmp_path / "t.conf"
    template.write_text('a: "<<a>>"\n')
    path = tmp_path / "t.out"
    words = config(
        {
            "secrets_dir": str(shim.mount),
            "env": {"GIT_TOKEN": "token", "GONE": "gone"},
            "env_all": True,
            "env_prefix": "P_",
            "no_env": False,
            "expand_file": ["PW"],
            "render": [
                {
                    "source": str(template),
                    "destination": str(path),
                    "format": "yaml",
                    "mode": "0440",
                    "owner": f"{os.getuid()}:{os.getgid()}",
                }
            ],
            "require": ["a"],
            "optional": ["gone"],
            "user": f"{os.getuid()}:{os.getgid()}",
            "pristine": True,
            "preserve": ["PATH", "HOME"],
            "allow_names": ["GIT_TOKEN"],
            "allow_disk": True,
        }
    )
    env = {b"PW_FILE": str(shim.mount / "a").encode(), b"OTHER": b"x", b"HOME": b"/h"}
    assert shim.variables(*words, env=env) == {
        b"HOME": b"/h",
        b"GIT_TOKEN": b"2",
        b"PW": b"1",
        b"P_A": b"1",
        b"P_TOKEN": b"2",
    }
    assert (path.read_text(), path.stat().st_mode & 0o777) == ('a: "1"\n', 0o440)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"enviroment": {}}, ": unknown key enviroment"),
        ({"env_al": True}, ": unknown key env_al (did you mean env_all?)"),
        (
            {"render": [{"source": "a", "destination": "b", "formt": "yaml"}]},
            ": render[0]: unknown key formt (did you mean format?)",
        ),
        ({"render": [{"source": "a"}]}, ": render[0]: destination is missing"),
        (
            {"render": [{"source": "a", "destination": "b", "mode": 400}]},
            ': render[0].mode must be in quotes, octal: "0400"',
        ),
        ({"render": ["a:b"]}, ": render[0] must be an object with source and destination"),
        ({"render": {}}, ": render must be a list"),
        ({"env": ["A=a"]}, ": env must be an object of variables and secrets"),
        ({"env": {"A": 1}}, ": env.A must be a string: write the number in quotes"),
        ({"env_all": "yes"}, ": env_all must be true or false"),
        ({"user": 1000}, ": user must be a string: write the number in quotes"),
        ({"user": True}, ": user must be a string that is not empty"),
        ({"evn": {}}, ": unknown key evn (did you mean env?)"),
        ({"require": [""]}, ": require must be a string that is not empty"),
        ("[]", ': must be one JSON object, as in {"env_all": true}'),
        ('{"env_all" true}', ":1:12: not JSON: Expecting ':' delimiter"),
        ('{"user": "a", "user": "b"}', ": the key user stands twice"),
        ("[" * 100_000, ": nested too deeply"),
    ],
)
def test_a_bad_config_file_is_named_with_the_key(
    every_shim: Shim, config, prefix: str, content: object, line: str
) -> None:
    """Unknown keys ("did you mean"), wrong types, bad JSON: the file, and the key or place."""
    (found,) = every_shim.problems(*config(content), "true")
    assert found.startswith(prefix + line)
    assert len(found) < 300


def test_seconds_may_be_numbers_in_the_config_file(shim: Shim, config, tmp_path: Path) -> None:
    """JSON and TOML have numbers: grace and stop_timeout take them, within the same bounds."""
    from secretkit.project import entrypoint_json, load

    (tmp_path / "secretkit.toml").write_text("[entrypoint]\nwatch = true\ngrace = 5\n")
    words = config(entrypoint_json(load(tmp_path / "secretkit.toml")).decode())
    assert shim.output("--no-env", *words, "echo", "ok") == b"ok\n"
    for grace, timeout in ((5, 0.5), ("5", "0.5"), (0, 3600)):
        words = config({"watch": True, "grace": grace, "stop_timeout": timeout})
        assert shim.output("--no-env", *words, "echo", "ok") == b"ok\n"
    for wrong in ("-1", "1e400", "NaN"):
        words = config(f'{{"watch": true, "grace": {wrong}}}')
        (line,) = shim.problems("--no-env", *words, "true")
        assert line.startswith("--grace takes seconds, such as 10")
    (line,) = shim.problems(*config({"watch": True, "grace": True}), "true")
    assert line.endswith(": grace must be a string that is not empty")


def test_all_bad_keys_are_reported_at_once(shim: Shim, config, prefix: str) -> None:
    """Two wrong keys, two lines."""
    assert shim.problems(*config({"usr": "a", "pristine": 1}), "true") == [
        f"{prefix}: unknown key usr (did you mean user?)",
        f"{prefix}: pristine must be true or false",
    ]


def test_a_config_file_that_is_named_must_be_there(shim: Shim, tmp_path: Path) -> None:
    """--config with no such file, a folder, or bytes that are no UTF-8."""
    path = tmp_path / "none.json"
    assert shim.problems("--config", str(path), "true") == [
        f"config: cannot read {path}: No such file or directory"
    ]
    assert shim.problems("--config", str(tmp_path), "true") == [
        f"config: {tmp_path} is a directory: only regular files are read"
    ]
    path.write_bytes(b'{"user": "\xff"}')
    assert shim.problems("--config", str(path), "true") == [f"config {path}: is not UTF-8"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--evn", "A=a"], "unknown option --evn (did you mean --env?): options end at `--`; see "
         "--help"),
        (["-x"], "unknown option -x: options end at `--`; see --help"),
        (["--allow-names", "A"], "unknown option --allow-names (did you mean --allow-name?): "
         "options end at `--`; see --help"),
        (["--env_all"], "unknown option --env_all (did you mean --env-all?): options end at `--`; "
         "see --help"),
        (["--user"], "--user needs an argument (see --help)"),
        (["--user="], "--user needs an argument that is not empty"),
        (["--pristine=yes"], "--pristine takes no argument"),
        (["--env", "A"], "--env takes NAME=SECRET, a variable and the name of a secret"),
        (["--env", "=a"], "--env takes NAME=SECRET, a variable and the name of a secret"),
        (["--env", "A=a", "--env", "A=b"], "--env gives A two secrets"),
        (["--render", "a"], "--render takes SRC:DEST[,format=F][,mode=0400][,owner=U:G], not a "
         "(for paths with a colon or a comma use the config file)"),
        (["--render", "a:b,fmt=x"], "--render a:b: unknown setting fmt"),
        (["--render", "a:b,mod=x"], "--render a:b: unknown setting mod (did you mean mode?)"),
        (["--render", "a:b,mode="], "--render a:b: mode= needs a value"),
    ],
)  # fmt: skip
def test_a_bad_option_says_what_is_right(every_shim: Shim, words: list[str], line: str) -> None:
    """Unknown options ("did you mean"), missing and malformed arguments."""
    assert every_shim.problems(*words) == [line]


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        (b"USR", b"app", "unknown variable SECRETKIT_USR (did you mean SECRETKIT_USER?)"),
        (b"SECRET_DIR", b"/x", "unknown variable SECRETKIT_SECRET_DIR (did you mean "
         "SECRETKIT_SECRETS_DIR?)"),
        (b"PRISTINE", b"yes", "SECRETKIT_PRISTINE must be 1, 0, true or false"),
        (b"ENV", b"A", "SECRETKIT_ENV takes NAME=SECRET, a variable and the name of a secret"),
    ],
)  # fmt: skip
def test_a_bad_variable_says_what_is_right(
    shim: Shim, name: bytes, value: bytes, line: str
) -> None:
    """A mistyped variable is not passed over; an unreadable one is not guessed."""
    assert shim.problems("true", env={b"SECRETKIT_" + name: value}) == [line]


def test_other_variables_of_that_prefix_are_nobody_s(shim: Shim) -> None:
    """SECRETKIT_PROJECT is the CLI's; empty ones, as compose passes them, count as unset."""
    env = {b"SECRETKIT_PROJECT": b"/p", b"SECRETKIT_USER": b"", b"SECRETKIT_PORT": b"tcp://1:2"}
    assert shim.variables("--no-env", env=env) == {}


def test_help_and_version_need_nothing_else(every_shim: Shim) -> None:
    """They print to stdout and end with 0; --help wins over whatever else is asked."""
    text = every_shim.output("--help").decode()
    assert text.startswith("Usage: secretkit-entrypoint [OPTIONS] [--] COMMAND [ARG...]\n")
    assert every_shim.output("-h") == every_shim.output("--check", "--help") == text.encode()
    version = every_shim.output("--version").decode()
    assert version.startswith("secretkit-entrypoint 0.1.0 (Python 3.")


def test_help_names_every_option(shim: Shim) -> None:
    """No option is hidden, and none is named that does not exist."""
    code = (
        f"import sys; sys.path.insert(0, {str(locate())!r})\n"
        "from secretkit_entrypoint.options import ACTIONS, KINDS, option\n"
        "print(*ACTIONS, '--config', *map(option, KINDS))"
    )
    known = subprocess.check_output([sys.executable, "-ISBc", code], text=True).split()
    words = shim.output("--help").decode().replace("`", " ").split()
    named = {word.rstrip(",.") for word in words if word.startswith("--") and len(word) > 2}
    assert named == set(known)


def test_compile_makes_bytecode_for_this_python(every_shim: Shim, tmp_path: Path) -> None:
    """--compile in an image: every module has its .pyc, and the shim still runs."""
    modules = export(tmp_path / "shim")[1:]
    every_shim.launcher = tmp_path / "shim" / LAUNCHER
    output = every_shim.output("--compile").decode()
    assert output.startswith(f"compiled {len(modules)} modules for Python 3.")
    compiled = list((tmp_path / "shim").rglob("*.pyc"))
    assert len(compiled) == len(modules)
    assert every_shim.variables("--no-env") == {}


def test_a_compiled_start_asks_for_no_module_it_has(every_shim: Shim, tmp_path: Path) -> None:
    """After --compile the modules of a start come from one file, and it works as before."""
    export(tmp_path / "shim")
    every_shim.launcher = tmp_path / "shim" / LAUNCHER
    before = every_shim.variables("--no-env")
    every_shim.output("--compile")
    assert every_shim.variables("--no-env") == before
    # Were the sources or their .pyc looked at, this would not start.
    package = tmp_path / "shim" / "secretkit_entrypoint"
    for path in package.glob("__pycache__/main.*.pyc"):
        path.write_bytes(b"damaged")
    assert every_shim.variables("--no-env") == before


def test_a_source_that_changed_is_compiled_anew(every_shim: Shim, tmp_path: Path) -> None:
    """What --compile wrote of another source is not run."""
    export(tmp_path / "shim")
    every_shim.launcher = tmp_path / "shim" / LAUNCHER
    every_shim.output("--compile")
    about = tmp_path / "shim" / "secretkit_entrypoint" / "main.py"
    about.write_text(about.read_text().replace("error: ", "changed: "))
    done = every_shim.run("--no-env", "no-such-command")
    assert done.stderr.startswith(b"secretkit-entrypoint: changed: command not found")


def test_a_damaged_compiled_file_is_one_line(every_shim: Shim, tmp_path: Path) -> None:
    """A cut file of --compile: exit 125, no traceback, and what to do."""
    export(tmp_path / "shim")
    every_shim.launcher = tmp_path / "shim" / LAUNCHER
    every_shim.output("--compile")
    for path in (tmp_path / "shim").rglob("start.*"):
        path.write_bytes(path.read_bytes()[:1000])
    done = every_shim.run("--no-env", "true")
    assert done.returncode == 125
    assert done.stderr.startswith(b"secretkit-entrypoint: error: cannot load the package")
    assert done.stderr.count(b"\n") == 1


def test_without_compile_nothing_is_written_beside_the_code(
    every_shim: Shim, tmp_path: Path
) -> None:
    """A shim that runs leaves no __pycache__: the image may be read-only."""
    export(tmp_path / "shim")
    every_shim.launcher = tmp_path / "shim" / LAUNCHER
    every_shim.output("--no-env", "true")
    assert list((tmp_path / "shim").rglob("__pycache__")) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"env_all": ' + "9" * 5000 + "}", None),
        ('{"secrets_dir": "\\ud800"}', "a string in it has half a character (such as \\ud800)"),
        ('{"\\ud800": 1}', "a string in it has half a character (such as \\ud800)"),
        ('{"secrets_dir": "/a\\u0000"}', "secrets_dir must not hold a NUL"),
        ('{"env": {"A": "b\\u0000"}}', "env.A must not hold a NUL"),
        ('{"require": ["\\u0000"]}', "require must not hold a NUL"),
        (
            '{"render": [{"source": "a\\u0000", "destination": "b"}]}',
            "render[0].source must not hold a NUL",
        ),
    ],
    ids=range(7),
)
def test_odd_json_gets_one_line(every_shim: Shim, config, prefix, text, line) -> None:
    """Long numbers, lone surrogates and NULs are problems of the file, not of the shim."""
    (problem,) = every_shim.problems(*config(text), "true")
    if line is None:  # Pythons with and without a limit of digits
        endings = ("env_all must be true or false", "a number in it has too many digits")
        assert problem in [f"{prefix}: {ending}" for ending in endings]
    else:
        assert problem == f"{prefix}: {line}"

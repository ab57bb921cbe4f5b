"""What would go wrong if an image were baked, from the facts about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from secretkit.delivery.bake import image as image_facts
from secretkit.delivery.bake.checking import Facts, findings_of_image, plan, started
from secretkit.delivery.bake.image import Python, Search
from secretkit.delivery.bake.options import split
from secretkit.delivery.bake.recipe import Wish, decide
from secretkit.delivery.findings import Finding
from secretkit.errors import SecretkitError

CANARY = "hunter2andmore"
SHIM = '"/usr/bin/python3", "-ISB", "/opt/secretkit/secretkit-entrypoint"'
LIKE_OFFICIAL = """#!/bin/sh
set -e
file_env() { :; }
if [ "$(id -u)" = '0' ]; then
	chown -R app /data
	exec gosu app "$0" "$@"
fi
file_env 'POSTGRES_PASSWORD'
exec "$@"
"""


def facts(
    config: Mapping[str, Any] | None = None,
    *,
    options: Sequence[str] = (),
    table: Mapping[str, Any] | None = None,
    scripts: Mapping[str, str] | None = None,
    checks: Sequence[str] = (),
    history: Sequence[str] = (),
    python: str | None = "/usr/bin/python3",
    os: str = "linux",
    machine: str = "amd64",
) -> Facts:
    """The facts about an image of this configuration."""
    told = {"Id": "sha256:1", "Config": config or {}, "Os": os, "Architecture": "amd64"}
    image = image_facts.of("app:1", told)
    wish = Wish(tuple(split(options)[1]), table or {})
    search = Search(Python(python, "3.11") if python else None, {})
    recipe, refused = None, None
    if search.python:
        try:
            recipe = decide(image, search.python, wish, lambda _: None)
        except SecretkitError as error:
            refused = error
    return Facts(
        image,
        search,
        "RUN apk add python3",
        machine,
        scripts or {},
        checks,
        history,
        wish,
        recipe,
        refused,
    )


def test_the_plan_has_all_that_is_asked_for() -> None:
    """Also what [entrypoint] says, and an argument without a place in the command."""
    given = facts(
        {"Cmd": ["app"]}, options=["--arg", "a", "--allow-argv"], table={"env": {"A": "b"}}
    )
    lines = dict(plan(given))
    assert json.loads(lines["entrypoint.json"]) == {"env": {"A": "b"}}
    assert "no container starts" in lines["<<a>>"]


def rules(given: Facts) -> list[str]:
    """The rules that were broken."""
    return [one.rule for one in findings_of_image(given)]


def one(given: Facts) -> Finding:
    """The only finding."""
    (found,) = findings_of_image(given)
    return found


def test_an_image_as_it_should_be() -> None:
    """Nothing is said of it."""
    config = {"Entrypoint": ["/app"], "Cmd": ["serve"], "User": "1000", "Env": ["PATH=/bin"]}
    assert rules(facts(config, options=["--env", "A=b"])) == []


def test_no_python() -> None:
    """The remedy is the line for the image's Dockerfile."""
    found = one(facts(python=None))
    assert (found.rule, found.remedy) == ("no-python", "RUN apk add python3")


def test_a_python_that_will_not_do() -> None:
    """Each is named, with the reason as bake has it."""
    given = facts(python=None)
    unfit = {"/bin/python3": "is 3.5", "/usr/bin/python3": "has no json (python3-minimal?)"}
    found = one(given._replace(search=Search(None, unfit)))
    assert found.message == (
        "there is no Python 3.6 or later: /bin/python3 is 3.5, "
        "/usr/bin/python3 has no json (python3-minimal?)"
    )


def test_what_bake_refuses() -> None:
    """The error of bake is a finding."""
    shimmed = {"Entrypoint": ["python3", "/opt/secretkit/secretkit-entrypoint", "--", "a"]}
    assert rules(facts(shimmed)) == ["bake-refused"]
    volume = facts({"Volumes": {"/data": {}}}, options=["--render", "a.tmpl:/data/a.conf"])
    assert rules(volume) == ["bake-refused"]
    assert "/data/a.conf is in a VOLUME" in one(volume).message


def test_an_image_for_another_machine() -> None:
    """It may not run here."""
    assert rules(facts(machine="arm64")) == ["foreign-image"]


SHELL = ["/bin/sh", "-c"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"Entrypoint": [*SHELL, "app --serve"]}, ["entrypoint-shell-form"]),
        ({"Entrypoint": [*SHELL, "exec app"]}, ["entrypoint-shell-form"]),
        ({"Cmd": [*SHELL, "app --serve"]}, ["cmd-shell-form"]),
        ({"Cmd": [*SHELL, "cd /app && exec app"]}, []),
        ({"Cmd": ["/bin/bash", "-o", "pipefail", "-c", "app | log"]}, ["cmd-shell-form"]),
        ({"Cmd": ["sh"]}, []),
        ({"OnBuild": ["COPY . /app", "RUN make"]}, ["onbuild-triggers"]),
        ({"User": "app", "ExposedPorts": {"80/tcp": {}, "8080/tcp": {}}}, ["privileged-port"]),
        ({"ExposedPorts": {"80/tcp": {}}}, []),
        ({"User": "app", "ExposedPorts": {"80-90/tcp": {}, "x": {}}}, ["privileged-port"]),
    ],
)
def test_how_it_starts(config: Mapping[str, Any], expected: list[str]) -> None:
    """Shell forms, triggers, ports: told if something comes of them."""
    assert rules(facts(config, options=["--no-env"])) == expected


def test_an_official_script() -> None:
    """It works: the notes say what the shim has to do with it."""
    found = findings_of_image(facts(scripts={"/entry.sh": LIKE_OFFICIAL}))
    assert {one.rule for one in found} == {"entrypoint-script", "script-expands-files"}
    assert found[-1].remedy.startswith("--expand-file POSTGRES_PASSWORD ")
    assert found[0].place.path == "app:1:/entry.sh"


def test_a_script_that_must_be_root() -> None:
    """One that does not ask who it is needs root at the start."""
    text = '#!/bin/sh\nset -e\nchown app /data\nexec su-exec app "$@"\n'
    assert "root-at-start" in rules(facts(scripts={"/entry.sh": text}))
    assert "root-at-start" not in rules(facts({"User": "app"}, scripts={"/entry.sh": text}))


def test_a_script_with_mistakes() -> None:
    """The rules of entrypoint scripts, with the lines in the image's file."""
    text = "#!/bin/sh\nexport PASSWORD=$(cat /run/secret/password)\napp --serve\n"
    found = findings_of_image(facts(scripts={"/entry.sh": text}))
    assert ("run-secret-path", 2) in [(one.rule, one.place.line) for one in found]
    assert ("missing-exec", 3) in [(one.rule, one.place.line) for one in found]
    text = "#!/bin/sh\nset -e\nPASSWORD=$(cat /run/secrets/password)\nexport PASSWORD\nexec app\n"
    assert "script-reads-secrets" in rules(facts(scripts={"/entry.sh": text}))


HEALTH = {
    "Test": ["CMD-SHELL", 'redis-cli -a "$REDIS_PASSWORD" ping || exit 1'],
    "Interval": 5_000_000_000,
    "Timeout": 1_500_000_000,
    "Retries": 3,
}


def test_a_health_check_that_reads_the_environment() -> None:
    """The remedy is the line to write, with the options that it needs."""
    found = one(facts({"Healthcheck": HEALTH}, options=["--env", "REDIS_PASSWORD=redis"]))
    assert found.remedy == (
        "HEALTHCHECK --interval=5s --timeout=1.5s --retries=3 "
        f'CMD [{SHIM}, "--env", "REDIS_PASSWORD=redis", "--", '
        '"/bin/sh", "-c", "redis-cli -a \\"$REDIS_PASSWORD\\" ping || exit 1"]'
    )
    given = facts({"Healthcheck": HEALTH}, table={"env": {"REDIS_PASSWORD": "redis"}})
    assert f'CMD [{SHIM}, "--", "/bin/sh"' in one(given).remedy
    assert '"--env-all", "--"' in one(facts({"Healthcheck": HEALTH})).remedy


@pytest.mark.parametrize(
    "test",
    [
        ["CMD", "cat", "/run/secrets/x"],
        ["CMD-SHELL", "cat /run/secrets/x || exit 1"],
        ["CMD", "cat", "/app/a.conf"],
    ],
)
def test_a_health_check_that_prints_secrets(test: list[str]) -> None:
    """docker inspect shows what it prints: a secret, or a file that the shim renders."""
    table = {"render": [{"source": "/app/a.tmpl", "destination": "/app/a.conf"}]}
    found = findings_of_image(facts({"Healthcheck": {"Test": test}}, table=table))
    assert "secret-in-health-log" in [one.rule for one in found]
    quiet = facts({"Healthcheck": {"Test": ["CMD", "test", "-s", test[1]]}}, table=table)
    assert "secret-in-health-log" not in rules(quiet)


@pytest.mark.parametrize(
    ("test", "checks"),
    [
        (["CMD-SHELL", "python3 -c \"import os; os.environ['REDIS_PASSWORD']\""], []),
        (["CMD", "python3", "-c", "import os; os.getenv('REDIS_PASSWORD')"], []),
        (["CMD-SHELL", "REDISCLI_AUTH=$REDIS_PASSWORD redis-cli ping"], []),
        (["CMD", "/check"], ['#!/bin/sh\nredis-cli -a "$REDIS_PASSWORD" ping\n']),
    ],
)
def test_a_health_check_of_another_kind(test: list[str], checks: list[str]) -> None:
    """A program's text, a program of its own: whatever has the variable's name may read it."""
    config = {"Healthcheck": {"Test": test}}
    for options in (["--env", "REDIS_PASSWORD=redis"], ["--expand-file", "REDIS_PASSWORD"], []):
        assert rules(facts(config, options=options, checks=checks)) == ["healthcheck-without-shim"]
    assert rules(facts(config, options=["--env", "OTHER=redis"], checks=checks)) == []


@pytest.mark.parametrize(
    ("command", "checks"),
    [('echo "with $LOGIN" && true', []), ("/check", ["#!/bin/sh\necho $LOGIN\n"])],
)
def test_a_health_check_that_prints_what_it_reads(command: str, checks: list[str]) -> None:
    """Both are told, and no line is shown that would publish the value."""
    config = {"Healthcheck": {"Test": ["CMD-SHELL", command]}}
    given = facts(config, options=["--env", "LOGIN=db"], checks=checks)
    found = {one.rule: one.remedy for one in findings_of_image(given)}
    assert found.keys() == {"secret-in-health-log", "healthcheck-without-shim"}
    assert found["healthcheck-without-shim"].startswith("first mend")


def test_a_health_check_in_the_image_s_own_shell() -> None:
    """The shell stays; what may be a value is not repeated."""
    config: dict[str, Any] = {"Shell": ["/bin/sh", "-e", "-c"]}
    config["Healthcheck"] = {"Test": ["CMD-SHELL", f'test "$PASSWORD" = {CANARY}']}
    found = one(facts(config, options=["--env", "PASSWORD=x"]))
    assert found.remedy.endswith('"PASSWORD=x", "--", "/bin/sh", "-e", "-c", "COMMAND"]')


@pytest.mark.parametrize(
    "config",
    [
        {"Healthcheck": {"Test": ["CMD-SHELL", "curl -f http://localhost:$PORT"]}},
        {"Healthcheck": {"Test": ["CMD", "check", "--password-file", "/redis_password"]}},
        {"Healthcheck": {"Test": ["CMD-SHELL", "PASSWORD=$(cat /x) && check $PASSWORD"]}},
        {"Healthcheck": {"Test": ["NONE"]}},
        {"Healthcheck": HEALTH, "Env": ["REDIS_PASSWORD=$X"]},  # the image has it
    ],
)
def test_a_health_check_without_secrets(config: Mapping[str, Any]) -> None:
    """Nothing is said of it."""
    assert rules(facts(config, options=["--env-all"])) == []


def test_a_user_of_the_shim_in_an_image_with_another() -> None:
    """The shim is not root there."""
    assert rules(facts({"User": "app"}, options=["--user", "web"])) == ["shim-user-needs-root"]
    assert rules(facts({"User": "app"}, table={"user": "web"})) == ["shim-user-needs-root"]


def test_files_on_the_disk() -> None:
    """--allow-disk leaves values in the container's layer."""
    given = facts(options=["--allow-disk", "--render", "a:/etc/a.conf"])
    assert rules(given) == ["rendered-on-disk"]


@pytest.mark.parametrize(
    ("config", "history", "named"),
    [
        ({"Env": [f"DB_PASSWORD={CANARY}"]}, [], "ENV DB_PASSWORD"),
        ({"Env": [f"URL=postgres://a:{CANARY}@db/a"]}, [], "ENV URL"),
        ({}, [f"|2 A=b TOKEN={CANARY} /bin/sh -c make"], "the build argument TOKEN"),
        ({}, [f"RUN |1 TOKEN={CANARY} /bin/sh -c make # buildkit"], "the build argument TOKEN"),
        ({}, [f"/bin/sh -c curl https://me:{CANARY}@example.org"], "a RUN of its history"),
        ({"Cmd": ["app", f"--password={CANARY}"]}, [], "CMD"),
        ({"Entrypoint": ["app", f"--password={CANARY}"]}, [], "ENTRYPOINT"),
    ],
)
def test_secrets_in_plain_text(config: Mapping[str, Any], history: list[str], named: str) -> None:
    """Their names are told, their values never; also not by the plan."""
    given = facts(config, history=history)
    found = one(given)
    assert (found.rule, found.message) == (
        "plaintext-secret",
        f"{named} has a secret in plain text",
    )
    assert CANARY not in f"{found}{plan(given)}"


def test_no_secrets_in_plain_text() -> None:
    """Paths, switches, empty values and what a shell puts in are none."""
    env = ["DB_PASSWORD_FILE=/run/secrets/db", "DB_PASSWORD=", "ALLOW_EMPTY_PASSWORD=yes"]
    history = ["|1 TOKEN= /bin/sh -c make", '/bin/sh -c #(nop)  CMD ["app"]', ""]
    history += ["/bin/sh -c curl https://me:$TOKEN@example.org && echo |2"]
    assert rules(facts({"Env": env}, history=history)) == []


def test_the_plan() -> None:
    """What changes and what stays, a line each."""
    config = {"Entrypoint": ["/entry.sh"], "Cmd": ["app", "--serve"], "User": "app"}
    given = facts(config, options=["--render", "a.tmpl:/etc/a.conf"])
    assert given.recipe
    lines = dict(plan(given))
    assert "secrets" not in lines
    assert dict(plan(facts(config)))["secrets"].startswith("nothing says which go where")
    assert "secrets" not in dict(plan(facts(config, options=["--env-all"])))
    assert plan(facts(config, python=None)) == []
    assert lines["CMD"] == '["app", "--serve"], stated again'
    assert lines["USER"] == "app, as it is"
    assert json.loads(lines["ENTRYPOINT"])[-2:] == ["--", "/entry.sh"]
    assert lines["link"] == "/etc/a.conf to /dev/shm/a.conf, in memory"


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["/entry.sh", "a"], "/entry.sh"),
        (["tini", "--", "entry.sh"], "entry.sh"),
        (["/usr/bin/dumb-init", "-v", "--", "sh", "/entry.sh"], "/entry.sh"),
        (["/bin/bash", "-c", "app"], None),
        ([], None),
    ],
)
def test_what_is_started_first(words: list[str], first: str | None) -> None:
    """Init programs and interpreters stand before a script."""
    assert started(words) == first

"""What a health check prints: docker keeps it."""

from __future__ import annotations

import base64
import os
import subprocess
import time
from pathlib import Path

import pytest

from secretkit.delivery.findings import Place
from secretkit.delivery.healthchecks import findings_of_check
from secretkit.delivery.lint.checking import check
from secretkit.delivery.lint.dockerfile import findings_of_dockerfile
from tests.engine import Engine
from tests.needs import need_program

X = "/run/secrets/x"
CANARY = "hunter2andmore"
KEPT = (CANARY.encode(), base64.b64encode(CANARY.encode())[:16])
SLEEP = "import time; time.sleep(600)"
HEALTH = "{{.State.Health.Status}}"
SHIM = ["python3", "-ISB", "/opt/secretkit/secretkit-entrypoint"]


def rules(*words: str, files: tuple[str, ...] = ()) -> list[str]:
    return [one.rule for one in findings_of_check(words, "HEALTHCHECK", Place("f"), files)]


def of_shell(text: str) -> list[str]:
    return rules("/bin/sh", "-c", text)


# What dash and the programs of a small image can do; the secret's file and its folder are put in
# for X and DIR where they are run.
PRINTED = [
    "cat X",
    "cat < X",
    "cat DIR/*",
    "test -s X && cat X",
    "cat X 2>/dev/null || exit 1",
    "cat X 1>&2",
    "cat X > /dev/stderr",
    "cat X | base64",
    "base64 < X | tr -d =",
    "timeout 3 cat X",
    "exec head -c 99 X",
    "env A=b grep h X",
    'echo "$(cat X)"',
    "echo `cat X`",
    "P=$(cat X); echo pw=$P",
    "P=X; cat $P",
    "export P=$(cat X); printf '%s' \"$P\"",
    "read P < X; echo $P",
    'while read P; do echo "$P"; done < X',
    "for f in DIR/*; do cat $f; done",
    "set -x; true $(cat X)",
    'sh -c "cat X"',
    "sh -xc 'true $(cat X)'",
    "if true; then cat X; fi",
    "f() { cat X; }; f",
    "cd DIR && cat x",
    "xargs echo < X",
    'eval "echo $(cat X)"',
    "sed s/z/b/ X",
    "cat <<E\n$(cat X)\nE",
    "python3 -c \"print(open('X').read())\"",
]
QUIET = [
    "true",
    "test -s X",
    "[ -s X ] || exit 1",
    "cat X > /dev/null",
    "cat X >/dev/null 2>&1",
    "{ cat X; echo; } > /dev/null",
    "grep -q . X",
    "cat X | grep -q .",
    'P=$(cat X); test -n "$P"',
    "P=$(cat X); echo ${P:+there}",
    "cat X | wc -c > /dev/null",
    "true < X",
    "cd DIR && test -s x",
    "ls -l X; wc -c X",
    "cat X | xargs test -n",
    "set -x; true",
    "cat /dev/null; test -s X",
    "python3 -c \"open('X').read()\"",
]


@pytest.mark.parametrize("text", PRINTED)
def test_a_check_that_prints_a_secret(text: str) -> None:
    """Standard error counts too."""
    assert of_shell(text.replace("X", X).replace("DIR", "/run/secrets")) == ["secret-in-health-log"]


@pytest.mark.parametrize("text", QUIET)
def test_a_check_that_prints_none(text: str) -> None:
    """What only asks, or goes elsewhere, is left alone."""
    assert of_shell(text.replace("X", X).replace("DIR", "/run/secrets")) == []


@pytest.mark.parametrize("text", [*PRINTED, *QUIET])
def test_what_is_said_of_a_check_is_what_it_does(text: str, tmp_path: Path) -> None:
    """A shell prints the value, or does not."""
    (tmp_path / "x").write_text(f"{CANARY}\n")
    command = text.replace("X", str(tmp_path / "x")).replace("DIR", str(tmp_path))
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False)
    printed = done.stdout + done.stderr
    assert any(one in printed for one in KEPT) == (text in PRINTED)


def test_docker_keeps_what_a_check_prints(engine: Engine, tmp_path: Path) -> None:
    """docker inspect shows a value that a health check prints, and none that it only asks for."""
    (tmp_path / "x").write_text(CANARY)
    mount = f"type=bind,src={tmp_path / 'x'},dst={X},readonly"
    for check_, kept in ((f"cat {X} >&2", True), (f"test -s {X}", False)):
        words = ("--detach", "--mount", mount, "--health-cmd", check_, "--health-interval=200ms")
        container = engine.docker("run", *words, engine.image, "python3", "-c", SLEEP)
        try:
            deadline = time.monotonic() + 60
            while (shown := engine.docker("inspect", "-f", HEALTH, container)) != "healthy":
                assert time.monotonic() < deadline, shown
                time.sleep(0.1)
            assert (CANARY in engine.docker("inspect", container)) == kept
        finally:
            engine.docker("rm", "--force", container)


def test_other_forms() -> None:
    """Without a shell, with the shim, and of files that the shim writes."""
    assert rules("cat", X) == ["secret-in-health-log"]
    assert rules("/bin/busybox", "cat", X) == ["secret-in-health-log"]
    assert rules("redis-cli", "-a", "x", "ping") == []
    assert rules("cat", "/app/a.conf") == []
    assert rules("cat", "/app/a.conf", files=("/app/a.conf",)) == ["secret-in-health-log"]
    assert rules(*SHIM, "--", "sh", "-c", 'echo "$DB_PASSWORD"') == ["secret-in-health-log"]
    assert rules(*SHIM, "--env", "A=x", "--", "sh", "-c", "echo $A") == ["secret-in-health-log"]
    assert rules(*SHIM, "--", "env") == rules(*SHIM, "--", "printenv", "DB_PASSWORD")
    assert rules(*SHIM, "--", "my-check") == []
    assert of_shell('redis-cli -a "$(cat /run/secrets/x)" ping') == []
    assert of_shell('curl -fv -H "A: $(cat /run/secrets/x)" a') == ["secret-in-health-log"]
    assert of_shell('curl -f -H "A: $(cat /run/secrets/x)" a') == []
    assert of_shell("cat $DB_PASSWORD_FILE") == ["secret-in-health-log"]
    assert of_shell("cat /run/secrets/x; fi") == ["unread-script"]


# V stands for the variable DB_PASSWORD, as a program has it that is not behind the shim.
PRINTED_VARIABLE = [
    'echo "checking with $V" && true',
    "echo ${V}",
    'printf %s "$V"',
    "printenv V",
    "env",
    "exec env",
    "busybox env",
    "env -0",
    "A=b env",
    "env A=b",
    "printenv",
    "export -p",
    "set",
    "env | grep V",
    "cat /proc/self/environ",
    "tr '\\0' '\\n' < /proc/self/environ",
    "set -x; test -n $V",
    "sh -c 'echo $V'",
    "python3 -c \"import os; print(os.environ['V'])\"",
    "python3 -c \"import os; print(os.getenv('V'))\"",
]
QUIET_VARIABLE = [
    'test -n "$V"',
    "set -eu; true",
    "set -- a b; true",
    "env A=b true",
    "env -i true",
    "env -i",
    "export A=b",
    "echo ${V:+there}",
    'echo "$V" >/dev/null 2>&1',
    "printenv V | grep -q .",
    "env | grep -q V",
    "grep -q V /proc/self/environ",
    "python3 -c \"import os; os.environ['V']\"",
    "echo $HOME",
]


@pytest.mark.parametrize("text", [*PRINTED_VARIABLE, *QUIET_VARIABLE])
def test_a_variable_with_the_name_of_a_secret(text: str) -> None:
    """It counts as one, whoever sets it; what is said of a check is what a shell does."""
    command = text.replace("V", "DB_PASSWORD")
    told = ["secret-in-health-log"] if text in PRINTED_VARIABLE else []
    assert of_shell(command) == told
    if "busybox" in text:
        need_program("busybox")
    environment = {"PATH": os.environ["PATH"], "HOME": "/", "DB_PASSWORD": CANARY}
    done = subprocess.run(
        ["/bin/sh", "-c", command], env=environment, capture_output=True, check=False
    )
    assert (CANARY.encode() in done.stdout + done.stderr) == bool(told)


def test_a_stack_file(tmp_path: Path) -> None:
    """Each form that docker knows, where it stands."""
    text = "services:\n"
    for number, test in enumerate(
        (
            f"cat {X}",
            f'["CMD", "cat", "{X}"]',
            f'["CMD-SHELL", "P=$$(cat {X}); echo $$P"]',
            f'["CMD", "test", "-s", "{X}"]',
            '["NONE"]',
            "",
        )
    ):
        text += (
            f"  a{number}:\n    image: a\n    secrets: [x]\n    healthcheck:\n      test: {test}\n"
        )
    (tmp_path / "compose.yml").write_text(text + "secrets: {x: {environment: X}}\n")
    found, _ = check([str(tmp_path)])
    assert [(one.rule, one.place.line) for one in found] == [
        ("secret-in-health-log", line) for line in (6, 11, 16)
    ]
    assert found[0].message.startswith("the health check of a0 prints")


def test_a_dockerfile() -> None:
    """The one that counts, with the files that the shim of ENTRYPOINT writes."""
    shim = ", ".join(f'"{word}"' for word in (*SHIM, "--render", "a.tmpl:/app/a.conf,mode=0400"))
    for text, lines in (
        (f"HEALTHCHECK --interval=1s CMD cat {X}", [2]),
        (f'HEALTHCHECK CMD ["cat", "{X}"]', [2]),
        (f"HEALTHCHECK CMD cat {X}\nHEALTHCHECK NONE", []),
        (f"HEALTHCHECK CMD test -s {X}", []),
        (f'ENTRYPOINT [{shim}, "--", "a"]\nHEALTHCHECK CMD cat /app/a.conf', [3]),
    ):
        found = findings_of_dockerfile("Dockerfile", f"FROM a\n{text}", Path("/nowhere"))
        assert [one.place.line for one in found] == lines
        assert {one.rule for one in found} <= {"secret-in-health-log"}

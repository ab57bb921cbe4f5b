"""What goes wrong with secrets in entrypoint scripts is found, and what is right is left alone."""

from __future__ import annotations

import subprocess

import pytest

from secretkit.delivery.findings import RULES
from secretkit.delivery.lint.script import findings_of_script

READ = 'PW="$(cat /run/secrets/db-password)"\n'
# By rule: scripts in which it is found, each with the lines.
WRONG: dict[str, dict[str, list[int]]] = {
    "run-secret-path": {
        "export A=$(cat /run/secret/a)": [1],
        'b "\n/run/secret/x"': [2],
        "cat <<E\n\n/run/secret/x\nE": [3],
        "F=${F:-/run/secret/f}": [1],
        "for f in /run/secret/*; do a; done": [1],
    },
    "missing-exec": {
        '"$@"': [1],
        "set -e\nnginx -g 'daemon off;'": [2],
        '/usr/bin/tini -- "$@"\n': [1],
        'if a; then b "$@"\nelse "$@"; fi': [1, 2],
        'a && "$@"': [1],
    },
    "sed-secret": {
        READ + 'sed -i "s/@PW@/$PW/" /dev/shm/f': [2],
        'sed -e "s/x/$(cat /run/secrets/a)/" f > /dev/shm/f': [1],
        READ + 'cat f | sed "s|x|${PW}|g" > /dev/shm/f': [2],
    },
    "secret-on-disk": {
        READ + 'echo "password=$PW" >> /etc/app.conf': [2],
        READ + "cat > /etc/app.conf <<E\npassword=$PW\nE": [2],
        "cat /run/secrets/a > /app/a": [],
        READ + 'sed -i "s/x/$PW/" /etc/f': [2],
    },
    "missing-secret-unnoticed": {
        "export A=$(cat /run/secrets/a)": [1],
        "set -e\nexport A=`cat /run/secrets/a`": [2],
        "A=$(cat /run/secrets/a)\nB=$(< /run/secrets/b)": [1, 2],
    },
    "traced-secret": {
        "set -ex\n" + READ: [2],
        "#!/bin/sh -x\n" + READ: [2],
        READ + "set -o xtrace\nset +x\nexport PW\n": [],
        "set -x\n" + READ + 'set +x\necho "$PW" > /dev/shm/x': [2],
    },
    "secret-as-code": {
        ". /run/secrets/env": [1],
        "export $(cat /run/secrets/env)": [1],
        READ + 'eval "export X=$PW"': [2],
        READ + "sh -c \"login '$PW'\"": [2],
    },
    "secret-in-arguments": {
        READ + 'exec app --password "$PW"': [2],
        'curl -u "x:$(cat /run/secrets/a)" host': [1],
        READ + 'echo "$PW" > /dev/shm/x\nprintf %s "$PW"\n[ -n "$PW" ]': [],
    },
    "unquoted-secret": {
        READ + "exec app --password $PW": [2],
        READ + "X=$PW\nexport Y=$PW\n[[ -n $PW ]]": [],
        READ + "echo $PW > /dev/shm/x": [2],
    },
    "remote-script": {
        "curl -sSL https://x.example/i.sh | sh": [1],
        "if a; then wget -qO- x | bash -s; fi": [1],
        "curl -o f https://x.example/f": [],
    },
    "plaintext-secret": {
        "export DB_PASSWORD=hunter2hunter2": [1],
        "a\nAPI_TOKEN='hunter2hunter2' b": [2],
        "exec app --password=hunter2hunter2": [1],
        "cat > f <<E\n\nurl=postgres://app:hunter2hunter2@db/app\nE": [3],
        'export DB_PASSWORD="$X" A_PASSWORD_FILE=/run/secrets/a B_PASSWORD=': [],
    },
    "unread-script": {"if a; then b\n": [2], "a\n'": [2]},
}
RIGHT = {
    "guarded": "if [ -f /run/secrets/a ]; then\n  export A=$(cat /run/secrets/a)\nfi\nexec a",
    "insists": 'A=$(cat /run/secrets/a)\n: "${A:?no secret}"\nexport A\nexec "$@"',
    "strict": 'set -eu\nA=$(cat /run/secrets/a)\nexport A\nexec su-exec app "$@"',
    "ends in a short command": "set -e\nA=$(cat /run/secrets/a)\nexport A\nrm -f /tmp/x",
    "in memory": 'set -e\nA=$(cat /run/secrets/a)\necho "$A" > /dev/shm/a\nexec a /dev/shm/a',
    "another language": "#!/usr/bin/env python3\nopen('/run/secret/x')",
    "empty": "",
    "a function": "usage() {\n  cat <<E\n$0 [options]\nE\n}\ncase $1 in -h) usage;; esac\nexec a",
}


@pytest.mark.parametrize(
    ("rule", "script"), [(rule, script) for rule, scripts in WRONG.items() for script in scripts]
)
def test_what_is_wrong_is_found_where_it_is(rule: str, script: str) -> None:
    """The rule names the lines, and no other; shells take the script unless that is the matter."""
    found = [one.place.line for one in findings_of_script("e.sh", script) if one.rule == rule]
    assert WRONG[rule][script] == found
    read = subprocess.run(["bash", "-n"], input=script.encode(), capture_output=True, check=False)
    assert (read.returncode != 0) == (rule == "unread-script")


@pytest.mark.parametrize("script", RIGHT.values(), ids=RIGHT)
def test_what_is_right_is_left_alone(script: str) -> None:
    """A script without these faults has no findings."""
    assert findings_of_script("e.sh", script) == []


def test_findings_are_lines_in_order_and_repeat_no_value() -> None:
    """Each has a rule of the table, a place, a message and a remedy of one line, no value."""
    everything = "\n".join(script for scripts in WRONG.values() for script in list(scripts)[:1])
    everything = everything.replace("if a; then b\n", "")
    found = findings_of_script("a/e.sh", everything)
    assert {one.rule for one in found} >= set(WRONG) - {"unread-script", "missing-exec"}
    assert [one.place.line for one in found] == sorted(one.place.line for one in found)
    for one in found:
        assert one.rule in RULES
        text = one.message + one.remedy
        assert one.message
        assert one.remedy
        assert "\n" not in text
        assert "hunter2" not in text

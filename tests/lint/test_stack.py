"""Stack and compose files as people have them: what is found in each, and nothing else."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from secretkit.delivery.lint.checking import check

STACKS = Path(__file__).parent / "stacks"
FILES = sorted(STACKS.glob("*.yml"))
_MARK = re.compile(r"#! ([a-z -]+)$")


def expected(path: Path) -> list[tuple[int, str]]:
    """What the marks `#! RULE RULE` in a file say, by line."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if mark := _MARK.search(line):
            found += [(number, rule) for rule in mark[1].split()]
    return sorted(found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_found(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file has the findings that are marked in it, on the marked lines, and no others."""
    monkeypatch.chdir(STACKS)
    found, checked = check([path.name])
    assert sorted((one.place.line, one.rule) for one in found) == expected(path)
    assert checked == 1


def test_every_rule_is_hit() -> None:
    """No rule of stack and compose files is without a file that it finds something in."""
    rules = {rule for path in FILES for _, rule in expected(path)}
    assert rules == {
        "bind-mounted-secret",
        "failure-action",
        "host-port",
        "ignored-by-compose",
        "missing-file",
        "name-and-file",
        "no-health-check",
        "old-version",
        "pinned-version",
        "plaintext-secret",
        "run-secret-path",
        "same-target",
        "secret-build-argument",
        "secret-not-given",
        "undefined-secret",
        "unused-secret",
        "wrong-mode",
    }


N = 8_000


@pytest.mark.parametrize(
    "text",
    [
        f"services:\n  a: {{image: b, secrets: [{','.join(f's{n}' for n in range(N))}]}}\n"
        "secrets:\n" + "".join(f"  s{n}: {{external: true}}\n" for n in range(N)),
        f"services:\n  a: {{image: b, command: [{','.join(['--password=x1y2'] * N)}]}}\n",
    ],
    ids=["secrets", "words"],
)
def test_a_long_file_takes_no_long_time(text: str, tmp_path: Path) -> None:
    """What it lists is not looked through again for each thing in it."""
    (tmp_path / "compose.yml").write_text(text)
    began = time.process_time()
    check([str(tmp_path)])
    assert time.process_time() - began < 3

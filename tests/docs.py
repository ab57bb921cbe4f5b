"""Runs the ```console blocks of a page, in order, in one shell, and compares what they print."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.needs import may_have_namespaces

_BLOCK = re.compile(
    r"^(<!-- needs: namespaces -->\n\n)?```console\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
_MARK = "@@secretkit-docs@@"


def console_blocks(text: str) -> list[tuple[int, list[tuple[str, str]]]]:
    """For each block its line number and its (command, expected output) pairs.

    A command is a line that begins with `$ `; lines that begin with `>` continue it. A block
    that begins with `# not run: reason` is left out, and where the kernel permits no namespaces one
    behind `<!-- needs: namespaces -->`.
    """
    blocks = []
    for match in _BLOCK.finditer(text):
        namespaces, body = match.groups()
        line = text.count("\n", 0, match.start(2)) + 1
        if body.startswith("# not run: ") or (namespaces and not may_have_namespaces()):
            continue
        steps: list[tuple[str, str]] = []
        for row in body.splitlines():
            if row.startswith("$ "):
                steps.append((row[2:], ""))
            elif f"{row} ".startswith("> ") and steps and not steps[-1][1]:
                steps[-1] = (f"{steps[-1][0]}\n{row[2:]}", "")
            else:
                assert steps, f"line {line}: output before the first command"
                steps[-1] = (steps[-1][0], f"{steps[-1][1]}{row}\n")
        blocks.append((line, steps))
    return blocks


def needs_swarm(page: Path) -> bool:
    """Whether a page's commands are for a real swarm, whose image they know as $IMAGE."""
    return "<!-- needs: swarm -->" in page.read_text()


def needed_programs(page: Path) -> list[str]:
    """What else a page's commands need: `<!-- needs: docker-compose -->`."""
    needed = re.findall(r"^<!-- needs: (\S+) -->$", page.read_text(), re.MULTILINE)
    return [name for name in needed if name not in ("swarm", "namespaces")]


def pattern(expected: str) -> re.Pattern[str]:
    """What `expected` stands for: `…` is anything in a line, a line of `…` any number of lines.

    A slow machine makes `1 second ago` of `just now`, and the columns of its table wider.
    """
    parts = []
    for line in expected.splitlines():
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            known = [re.escape(piece.rstrip()) for piece in line.split("…")]
            line_pattern = ".*?".join(known).replace(r"just\ now", r"(?:just now|\d+ seconds? ago)")
            parts.append(re.sub(r"(?:\\ ){2,}", "  +", line_pattern) + r"\s*\n")
    return re.compile("".join(parts))


def run_console_blocks(page: Path, workspace: Path, env: dict[str, str]) -> int:
    """Run every console block of `page` in `workspace`; returns how many commands were run.

    Both streams are shown together, as a terminal would. Raises AssertionError that names the
    page, the line and the difference.
    """
    blocks = console_blocks(page.read_text())
    steps = [(line, *step) for line, block in blocks for step in block]
    script = "exec 2>&1\n" + "".join(
        f"{{ {command}\n}}\nprintf '\\n{_MARK} %s\\n' \"$?\"\n" for _, command, _ in steps
    )
    run = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", script],
        cwd=workspace,
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=300,
    )
    printed = re.split(rf"\n?{_MARK} \d+\n", run.stdout)
    for (line, command, expected), output in zip(steps, printed, strict=False):
        shown = output if not output or output.endswith("\n") else output + "\n"
        assert pattern(expected).fullmatch(shown), (
            f"{page.name}, block at line {line}: $ {command}\n--- expected\n{expected}"
            f"--- printed\n{shown}"
        )
    ended_early = f"{page.name}: the shell ended early\n{run.stdout[-2000:]}"
    assert len(printed) == len(steps) + 1, ended_early
    return len(steps)

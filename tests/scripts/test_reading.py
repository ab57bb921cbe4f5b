"""Shell scripts become trees as a shell reads them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from secretkit.delivery.scripts.model import Block, Simple, simples
from secretkit.delivery.scripts.reading import ScriptError, read
from tests.needs import need, need_program

# A script, and (line, words) of the simple commands in it; ? stands for what a run decides.
READ = {
    "a b # c\n": [(1, "a b")],
    "a 'b c' \"d $e\"": [(1, "a|b c|?")],
    "a \\\n  b\nc": [(1, "a b"), (3, "c")],
    "a; b && c || d &\ne": [(1, "a"), (1, "b"), (1, "c"), (1, "d"), (2, "e")],
    "if a; then b; elif c\nthen d; else e; fi": [
        (1, "a"), (1, "b"), (1, "c"), (2, "d"), (2, "e"),
    ],
    "for x in 1 2; do a; done": [(1, "a")],
    "while a; do b; done < f": [(1, "a"), (1, "b")],
    "case $1 in a|b) c;; (*) d; esac": [(1, "c"), (1, "d")],
    "f() { a; }\nf": [(1, "a"), (2, "f")],
    "function g\n{\na\n}": [(3, "a")],
    "cat <<E > f; b\nx $y\nE\nc": [(1, "cat"), (1, "b"), (4, "c")],
    "cat <<A; cat <<-'B'\n1\nA\n\t$2\n\tB\nc": [(1, "cat"), (1, "cat"), (6, "c")],
    "X=$(cat f | tr -d '\\n') y": [(1, "cat f"), (1, "tr|-d|\\n"), (1, "y")],
    "echo `a \\`b\\``": [(1, "b"), (1, "a ?"), (1, "echo ?")],
    'echo "$(a "b c")" ${x:-"y z"}': [(1, "a|b c"), (1, "echo|?|?")],
    "[[ a && (b < c) ]] && d": [(1, "[[|a|&&|(|b|<|c|)|]]"), (1, "d")],
    "((x = 1 << 2)); a": [(1, "a")],
    "a $((1 + (2)))": [(1, "a ?")],
    "((a); b)": [(1, "a"), (1, "b")],
    "a=(1 2\n3)\nb": [(1, ""), (3, "b")],
    "a > f 2>&1 < g": [(1, "a")],
    "! a | b": [(1, "a"), (1, "b")],
    "a <(b) c": [(1, "a|?|c")],
    "echo $'it\\'s' c#d": [(1, "echo|?|c#d")],
    "a\r\nb\r\n": [(1, "a"), (2, "b")],
    "": [],
}  # fmt: skip


@pytest.mark.parametrize("text", READ, ids=repr)
def test_commands_and_lines(text: str) -> None:
    """Every simple command is found with its words and its line, and the shell agrees."""
    found = [
        (one.line, [w.literal if w.literal is not None else "?" for w in one.words])
        for one in simples(read(text))
    ]
    expected = [
        (line, words.split("|") if "|" in words else words.split()) for line, words in READ[text]
    ]
    assert expected == found
    assert bash_accepts(text.replace("\r\n", "\n"))


@pytest.mark.parametrize(
    ("text", "line"),
    {
        "a\nif b; then c": 2,
        "a 'b\nc": 1,
        'a "b': 1,
        "a $(b": 1,
        "a `b": 1,
        "\n)": 2,
        "fi": 1,
        "a ${b": 1,
        "case x in a) b": 1,
        "a >": 1,
        "$(" * 5000: 1,
        "a;;": 1,
    }.items(),
    ids=lambda text: repr(text)[:20],
)
def test_what_no_shell_takes(text: str, line: int) -> None:
    """It is an error with the line, whatever is wrong; nothing of the text is repeated."""
    with pytest.raises(ScriptError) as caught:
        read(text)
    assert line == caught.value.line
    assert not bash_accepts(text)


def test_scripts_of_this_machine_are_read_as_bash_does() -> None:
    """Of a hundred shell scripts in /usr/bin, those are read that `bash -n` accepts."""
    need_program("bash")
    disagreed, seen = [], 0
    for path, text in scripts():
        seen += 1
        try:
            read(text)
            accepted = True
        except ScriptError:
            accepted = False
        if accepted != bash_accepts(text):
            disagreed.append(path)
    need("consumers", seen > 20, "needs shell scripts in /usr/bin")
    assert disagreed == []


def test_a_function_and_a_block_keep_what_is_theirs() -> None:
    """A function has its name, an `if` its three parts, a redirect of a block its target."""
    function, block = read("f() { a; }\nif b; then c; else d; fi > e")
    assert isinstance(function, Block)
    assert isinstance(block, Block)
    assert (function.kind, function.name) == ("function", "f")
    parts = (block.condition, block.body, block.otherwise)
    assert [isinstance(one, Simple) and one.name for (one,) in parts] == ["b", "c", "d"]
    assert [one.target.literal for one in block.redirects] == ["e"]


def scripts() -> Iterator[tuple[Path, str]]:
    """Up to a hundred scripts of sh or bash in /usr/bin, none longer than 20 kB."""
    count = 0
    for path in sorted(Path("/usr/bin").iterdir()):
        if count < 100 and path.is_file() and path.stat().st_size < 20000:
            with path.open("rb") as file:
                head = file.readline(80)
                if not head.startswith((b"#!/bin/sh", b"#!/bin/bash", b"#! /bin/sh")):
                    continue
            count += 1
            yield path, path.read_text(errors="replace")


def bash_accepts(text: str) -> bool:
    done = subprocess.run(
        ["bash", "-n"], input=text.encode(), capture_output=True, check=False, timeout=30
    )
    return done.returncode == 0 and b"here-document" not in done.stderr

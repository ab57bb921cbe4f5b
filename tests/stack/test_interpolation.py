"""Variables in stack files are replaced as each docker client of this machine does it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from secretkit.delivery.interpolation import InterpolationError, interpolate, names, sole
from tests.stack.clients import Stacks

VARIABLES = {"SET": "val", "EMPTY": "", "A": "${SET}", "_b1": "$$", "_": "_"}
WRITTEN = r"""
$SET ${SET} $$SET $$$SET ${UNSET} $UNSET ${UNSET-} ${UNSET:-} ${UNSET-a} ${UNSET:-a} ${EMPTY-a}
${EMPTY:-a} ${SET:-a} ${SET-a} ${SET:+y} ${SET+y} ${UNSET:+y} ${UNSET:?m} ${UNSET?m} ${EMPTY?m}
${EMPTY:?m} ${SET:?m} ${SET?} ${SET:?} ${UNSET:?} ${UNSET?} $SET:-x $UNSET:-x $SET-x $UNSET-x
$UNSET-x}y $UNSET:-a${SET} a$UNSET?m ${UNSET?a:-b} ${UNSET:-${SET}} ${UNSET-${SET}} ${UNSET:-$SET}
${UNSET:-a-b} ${UNSET-a:-b} $ a$ ${ ${} ${1} $1 ${SET ${SET%x} ${set} $sEt ${UNSET:-a$$b}
${UNSET:-a{b}} ${UNSET:--} ${UNSET--} ${UNSET:} ${SET:} ${SET:x} $SET.x ${UNSET:-ü} $SETü
${UNSET:-a:?b} ${SET?a-b} ${UNSET?a-b} ${UNSET:?a-b} ${SET:?a-b} ${UNSET:-"q"} $$ $$$ $$$$ $${SET}
$$${SET} {$SET} ${UNSET:-a ${UNSET:-a}} $SET$SET $SET{} $UNSET? $SET: ${A} $A ${_b1}
"""
# Go's regular expressions take the long s for an s, and the sign of Kelvin for a k.
TEXTS = [*WRITTEN.split(), "$SET\u017f", "${\u017f}", "$\u212a", "${x\u0131}"]
PARTS = ["$", "${", "}", "$$", "${SET}", "${UNSET:-", ":-", "-", ":?", "?", ":+", "SET", "UNSET"]
PARTS += ["EMPTY", " ", "\n", "1", "_", "x", "\u017f"]


def some_texts(seed: int, number: int) -> list[str]:
    """Texts of the parts that matter."""
    chance = random.Random(seed)
    return ["".join(chance.choices(PARTS, k=chance.randint(1, 9))) for _ in range(number)]


def ours(text: str) -> str | None:
    """None for what cannot be replaced."""
    try:
        return interpolate(text, VARIABLES)
    except InterpolationError as error:
        assert "val" not in str(error)
        return None


def stack_file(texts: list[str], image: str) -> str:
    labels = {f"l{number}": text for number, text in enumerate(texts)}
    service = {"image": image, "deploy": {"replicas": 0, "labels": labels}}
    return json.dumps({"version": "3.8", "services": {"web": service}})


def test_values_are_those_of_docker(stacks: Stacks, tmp_path: Path) -> None:
    """What can be replaced gives the same text: labels of a service, a thousand at once."""
    texts = [one for one in (*TEXTS, *some_texts(1, 5000)) if "$" in one and ours(one) is not None]
    assert len(texts) > 1000
    file = tmp_path / "stack.yml"
    file.write_text(stack_file(texts, stacks.engine.image))
    stack = f"values{stacks.mark}"
    assert stacks.deploy(stack, "-c", str(file), variables=VARIABLES) == ""
    labels = stacks.specs(stack)["web"]["Labels"]
    assert {text: labels[f"l{number}"] for number, text in enumerate(texts)} == {
        text: ours(text) for text in texts
    }


def test_docker_refuses_the_same(stacks: Stacks, tmp_path: Path) -> None:
    """What cannot be replaced docker refuses, if no variable comes after it: see below."""
    some = (one for one in some_texts(2, 400) if one.count("$") == 1)
    texts = [one for one in (*TEXTS, *some) if ours(one) is None][:45]
    assert len(texts) > 30
    file = tmp_path / "stack.yml"
    for text in texts:
        file.write_text(stack_file([text], stacks.engine.image))
        said = stacks.deploy(f"no{stacks.mark}", "-c", str(file), variables=VARIABLES)
        assert "invalid interpolation format" in said, text


def test_an_error_is_one_whatever_follows(stacks: Stacks, tmp_path: Path) -> None:
    """Docker forgets it if a variable follows that has none: a required one is empty then."""
    file = tmp_path / "stack.yml"
    file.write_text(stack_file(["<${UNSET:?needed}$SET>"], stacks.engine.image))
    stack = f"forgets{stacks.mark}"
    assert stacks.deploy(stack, "-c", str(file), variables=VARIABLES) == ""
    assert stacks.specs(stack)["web"]["Labels"]["l0"] == "<val>"
    assert ours("<${UNSET:?needed}$SET>") is None


def test_variables_without_a_value_are_told() -> None:
    """`unset` hears of those that become empty for want of a value, and of no others."""
    heard: list[str] = []
    interpolate("$A ${NONE} ${NONE2:-x} $EMPTY $$NO", VARIABLES, heard.append)
    assert heard == ["NONE"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A-${B:-c}$$D${E?m}", ("A", "E")),
        ("${A}-${B:-c}$$D${E?m}", ("A", "B", "E")),
        ("$$A", ()),
        ("${A} ${A}", ("A",)),
    ],
)
def test_the_variables_of_a_text(text: str, expected: tuple[str, ...]) -> None:
    """Each once; without braces a default swallows the rest, as docker has it."""
    assert names(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A:-b}", ("A", "b")),
        ("${A-b}", ("A", "b")),
        ("$A", ("A", "")),
        ("${A:?no}", ("A", "")),
        ("x${A}", None),
        ("${A}${B}", None),
        ("$$A", None),
        ("", None),
    ],
)
def test_a_text_that_is_one_variable(text: str, expected: tuple[str, str] | None) -> None:
    """Its name and its default."""
    assert sole(text) == expected

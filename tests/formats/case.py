"""One context of a format: a template for many values, and who reads it back.

A reader takes the rendered file and gives the values in the order of their entries, as bytes.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from secretkit_entrypoint import formats
from secretkit_entrypoint.render import load, percent

# name of a reader: the program that it needs (or None), and how it reads (data, folder)
Readers = dict[str, tuple[str | None, Callable[[bytes, Path], list[bytes]]]]


@dataclass(frozen=True)
class Case:
    """One context of a format. In `entry`, № stands for the entry's number and <<v>> for a value.

    `read` is the reader in this process (or the real one where there is no other), `real` are the
    programs that read the format, `large` those that only the campaign runs. `around` is the text
    that an entry has around the value.
    """

    format: str
    context: str
    entry: str
    read: str
    real: tuple[str, ...]
    head: str = ""
    tail: str = ""
    between: str = "\n"
    around: tuple[str, str] = ("", "")
    url: bool = False
    large: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.format}-{self.context}".replace(" ", "-")

    def template(self, count: int) -> str:
        """The text of a template with placeholders s0, s1 ..."""
        entries = (
            self.entry.replace("№", str(n)).replace("<<v", f"<<s{n}|verbatim") for n in range(count)
        )
        return self.head + self.between.join(entries) + self.tail

    def expected(self, value: bytes) -> bytes:
        """What a reader must give for `value`."""
        before, after = self.around
        return before.encode() + (percent(value) if self.url else value) + after.encode()

    def refusal(self, value: bytes) -> str | None:
        """Why the format refuses `value` here, or None."""
        module = formats.module(self.format)
        literal = self.entry.replace("№", "0").replace("<<v|url>>", "\0").replace("<<v>>", "\0")
        (place,) = module.places(f"{self.head}{literal}{self.tail}")
        assert not isinstance(place, formats.RefusedError)
        try:
            if self.url and place == formats.PART:
                return None if value else "empty"
            module.encode(percent(value) if self.url else value, place)
        except formats.RefusedError as refused:
            return str(refused)
        return None

    def render(self, folder: Path, values: list[bytes]) -> bytes:
        """`values` rendered by the shim: a real template file, real lookups."""
        source = folder / f"template-{self.id}"
        source.write_text(self.template(len(values)), newline="")
        template = load(str(source), str(folder / "rendered"), self.format)
        return template.render(Content({f"s{n}": value for n, value in enumerate(values)}), {})


class Content:
    """Secrets in memory, with the interface that templates see."""

    def __init__(self, values: dict[str, bytes]) -> None:
        self.values = values

    def names(self) -> list[str]:
        return list(self.values)

    def read(self, name: str) -> bytes:
        return self.values[name]


def run(command: list[str], data: bytes) -> bytes:
    """What a program prints, that gets `data` on stdin and finds no other program."""
    program = shutil.which(command[0])
    assert program is not None
    done = subprocess.run(
        [program, *command[1:]],
        input=data,
        capture_output=True,
        check=True,
        cwd="/",
        env={"PATH": "/nonexistent"},
    )
    return done.stdout


def from_hex(lines: bytes) -> list[bytes]:
    """The values that a reader printed, each in hex on a line of its own."""
    return [bytes.fromhex(line.decode()) for line in lines.split(b"\n")[:-1]]

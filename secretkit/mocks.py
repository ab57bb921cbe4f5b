"""Mock values: typed fakes for laptops, which are recognised wherever they turn up."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Mock(NamedTuple):
    """Which mocks."""

    style: Literal["plain", "nasty"] = "plain"
    seed: int = 0


def mock_for(name: str, kind: str | None, mock: Mock) -> dict[str, bytes]:
    """The mock values by secret, as `generators.generate_for` names them; the same ones each time.

    `kind` is that of the generator, None if somebody gives the values. Raises InvalidNameError and
    UsageError.
    """
    raise NotImplementedError


def is_mock(value: bytes) -> bool:
    """Whether `value` is one that `mock_for` made, with any name and seed."""
    raise NotImplementedError

"""A small version of the tampering campaign in every test run."""

from __future__ import annotations

from pathlib import Path

from tests.campaigns.tampering import Victim, flips, rows


def test_no_row_attack_goes_unnoticed(project: Path) -> None:
    """Rows deleted, doubled, moved, swapped, replayed: each is noticed, by a read or by check."""
    verdicts = dict(rows(Victim(project)))
    assert len(verdicts) > 200
    assert {what for what, verdict in verdicts.items() if verdict not in {"read", "check"}} == set()


def test_flipped_bits_never_give_a_wrong_value(project: Path) -> None:
    """A flipped bit is noticed, or is in a byte that holds nothing; never a value, a traceback."""
    verdicts = dict(flips(Victim(project), every=97, seed=5))
    assert len(verdicts) > 200
    assert {what for what, verdict in verdicts.items() if verdict == "WRONG"} == set()

"""Values through every format and context: does the reader get what the secret holds?

For each: `--values` through a reader in this process, `--real` through each program that reads the
format, `--sed` as scripts do it now (`sed -i "s/<<x>>/$value/g"`), and then `--templates` random
templates against the lexers.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.formats import lexing
from tests.formats.cases import CASES, READERS, Case, read_java_each, without_newline
from tests.formats.values import values

CHUNK = 10_000  # values in one rendered file
SMALLER = {"python": 700}  # of which the shim takes at most 128 KiB


def main(argv: list[str] | None = None) -> int:
    """Print the tables; 1 if a value differs."""
    parser = argparse.ArgumentParser(prog="encoders", description=__doc__)
    parser.add_argument("--values", type=int, default=100_000, help="that are not refused")
    parser.add_argument("--real", type=int, default=5_000)
    parser.add_argument("--sed", type=int, default=200)
    parser.add_argument("--templates", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="formats or contexts whose id holds this")
    options = parser.parse_args(argv)
    logging.getLogger("dotenv.main").setLevel(logging.ERROR)
    cases = [case for case in CASES if options.only in case.id]
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reasons: Counter[tuple[str, str]] = Counter()
        row = "{:<10} {:<17} {:<16} {:>8} {:>8} {:>7} {:>7}"
        print(row.format("format", "context", "reader", "values", "refused", "differ", "seconds"))
        for case in cases:
            for reader, count in _readers(case, options):
                started = time.monotonic()
                seen, refused, differ = _round_trips(case, reader, count, options.seed, folder)
                seconds = f"{time.monotonic() - started:.1f}"
                line = (case.format, case.context, reader, seen, refused.total(), differ, seconds)
                print(row.format(*line), flush=True)
                failed |= differ > 0 or seen < count
                if reader == case.read:
                    reasons.update({(case.id, why): n for why, n in refused.items()})
        print("\nrefused, in the first row of each context, because of the value:")
        for (case_id, reason), count in sorted(reasons.items()):
            print(f"{count:>8}  {case_id}: {reason}")
        if options.sed:
            print("\nthe same values by sed -i:")
            for case in [case for case in cases if not case.url]:
                wrong = _sed(case, options.sed, options.seed, folder)
                print(f"{case.id:<28} {wrong:>4} of {options.sed} corrupted", flush=True)
        print("\nrandom templates, harmless and nasty values:")
        for format_name in lexing.PIECES:
            if any(case.format == format_name for case in cases):
                failed |= _templates(format_name, options.templates, options.seed, folder)
    return int(failed)


def _readers(case: Case, options: argparse.Namespace) -> list[tuple[str, int]]:
    readers = {case.read: options.values} | {
        reader: options.real for reader in case.real + case.large if reader != case.read
    }
    found = []
    for reader, count in readers.items():
        program = READERS[reader][0]
        if program is None or shutil.which(program):
            found.append((reader, count))
        else:
            print(f"{case.id}: {reader} not run, {program} is not installed")
    return found


def _round_trips(
    case: Case, reader: str, count: int, seed: int, folder: Path
) -> tuple[int, Counter[str], int]:
    """Render and read `count` values that are not refused: (values, refusals, how many differ)."""
    seen = differ = 0
    refused: Counter[str] = Counter()
    while seen < count:
        seed += 1_000_003
        accepted = []
        for value in values(seed, SMALLER.get(case.format, CHUNK)):
            reason = case.refusal(value)
            if reason is None:
                accepted.append(value)
            else:
                refused[reason] += 1
        accepted = accepted[: count - seen]
        rendered = case.render(folder, accepted)
        read = READERS[reader][1](rendered, folder)
        differ += abs(len(accepted) - len(read))
        differ += sum(
            case.expected(value) != actual for value, actual in zip(accepted, read, strict=False)
        )
        seen += len(accepted)
    return seen, refused, differ


def _sed(case: Case, count: int, seed: int, folder: Path) -> int:
    """How many of `count` values, none of them refused here, sed changes or breaks the file with.

    As scripts do it: the value comes from `$(cat FILE)`, which drops the line ends of the file, so
    the one that every reader of secrets drops does not count.
    """
    accepted = [value for value in values(seed, count * 8) if case.refusal(value) is None][:count]
    before, after = (text.encode() for text in case.around)
    expected = [before + without_newline(value) + after for value in accepted]
    rendered = [_by_sed(case, value, folder) for value in accepted]
    reader = next((r for r in (*case.real, case.read) if READERS[r][0] is None), case.read)
    if reader in ("Properties", "Properties keys"):  # one start of Java for all
        together = b"\0".join(data.replace(b"\0", b"") for data in rendered)
        lines = read_java_each(reader == "Properties keys", together)
        return sum(actual != [wanted] for actual, wanted in zip(lines, expected, strict=True))
    wrong = 0
    for data, wanted in zip(rendered, expected, strict=True):
        try:
            if case.format == "shell":  # a value may have become a command
                printed = lexing.run_script([reader], data).encode("utf-8", "surrogateescape")
                actual = printed.split(b"\0")[:-1]
            else:
                actual = READERS[reader][1](data, folder)
        except Exception:  # whatever the reader says about a file that is not its format any more
            actual = []
        wrong += actual != [wanted]
    return wrong


def _by_sed(case: Case, value: bytes, folder: Path) -> bytes:
    template = folder / "by-sed"
    template.write_text(case.template(1).replace("<<s0|verbatim>>", "<<x>>"), newline="")
    (folder / "secret").write_bytes(value)
    script = 'sed -i "s/<<x>>/$(cat "$1")/g" "$2"'
    subprocess.run(
        ["sh", "-c", script, "sh", str(folder / "secret"), str(template)],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return template.read_bytes()


def _templates(format_name: str, count: int, seed: int, folder: Path) -> bool:
    """Try random templates and print how they fared; whether one reads wrong."""
    if format_name in ("shell", "env", "cnf"):
        count //= 4  # two processes for each
    random = Random(seed)
    verdicts = Counter(lexing.attempt(folder, format_name, random) for _ in range(count))
    fine = ("same", "value refused", "refused", "unreadable")
    print(f"{format_name:<11}", *(f"{verdicts[name]} {name}," for name in fine), end=" ")
    wrong = {verdict: n for verdict, n in verdicts.items() if verdict not in fine}
    print(f"{sum(wrong.values())} wrong", flush=True)
    for verdict in list(wrong)[:5]:
        print("   ", verdict[:500])
    return bool(wrong)

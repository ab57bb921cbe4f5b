"""Readers that take only some values: docker run --env-file, and MySQL's reading of INI."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.needs import need_program

from .cases import CASES, READERS
from .values import values


def test_docker_env_file_reads_what_is_written_bare(tmp_path: Path) -> None:
    """docker run --env-file knows no quotes: it gets exactly the values that have none."""
    need_program("docker")
    bare = next(case for case in CASES if case.id == "env-bare")
    accepted = [value for value in values(seed=6, count=4000) if bare.refusal(value) is None]
    written = bare.render(tmp_path, accepted).split(b"\n")
    harmless = {
        f"K{n}": value.decode()
        for n, (value, line) in enumerate(zip(accepted, written, strict=True))
        if line.partition(b"=")[2][:1] not in (b"'", b'"')
    }
    assert len(harmless) > 100
    lines = (line for line in written if line.partition(b"=")[0].decode() in harmless)
    found = READERS["docker create"][1](b"\n".join(lines), tmp_path)
    assert list(harmless.values()) == [value.decode() for value in found]


def test_mysql_reads_ini_alike_but_for_its_escapes(tmp_path: Path) -> None:
    """ASCII without backslash, quote and `#` is to my_print_defaults what it is to configparser."""
    program = need_program("my_print_defaults")
    whole = next(case for case in CASES if case.id == "ini-whole")
    accepted = [
        value
        for value in values(seed=7, count=4000)
        if whole.refusal(value) is None and not set(b"\\'\"#") & set(value) and value.isascii()
    ]
    assert len(accepted) > 500
    (tmp_path / "my.cnf").write_bytes(whole.render(tmp_path, accepted) + b"\n")
    done = subprocess.run(
        [program, f"--defaults-file={tmp_path / 'my.cnf'}", "s"], capture_output=True, check=True
    )
    expected = [f"--k{n}=".encode() + value for n, value in enumerate(accepted)]
    assert expected == done.stdout.split(b"\n")[:-1]

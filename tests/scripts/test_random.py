"""Scripts made of lines by chance: where nothing is said, the table does what the script does."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from secretkit.delivery.scripts.convert import convert

from .scripts import SECRETS, Given
from .test_convert import Ground, said

PW, KEY = "/run/secrets/db_password", "/run/secrets/api-key"
LINES = (
    f"export X=$(cat {PW})",
    f"X=`cat {KEY}`",
    f'Y="$(tr -d "\\n" < {KEY})"',
    f"X=$(cat {PW}) Y=$X",
    f"export X=$(cat {KEY}) Y=$X",
    "export X",
    "export Y",
    'export Y="$X"',
    "export Z=${X:-none}",
    "unset X",
    "set -a",
    "set +a",
    "readonly Y",
    ': "${X:?}"',
    '[ -n "$X" ] || exit 1',
    f"[ -f {KEY} ] && export X=$(cat {KEY})",
    f"if [ -f {PW} ]; then Y=$(cat {PW}); else exit 1; fi",
    "[ -f /run/secrets/absent ] && Z=$(cat /run/secrets/absent)",
    "export N=$(jq -r .hosts.first /run/secrets/db)",
    f"f() {{ export X=$(cat {KEY}); }}\nf",
    'g() { Y=$X; export Y; }\ng "$@"',
    f"read -r X < {PW} && export X",
    f"cp {KEY} /app/k.pem",
    f"cat {PW} > /app/k.pem",
    'echo "p=$X" > /app/e',
    "echo q $Y @PW@ >> /app/e",
    "printf '%s:%s\\n' \"$X\" $Y > /app/e",
    'cat > /app/h <<E\na $X b ${Y} \\$X\\\\\n"@KEY@" $H\\\nE\nE',
    "cat > /app/h <<'E'\na $X\nE",
    'sed -i "s/@PW@/$X/g" /app/app.conf',
    'sed -i -e "s|@PW@|$Y|g;s|@KEY@|$X|g" /app/e',
    'sed "s/@KEY@/$Y/g" /app/app.conf > /app/o',
    "chmod 640 /app/e",
    "Z=pre-$X",
    "echo $Z > /app/z",
)
LAST = (
    'exec "$@"',
    'exec probe -p "$X" "$@"',
    'X=a exec probe "$X"',
    'exec env W="$X" probe "$@"',
    'X=$Y probe "$@"',
    f"exec probe < {PW}",
)
GIVEN = Given(
    files=(("app.conf", "password=@PW@\nkey=@KEY@\n"),),
    environ=(("H", "host"), ("Y", "inherited")),
)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_said_nothing_about_is_the_same(seed: int, tmp_path: Path) -> None:
    """Environment, arguments, files and input of the program, for values of letters and digits."""
    chance = random.Random(seed)
    tried = drawn = 0
    while tried < 6:
        drawn += 1
        lines = chance.sample(LINES, chance.randint(1, 4))
        text = "\n".join(["#!/bin/bash", "set -e", *lines, chance.choice(LAST), ""])
        made = convert("e.sh", text)
        notes = " ".join(one.message for one in made.findings)
        noted = any(
            one in notes
            for one in ("Y is not exported", "is not unset", "must be set", "the function")
        )
        if said(made) or made.command is None or noted:
            continue
        folder = tmp_path / str(drawn)
        before = Ground(folder / "before", GIVEN, SECRETS)
        try:
            expected = before.original(text)
        except AssertionError:  # set -e, or a file that only the script knows not to be there
            continue
        seen = Ground(folder / "after", GIVEN, SECRETS).converted(made)
        templates = {path.removeprefix("/app/") for path, _ in made.replacements}
        templates -= {one.destination.removeprefix("/app/") for one in made.renderings}
        same = {name: text for name, text in expected.files.items() if name not in templates}
        files = {name: text for name, text in seen.files.items() if name not in templates}
        assert expected._replace(files=same) == seen._replace(files=files), text
        tried += 1

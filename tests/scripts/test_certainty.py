"""What a script may do otherwise than it seems is not translated, or the difference is said."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from secretkit.delivery.lint.script import findings_of_script
from secretkit.delivery.scripts.conversion import toml
from secretkit.delivery.scripts.convert import convert
from secretkit.errors import UsageError

A = "$(cat /run/secrets/a)"


class Becomes(NamedTuple):
    """What comes of a script: the lines that are not translated, and what is translated."""

    said: tuple[int, ...]
    table: dict[str, Any] = {"no_env": True}  # noqa: RUF012 - nobody changes it
    command: list[str] | None = None
    files: tuple[str, ...] = ()


APP = ["app"]
SCRIPTS = {
    # a variable of the container has the last word
    "exec app -w ${WORKERS:-4}": Becomes((1,)),
    'PORT=${PORT:-8080}\nexec app --port "$PORT"': Becomes((2,)),
    'export P="$(cat "${P_FILE:-/run/secrets/p}")"\nexec app': Becomes((1,), command=APP),
    "D=${D:-/run/secrets}\nexport P=$(cat $D/p)\nexec app": Becomes((2,), command=APP),
    f"cat > ${{CONF:-/app/a.ini}} <<E\np={A}\nE\nexec app": Becomes((1,), command=APP),
    f"cat > /app/a.ini <<E\np={A}\nh=${{HOST:-localhost}}\nE\nexec app": Becomes((1,), command=APP),
    f"cat > /app/a.ini <<E\np={A}\nr=$RANDOM\nE\nexec app": Becomes((1,), command=APP),
    # a start inside of a condition
    f'if [ -f /run/secrets/a ]; then\nexport X={A}\nexec pro "$@"\nfi\nexec free "$@"': Becomes(
        (1, 2, 5)
    ),
    "if [ -f /run/secrets/a ]; then exec gosu u app; fi\nexec app": Becomes((1, 2)),
    "[ ! -f /run/secrets/a ] && exit 0\nexec app": Becomes((1, 2)),
    f'export X={A}\nif [ -z "$X" ]; then exit; fi\nexec app': Becomes((2, 3), {"env": {"X": "a"}}),
    ". /lib.sh\nexec app": Becomes((1, 2)),
    '"$HOOK"\nexec app': Becomes((1, 2)),
    # functions
    f"f() {{\nexport X={A}\nmkdir -p /c\n}}\nf\nexec app": Becomes(
        (3,), {"env": {"X": "a"}}, command=APP
    ),
    "f() {\nnc -z db 5432\n}\nf\nexec app": Becomes((2,), command=APP),
    'main() { exec "$@"; }\nmain': Becomes((2,)),
    f"setup() {{ export X={A}; }}\n/opt/setup\nexec app": Becomes((2,), command=APP),
    f"f() {{ local X={A}; export X; }}\nf\nexec app": Becomes((2,), command=APP),
    f"f() {{ return 0; export X={A}; }}\nf\nexec app": Becomes((2, 3)),
    f"cat() {{ echo x; }}\nexport X={A}\nexec app": Becomes((1, 3)),
    "f() { f; }\nf": Becomes((1, 2)),
    # assignments and files inside of a condition
    f'[ -f /run/secrets/a ] && X={A}\nexport Y="$X"\nexec app': Becomes((2,), command=APP),
    f'[ -f /run/secrets/a ] && X={A}\nexport Y="${{X:-b}}"\nexec app': Becomes((2,), command=APP),
    "M=a\nif [ -f /run/secrets/t ]; then M=b; fi\nexec app $M": Becomes((2, 3)),
    f"[ -f /run/secrets/b ] && export X={A}\nexec app": Becomes((1,), command=APP),
    f"[ -f /run/secrets/a ] && echo x={A} > /app/f\nexec app": Becomes((1,), command=APP),
    f"echo a=1 > /app/f\n[ -f /run/secrets/a ] && echo x={A} >> /app/f\nexec app": Becomes(
        (1, 2), command=APP
    ),
    f"echo no > /app/f\nif [ -f /run/secrets/a ]; then echo {A} > /app/f; fi\nexec app": Becomes(
        (1, 2), command=APP
    ),
    f"[ -f /run/secrets/a ] && export X={A}\n[ -f /run/secrets/b ] && "
    "export X=$(cat /run/secrets/b)\nexec app": Becomes((2,), command=APP),
    f"if [ -f /run/secrets/a ] && [ -f /run/secrets/b ]; then export X={A}; fi\nexec app": Becomes(
        (1,), command=APP
    ),
    f"[[ -f /run/secrets/a && -f /run/secrets/b ]] && export X={A}\nexec app": Becomes(
        (1,), command=APP
    ),
    f"[ -f /run/secrets/a ] && X={A}\necho x=$X > /app/f\nexec app": Becomes((2,), command=APP),
    f"X={A}\n[ -n $X ] && export X\nexec app": Becomes((2,), command=APP),
    # words that a shell changes
    'OPTS="--foo --bar"\nexec app $OPTS': Becomes((2,)),
    "OPTS=\nexec app $OPTS": Becomes((2,)),
    "exec app --{foo,bar}": Becomes((1,)),
    f"echo {A} > ~/.pgpass\nexec app": Becomes((1,), command=APP),
    f"IFS=:\nexport X={A}\nexec app": Becomes((1, 3)),
    # the arguments
    'exec sh -c "$*"': Becomes((1,)),
    "exec $@": Becomes((1,)),
    'exec "${@:-app}"': Becomes((1,)),
    'set foo bar\nexec "$@"': Becomes((1, 2)),
    "exec -a foo app": Becomes((1,)),
    "exec -- app": Becomes((1,)),
    # what the shell exports
    "PATH=/opt/bin:$PATH\nexec app": Becomes((1,), command=APP),
    # a shell puts variables into a whole line before it sets one of them
    'X=a exec app "$X"': Becomes((1,)),
    f'exec env X={A} app "$X"': Becomes((1,)),
    f"X={A} Y=${{X:-b}} app": Becomes((1,)),
    f"export X={A} Y=$X\nexec app": Becomes((1,), command=APP),
    f"export X={A} Y=$(echo $X)\nexec app": Becomes((1,), command=APP),
    f"readonly X\nexport X={A}\nexec app": Becomes((2,), command=APP),
    f"set -a\nreadonly X=b\nX={A}\nexec app": Becomes((2, 3), command=APP),
    f"set -o allexport\nA={A}\nset +o allexport\nB={A}\nexec app": Becomes(
        (), {"env": {"A": "a"}}, command=APP
    ),
    f"#!/bin/sh -ea\nX={A}\nexec app": Becomes((), {"env": {"X": "a"}}, command=APP),
    f"if x; then set -a; fi\nX={A}\nexec app": Becomes((1, 2), command=APP),
    f"X={A}\ndeclare +x X\nexec app": Becomes((2,), command=APP),
    f"export X={A}\nX+=b\nexec app": Becomes((2,), command=APP),
    f"export X={A}\n((X = 5))\nexec app": Becomes((2,), command=APP),
    f"export X={A}\nwhile read X; do y; done\nexec app": Becomes((2,), command=APP),
    # loops over all secrets
    'for f in /run/secrets/*; do\n[ "$f" = /run/secrets/k ] && continue\n'
    'n=$(basename "$f" | tr a-z- A-Z_)\nexport "$n=$(cat "$f")"\ndone\nexec app': Becomes((1, 6)),
    'for f in /run/secrets/*; do\nn=$(basename "$f" | tr a-z- A-Z_)\n'
    'if [ "$n" = P ]; then export "$n=$(cat "$f")"; fi\ndone\nexec app': Becomes((1,), command=APP),
    'for f in /run/secrets/*; do\nn=$(basename "$f" | tr a-z- A-Z_)\nm=${f##*/}\n'
    'export "$m=$(cat "$f")"\ndone\nexec app': Becomes((1,), command=APP),
    "export B=$(cat /run/secrets/a)\nfor f in /run/secrets/*; do\n"
    'n=$(basename "$f" | tr a-z- A-Z_)\nexport "$n=$(cat "$f")"\ndone\nexec app': Becomes(
        (2,), {"env": {"B": "a"}}, command=APP
    ),
    'set -a\nfor f in /run/secrets/*; do\nn=$(basename "$f" | tr a-z- A-Z_)\n'
    'export "$n=$(cat "$f")"\ndone\nexec app': Becomes((2,), command=APP),
    'set -f\nfor f in /run/secrets/*; do\nn=$(basename "$f" | tr a-z- A-Z_)\n'
    'export "$n=$(cat "$f")"\ndone\nexec app': Becomes((1, 2), command=APP),
    # what no reference has
    "export X=$(cat /run/secrets/a | base64 -d | jq -r .k)\nexec app": Becomes((1,), command=APP),
    "export X=$(jq -r .a /run/secrets/a | jq -r .k)\nexec app": Becomes((1,), command=APP),
    # files
    "cp /run/secrets/x /etc/ssl/private\nexec app": Becomes((1,), command=APP),
    "cp /run/secrets/x /root/.ssh\nexec app": Becomes((1,), command=APP),
    "cp /run/secrets/x /etc/nginx/conf.d\nexec app": Becomes((1,), command=APP),
    "rm /app/x.key\ncp /run/secrets/x /app/x.key\nexec app": Becomes((1, 2), command=APP),
    f'echo -n -e "x{A}" > /app/f\nexec app': Becomes((1,), command=APP),
    f'sed -i "s/b/{A}/" /app/f\nexec app': Becomes((1,), command=APP),
    f'sed -i "s/user/$(cat /run/secrets/pass)/;s/pass/{A}/" /app/f\nexec app': Becomes(
        (1,), command=APP
    ),
    f'sed -i "s/@X@/{A}/" /app/f.j2\nexec app': Becomes((1,), command=APP),
    "cp /run/secrets/x /etc/ssl/private/\nexec app": Becomes(
        (), {}, command=APP, files=("/etc/ssl/private/x",)
    ),
    f"export X={A}\nenvsubst < /app/t > /app/c\nexec app": Becomes(
        (2,), {"env": {"X": "a"}}, command=APP
    ),
    f"X={A}\nenvsubst '$X' < /app/t > /app/c\nexec app": Becomes((2,), command=APP),
    f"echo x={A} > /app/f\nmv /app/f /app/g\nexec app": Becomes((1, 2), command=APP),
    f"cp /app/t /app/u\nsed s/@X@/{A}/ /app/u > /app/v\nexec app": Becomes((1, 2), command=APP),
    f'sed -i.bak "s/@X@/{A}/" /app/f\nexec app': Becomes((1,), command=APP),
    f'echo "<{A}>" > /app/f\nexec app': Becomes((1,), command=APP),
    f"cat > /app/f <<E\n{{$HOST}} {A}\nE\nexec app": Becomes((1,), command=APP),
    f'sed "s/@X@/{A}/;s/@Y@/{A}/" /app/f > /app/g\nsed -i "s/@X@/{A}/" /app/f\nexec app': Becomes(
        (1, 2), command=APP
    ),
    ": > /app/ready\nexec app": Becomes((1,), command=APP),
    "sleep 20\nexec app": Becomes((1,), command=APP),
    # read
    "read X < /run/secrets/a && export X\nexec app": Becomes((1,), command=APP),
    "read -d: X < /run/secrets/a\nexport X\nexec app": Becomes((1, 2), command=APP),
    "read -rn8 X < /run/secrets/a\nexport X\nexec app": Becomes((1, 2), command=APP),
    "IFS= read -r X < /run/secrets/a\nexport X\nexec app": Becomes(
        (), {"env": {"X": "a"}}, command=APP
    ),
}


@pytest.mark.parametrize("text", SCRIPTS)
def test_only_what_is_certain_is_translated(text: str) -> None:
    """Nothing is silent: the lines that are not in the table are named."""
    made = convert("e.sh", text)
    found = {one.place.line for one in made.findings if one.rule == "not-translated"}
    seen = Becomes(
        tuple(sorted(found)),
        made.table,
        made.command,
        tuple(one.destination for one in made.renderings),
    )
    assert SCRIPTS[text] == seen


@pytest.mark.parametrize(
    ("text", "remedy"),
    {
        'cd "$(dirname "$0")"\nexec app': "state the folder as WORKDIR, and whole paths",
        'export X="$(cat "/run/secrets/my key")"\nexec app': "a secret's name has letters, "
        "digits, - _ and . alone",
    }.items(),
)
def test_a_remedy_is_about_what_is_wrong(text: str, remedy: str) -> None:
    """It says what to do about this line."""
    made = convert("e.sh", text)
    assert [one.remedy for one in made.findings if one.rule == "not-translated"] == [remedy]


@pytest.mark.parametrize(
    ("path", "asks"),
    {"/root/.pgpass": False, "/a/.env": False, "/a/nginx.conf": False, "/a/b.conf": True}.items(),
)
def test_a_format_is_asked_for_only_where_the_name_tells_none(path: str, asks: bool) -> None:
    """The shim knows `.pgpass` and its like by their names."""
    made = convert("e.sh", f'echo "x:{A}" > {path}\nexec app')
    assert asks == ("# format" in toml(made))


def test_the_remedy_of_the_commonest_default_names_both_keys() -> None:
    """`${X_FILE:-…}` is expand_file or env: which one, the user knows."""
    made = convert("e.sh", 'export X="$(cat "${X_FILE:-/run/secrets/x}")"\nexec app')
    (found,) = [one.remedy for one in made.findings if one.rule == "not-translated"]
    assert found == 'expand_file = ["X"] if X_FILE is set, or else env'


@pytest.mark.parametrize(
    ("text", "said"),
    {
        f"DB_PASSWORD={A}\nexec app": "DB_PASSWORD is not exported",
        "export X=$(tr -d '\\n' < /run/secrets/a)\nexec app": "tr takes newlines",
        "read X < /run/secrets/a\nexec app": "fails if no newline ends it",
        f"echo port: {A} > /app/a.yaml\nexec app": '8080 becomes "8080"',
        f"echo {A} > /app/a\nexec app": "mode 0400",
        f"echo p={A} > /app/a.js\nexec app": '8080 becomes "8080"',
        f'sed -i "s/@X@/{A}/" /app/a\nexec app': "sed without g",
        f'echo "$HOST {A}" > /app/a\nexec app': "HOST must be set",
        f"b={A}\nexec app": "b is not exported",
        f"export X={A}\nunset X\nexec app": "X is not unset",
        'echo "p=$PORT" > /app/a.js\nexec app': '8080 becomes "8080"',
        "set -a\nf() { :; }\nf\nexec app": "exports the function",
        'export X="$(cat "$X_FILE")"\nexec app': "with it X_FILE goes",
        'for f in /run/secrets/*; do\nn=$(basename "$f" | tr a-z- A-Z_)\n'
        'export "$n=$(cat "$f")"\ndone\nexec app': "env_all makes _ of each",
        f"#!/bin/sh\n[[ -f /run/secrets/a ]] && export X={A}\nexec app": "bash's",
        "#!/bin/sh\nexport X=$(</run/secrets/a)\nexec app": "bash's",
    }.items(),
)
def test_a_small_difference_is_said(text: str, said: str) -> None:
    """It is translated, with a note about the secrets and images for which it is not the same."""
    made = convert("e.sh", text)
    notes = [one.message for one in made.findings if one.rule == "almost-the-same"]
    assert any(said in note for note in notes)
    assert [one for one in made.findings if one.rule == "not-translated"] == []


def test_owner_and_mode_stay_what_they_were_set_to() -> None:
    """chown with a number is an owner; what is appended later changes no mode."""
    text = f"echo {A} > /a/f\nchmod 640 /a/f\nchown 101 /a/f\necho b >> /a/f\nexec app"
    (one,) = convert("e.sh", text).renderings
    assert (one.mode, one.owner) == ("0640", "101")


def test_a_file_that_is_jinjas_itself_is_written_as_it_is() -> None:
    """Its template has another name: the shim would take `{{ … }}` in it for its own."""
    made = convert("e.sh", f"echo '{{{{ x }}}}' {A} > /app/t.j2\nexec app")
    assert made.templates == {"t.j2.tmpl": "{{ x }} <<a>>\n"}


@pytest.mark.parametrize("shell", ["bash", "dash"])
@pytest.mark.parametrize("sign", ["<<E", "<<-E", "<<'E'"])
def test_a_here_document_ends_where_the_shells_does(shell: str, sign: str, tmp_path: Path) -> None:
    """A line that a backslash continues is one with the next, also if that is the delimiter."""
    path = tmp_path / "f"
    text = f"cat > {path} {sign}\n\ta\\\nE\n\tb\\\\\nE\n"
    subprocess.run([shell, "-c", text], capture_output=True, check=False)
    made = convert("e.sh", text)
    assert path.read_text() == "".join(made.templates.values())


def test_a_filter_is_jinjas() -> None:
    """`secrets["a"]|base64d`: in the brackets is a name."""
    made = convert("e.sh", 'echo "$HOST $(base64 -d /run/secrets/a)" > /app/f\nexec app')
    assert made.templates == {"f.j2": '{{ env.HOST }} {{ secrets["a"]|base64d }}\n'}


def test_texts_that_follow_each_other_are_one_for_sed() -> None:
    """What sed looks for may be of two parts of a line."""
    made = convert("e.sh", f"P=@\necho ${{P}}PW@ > /app/f\nsed -i 's/@PW@/'{A}'/' /app/f\nexec app")
    assert made.templates == {"f": "<<a>>\n"}


LARGE = {
    "doubling": "A0=xxxxxxxxxxxxxxxx\n" + "".join(f"A{i + 1}=$A{i}$A{i}\n" for i in range(60)),
    "doubling a secret": f"A0=x{A}\n" + "".join(f"A{i + 1}=$A{i}$A{i}\n" for i in range(60)),
    "doubling a file": f"X={A}\necho a > /f\n" + 'sed -i "s/a/aa$X/g" /f\n' * 60,
    "doubling calls": "".join(f"f{i}() {{ f{i + 1}; f{i + 1}; }}\n" for i in range(30))
    + "f30() { :; }\n"
    + "".join(f"f{i}() {{ f{i - 1}; f{i - 1}; }}\n" for i in range(32, 60))
    + "f0\nf59\n",
    "lines": "a\n" * 100_000,
    "long": "#" * (1 << 19),
    "in the background": "a&" * 100_000,
    "redirects": "cat " + "> /dev/null " * 16_000,
    "brackets": "[[ " + "a && " * 40_000 + "b ]]",
    "chain": "a && " * 3000 + "b",
    "negated": "! " * 3000 + "a",
    "arms": "case x in\n" + "a) b;;\n" * 9000 + "esac",
    "appended": f"X={A}\necho a > /f\n" + 'echo "$X" >> /f\n' * 9000,
    "seds": f"X={A}\n" + "".join(f'sed -i "s/@{i}@/$X/" /f\n' for i in range(8000)),
}
PROGRAM = """
import sys, time
sys.path[:0] = {path!r}
from secretkit.delivery.lint.script import findings_of_script
from secretkit.delivery.scripts.convert import convert
from secretkit.errors import UsageError
text = sys.stdin.read()
start = time.process_time()
findings_of_script("e.sh", text)
try:
    convert("e.sh", text)
except UsageError as error:
    print(error)
print(time.process_time() - start)
"""


@pytest.mark.parametrize("name", LARGE)
def test_no_script_is_too_much(name: str) -> None:
    """Whatever a script makes of its variables: it ends soon, within 512 MiB, without a trace."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))  # noqa: E731
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(path=sys.path)],
        input=LARGE[name].encode(),
        capture_output=True,
        check=False,
        timeout=60,
        preexec_fn=limit,
    )
    assert done.stderr == b""
    assert float(done.stdout.split()[-1]) < 20


def test_a_script_that_is_too_long_is_one_clear_error() -> None:
    """convert refuses it with its size; lint names the file's line, and no more."""
    for text, said in ((LARGE["lines"], "10000 lines"), (LARGE["long"], "256 KiB")):
        with pytest.raises(UsageError, match=said):
            convert("e.sh", text)
        assert [one.rule for one in findings_of_script("e.sh", text)] == ["unread-script"]

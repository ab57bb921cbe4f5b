"""Jinja2 templates: simple ones without Jinja2, all others sandboxed, every value encoded."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from secretkit_entrypoint import jinja, jinja_simple, limits
from secretkit_entrypoint.errors import ShimError
from secretkit_entrypoint.jinja import load_jinja
from secretkit_entrypoint.render import Target, Template, load

from secretkit.delivery.shim import export
from tests.shim.conftest import NOBODY, Shim, mount, open_shim, secret, shim

from . import ENTRYPOINTS
from .case import Content
from .test_render import problems, render

__all__ = ["mount", "open_shim", "secret", "shim"]  # fixtures

CANARY = b'canary-7f3a"\\'
SECRETS = {"db-password": CANARY + b"\n", "port": b"5432", "x.y": b"a\r\n\n"}
ENV = {b"HOME": b"/home/a b", b"BYTES": b"\xff"}


def jinja_render(folder: Path, text: str, destination: str = "out.yaml") -> str:
    """`text` rendered as a Jinja2 template."""
    return render(folder, text, SECRETS, "template.j2", destination, env=ENV)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("k: {{ db_password }}", 'k: "canary-7f3a\\"\\\\"'),
        ("k: '{{ secrets[\"db-password\"] }}'", "k: 'canary-7f3a\"\\'"),
        ("{% for n in secrets %}- {{ n }}\n{% endfor %}", '- "db-password"\n- "port"\n- "x.y"\n'),
        (
            "{% for n, v in secrets.items() if n != 'x.y' %}{{ n }}: {{ v }}\n{% endfor %}",
            '"db-password": "canary-7f3a\\"\\\\"\n"port": "5432"\n',
        ),
        ("{% if secrets.port == '5432' %}k: {{ port }}{% endif %}", 'k: "5432"'),
        ("k: {{ secrets|length }}{# c #}", "k: 3"),
        ("k: {{ port|int + 1 }}", "k: 5433"),
        ("k: {{ port|int-1 }}", "k: 5431"),
        ("{% set db, password = 5, 3 %}k: {{ db-password }}", "k: 2"),
        ("{{ range(100000)|length }}", "100000"),
        ("k: {{ 'a: b' }}", 'k: "a: b"'),
        ('k: "{{ db_password|upper }}"', 'k: "CANARY-7F3A\\"\\\\"'),
        ("k: {{ 'x' ~ db_password }}", 'k: "xcanary-7f3a\\"\\\\"'),
        ("{% set v = port %}k: {{ v }}", 'k: "5432"'),
        ("k: {{ nope|default('none') }}", 'k: "none"'),
        ("{% if nope is defined %}x{% endif %}k: {{ env.HOME }}", 'k: "/home/a b"'),
        ("{% if 1 %}u: p://{{ db_password|url }}@h{% endif %}", "u: p://canary-7f3a%22%5C@h"),
        ("{% if 1 %}k: {{ port|raw }}{% endif %}", "k: 5432"),
        ("{% if 1 %}k: {{ x_y|verbatim }}{% endif %}", 'k: "a\\r\\n\\n"'),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{% if 1 %}\r\nk: {{ port }}\r\n{% endif %}", '\r\nk: "5432"\r\n'),
    ],
)
def test_what_an_expression_prints_is_encoded(text: str, expected: str, tmp_path: Path) -> None:
    """Text is data and encoded for where it lands; numbers are printed as they are."""
    assert expected == jinja_render(tmp_path, text)


SIMPLE = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "{{ db_password }}",
                "{{port}}",
                "{{ secrets['x.y']|verbatim }}",
                '{{ secrets["db-password"] | url }}',
                "{{ secrets.port|raw }}",
                "{{ env.HOME }}",
                "{{ x_y|url|verbatim|raw }}",
                "{{ DB_PASSWORD_value\n}}",
                "{{ env['HOME']|url }}",
                "{{ db_password|json|xml }}",
                "{{ port|shell|verbatim|base64 }}",
                "{{ x_y|yaml|base64|base64d }}",
                "{{ db_password|docker_env|json|raw }}",
            ]
        ),
        st.sampled_from(["\n", "\r\n", "\r", " ", "}}", "{", "k: ", "<<port>>", "#", "'", "é"]),
    ),
    max_size=8,
).map("".join)


@given(text=SIMPLE)
def test_simple_templates_are_rendered_as_by_jinja2(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What needs no Jinja2 gives the same bytes as Jinja2, or both refuse it."""
    folder = tmp_path_factory.getbasetemp()
    text, ending = jinja_simple.newlines(text)
    marks = jinja_simple.scan(text)
    if marks is None:
        return
    results = []
    for format_name in ("text", "properties", "shell", "yaml"):
        source = str(folder / "t.j2")
        target = Target(source, "out", format_name)
        for template in (
            Template(target, text, marks),
            load_jinja(target, source, text, ending),
        ):
            try:
                results.append(template.render(Content(SECRETS), ENV))
            except ShimError:
                results.append(None)
    assert results[::2] == results[1::2]


def test_simple_templates_do_not_import_jinja2(tmp_path: Path) -> None:
    """Only what is more than names and items loads Jinja2, also under `python -S`."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from secretkit_entrypoint.render import load\n"
        "load(sys.argv[2], 'out.yaml'); print('jinja2' in sys.modules)\n"
    )
    for text, expected in (("{{ a }}", "False"), ("{% if a %}{% endif %}", "True")):
        path = tmp_path / "t.j2"
        path.write_text(text)
        command = [sys.executable, "-I", "-S", "-c", script, str(ENTRYPOINTS), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert expected == done.stdout.strip()


def test_without_jinja2_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A template that needs Jinja2 where it is missing names it and the way out."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    (problem,) = problems(tmp_path, "{% if a %}{% endif %}", source="template.j2")
    assert problem.startswith("template.j2: this template needs Jinja2, which is not in this image")
    assert "pip install jinja2" in problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: {{ undefined }}", ["2:4: no secret for {{ undefined }}: none is similar"]),
        (
            "{% if 1 %}\n{{ undefined }}{% endif %}",
            ["2:4: no secret for 'undefined': none is simi"],
        ),
        (
            "{{ db_pasword }}{# #}\n{{ secrets['nope'] }}",
            [
                "1:4: no secret for 'db_pasword': the nearest is 'db-password'",
                "2:13: no secret for",
            ],
        ),
        ("k: a {{ nope }}", ["1:6: no secret for {{ nope }}: none is similar"]),
        (
            "{{ db-password }}",
            ['1:4: in Jinja2 a name has no `-`: write db_password or secrets["db-password"]'],
        ),
        ("{% if 1 %}\n{{ secrets.db-password|url }}{% endif %}", ["2:12: in Jinja2 a name has"]),
        ("{{ range(10 ** 30) }}", ["1:1: a range of more than 100000 numbers"]),
        ("{{ 1e400 }}", ["1:1: a number is too big"]),
        ("{{ secrets[db_password] }}", ["1:1: it uses something that is not defined"]),
        ("{{ db_password.canary }}", ["1:1: it uses something that is not defined"]),
        ("{{ secrets }}{# #}", ["1:1: a Secrets cannot be printed, only text and numbers"]),
        ("{{ 'nan'|float }}", ["1:1: a number that is infinite or none at all cannot be printed"]),
        ("{{ [db_password] }}", ["1:1: a list cannot be printed, only text and numbers"]),
        ("{{ none }}", ["1:1: a NoneType cannot be printed"]),
        ("{{ db_password.__class__.__mro__ }}", ["1:1: SecurityError in this expression"]),
        ("{{ db_password + 1 }}", ["1:1: TypeError in this expression"]),
        ("{{ 1 / 0 }}", ["1:1: ZeroDivisionError in this expression"]),
        (
            "{{ db_password|tojson }}",
            ["1:1: the filter 'tojson' cannot be used: values are quoted"],
        ),
        ("{{ a", ["1:1: unexpected end of template"]),
        ("{% for i in [1] %}" * 30 + "{% endfor %}" * 30, ["it is nested too deeply"]),
        ("{{ " + "(" * 9999 + "1" + ")" * 9999 + " }}", ["it is nested too deeply"]),
        ("{% call m() %}{% endcall %}", ["1:1: {% call %} cannot be used: text is printed where"]),
        ("{% filter upper %}{{ port }}{% endfilter %}", ["1:19: {% filter %} cannot be used"]),
        ("{% autoescape true %}{% endautoescape %}", ["1:1: {% autoescape %} cannot be used"]),
        ("{% set x|upper %}{{ port }}{% endset %}", ["1:18: {% set %} of a block takes no filter"]),
        (
            "{% if 1 %}# {{ port }}{% endif %}",
            ["1:13: secret 'port' cannot be written to out.yaml"],
        ),
        ("{% if 1 %}#{{ 'a' ~ port }}{% endif %}", ["1:12: the text of this expression cannot be"]),
    ],
)
def test_errors_name_the_line_and_hold_no_value(
    text: str, expected: list[str], tmp_path: Path
) -> None:
    """Whatever goes wrong is one line with file and line, and never a value."""
    path = tmp_path / "template.j2"
    path.write_text(text)
    try:
        load(str(path), "out.yaml").render(Content(SECRETS), ENV)
    except ShimError as error:
        lines = [line.replace(f"{path}:", "").lstrip() for line in error.problems]
        assert "canary-7f3a" not in repr(error) + repr(error.__cause__)
        assert (
            error.__suppress_context__
            or error.__context__ is None
            or "canary" not in repr(error.__context__)
        )
    else:
        lines = [""]
    assert len(expected) == len(lines)
    for beginning, line in zip(expected, lines, strict=True):
        assert line.startswith(beginning), line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{% block b %}k: {{ port }}\n{% endblock %}j{{ self.b() }}", 'k: "5432"\njk: "5432"\n'),
        ("{% macro m(v) %}k: {{ v }}\n{% endmacro %}{{ m(port) }}", 'k: "5432"\n'),
        ("{% set x %}k: {{ port }}\n{% endset %}{{ x }}j{{ x }}", 'k: "5432"\njk: "5432"\n'),
        (
            "{% macro n(v) %}'{{ v }}'{% endmacro %}{% macro m(v) %}k: {{ n(v) }}{% endmacro %}"
            "{{ m(db_password) }}",
            "k: 'canary-7f3a\"\\'",
        ),
        ("{% macro m() %}k: 1\n{% endmacro %}{% if m() %}{{ m() }}{% endif %}", "k: 1\n"),
        ("{% macro m() %}{% endmacro %}k: {{ m() or port }}", 'k: "5432"'),
        (
            "{% set s = namespace() %}{% set s.x %}k: {{ port }}\n{% endset %}"
            "{% for t in [s.x, nope|default(s.x)] %}{{ t }}{% endfor %}",
            'k: "5432"\nk: "5432"\n',
        ),
        (
            "{% for n in [[port]] recursive %}{% for m in n %}- {{ m }}{% endfor %}{% endfor %}",
            '- "5432"',
        ),
    ],
)
def test_what_a_block_or_a_macro_printed_is_printed_again(
    text: str, expected: str, tmp_path: Path
) -> None:
    """Each value in it is encoded for the place where it stands in the end."""
    assert expected == jinja_render(tmp_path, text)


@pytest.mark.parametrize(
    "expression",
    [
        "m() ~ 'x'",
        "'x' ~ m()",
        "m()|upper",
        "m()|json",
        "m()|raw",
        "m()|join('x')",
        "m()|replace('x', 'y')",
        "[m()]|join",
        "'%s' % m()",
        "'{}'.format(m())",
        "m() + m()",
        "m()[1:]",
        "m()|string",
        "m()|indent",
        "m()._text",
    ],
)
def test_what_was_printed_cannot_be_changed(expression: str, tmp_path: Path) -> None:
    """Text with values in it is text and data at once, so no expression gets at it."""
    text = "{% macro m() %}k: {{ db_password }}{% endmacro %}{{ " + expression + " }}"
    (problem,) = problems(tmp_path, text, SECRETS, "t.j2", "out.yaml")
    assert problem.startswith("t.j2:1:")
    assert "canary" not in problem


def test_the_secrets_that_a_template_wants(tmp_path: Path) -> None:
    """Names are listed with line and column, for simple templates and for others."""
    path = tmp_path / "t.j2"
    path.write_text("a: {{ port }}\n{{ secrets['x.y'] }} {{ env.HOME }}\n")
    assert load(str(path), "o").secrets == [("port", 1, 4), ("x.y", 2, 1)]
    path.write_text("{% if port %}\n{{ secrets['x.y'] }}{{ range(3)|list|length }}{% endif %}\n")
    assert load(str(path), "o").secrets == [("port", 1, 7), ("x.y", 2, 13)]


def test_bytes_that_are_not_utf8_pass_through(tmp_path: Path) -> None:
    """A secret that is not text is written as it is where the format can."""
    text = "{% if 1 %}a={{ b }}{% endif %}"
    assert render(tmp_path, text, {"b": b"\xff\xfe\n"}, "t.j2", "o.sh") == "a='\udcff\udcfe'"


def test_old_versions_of_jinja2_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before 3.0 a finalizer cannot be told from a constant."""
    monkeypatch.setattr(jinja, "_OLDEST", (99, 0))
    (problem,) = problems(tmp_path, "{% if 1 %}{% endif %}", source="t.j2")
    assert "is too old" in problem


PARTS = {
    "part.j2": "v: {{ value|default('none') }} {{ env.HOME }}\n",
    "names.j2": "{% for n in names %}- {{ n }}\n{% endfor %}",
    "base.j2": "top\n{% block body %}old {{ port }}\n{% endblock %}end\n",
    "macros.j2": "{% macro line(k) %}{{ k }}: {{ secrets[k] }}\n{% endmacro %}{% set o = 'o' %}",
    "crlf.j2": "a {{ port }}\r\nb\r\n",
    "deep.j2": "{% include 'part.j2' %}deep\n",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{% include 'part.j2' %}", "v: none /home/a b\n"),
        ("{% set value = port %}{% include 'part.j2' %}", "v: 5432 /home/a b\n"),
        (
            "{% for value in [1, 2] %}{% include 'part.j2' %}{% endfor %}",
            "v: 1 /home/a b\nv: 2 /home/a b\n",
        ),
        ("{% set names = secrets %}{% include 'names.j2' %}", "- db-password\n- port\n- x.y\n"),
        ("{% set value = 1 %}{% include 'part.j2' without context %}", "v: none /home/a b\n"),
        ("{% include 'nope.j2' ignore missing %}x", "x"),
        ("{% include 'crlf.j2' %}x\n", "a 5432\nb\nx\n"),
        ("{% include 'deep.j2' %}", "v: none /home/a b\ndeep\n"),
        ("{% from 'macros.j2' import line %}{{ line('port') }}", "port: 5432\n"),
        ("{% import 'macros.j2' as m %}{{ m.line('port') }}{{ m.o }}", "port: 5432\no"),
        ("{% extends 'base.j2' %}", "top\nold 5432\nend\n"),
        (
            "{% extends 'base.j2' %}{% block body %}{{ super() }}new {{ port }}\n{% endblock %}",
            "top\nold 5432\nnew 5432\nend\n",
        ),
    ],
)
def test_files_of_the_same_folder(text: str, expected: str, tmp_path: Path) -> None:
    """Included, imported and extended: values in them are encoded as in the template itself."""
    for name, content in PARTS.items():
        (tmp_path / name).write_bytes(content.encode())
    assert expected == jinja_render(tmp_path, text, "out.txt")
    yaml = "k:\n{% include 'y.j2' %}"
    (tmp_path / "y.j2").write_text(' a: "{{ db_password }}"\n b: {{ db_password }}\n')
    assert jinja_render(tmp_path, yaml) == (
        'k:\n a: "canary-7f3a\\"\\\\"\n b: "canary-7f3a\\"\\\\"\n'
    )


def test_a_folder_that_cannot_be_listed(open_shim: Shim) -> None:
    """For a user who may only search it: files in it are found, and no name is proposed."""
    export(open_shim.launcher.parent, with_jinja2=True)
    folder = open_shim.mount.parent / "templates"
    folder.mkdir()
    template = folder / "t.j2"
    words = ["--allow-disk", "--render", f"{template}:/dev/shm/folder-{os.getpid()}.txt"]
    (folder / "part.j2").write_text("part")
    folder.chmod(0o711)
    template.write_text("{% include 'part.j2' %}")
    open_shim.output(*words, "--check", **NOBODY)
    template.write_text("{% include 'prat.j2' %}")
    (problem,) = open_shim.problems(*words, "true", **NOBODY)
    assert problem == f"{template}:1:1: there is no file {folder}/prat.j2"


def test_a_file_beside_it_may_be_a_link_within_the_folder(tmp_path: Path) -> None:
    """As Kubernetes mounts templates: name -> ..data/name -> ..timestamp/name."""
    (tmp_path / "..now").mkdir()
    (tmp_path / "..now" / "part.j2").write_text("part {{ port }}")
    (tmp_path / "..data").symlink_to("..now")
    (tmp_path / "part.j2").symlink_to("..data/part.j2")
    assert jinja_render(tmp_path, "{% include 'part.j2' %}", "o.txt") == "part 5432"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{% include 'prat.j2' %}", "there is no file FOLDER/prat.j2 (did you mean part.j2?)"),
        ("{% include 'sub/part.j2' %}", "only a file in the template's own folder can belong"),
        ("{% include '/etc/hostname' %}", "only a file in the template's own folder can belong"),
        ("{% include '../t.j2' %}", "only a file in the template's own folder can belong to it"),
        ("{% include '..' %}", "only a file in the template's own folder can belong to it"),
        ("{% include 'out' %}", "FOLDER/out is a link that leaves the folder: put the file there"),
        ("{% include 'out' ignore missing %}", "FOLDER/out is a link that leaves the folder"),
        ("{% include 'up' %}", "FOLDER/up is a link that leaves the folder: put the file there"),
        ("{% include 'sub' %}", "template: FOLDER/sub is a directory: only regular files"),
        ("{% include 'fifo' %}", "template: FOLDER/fifo is a FIFO: only regular files are read"),
        ("{% include 'loop' %}", "template: cannot read FOLDER/loop: Too many levels of symbolic"),
        ("{% include port %}", "the name of a file that belongs to a template is one text in"),
        ("{% include ['a', 'b'] %}", "the name of a file that belongs to a template is one text"),
        ("{% extends 'a' ~ 'b' %}", "the name of a file that belongs to a template is one text"),
        ("{% include 'nul.j2' %}", "FOLDER/nul.j2: it holds a NUL"),
        ("{% include 't.j2' %}", "what it calls or includes has no end"),
    ],
)
def test_files_that_cannot_belong_to_a_template(text: str, expected: str, tmp_path: Path) -> None:
    """Whatever is elsewhere, or not a file; the message says where it is named."""
    folder = tmp_path / "templates"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "part.j2").touch()
    (folder / "part.j2").touch()
    (tmp_path / "secret").write_text("canary-7f3a")
    (folder / "out").symlink_to("../secret")
    (folder / "up").symlink_to("sub/../../secret")
    (folder / "loop").symlink_to("loop")
    (folder / "nul.j2").write_bytes(b"a\0")
    os.mkfifo(folder / "fifo")
    (problem,) = problems(folder, text, SECRETS, "t.j2", "o.txt")
    assert problem.startswith("t.j2:1:1: " + expected.replace("FOLDER/", "")), problem


def test_errors_name_the_file_that_they_are_in(tmp_path: Path) -> None:
    """Syntax, undefined names, places and filters of an included file: its own name and line."""
    (tmp_path / "part.j2").write_text("a\nb: {{ port }}{{ nope }}\n")
    (tmp_path / "bad.j2").write_text("a\n{% iff %}\n")
    (tmp_path / "worse.j2").write_text("a\n\n{{ port|tojson }}\n")
    (tmp_path / "place.j2").write_text("# {{ port }}\n")
    include = "x: 1\n{% include 'NAME.j2' %}"
    for name, expected in {
        "part": "part.j2:2:17: no secret for 'nope': none is similar",
        "bad": "bad.j2:2:1: Encountered unknown tag 'iff'",
        "worse": "worse.j2:3:1: the filter 'tojson' cannot be used",
        "place": "place.j2:1:3: secret 'port' cannot be written to out.yaml as yaml: it stands in",
    }.items():
        text = include.replace("NAME", name)
        (problem,) = problems(tmp_path, text, SECRETS, "t.j2", "out.yaml")
        assert problem.startswith(expected), problem
    both = include.replace("NAME", "worse") + "{{ port|e }}"
    assert len(problems(tmp_path, both, SECRETS, "t.j2", "out.yaml")) == 2


def test_the_secrets_of_other_files_are_known(tmp_path: Path) -> None:
    """What --explain shows: every file's, each with its line and column."""
    (tmp_path / "part.j2").write_text("\n {{ port }}")
    path = tmp_path / "t.j2"
    path.write_text("{% include 'part.j2' %}{{ secrets['db#/user'] }}")
    assert sorted(load(str(path), "o").secrets) == [("db#/user", 1, 36), ("port", 2, 5)]


def bounds() -> list[object]:
    """What limits.py changes for a while."""
    return [
        signal.getitimer(signal.ITIMER_VIRTUAL),
        signal.getsignal(signal.SIGVTALRM),
        signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        resource.getrlimit(resource.RLIMIT_DATA),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ 2 ** 10 }}", None),
        ("{{ 'x' * 3 }}", None),
        ("{{ 3 * 4 * 2 ** 70 }}", None),
        ("{{ 2 ** 100000 }}", "a number of more than 65536 bits"),
        ("{{ 2 ** 65000 * 2 ** 65000 }}", "a number of more than 65536 bits"),
        ("{{ range(100001) }}", "a range of more than 100000 numbers"),
        ("{{ 'x' * 10 ** 10 }}", "it needs more than 1 GiB of memory"),
        ("{{ '%10000000000d' % 1 }}", "it needs more than 1 GiB of memory"),
        ("{{ 'x'|center(10 ** 10) }}", "it needs more than 1 GiB of memory"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "what it calls or includes has no end"),
        (
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
            "it computes for more than 0.2 seconds",
        ),
        (
            "{% for i in range(99999) %}{% for j in range(99999) %}{{ port }}{% endfor %}"
            "{% endfor %}",
            "it computes for more than 0.2 seconds",
        ),
    ],
)
def test_what_a_template_computes_is_bounded(
    text: str, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time, memory, numbers and depth; afterwards nothing of the bounds is left."""
    monkeypatch.setattr("secretkit_entrypoint.limits.SECONDS", 0.2)
    # As in the parent that --watch leaves.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGVTALRM})
    before = bounds()
    if expected is None:
        assert jinja_render(tmp_path, text, "o.txt")
    else:
        (problem,) = problems(tmp_path, text, SECRETS, "t.j2", "o.txt")
        assert problem.startswith("t.j2:1:")
        assert problem.partition(": ")[2] == expected
    assert bounds() == before
    assert not signal.sigpending()
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def test_what_follows_jinja2_is_bounded() -> None:
    """Also when Jinja2 is done: encoding and reading back."""
    for error, expected in (
        (MemoryError(), "t.j2: it needs more than 1 GiB of memory"),
        (limits.LateError("late"), "t.j2: late"),
    ):
        with pytest.raises(ShimError) as caught, limits.Limits("t.j2"):
            raise error
        assert caught.value.problems == (expected,)


@pytest.mark.parametrize(
    "expression",
    [
        "db_password.__class__",
        "db_password|attr('__class__')",
        "'{0.__class__}'.format(db_password)",
        "'{0._content}'.format(db_password)",
        "db_password._content",
        "secrets._secrets.read",
        "secrets._pretend('x')",
        "cycler.__init__.__globals__",
        "self.__init__",
        "self._TemplateReference__context",
        "env.update({})",
        "range.__self__",
        "secrets.items.__func__",
        "[].append(1)",
    ],
)
def test_the_sandbox_holds(expression: str, tmp_path: Path) -> None:
    """No attribute leads out of the template's own data."""
    text = "{% if 1 %}{{ " + expression + " }}{% endif %}"
    (problem,) = problems(tmp_path, text, SECRETS, "t.j2", "o.txt")
    assert problem.startswith("t.j2:1:11: ")
    assert problem.endswith(("SecurityError in this expression", "something that is not defined"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t", "k: [<<db_main#/user>>, <<db-main#/hosts/1|raw>>]"),
        ("t.j2", "k: [{{ secrets['db_main#/user'] }}, {{ secrets['DB-MAIN#/hosts/1']|raw }}]"),
        (
            "t.j2",
            "{% set s = secrets %}k: [{{ s['db_main#/user'] }}, {{ s['db_main#/hosts/1']|raw }}]",
        ),
    ],
)
def test_values_out_of_json(name: str, text: str, shim: Shim, secret, tmp_path: Path) -> None:
    """By a pointer behind the secret's name, which is matched as everywhere, in each syntax."""
    secret("db-main", b'{"user": "app", "hosts": ["h0", "h1"]}')
    (tmp_path / name).write_text(text)
    out = tmp_path / "out.yaml"
    shim.output("--allow-disk", "--render", f"{tmp_path / name}:{out}", "true")
    assert out.read_text() == 'k: ["app", h1]'


def test_values_out_of_json_in_expressions(shim: Shim, secret, tmp_path: Path) -> None:
    """A pointer that leads nowhere is undefined: default() and `in` work; base64 is decoded."""
    secret("db", b'{"a b": "x", "port": 5432}')
    secret("cert", b"LS0tCkEK")
    (tmp_path / "t.j2").write_text(
        "a: {{ secrets['db#/a b'] }}\n"
        "p: {{ secrets['db#/port']|int + 1 }}\n"
        "d: {{ secrets['db#/no']|default('none') }}\n"
        "{% if 'db#/no' in secrets or 'x#/no' in secrets %}no{% endif %}"
        "c: {{ cert|base64d }}\n"
    )
    out = tmp_path / "out.yaml"
    shim.output("--allow-disk", "--render", f"{tmp_path / 't.j2'}:{out}", "true")
    assert out.read_text() == 'a: "x"\np: 5433\nd: "none"\nc: "---\\nA"\n'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t", "<<db#/no>>"),
        ("t.j2", "{{ secrets['db#/no'] }}"),
        ("t.j2", "{{ secrets['db#/no'] }}{# #}"),
    ],
)
def test_a_pointer_that_leads_nowhere(
    name: str, text: str, shim: Shim, secret, tmp_path: Path
) -> None:
    """An error that names template, line and pointer; --optional lifts it; --explain shows it."""
    secret("db", b'{"user": "canary-7f3a"}')
    (tmp_path / name).write_text(text)
    words = ["--allow-disk", "--render", f"{tmp_path / name}:{tmp_path / 'out.yaml'}"]
    (problem,) = shim.problems(*words, "true")
    assert problem.startswith(f"{tmp_path / name}:1:"), problem
    assert "secret db#/no: the pointer leads nowhere" in problem
    (tmp_path / name).write_text(text.replace("/no", "no"))
    (problem,) = shim.problems(*words, "true")
    assert problem.endswith(": secret db#no: a pointer begins with `/`: write db#/no"), problem
    (tmp_path / name).write_text(text)
    shim.output(*words, "--optional", "db#/no", "true")
    assert (tmp_path / "out.yaml").read_text() == '""'
    (tmp_path / name).write_text(text.replace("no", "user"))
    explained = shim.output(*words, "--explain").decode()
    assert f"{shim.mount}/db " in explained
    assert "canary" not in explained

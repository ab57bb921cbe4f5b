"""Jinja2 templates: simple ones without Jinja2, all others sandboxed, every value encoded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from secretkit_entrypoint import jinja, jinja_simple
from secretkit_entrypoint.errors import ShimError
from secretkit_entrypoint.jinja import load_jinja
from secretkit_entrypoint.render import Target, Template, load

from . import ENTRYPOINTS
from .case import Content
from .test_render import problems, render

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
        ("{% if secrets.port == '5432' %}k: {{ port }}{% endif %}", 'k: "5432"'),
        ("k: {{ secrets|length }}{# c #}", "k: 3"),
        ("k: {{ port|int + 1 }}", "k: 5433"),
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
        ("{{ secrets[db_password] }}", ["1:1: it uses something that is not defined"]),
        ("{{ db_password.canary }}", ["1:1: it uses something that is not defined"]),
        ("{{ secrets }}{# #}", ["1:1: a Secrets cannot be printed, only text and numbers"]),
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
        lines = [line.replace(f"{path}:", "") for line in error.problems]
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

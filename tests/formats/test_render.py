"""Templates with placeholders: what is one, which secret it means, what is refused and how."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from secretkit_entrypoint import formats
from secretkit_entrypoint.errors import ShimError
from secretkit_entrypoint.render import load, match

from tests.needs import pythons

from . import ENTRYPOINTS
from .case import Content
from .values import strategy

PASSWORD = b"p@ss&w/o\\r\"d's $ #1"
SECRETS = {"db-password": PASSWORD + b"\n", "demo-secret": b"demo", "port": b"5432\r\n"}


def render(
    folder: Path,
    text: str | bytes,
    secrets: dict[str, bytes] = SECRETS,
    source: str = "template",
    destination: str = "out.txt",
    format_name: str | None = None,
    env: dict[bytes, bytes] | None = None,
) -> str:
    """`text` rendered by the shim."""
    path = folder / source
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    rendered = load(str(path), destination, format_name).render(Content(secrets), env or {})
    return rendered.decode("utf-8", "surrogateescape")


def problems(folder: Path, *arguments: object, **options: object) -> list[str]:
    """The problems that rendering ends with, each from its line number on."""
    with pytest.raises(ShimError) as caught:
        render(folder, *arguments, **options)  # type: ignore[arg-type]
    lines = [problem.replace(str(folder) + "/", "") for problem in caught.value.problems]
    assert all("\n" not in line for line in lines)
    return lines


def test_the_examples_of_the_book(tmp_path: Path) -> None:
    """app.config and whoami.conf are rendered as the book wants them."""
    app = 'secrets:\n  demo-secret: "<<demo-secret-value>>"\n'
    assert render(tmp_path, app, destination="app.config") == 'secrets:\n  demo-secret: "demo"\n'
    whoami = 'db_password: "<<db_password_value>>"\n'
    expected = 'db_password: "p@ss&w/o\\\\r\\"d\'s $ #1"\n'
    assert expected == render(tmp_path, whoami, destination="whoami.conf", format_name="yaml")


@pytest.mark.parametrize(
    "text",
    [
        "cat <<EOF\n<<EOF2\n<<-EOF\ncat <<<word\n",
        "cout << y >> z; a << 1; b <<= 2;",
        "<<>> <<|raw>> << >> <<a b>> <<a\nb>> <<-a>> <<.a>>",
        "<<<db-password>>",
        "<<: *merge",
        "<<db-password> >",
        "<< nothing-by-this-name >>",
        "<<ä>>",
    ],
)
def test_what_is_no_placeholder_stays(text: str, tmp_path: Path) -> None:
    """Here-documents, shifts, merge keys and empty brackets are left alone."""
    assert text == render(tmp_path, text)


def test_bytes_of_a_template_stay_as_they_are(tmp_path: Path) -> None:
    """Line ends, a missing last one, and bytes that are not UTF-8 are written back."""
    path = tmp_path / "t"
    path.write_bytes(b"\xef\xbb\xbfa\r\n\xff<<port>>\r\n\xe9")
    rendered = load(str(path), "out").render(Content(SECRETS), {})
    assert rendered == b"\xef\xbb\xbfa\r\n\xff5432\r\n\xe9"


@pytest.mark.parametrize(
    ("written", "names", "expected"),
    [
        ("db_password_value", ["db-password"], "db-password"),
        ("demo-secret-value", ["demo-secret"], "demo-secret"),
        ("DB.Password", ["db-password"], "db-password"),
        ("db-password", ["DB_PASSWORD"], "DB_PASSWORD"),
        ("a-b", ["a_b", "a-b", "A.B"], "a-b"),
        ("a-b-value", ["a_b", "a-b"], "a-b"),
        ("a_b_value", ["a-b", "a-b-value"], "a-b-value"),
        ("value", ["value"], "value"),
        ("-value", ["x"], None),
        ("db", ["db-password"], None),
        ("db-password", [], None),
    ],
)
def test_which_secret_a_name_means(written: str, names: list[str], expected: str | None) -> None:
    """`-`, `_`, `.`, case and a trailing value do not matter; the exact name wins."""
    assert expected == match(written, names)


def test_two_secrets_that_match_alike_are_refused(tmp_path: Path) -> None:
    """Nothing is guessed: the message names both."""
    secrets = {"a-b": b"1", "A.b": b"2"}
    expected = ["template:1:1: 'a_b' could be the secrets 'A.b' and 'a-b': write the exact name"]
    assert expected == problems(tmp_path, "<<a_b>>", secrets)


def test_filters(tmp_path: Path) -> None:
    """raw writes as it is, url percent-encodes, verbatim keeps the last line end."""
    assert render(tmp_path, "<<db-password|raw>>") == "p@ss&w/o\\r\"d's $ #1"
    assert render(tmp_path, "<<db-password|url>>") == "p%40ss%26w%2Fo%5Cr%22d%27s%20%24%20%231"
    assert render(tmp_path, "<<port|verbatim|raw>>") == "5432\r\n"
    assert render(tmp_path, "<<port|url|verbatim>>") == "5432%0D%0A"


QUOTED = b'it\'s "so" & 1\n'


@pytest.mark.parametrize(
    ("placeholder", "expected"),
    [
        ("<<v|json>>", '"it\'s \\"so\\" & 1"'),
        ("<<v|yaml>>", '"it\'s \\"so\\" & 1"'),
        ("<<v|xml>>", "it&#39;s &#34;so&#34; &#38; 1"),
        ("<<v|shell>>", "'it'\\''s \"so\" & 1'"),
        ("<<v|redis>>", '"it\'s \\"so\\" & 1"'),
        ("<<v|properties>>", 'it\'s\\ "so"\\ &\\ 1'),
        ("<<v|env|raw>>", '"it\'s \\"so\\" & 1"'),
        ("<<v|json|json>>", '"\\"it\'s \\\\\\"so\\\\\\" & 1\\""'),
        ("<<v|json|xml>>", "&#34;it&#39;s \\&#34;so\\&#34; &#38; 1&#34;"),
        ("<<v|xml|json>>", '"it&#39;s &#34;so&#34; &#38; 1"'),
        ("<<v|json|url>>", "%22it%27s%20%5C%22so%5C%22%20%26%201%22"),
        ("<<v|url|json>>", '"it%27s%20%22so%22%20%26%201"'),
        ("<<v|base64>>", "aXQncyAic28iICYgMQ=="),
        ("<<v|verbatim|base64>>", "aXQncyAic28iICYgMQo="),
        ("<<v|base64|verbatim>>", "aXQncyAic28iICYgMQo="),
        ("<<v|base64|base64d|xml>>", "it&#39;s &#34;so&#34; &#38; 1"),
        ("<<v|verbatim|json>>", '"it\'s \\"so\\" & 1\\n"'),
    ],
)
def test_filters_work_from_left_to_right(placeholder: str, expected: str, tmp_path: Path) -> None:
    """In a text of no format, naming one is enough; both syntaxes give the same."""
    assert expected == render(tmp_path, placeholder, {"v": QUOTED})
    simple = placeholder.replace("<<", "{{ ").replace(">>", " }}")
    assert expected == render(tmp_path, simple, {"v": QUOTED}, "t.j2")
    assert expected == render(tmp_path, simple + "{# #}", {"v": QUOTED}, "t.j2")


def test_every_format_has_a_filter(tmp_path: Path) -> None:
    """Each name of the table but text; |url is for any part of a URL, and is no format's."""
    for name in formats.NAMES:
        if name in ("text", "url"):
            continue
        written = render(tmp_path, f"<<v|{name}>>", {"v": b"Aa1"})
        assert "Aa1" in written
        jinja = "{{ v|" + name.replace("-", "_") + " }}{# #}"
        assert written == render(tmp_path, jinja, {"v": b"Aa1"}, "t.j2")


@pytest.mark.parametrize(
    ("text", "destination", "expected"),
    [
        ("k: <<v|json>>", "out.yaml", 'k: "\\"it\'s \\\\\\"so\\\\\\" & 1\\""'),
        ("k: '{\"p\": <<v|json>>}'", "out.yaml", "k: '{\"p\": \"it''s \\\"so\\\" & 1\"}'"),
        ('{"k": "{\\"p\\": <<v|json>>}"}', "out.json",
         '{"k": "{\\"p\\": \\"it\'s \\\\\\"so\\\\\\" & 1\\"}"}'),
        ("<a b='<<v|json>>'/>", "out.xml",
         "<a b='&#34;it&#39;s \\&#34;so\\&#34; &#38; 1&#34;'/>"),
        ("k: <<v|json|raw>>", "out.yaml", 'k: "it\'s \\"so\\" & 1"'),
        ("u: p://<<v|url>>@h", "out.yaml", "u: p://it%27s%20%22so%22%20%26%201@h"),
    ],
)  # fmt: skip
def test_what_a_filter_wrote_is_data_in_a_destination_of_a_format(
    text: str, destination: str, expected: str, tmp_path: Path
) -> None:
    """JSON inside a YAML string is both, and reads back so; |raw ends that."""
    assert expected == render(tmp_path, text, {"v": QUOTED}, destination=destination)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("k: <<v|yaml>>", "template:1:4: secret 'v' cannot be written to out.yaml as yaml: it is"
         " written as yaml there anyway: leave out |yaml"),
        ("k: x<<v|json>>", "template:1:5: secret 'v' cannot be written to out.yaml as yaml: it"
         " stands beside other unquoted text"),
        ("k: <<v|base64d>>", "template:1:4: secret 'v': it is not base64 (RFC 4648"),
        ("k: <<b|json>>", "template:1:4: secret 'b' cannot be written as json: it is not UTF-8"),
        ("k: <<b|ini>>", "template:1:4: secret 'b' cannot be written as ini: it is not UTF-8"),
    ],
)  # fmt: skip
def test_filters_that_cannot_be(text: str, expected: str, tmp_path: Path) -> None:
    """A place that asks for the format anyway, and values that a filter cannot write."""
    secrets = {"v": QUOTED, "b": b"\xff"}
    (problem,) = problems(tmp_path, text, secrets, destination="out.yaml")
    assert problem.startswith(expected), problem
    jinja = text.replace("<<", "{{ ").replace(">>", " }}") + "{# #}"
    (problem,) = problems(tmp_path, jinja, secrets, "t.j2", "out.yaml")
    assert problem.startswith(expected.replace("template:", "t.j2:")), problem


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"cGFzcw==", "pass"),
        (b"cGFz\r\ncw==\n", "pass"),
        (b"  cGFz\tcwo=\n\n", "pass"),
        (b"\n", ""),
        (b"cGFzcw", None),
        (b"cGFzcw=", None),
        (b"cGFzcx==", None),
        (b"cGFz.cw==", None),
        (b"cGFzcw==cGFzcw==", None),
        (b"-_-_", None),
        (b"\xff\xfe==", None),
    ],
)
def test_base64_is_read_strictly(content: bytes, expected: str | None, tmp_path: Path) -> None:
    """RFC 4648, section 4: with padding, and nothing but white space beside it."""
    if expected is not None:
        assert expected == render(tmp_path, "<<v|base64d>>", {"v": content})
    else:
        (problem,) = problems(tmp_path, "<<v|base64d>>", {"v": content})
        assert problem.startswith("template:1:1: secret 'v': it is not base64")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a\n", "a"),
        (b"a\r\n", "a"),
        (b"a\n\n", "a\n"),
        (b"a\r", "a\r"),
        (b" a ", " a "),
        (b"\n", ""),
    ],
)
def test_one_line_end_is_dropped(content: bytes, expected: str, tmp_path: Path) -> None:
    """Exactly one LF or CRLF at the end of a file is not part of the value."""
    assert expected == render(tmp_path, "<<a|raw>>", {"a": content})


@given(value=strategy.filter(lambda value: b"\0" not in value))
@example(value=b"<<b>>")
@example(value=b"<<b|raw>>{{ b }}")
def test_values_are_never_parsed_again(value: bytes) -> None:
    """One pass: a value that looks like a template is only text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t"
        path.write_text("[<<a|raw|verbatim>>][<<b|raw>>]")
        rendered = load(str(path), "out").render(Content({"a": value, "b": b"no"}), {})
    assert b"[" + value + b"][no]" == rendered


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Each problem is one line with file, line and column; no value is in any."""
    text = 'a: <<db_pasword>>\nb: "é" # <<port>>\nc: x<<port>>\nd: << port >>\n'
    assert problems(tmp_path, text, destination="out.yaml") == [
        "template:1:4: no secret for <<db_pasword>>: the nearest is 'db-password' "
        "(not a placeholder? write <<db_pasword >>)",
        "template:4:4: a placeholder has no spaces inside: write <<port>>",
        "template:2:10: secret 'port' cannot be written to out.yaml as yaml: it stands in a "
        "comment",
        "template:3:5: secret 'port' cannot be written to out.yaml as yaml: it stands beside "
        "other unquoted text; put the whole value inside double quotes",
    ]


def test_unknown_filters_and_formats(tmp_path: Path) -> None:
    """Both are refused before anything is read, with what there is instead."""
    (problem,) = problems(tmp_path, "a <<port|rwa>>")
    assert problem.startswith(
        "template:1:3: unknown filter 'rwa' in <<port|rwa>>; known: raw, verbatim, base64, "
    )
    (problem,) = problems(tmp_path, "", format_name="yml")
    assert "template: unknown format 'yml' for out.txt: it is one of yaml, json, ini" in problem


def test_templates_that_cannot_be_read(tmp_path: Path) -> None:
    """No file, a folder, a FIFO (without waiting for it), a NUL."""
    for name, make in (
        ("none", lambda path: None),
        ("folder", Path.mkdir),
        ("fifo", os.mkfifo),
    ):
        make(tmp_path / name)
        with pytest.raises(ShimError) as caught:
            load(str(tmp_path / name), "out")
        assert str(tmp_path / name) in caught.value.problems[0]
    assert problems(tmp_path, "a\0") == ["template: it holds a NUL: templates are text in UTF-8"]


@pytest.mark.parametrize(
    ("text", "destination", "expected"),
    [
        ('{"a": <<port>>', "a.json", "not JSON at line 1: Expecting ',' delimiter"),
        ("<a><<port>></b>", "a.xml", "not XML at line 1: mismatched tag"),
        ("[s]\n= <<port>>", "a.ini", "not INI at line 2"),
        ('{"a": <<demo-secret|raw>>}', "a.json", "not JSON at line 1: Expecting value"),
    ],
)
def test_what_does_not_read_back_is_refused(
    text: str, destination: str, expected: str, tmp_path: Path
) -> None:
    """Formats with a parser in the standard library are parsed before they go live."""
    (problem,) = problems(tmp_path, text, destination=destination)
    assert f"template: rendered for {destination}: {expected}" == problem


def test_raw_values_that_parse_are_the_authors(tmp_path: Path) -> None:
    """|raw puts a number into JSON; the values beside it are still compared."""
    text = '{"port": <<port|raw>>, "password": <<db-password>>}'
    expected = '{"port": 5432, "password": "p@ss&w/o\\\\r\\"d\'s $ #1"}'
    assert expected == render(tmp_path, text, destination="a.json")


def test_an_unreadable_secret_is_told_once(tmp_path: Path) -> None:
    """A secret is read once, and its problem is not repeated for every placeholder."""

    class Broken(Content):
        def read(self, name: str) -> bytes:
            raise ShimError(f"secret {name}: cannot read it")

    path = tmp_path / "t"
    path.write_text("<<a>>\n<<a>>")
    with pytest.raises(ShimError) as caught:
        load(str(path), "out").render(Broken({"a": b""}), {})
    assert (f"{path}:1:1: secret a: cannot read it",) == caught.value.problems


@given(text=st.text(alphabet="<<>>||abc-_ \n{}[]\"'", max_size=40))
def test_no_template_raises_anything_but_a_shim_error(text: str) -> None:
    """Any text is rendered or refused."""
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("", ".j2"):
            path = Path(folder) / f"t{suffix}"
            path.write_text(text, newline="")
            for destination in ("a.yaml", "a.json", "a.xml", "a.ini", "a.env", "a.sh", "a"):
                try:
                    template = load(str(path), destination)
                    template.render(Content({"a": b"'\"", "b": b"\\"}), {})
                except ShimError as error:
                    assert error.problems
                else:
                    assert template.secrets is not None


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from secretkit_entrypoint.render import load
class Secrets:
    values = {
        "db-password": b"p\\xc3\\xa4'ss\\"\\\\ \\xf0\\x9f\\x98\\x80",
        "port": b"5432\\r\\n",
    }
    def names(self): return list(self.values)
    def read(self, name): return self.values[name]
before = set(sys.modules)
template = load(sys.argv[2], sys.argv[3])
sys.stdout.buffer.write(template.render(Secrets(), {}))
loaded = set(sys.modules) - before
sys.stderr.write(" ".join(sorted(name for name in loaded if "secretkit" not in name)))
"""
EVERYWHERE = {
    "yaml": 'k: "<<port>>" # c\nl: <<db-password>>\n',
    "json": '{"k": <<db-password>>, "l": "<<port>>"}',
    "ini": "[s]\nk = <<port>>\n",
    "properties": "k = <<db-password>>\n",
    "env": "K=<<port>>\n",
    "cnf": "[s]\nk = <<db-password>>\nl='<<port>>'\n",
    "pgpass": "h:*:*:u:<<db-password>>\n",
    "netrc": 'machine h login <<db-password>> password "<<port>>"\n',
    "xml": "<a b='<<db-password>>'><![CDATA[<<port>>]]></a>",
    "sh": "k='<<port>>'\n",
    "toml": "k = '<<port>>'\nl = <<db-password>>\n",
    "html": "<p title='<<port>>'><<db-password>></p>",
    "php": "<?php $k = '<<port>>'; $l = <<db-password>>;\n",
    "py": "k = '<<port>>'\nl = <<db-password>>\n",
    "js": "const k = `<<port>>`, l = <<db-password>>\n",
    "txt": "<<port>>",
}


@pytest.mark.parametrize("python", pythons())
def test_every_python_renders_the_same(python: str, tmp_path: Path) -> None:
    """From Python 3.6 on, isolated and without site-packages, the bytes are the same."""
    for suffix, text in EVERYWHERE.items():
        (tmp_path / "t").write_text(text)
        command = [python, "-I", "-S", "-c", SCRIPT, str(ENTRYPOINTS)]
        done = subprocess.run(
            [*command, str(tmp_path / "t"), f"out.{suffix}"], capture_output=True, check=False
        )
        secrets = {"db-password": "pä'ss\"\\ \U0001f600".encode(), "port": b"5432\r\n"}
        expected = render(tmp_path, text, secrets, destination=f"out.{suffix}")
        assert (expected, 0) == (done.stdout.decode(), done.returncode), done.stderr


@pytest.mark.parametrize("name", ["t", "t.j2"])
def test_the_hot_path_imports_nothing(name: str, tmp_path: Path) -> None:
    """YAML with placeholders or simple Jinja2 needs no module of the standard library."""
    text = 'k: "<<port>>"\n' if name == "t" else 'k: "{{ port }}"\n'
    (tmp_path / name).write_text(text)
    command = [sys.executable, "-I", "-S", "-c", SCRIPT, str(ENTRYPOINTS)]
    done = subprocess.run(
        [*command, str(tmp_path / name), "out.yaml"], capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b'k: "5432"\n', b"")


def test_a_message_is_one_line_also_about_an_expression_of_two(tmp_path: Path) -> None:
    """Jinja2 allows a line break inside of {{ }}."""
    (problem,) = problems(tmp_path, "a\n{{ nosuch\n }}", source="t.j2")
    assert problem.startswith("t.j2:2:1: no secret for {{ nosuch }}: ")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a <b> & ]] c\t\n", b"a <b> & ]] c\t"),
        (b"]]>", b"]]]]>&#62;<![CDATA["),
        (b"x]", b"x]]>&#93;<![CDATA["),
        (b"\r\xc3\xa9!", b"]]>&#13;&#233;<![CDATA[!"),
        (b"", b"]]><![CDATA["),
    ],
)
def test_cdata_holds_what_it_can(value: bytes, expected: bytes) -> None:
    """So that readers that take only the first part of a text see plain values, too."""
    xml = formats.module("xml")
    (place,) = xml.places("<a><![CDATA[\0]]></a>")
    assert expected == xml.encode(value.rstrip(b"\n"), place)


def test_spaces_in_xml_that_a_dtd_may_drop_are_refused(tmp_path: Path) -> None:
    """In an attribute of a type other than CDATA, which only the external DTD tells."""
    text = '<!DOCTYPE a SYSTEM "a.dtd"><a b="<<v>>"><<v>></a>'
    (tmp_path / "t").write_text(text)
    template = load(str(tmp_path / "t"), "a.xml")
    template.render(Content({"v": b"a b"}), {})
    for value in (b" a", b"a ", b"a  b"):
        with pytest.raises(ShimError, match="the DTD"):
            template.render(Content({"v": value}), {})
    (tmp_path / "t").write_text(text.replace("SYSTEM", "").replace('"a.dtd"', ""))
    load(str(tmp_path / "t"), "a.xml").render(Content({"v": b" a  b "}), {})


def test_a_filter_for_xml_writes_what_an_attribute_keeps(tmp_path: Path) -> None:
    """The place is unknown, and an attribute would make spaces of tabs and line breaks."""
    (tmp_path / "t").write_text("<a b='<<v|xml>>'/>")
    rendered = load(str(tmp_path / "t"), "a.txt").render(Content({"v": b"a\tb\nc<"}), {})
    assert rendered == b"<a b='a&#9;b&#10;c&#60;'/>"


def test_values_in_one_key_share_what_it_can_hold(tmp_path: Path) -> None:
    """A key of YAML has at most 1024 characters, however many values it is made of."""
    (tmp_path / "t").write_text('{"<<a>>.<<b>>": 1}\n')
    template = load(str(tmp_path / "t"), "a.yaml")
    with pytest.raises(ShimError, match="longer than a YAML key"):
        template.render(Content({"a": b"x" * 257, "b": b"y"}), {})
    rendered = template.render(Content({"a": b"x" * 256, "b": b"y" * 256}), {})
    assert yaml.safe_load(rendered) == {"x" * 256 + "." + "y" * 256: 1}


@pytest.mark.parametrize("format_name", formats.NAMES)
def test_a_byte_order_mark_is_refused_where_readers_differ(
    format_name: str, tmp_path: Path
) -> None:
    """Behind one, a quote or a comment is not where it seems; some formats skip it for sure."""
    alone = {"json": "[\0]"}.get(format_name, "\0")
    alone = getattr(formats.module(format_name), "ALONE", alone)
    text = "\ufeff" + alone.replace("\0", "<<v>>")
    (tmp_path / "t").write_text(text)
    template = load(str(tmp_path / "t"), "out", format_name)
    if format_name in ("json", "xml", "html", "text"):
        assert template.render(Content({"v": b"a"}), {}).startswith("\ufeff".encode())
    else:
        with pytest.raises(ShimError, match="a byte order mark"):
            template.render(Content({"v": b"a"}), {})

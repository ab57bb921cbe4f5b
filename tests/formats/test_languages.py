"""Programs and documents: where a value stands in them, and what keeps it from being code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import html5lib
import pytest
from secretkit_entrypoint import formats
from secretkit_entrypoint.errors import ShimError
from secretkit_entrypoint.render import load

from tests.needs import need_program

from . import ENTRYPOINTS
from .cases import CASES, Content
from .values import values

DOUBLE, SINGLE, BARE, NO = "inside double quotes", "inside single quotes", "bare", "refused"
QUOTED, BYTES, TEMPLATE = "inside quotes", "inside the quotes of bytes", "inside backquotes"
TEXT, FIRST, ATTRIBUTE, PART = "text", "text at the beginning", "attribute", "part"

# `@` is a placeholder, `¶` a line break.
PLACES = [
    ("toml", "a = '@'¶b = \"@\"¶c = @ # @", [SINGLE, DOUBLE, BARE, NO]),
    ("toml", "[@]¶@ = 1¶a = [¶@,¶@ # it's¶]¶b = {@ = @}", [BARE] * 6),
    ("toml", "a.@ = 1¶b = @.c¶c = 1@¶d = @ @", [NO] * 5),
    ("toml", 'a."@".b = 1', [DOUBLE]),
    ("toml", 'a = """¶@"""¶b = @', [NO, BARE]),
    ("toml", 'a = """x"""""¶b = """\\"""@"""¶c = @', [NO, BARE]),
    ("toml", "a = '''¶@\\'''¶b = @", [NO, BARE]),
    ("toml", "a = '\\'¶b = @", [BARE]),
    ("toml", 'a = "\\@"¶b = "\\u00@"¶c = "\\\\@"', [NO, NO, DOUBLE]),
    ("toml", 'a = "@""¶b = @', [NO, NO]),
    ("toml", 'a = "@¶b = @"', [NO, NO]),
    ("toml", "a = '@''¶b = @", [NO, NO]),
    ("html", "<p id='@' data-api-key='@' data-csrf-token='@' VALUE='@'>", [ATTRIBUTE] * 4),
    ("html", "<p ng_click='@' ng:click='@' data-bind='@' _='@' data-script='@'>", [NO] * 5),
    ("html", "<p data-on-click='@' data-attr-value='@' (click)='@' [title]='@'>", [NO] * 4),
    ("html", "<p *ngIf='@' wire:click='@' rv-on='@' th:text='@' class='@' lang='@'>", [NO] * 6),
    (
        "html",
        "<p data-='@' data='@' data-key-='@' value-x='@'><param value='@'>",
        [NO, PART] + [NO] * 3,
    ),
    ("html", "<img imagesrcset='@'><input pattern='@'><animate attributeName='@'>", [NO] * 3),
    ("html", "<pre></pre>@<p>@<pre></a>@", [TEXT, TEXT, NO]),
    ("html", "<listing></a><p>@", [NO]),
    ("html", "@<html>@<head>@<title>@</title>@</head>@<body>@", [NO, NO, NO, TEXT, NO, NO, TEXT]),
    ("html", "<p>@</p>@<br>@<!-- @ -->@</body>@", [TEXT, TEXT, TEXT, NO, TEXT, NO]),
    ("html", "<p title=\"@\" data-key='@' lang=@ @ @=1>", [ATTRIBUTE, ATTRIBUTE, NO, NO, NO]),
    ("html", "<p title = '@'/><p a='>'title=\"@\">@", [ATTRIBUTE, ATTRIBUTE, TEXT]),
    ("html", "<p =\"@\" a''='@'>", [NO, NO]),
    ("html", "<title>@</title", [NO]),
    ("html", "<p title=x'@' title=\"@><p>@", [NO, NO, NO]),
    ("html", "<@><p@></@><p><@ </p@>", [NO, NO, NO, NO, NO]),
    ("html", "<p>&@ &am@ &#@ &#x4@ &lt;@ <@", [NO, NO, NO, NO, TEXT, NO]),
    ("html", "<p title='&@ &amp;@'>", [NO, ATTRIBUTE]),
    ("html", "<body><pre>@@</pre><textarea>@</textarea><pre> @", [FIRST, TEXT, FIRST, TEXT]),
    ("html", "<script>'@'</script><style>@</style><p>@", [NO, NO, TEXT]),
    ("html", "<script><!--<script></script>@--></script><p>@", [NO, NO]),
    ("html", "<title></tit@le>@</title ><p>@", [NO, TEXT, TEXT]),
    ("html", "<p><xmp></p>@</xmp>@<iframe>@</iframe>@", [NO, TEXT, NO, TEXT]),
    ("html", "<noscript>@</noscript><p>@<noscript><b></noscript>@", [NO, TEXT, NO]),
    ("html", "<p><plaintext>@", [NO]),
    ("html", "<template><p>@", [NO]),
    ("html", "<p>@</p><frameset>", [NO]),
    ("html", "<table>@<tr>@<td>@</td>@</tr>@</table>@<p>@", [NO, NO, TEXT, NO, NO, NO, TEXT]),
    ("html", "<table><b>@</b><caption>@", [NO, TEXT]),
    ("html", "<body><!--><p>@--><!---><p>@", [TEXT, TEXT]),
    ("html", "<p><!-- --!>@ -->@", [NO, NO]),
    ("html", "<!doctype @><?php @ ?><p>@</ @ >@", [NO, NO, TEXT, NO, TEXT]),
    ("html", "<p><svg><![CDATA[ @ ]]>@<![CDATA[ > @ ]]>@", [NO, TEXT, NO, NO]),
    ("html", "<p><svg><title>@</title>@<style><b></style>@", [TEXT, NO, NO]),
    ("html", "<p onclick='@' style='@' v-if='@' srcdoc='@' @click='@'>", [NO] * 6),
    ("html", "<a href='@' href='https://h/@' href='javascript:@'>", [PART, PART, NO]),
    ("html", "<a href='&#106;avascript:@' href=' javascript:@' href='//@'>", [NO, NO, PART]),
    ("html", "<meta content='@'><meta content='@' http-equiv=refresh>", [ATTRIBUTE, NO]),
    (
        "php",
        "@<?php $a = @; $b = '@'; $c = \"@\"; ?>@<?= @ ?>",
        [NO, BARE, SINGLE, DOUBLE, NO, BARE],
    ),
    ("php", '<?php $a = "\\X@" . "\\X4@" . "\\X41@" . "\\\\X@";', [NO, NO, DOUBLE, DOUBLE]),
    ("php", "<?php // @ ?>@<?php # @¶/* @ */ /*/ @ */ return @;", [NO, NO, NO, NO, NO, BARE]),
    ("php", "<?php [@ => @, 'a'.@]; f(@, @)", [BARE] * 5),
    ("php", "<?php @; $a->@; A::@; $@; new @; $a = @(1); $a = @$b; $a = @x;", [NO] * 8),
    ("php", '<?php $a = "$b @"; $c = "\\$b @"; "@ {$a}"; "\\\\$a@";', [NO, DOUBLE, NO, NO]),
    ("php", "<?php \"{$a['@']} ${a['}']}\"; '@';", [NO, NO]),
    ("php", "<?php \"{$a['@']}{$b}\"; '@';", [NO, SINGLE]),
    ("php", '<?php "@ {$a["x"]}"; "@"', [NO, NO]),
    ("php", '<?php "\\x4@ \\1@ \\u{@} \\n@";', [NO, NO, NO, DOUBLE]),
    ("php", "<?php '\\@ \\\\@ \\n @';", [NO, SINGLE, SINGLE]),
    ("php", "<?php `@`; $a = @;", [NO, BARE]),
    ("php", "<?php $a = <<<E¶@¶ E; $b = @;", [NO, BARE]),
    ("php", "<?php $a = <<<'E'¶{$a[\"@¶Ex¶E;¶$b = @;", [NO, BARE]),
    ("php", "<?php $a = <<<E¶{$a['¶E¶']} @¶E;¶$b = @;", [NO, NO]),
    ("php", "<?php #[A('@')]¶$a = @;", [NO, NO]),
    ("php", "<? $a = @;", [NO]),
    ("php", "<?phpx @ <?php @", [NO, NO]),
    ("php", "<?PHP¶$a = @; __halt_compiler(); '@'", [BARE, NO]),
    ("python", "a = @¶b = '@'¶c = \"@\"¶d = b'@'¶e = u'@'", [BARE, QUOTED, QUOTED, BYTES, QUOTED]),
    ("python", "a = r'@'¶b = f'@'¶c = Rb'@'¶d = t'@'¶e = @", [NO, NO, NO, NO, BARE]),
    ("python", 'a = \'\'\'it\'s @ "\'\'\'¶b = """a"@"""¶c = @', [QUOTED, NO, BARE]),
    ("python", "a = {@: [@, @], 'x': (@)}¶f(@, k=@)¶return @", [BARE] * 7),
    ("python", "@¶a @¶a.@¶b@¶@b¶'a' @¶@ @", [NO] * 8),
    ("python", "a = '@''b'¶c = @", [NO, NO]),
    ("python", "# @¶a = '#' # '¶b = '@'", [NO, QUOTED]),
    (
        "python",
        "a = '\\@ \\x4@ \\1@ \\N{@} \\u004@ \\n@ \\\\@'",
        [NO, NO, NO, NO, NO, QUOTED, QUOTED],
    ),
    ("python", "a = 'b\\¶@'¶c = '@¶d = @", [QUOTED, NO, NO]),
    ("python", "a = f'{b}' + @¶c = f'{{' + @", [BARE, BARE]),
    ("python", "a = f'{b['x']}'¶c = @", [NO]),
    ("python", "a = f'{b[\"#x\"]:{c}}' + '@'", [QUOTED]),
    ("python", "a = f'{b[\"}\"]}' + '@'", [NO]),
    ("python", 'a = f\'{b + """\'"""}\' + \'@\'', [NO]),
    ("python", "a = f'}}{ {'@'} }'", [NO]),
    ("js", "a = 1¶debugger¶/ '@' /.x", [NO]),
    ("js", "let a // b¶/ '@' /", [NO]),
    ("js", "l: for (;;) { break l /*¶*/ / '@' /.x }", [NO]),
    ("js", "a = b¶  / c¶d = '@' / 2 / 3", [SINGLE]),
    ("js", "a = @; b = '@'; c = \"@\"; d = `@`", [BARE, SINGLE, DOUBLE, TEMPLATE]),
    ("js", "// @¶/* @ */ /*/ @ */ a = @", [NO, NO, NO, BARE]),
    ("js", "#!@¶f(@, [@], @ + 1); return @", [NO, BARE, BARE, BARE, BARE]),
    ("js", "'@'; a = {'@': 1, '@': 1, k: '@', ['@']: 1, @: 1}", [NO, NO, NO, SINGLE, SINGLE, NO]),
    ("js", "@; a @; a.@; a = @b; a = @@; a = 'x' @", [NO] * 7),
    ("js", "a = `${@} ${`@${'@'}`} @`; b = tag`@`", [BARE, TEMPLATE, SINGLE, TEMPLATE, NO]),
    ("js", "a = `$@{b} \\x4@ \\${@`", [NO, NO, TEMPLATE]),
    ("js", "a = /'@/g; b = '@'; c = /[/']\\//; d = @", [NO, SINGLE, BARE]),
    ("js", "a = b / c; d = '@' / 2; e = 1. / '@'", [SINGLE, SINGLE]),
    ("js", "if (a) /'/.test(b) + '@' + /'/", [NO]),
    ("js", "(a) / 2; b = '@'", [SINGLE]),
    ("js", "a++ / 2 / '@'", [NO]),
    ("js", "a = b.return / 2; c = '@' / 1", [SINGLE]),
    ("js", "return /'/; a = '@' // '", [SINGLE]),
    ("js", "a = '\\@ \\x4@ \\0@ \\u{@} \\n@ \\¶@'", [NO, NO, NO, NO, SINGLE, SINGLE]),
    ("js", "a = '@¶b = '@'", [NO, NO]),
    ("js", "a <!-- b¶c = '@'", [NO]),
    ("js", "a = b¶--> '¶c = '@'", [NO]),
    ("js", "a = <b>it's</b>; c = '@'", [NO]),
    ("js", "a = x ? @ : '@'; case '@': b", [BARE, SINGLE, SINGLE]),
]


@pytest.mark.parametrize(("format_name", "template", "expected"), PLACES)
@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_lexer_tells_the_place(
    format_name: str, template: str, expected: list[str], ending: str
) -> None:
    """Every placeholder gets the quoting around it, or is refused, with either line end."""
    text = template.replace("@", "\0").replace("\0click", "@click").replace("¶", ending)
    expected = expected[: text.count("\0")]
    places = formats.module(format_name).places(text)
    assert expected == [NO if isinstance(p, formats.RefusedError) else p for p in places]


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ("pyproject.toml", "toml"),
        ("INDEX.HTM", "html"),
        ("page.xhtml", "xml"),
        ("config.php", "php"),
        ("settings.py", "python"),
        ("config.mjs", "js"),
        ("config.ts", "text"),
        ("app.jsx", "text"),
    ],
)
def test_the_suffix_tells_the_format(destination: str, expected: str) -> None:
    """TypeScript and JSX are not JavaScript; XHTML is XML."""
    assert expected == formats.by_suffix(destination)


def render(folder: Path, text: str, destination: str, **secrets: bytes) -> str:
    (folder / "t").write_text(text, newline="")
    return load(str(folder / "t"), destination).render(Content(secrets), {}).decode()


@pytest.mark.parametrize("case", [c for c in CASES if c.format == "js"], ids=lambda c: c.id)
def test_javascript_in_a_page_stays_javascript(case, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Rendered JavaScript pasted into <script> ends where the author ends it."""
    hostile = [b"</script>", b"<!--", b"<!--<script>", b"]]>", b"-->", *values(seed=11, count=300)]
    rendered = case.render(tmp_path, [v for v in hostile if case.refusal(v) is None]).decode()
    tree = html5lib.parse(f"<script>{rendered}</script><p>", namespaceHTMLElements=False)
    assert [rendered] == [script.text for script in tree.iter("script")]


def test_what_is_double_quoted_for_javascript_is_json() -> None:
    """So a reader of JSON5 or JSON takes it too."""
    js = formats.module("js")
    for value in values(seed=12, count=500):
        try:
            written = js.encode(value, BARE)
        except formats.RefusedError:
            continue
        assert value.decode() == json.loads(written)


@pytest.mark.parametrize(
    ("text", "destination", "expected"),
    [
        ("a = <<v>>\nb\n", "a.toml", "not TOML at line 2"),
        ("a = '<<v>>'\n'a' = 1", "a.toml", "not TOML"),
        ("a = (<<v>>\n", "a.py", "not Python at line 1"),
        ("a = b\n" * 22000 + "c = <<v>>\n", "a.py", "Python of more than 128 KiB, which takes"),
        ("# coding: nothing\na = <<v>>", "a.py", "not Python"),
        ("# coding: utf-7\na = <<v>>", "a.py", "it does not read back as it was written"),
    ],
)
def test_what_does_not_read_back_is_refused(
    text: str, destination: str, expected: str, tmp_path: Path
) -> None:
    """TOML and Python are parsed before they go live, and no message has any of the value."""
    value = b"hidden+AG8-value"
    with pytest.raises(ShimError) as caught:
        render(tmp_path, text, destination, v=value)
    (problem,) = caught.value.problems
    assert expected in problem
    assert "hidden" not in problem


def test_bytes_of_python_hold_any_value(tmp_path: Path) -> None:
    """What is not UTF-8 is read back too."""
    rendered = render(tmp_path, "a = b'<<v>>'", "a.py", v=b"\xff\0")
    assert rendered == "a = b'\\xff\\x00'"
    with pytest.raises(ShimError, match="it is not UTF-8"):
        render(tmp_path, "a = '<<v>>'", "a.py", v=b"\xff")


def test_warnings_of_the_parser_are_not_printed(tmp_path: Path) -> None:
    """Python warns of odd escapes in a template; a warning would show a line of the file."""
    (tmp_path / "t").write_text("a = '\\d<<v>>'\nb = 1 is 2\n")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); sys.path.insert(0, sys.argv[2])\n"
        "from tests.formats.cases import Content; from secretkit_entrypoint.render import load\n"
        "load(sys.argv[3], 'a.py').render(Content({'v': b'hidden'}), {})"
    )
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-W", "always", "-c", script, str(ENTRYPOINTS), root]
    done = subprocess.run([*command, str(tmp_path / "t")], capture_output=True, check=True)
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("<p><<v>></p>", b"{{a}} {", None),
        ("<p v-if=x><<v>></p>", b"a {{1+1}}", "a framework expands"),
        ("<b>{{x}}</b><p title='<<v>>'>", b"{", "a framework expands"),
        ("<b>{{x}}</b><p title='<<v>>'>", b"a {b} }}", None),
        ("<a href='https://h/a/<<v|url>>/b'>", b"..", "browsers drop"),
        ("<a href='<<v|url>>'>", b".", "browsers drop"),
        ("<a href='/a/<<v|url>>'>", b"..a", None),
        ("<a href='/a?b=<<v|url>>'>", b"..", None),
    ],
)
def test_what_a_page_may_make_of_a_value(
    text: str, value: bytes, expected: str | None, tmp_path: Path
) -> None:
    """Braces where a framework reads the page, and dots in the path of an address."""
    if expected is None:
        render(tmp_path, text, "a.html", v=value)
        return
    with pytest.raises(ShimError, match=expected):
        render(tmp_path, text, "a.html", v=value)


def test_a_php_file_works_as_one(tmp_path: Path) -> None:
    """A config.php of the usual shape, with a password that tries everything."""
    php = need_program("php")
    password = b'it\'s "$x" {$y} ?> <?php `id` \\ \n\xff'
    text = (
        "<?php\n// it's the config\ndefine('PASSWORD', '<<v>>');\n"
        'return ["db" => ["password" => "<<v>>", "again" => <<v>>], \'dsn\' => "a=" . <<v>>];\n'
    )
    (tmp_path / "t").write_text(text)
    rendered = load(str(tmp_path / "t"), "config.php").render(Content({"v": password}), {})
    (tmp_path / "config.php").write_bytes(rendered)
    script = (
        "$c = include 'config.php'; ['password' => $p, 'again' => $again] = $c['db'];"
        "echo json_encode(array_map('bin2hex', [PASSWORD, $p, $again, $c['dsn']]));"
    )
    done = subprocess.run([php, "-n", "-r", script], cwd=tmp_path, capture_output=True, check=True)
    assert [password.hex()] * 3 + [(b"a=" + password).hex()] == json.loads(done.stdout)

"""Where a value stands in a template, told by the lexer of its format."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from secretkit_entrypoint import formats

from tests.needs import need_program

from . import lexing

# `@` is a placeholder. "refused" stands for a reason, which the second table looks at.
PLACES = [
    ("yaml", 'k: "@"', ["inside double quotes"]),
    ("yaml", "k: '@ @'", ["inside single quotes"] * 2),
    ("yaml", "k: @", ["bare"]),
    ("yaml", "k: @\r\nl: @\r\n", ["bare", "bare"]),
    ("yaml", "@", ["bare"]),
    ("yaml", "--- @", ["bare"]),
    ("yaml", "- @", ["bare"]),
    ("yaml", "- - @", ["bare"]),
    ("yaml", "- k: @", ["bare"]),
    ("yaml", "k:\n  @", ["bare"]),
    ("yaml", "k: @ # c", ["bare"]),
    ("yaml", "k: !!str @", ["bare"]),
    ("yaml", "k: &a @", ["bare"]),
    ("yaml", "? @\n: @", ["bare", "bare"]),
    ("yaml", "@: 1", ["bare key"]),
    ("yaml", '"@": 1', ["key in double quotes"]),
    ("yaml", "'@' : 1", ["key in single quotes"]),
    ("yaml", "k: [@, '@', \"@\"]", ["bare", "inside single quotes", "inside double quotes"]),
    ("yaml", 'k: {a: @, "b":@, c: [@]}', ["bare", "bare", "bare"]),
    ("yaml", "k: [\n  @,\n  # it's\n  @\n]\nl: @", ["bare", "bare", "bare"]),
    ("yaml", "k: {<<: *a, b: @}", ["bare"]),
    ("yaml", "<<: *a\nb: @", ["bare"]),
    ("yaml", "u: pg://a:@@h", ["part"]),
    ("yaml", "u: [a/@]", ["part"]),
    ("yaml", "u: a@", ["refused"]),
    ("yaml", "u: @/a", ["refused"]),
    ("yaml", "u: @@", ["refused", "refused"]),
    ("yaml", "u: a\n  @\nl: @", ["refused", "bare"]),
    ("yaml", "u: @\n  a\nl: @", ["refused", "bare"]),
    ("yaml", "u: a\n  - @", ["refused"]),
    ("yaml", 'u: "a\n  @"', ["refused"]),
    ("yaml", 'u: "\\@"', ["refused"]),
    ("yaml", 'u: "\\x4@"', ["refused"]),
    ("yaml", 'u: "\\\\@"', ["inside double quotes"]),
    ("yaml", "u: 'it''s @'", ["inside single quotes"]),
    ("yaml", "# @", ["refused"]),
    ("yaml", "k: v # @", ["refused"]),
    ("yaml", "k: v#@", ["refused"]),
    ("yaml", "k: it's # it's\nl: @", ["bare"]),
    ("yaml", "k: |\n  @\n\n  @\nl: @", ["refused", "refused", "bare"]),
    ("yaml", "k: >-  # c\n  a\n # @\nl: @", ["refused", "bare"]),
    ("yaml", "- |\n @\n- @", ["refused", "bare"]),
    ("yaml", "&a k: |\n  @\n!!str l: @", ["refused", "bare"]),
    ("yaml", "&a : |-\n   k: @\nl: @", ["refused", "bare"]),
    ("yaml", "!!str : !!str |-\n   k: @\nl: @", ["refused", "bare"]),
    ("yaml", "- &a !!str : |-\n    k: @\n  l: @", ["refused", "bare"]),
    ("yaml", "k: &@ v", ["refused"]),
    ("yaml", "k: !@ v", ["refused"]),
    ("yaml", "k: *@", ["refused"]),
    ("yaml", "%TAG @\n--- @", ["refused", "bare"]),
    ("yaml", 'k: "a" @', ["refused"]),
    ("yaml", 'k: "@', ["refused"]),
    ("yaml", "k: @\u2028l: @", ["refused", "refused"]),
    ("json", '{"a": "@", "b": @}', ["inside double quotes", "bare"]),
    ("json", '["\\"@", "\\\\@"]', ["inside double quotes", "inside double quotes"]),
    ("json", '["\\@", "\\u00@"]', ["refused", "refused"]),
    ("json", '{@: 1, "a": 1@}', ["bare", "refused"]),
    ("json", "[ @ , @@ ]", ["bare", "refused", "refused"]),
    ("ini", "[s]\nk = @\nl: @", ["whole value", "whole value"]),
    ("ini", "[s]\nk = @ a @ b @", ["start of a value", "middle of a value", "end of a value"]),
    ("ini", "k = \"@\"\nl = '@'", ["inside double quotes", "inside single quotes"]),
    ("ini", "[@]\n@ = 1\n# @\n; @\n", ["refused"] * 4),
    ("ini", "k = a\n  @\n\n  @\nl = @", ["refused", "refused", "whole value"]),
    ("ini", "  k = a\n  l = @", ["whole value"]),
    ("properties", "k=@\n@=@", ["in a key or a value"] * 3),
    ("properties", "# @\n ! @\nk = a\\\n# @", ["refused", "refused", "in a key or a value"]),
    ("properties", "k=\\@\nl=\\u00@\nm=\\\\@", ["refused", "refused", "in a key or a value"]),
    ("env", "A=@\nexport B=@\n", ["bare", "bare"]),
    ("env", "A='@'\nB=\"@\" # c", ["inside single quotes", "inside double quotes"]),
    ("env", "A=x/@\nB=x @", ["part", "refused"]),
    ("env", "# @\nA= @\n@=1\n@", ["refused"] * 4),
    ("env", 'A="$@"\nB="\\@"\nC="@" x', ["refused"] * 3),
    ("env", 'A="x\ny"\nB=@', ["refused"]),
    ("xml", "<a b=\"@\" c='@'>@</a>", ["attribute", "attribute", "text"]),
    ("xml", "<a><![CDATA[@]]>@</a>", ["CDATA", "text"]),
    ("xml", "<!-- @ --><a><?p @?></a>", ["refused", "refused"]),
    ("xml", "<@ @=''/>", ["refused", "refused"]),
    ("xml", '<!DOCTYPE a [<!ENTITY b "]>@">]><a>@</a>', ["refused", "text"]),
    ("shell", "a=@ b=@", ["bare", "bare"]),
    ("shell", "'@' \"@\" x@", ["inside single quotes", "inside double quotes", "bare"]),
    ("shell", "# it's @\na=@ #@\nb#@", ["refused", "bare", "refused", "bare"]),
    ("shell", '\\@ $@ "$a@" $a@ "${a}@"', ["refused"] * 3 + ["bare", "inside double quotes"]),
    ("shell", '"$(x @)" `@` ${a:-@} @', ["refused"] * 3 + ["bare"]),
    ("shell", "$(case x in x) @;; esac)\n@", ["refused", "refused"]),
    ("shell", "cat <<EOF\n@\nEOF\na=@", ["refused", "bare"]),
    ("shell", "cat <<-'E' >f\n@\n\tE\na=@", ["refused", "bare"]),
    ("shell", "cat <<<@ $# @", ["bare", "bare"]),
    ("shell", "a=$'@'", ["refused"]),
    ("shell", "[ $a = @ ] && x=a[1]@ *.[ch] @", ["bare"] * 3),
    ("shell", "if [ @ ]; then\n[ x ]\nfi; [[ $a ]]; b=@\nb=@", ["bare", "refused", "bare"]),
    ("shell", "trap x EXIT; b=@\nb=@ # '\n", ["refused", "bare"]),
    ("shell", "echo evaluate letter a.b @", ["bare"]),
    ("shell", 'echo a\\ #"\n@"; echo $(x)#"\n@"', ["inside double quotes"] * 2),
    ("text", "@ '@'", ["text", "text"]),
]

# Templates for bash in which a value is code, or would stand in other quotes than it seems.
RUNNING = [
    "(( a = @ ))",
    "for (( i=@; i<1; i++ )); do :; done",
    "echo $[ @ ]",
    'echo "$[ @ ]"',
    "a[@]=1",
    "a[1 +\n@]=1",
    "a=([@]=1)",
    "declare a[@]=1",
    'declare "a[@]=1"',
    "declare -i n; n=1\nn=@",
    "declare -ix n; n=1\nn=@",
    "f() { local -i n\n n=@; }; f",
    "let @",
    "\\let @",
    "true && builtin let @",
    "[[ @ -eq 1 ]]",
    "[[ 1 -eq 1 &&\n@ -eq 1 ]]",
    "[ -v @ ]",
    "[ x -a -v @ ]",
    "test -v @",
    "printf -v @ x",
    "read @ <<<x",
    "a=(1); unset @",
    "eval @",
    "FOO=1 eval @",
    "trap @ EXIT",
    "shopt -s expand_aliases; alias x=@\nx",
    "compgen -W @",
    "echo $\\\n'@'",
    "cat <<EOF\nfoo\\\nEOF\n@\nEOF",
    "cat <\\\n<EOF\n'@'\nEOF",
    'echo a\\\n#"\n@"',
    'cat <(true)#"\n@"',
]


@pytest.mark.parametrize("template", RUNNING)
def test_a_value_that_a_shell_would_run_is_refused(template: str) -> None:
    """Commands, arithmetic and subscripts that evaluate a word, and lines that go on."""
    places = formats.module("shell").places(template.replace("@", "\0"))
    assert [type(place) for place in places] == [formats.RefusedError] * template.count("@")


@pytest.mark.parametrize(("format_name", "template", "expected"), PLACES)
def test_a_lexer_tells_the_place(format_name: str, template: str, expected: list[str]) -> None:
    """Every placeholder gets the quoting around it, or is refused."""
    text = template.replace("@@h", "\0@h").replace("@", "\0").replace("\0h", "@h")
    places = formats.module(format_name).places(text)
    refused = [isinstance(place, formats.RefusedError) for place in places]
    actual = ["refused" if no else place for place, no in zip(places, refused, strict=True)]
    assert expected == actual


@pytest.mark.parametrize("format_name", lexing.PIECES)
def test_random_templates_are_refused_or_read_right(format_name: str, tmp_path: Path) -> None:
    """Whatever surrounds a placeholder: the value that its reader sees there is the right one."""
    for program in lexing.PROGRAMS.get(format_name, ()):
        need_program(program)
    random = Random(4)
    count = 300 if format_name in ("shell", "env", "cnf") else 1500
    verdicts = [lexing.attempt(tmp_path, format_name, random) for _ in range(count)]
    harmless = {"same", "refused", "value refused", "unreadable"}
    assert [verdict for verdict in verdicts if verdict not in harmless] == []
    assert verdicts.count("same") > 5


@pytest.mark.parametrize("format_name", formats.NAMES)
def test_any_text_gets_one_place_for_each_value(format_name: str) -> None:
    """A lexer raises nothing and answers for every placeholder, whatever the text."""
    random = Random(5)
    alphabet = "\0\0\0\"'`$\\#:-?!&*|>%@[]{}(),;=<>/ \t\r\n\u2028aux04é"
    module = formats.module(format_name)
    for _ in range(3000):
        text = "".join(random.choices(alphabet, k=random.randrange(40)))
        assert text.count("\0") == len(module.places(text)), repr(text)

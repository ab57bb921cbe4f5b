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
    ("yaml", "[&a \"b, '@'\"]", ["inside double quotes"]),
    ("yaml", "{a: !!str 'b, \"@\"', c: *d, e: @}", ["inside single quotes", "bare"]),
    ("yaml", "[&a'b, \"@\"']", ["refused"]),
    ("yaml", "[?\"a: '@'\"]", ["refused"]),
    ("yaml", "k: ! @\nl: !!int '@'\nm: !x \"@\"\nn: [!x @, @]", ["refused"] * 4 + ["bare"]),
    ("yaml", "k: !!int\n  @\nl: !x\nm: @", ["refused", "bare"]),
    ("yaml", "!x @: @\nk: !x [@]\nl: !x\n- @", ["refused", "bare", "bare", "bare"]),
    ("yaml", "k:\n  \u00a0\n  @\nl:\n \t\n @", ["refused", "bare"]),
    ("yaml", "\ufeff- '@'", ["refused"]),
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
    ("yaml", "%YAML @\n--- @", ["refused", "bare"]),
    ("yaml", "%TAG @\n--- @", ["refused", "refused"]),
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
    ("env", "A=b # it's\nB='x y'\t# c\nC=\"a ${A}\"\n\nLANG=C\nD=http://$A?a#b\nE=@", ["bare"]),
    ("xml", "<a b=\"@\" c='@'>@</a>", ["attribute", "attribute", "text"]),
    ("xml", "<a><![CDATA[@]]>@</a>", ["CDATA", "text"]),
    ("xml", '<!DOCTYPE a SYSTEM "a"><a b="@">@</a>', ["attribute", "text"]),
    ("xml", "<!-- @ --><a><?p @?></a>", ["refused", "refused"]),
    ("xml", "<@ @=''/>", ["refused", "refused"]),
    ("xml", '<!DOCTYPE a [<!ENTITY b "]>@">]><a>@</a>', ["refused", "text"]),
    ("shell", "a=@ b=@", ["bare", "bare"]),
    ("shell", "echo '@' \"@\" x@", ["inside single quotes", "inside double quotes", "bare"]),
    ("shell", "# it's @\na=@ #@\nb=b#@", ["refused", "bare", "refused", "bare"]),
    ("shell", 'echo \\@ $@ "$a@" $a@ "${a}@"', ["refused"] * 3 + ["bare", "inside double quotes"]),
    ("shell", 'echo "$(x @)" `@` ${a:-@} @', ["refused"] * 3 + ["bare"]),
    ("shell", "$(case x in x) @;; esac)\n@", ["refused", "refused"]),
    ("shell", "cat <<EOF\n@\nEOF\na=@", ["refused", "bare"]),
    ("shell", "cat <<-'E' >f\n@\n\tE\na=@", ["refused", "bare"]),
    ("shell", "cat <<<@ $# @", ["bare", "bare"]),
    ("shell", "cat <<E\n${a}$(b -c)\\$(\nE\na=@", ["bare"]),
    ("shell", "cat <<'E'\n$(echo '\nE\na=@", ["bare"]),
    (
        "shell",
        "export A=@ B='@'; readonly C=@\nexport D; D=@",
        ["bare", "inside single quotes"] + ["bare"] * 2,
    ),
    ("shell", "a=(@ b @)", ["bare", "bare"]),
    ("shell", "declare -xr a; local b=c-d e\na=@", ["bare"]),
    ("shell", "printf '%s' @; printf x @; a=1 env b=@ c -p@", ["bare"] * 4),
    (
        "shell",
        'if [ "$a" = "@" ] || [ -n @ ]; then a=@; fi',
        ["inside double quotes", "bare", "bare"],
    ),
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
    "OPTIND=@",
    "export RANDOM='@'",
    'export A=1 "OPTIND=@"',
    "export @",
    "readonly '@'",
    "HISTCMD+=@",
    "LC_ALL=@",
    "BASH_ENV=@; export BASH_ENV",
    "for OPTIND in @; do :; done",
    "sleep 0 & wait -np @",
    "printf>/dev/null -v @ x",
    "printf @ x",
    "printf -- '@'",
    "test>/dev/null -v @",
    "test @ @",
    "declare>/dev/null -i x\nx=@",
    "declare -l x\nx=@",
    "typeset -xu x\nx=@",
    "'eval' @",
    "l\\et @",
    "@ @",
    "A='b c' >/dev/null @ @",
    "true && exec @ @",
    "cat <<E\n$(echo '\nE\nx=@\n')\nE",
    "cat <<E\n`echo '\nE\nx=@\n'`\nE",
    "cat <<E\n${x:-'\nE\nx=@\n'}\nE",
    "echo $\\\n'@'",
    "cat <<EOF\nfoo\\\nEOF\n@\nEOF",
    "cat <\\\n<EOF\n'@'\nEOF",
    'echo a\\\n#"\n@"',
    'cat <(true)#"\n@"',
]


# The same for files of variables, which a shell reads, too.
SOURCED = [
    ": <<EOF\nA=@\nEOF",
    "declare -i A\nA=@",
    "alias export=eval\nexport A=@",
    "B=x declare -i A\nA=@",
    "B=x;declare -i A\nA=@",
    'B="$(echo " # )"\nA=@',
    'B="${x:-" # }"\nA=@',
    "B=$(cat <<E\nA=@",
    "B=$'\nA=@",
    "set -a\nA=@",
    "1A=@",
    "\ufeffB=1\nA=@",
    "export OPTIND=@",
    "SRANDOM='@'",
]


@pytest.mark.parametrize("template", SOURCED)
@pytest.mark.parametrize("format_name", ["env", "compose-env"])
def test_a_value_below_code_in_a_variable_file_is_refused(format_name: str, template: str) -> None:
    """Such a file has nothing but comments and assignments that are what they seem."""
    (place,) = formats.module(format_name).places(template.replace("@", "\0"))
    assert isinstance(place, formats.RefusedError)


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

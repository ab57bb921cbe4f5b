"""Values that break naive templates: for campaigns seeded and fast, for tests by hypothesis."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

PIECES = (
    *"\"'\\$`&|%#;:=!?*~<>()[]{}@,-+^/._ \t\n\r\0\x01\x07\x1b\x1c\x7f\x80\x85\x9f\xa0\xad",
    *"äßé☃\u2028\u2029\ufeff\ufffd\ufffe\uffff\U0001f600\U0001ffff\U0010ffff",
    *("\\n", "\\\\", "''", '""', "\r\n", "${HOME}", "$HOME", "$(id)", "`id`", "%(x)s", "%%"),
    *(
        ": ",
        " #",
        "#{x}",
        "- ",
        "? ",
        "---",
        "...",
        "]]>",
        "<!--",
        "-->",
        "&amp;",
        "</e>",
        "\\u0041",
    ),
    *(
        "<<s0>>",
        "<<db-password|raw>>",
        "{{ x }}",
        "{% raw %}",
        "s/a/b/",
        "\\1",
        "&&",
        "a",
        "Z",
        "9",
    ),
)
WORDS = (
    *(
        "",
        "yes",
        "no",
        "on",
        "off",
        "y",
        "true",
        "True",
        "null",
        "Null",
        "~",
        "none",
        "0x1F",
        "1e3",
    ),
    *(
        "0o17",
        "017",
        "1_000",
        "12:30:45",
        "2024-01-01",
        "2024-01-01T00:00:00Z",
        ".5",
        "-.inf",
        ".nan",
    ),
    *(
        "=",
        "<<",
        "-",
        "?",
        ":",
        "!!str x",
        "&a",
        "*a",
        "|",
        ">",
        "@x",
        "%x",
        "`x",
        "[]",
        "{}",
        "#x",
    ),
    *("EOF", "NaN", "Infinity", "-0", "export A=1", "[s]", "//x", "/*x*/", "<x/>", "${x:-y}", "$$"),
    *(
        "0" * 400,
        "x" * 3000,
        "p@ss&w/o\\r\"d's $ #1 %",
        " lead",
        "trail ",
        "\ttab\t",
        "a\nb",
        "a\n",
    ),
)
_PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))


def value(random: Random) -> bytes:
    """One value; about 2 % of them are not UTF-8."""
    kind = random.random()
    if kind < 0.15:
        return random.choice(WORDS).encode()
    if kind < 0.60:
        return "".join(random.choices(PIECES, k=random.randrange(1, 9))).encode()
    if kind < 0.85:
        return "".join(random.choices(_PRINTABLE, k=random.randrange(1, 33))).encode()
    if kind < 0.93:
        points = (random.randrange(0x20000) for _ in range(random.randrange(1, 6)))
        return "".join(chr(p) for p in points if not 0xD800 <= p < 0xE000).encode()
    if kind < 0.95:
        return random.randbytes(random.randrange(1, 9))
    return (random.choice(" \t\n") + random.choice(WORDS) + random.choice(PIECES)).encode()


def values(seed: int, count: int) -> list[bytes]:
    """`count` values, the same for the same seed."""
    random = Random(seed)
    return [value(random) for _ in range(count)]


strategy = st.one_of(
    st.text(max_size=12).map(str.encode),
    st.lists(st.sampled_from(PIECES), max_size=6).map(lambda pieces: "".join(pieces).encode()),
    st.sampled_from(WORDS).map(str.encode),
    st.binary(max_size=6),
)

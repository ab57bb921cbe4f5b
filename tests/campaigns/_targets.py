"""What the fuzzer feeds, one function for each surface of the shim, and what must hold there.

Run as a program under atheris: `python -m tests.campaigns._targets TARGET [libFuzzer options]`.
Whatever a target raises, but what the shim raises on purpose, is a finding.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

with contextlib.ExitStack() as stack:
    if __name__ == "__main__":
        import atheris

        stack.enter_context(atheris.instrument_imports(include=["secretkit_entrypoint"]))
    from secretkit_entrypoint import (
        config,
        formats,
        jinja_simple,
        keystore,
        options,
        placeholders,
        references,
        users,
    )
    from secretkit_entrypoint.errors import ShimError
    from secretkit_entrypoint.formats import MARK, RefusedError
    from secretkit_entrypoint.keystore import jks, pem, pkcs12  # noqa: F401 - to be instrumented
    from secretkit_entrypoint.render import Target, Template

    MODULES = {name: formats.module(name) for name in formats.NAMES}

CANARY = b"cAnArY-5e0f71"
SCRATCH = Path(os.environ.get("FUZZ_SCRATCH", "/dev/shm"))  # for files that are read by path


class Secrets:
    """Every name is a secret; all have one value."""

    def __init__(self, value: bytes) -> None:
        self.value = value

    def names(self) -> list[str]:
        return ["v", "w", "db-password"]

    def read(self, _name: str) -> bytes:
        return self.value


def text_of(data: bytes) -> str:
    """As templates are read."""
    return data.decode("utf-8", "surrogateescape").replace(MARK, "")


def no_value_in(problems: Iterable[object]) -> None:
    for problem in problems:
        assert CANARY.decode() not in str(problem), "a value in a message"
        assert "\n" not in str(problem), "a message of more than one line"


def split(data: bytes) -> tuple[int, bytes, bytes]:
    """A number, and two parts: what stands before and after the last 0xFF."""
    first, _, last = data[1:].rpartition(b"\xff")
    return (data[0] if data else 0), first, last


def rendered(data: bytes, scan: Callable[[str], list[placeholders.Mark] | None]) -> None:
    """A template of any format is rendered or refused, and its own text stays as it is."""
    number, last, first = split(data)
    value = first + CANARY
    text = text_of(last)
    if CANARY.decode() in text:
        return
    name = formats.NAMES[number % len(formats.NAMES)]
    try:
        marks = scan(text)
        if marks is None:
            return
        template = Template(Target("t", "d", name), text, marks)
        written = template.render(Secrets(value), {b"HOME": b"/"})
    except ShimError as error:
        no_value_in(error.problems)
        return
    at = 0
    for literal in template.literals():
        piece = literal.encode("utf-8", "surrogateescape")
        at = written.find(piece, at)
        assert at >= 0, "the template's own text was changed"
        at += len(piece)


def template(data: bytes) -> None:
    rendered(data, placeholders.scan)


def simple_jinja(data: bytes) -> None:
    rendered(data, jinja_simple.scan)


def encoder(name: str) -> Callable[[bytes], None]:
    """The lexer and the encoder of one format."""
    module = MODULES[name]

    def target(data: bytes) -> None:
        _, text_part, value_part = split(data)
        text = text_part.replace(b"\0", b"").replace(b"\x01", b"\0").decode("utf-8", "replace")
        value = value_part + CANARY
        try:
            places = module.places(text)
        except RecursionError:  # for Target.compose to tell
            return
        assert len(places) == text.count(MARK), "the lexer lost a place"
        for place in places:
            if isinstance(place, RefusedError):
                no_value_in([place])
                continue
            if place == formats.PART:
                continue
            try:
                once = module.encode(value, place)
            except RefusedError as refused:
                no_value_in([refused])
            else:
                assert once == module.encode(value, place)
        if hasattr(module, "parse"):
            try:
                module.parse(text_part + CANARY)
            except RefusedError as refused:
                no_value_in([refused])

    return target


def config_file(data: bytes) -> None:
    """Any bytes are a level, or errors."""
    path = SCRATCH / "entrypoint.json"
    path.write_bytes(data)
    try:
        level = config.read(str(path).encode())
    except ShimError as error:
        assert all("\n" not in problem for problem in error.problems)
    else:
        options.Settings([level])


def arguments(data: bytes) -> None:
    """Any words are a request, or an error."""
    words = [word.decode("utf-8", "surrogateescape") for word in data.split(b"\0")]
    with contextlib.suppress(ShimError):
        request = options.read_arguments(words)
        options.Settings([request.level])


def variables(data: bytes) -> None:
    """Any SECRETKIT_ variables are a level, or an error."""
    environ = {}
    for entry in data.split(b"\0"):
        name, _, value = entry.partition(b"=")
        environ[b"SECRETKIT_" + name] = value
    with contextlib.suppress(ShimError):
        options.Settings([options.read_variables(environ)])


def accounts(data: bytes) -> None:
    """Any passwd and group files, and any --user."""
    _, files, text = split(data)
    passwd, _, group = files.partition(b"\0")
    for name, content in (("USERS", passwd), ("GROUPS", group)):
        path = SCRATCH / name
        path.write_bytes(content)
        setattr(users, name, str(path).encode())
    with contextlib.suppress(ShimError):
        users.lookup(text, "--user")


def reference(data: bytes) -> None:
    """Any reference into any content is a value, or an error without content."""
    _, asked, content = split(data)
    content += CANARY
    if CANARY in asked:
        return
    try:
        value = references.resolve(lambda _: content, b"db" + asked)
    except ShimError as error:
        no_value_in(error.problems)
    else:
        assert isinstance(value, bytes)


def keystores(data: bytes) -> None:
    """Any key, certificates and password are a keystore, or errors without content."""
    number, last, password = split(data)
    key, _, others = last.partition(b"\xfe")
    cert, _, ca = others.partition(b"\xfe")
    content = {"key": key, "cert": cert, "ca": ca, "password": password + CANARY}

    class Given:
        def read(self, name: str) -> bytes:
            return content[name]

    entry = options.Keystore(b"/k.jks" if number & 8 else b"/k.p12")
    for bit, name in enumerate(content):
        if number & 1 << bit:
            setattr(entry, name, name.encode())
    entry.password = b"password"
    try:
        first = keystore.make(entry, Given())
    except ShimError as error:
        no_value_in(error.problems)
    else:
        assert first == keystore.make(entry, Given())


TARGETS: dict[str, Callable[[bytes], None]] = {
    "template": template,
    "simple-jinja": simple_jinja,
    "config": config_file,
    "arguments": arguments,
    "variables": variables,
    "accounts": accounts,
    "reference": reference,
    "keystores": keystores,
    **{f"format-{name}": encoder(name) for name in formats.NAMES},
}


def main() -> None:
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

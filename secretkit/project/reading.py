"""One `secretkit.toml` as it is read: every key is known and of its type, or the line is told."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from ..errors import InvalidProjectError, SecretkitError
from . import ENGINES, LAYOUTS, Declared, Project

HOOKS = ("before", "after", "verify")
DEV_FOLDER = "dev-secrets"
DEV_OVERRIDES = "dev-secrets.local"

_TEXT, _NUMBER, _FLAG, _LIST, _PAIRS, _ENTRIES = (
    "text",
    "a number",
    "true or false",
    "a list of texts",
    "pairs",
    "a list of tables",
)
# The keys of the shim's config file, which [entrypoint] is compiled to.
ENTRYPOINT = {
    "secrets_dir": _TEXT,
    "env": _PAIRS,
    "env_all": _FLAG,
    "no_env": _FLAG,
    "env_prefix": _TEXT,
    "expand_file": _LIST,
    "render": _ENTRIES,
    "keystore": _ENTRIES,
    "stdin": _TEXT,
    "fd": _PAIRS,
    "arg": _LIST,
    "allow_argv": _FLAG,
    "require": _LIST,
    "optional": _LIST,
    "user": _TEXT,
    "no_new_privs": _FLAG,
    "cap_drop": _LIST,
    "pristine": _FLAG,
    "preserve": _LIST,
    "allow_names": _LIST,
    "allow_disk": _FLAG,
    "watch": _FLAG,
    "watch_secrets": _FLAG,
    "on_change": _TEXT,
    "grace": _NUMBER,
    "stop_signal": _TEXT,
    "stop_timeout": _NUMBER,
    "signal_group": _FLAG,
    "strict": _FLAG,
}
# Options of the shim that are spelled otherwise than their key, or have none.
_OTHER = {"config": _TEXT, "allow_name": _LIST}


def takes_argument(option: str) -> bool:
    """Whether the next word belongs to this option of the shim; not if it is `--option=word`."""
    return (ENTRYPOINT | _OTHER).get(option[2:].replace("-", "_"), _FLAG) != _FLAG


# The tables of a list: the keys that one must have, and those that it may have.
_ENTRY = {
    "render": (("source", "destination"), ("format", "mode", "owner")),
    "keystore": (
        ("destination",),
        ("key", "cert", "ca", "password", "alias", "type", "mode", "owner"),
    ),
}


class Reader:
    """One reading of one file: it knows the text, so that errors can name the line."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text

    def project(self, folder: Path) -> Project:
        table = self.parse()
        self.known((), table, ("engine", "swarm", "secrets", "entrypoint", "dev"))
        engine = table.get("engine", ENGINES[0])
        if engine not in ENGINES:
            self.refuse(
                ("engine",), "no such engine", f"engines of this version: {', '.join(ENGINES)}"
            )
        declared = dict(self.declared(self.table((), table, "secrets")))
        self.distinct(declared.values())
        entrypoint = self.entrypoint(self.table((), table, "entrypoint"))
        dev = self.table((), table, "dev")
        self.known(("dev",), dev, ("folder", "overrides", "layout"))
        place = self.inside(folder, ("dev", "folder"), dev.get("folder", DEV_FOLDER))
        overrides = self.inside(folder, ("dev", "overrides"), dev.get("overrides", DEV_OVERRIDES))
        if os.path.normpath(folder / overrides) == os.path.normpath(folder / place):
            self.refuse(("dev",), "dev.folder and dev.overrides are the same folder")
        layout = dev.get("layout", LAYOUTS[0])
        if layout not in LAYOUTS:
            self.refuse(("dev", "layout"), "no such layout", f"layouts: {', '.join(LAYOUTS)}")
        hosts = self.hosts(self.table((), table, "swarm"))
        return Project(
            *(folder, engine, declared, entrypoint),
            *(folder / place, folder / overrides, layout, hosts),
        )

    def parse(self) -> dict[str, Any]:
        import re
        import tomllib

        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            what, _, place = str(error).rpartition(" (at ")
            found = re.match(r"line (\d+), column (\d+)", place)
            where = f":{found[1]}:{found[2]}" if found else ""
            reason = (what or str(error)).strip()
            end = "" if found else " (at the end of the file)"
            raise InvalidProjectError(
                f"{self.path}{where}", f"not TOML: {reason[:1].lower()}{reason[1:]}{end}"
            ) from None
        except ValueError:  # of int(): sys.set_int_max_str_digits
            raise InvalidProjectError(str(self.path), "a number has too many digits") from None
        except RecursionError:
            raise InvalidProjectError(str(self.path), "nested too deeply") from None

    def declared(self, table: dict[str, Any]) -> Iterator[tuple[str, Declared]]:
        from ..generators import check_kind
        from ..naming import check_name

        for name in table:
            at = ("secrets", name)
            entry = self.table(("secrets",), table, name)
            with _Within(self, at):
                check_name(name)
            self.known(at, entry, ("generate", "description", "labels", "hooks"))
            texts = {
                key: self.typed((*at, key), entry[key], _TEXT)
                for key in ("generate", "description")
                if key in entry
            }
            if "generate" in texts:
                with _Within(self, (*at, "generate")):
                    check_kind(texts["generate"])
            labels = self.typed((*at, "labels"), entry.get("labels", {}), _PAIRS)
            hooks = self.hooks(at, self.table(at, entry, "hooks"))
            yield (
                name,
                Declared(name, texts.get("generate"), texts.get("description"), labels, hooks),
            )

    def hooks(
        self, secret: tuple[str, ...], table: dict[str, Any]
    ) -> Mapping[str, tuple[str, ...]]:
        """The programs around a rotation. A text would need a shell to be taken apart: refused."""
        at = (*secret, "hooks")
        self.known(at, table, HOOKS)
        hooks = {}
        for key, value in table.items():
            if not isinstance(value, list) or not value:
                self.refuse(
                    (*at, key),
                    f"{'.'.join((*at, key))} must be a program and its arguments, as a list",
                    f'for example {key} = ["./{key}.sh", "app"]',
                )
            words = self.typed((*at, key), value, _LIST)
            for word in words:
                self.without_null((*at, key), word)
            hooks[key] = tuple(words)
        return hooks

    def hosts(self, table: dict[str, Any]) -> tuple[str, ...]:
        """The addresses of managers; the engine refuses those that are no use."""
        self.known(("swarm",), table, ("hosts",))
        return tuple(self.typed(("swarm", "hosts"), table.get("hosts", []), _LIST))

    def distinct(self, declared: Iterable[Declared]) -> None:
        seen: dict[str, str] = {}
        for one in declared:
            with _Within(self, ("secrets", one.name)):
                makes = one.makes
            for secret in makes:
                if secret in seen:
                    self.refuse(
                        ("secrets", one.name), f"{seen[secret]} and {one.name} both make {secret}"
                    )
                seen[secret] = one.name

    def entrypoint(self, table: dict[str, Any]) -> dict[str, Any]:
        self.known(("entrypoint",), table, ENTRYPOINT)
        return {
            key: self.typed(("entrypoint", key), value, ENTRYPOINT[key])
            for key, value in table.items()
        }

    def typed(self, at: tuple[str, ...], value: Any, kind: str) -> Any:
        """`value` if it is of `kind`, else the error that says which kind it must be."""
        if kind == _ENTRIES:
            return self.entries(at, value)
        right = {
            _TEXT: isinstance(value, str) and value != "",
            # Also as a text, which is how a variable has it; the shim looks at it.
            _NUMBER: isinstance(value, (int, float, str)) and not isinstance(value, bool),
            _FLAG: isinstance(value, bool),
            _LIST: isinstance(value, list) and all(isinstance(v, str) and v for v in value),
            _PAIRS: isinstance(value, dict) and all(isinstance(v, str) for v in value.values()),
        }[kind]
        if not right:
            must = {_TEXT: "a text that is not empty", _PAIRS: "a table of texts"}.get(kind, kind)
            self.refuse(at, f"{'.'.join(at)} must be {must}")
        if kind == _TEXT:
            self.without_null(at, value)
        return value

    def inside(self, project: Path, at: tuple[str, ...], value: Any) -> str:
        """The path of a folder in `project`. Another's secretkit.toml must not name `~/.ssh`.

        Links on the way are followed; the last part may be one, as a dev folder in memory is.
        """
        text: str = self.typed(at, value, _TEXT)
        path = project / text
        try:
            place = path.resolve() if path.name == ".." else path.parent.resolve() / path.name
            within = project.resolve() in place.parents
        except (OSError, RuntimeError):  # RuntimeError: links in a circle, before Python 3.13
            within = False
        if not within:
            self.refuse(
                at, f"{'.'.join(at)} must be inside of the project", 'for example "dev-secrets"'
            )
        return text

    def without_null(self, at: tuple[str, ...], text: str) -> None:
        if "\0" in text:
            self.refuse(at, f"{'.'.join(at)} has a null character")

    def entries(self, at: tuple[str, ...], value: Any) -> list[dict[str, str]]:
        name = ".".join(at)
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            self.refuse(at, f"{name} must be a list of tables", f"write [[{name}]]")
        required, optional = _ENTRY[at[-1]]
        for entry in value:
            self.known(at, entry, required + optional)
            for key in required:
                if key not in entry:
                    self.refuse(at, f"[[{name}]] needs {key}")
            for key, text in entry.items():
                hint = 'in quotes, octal: mode = "0400"' if key == "mode" else None
                if not isinstance(text, str) or not text:
                    self.refuse((*at, key), f"{name}.{key} must be a text", hint)
                self.without_null((*at, key), text)
        return list(value)

    def table(self, at: tuple[str, ...], parent: dict[str, Any], key: str) -> dict[str, Any]:
        value = parent.get(key, {})
        if not isinstance(value, dict):
            self.refuse((*at, key), f"{'.'.join((*at, key))} must be a table")
        return dict(value)

    def known(self, at: tuple[str, ...], table: dict[str, Any], keys: Iterable[str]) -> None:
        """Refuse a key that does not exist, with the nearest one that does."""
        for key in table:
            if key in keys:
                continue
            from difflib import get_close_matches

            near = get_close_matches(key, keys, 1)
            if at[:1] == ("secrets",) and key in ("value", "password", "secret"):
                hint = f"a value never stands in this file: secretkit create {at[1]}"
            elif near:
                hint = f"did you mean {near[0]}?"
            else:
                hint = f"keys here: {', '.join(keys)}"
            self.refuse((*at, key), f"unknown key {'.'.join((*at, key))}", hint)

    def refuse(self, at: tuple[str, ...], reason: str, hint: str | None = None) -> NoReturn:
        line = self.line(at)
        where = f"{self.path}:{line}" if line else str(self.path)
        raise InvalidProjectError(where, reason, hint=hint)

    def line(self, at: tuple[str, ...]) -> int | None:
        """The line where the key `at` stands, or its nearest table: tomllib tells no positions.

        A search for each part of the key after the one before; good for every usual layout.
        """
        import re

        position, found = 0, None
        for part in at:
            key = re.compile(rf"""(?<![\w-])["']?{re.escape(part)}["']?(?=\s*[]=.])""")
            matches = key.finditer(self.text, position)
            # Not what stands in a comment.
            found = next((m for m in matches if "#" not in self._before(m.start())), None)
            if found is None:
                break
            position = found.end()
        return self.text.count("\n", 0, position) + 1 if position else None

    def _before(self, position: int) -> str:
        """The part of the line before `position`."""
        return self.text[self.text.rfind("\n", 0, position) + 1 : position]


class _Within:
    """Errors of a name or a generator become errors of the file, with the place."""

    def __init__(self, reader: Reader, at: tuple[str, ...]) -> None:
        self.reader = reader
        self.at = at

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SecretkitError):
            self.reader.refuse(self.at, f"{'.'.join(self.at)}: {error}", error.hint)

"""Who knows the versions of a name and what is in them: the store, or, for configs, the engine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, Protocol

from .. import mocks, naming
from ..engines.protocol import Engine, EngineObject, Kind
from ..errors import (
    ConfigNotFoundError,
    ConflictError,
    NotFoundError,
    ObjectExistsError,
    VersionNotFoundError,
)
from ..model import Secret
from . import objects

if TYPE_CHECKING:
    from ..store import Store

Action = Literal["rotate", "rollback", "adopt"]
GIVEN = "given"  # the source of a content that somebody gave
ENGINE = "engine"  # of a version that was found in an engine
STACK = "stack "  # what those of contents that a stack brought begin with


class Versions(Protocol):
    """The versions of one kind of object, by name. Not for another thread."""

    kind: Kind
    store_id: str  # what an object's label says of where its value is kept; "" for configs

    def current(self, name: str) -> int | None:
        """The current version, None if none is yet; raises SecretNotFoundError."""
        ...

    def previous(self, name: str) -> int | None:
        """The one to go back to: the highest below the current one that was current once."""
        ...

    def numbers(self, name: str) -> tuple[int, ...]:
        """Every version that exists, ascending; raises SecretNotFoundError."""
        ...

    def beyond(self, name: str, keep: int) -> tuple[int, ...]:
        """Those neither current nor among the newest `keep`: see model.Secret.beyond."""
        ...

    def staged(self, name: str) -> tuple[int, ...]:
        """Those that were never current, ascending."""
        ...

    def sources(self, name: str) -> Mapping[int, str]:
        """Where the content of each version came from, as far as that is known."""
        ...

    def begin(self, name: str, content: bytes, source: str) -> None:
        """Version 1 of a name that is not known yet, current; raises ConflictError if it is."""
        ...

    def stage(self, name: str, number: int, content: bytes, source: str) -> None:
        """A version, durably, which is not current; the same content again is fine.

        Raises ConflictError if the version has another content.
        """
        ...

    def content(self, name: str, number: int) -> bytes:
        """What is in a version; raises VersionNotFoundError, UnknownValueError."""
        ...

    def learn(self, name: str, number: int, content: bytes | None = None) -> None:
        """The engine has a version: record it, of unknown value unless that is given."""
        ...

    def commit(self, name: str, number: int, action: Action) -> None:
        """Makes a version current; again is fine."""
        ...

    def destroy(
        self, name: str, numbers: Collection[int] | None, action: Literal["prune", "remove"]
    ) -> None:
        """Forgets these versions, or (None) all of the name. Their objects are gone already."""
        ...

    def fingerprint(self, name: str, content: bytes) -> str:
        """`<key>:<hash>`, which is compared by objects.is_other."""
        ...


def brought(versions: Versions, name: str) -> int | None:
    """The last version that a stack brought, of those that were ever current."""
    staged, sources = versions.staged(name), versions.sources(name).items()
    found = (n for n, said in sources if said.startswith(STACK) and n not in staged)
    return max(found, default=None)


def refuse_mock(versions: Versions, name: str, number: int) -> None:
    """Raises MockError if that version is one, before an engine is given it.

    One that is not there or of unknown value passes: there is nothing to give.
    """
    try:
        content = versions.content(name, number)
    except NotFoundError:
        return
    again = f"rotate {name}" if versions.kind == "secret" else f"config rotate {name} FILE"
    mocks.refuse(
        f"{versions.kind} {name} v{number}",
        content,
        hint=f"`secretkit {again}` makes the next version: give that a real value",
    )


class StoreVersions:
    """Secrets: the store knows, and an engine never gives a value back."""

    kind: Kind = "secret"

    def __init__(self, store: Store) -> None:
        self.store = store
        self.store_id = store.id

    def current(self, name: str) -> int:
        return self.store.get(name).current

    def previous(self, name: str) -> int | None:
        return self.store.get(name).previous

    def numbers(self, name: str) -> tuple[int, ...]:
        return self.store.get(name).versions

    def beyond(self, name: str, keep: int) -> tuple[int, ...]:
        return self.store.get(name).beyond(keep)

    def staged(self, name: str) -> tuple[int, ...]:
        return self.store.get(name).staged

    def sources(self, name: str) -> Mapping[int, str]:
        return {one.number: one.source for one in self.store.history(name)}

    def begin(self, name: str, content: bytes, source: str) -> None:
        self.store.create(name, content, source=source)

    def stage(self, name: str, number: int, content: bytes, source: str) -> None:
        self.store.stage(name, content, number, source=source)

    def content(self, name: str, number: int) -> bytes:
        return self.store.read(name, number)

    def learn(self, name: str, number: int, content: bytes | None = None) -> None:
        self.store.learn(name, number, content, source=ENGINE)

    def commit(self, name: str, number: int, action: Action) -> None:
        self.store.make_current(name, number, action)

    def destroy(
        self, name: str, numbers: Collection[int] | None, action: Literal["prune", "remove"]
    ) -> None:
        if numbers is None:
            self.store.remove(name)
        else:
            self.store.destroy(name, numbers, action)

    def fingerprint(self, name: str, content: bytes) -> str:
        return self.store.fingerprint(name, content)


class ConfigVersions:
    """Configs: the engine's objects are the record, as their content can be read.

    Which one is current is the label objects.CURRENT: a number, counted up each time that a
    version is made current, so that one write of one object moves it. The highest is it.
    """

    kind: Kind = "config"
    store_id = ""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def current(self, name: str) -> int | None:
        return self._secret(name).current or None

    def previous(self, name: str) -> int | None:
        return self._secret(name).previous

    def numbers(self, name: str) -> tuple[int, ...]:
        return self._secret(name).versions

    def beyond(self, name: str, keep: int) -> tuple[int, ...]:
        return self._secret(name).beyond(keep)

    def staged(self, name: str) -> tuple[int, ...]:
        return self._secret(name).staged

    def sources(self, name: str) -> Mapping[int, str]:
        found = self._objects(name).items()
        return {number: one.labels.get(objects.SOURCE, "") for number, one in found}

    def begin(self, name: str, content: bytes, source: str) -> None:
        if found := objects.versions_of(self.engine, self.kind, name):
            raise ConflictError(
                f"config exists, {name} v{max(found)}",
                hint=f"`secretkit config rotate {name} FILE` makes the next version",
            )
        self.stage(name, 1, content, source)
        self.commit(name, 1, "rotate")

    def stage(self, name: str, number: int, content: bytes, source: str) -> None:
        """`source` is kept in a label."""
        naming.check_value(name, content, naming.CONFIG_LENGTH)
        mocks.refuse(f"config {name}", content, hint="make its content with real values")
        said = "" if source == GIVEN else source
        made = objects.labels(
            name, number, fingerprint=self.fingerprint(name, content), source=said
        )
        object_name = naming.object_name(name, number)
        try:
            self.engine.create(self.kind, object_name, content, made)
        except ObjectExistsError:
            found = self.engine.find(self.kind, object_name)
            if found is None or self.engine.content(found.id) != content:
                raise ConflictError(
                    f"config exists with another content, {object_name}",
                    hint=f"`secretkit config rotate {name} FILE` makes the next version",
                ) from None

    def content(self, name: str, number: int) -> bytes:
        found = self._objects(name)
        if number not in found:
            raise VersionNotFoundError(
                name, f"v{number}", hint=f"its versions: {', '.join(f'v{one}' for one in found)}"
            )
        return self.engine.content(found[number].id)

    def learn(self, name: str, number: int, content: bytes | None = None) -> None:
        """Nothing to do: what the engine has is known."""

    def commit(self, name: str, number: int, action: Action) -> None:
        """`action` is in no log: an engine keeps none."""
        found = self._objects(name)
        if number not in found:
            raise VersionNotFoundError(name, f"v{number}")
        if number == _current(found):
            return
        turn = max(map(_turn, found.values())) + 1
        one = found[number]
        self.engine.relabel(one, {**one.labels, objects.CURRENT: str(turn)})

    def destroy(
        self, name: str, numbers: Collection[int] | None, action: Literal["prune", "remove"]
    ) -> None:
        """Nothing to do: they went with their objects."""

    def fingerprint(self, name: str, content: bytes) -> str:
        """Without a key: a config can be read by whoever can read its labels."""
        return f"sha256:{sha256(content).hexdigest()}"

    def _objects(self, name: str) -> dict[int, EngineObject]:
        found = objects.versions_of(self.engine, self.kind, name)
        if not found:
            raise ConfigNotFoundError(name)
        return found

    def _secret(self, name: str) -> Secret:
        found = self._objects(name)
        times = [one.created for one in found.values()]
        return Secret(
            name,
            _current(found),
            tuple(found),
            min(times),
            max(times),
            staged=tuple(n for n, one in found.items() if objects.is_ours(one) and not _turn(one)),
        )


def _turn(found: EngineObject) -> int:
    """When a config was last made current: 1, 2 …, 0 if never."""
    label = found.labels.get(objects.CURRENT, "")
    return int(label) if label.isascii() and label.isdigit() else 0


def _current(found: dict[int, EngineObject]) -> int:
    """The version that was made current last; before that, one that was there before us; or 0."""
    there = [(_turn(one), n) for n, one in found.items() if _turn(one) or not objects.is_ours(one)]
    return max(there, default=(0, 0))[1]

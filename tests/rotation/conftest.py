"""A swarm in memory, a store, and rotations that can be killed at a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secretkit import Store
from secretkit.rotation import abort, journal, rollback, rotate, under_way
from secretkit.rotation.types import Event, Options, Report
from secretkit.rotation.versions import StoreVersions
from tests.engines.memory import MemorySwarm


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


class Stage:
    """A project with one secret, `db-password` v1, in a store and in a swarm."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = store
        self.versions = StoreVersions(store)
        self.swarm = MemorySwarm()
        self.events: list[Event] = []
        self._monkeypatch = monkeypatch
        store.create("db-password", b"first")
        self.swarm.create("secret", "db-password", b"first", {})

    def deploy(self, *names: str, **settings: object) -> None:
        """Services with start-first, a monitor of 1 s and automatic rollback, running."""
        usual = {"order": "start-first", "monitor": 1.0, "failure_action": "rollback"}
        for name in names:
            self.swarm.deploy(name, "db-password", **(usual | settings))  # type: ignore[arg-type]
        self.swarm.settle()

    def rotate(self, content: bytes | None, **settings: object) -> Report:
        return self._call(rotate, content, **settings)

    def rollback(self, to: int | None = None, **settings: object) -> Report:
        return self._call(rollback, to, **settings)

    def abort(self, **settings: object) -> Report:
        return self._call(abort, **settings)

    def _call(
        self,
        act: Callable[..., Report],
        *arguments: object,
        kill: str | None = None,
        **settings: object,
    ) -> Report:
        """`kill` is a step after which the process is gone."""
        own = {name: settings.pop(name) for name in ("hooks", "source") if name in settings}

        def heard(event: Event) -> None:
            self.events.append(event)
            if event.step == kill:
                raise Killed

        self.events.clear()
        try:
            return act(
                self.versions,
                self.swarm,
                "db-password",
                *arguments,
                options=Options(**settings),  # type: ignore[arg-type]
                on_event=heard,
                **own,
            )
        except Killed:
            # What the journal names as its owner is a process that was, here.
            self._monkeypatch.setattr(journal, "_is_gone", lambda process: True)
            raise

    def steps(self) -> list[str]:
        """The steps of the last call, each once."""
        return list(dict.fromkeys(event.step for event in self.events))

    def versions_used(self) -> dict[str, set[str]]:
        """The object names that each service's spec and its live tasks refer to."""
        return {
            service.name: {use.object_name for use in service.references}
            | {
                use.object_name
                for task in self.swarm.tasks([service.id])
                if task.wanted
                for use in task.references
            }
            for service in self.swarm.services()
        }

    def object_names(self) -> list[str]:
        return [found.name for found in self.swarm.objects("secret")]

    def is_quiet(self) -> bool:
        """No rotation is under way."""
        return under_way(self.swarm, "secret", "db-password") is None


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = tmp_path / "project"
    folder.mkdir()
    with Store.init(folder) as store:
        yield Stage(store, monkeypatch)

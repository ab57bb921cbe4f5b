"""Alarm and fingerprint: whatever happens to what is followed, and by whichever way, is noticed."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from secretkit.mount.watching import Alarm, Sources, fingerprint, followed
from tests.shim.watched import PATIENCE

MOVE = 0.6  # seconds: watchdog waits 0.5 for the other half of a rename


class Ground:
    """A project with a file and a folder that are followed, and what has been noticed of them."""

    def __init__(self, project: Path, alarm: Alarm) -> None:
        self.project = project
        self.file = project / "conf" / "templates" / "app.conf"
        self.folder = project / "overrides"
        self.sources = Sources(project, [self.file], [self.folder])
        self.alarm = alarm
        self.file.parent.mkdir(parents=True)
        self.file.write_text("1")
        self.folder.mkdir()
        self.look()

    def look(self) -> None:
        assert self.alarm.follow(self.sources) is None
        self.seen = fingerprint(self.sources)

    def noticed(self, change: Callable[[], object], calm: float = 0.15) -> None:
        """The change wakes, by an event, and it is seen."""
        change()
        begun = monotonic()
        while fingerprint(self.sources) == self.seen or not self.woken():
            assert monotonic() - begun < PATIENCE, "it is not noticed"
        self.look()
        self.drain(calm)

    def woken(self) -> bool:
        """Whether an event comes."""
        return self.alarm.wait(PATIENCE)

    def drain(self, calm: float = MOVE) -> None:
        """Takes the events that belong to what was seen already."""
        while self.alarm.wait(calm):
            self.look()


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    project = tmp_path / "project"
    project.mkdir()
    with Alarm() as alarm:
        yield Ground(project, alarm)


def test_the_ways_of_editors(ground: Ground) -> None:
    """Written in place, by a rename over it, the former moved aside, with lock files beside."""
    file = ground.file
    ground.noticed(lambda: file.write_text("in place"))

    def renamed() -> None:  # JetBrains: file___jb_tmp___, then file___jb_old___
        staged = file.with_name("app.conf___jb_tmp___")
        staged.write_text("renamed")
        staged.replace(file)

    def aside() -> None:  # vim with backup=yes
        file.rename(file.with_name("app.conf~"))
        file.write_text("aside")
        file.with_name("app.conf~").unlink()

    def locked() -> None:  # Emacs
        lock = file.with_name(".#app.conf")
        lock.symlink_to("ada@laptop.1:2")
        file.write_text("locked")
        lock.unlink()

    ground.noticed(renamed)
    ground.noticed(aside, MOVE)
    ground.noticed(locked)


def test_folders_come_and_go(ground: Ground) -> None:
    """Deleted, made again, renamed away and back, also one above: what is in them counts again."""
    file, folder = ground.file, ground.folder
    ground.noticed(lambda: shutil.rmtree(folder))
    ground.noticed(folder.mkdir)
    ground.noticed(lambda: (folder / "db").write_text("1"))
    above = ground.project / "conf"
    ground.noticed(lambda: above.rename(ground.project / "away"), MOVE)
    ground.noticed(lambda: (ground.project / "away").rename(above), MOVE)
    ground.noticed(lambda: file.write_text("again"))
    ground.noticed(lambda: shutil.rmtree(above))

    def made() -> None:
        file.parent.mkdir(parents=True)
        file.write_text("made again")

    ground.noticed(made)
    ground.noticed(file.unlink)


def test_a_link_to_a_folder(ground: Ground) -> None:
    """What happens in the folder that a link leads to, and to the link."""
    shutil.rmtree(ground.folder)
    for name in ("one", "two"):
        (ground.project.parent / name).mkdir()
    ground.folder.symlink_to(ground.project.parent / "one")
    ground.drain()
    ground.noticed(lambda: (ground.project.parent / "one" / "db").write_text("1"))

    def turned() -> None:
        ground.folder.unlink()
        ground.folder.symlink_to(ground.project.parent / "two")

    ground.noticed(turned)
    ground.noticed(lambda: (ground.project.parent / "two" / "db").write_text("2"))


def test_what_is_not_followed_does_not_wake(ground: Ground) -> None:
    """Files beside those that are followed, in whatever number, and reading what is followed."""
    for number in range(200):
        (ground.project / f"{number}.log").write_text("x")
        (ground.file.parent / f"{number}.swp").write_text("x")
    ground.file.read_bytes()
    os.listdir(ground.folder)
    assert not ground.alarm.wait(1)
    assert fingerprint(ground.sources) == ground.seen


def test_few_folders_are_followed(ground: Ground) -> None:
    """The parents of the sources up to the project, and none below: not the whole project."""
    (ground.project / "node_modules" / "deep").mkdir(parents=True)
    (ground.folder / "deep").mkdir()
    project = ground.project
    expected = {project, project / "conf", project / "conf" / "templates", ground.folder}
    assert set(followed(ground.sources)) == {str(path) for path in expected}


def test_thousands_of_events_are_one_look(ground: Ground) -> None:
    """As a checkout makes them; a writer that does not rest cannot keep us from looking."""
    for number in range(2000):
        (ground.folder / f"s{number % 50}").write_text(str(number))
    assert ground.woken()
    ground.drain()
    stop = threading.Event()

    def write() -> None:
        while not stop.wait(0.005):
            ground.file.write_text("x")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        begun = monotonic()
        assert ground.alarm.wait(PATIENCE)
        assert monotonic() - begun < PATIENCE / 2
    finally:
        stop.set()
        writer.join()


def test_nothing_stays_behind(tmp_path: Path) -> None:
    """Threads end, descriptors do not grow, however often folders come and go."""
    project = tmp_path / "project"
    project.mkdir()

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    with Alarm() as alarm:
        ground = Ground(project, alarm)
        begun, threads = descriptors(), threading.active_count()
        for number in range(30):
            shutil.rmtree(ground.folder)
            ground.look()
            ground.folder.mkdir()
            (ground.folder / "db").write_text(str(number))
            ground.look()
        deadline = monotonic() + PATIENCE
        while (descriptors(), threading.active_count()) != (begun, threads):
            assert monotonic() < deadline
            ground.look()
    kept = {thread.name for thread in threading.enumerate() if "Inotify" in type(thread).__name__}
    assert len(kept) <= 1  # watchdog's reader, one for the whole process

"""The two layouts: what lies there, changes from one to the other, writers killed at any moment."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import stat
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from secretkit import mount
from secretkit.errors import MountError
from secretkit.mount import Settings, write_layout
from secretkit.project import LAYOUTS, Layout
from secretkit.store import NewSecret, Store
from tests.cli.conftest import memory
from tests.engine import Engine, engine

__all__ = ["engine", "memory"]

NAMES = [f"secret-{n}" for n in range(5)]
STATE = re.compile(r"\.\.\d{4}(_\d\d){5}\.\d{10}")
KILLS = 200


@pytest.fixture
def store(tmp_path: Path, memory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(memory))
    (tmp_path / "project").mkdir()
    with Store.init(tmp_path / "project") as store:
        store.create_many([NewSecret(name, content(name, 1)) for name in NAMES])
        yield store


def content(name: str, number: int) -> bytes:
    """A value that tells whether all of it is there, and of which version it is."""
    return f"{name} {number} ".encode() * 100


def number_of(name: str, value: bytes) -> int:
    number = int(value.split(b" ", 2)[1])
    assert value == content(name, number)
    return number


def check_layout(place: Path, layout: Layout, names: list[str]) -> None:
    """Nothing is there but what the layout says."""
    found = {path.name for path in place.iterdir()} - {".gitignore"}
    if layout == "swarm":
        assert found == set(names)
        assert all(stat.S_ISREG((place / name).lstat().st_mode) for name in names)
        return
    (state,) = (name for name in found if STATE.fullmatch(name))
    assert found == {*names, "..data", state}
    assert os.readlink(place / "..data") == state
    assert stat.S_IMODE((place / state).stat().st_mode) == 0o755
    assert {path.name for path in (place / state).iterdir()} == set(names)
    for name in names:
        assert os.readlink(place / name) == f"..data/{name}"
        assert stat.S_ISREG((place / state / name).lstat().st_mode)
        assert (place / state / name).stat().st_nlink == 1


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("on_disk", [False, True])
def test_what_lies_there(store: Store, layout: Layout, on_disk: bool) -> None:
    """Every change, and every way from one layout to the other, ends in what the layout says."""
    path = store.folder / "dev"
    settings = Settings(on_disk, layout=layout)
    folder = mount.up(store.folder, path, settings, store=store)
    check_layout(folder.place, layout, NAMES)
    inode = folder.place.stat().st_ino
    store.rotate(NAMES[0], content(NAMES[0], 2))
    store.create("more", b"x")
    mount.refresh(store)
    check_layout(folder.place, layout, [*NAMES, "more"])
    assert number_of(NAMES[0], (path / NAMES[0]).read_bytes()) == 2
    store.remove("more")
    mount.refresh(store)
    check_layout(folder.place, layout, NAMES)
    for other in (*reversed(LAYOUTS), *LAYOUTS):
        again = Settings(on_disk, 0o400, layout=other)
        folder = mount.up(store.folder, path, again, store=store)
        check_layout(folder.place, other, NAMES)
        assert stat.S_IMODE((path / NAMES[0]).stat().st_mode) == 0o400
        assert {one.state for one in folder.states(store)} == {"same"}
    assert folder.place.stat().st_ino == inode
    mount.down(store.folder)
    assert not os.path.lexists(path)


def test_no_secret_is_a_layout_too(store: Store) -> None:
    """Without secrets the kubelet's link is there, and `write_layout` makes the same."""
    for name in NAMES:
        store.remove(name)
    settings = Settings(layout="kubernetes")
    folder = mount.up(store.folder, store.folder / "dev", settings, store=store)
    check_layout(folder.place, "kubernetes", [])
    for layout in LAYOUTS:
        place = store.folder / layout
        place.mkdir()
        write_layout(place, {"a": b"1"}, 0o440, layout)
        check_layout(place, layout, ["a"])
        assert stat.S_IMODE((place / "a").stat().st_mode) == 0o440


def test_an_unchanged_file_is_not_read_again(store: Store) -> None:
    """In the kubelet's layout, too, a refresh takes the values of changed secrets alone."""
    settings = Settings(layout="kubernetes")
    folder = mount.up(store.folder, store.folder / "dev", settings, store=store)
    inode = (folder.place / NAMES[1]).stat().st_ino
    reads = sum(entry.action == "mount" for entry in store.audit())
    store.rotate(NAMES[0], content(NAMES[0], 2))
    mount.refresh(store)
    mount.refresh(store)
    assert (folder.place / NAMES[1]).stat().st_ino == inode
    assert sum(entry.action == "mount" for entry in store.audit()) == reads + 1


def test_a_users_files_on_disk_stay(store: Store) -> None:
    """A folder of the user's in the place of `..data` is no link of the kubelet's: refused; others
    stay in both layouts, and after `down`.
    """
    path = store.folder / "dev"
    mount.up(store.folder, path, Settings(on_disk=True), store=store)
    (path / "..data").mkdir()
    with pytest.raises(MountError, match="is not the kubelet's link"):
        mount.up(store.folder, path, Settings(on_disk=True, layout="kubernetes"), store=store)
    (path / "..data").rmdir()
    (path / "..mine").write_bytes(b"x")
    mount.up(store.folder, path, Settings(on_disk=True, layout="kubernetes"), store=store)
    (path / NAMES[0]).unlink()
    (path / NAMES[0]).write_bytes(b"mine")
    mount.down(store.folder)
    assert sorted(os.listdir(path)) == ["..mine", ".gitignore", NAMES[0]]


def test_a_link_of_somebodys_is_not_followed(store: Store, tmp_path: Path) -> None:
    """`..data` that leads out of the folder is replaced, and what it leads to stays as it is."""
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / NAMES[0]).write_bytes(b"kept")
    path = store.folder / "dev"
    settings = Settings(on_disk=True, layout="kubernetes")
    mount.up(store.folder, path, settings, store=store)
    (path / "..data").unlink()
    (path / "..data").symlink_to(tmp_path / "victim")
    mount.refresh(store)
    check_layout(path, "kubernetes", NAMES)
    (path / "..data").unlink()
    (path / "..data").symlink_to(tmp_path / "victim")
    mount.down(store.folder)
    assert (tmp_path / "victim" / NAMES[0]).read_bytes() == b"kept"


# -- killed --------------------------------------------------------------------------------------


def write_on(project: Path, config: str, memory: str, ready: Connection, seed: int) -> None:
    """Rotate all secrets at once and bring the folder up, in any layout, without an end."""
    os.environ |= {"XDG_CONFIG_HOME": config, "XDG_RUNTIME_DIR": memory}
    choose = random.Random(seed)
    with Store.open(project) as store:
        number = max(one.current for one in store.list())
        ready.send_bytes(b".")
        while True:
            number += 1
            store.rotate_many([(name, content(name, number), "given") for name in NAMES])
            if choose.random() < 0.5:
                settings = Settings(layout=choose.choice(LAYOUTS))
                mount.up(store.folder, store.folder / "dev", settings, store=store)
            else:
                mount.refresh(store)


def read_on(place: Path, stop: Event, result: Connection) -> None:
    """Read every file over and over: all of a value, none that is missing, none that goes back."""
    seen = dict.fromkeys(NAMES, 0)
    reads = 0
    try:
        while not stop.wait(0.001):
            for name in NAMES:
                try:
                    value = (place / name).read_bytes()
                except FileNotFoundError:
                    # As with the kubelet: who is on the way through a state that goes looks again.
                    value = (place / name).read_bytes()
                number = number_of(name, value)
                assert number >= seen[name], f"{name} went back"
                seen[name] = number
                reads += 1
    except (AssertionError, OSError, ValueError, IndexError) as error:
        result.send(f"{type(error).__name__}: {error}")
    else:
        result.send(reads)


def test_killed_at_any_moment(store: Store, tmp_path: Path, memory: Path) -> None:
    """200 writers are killed, who rotate, refresh and change the layout. Each time the next `up`
    repairs all and leaves nothing; who reads meanwhile sees whole values, none missing, none
    from before.
    """
    choose = random.Random(20)
    place = mount.up(store.folder, store.folder / "dev", store=store).place
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__])
    stop = context.Event()
    result, send = context.Pipe(duplex=False)
    reader = context.Process(target=read_on, args=(place, stop, send))
    reader.start()
    send.close()
    interrupted = 0
    for kill in range(KILLS):
        receive, ready = context.Pipe(duplex=False)
        words = (store.folder, str(tmp_path / "config"), str(memory), ready, kill)
        writer = context.Process(target=write_on, args=words)
        writer.start()
        ready.close()
        assert receive.recv_bytes() == b"."
        time.sleep(choose.random() * 0.025)
        writer.kill()
        writer.join()
        receive.close()
        (before,) = mount.folders(store.folder)
        interrupted += any(one.state != "same" for one in before.states(store))
        layout = choose.choice(LAYOUTS)
        folder = mount.up(store.folder, store.folder / "dev", Settings(layout=layout), store=store)
        check_layout(folder.place, layout, NAMES)
        current = {one.name: one.current for one in store.list()}
        found = {name: number_of(name, (folder.place / name).read_bytes()) for name in NAMES}
        assert found == current
        store.prune(NAMES[0])
    stop.set()
    reads = result.recv()
    reader.join()
    assert isinstance(reads, int), reads
    assert reads > KILLS
    assert interrupted > KILLS // 10  # or the kills come at no moment that matters


# -- a container ---------------------------------------------------------------------------------

FOLLOW = """\
import os, time
seen = None
while True:
    value = open("/run/secrets/secret-0").read().split()[1]
    if value != seen:
        print(value, "..data" in os.listdir("/run/secrets"), flush=True)
        seen = value
    time.sleep(0.01)
"""


def test_a_running_container_sees_it(store: Store, engine: Engine) -> None:
    """A container that has the folder mounted sees a refresh at once in both layouts, also when
    the layout changes under it.
    """
    path = store.folder / "dev"
    place = mount.up(store.folder, path, store=store).place
    name = f"secretkit-test-{os.urandom(8).hex()}"
    words = ["docker", "run", "--rm", "--name", name, "-v", f"{path}:/run/secrets:ro"]
    words += ["--user", "65534", engine.image, "python3", "-uc", FOLLOW]
    with Popen(words, stdout=PIPE, text=True, env=os.environ | engine.environment()) as container:
        assert container.stdout is not None
        try:
            assert container.stdout.readline() == "1 False\n"
            number = 1
            for layout in ("swarm", "kubernetes", "kubernetes", "swarm"):
                number += 1
                store.rotate(NAMES[0], content(NAMES[0], number))
                mount.up(store.folder, path, Settings(layout=layout), store=store)
                assert container.stdout.readline().split()[0] == str(number)
                check_layout(place, layout, NAMES)
        finally:
            engine.docker("rm", "--force", name)

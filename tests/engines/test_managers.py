"""Managers that are not there, not managers, in trouble, or come back; and what is said of it."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from secretkit.engines import load, managers
from secretkit.engines.protocol import EngineObject
from secretkit.engines.swarm import SwarmEngine
from secretkit.errors import (
    EngineError,
    EngineRefusedError,
    EngineUnreachableError,
    OutOfSequenceError,
    SecretkitError,
    UsageError,
)
from tests.engine import Engine
from tests.engines.ground import Real
from tests.engines.listener import HANG_UP, Asked, listening
from tests.needs import need_root

NO_LEADER = (503, {"message": "rpc error: code = Unknown desc = The swarm does not have a leader."})
CANARY = b"canary-3f8a1c96"


def refused(engine: SwarmEngine) -> EngineError:
    """What it says when it is asked for the first time; that takes no time."""
    begin = time.monotonic()
    with pytest.raises(EngineError) as caught:
        engine.services()
    engine.close()
    assert time.monotonic() - begin < 3
    return caught.value


@pytest.fixture
def closed() -> Iterator[str]:
    """The address of a port that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{held.getsockname()[1]}"


def test_another_engine() -> None:
    """There is one engine."""
    with pytest.raises(UsageError, match="no such engine, nomad") as caught:
        load("nomad")
    assert caught.value.hint == "the engines are: swarm"


def test_no_docker(tmp_path: Path) -> None:
    """The socket is not there."""
    host = f"unix://{tmp_path}/docker.sock"
    error = refused(SwarmEngine((host,)))
    assert type(error) is EngineUnreachableError
    assert str(error) == f"no answer from a swarm manager: {host}: no such file"
    assert (error.hint or "").startswith("start docker, or say where: DOCKER_HOST")


def test_a_socket_of_somebody_else(tmp_path: Path) -> None:
    """Permission denied, and who may."""
    need_root()
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(path))
        held.listen()
        path.chmod(0o600)
        for folder in (tmp_path, *tmp_path.parents):
            if "pytest" in folder.name:
                folder.chmod(0o755)
        os.seteuid(65534)
        try:
            error = refused(SwarmEngine((f"unix://{path}",)))
        finally:
            os.seteuid(0)
    assert str(error) == f"no answer from a swarm manager: unix://{path}: permission denied"
    assert error.hint == "be a member of the docker group, which is as good as root, or use sudo"


def test_nobody_listens(closed: str, tmp_path: Path) -> None:
    """Every host is named with its reason, and no password that somebody wrote into one."""
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(path))
    error = refused(SwarmEngine((closed, f"unix://{path}")))
    assert str(error) == (
        f"no answer from a swarm manager: {closed}: connection refused;"
        f" unix://{path}: connection refused"
    )
    assert (error.hint or "").startswith("start docker, or say where: DOCKER_HOST")


def test_a_server_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for so long and no longer."""
    monkeypatch.setattr(managers, "ANSWER", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        error = refused(SwarmEngine((host,)))
    assert str(error) == f"no answer from a swarm manager: {host}: it did not answer in time"


def test_an_engine_that_is_no_manager(engine: Engine, closed: str) -> None:
    """Its hint is how to make it one, or find one."""
    error = refused(SwarmEngine((closed, engine.host)))
    assert str(error).endswith(f"{engine.host}: not a swarm manager")
    assert "`docker swarm init`" in (error.hint or "")


def test_the_first_manager_that_answers(docker: Real, engine: Engine, closed: str) -> None:
    """Dead ones and those that are none are passed over, also with a write."""
    found = SwarmEngine((closed, engine.host, docker.machine.host))
    made = found.create("secret", f"a-{docker.mark}", b"1", {})
    assert docker.engine.find("secret", made.name) == made
    assert found.cluster() == docker.engine.cluster()
    found.close()


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("tcp://manager1", "a port is required"),
        ("ftp://manager1:21", "not an address"),
        ("tcp://ann:canary@manager1:2376", "not an address"),
        ("unix://canary:canary@", None),
    ],
)
def test_what_is_no_address(host: str, reason: str | None) -> None:
    """It is said before anything is asked."""
    with pytest.raises(EngineError) as caught:
        refused(SwarmEngine((host,)))
        raise EngineError("reached the network")
    if reason:
        assert str(caught.value).endswith(f": {reason}")
        assert ":canary@" not in str(caught.value)


def test_an_engine_that_is_too_old() -> None:
    """Below API 1.41 a spec comes back with less than it has."""
    with listening(lambda _: (200, []), api="1.40") as server:
        error = refused(SwarmEngine((server.host,)))
    assert str(error) == "the engine speaks API 1.40, and 1.41 is the oldest that loses nothing"


def test_something_else_that_speaks_http() -> None:
    """It is no docker engine."""
    with listening(lambda _: (200, []), api="<html>") as server:
        error = refused(SwarmEngine((server.host,)))
    assert str(error).endswith("what answers there is no docker engine")


def test_a_read_waits_for_a_leader() -> None:
    """With pauses that grow, until there is one."""
    troubles = [
        NO_LEADER,
        (500, {"message": "rpc error: code = DeadlineExceeded desc = context deadline exceeded"}),
        (503, {"message": "rpc error: code = Unavailable desc = transport is closing"}),
        HANG_UP,
    ]

    def answers(_: Asked) -> tuple[int, object] | None:
        return troubles.pop(0) if troubles else (200, [])

    with listening(answers) as server:
        engine = SwarmEngine((server.host,))
        assert engine.services() == []
        assert server.count("GET") == 5
        engine.close()


def test_a_leader_that_does_not_come() -> None:
    """After its patience a read says what it waited for."""
    with listening(lambda _: NO_LEADER) as server:
        engine = SwarmEngine((server.host,), patience=1)
        begin = time.monotonic()
        with pytest.raises(EngineUnreachableError, match="The swarm does not have a leader"):
            engine.services()
        assert 0.5 < time.monotonic() - begin < 1.5
        assert 2 <= server.count("GET") <= 6
        engine.close()


@pytest.mark.parametrize("trouble", [NO_LEADER, HANG_UP, (500, "proxy error")])
def test_a_write_is_sent_once(trouble: tuple[int, object] | None) -> None:
    """To no second manager and no second time: it may have happened."""
    made = EngineObject("secret", "id", "a", 1, {}, None)  # type: ignore[arg-type]
    with listening(lambda _: trouble) as first, listening(lambda _: trouble) as second:
        engine = SwarmEngine((first.host, second.host))
        for write in (
            lambda: engine.create("secret", "a", CANARY, {}),
            lambda: engine.relabel(made, {}),
            lambda: engine.remove("secret", "id"),
        ):
            with pytest.raises(EngineUnreachableError):
                write()
        assert [each.method for each in first.asked] == ["POST", "POST", "DELETE"]
        assert second.asked == []
        engine.close()


def test_a_manager_that_comes_back() -> None:
    """Once it has answered, a read waits for it."""
    with listening(lambda _: (200, [])) as server:
        engine = SwarmEngine((server.host,))
        assert engine.services() == []
    port = int(server.host.rpartition(":")[2])

    def come_back() -> None:
        time.sleep(0.5)
        with socket.create_server(("127.0.0.1", port)) as again:
            again.settimeout(10)
            connection, _ = again.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")

    thread = threading.Thread(target=come_back)
    thread.start()
    assert engine.services() == []
    thread.join()
    engine.close()


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (500, "rpc error: code = Unknown desc = update out of sequence", OutOfSequenceError),
        (501, "rpc error: code = Unimplemented desc = no", EngineRefusedError),
        (403, "authorization denied by plugin opa: no", EngineRefusedError),
        (503, "Swarm is encrypted and needs to be unlocked before it can be used.", EngineError),
    ],
)
def test_what_an_answer_means(status: int, message: str, kind: type[SecretkitError]) -> None:
    """By its text first: swarmkit's statuses differ between versions."""
    with listening(lambda _: (status, {"message": message})) as server:
        engine = SwarmEngine((server.host,))
        with pytest.raises(kind) as caught:
            engine.create("secret", "a", b"1", {})
        assert "rpc error" not in str(caught.value)
        engine.close()


@pytest.mark.parametrize(
    "trouble", [NO_LEADER, HANG_UP, (400, {"message": "no"}), (500, "<html>"), (409, {"a": 1})]
)
def test_no_error_carries_a_value(trouble: tuple[int, object] | None) -> None:
    """Not in its message, nor in any exception behind it, nor in what they hold."""
    with listening(lambda _: trouble) as server:
        engine = SwarmEngine((server.host,))
        with pytest.raises(SecretkitError) as caught:
            engine.create("secret", "a", CANARY, {})
        error: BaseException | None = caught.value
        text = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
        assert error is not None
        assert (error.__cause__, error.__context__) == (None, None)
        for form in (CANARY, base64.b64encode(CANARY), CANARY.hex().encode()):
            assert form.decode() not in text
        engine.close()


def test_no_credentials_are_sent() -> None:
    """A header for a registry would take the place of those that the service has."""
    with listening(lambda _: (200, None)) as server:
        engine = SwarmEngine((server.host,))
        with contextlib.suppress(TypeError):
            engine.create("secret", "a", b"1", {})
        (asked,) = server.asked
        assert not [name for name in asked.headers if name.lower().startswith("x-registry")]
        engine.close()


def test_a_subscription_that_breaks() -> None:
    """It tells of time, and ends when it is told to."""
    with listening(lambda _: HANG_UP) as server:
        engine = SwarmEngine((server.host,))
        with engine.changes() as changes:
            begin = time.monotonic()
            assert changes.wait(0.3) is False
            assert time.monotonic() - begin >= 0.3
            begin = time.monotonic()
        assert time.monotonic() - begin < 1
        engine.close()
    assert not [each for each in threading.enumerate() if each.name == "secretkit-changes"]

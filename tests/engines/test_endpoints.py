"""Where the managers are: DOCKER_HOST, contexts, TLS with an authority of one's own, ssh."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from secretkit.engines.endpoints import DEFAULT, Endpoint, endpoints
from secretkit.engines.swarm import SwarmEngine
from secretkit.engines.transport import command
from secretkit.errors import EngineError, EngineUnreachableError
from tests.engine import Engine, private_engine
from tests.engines.ground import Real
from tests.needs import need_program


class Secured:
    """A real engine that speaks TLS alone to those whom its authority knows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.host = f"tcp://127.0.0.1:{free.getsockname()[1]}"

    def options(self) -> tuple[str, ...]:
        files = (f"--{option}={self.folder}/{name}" for option, name in FILES.items())
        return ("--tlsverify", "--host", self.host, *files)


FILES = {"tlscacert": "ca.pem", "tlscert": "server.pem", "tlskey": "server-key.pem"}


def authority(folder: Path) -> Path:
    """ca.pem and, signed by it, a server's pair and a client's cert.pem and key.pem."""
    need_program("openssl")
    folder.mkdir()

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "rsa:2048", "-nodes", "-days", "2")
    openssl("req", "-x509", *key, "-subj", "/CN=ca", "-keyout", "ca-key.pem", "-out", "ca.pem")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    for name, cert, private in (("server", "server.pem", "server-key.pem"), CLIENT):
        openssl(
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", private, "-out", "request"),
        )
        openssl(
            *("x509", "-req", "-in", "request", "-CA", "ca.pem", "-CAkey", "ca-key.pem"),
            *("-CAcreateserial", "-days", "2", "-extfile", "names", "-out", cert),
        )
    return folder


CLIENT = ("client", "cert.pem", "key.pem")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Iterator[Secured]:
    """An engine with TLS; it is no swarm, which it says to those whom it lets in."""
    assert engine
    found = Secured(authority(tmp_path_factory.mktemp("tls") / "ca"))
    with private_engine(*found.options()):
        yield found


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No docker variables, and a folder of docker's configuration that is empty."""
    for name in ("HOST", "CONTEXT", "TLS", "TLS_VERIFY", "CERT_PATH"):
        monkeypatch.delenv(f"DOCKER_{name}", raising=False)
    folder = tmp_path / "docker"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


def said(engine: SwarmEngine) -> str:
    """Why it cannot be asked."""
    with pytest.raises(EngineUnreachableError) as caught:
        engine.services()
    engine.close()
    return str(caught.value)


def test_which_one(own: Path) -> None:
    """The given hosts, else DOCKER_HOST, else the default socket."""
    variables = {"DOCKER_HOST": "tcp://a:1", "DOCKER_CONTEXT": "x", "DOCKER_CONFIG": str(own)}
    given = endpoints(("unix:///a", "ssh://b"), variables)
    assert given == (Endpoint("unix:///a", None), Endpoint("ssh://b", None))
    assert endpoints((), variables) == (Endpoint("tcp://a:1", None),)
    assert endpoints((), {"DOCKER_CONFIG": str(own)}) == (Endpoint(DEFAULT, None),)


def test_tls(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    """By variables: the engine lets in whom it knows, and is known, whatever authorities other
    programs are told to use."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", requests.certs.where())
    monkeypatch.setenv("DOCKER_HOST", secured.host)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(secured.folder))
    assert said(SwarmEngine()).endswith(f"{secured.host}: not a swarm manager")
    assert said(SwarmEngine((secured.host,))).endswith(f"{secured.host}: not a swarm manager")


def test_the_docker_client_goes_to_the_same_place(
    secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TLS too, where the client by itself would speak in the clear or go elsewhere."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(secured.folder))
    environment = endpoints((secured.host,))[0].environment
    assert environment == {"DOCKER_HOST": secured.host, "DOCKER_TLS_VERIFY": "1"}
    assert (
        Engine(secured.host).docker("version", "--format", "{{.Server.Version}}", check=False) == ""
    )
    monkeypatch.setenv("DOCKER_TLS_VERIFY", environment["DOCKER_TLS_VERIFY"])
    assert Engine(secured.host).answers()


def test_tls_with_another_authority(
    secured: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent to an engine whose certificate somebody else signed; DOCKER_CERT_PATH by
    itself means TLS that is verified."""
    monkeypatch.setenv("DOCKER_CERT_PATH", str(authority(tmp_path / "other")))
    answer = said(SwarmEngine((secured.host,)))
    assert "its certificate is not trusted (" in answer


def test_tls_without_a_certificate(
    secured: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine refuses; half a pair is refused before."""
    folder = tmp_path / "half"
    folder.mkdir()
    shutil.copy(secured.folder / "ca.pem", folder)
    monkeypatch.setenv("DOCKER_CERT_PATH", str(folder))
    assert "TLS failed (" in said(SwarmEngine((secured.host,)))
    shutil.copy(secured.folder / "cert.pem", folder)
    with pytest.raises(EngineError, match=r"there is no key\.pem"):
        SwarmEngine((secured.host,))


def test_no_tls_where_it_is_wanted(secured: Secured) -> None:
    """The engine says so, and the hint how."""
    with pytest.raises(EngineUnreachableError, match="it wants TLS") as caught:
        SwarmEngine((secured.host,)).services()
    assert caught.value.hint == "set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"


def test_a_context(
    secured: Secured, docker: Real, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the docker client made it: with its TLS files; DOCKER_CONTEXT goes before the one in
    use, DOCKER_HOST before both."""

    def client(*words: str) -> None:
        subprocess.run(["docker", "context", *words], check=True, capture_output=True)

    folder = secured.folder
    files = f"ca={folder}/ca.pem,cert={folder}/cert.pem,key={folder}/key.pem"
    client("create", "secured", "--docker", f"host={secured.host},{files}")
    client("create", "plain", "--docker", f"host={docker.machine.host}")
    client("use", "secured")
    assert said(SwarmEngine()).endswith(f"{secured.host}: not a swarm manager")
    monkeypatch.setenv("DOCKER_CONTEXT", "plain")
    assert endpoints()[0].environment == {}  # the docker client finds the context by itself
    found = SwarmEngine()
    assert found.cluster() == docker.engine.cluster()
    found.close()
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert endpoints() == (Endpoint(DEFAULT, None),)
    monkeypatch.setenv("DOCKER_CONTEXT", "nosuch")
    with pytest.raises(EngineError, match="there is no docker context nosuch"):
        SwarmEngine()
    monkeypatch.setenv("DOCKER_HOST", "unix:///a")
    assert endpoints() == (Endpoint("unix:///a", None),)
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.delenv("DOCKER_CONTEXT")
    (own / "config.json").write_text('{"auths": {"r": {"auth": "canary"')
    with pytest.raises(EngineError, match=r"config\.json: it is not JSON") as caught:
        SwarmEngine()
    assert "canary" not in str(caught.value)


def test_ssh(docker: Real, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests and the stream of events go through a program called ssh; here it runs the
    command that a remote shell would be given."""
    programs = tmp_path / "bin"
    programs.mkdir()
    script = programs / "ssh"
    host = docker.machine.host
    script.write_text(
        f'#!/bin/sh\nfor word; do :; done\necho "$@" >{tmp_path}/asked\n'
        f"DOCKER_HOST={host} exec $word\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/local/bin:/usr/bin:/bin")
    found = SwarmEngine(("ssh://ann@manager1:2222",))
    made = found.create("config", f"a-{docker.mark}", b"1" * 100_000, {})
    assert docker.engine.content(made.id) == b"1" * 100_000
    with found.changes() as changes:
        assert changes.wait(5) is True
    found.close()
    words = command("ssh://ann@manager1:2222", 5)
    assert (tmp_path / "asked").read_text().split() == " ".join(words[1:]).split()


def test_ssh_that_fails() -> None:
    """What ssh itself said is the reason."""
    need_program("ssh")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        answer = said(SwarmEngine((f"ssh://127.0.0.1:{port}",)))
    assert answer.endswith("connection refused")
    assert f"ssh://127.0.0.1:{port}: ssh: " in answer

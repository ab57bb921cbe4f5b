"""Where the managers of a swarm are: hosts, DOCKER_HOST, docker's contexts, and TLS."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import urllib3
from docker.errors import DockerException
from docker.tls import TLSConfig
from docker.utils import parse_host

from ..errors import EngineError

DEFAULT = "unix:///var/run/docker.sock"


class Endpoint(NamedTuple):
    """One manager's address."""

    host: str  # unix:///path, tcp://host:port or ssh://user@host
    tls: TLSConfig | None
    is_context: bool = False  # one of docker's own, which its client finds in the same way

    @property
    def shown(self) -> str:
        """The address as it may be printed: without a password that somebody put into it."""
        return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:***@", self.host)

    @property
    def environment(self) -> dict[str, str]:
        """What leads the docker client to the same place, where its own settings may not."""
        if self.is_context:
            return {}
        # With DOCKER_CERT_PATH alone the client would speak in the clear.
        tls = {"DOCKER_TLS_VERIFY": "1"} if self.tls and self.tls.verify else {}
        return {"DOCKER_HOST": self.host, **tls}


def endpoints(
    hosts: Sequence[str] = (), environment: Mapping[str, str] = os.environ
) -> tuple[Endpoint, ...]:
    """The managers to try, in turn.

    As the docker client decides (docker/cli, cli/command/cli.go): given hosts, else DOCKER_HOST,
    both with TLS by DOCKER_TLS_VERIFY, DOCKER_TLS and DOCKER_CERT_PATH; else the context that
    DOCKER_CONTEXT or docker's config.json names; else the default socket. Raises EngineError for
    an address, a context or TLS files that cannot be used.
    """
    given = [host for host in hosts if host] or list(filter(None, [environment.get("DOCKER_HOST")]))
    folder = Path(environment.get("DOCKER_CONFIG") or Path.home() / ".docker")
    if not given:
        name = environment.get("DOCKER_CONTEXT") or _current_context(folder)
        if name and name != "default":
            return (_of_context(folder, name),)
        given = [DEFAULT]
    tls = _of_environment(folder, environment)
    return tuple(
        _checked(Endpoint(host, tls if host.startswith(("tcp:", "https:")) else None))
        for host in given
    )


def _checked(endpoint: Endpoint) -> Endpoint:
    try:
        parse_host(endpoint.host, tls=endpoint.tls is not None)
    except (DockerException, ValueError) as error:
        # The SDK's message repeats the address.
        reason = "a port is required" if "port is required" in str(error) else "not an address"
    else:
        return endpoint
    raise EngineError(
        f"cannot use the docker host {endpoint.shown}: {reason}",
        hint="for example unix:///var/run/docker.sock, tcp://manager1:2376 or ssh://manager1",
    )


def _of_environment(folder: Path, environment: Mapping[str, str]) -> TLSConfig | None:
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    unverified = bool(environment.get("DOCKER_TLS")) and not verify
    certificates = environment.get("DOCKER_CERT_PATH")
    if not (verify or unverified or certificates):
        return None
    # DOCKER_CERT_PATH by itself means nothing to the docker client and TLS to its SDKs. The
    # safer reading is the one that does not speak in the clear.
    return _tls(Path(certificates or folder), verify=not unverified)


def _tls(folder: Path, verify: bool) -> TLSConfig:
    """TLS with the files of a folder: ca.pem, else the usual authorities; cert.pem and key.pem."""
    authority, certificate, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    if certificate.exists() != key.exists():
        missing = key if certificate.exists() else certificate
        raise EngineError(
            f"cannot use the TLS files in {folder}: there is no {missing.name}",
            hint="a client certificate is a pair, cert.pem and key.pem",
        )
    if not verify:
        # Asked for, so that it need not be said with every request.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return TLSConfig(
        client_cert=(str(certificate), str(key)) if key.exists() else None,
        ca_cert=str(authority) if authority.exists() else None,
        verify=verify,
    )


def _current_context(folder: Path) -> str | None:
    name = _json(folder / "config.json").get("currentContext")
    return name if isinstance(name, str) else None


def _of_context(folder: Path, name: str) -> Endpoint:
    # docker/cli, cli/context/store: a folder has the name's digest.
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = _json(folder / "contexts" / "meta" / digest / "meta.json")
    docker = (meta.get("Endpoints") or {}).get("docker") or {}
    if not docker.get("Host"):
        raise EngineError(
            f"there is no docker context {name}" if not meta else f"docker context {name}: no host",
            hint="`docker context ls` lists them; DOCKER_CONTEXT and `docker context use` choose",
        )
    files = folder / "contexts" / "tls" / digest / "docker"
    verify = not docker.get("SkipTLSVerify", False)
    # Without any TLS data the docker client speaks plain to a tcp host.
    tls = _tls(files, verify) if files.is_dir() or not verify else None
    return _checked(Endpoint(docker["Host"], tls, is_context=True))


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
    else:
        if isinstance(found, dict):
            return found
        reason = "it is not a JSON object"
    # config.json may hold registries' credentials: nothing of it is repeated.
    raise EngineError(f"cannot read {path}: {reason}", hint="it is the docker client's own file")

"""Requests to a swarm's managers: which one, how long, how often, and what their errors mean.

Only our errors leave, raised where no foreign one is being handled: the SDK's carry the request,
and with it a value.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NoReturn, Protocol, cast

import requests
import urllib3
from docker import APIClient
from docker.errors import DockerException
from docker.utils.decorators import update_headers

from ..errors import (
    ConflictError,
    EngineError,
    EngineRefusedError,
    EngineUnreachableError,
    NotFoundError,
    ObjectExistsError,
    ObjectInUseError,
    OutOfSequenceError,
)
from .endpoints import Endpoint
from .transport import adapter

CONNECT = 5.0  # seconds
# A manager that has lost its leader blocks for up to 20 s (measured).
ANSWER = 30.0
PATIENCE = 30.0  # how long a read waits for a leader, or for a manager that answered before
# Docker 20.10. An older API leaves fields out of a service's spec, which an update would drop.
OLDEST = (1, 41)
_HINT = (
    "start docker, or say where: DOCKER_HOST, `docker context use`, or for a swarm hosts in"
    " secretkit.toml"
)


class _Client(Protocol):
    """What is used of docker.APIClient: its session, for any path, with its configured headers."""

    base_url: str
    verify: bool | str | None

    def _get(self, url: str, **options: Any) -> requests.Response: ...
    def _post(self, url: str, **options: Any) -> requests.Response: ...
    def _put(self, url: str, **options: Any) -> requests.Response: ...
    def _delete(self, url: str, **options: Any) -> requests.Response: ...
    def head(self, url: str, **options: Any) -> requests.Response: ...
    def close(self) -> None: ...


class _NoAnswerError(Exception):
    """A request without an answer from the swarm. Internal: `Managers` makes errors of it."""

    def __init__(
        self, reason: str, hint: str | None = None, *, sent: bool = False, leaderless: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.sent = sent  # the swarm may have done it
        self.leaderless = leaderless  # the manager is there, and will be of use again


class Managers:
    """The managers of one swarm, tried in turn from the one that answered last.

    `called` is what messages call one of them: an engine that need not be in a swarm is one, too.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        patience: float = PATIENCE,
        called: str = "a swarm manager",
    ) -> None:
        self._called = called
        self._managers = [_Manager(endpoint) for endpoint in endpoints]
        self._patience = patience
        self._lock = threading.Lock()
        self._first = 0
        self._answered = False

    def read(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """What GET gives, waiting out a lost leader.

        Raises NotFoundError, EngineRefusedError, and EngineUnreachableError after `patience`
        seconds; at once if no manager has ever answered.
        """
        deadline = time.monotonic() + self._patience
        pause = 0.1
        while True:
            try:
                return self._ask("_get", path, {"params": _encoded(query)}).json()
            except EngineUnreachableError:
                if not self._answered or time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 3.0)

    def post(self, path: str, body: Any, query: Mapping[str, Any] | None = None) -> Any:
        """What POST gives. It is sent to one manager, once; after EngineUnreachableError it may
        have happened or not. Raises also NotFoundError, EngineRefusedError, ObjectExistsError,
        ObjectInUseError, OutOfSequenceError.
        """
        headers = {"Content-Type": "application/json"}
        options = {"params": _encoded(query), "data": json.dumps(body), "headers": headers}
        answer = self._ask("_post", path, options)
        return answer.json() if answer.content else None

    def delete(self, path: str) -> None:
        """DELETE, as `post`."""
        self._ask("_delete", path, {})

    def stream(self, path: str, query: Mapping[str, Any]) -> requests.Response:
        """An answer that goes on for ever."""
        options = {"params": _encoded(query), "stream": True, "timeout": (CONNECT, None)}
        return self._ask("_get", path, options)

    def head(self, path: str, query: Mapping[str, Any]) -> Mapping[str, str]:
        """The headers that HEAD gives; NotFoundError."""
        return self._ask("_head", path, {"params": _encoded(query)}).headers

    def upload(
        self,
        path: str,
        content: bytes,
        kind: str,
        query: Mapping[str, Any],
        method: Literal["_post", "_put"] = "_post",
    ) -> requests.Response:
        """What POST, or PUT, of `content` gives, which is of media type `kind`: an answer that
        comes by and by.
        """
        options = {
            "params": _encoded(query),
            "data": content,
            "headers": {"Content-Type": kind},
            "stream": True,
            "timeout": (CONNECT, None),
        }
        return self._ask(method, path, options)

    @property
    def endpoint(self) -> Endpoint:
        """Of the manager that answered last."""
        return self._managers[self._first].endpoint

    def close(self) -> None:
        """Closes all connections."""
        for manager in self._managers:
            manager.close()

    def _ask(self, method: str, path: str, options: dict[str, Any]) -> requests.Response:
        """The first manager's answer that is one; a write is sent no second time."""
        troubles: list[tuple[Endpoint, _NoAnswerError]] = []
        for number in self._order():
            manager = self._managers[number]
            try:
                answer = manager.ask(method, path, options)
            except _NoAnswerError as trouble:
                troubles.append((manager.endpoint, trouble))
                self._answered |= trouble.leaderless
                if trouble.sent and method in ("_post", "_put", "_delete"):
                    break
                continue
            with self._lock:
                self._first, self._answered = number, True
            return answer
        raise self._unreachable(troubles)

    def _order(self) -> Iterator[int]:
        count = len(self._managers)
        first = self._first
        return ((first + step) % count for step in range(count))

    def _unreachable(
        self, troubles: list[tuple[Endpoint, _NoAnswerError]]
    ) -> EngineUnreachableError:
        said = "; ".join(f"{endpoint.shown}: {trouble.reason}" for endpoint, trouble in troubles)
        hint = next((trouble.hint for _, trouble in troubles if trouble.hint), _HINT)
        return EngineUnreachableError(f"no answer from {self._called}: {said}", hint=hint)


class _Manager:
    """One manager: a session of the docker SDK, made when it is first asked."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._lock = threading.Lock()
        self._made: tuple[_Client, str] | None = None

    def ask(self, method: str, path: str, options: dict[str, Any]) -> requests.Response:
        """Its answer. Raises _NoAnswerError if there is none, and our errors if it is a refusal."""
        client, root = self._client()
        send = {
            "_get": client._get,
            "_head": partial(update_headers(type(client).head), client),
            "_post": client._post,
            "_put": client._put,
            "_delete": client._delete,
        }[method]
        # With each request: REQUESTS_CA_BUNDLE would go before the session's.
        answer = _answer(send, root + path, {"verify": client.verify} | options)
        if answer.status_code >= 400:
            _refuse(answer)
        return answer

    def close(self) -> None:
        with self._lock:
            if self._made is not None:
                self._made[0].close()
                self._made = None

    def _client(self) -> tuple[_Client, str]:
        """The session, and the root of all paths in the version that the engine speaks."""
        with self._lock:
            if self._made is None:
                client = self._connect()
                try:
                    self._made = client, f"{client.base_url}/v{self._version(client)}"
                except BaseException:
                    client.close()
                    raise
            return self._made

    def _connect(self) -> _Client:
        host, tls, _ = self.endpoint
        own = adapter(host, CONNECT)
        problem = ""
        try:
            # With a version given it makes no request yet.
            client = APIClient(
                "tcp://localhost:1" if own else host, version="1.41", tls=tls or False
            )
        except (DockerException, OSError, ValueError) as error:
            # Of the SDK's reading of config.json or the TLS files: the class alone, as the message
            # may repeat what is in them.
            problem = type(error).__name__
        if problem:
            raise EngineError(
                f"cannot use {self.endpoint.shown}: docker's configuration is not valid ({problem})"
            )
        if own:
            client.mount("http://", own)
        return cast(_Client, client)

    @staticmethod
    def _version(client: _Client) -> str:
        answer = _answer(client._get, f"{client.base_url}/version", {"verify": client.verify})
        if answer.status_code >= 400:
            _refuse(answer)
        try:
            version = str(answer.json()["ApiVersion"])
            number = tuple(map(int, version.split(".")))
        except (ValueError, KeyError, TypeError):
            number = ()
        if not number:
            raise _NoAnswerError("what answers there is no docker engine")
        if number < OLDEST:
            raise EngineError(
                f"the engine speaks API {version}, and 1.41 is the oldest that loses nothing",
                hint="update it to Docker 20.10 or later",
            )
        return version


def _encoded(query: Mapping[str, Any] | None) -> dict[str, str]:
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in (query or {}).items()
    }


def _answer(send: Any, url: str, options: dict[str, Any]) -> requests.Response:
    """The HTTP answer, whatever its status. Raises _NoAnswerError."""
    try:
        answer: requests.Response = send(url, **{"timeout": (CONNECT, ANSWER)} | options)
    except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
        trouble = _explained(error)
    else:
        return answer
    raise trouble


def _explained(error: BaseException) -> _NoAnswerError:
    """Why a connection failed, from what is at the bottom of the exceptions around it."""
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _NoAnswerError(
                f"its certificate is not trusted ({cause.verify_message})",
                "DOCKER_CERT_PATH or the docker context names the ca.pem that signed it",
            )
        if isinstance(cause, ssl.SSLError):
            return _NoAnswerError(f"TLS failed ({cause.reason or 'no reason given'})", sent=True)
    connecting = (
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.ConnectTimeoutError,
        FileNotFoundError,
        PermissionError,
        ConnectionRefusedError,
    )
    sent = not any(isinstance(cause, connecting) for cause in chain)
    for cause in chain:
        if isinstance(cause, PermissionError):
            return _NoAnswerError(
                "permission denied",
                "be a member of the docker group, which is as good as root, or use sudo",
            )
        if isinstance(cause, FileNotFoundError):
            return _NoAnswerError("no such file", _HINT)
    if any(isinstance(cause, TimeoutError | requests.Timeout) for cause in chain):
        return _NoAnswerError("it did not answer in time", sent=sent)
    words = [cause.strerror for cause in chain if isinstance(cause, OSError) and cause.strerror]
    return _NoAnswerError(words[-1].lower() if words else "the connection broke", sent=sent)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and those that it wraps, by any of the ways in which requests does it."""
    found: list[BaseException] = [error]
    for current in found:
        inner = (*current.args, getattr(current, "reason", None))
        for each in (*inner, current.__cause__, current.__context__):
            if isinstance(each, BaseException) and each not in found:
                found.append(each)
    return iter(found)


# What an engine's message means, whatever its status (which differs between versions).
_MEANINGS: tuple[tuple[str, type[ConflictError]], ...] = (
    (r"update out of sequence", OutOfSequenceError),
    (r"in use by", ObjectInUseError),
    (r"already exists|name conflicts with an existing object", ObjectExistsError),
)
# Of a manager that has to be helped before it can be asked: (text, what it is, hint).
_NO_MANAGER = (
    (
        r"not a swarm manager|not part of a swarm|swarm has not been initialized",
        "not a swarm manager",
        "name a manager: DOCKER_HOST or hosts in secretkit.toml; `docker swarm init` makes a swarm"
        " of this engine",
    ),
    (r"needs to be unlocked", "the swarm is locked", "`docker swarm unlock` on that node"),
)


def _refuse(answer: requests.Response) -> NoReturn:
    """Raises what an answer of 400 and above means.

    A status of 500, 502, 503 or 504 without a known text is a swarm that lost its leader or a
    manager in trouble, and the request may have been carried out.
    """
    status = answer.status_code
    try:
        said = answer.json()["message"]
    except (ValueError, KeyError, TypeError):
        # A proxy's page, or an HTTPS server that was spoken to in the clear.
        if status == 400 and b"HTTPS server" in answer.content[:200]:
            raise _NoAnswerError(
                "it wants TLS", "set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"
            ) from None
        said = f"HTTP {status}"
    message = re.sub(r"^rpc error: code = \w+ desc = ", "", " ".join(str(said).split()))[:300]
    for pattern, reason, hint in _NO_MANAGER:
        if re.search(pattern, message):
            raise _NoAnswerError(reason, hint)
    for pattern, error in _MEANINGS:
        if re.search(pattern, message):
            raise error(message)
    if status == 404:
        raise NotFoundError(message)
    if status in (500, 502, 503, 504):
        raise _NoAnswerError(message, sent=True, leaderless=True)
    raise EngineRefusedError(message)

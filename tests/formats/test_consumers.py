"""Readers that take only some values: docker run --env-file, and MySQL's reading of INI."""

from __future__ import annotations

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.needs import need_program

from .cases import CASES
from .values import values


class Engine(BaseHTTPRequestHandler):
    """Answers the docker client just enough to hear which variables a container would get."""

    created: dict[str, list[str]]

    def answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Api-Version", "1.41")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_GET(self) -> None:
        self.answer(200, {"ApiVersion": "1.41"})

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.created["env"] = request["Env"]
        self.answer(500, {"message": "this is no engine"})

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def test_docker_env_file_reads_what_is_written_bare(tmp_path: Path) -> None:
    """docker run --env-file knows no quotes: it gets exactly the values that have none."""
    docker = need_program("docker")
    bare = next(case for case in CASES if case.id == "env-bare")
    accepted = [value for value in values(seed=6, count=4000) if bare.refusal(value) is None]
    written = bare.render(tmp_path, accepted).split(b"\n")
    harmless = {
        f"K{n}": value.decode()
        for n, (value, line) in enumerate(zip(accepted, written, strict=True))
        if line.partition(b"=")[2][:1] not in (b"'", b'"')
    }
    assert len(harmless) > 100
    (tmp_path / "some.env").write_bytes(
        b"\n".join(line for line in written if line.partition(b"=")[0].decode() in harmless)
    )
    engine = type("Recording", (Engine,), {"created": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        subprocess.run(
            [docker, "create", "--env-file", str(tmp_path / "some.env"), "image"],
            env={"DOCKER_HOST": f"tcp://127.0.0.1:{server.server_port}", "HOME": str(tmp_path)},
            capture_output=True,
            check=False,
            timeout=60,
        )
        server.shutdown()
    assert harmless == dict(entry.split("=", 1) for entry in engine.created["env"])


def test_mysql_reads_ini_alike_but_for_its_escapes(tmp_path: Path) -> None:
    """ASCII without backslash, quote and `#` is to my_print_defaults what it is to configparser."""
    program = need_program("my_print_defaults")
    whole = next(case for case in CASES if case.id == "ini-whole")
    accepted = [
        value
        for value in values(seed=7, count=4000)
        if whole.refusal(value) is None and not set(b"\\'\"#") & set(value) and value.isascii()
    ]
    assert len(accepted) > 500
    (tmp_path / "my.cnf").write_bytes(whole.render(tmp_path, accepted) + b"\n")
    done = subprocess.run(
        [program, f"--defaults-file={tmp_path / 'my.cnf'}", "s"], capture_output=True, check=True
    )
    expected = [f"--k{n}=".encode() + value for n, value in enumerate(accepted)]
    assert expected == done.stdout.split(b"\n")[:-1]

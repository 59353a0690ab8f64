"""The two servers that are compared: a fresh WebMACS of this checkout, and the bare routes."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

MAIL, PASSWORD = "bench@example.org", "a password for the bench"
PATIENCE = 60.0  # seconds


@dataclass(frozen=True)
class Server:
    """Where a server listens, its process, a token, and its folder."""

    port: int
    web: psutil.Process
    token: str = ""
    folder: Path = Path()

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One JSON request. Raises RuntimeError when it is refused."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:200]!r}")
        return json.loads(text)

    def message(self, method: str, path: str, body: bytes = b"", media: str = "application/json") -> bytes:
        """A request as it goes over the wire."""
        lines = (
            f"{method} {path} HTTP/1.1",
            "Host: localhost",
            f"Content-Type: {media}",
            f"Authorization: Bearer {self.token}",
            f"Content-Length: {len(body)}",
        )
        return "\r\n".join((*lines, "", "")).encode() + body

    def new_event(self, name: str) -> str:
        """A sensor; returns its public id."""
        fields = {"name": name, "type": "sensor", "unit": "°C", "min_value": 0, "max_value": 1e9}
        return str(self.call("POST", "/api/v1/events", fields)["public_id"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def webmacs() -> Iterator[Server]:
    """`webmacs up` in a folder of its own; DATABASE_URL may name an empty database."""
    with tempfile.TemporaryDirectory(prefix="webmacs-bench-") as name:
        folder, port = Path(name), free_port()
        environment = os.environ | {
            "WEBMACS_PORT": str(port),
            "WEBMACS_DATA_DIR": str(folder / "data"),
            "INITIAL_ADMIN_EMAIL": MAIL,
            "INITIAL_ADMIN_USERNAME": "bench",
            "INITIAL_ADMIN_PASSWORD": PASSWORD,
        }
        log = folder / "up.log"
        with log.open("wb") as out:
            up = subprocess.Popen([sys.executable, "-m", "webmacs", "up"], env=environment, stdout=out, stderr=out)
        try:
            _wait(lambda: "Stop with Ctrl-C" in log.read_text(errors="replace"), up, log)
            web = next(child for child in psutil.Process(up.pid).children() if child.cmdline()[-1:] == ["web"])
            login = {"email": MAIL, "password": PASSWORD}
            token = str(Server(port, web).call("POST", "/api/v1/auth/login", login)["access_token"])
            yield Server(port, web, token, folder / "data")
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait()


@contextlib.contextmanager
def bare() -> Iterator[Server]:
    """The bare routes."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("bare.py")), str(port)])
    server = Server(port, psutil.Process(process.pid), "x" * 200)
    try:
        _wait(lambda: _answers(server), process)
        yield server
    finally:
        process.terminate()
        process.wait()


def _answers(server: Server) -> bool:
    try:
        return bool(server.call("GET", "/health"))
    except OSError:
        return False


def _wait(condition: Any, process: subprocess.Popen[bytes], log: Path | None = None) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(log.read_text(errors="replace") if log else "the bare server does not answer")
        time.sleep(0.05)

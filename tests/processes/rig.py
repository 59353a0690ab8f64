"""A whole WebMACS in real processes: `webmacs up` on a free port, its children by name, and a client for it."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
MAIL, PASSWORD = "ada@lab.example", "a long enough password"
PARTS = ("broker", "web", "worker", "agent")
ALIVE = "Stop with Ctrl-C"


def wait_until(condition: Callable[[], object], what: str, timeout: float = 30.0, every: float = 0.02) -> None:
    """Wait for a condition; fail with `what` was waited for."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout} s: {what}")
        time.sleep(every)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Answer:
    """One HTTP answer, read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Running:
    """`webmacs up`, its folder, and what one wants to know about its processes."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._environment = environment
        self._log = folder.parent / f"{folder.name}.log"
        self._tokens: dict[str, str] = {}
        self.process: subprocess.Popen[bytes]

    # --- life -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it and wait until it serves."""
        own = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "WEBMACS_DATA_DIR": str(self.folder),
            "WEBMACS_PORT": str(self.port),
            "RATE_LIMIT_PER_MINUTE": "0",  # all tests have one address
            "INITIAL_ADMIN_EMAIL": MAIL,
            "INITIAL_ADMIN_USERNAME": "ada",
            "INITIAL_ADMIN_PASSWORD": PASSWORD,
        }
        said = len(self.log)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "webmacs", "up"],
                env=own | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: ALIVE in self.log[said:] or self.process.poll() is not None, "webmacs up serves", 60)
        assert self.process.poll() is None, self.log
        wait_until(lambda: set(PARTS) <= set(self.parts()), "all parts run")

    def stop(self) -> int:
        """Ask it to stop; returns its code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)

    def end(self) -> None:
        """Leave nothing of it running, whatever happened."""
        family = self._family()
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self.process.poll() is None:
                self.stop()
        for process in [*family, *self._family()]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(10)

    def _family(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    # --- parts ------------------------------------------------------------------------------------------------------

    def parts(self) -> dict[str, psutil.Process]:
        """The children that run, name → process."""
        found = {}
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                command = child.cmdline()
                if child.status() != psutil.STATUS_ZOMBIE and command:
                    found["broker" if "valkey" in command[0] or "redis" in command[0] else command[-1]] = child
        return found

    def part(self, name: str) -> psutil.Process:
        """One part, waited for."""
        wait_until(lambda: name in self.parts(), f"{name} runs")
        return self.parts()[name]

    def kill(self, name: str) -> int:
        """kill -9 of a part; returns the number of the process that died."""
        process = self.part(name)
        os.kill(process.pid, signal.SIGKILL)
        return int(process.pid)

    def serves(self) -> bool:
        """Whether the web process answers."""
        try:
            return self.send("GET", "/health", timeout=5).status == 200
        except (OSError, http.client.HTTPException):
            return False

    # --- HTTP -------------------------------------------------------------------------------------------------------

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = 30.0,
    ) -> Answer:
        """One request on a connection of its own; a body that is not bytes goes as JSON."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Content-Type": "application/json"} if content is not None else {}
        if token:
            given["Authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, content, given | (headers or {}))
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def token(self, mail: str = MAIL) -> str:
        """A JWT, asked for once."""
        if mail not in self._tokens:
            answer = self.send("POST", "/api/v1/auth/login", {"email": mail, "password": PASSWORD})
            assert answer.status == 200, answer.body
            self._tokens[mail] = answer.json["access_token"]
        return self._tokens[mail]

    def call(self, method: str, path: str, body: Any = None, mail: str = MAIL) -> Any:
        """A JSON request that must succeed; returns what it answers."""
        answer = self.send(method, path, body, self.token(mail))
        assert answer.status < 300, (method, path, answer.status, answer.body)
        return answer.json

    def new_event(self, name: str, mail: str = MAIL) -> str:
        """A sensor; returns its public id."""
        fields = {"name": name, "type": "sensor", "unit": "°C", "min_value": 0, "max_value": 100}
        return str(self.call("POST", "/api/v1/events", fields, mail)["public_id"])

    def new_user(self, name: str, role: str = "viewer") -> tuple[str, str]:
        """A user of the first organization; returns mail address and public id."""
        mail = f"{name}@lab.example"
        new = {"email": mail, "username": name, "password": PASSWORD, "role": role}
        return mail, str(self.call("POST", "/api/v1/users", new)["public_id"])

    def browser(self, mail: str = MAIL) -> "Browser":
        """Somebody who has signed in by the form."""
        browser = Browser(self)
        browser.visit("/login")
        answer = browser.submit("/login", next="/", email=mail, password=PASSWORD)
        assert answer.status == 303, (answer.status, answer.body)
        return browser

    @contextlib.contextmanager
    def raw(self, timeout: float = 15.0) -> Iterator[socket.socket]:
        """A naked connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            yield connection


class Browser:
    """Cookies, and the CSRF token of the last page."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self.cookie = ""
        self.csrf = ""

    def visit(self, path: str) -> Answer:
        """GET a page."""
        answer = self._keep(self._running.send("GET", path, headers={"Cookie": self.cookie}))
        found = re.search(rb'name="csrf-token" content="([^"]+)"', answer.body)
        self.csrf = found[1].decode() if found else ""
        return answer

    def form(self, **fields: str) -> bytes:
        """The body of a form, with the CSRF token."""
        return urlencode({"csrf_token": self.csrf} | fields).encode()

    def submit(self, path: str, **fields: str) -> Answer:
        """POST a form."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": self.cookie}
        return self._keep(self._running.send("POST", path, self.form(**fields), headers=headers))

    def _keep(self, answer: Answer) -> Answer:
        for line in answer.headers.get_all("Set-Cookie", []):
            self.cookie = line.partition(";")[0]
        return answer

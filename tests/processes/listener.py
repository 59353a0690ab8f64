"""A browser's end of the live stream: server-sent events, read in a thread."""

import contextlib
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from tests.processes.rig import Running, wait_until


@dataclass
class Listener:
    """One stream, open from the hello on: what it was told so far, and when it ended."""

    running: Running
    cookie: str
    status: int = 0
    events: list[tuple[str, Any]] = field(default_factory=list)
    ended: float | None = None  # monotonic seconds

    def __enter__(self) -> "Listener":
        self.opened = time.monotonic()
        self._socket = socket.create_connection(("127.0.0.1", self.running.port), timeout=60)
        request = f"GET /live/stream HTTP/1.1\r\nHost: localhost\r\nCookie: {self.cookie}\r\nConnection: close\r\n\r\n"
        self._socket.sendall(request.encode("latin-1"))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        wait_until(lambda: self.events or self.ended, "the stream says hello")
        assert self.events[:1] == [("hello", {"mode": "stream"})], (self.status, self.events)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()

    def _listen(self) -> None:
        try:
            self._read()
        except OSError:
            pass
        finally:
            self.ended = time.monotonic()

    def _read(self) -> None:
        stream = self._socket.makefile("rb")
        self.status = int(stream.readline().split()[1])
        while stream.readline() not in (b"\r\n", b""):
            pass
        kind = ""
        for raw in stream:  # the sizes of chunks are lines like any other: none begins with a field's name
            name, _, value = raw.decode().rstrip("\r\n").partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                self.events.append((kind, json.loads(value)))

    @property
    def values(self) -> dict[str, tuple[float, str]]:
        """What the page would show now: channel → (value, time), the newest time wins as in the browser."""
        shown: dict[str, tuple[float, str]] = {}
        for kind, data in list(self.events):
            for item in data["values"] if kind == "values" else ():
                if item["event"] not in shown or shown[item["event"]][1].rstrip("Z") < item["time"].rstrip("Z"):
                    shown[item["event"]] = (item["value"], item["time"])
        return shown

    def wait_for(self, event: str, value: float, timeout: float = 15.0) -> None:
        """Wait until a channel shows a value."""
        shown = f"{event} shows {value}"
        wait_until(lambda: self.values.get(event, (None,))[0] == value, shown, timeout)

    def wait_for_end(self, timeout: float) -> None:
        """Wait until the server closes the stream."""
        wait_until(lambda: self.ended, "the stream is closed", timeout)

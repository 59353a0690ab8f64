"""How the server reads HTTP: uvicorn's way, with limits to the size of a head and to the stalling of either side."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from webmacs.asgi.body import SENDER_PATIENCE

READER_PATIENCE = 60.0  # seconds in which a reader lets its answer wait
LONGEST_HEAD = 65_536  # bytes of a request line and its headers


class Timer:
    """Does one thing later, unless it is cleared in time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    def set(self, seconds: float, work: Callable[..., object], *args: object) -> None:
        """Begin to wait; one that waits already goes on waiting."""
        if self._handle is None:
            self._handle = self._loop.call_later(seconds, work, *args)

    def clear(self) -> None:
        """Wait no longer."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class Protocol(HttpToolsProtocol):
    """uvicorn's reading of HTTP, with limits to the size of a request's head and to the stalling of either side."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._in_head, self._heads = True, 0
        self._head_bytes = 0
        self._sender, self._reader = Timer(self.loop), Timer(self.loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn names a narrower kind
        self._sender.set(SENDER_PATIENCE, self._refuse, b"408 Request Timeout")

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._sender.clear()
        self._reader.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless it is too much."""
        before = self._in_head, self._heads
        super().data_received(data)
        if before != (True, self._heads):
            return  # the end of a body, or the end of a head, was in it
        self._head_bytes += len(data)
        if self._head_bytes > LONGEST_HEAD:
            self._refuse(b"431 Request Header Fields Too Large")
        else:
            self._sender.set(SENDER_PATIENCE, self._refuse, b"408 Request Timeout")

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._in_head, self._heads, self._head_bytes = False, self._heads + 1, 0
        self._sender.clear()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The next head may come."""
        self._in_head = True
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The reader does not follow."""
        super().pause_writing()
        self._reader.set(READER_PATIENCE, self.transport.abort)

    def resume_writing(self) -> None:
        """The reader has followed."""
        self._reader.clear()
        super().resume_writing()

    def _refuse(self, status: bytes) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:  # else it would land in the middle of an answer
            self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

"""One port, one process: live streams in the event loop, everything else in threads by way of WSGI.

A thread is held only while the application works: a client that sends slowly, reads slowly or leaves costs a socket.
"""

import asyncio
import contextlib
import contextvars
import ctypes
import io
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson
from flask import Flask
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from webmacs.live.hub import Hub
from webmacs.live.sse import Receive, Scope, Send, Stream

THREADS = 16
SENDER_PATIENCE = 30.0  # seconds without a byte of a request that is on its way
READER_PATIENCE = 60.0  # seconds in which a reader lets its answer wait
LONGEST_HEAD = 65_536  # bytes of a request line and its headers
WHOLE_ANSWER = 1 << 20  # bytes; an answer of known length up to here is taken out of its thread in one go
TURN = 0.001  # seconds that a thread computes before another one's turn; Python's own 5 ms add up for short requests
FAREWELL, FAREWELL_BYTES = 2.0, 8 << 20  # seconds, bytes: what we still read so that a refusal reaches its reader

_M_ARENA_MAX = -8  # malloc.h


class ClientGoneError(Exception):
    """The client left before its request was complete."""


class Server:
    """The ASGI application; `protocol` is how it wants uvicorn to read requests."""

    def __init__(self, app: Flask) -> None:
        _be_modest()
        self.protocol = Protocol
        self._pages = Bridge(app)
        self._limit: int = app.config["MAX_CONTENT_LENGTH"]
        self._hub = Hub(app.config["REDIS_URL"])
        self._stream = Stream(app, self._hub)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one connection."""
        if scope["type"] == "lifespan":
            await self._live_and_die(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["path"] == "/live/stream" and scope["method"] == "GET":
            await self._stream(scope, receive, send)
        else:
            await self._page(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take the whole body first, so that a slow sender holds no thread, then answer from a thread."""
        try:
            body, length = await _take(scope, receive, self._limit)
        except ClientGoneError:
            return  # half a request is none: a form that broke off could still be read, and would mean something else
        except TimeoutError:
            await _say(send, 408, "Request Timeout")
            return
        if length > self._limit:
            # the application finds the length, not the body, and refuses in its own words
            body, send = b"", _parting(receive, send)
        await self._pages(environ(scope, body, length), receive, send)

    async def _live_and_die(self, receive: Receive, send: Send) -> None:
        await receive()
        self._hub.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._hub.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _be_modest() -> None:
    """Arrange the process for many threads that take turns.

    The C library would give each thread a heap of its own that keeps what it once used: 60 MB after some hundred pages.
    """
    sys.setswitchinterval(TURN)
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # not every C library has it
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


async def _take(scope: Scope, receive: Receive, limit: int) -> tuple[bytes, int]:
    """The request's body and its length; of one above the limit only the length.

    Raises `ClientGoneError` and TimeoutError when the rest of it does not come.
    """
    declared = next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
    if declared > limit:
        return b"", declared
    parts: list[bytes] = []
    size = 0
    while True:
        async with asyncio.timeout(SENDER_PATIENCE):
            message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            return b"", size
        if not message.get("more_body", False):
            return b"".join(parts), size


def environ(scope: Scope, body: bytes, length: int) -> dict[str, Any]:
    """The request as WSGI (PEP 3333) sees it."""
    host, port = scope.get("server") or ("localhost", 80)
    client = scope.get("client") or ("", 0)
    found: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if b"_" in name:  # to WSGI the same as a dash: a proxy that guards the one would miss the other
            continue
        key, text = name.decode("latin-1").upper().replace("-", "_"), value.decode("latin-1")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        found[key] = f"{found[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}" if key in found else text
    found.pop("HTTP_TRANSFER_ENCODING", None)  # the body stands here whole
    if length or "CONTENT_LENGTH" in found:
        found["CONTENT_LENGTH"] = str(length)
    return found


class Bridge:
    """Answers requests by a WSGI application in threads."""

    def __init__(self, app: Callable[..., Iterable[bytes]], threads: int = THREADS) -> None:
        self._app = app
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="web")

    async def __call__(self, request: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        call = Call(self._app, request)
        try:
            await self._in_thread(call.begin)
            await send({"type": "http.response.start", "status": call.status, "headers": call.headers})
            if call.is_over:
                await send({"type": "http.response.body", "body": call.piece})
            else:
                await self._stream(call, receive, send)
        finally:
            if not call.is_over:
                self._threads.submit(call.close)  # not awaited: we may be here because the server stops

    async def _stream(self, call: "Call", receive: Receive, send: Send) -> None:
        """Send piece by piece, as fast as the client reads, until it leaves."""
        leaving = asyncio.create_task(_until_gone(receive))
        try:
            while not call.is_over and not leaving.done():
                await send({"type": "http.response.body", "body": call.piece, "more_body": True})
                await self._in_thread(call.step)
            if call.is_over:
                await send({"type": "http.response.body", "body": call.piece})
        finally:
            leaving.cancel()

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, work)


class Call:
    """One call of the application. Its steps run in whatever thread is free, one at a time, in one context."""

    def __init__(self, app: Callable[..., Iterable[bytes]], request: dict[str, Any]) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.piece = b""  # what is to be sent next
        self.is_over = False
        self._app = app
        self._request = request
        self._answer: Iterable[bytes] = ()
        self._pieces: Iterator[bytes] = iter(())
        self._one_at_a_time = threading.Lock()
        self._run: Callable[..., Any] = contextvars.Context().run

    def begin(self) -> None:
        """Run the application; afterwards `status` and `headers` stand, and the whole answer or its first piece."""
        with self._one_at_a_time:
            self._run(self._begin)

    def step(self) -> None:
        """Produce the next piece."""
        with self._one_at_a_time:
            if not self.is_over:
                self._run(self._next)

    def close(self) -> None:
        """Let the application clean up after an answer that nobody reads to its end."""
        with self._one_at_a_time:
            if not self.is_over:
                self._run(self._end)

    def _begin(self) -> None:
        self._answer = self._app(self._request, self._start)
        self._pieces = iter(self._answer)
        length = next((int(value) for name, value in self.headers if name == b"content-length"), None)
        if (length is not None and length <= WHOLE_ANSWER) or self._request["REQUEST_METHOD"] == "HEAD":
            try:
                self.piece = b"".join(self._pieces)
            finally:
                self._end()
        else:
            self._next()

    def _start(self, status: str, headers: list[tuple[str, str]], _error: object = None) -> Callable[[bytes], object]:
        self.status = int(status[:3])
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return _no_write

    def _next(self) -> None:
        try:
            self.piece = next(self._pieces)
        except StopIteration:
            self.piece = b""
            self._end()
        except BaseException:
            self._end()
            raise

    def _end(self) -> None:
        self.is_over = True
        getattr(self._answer, "close", lambda: None)()


def _no_write(_data: bytes) -> object:
    raise NotImplementedError("the old `write` of WSGI; return the body instead")


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _parting(receive: Receive, send: Send) -> Send:
    """A `send` that closes the connection afterwards, yet reads on a little.

    Closing at once while the client still sends would reset the connection, and it would never read the refusal.
    """

    async def say(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        elif not message.get("more_body", False):
            await send({**message, "more_body": True})
            await _drain(receive)
            message = {"type": "http.response.body", "body": b""}
        await send(message)

    return say


async def _drain(receive: Receive) -> None:
    left = FAREWELL_BYTES
    try:
        async with asyncio.timeout(FAREWELL):
            while left > 0:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                left -= len(message.get("body", b""))
    except TimeoutError:
        return


async def _say(send: Send, status: int, sentence: str) -> None:
    """An answer that needs no application, and the end of the connection."""
    headers = [
        (b"content-type", b"application/json"),
        (b"connection", b"close"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps({"detail": sentence})})


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
        super().connection_made(transport)  # type: ignore[arg-type]
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

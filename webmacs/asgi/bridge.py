"""From ASGI to WSGI: the application answers in threads, and a thread is held only while it works."""

import asyncio
import contextvars
import io
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_to_bytes

from webmacs.asgi.body import Body
from webmacs.live.sse import Receive, Scope, Send

THREADS = 16
GIVE_WAY, CALM = 0.02, 0.002  # seconds: how long a stream waits for others at most, and to see that nobody else comes
WHOLE_ANSWER = 1 << 20  # bytes; an answer of known length up to here is taken out of its thread in one go


def environ(scope: Scope, body: Body, length: int) -> dict[str, Any]:
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
        "wsgi.input": io.BytesIO(body) if isinstance(body, bytes) else body,
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
        # the event loop's own
        self._beginning = 0  # calls whose answer is not there yet
        self._last_begun = 0.0  # when there was one, by the loop's clock

    async def __call__(self, request: dict[str, Any], receive: Receive, send: Send) -> "Call":
        """Answer one request; returns the call that did it."""
        call = Call(self._app, request)
        try:
            self._beginning += 1
            try:
                await self._in_thread(call.begin)
            finally:
                self._beginning -= 1
                self._last_begun = asyncio.get_running_loop().time()
            await send({"type": "http.response.start", "status": call.status, "headers": call.headers})
            if call.is_over:
                await send({"type": "http.response.body", "body": call.piece})
            else:
                await self._stream(call, receive, send)
        finally:
            if not call.is_over:
                self._threads.submit(call.close)  # not awaited: we may be here because the server stops
        return call

    async def _stream(self, call: "Call", receive: Receive, send: Send) -> None:
        """Send piece by piece, as fast as the client reads, until it leaves."""
        leaving = asyncio.create_task(_until_gone(receive))
        try:
            while not call.is_over and not leaving.done():
                await send({"type": "http.response.body", "body": call.piece, "more_body": True})
                await self._give_way()
                await self._in_thread(call.step)
            if call.is_over:
                await send({"type": "http.response.body", "body": call.piece})
        finally:
            leaving.cancel()

    async def _give_way(self) -> None:
        """Wait for a moment while others are asking: there is one interpreter, and a piece keeps it for milliseconds.

        Nobody who downloads alone waits; who does not gets a piece in each GIVE_WAY at least.
        """
        now = asyncio.get_running_loop().time
        until = now() + GIVE_WAY
        while (self._beginning or now() - self._last_begun < CALM) and now() < until:  # noqa: ASYNC110 - until nobody comes
            await asyncio.sleep(CALM / 2)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, work)


class Call:
    """One call of the application. Its steps run in whatever thread is free, one at a time, in one context."""

    def __init__(self, app: Callable[..., Iterable[bytes]], request: dict[str, Any]) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.piece = b""  # what is to be sent next
        self.is_over = False
        self.is_whole = False  # whether `piece` is the whole answer
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
                self.is_whole = True
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

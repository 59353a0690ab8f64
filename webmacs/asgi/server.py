"""The ASGI application: which connection goes where."""

import asyncio
import contextlib
import ctypes
import gc
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from flask import Flask

from webmacs.asgi.body import ClientGoneError, parting, say_briefly, take
from webmacs.asgi.bridge import Bridge, environ
from webmacs.asgi.memory import Asked, Memory
from webmacs.asgi.protocol import Protocol
from webmacs.core.db import db
from webmacs.ingest import telemetry
from webmacs.ingest.directory import Directory
from webmacs.ingest.door import BATCH, SINGLE, Door
from webmacs.ingest.keeper import Keeper
from webmacs.ingest.telemetry import TelemetrySocket
from webmacs.ingest.writer import Writer
from webmacs.live import publish
from webmacs.live import socket as stream_socket
from webmacs.live.hub import Hub
from webmacs.live.socket import StreamSocket
from webmacs.live.sse import Receive, Scope, Send, Stream
from webmacs.web import limits
from webmacs.web.arrival import LASTS_UNTIL, SAFE_METHODS, largest_bodies
from webmacs.web.credentials import Credentials
from webmacs.web.headers import Completion
from webmacs.web.proxies import Proxies

ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]

UPLOADS = 8  # large bodies that may be on their way at the same time: they fill the disk before anybody is asked
CREDENTIALS = (b"authorization", b"cookie")
TURN = 0.001  # seconds that a thread computes before another one's turn; Python's own 5 ms add up for short requests

_M_ARENA_MAX = -8  # malloc.h


class Pages:
    """Everything that the application answers in threads."""

    def __init__(
        self, bridge: Bridge, limit: int, memory: Memory | None = None, larger: Mapping[str, int] = {}
    ) -> None:
        self._bridge = bridge
        self._limit = limit
        self._larger = larger  # path → bytes
        self._uploads = asyncio.Semaphore(UPLOADS)
        self._memory = memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send, door: Door | None = None) -> None:
        """Take the whole body first, so that a slow sender holds no thread; then a fast door or a thread answers."""
        try:
            limit = self._larger.get(scope["path"], self._limit)
            if limit > self._limit and not any(name in CREDENTIALS for name, _ in scope["headers"]):
                limit = self._limit  # nobody fills the disk before being refused
            async with self._uploads if limit > self._limit else contextlib.nullcontext():
                body, length = await take(scope, receive, limit)
        except ClientGoneError:
            return  # half a request is none: a form that broke off could still be read, and would mean something else
        except TimeoutError:
            await say_briefly(send, 408, "Request Timeout")
            return
        if length > limit:
            # the application finds the length, not the body, and refuses in its own words
            body, send = b"", parting(receive, send)
        elif door is not None and isinstance(body, bytes):
            answer = await door.answer(scope["path"], scope["headers"], body)
            if answer is not None:
                await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
                await send({"type": "http.response.body", "body": answer.body})
                return
        asked = self._memory.asked(scope) if self._memory is not None else None
        if self._memory is None:
            await self._bridge(environ(scope, body, length), receive, send)
        elif asked is None:
            await self._bridge(environ(scope, body, length), receive, send)
            if scope["method"] not in SAFE_METHODS:
                self._memory.forget("health")
        else:
            await self._remembered(self._memory, asked, environ(scope, body, length), receive, send)

    async def _remembered(
        self, memory: Memory, asked: Asked, request: dict[str, Any], receive: Receive, send: Send
    ) -> None:
        """Answer from memory, else from a thread, and remember that if the endpoint says that it may be."""
        kept = memory.find(asked.key)
        counted = memory.count(asked) if kept is not None else None
        if kept is not None and counted is not None:  # otherwise the application counts, and may refuse
            headers = [*kept.fresh_headers(), *counted]
            await send({"type": "http.response.start", "status": kept.status, "headers": headers})
            await send({"type": "http.response.body", "body": kept.body})
            return
        turn = memory.turn()
        call = await self._bridge(request, receive, send)
        topic = request.get(LASTS_UNTIL)
        if topic is not None and call.is_whole:
            memory.keep(asked.key, topic, turn, call.status, call.headers, call.piece)


class Server:
    """The ASGI application; `protocol` is how it wants uvicorn to read requests."""

    protocol = Protocol

    def __init__(self, app: Flask) -> None:
        _be_modest()
        self._app = app
        self._proxies: Proxies = app.extensions["webmacs.proxies"]
        self._completion = Completion(app)
        self._credentials: Credentials = app.extensions["webmacs.credentials"]
        self._memory = Memory(self._credentials, limits.installed(app))
        self._pages = Pages(Bridge(app), app.config["MAX_CONTENT_LENGTH"], self._memory, largest_bodies(app))
        self._hub = Hub(app.config["REDIS_URL"], self._overhear)
        self._stream = Stream(app, self._hub)
        self._directory = Directory(app)
        self._writer = Writer(app, lambda: self._memory.forget("health"))
        self._sockets: dict[str, ASGI] = {
            stream_socket.PATH: StreamSocket(app, self._hub),
            telemetry.PATH: TelemetrySocket(app, self._directory, self._writer),
        }
        self._keeper = Keeper(app)
        self._door = Door(app, self._credentials, self._directory, self._writer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route one connection."""
        if scope["type"] == "lifespan":
            await self._live_and_die(receive, send)
            return
        scope = self._proxies.believed(scope)
        if scope["type"] == "websocket":
            socket = self._sockets.get(scope["path"])
            if socket is None:
                await send({"type": "websocket.close"})  # before it was accepted: the handshake is answered with 403
            else:
                await socket(scope, receive, send)
            return
        is_fast = scope["method"] == "POST" and scope["path"] in (SINGLE, BATCH)
        send = self._completion.around(scope, send, has_usual=is_fast)
        if scope["path"] == "/live/stream" and scope["method"] == "GET":
            await self._stream(scope, receive, send)
        else:
            await self._pages(scope, receive, send, self._door if is_fast else None)

    def _overhear(self, message: dict[str, Any]) -> None:
        """What is remembered here may have changed elsewhere."""
        if "recheck" in message:
            self._credentials.forget(message["recheck"])
            self._memory.forget("channels")  # they name the user who made them, as long as there is one
        elif "channels" in message:
            self._directory.forget()
            self._memory.forget("channels")
        elif "values" in message:
            self._memory.forget("health")
        elif "catch_up" in message:
            self._credentials.forget()
            self._directory.forget()
            self._memory.forget("channels")

    async def _live_and_die(self, receive: Receive, send: Send) -> None:
        await receive()
        self._hub.start()
        with self._app.app_context():
            publish.voice().attach(self._hub)
        self._writer.open()
        self._keeper.start()
        gc.collect()
        gc.freeze()  # what stands now stays: the collector need not look at it again and again
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._hub.stop()
        await self._writer.close()
        await asyncio.to_thread(self._keeper.stop)
        with self._app.app_context():
            db.engine.dispose()
        await send({"type": "lifespan.shutdown.complete"})


def _be_modest() -> None:
    """Arrange the process for many threads that take turns.

    The C library would give each thread a heap of its own that keeps what it once used: 60 MB after some hundred pages.
    """
    sys.setswitchinterval(TURN)
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # not every C library has it
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)

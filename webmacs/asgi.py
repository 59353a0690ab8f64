"""One port, one process: live streams in the event loop, everything else in threads by way of WSGI."""

import asyncio
from typing import Any, cast

import orjson
from a2wsgi import WSGIMiddleware
from flask import Flask

from webmacs.live.hub import Hub
from webmacs.live.sse import Receive, Scope, Send, Stream
from webmacs.web.downloads import GONE

THREADS = 16


class Server:
    """The ASGI application."""

    def __init__(self, app: Flask) -> None:
        self._pages: Any = WSGIMiddleware(cast("Any", app), workers=THREADS)
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
        body = await _body(receive, self._limit)
        if body is None:
            await _too_large(send)
            return
        gone = scope[GONE] = asyncio.Event()
        watch = asyncio.create_task(_watch(receive, gone))
        # a body without a declared length (chunked) gets one: WSGI would take it for empty
        headers = [pair for pair in scope["headers"] if pair[0] not in (b"content-length", b"transfer-encoding")]
        if body or any(name == b"content-length" for name, _ in scope["headers"]):
            headers.append((b"content-length", str(len(body)).encode()))

        async def replay() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        try:
            await self._pages({**scope, "headers": headers}, replay, send)
        finally:
            watch.cancel()

    async def _live_and_die(self, receive: Receive, send: Send) -> None:
        await receive()
        self._hub.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._hub.stop()
        await send({"type": "lifespan.shutdown.complete"})


async def _body(receive: Receive, limit: int) -> bytes | None:
    """The request's body, None when it is larger than we take."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


async def _watch(receive: Receive, gone: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


async def _too_large(send: Send) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"connection", b"close"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps({"detail": "Request Entity Too Large"})})
